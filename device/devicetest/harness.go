package devicetest

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"testing"

	"github.com/muppet-go/muppet/device"
)

// A suite is one test on one device, with the arrays that it made.
type suite struct {
	*testing.T
	d      device.Device
	rng    *rand.Rand
	arrays []*array
}

func newSuite(t *testing.T, d device.Device) *suite {
	s := &suite{T: t, d: d, rng: rand.New(rand.NewPCG(1, 2))}
	t.Cleanup(func() {
		for _, a := range s.arrays {
			d.Free(a.Buffer)
		}
	})
	return s
}

// check runs a case as a subtest with arrays of its own.
func (s *suite) check(name string, f func(s *suite)) {
	s.Helper()
	s.Run(name, func(t *testing.T) { f(newSuite(t, s.d)) })
}

// An array is an operand: a slice inside a buffer, between guards.
type array struct {
	device.Slice
	before any // the whole buffer on the host before the call
	after  any // the same after it, for an output
}

// Elements before and after an operand.
var (
	leads  = []int{3, 0, 1, 16, 5}
	trails = []int{4, 9, 1}
)

const guardValue = -1234

// array puts values, which may be of any type, on the device.
func (s *suite) array(t device.DType, values []float64) *array {
	lead, trail := leads[len(s.arrays)%len(leads)], trails[len(s.arrays)%len(trails)]
	whole := slices.Concat(slices.Repeat([]float64{guardValue}, lead), values, slices.Repeat([]float64{guardValue}, trail))
	a := &array{
		Slice:  device.Slice{Buffer: s.d.Alloc(t, len(whole)), Offset: lead, Len: len(values)},
		before: toHost(t, whole),
	}
	s.restore(a)
	s.arrays = append(s.arrays, a)
	return a
}

// out makes room for a result of n elements. It holds NaN (integers: guards).
func (s *suite) out(t device.DType, n int) *array {
	fill := math.NaN()
	if t == device.Int32 {
		fill = guardValue
	}
	return s.array(t, slices.Repeat([]float64{fill}, n))
}

// normal returns n normally distributed numbers of type t.
func (s *suite) normal(t device.DType, n int) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = round(t, s.rng.NormFloat64())
	}
	return x
}

// whole is all of an array's buffer.
func (a *array) whole() device.Slice { return device.Slice{Buffer: a.Buffer, Len: a.Buffer.Len()} }

func (s *suite) restore(a *array) { s.d.Write(a.whole(), a.before) }

// read returns a copy of the whole buffer.
func (s *suite) read(a *array) any {
	host := toHost(a.DType(), make([]float64, a.Buffer.Len()))
	s.d.Read(host, a.whole())
	return host
}

// run makes the call, which writes to outs, at several GOMAXPROCS. It checks that
// the bits of the outputs are the same, and that nothing else changed.
func (s *suite) run(call func(), outs ...*array) {
	s.Helper()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for i, procs := range []int{1, 2, 4} {
		runtime.GOMAXPROCS(procs)
		for _, a := range outs {
			s.restore(a)
		}
		call()
		for k, a := range outs {
			after := s.read(a)
			if i == 0 {
				a.after = after
			} else if at := differ(a.after, after); at >= 0 {
				s.Errorf("output %d: element %d is %v with GOMAXPROCS=1 and %v with %d", k, at-a.Offset, at64(a.after, at), at64(after, at), procs)
			}
		}
	}
	for k, a := range outs {
		for _, part := range [][2]int{{0, a.Offset}, {a.Offset + a.Len, a.Buffer.Len()}} {
			if at := differ(cut(a.before, part[0], part[1]), cut(a.after, part[0], part[1])); at >= 0 {
				s.Errorf("output %d: element %d, outside of the %d, was overwritten", k, part[0]+at-a.Offset, a.Len)
			}
		}
	}
	for k, a := range s.arrays {
		if slices.Contains(outs, a) {
			continue
		}
		if at := differ(a.before, s.read(a)); at >= 0 {
			s.Errorf("array %d: element %d of %d was changed, though it is no output", k, at-a.Offset, a.Len)
		}
	}
}

// values returns the result in an output, or the contents of an input.
func (a *array) values() []float64 {
	host := a.after
	if host == nil {
		host = a.before
	}
	return fromHost(cut(host, a.Offset, a.Offset+a.Len))
}

// exact checks a result to the bit, but for the bits of NaN.
func (s *suite) exact(what string, out *array, want []float64) {
	s.Helper()
	t := out.DType()
	s.compare(what, out, want, func(i int, got float64) bool {
		w := round(t, want[i])
		return got == w && math.Signbit(got) == math.Signbit(w)
	})
}

// within checks that a result is off by tolerance(i) at most, after rounding.
func (s *suite) within(what string, out *array, want []float64, tolerance func(i int) float64) {
	s.Helper()
	t := out.DType()
	s.compare(what, out, want, func(i int, got float64) bool {
		w := round(t, want[i])
		return got == w || math.Abs(got-w) <= tolerance(i)
	})
}

func (s *suite) compare(what string, out *array, want []float64, equal func(i int, got float64) bool) {
	s.Helper()
	got := out.values()
	if len(got) != len(want) {
		s.Fatalf("%s: %d elements, want %d", what, len(got), len(want))
	}
	wrong, first := 0, 0
	for i := range want {
		if math.IsNaN(got[i]) && math.IsNaN(want[i]) || equal(i, got[i]) {
			continue
		}
		if wrong == 0 {
			first = i
		}
		wrong++
	}
	if wrong > 0 {
		s.Errorf("%s: %d of %d elements of %v are wrong, first number %d: %v, want %v", what, wrong, len(want), out.DType(), first,
			got[first], round(out.DType(), want[first]))
	}
}

// raises checks that f, or what waits for it, panics with an *Error.
func (s *suite) raises(what string, f func()) {
	s.Helper()
	defer func() {
		s.Helper()
		var e *device.Error
		r := recover()
		if err, ok := r.(error); !ok || !errors.As(err, &e) {
			s.Errorf("%s: panicked with %v, want a *device.Error", what, r)
		}
	}()
	f()
	s.d.Sync()
}

// epsilon is the distance from 1 to the next number.
func epsilon(t device.DType) float64 {
	if t == device.Float32 {
		return 0x1p-23
	}
	return 0x1p-52
}

func smallestNormal(t device.DType) float64 {
	if t == device.Float32 {
		return 0x1p-126
	}
	return 0x1p-1022
}

// ulp is the distance between the numbers around x.
func ulp(t device.DType, x float64) float64 {
	_, e := math.Frexp(x) // |x| in [0.5, 1) · 2ᵉ
	return math.Ldexp(epsilon(t), e-1)
}

// sumTolerance bounds the error of a sum of n terms with this sum of magnitudes.
func sumTolerance(t device.DType, n int, magnitude float64) float64 {
	return (8 + 2*math.Sqrt(float64(n))) * epsilon(t) * magnitude
}

// round converts x to type t, to nearest even or, for integers, towards zero.
func round(t device.DType, x float64) float64 {
	switch t {
	case device.Float32:
		return float64(float32(x))
	case device.Int32:
		return math.Trunc(x) + 0 // no negative zero
	case device.BFloat16:
		return roundBFloat16(x)
	}
	return x
}

// roundBFloat16 rounds x to 8 significant bits.
func roundBFloat16(x float64) float64 {
	if x == 0 || math.IsInf(x, 0) || math.IsNaN(x) {
		return x
	}
	_, e := math.Frexp(x)
	quantum := math.Ldexp(1, max(e-8, -133))
	x = math.RoundToEven(x/quantum) * quantum
	if math.Abs(x) >= 0x1p128 {
		return math.Inf(int(math.Copysign(1, x)))
	}
	return x
}

// toHost converts numbers that t can hold to the host slice of t.
func toHost(t device.DType, x []float64) any {
	switch t {
	case device.Float32:
		return convert[float32](x)
	case device.Float64:
		return slices.Clone(x)
	case device.Int32:
		return convert[int32](x)
	case device.BFloat16:
		bits := make([]uint16, len(x))
		for i, v := range x {
			bits[i] = uint16(math.Float32bits(float32(v)) >> 16)
		}
		return bits
	}
	panic(fmt.Sprintf("devicetest: no host slice of %v", t))
}

func fromHost(host any) []float64 {
	switch x := host.(type) {
	case []float32:
		return convert[float64](x)
	case []int32:
		return convert[float64](x)
	case []uint16:
		values := make([]float64, len(x))
		for i, bits := range x {
			values[i] = float64(math.Float32frombits(uint32(bits) << 16))
		}
		return values
	}
	return slices.Clone(host.([]float64))
}

type number interface{ float32 | float64 | int32 }

func convert[To, From number](x []From) []To {
	y := make([]To, len(x))
	for i, v := range x {
		y[i] = To(v)
	}
	return y
}

// cut returns elements [from, to) of a host slice.
func cut(host any, from, to int) any {
	return reflect.ValueOf(host).Slice(from, to).Interface()
}

func at64(host any, i int) float64 { return fromHost(cut(host, i, i+1))[0] }

// differ returns the first place where the bits of two host slices differ, or -1.
func differ(a, b any) int {
	switch x := a.(type) {
	case []float32:
		return firstDifference(x, b.([]float32), func(x, y float32) bool { return math.Float32bits(x) == math.Float32bits(y) })
	case []float64:
		return firstDifference(x, b.([]float64), func(x, y float64) bool { return math.Float64bits(x) == math.Float64bits(y) })
	case []int32:
		return firstDifference(x, b.([]int32), func(x, y int32) bool { return x == y })
	default:
		return firstDifference(a.([]uint16), b.([]uint16), func(x, y uint16) bool { return x == y })
	}
}

func firstDifference[T any](a, b []T, same func(x, y T) bool) int {
	for i := range a {
		if !same(a[i], b[i]) {
			return i
		}
	}
	return -1
}
