// Package safetensors reads and writes the safetensors file format, in which Hugging Face publishes model weights.
//
// A file is three things, one after the other:
//
//	8 bytes      n, the length of the header, unsigned and little-endian
//	n bytes      the header: a JSON object in UTF-8, padded with spaces
//	the rest     the values of the tensors, row-major and little-endian
//
// The header has one entry per tensor and may have one, named __metadata__, from strings to strings:
//
//	{"__metadata__": {"format": "pt"},
//	 "fc1.weight": {"dtype": "F32", "shape": [128, 784], "data_offsets": [0, 401408]}}
//
// Offsets count bytes from the end of the header, and the tensors tile the rest of the file: no gap, no overlap, nothing
// after the last. That is what makes the format safe to read, and [Open] holds a file to all of it before it hands out a
// single value: a file from a stranger either keeps its promises or is refused with the name of the tensor that breaks
// them, and never makes the reader allocate more than a small multiple of the file's own size.
//
// [Write] replaces a file in one step: the new one is complete and on disk before it takes the old one's name, so that a
// crash leaves the old file or the new one and nothing in between.
//
// The format is specified at https://github.com/huggingface/safetensors.
package safetensors

import (
	"encoding/binary"
	"math"
)

// A DType names the type of a tensor's elements as the header spells it.
type DType string

// The element types of whole bytes. The 4- and 6-bit floats that the format also knows are refused as unknown.
const (
	F64    DType = "F64"
	F32    DType = "F32"
	F16    DType = "F16"  // IEEE 754 binary16
	BF16   DType = "BF16" // the upper half of a float32
	F8E4M3 DType = "F8_E4M3"
	F8E5M2 DType = "F8_E5M2"
	I64    DType = "I64"
	I32    DType = "I32"
	I16    DType = "I16"
	I8     DType = "I8"
	U64    DType = "U64"
	U32    DType = "U32"
	U16    DType = "U16"
	U8     DType = "U8"
	Bool   DType = "BOOL" // a byte, 0 or 1
)

// Size returns the bytes that one element takes, or 0 for a type that this package does not know.
func (d DType) Size() int {
	switch d {
	case F64, I64, U64:
		return 8
	case F32, I32, U32:
		return 4
	case F16, BF16, I16, U16:
		return 2
	case F8E4M3, F8E5M2, I8, U8, Bool:
		return 1
	}
	return 0
}

// Float32 returns how one little-endian element of a floating-point type is read, or nil for another type. F16 and BF16 are
// widened exactly, F64 is rounded to the nearest float32.
func (d DType) Float32() func(b []byte) float32 {
	switch d {
	case F64:
		return func(b []byte) float32 { return float32(math.Float64frombits(binary.LittleEndian.Uint64(b))) }
	case F32:
		return func(b []byte) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(b)) }
	case F16:
		return func(b []byte) float32 { return float16(binary.LittleEndian.Uint16(b)) }
	case BF16:
		return func(b []byte) float32 { return math.Float32frombits(uint32(binary.LittleEndian.Uint16(b)) << 16) }
	}
	return nil
}

const (
	metadataKey = "__metadata__"
	// maxHeader is the limit of the reference implementation.
	maxHeader = 100_000_000
	// maxRank is NumPy's limit. It keeps a header from spending two bytes of file on eight bytes of memory for long.
	maxRank = 64
)
