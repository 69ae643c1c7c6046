package reference

import (
	"fmt"
	"math"
	"slices"
	"sync/atomic"

	"github.com/muppet-go/muppet/device"
)

// A buffer keeps the bits of each element in a word of its own, between guards.
type buffer struct {
	owner *machine
	t     device.DType
	n     int
	start int      // first element in words
	words []uint64 // guards, elements, guards
	freed atomic.Bool
}

const (
	guard     = 0xfeedfacecafebeef // no element has these bits, but for one odd float64
	maxGuards = 7                  // words before a buffer at most, and as many or more after
)

var skew atomic.Int64

func newBuffer(d *machine, t device.DType, n int) *buffer {
	start := int(2*(skew.Add(1)%((maxGuards+1)/2)) + 1) // 1, 3, 5, 7
	b := &buffer{owner: d, t: t, n: n, start: start, words: make([]uint64, start+n+maxGuards)}
	for i := range b.words {
		b.words[i] = guard
	}
	b.poison()
	return b
}

func (b *buffer) DType() device.DType { return b.t }
func (b *buffer) Len() int            { return b.n }

func (b *buffer) poison() {
	for i := range b.n {
		b.words[b.start+i] = poisoned(b.t)
	}
}

func (b *buffer) checkGuards() {
	for i, w := range b.words {
		if (i < b.start || i >= b.start+b.n) && w != guard {
			panic(fmt.Sprintf("reference: word %d of a buffer of %d elements of %v was overwritten", i-b.start, b.n, b.t))
		}
	}
}

// A view is a Slice that was checked.
type view struct {
	b  *buffer
	at int // first element in words
	n  int
}

func (v view) word(i int) uint64       { return v.b.words[v.at+i] }
func (v view) setWord(i int, w uint64) { v.b.words[v.at+i] = w }

// get returns element i; every type has its values in float64.
func (v view) get(i int) float64 { return decode(v.b.t, v.word(i)) }

// set rounds x to the type of the buffer.
func (v view) set(i int, x float64) { v.setWord(i, encode(v.b.t, x)) }

// view checks that s lies in a live buffer of this device, has n elements and is
// of one of the types, if any are named.
func (d *machine) view(op, what string, s device.Slice, n int, types ...device.DType) view {
	b, ok := s.Buffer.(*buffer)
	switch {
	case !ok || b.owner != d:
		panic(fmt.Sprintf("reference: %s: the buffer of %s is a %T of another device", op, what, s.Buffer))
	case b.freed.Load():
		panic(fmt.Sprintf("reference: %s: %s is in a buffer of %d elements of %v that was freed", op, what, b.n, b.t))
	case s.Offset < 0 || s.Len < 0 || s.Offset > b.n || s.Len > b.n-s.Offset:
		panic(fmt.Sprintf("reference: %s: %s is elements [%d, %d) of a buffer of %d", op, what, s.Offset, s.Offset+s.Len, b.n))
	case s.Len != n:
		panic(fmt.Sprintf("reference: %s: %s has %d elements, want %d", op, what, s.Len, n))
	case len(types) > 0 && !slices.Contains(types, b.t):
		panic(fmt.Sprintf("reference: %s: %s is of type %v, want %v", op, what, b.t, types))
	}
	return view{b, b.start + s.Offset, n}
}

// float is a view of elements that arithmetic is defined on.
func (d *machine) float(op, what string, s device.Slice, n int) view {
	return d.view(op, what, s, n, device.Float32, device.Float64)
}

func overlap(a, b device.Slice) bool {
	return a.Buffer == b.Buffer && max(a.Offset, b.Offset) < min(a.Offset+a.Len, b.Offset+b.Len)
}

// disjoint checks that no output overlaps another or an input.
func disjoint(op string, outputs []device.Slice, inputs ...device.Slice) {
	for i, out := range outputs {
		for _, other := range slices.Concat(outputs[:i], inputs) {
			if overlap(out, other) {
				panic(fmt.Sprintf("reference: %s: output %d, elements [%d, %d), overlaps another operand, elements [%d, %d) of the same buffer",
					op, i, out.Offset, out.Offset+out.Len, other.Offset, other.Offset+other.Len))
			}
		}
	}
}

func bits32(x float32) uint64     { return uint64(math.Float32bits(x)) }
func fromBits32(w uint64) float32 { return math.Float32frombits(uint32(w)) }
func bits64(x float64) uint64     { return math.Float64bits(x) }
func fromBits64(w uint64) float64 { return math.Float64frombits(w) }

func decode(t device.DType, w uint64) float64 {
	switch t {
	case device.Float32:
		return float64(fromBits32(w))
	case device.Float64:
		return fromBits64(w)
	case device.Int32:
		return float64(int32(uint32(w)))
	default: // BFloat16
		return float64(fromBits32(w << 16))
	}
}

func encode(t device.DType, x float64) uint64 {
	switch t {
	case device.Float32:
		return bits32(float32(x))
	case device.Float64:
		return bits64(x)
	case device.Int32:
		if x = math.Trunc(x); !(x >= math.MinInt32 && x <= math.MaxInt32) {
			return poisoned(t)
		}
		return uint64(uint32(int32(x)))
	default: // BFloat16
		return uint64(bfloat16(x))
	}
}

// bfloat16 rounds to the nearest, ties to even. It goes through a float32 whose
// lowest bit tells that something was cut off, so that no tie comes of rounding twice.
func bfloat16(x float64) uint16 {
	if math.IsNaN(x) {
		return 0x7fc0
	}
	f := float32(x)
	bits := math.Float32bits(f)
	if float64(f) != x {
		if math.Abs(float64(f)) > math.Abs(x) {
			bits--
		}
		bits |= 1
	}
	bits += 0x7fff + bits>>16&1
	return uint16(bits >> 16)
}

// poisoned is what memory holds that nothing was written to.
func poisoned(t device.DType) uint64 {
	const number = -0x7eadbeef
	switch t {
	case device.Float32:
		return bits32(float32(math.NaN()))
	case device.Float64:
		return bits64(math.NaN())
	case device.Int32:
		n := int32(number)
		return uint64(uint32(n))
	default: // BFloat16
		return 0x7fc0
	}
}
