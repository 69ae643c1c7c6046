package safetensors

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"
	"sync"

	"github.com/muppet-go/muppet/internal/file"
)

// A File is an open safetensors file. Its header is in memory, its values stay on disk until they are read. It may be
// used by several goroutines at once.
type File struct {
	path     string
	data     io.ReaderAt // the bytes after the header
	close    func() error
	infos    []Info
	index    map[string]int
	metadata map[string]string
}

// Open opens a file and checks its whole header. The error names the file and what is wrong with which tensor.
func Open(path string) (*File, error) {
	f, size, err := file.OpenSized(path)
	if err != nil {
		return nil, fmt.Errorf("safetensors: %w", err)
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
	var length [8]byte
	if size < int64(len(length)) {
		return nil, fmt.Errorf("safetensors: %s: %d bytes are too short for the header's length", path, size)
	}
	if _, err := io.ReadFull(io.NewSectionReader(r, 0, 8), length[:]); err != nil {
		return nil, fmt.Errorf("safetensors: %s: header's length: %w", path, err)
	}
	n := binary.LittleEndian.Uint64(length[:])
	if n > maxHeader {
		return nil, fmt.Errorf("safetensors: %s: header of %d bytes, the limit is %d", path, n, maxHeader)
	}
	rest := size - int64(len(length))
	if int64(n) > rest {
		return nil, fmt.Errorf("safetensors: %s: header of %d bytes in a file that has %d left", path, n, rest)
	}
	header := make([]byte, n)
	if _, err := io.ReadFull(io.NewSectionReader(r, 8, int64(n)), header); err != nil {
		return nil, fmt.Errorf("safetensors: %s: header: %w", path, err)
	}
	dataSize := rest - int64(n)
	infos, metadata, err := parseHeader(header, dataSize)
	if err != nil {
		return nil, fmt.Errorf("safetensors: %s: %w", path, err)
	}
	index := make(map[string]int, len(infos))
	for i, info := range infos {
		index[info.Name] = i
	}
	return &File{path: path, data: io.NewSectionReader(r, 8+int64(n), dataSize), infos: infos, index: index, metadata: metadata}, nil
}

// Close closes the file.
func (f *File) Close() error { return f.close() }

// String returns the path and the number of tensors.
func (f *File) String() string { return fmt.Sprintf("%s: %d tensors", f.path, len(f.infos)) }

// Names returns the names of the tensors in the order of their data.
func (f *File) Names() []string {
	names := make([]string, len(f.infos))
	for i, info := range f.infos {
		names[i] = info.Name
	}
	return names
}

// Metadata returns the strings under __metadata__, nil when the file has none. The map is the caller's to read only.
func (f *File) Metadata() map[string]string { return f.metadata }

// Info returns the description of a tensor and whether the file has one of that name.
func (f *File) Info(name string) (Info, bool) {
	i, ok := f.index[name]
	if !ok {
		return Info{}, false
	}
	info := f.infos[i]
	info.Shape = slices.Clone(info.Shape)
	return info, true
}

// ReadFloat32 reads a floating-point tensor and its shape. F16 and BF16 are widened exactly, F64 is rounded to the
// nearest float32.
func (f *File) ReadFloat32(name string) ([]float32, []int, error) {
	info, err := f.lookup(name)
	if err != nil {
		return nil, nil, err
	}
	if info.DType.Float32() == nil {
		return nil, nil, f.errorf(name, "%s cannot be read as float32", info.DType)
	}
	values := make([]float32, info.Len())
	if err := f.ReadFloat32At(name, values, 0); err != nil {
		return nil, nil, err
	}
	return values, info.Shape, nil
}

// ReadFloat32At reads len(dst) elements of a floating-point tensor, from the given one on in row-major order, for
// those who want no second copy of a large tensor in memory. It converts as ReadFloat32.
func (f *File) ReadFloat32At(name string, dst []float32, offset int) error {
	info, err := f.lookup(name)
	if err != nil {
		return err
	}
	if offset < 0 || offset > info.Len() || len(dst) > info.Len()-offset {
		return f.errorf(name, "elements %d to %d of %d", offset, offset+len(dst), info.Len())
	}
	decode := info.DType.Float32()
	if decode == nil {
		return f.errorf(name, "%s cannot be read as float32", info.DType)
	}
	size := int64(info.DType.Size())
	info.begin += int64(offset) * size
	info.end = info.begin + int64(len(dst))*size
	i := 0
	return f.elements(info, func(b []byte) error {
		dst[i] = decode(b)
		i++
		return nil
	})
}

// ReadFloat64 reads a floating-point tensor and its shape. Every type is widened exactly.
func (f *File) ReadFloat64(name string) ([]float64, []int, error) {
	info, err := f.lookup(name)
	if err != nil {
		return nil, nil, err
	}
	if info.DType != F64 {
		narrow, shape, err := f.ReadFloat32(name)
		if err != nil {
			return nil, nil, err
		}
		values := make([]float64, len(narrow))
		for i, v := range narrow {
			values[i] = float64(v)
		}
		return values, shape, nil
	}
	values := make([]float64, info.Len())
	i := 0
	err = f.elements(info, func(b []byte) error {
		values[i] = math.Float64frombits(binary.LittleEndian.Uint64(b))
		i++
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	return values, info.Shape, nil
}

// ReadInt32 reads a tensor of integers or booleans and its shape. A value that an int32 cannot hold is an error.
func (f *File) ReadInt32(name string) ([]int32, []int, error) {
	info, err := f.lookup(name)
	if err != nil {
		return nil, nil, err
	}
	var decode func(b []byte) int64
	switch info.DType {
	case I64:
		decode = func(b []byte) int64 { return int64(binary.LittleEndian.Uint64(b)) }
	case I32:
		decode = func(b []byte) int64 { return int64(int32(binary.LittleEndian.Uint32(b))) }
	case I16:
		decode = func(b []byte) int64 { return int64(int16(binary.LittleEndian.Uint16(b))) }
	case I8:
		decode = func(b []byte) int64 { return int64(int8(b[0])) }
	case U32:
		decode = func(b []byte) int64 { return int64(binary.LittleEndian.Uint32(b)) }
	case U16:
		decode = func(b []byte) int64 { return int64(binary.LittleEndian.Uint16(b)) }
	case U8, Bool:
		decode = func(b []byte) int64 { return int64(b[0]) }
	default:
		return nil, nil, f.errorf(name, "%s cannot be read as int32", info.DType)
	}
	values := make([]int32, info.Len())
	i := 0
	err = f.elements(info, func(b []byte) error {
		v := decode(b)
		if v != int64(int32(v)) {
			return f.errorf(name, "element %d: %d does not fit an int32", i, v)
		}
		values[i] = int32(v)
		i++
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	return values, info.Shape, nil
}

// Reader returns a reader of a tensor's bytes as they are in the file: row-major, little-endian elements of its DType.
func (f *File) Reader(name string) (io.Reader, error) {
	info, err := f.lookup(name)
	if err != nil {
		return nil, err
	}
	return f.reader(info), nil
}

func (f *File) reader(info Info) io.Reader {
	return io.NewSectionReader(f.data, info.begin, info.end-info.begin)
}

// chunks are kept from call to call: a large tensor is read by many.
var chunks = sync.Pool{New: func() any { return new([chunkSize]byte) }}

// elements calls visit with the bytes of each element in turn, a bounded piece of the file in memory at a time.
func (f *File) elements(info Info, visit func(b []byte) error) error {
	size := info.DType.Size()
	r := f.reader(info)
	chunk := chunks.Get().(*[chunkSize]byte)
	defer chunks.Put(chunk)
	buffer := chunk[:]
	for left := info.end - info.begin; left > 0; left -= int64(len(buffer)) {
		buffer = buffer[:min(left, int64(len(buffer)))]
		if _, err := io.ReadFull(r, buffer); err != nil {
			return f.errorf(info.Name, "%w", err)
		}
		for b := buffer; len(b) > 0; b = b[size:] {
			if err := visit(b[:size]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *File) lookup(name string) (Info, error) {
	info, ok := f.Info(name)
	if !ok {
		return info, f.errorf(name, "not in the file")
	}
	return info, nil
}

func (f *File) errorf(name, format string, args ...any) error {
	return fmt.Errorf("safetensors: %s: tensor %.200q: "+format, append([]any{f.path, name}, args...)...)
}

// float16 widens an IEEE 754 binary16: one bit of sign, five of exponent (bias 15), ten of fraction.
func float16(h uint16) float32 {
	sign := uint32(h&0x8000) << 16
	exponent := uint32(h>>10) & 0x1f
	fraction := uint32(h & 0x3ff)
	switch exponent {
	case 0: // zero and subnormals count in units of 2^-24, which float32 holds as normal numbers
		return math.Float32frombits(math.Float32bits(float32(fraction)*0x1p-24) | sign)
	case 0x1f: // infinities and NaNs keep their payload
		return math.Float32frombits(sign | 0xff<<23 | fraction<<13)
	}
	return math.Float32frombits(sign | (exponent+127-15)<<23 | fraction<<13)
}
