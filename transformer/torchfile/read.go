package torchfile

import (
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/muppet-go/muppet/internal/file"
	"github.com/muppet-go/muppet/nn/safetensors"
)

const (
	maxPickle    = 16 << 20 // bytes; a thousand tensors take about 100 kB
	maxDirectory = 16 << 20 // bytes of the archive's list of entries; a thousand take about 60 kB
	chunkSize    = 1 << 18  // bytes in memory at a time; a multiple of every element's size
)

// A File is an open file of tensors. What they are is in memory, their values stay on disk until they are read. It may be
// used by several goroutines at once.
type File struct {
	path    string
	r       io.ReaderAt
	close   func() error
	names   []string
	tensors map[string]*tensor
}

// Open opens a file and checks all that it says about its tensors. The error names the file and what is wrong.
func Open(path string) (*File, error) {
	f, size, err := file.OpenSized(path)
	if err != nil {
		return nil, fmt.Errorf("torchfile: %w", err)
	}
	opened, err := newFile(path, f, size)
	if err != nil {
		f.Close()
		return nil, err
	}
	opened.close = f.Close
	return opened, nil
}

func newFile(path string, r io.ReaderAt, size int64) (*File, error) {
	f := &File{path: path, r: r, tensors: map[string]*tensor{}}
	a, err := openArchive(r, size)
	if err != nil {
		return nil, fmt.Errorf("torchfile: %s: %w", path, err)
	}
	program, err := a.read("data.pkl", maxPickle)
	if err != nil {
		return nil, fmt.Errorf("torchfile: %s: %w", path, err)
	}
	m := machine{code: program, global: global, persistent: a.storage}
	top, err := m.run()
	if err == nil {
		err = f.collect(top, size)
	}
	if err != nil {
		return nil, fmt.Errorf("torchfile: %s: data.pkl: %w", path, err)
	}
	return f, nil
}

// collect takes the tensors out of the dictionary that a file holds. Views may show an element of a storage more than
// once, as tied weights do; but a small file does not get to ask for much memory.
func (f *File) collect(top any, size int64) error {
	d, ok := top.(*dict)
	if !ok {
		return fmt.Errorf("holds %s: want a dictionary of tensors", describe(top))
	}
	left := int(min(8*size+1<<20, math.MaxInt))
	for i, v := range d.values {
		t, ok := v.(*tensor)
		if !ok {
			continue // a number, say, that a module keeps with its weights
		}
		name, ok := d.keys[i].(string)
		if !ok {
			return fmt.Errorf("a tensor's name is %s: want a string", describe(d.keys[i]))
		}
		if f.tensors[name] != nil {
			return fmt.Errorf("tensor %.200q occurs twice", name)
		}
		n, ok := elements(t.shape, left/t.dtype.Size())
		if !ok {
			return fmt.Errorf("tensor %.200q: with shape %v the tensors are more than eight times as large as the file", name, t.shape)
		}
		left -= n * t.dtype.Size()
		f.names = append(f.names, name)
		f.tensors[name] = t
	}
	return nil
}

// Close closes the file.
func (f *File) Close() error { return f.close() }

// String returns the path and the number of tensors.
func (f *File) String() string { return fmt.Sprintf("%s: %d tensors", f.path, len(f.names)) }

// Names returns the names of the tensors in the order of the state dict.
func (f *File) Names() []string { return slices.Clone(f.names) }

// Info returns the description of a tensor and whether the file has one of that name.
func (f *File) Info(name string) (safetensors.Info, bool) {
	t := f.tensors[name]
	if t == nil {
		return safetensors.Info{}, false
	}
	return safetensors.Info{Name: name, DType: t.dtype, Shape: slices.Clone(t.shape)}, true
}

// ReadFloat32At reads len(dst) elements of a floating-point tensor, from the given one on in row-major order. F16 and BF16
// are widened exactly, F64 is rounded to the nearest float32.
func (f *File) ReadFloat32At(name string, dst []float32, offset int) error {
	info, ok := f.Info(name)
	if !ok {
		return f.errorf(name, "not in the file")
	}
	if offset < 0 || offset > info.Len() || len(dst) > info.Len()-offset {
		return f.errorf(name, "elements %d to %d of %d", offset, offset+len(dst), info.Len())
	}
	decode := info.DType.Float32()
	if decode == nil {
		return f.errorf(name, "%s cannot be read as float32", info.DType)
	}
	if err := f.tensors[name].read(f.r, offset, len(dst), func(i int, b []byte) { dst[i] = decode(b) }); err != nil {
		return f.errorf(name, "%w", err)
	}
	return nil
}

func (f *File) errorf(name, format string, args ...any) error {
	return fmt.Errorf("torchfile: %s: tensor %.200q: "+format, append([]any{f.path, name}, args...)...)
}
