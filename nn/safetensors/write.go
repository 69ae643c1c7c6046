package safetensors

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/muppet-go/muppet/internal/file"
)

// chunkSize is a multiple of every element's size.
const chunkSize = 1 << 18

// A Tensor is a tensor to be written.
type Tensor struct {
	Name  string
	DType DType
	Shape []int // a scalar has none
	// Data writes the elements, row-major and little-endian. Write calls it once, when the tensor's turn comes, so that
	// values held elsewhere, on a device say, need to be in memory one tensor at a time only.
	Data func(w io.Writer) error
}

// Float32 is a tensor of F32. It panics when the shape does not hold exactly the values.
func Float32(name string, values []float32, shape ...int) Tensor {
	return newTensor(name, F32, len(values), shape, func(b []byte, i int) {
		binary.LittleEndian.PutUint32(b, math.Float32bits(values[i]))
	})
}

// Float64 is a tensor of F64. It panics when the shape does not hold exactly the values.
func Float64(name string, values []float64, shape ...int) Tensor {
	return newTensor(name, F64, len(values), shape, func(b []byte, i int) {
		binary.LittleEndian.PutUint64(b, math.Float64bits(values[i]))
	})
}

// Int32 is a tensor of I32. It panics when the shape does not hold exactly the values.
func Int32(name string, values []int32, shape ...int) Tensor {
	return newTensor(name, I32, len(values), shape, func(b []byte, i int) {
		binary.LittleEndian.PutUint32(b, uint32(values[i]))
	})
}

// Int64 is a tensor of I64. It panics when the shape does not hold exactly the values.
func Int64(name string, values []int64, shape ...int) Tensor {
	return newTensor(name, I64, len(values), shape, func(b []byte, i int) {
		binary.LittleEndian.PutUint64(b, uint64(values[i]))
	})
}

func newTensor(name string, dtype DType, n int, shape []int, put func(b []byte, i int)) Tensor {
	size := dtype.Size()
	if want, err := sizeOf(name, dtype, shape); err != nil {
		panic(err.Error())
	} else if want != int64(n*size) {
		panic(fmt.Sprintf("safetensors: tensor %q: %d values for shape %v", name, n, shape))
	}
	return Tensor{name, dtype, slices.Clone(shape), func(w io.Writer) error {
		buffer := make([]byte, min(chunkSize, n*size))
		for i := 0; i < n; {
			b := buffer
			for ; i < n && len(b) > 0; i++ {
				put(b, i)
				b = b[size:]
			}
			if _, err := w.Write(buffer[:len(buffer)-len(b)]); err != nil {
				return err
			}
		}
		return nil
	}}
}

func sizeOf(name string, dtype DType, shape []int) (int64, error) {
	n, err := size(dtype, shape)
	if err != nil {
		return 0, fmt.Errorf("safetensors: tensor %q: %w", name, err)
	}
	return n, nil
}

// Write writes a file of the tensors, with metadata unless it is empty (Hugging Face's loader for PyTorch asks for
// {"format": "pt"}). The widest elements come first and then the names decide, as in the reference implementation: so
// every value is aligned, and equal tensors make equal files whatever their order.
//
// An existing file stays untouched until the new one is complete and on disk; on an error nothing is left behind. Write
// panics when two tensors share a name or when a name, type or shape is not one that a file can hold.
func Write(path string, tensors []Tensor, metadata map[string]string) error {
	sorted := slices.Clone(tensors)
	slices.SortStableFunc(sorted, func(a, b Tensor) int {
		if wide := b.DType.Size() - a.DType.Size(); wide != 0 {
			return wide
		}
		return strings.Compare(a.Name, b.Name)
	})
	header, sizes := newHeader(sorted, metadata)
	if len(header) > maxHeader {
		return fmt.Errorf("safetensors: %s: header of %d bytes, the limit is %d", path, len(header), maxHeader)
	}
	err := file.Replace(path, func(w io.Writer) error {
		if err := binary.Write(w, binary.LittleEndian, uint64(len(header))); err != nil {
			return err
		}
		if _, err := w.Write(header); err != nil {
			return err
		}
		for i, t := range sorted {
			counter := &countingWriter{w: w}
			if err := t.Data(counter); err != nil {
				return fmt.Errorf("tensor %q: %w", t.Name, err)
			}
			if counter.n != sizes[i] {
				return fmt.Errorf("tensor %q: Data wrote %d bytes, %s%v takes %d", t.Name, counter.n, t.DType, t.Shape, sizes[i])
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("safetensors: %s: %w", path, err)
	}
	return nil
}

// newHeader returns the JSON, padded so that the data after it starts at a multiple of 8 bytes, and each tensor's size.
func newHeader(tensors []Tensor, metadata map[string]string) ([]byte, []int64) {
	var header bytes.Buffer
	member := func(key string, value any) {
		if !utf8.ValidString(key) {
			panic(fmt.Sprintf("safetensors: Write: name %q is not UTF-8", key))
		}
		separator := ","
		if header.Len() == 0 {
			separator = "{"
		}
		k, _ := json.Marshal(key)
		v, _ := json.Marshal(value) // strings and integers only: cannot fail
		fmt.Fprintf(&header, "%s%s:%s", separator, k, v)
	}
	if len(metadata) > 0 {
		member(metadataKey, metadata)
	}
	sizes := make([]int64, len(tensors))
	seen := map[string]bool{metadataKey: true}
	var begin int64
	for i, t := range tensors {
		if seen[t.Name] {
			panic(fmt.Sprintf("safetensors: Write: tensor %q: the name is taken", t.Name))
		}
		seen[t.Name] = true
		n, err := sizeOf(t.Name, t.DType, t.Shape)
		if err != nil {
			panic(err.Error())
		}
		sizes[i] = n
		member(t.Name, struct {
			DType   DType    `json:"dtype"`
			Shape   []int    `json:"shape"`
			Offsets [2]int64 `json:"data_offsets"`
		}{t.DType, append([]int{}, t.Shape...), [2]int64{begin, begin + n}})
		begin += n
	}
	if header.Len() == 0 {
		header.WriteByte('{')
	}
	header.WriteByte('}')
	for header.Len()%8 != 0 {
		header.WriteByte(' ')
	}
	return header.Bytes(), sizes
}

type countingWriter struct {
	w io.Writer
	n int64
}

func (c *countingWriter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}
