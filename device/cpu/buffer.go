package cpu

import (
	"fmt"
	"strings"
	"sync/atomic"
	"unsafe"

	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/internal/hugepage"
	"github.com/muppet-go/muppet/internal/parallel"
)

// element lists the types that buffers hold; bfloat16 is kept as its bits.
type element interface {
	float32 | float64 | int32 | uint16
}

type buffer struct {
	t    device.DType
	n    int
	data any // []float32, []float64, []int32 or []uint16; nil after Free
}

func (b *buffer) DType() device.DType { return b.t }
func (b *buffer) Len() int            { return b.n }

// Alloc returns a buffer of n elements. It panics with an *Error if that is more
// than the machine has memory.
func (d *Device) Alloc(t device.DType, n int) device.Buffer {
	sizes("Alloc", n)
	if n > memoryLimit()/t.Size() {
		fail("Alloc", "out of memory for %d elements of %v", n, t)
	}
	b := &buffer{t: t, n: n}
	switch t {
	case device.Float32:
		b.data = allocate[float32](n)
	case device.Float64:
		b.data = allocate[float64](n)
	case device.Int32:
		b.data = allocate[int32](n)
	case device.BFloat16:
		b.data = allocate[uint16](n)
	}
	return b
}

// Free forgets the memory of a buffer; using it afterwards panics.
func (d *Device) Free(b device.Buffer) {
	if _, problem := lookup(device.Slice{Buffer: b}); problem != "" {
		misuse("Free", "the buffer %s", problem)
	}
	b.(*buffer).data = nil
}

const (
	cacheLine = 64
	page      = 4096

	// Buffers from skewedBytes on begin at different places in a page: loops over
	// several that begin at the same one evict each other from the caches.
	skewedBytes = 32 << 10
)

var skew atomic.Uint32

// allocate returns n elements that begin on a cache line, with arbitrary contents.
func allocate[T element](n int) []T {
	size := int(unsafe.Sizeof(*new(T)))
	extra := cacheLine
	lines := 0 // to skip
	if n*size >= skewedBytes {
		// A multiplier without common factors visits all even lines of a page in an
		// order in which neighbours are far apart.
		lines = int(skew.Add(1)*26) % (page / cacheLine)
		extra += page
	}
	// Unlike make, a Builder does not clear its memory, which would take a third as long
	// as adding two buffers into a new one does, and one processor.
	var room strings.Builder
	room.Grow(n*size + extra)
	room.WriteByte(0)
	memory := unsafe.Slice((*T)(unsafe.Pointer(unsafe.StringData(room.String()))), n+extra/size)
	start := uintptr(unsafe.Pointer(unsafe.SliceData(memory)))
	begin := (start+cacheLine-1)&^(cacheLine-1) + uintptr(lines*cacheLine)
	at := int(begin-start) / size
	data := memory[at : at+n : at+n]
	if n*size >= 2*hugepage.Size {
		hugepage.Advise(unsafe.Pointer(unsafe.SliceData(data)), n*size)
	}
	return data
}

// lookup returns the buffer of a slice, or what is wrong with it.
func lookup(s device.Slice) (b *buffer, problem string) {
	b, ok := s.Buffer.(*buffer)
	switch {
	case !ok || b == nil:
		return nil, fmt.Sprintf("is a %T of another device", s.Buffer)
	case b.data == nil:
		return nil, fmt.Sprintf("of %d elements of %v was freed", b.n, b.t)
	case s.Offset < 0 || s.Len < 0 || s.Offset > b.n || s.Len > b.n-s.Offset:
		return nil, fmt.Sprintf("has %d elements, the slice is [%d, %d)", b.n, s.Offset, s.Offset+s.Len)
	}
	return b, ""
}

// find returns the elements of a slice that should have n of type T, or what is
// wrong with it.
func find[T element](s device.Slice, n int) (data []T, problem string) {
	b, problem := lookup(s)
	if problem != "" {
		return nil, "the buffer " + problem
	}
	data, ok := b.data.([]T)
	switch {
	case !ok:
		return nil, fmt.Sprintf("elements are %v, want %T", b.t, *new(T))
	case s.Len != n:
		return nil, fmt.Sprintf("%d elements, want %d", s.Len, n)
	}
	return data[s.Offset : s.Offset+n : s.Offset+n], ""
}

// view is find for operations that name their operands.
func view[T element](op, operand string, s device.Slice, n int) []T {
	data, problem := find[T](s, n)
	if problem != "" {
		misuse(op, "%s: %s", operand, problem)
	}
	return data
}

// typeOf returns the element type of an operand.
func typeOf(op, operand string, s device.Slice) device.DType {
	b, problem := lookup(s)
	if problem != "" {
		misuse(op, "%s: the buffer %s", operand, problem)
	}
	return b.t
}

// isDouble reports whether an operand is Float64 rather than Float32, and panics
// if it is neither.
func isDouble(op, operand string, s device.Slice) bool {
	t := typeOf(op, operand, s)
	if !t.IsFloat() {
		misuse(op, "%s: elements are %v, want float32 or float64", operand, t)
	}
	return t == device.Float64
}

// apart checks that an output overlaps none of the other operands.
func apart(op string, out device.Slice, others ...device.Slice) {
	for i, s := range others {
		if overlap(out, s) {
			misuse(op, "the output, elements [%d, %d) of a buffer, overlaps operand %d, elements [%d, %d) of the same",
				out.Offset, out.Offset+out.Len, i, s.Offset, s.Offset+s.Len)
		}
	}
}

func overlap(a, b device.Slice) bool {
	return a.Buffer == b.Buffer && max(a.Offset, b.Offset) < min(a.Offset+a.Len, b.Offset+b.Len)
}

// Write copies a host slice to dst.
func (d *Device) Write(dst device.Slice, src any) {
	switch src := src.(type) {
	case []float32:
		copyAll(view[float32]("Write", "dst", dst, len(src)), src)
	case []float64:
		copyAll(view[float64]("Write", "dst", dst, len(src)), src)
	case []int32:
		copyAll(view[int32]("Write", "dst", dst, len(src)), src)
	case []uint16:
		copyAll(view[uint16]("Write", "dst", dst, len(src)), src)
	default:
		misuse("Write", "a %T on the host, want []float32, []float64, []int32 or []uint16", src)
	}
}

// Read copies src to a host slice.
func (d *Device) Read(dst any, src device.Slice) {
	switch dst := dst.(type) {
	case []float32:
		copyAll(dst, view[float32]("Read", "src", src, len(dst)))
	case []float64:
		copyAll(dst, view[float64]("Read", "src", src, len(dst)))
	case []int32:
		copyAll(dst, view[int32]("Read", "src", src, len(dst)))
	case []uint16:
		copyAll(dst, view[uint16]("Read", "src", src, len(dst)))
	default:
		misuse("Read", "a %T on the host, want []float32, []float64, []int32 or []uint16", dst)
	}
}

func copyAll[T element](dst, src []T) {
	if len(dst) <= grain {
		copy(dst, src)
		return
	}
	copyParts(dst, src)
}

// copyParts is apart for its closure, which costs an object.
func copyParts[T element](dst, src []T) {
	parallel.Range(len(dst), grain, func(lo, hi int) { copy(dst[lo:hi], src[lo:hi]) })
}
