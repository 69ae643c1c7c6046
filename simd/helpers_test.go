package simd

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// forEachImplementation runs f as a subtest once with each set of kernels that
// the machine has.
func forEachImplementation(t *testing.T, f func(t *testing.T)) {
	defer func(before *implementation) { active = before }(active)
	for _, impl := range implementations {
		active = impl
		t.Run(impl.name, f)
	}
}

// randomSlice returns n numbers from a normal distribution.
func randomSlice[T float](n int) []T {
	rng := rand.New(rand.NewPCG(1, uint64(n)))
	x := make([]T, n)
	for i := range x {
		x[i] = T(rng.NormFloat64())
	}
	return x
}

// varied returns n numbers of all magnitudes and both signs, among them special
// values.
func varied[T float](n int, seed uint64) []T {
	rng := rand.New(rand.NewPCG(seed, uint64(n)))
	special := specialValues[T]()
	x := make([]T, n)
	for i := range x {
		switch rng.IntN(6) {
		case 0:
			x[i] = special[rng.IntN(len(special))]
		case 1:
			x[i] = T(rng.IntN(5) - 2)
		case 2:
			x[i] = T(math.Ldexp(rng.NormFloat64(), rng.IntN(280)-150))
		default:
			x[i] = T(3 * rng.NormFloat64())
		}
	}
	return x
}

func specialValues[T float]() []T {
	tiny, least, largest := T(1), T(1), T(0)
	switch any(tiny).(type) {
	case float32:
		tiny, least, largest = T(math.Float32frombits(1)), T(math.Float32frombits(0x00800000)), T(math.MaxFloat32)
	case float64:
		tiny, least, largest = T(math.Float64frombits(1)), T(math.Float64frombits(1<<52)), T(math.Inf(1))
	}
	values := []T{0, tiny, least, least - tiny, 0.5, 1, 2, largest, T(math.Inf(1)), T(math.NaN()),
		0.625, 0.92, 4, 10, 88.72283, 88.72284, 103.9, 104, 87.3, 0x1p23, 0x1p24 + 1, 1e-20}
	for _, v := range values {
		values = append(values, -v)
	}
	return values
}

// guarded holds slices that end where the process may read no further, so that
// a kernel which touches an element beyond them crashes; elements before them
// are watched.
type guarded[T float] struct {
	memory []T // ends at a page that cannot be read
	n      int
}

const watched = 70

// take returns n elements, of which the previous use is forgotten.
func (g *guarded[T]) take(n int) []T {
	g.n = n
	start := len(g.memory) - n
	for i := max(0, start-watched); i < start; i++ {
		g.memory[i] = 12345
	}
	return g.memory[start:]
}

// check fails if an element before those taken was written.
func (g *guarded[T]) check(t *testing.T) {
	t.Helper()
	start := len(g.memory) - g.n
	for i := max(0, start-watched); i < start; i++ {
		if g.memory[i] != 12345 {
			t.Fatalf("element %d of a slice was written", i-start)
		}
	}
}

// ulps returns how many floating-point numbers lie between two, counting both
// zeros as one and any NaN as any other.
func ulps[T float](x, y T) float64 {
	if x != x || y != y {
		if x != x && y != y {
			return 0
		}
		return math.Inf(1)
	}
	index := func(v T) int64 {
		var i int64
		switch v := any(v).(type) {
		case float32:
			i = int64(int32(math.Float32bits(v)))
			if i < 0 {
				i = math.MinInt32 - i
			}
		case float64:
			i = int64(math.Float64bits(v))
			if i < 0 {
				i = math.MinInt64 - i
			}
		}
		return i
	}
	return math.Abs(float64(index(x)) - float64(index(y)))
}

// same reports whether two numbers have the same bits or are both NaN.
func same[T float](x, y T) bool {
	return x == y && math.Signbit(float64(x)) == math.Signbit(float64(y)) || x != x && y != y
}

// mustPanic fails unless f panics with a message that contains each of the
// words.
func mustPanic(t *testing.T, f func(), words ...string) {
	t.Helper()
	defer func() {
		t.Helper()
		r := recover()
		if r == nil {
			t.Errorf("no panic; want one with %q", words)
			return
		}
		for _, w := range words {
			if !contains(r, w) {
				t.Errorf("panic %v does not mention %q", r, w)
			}
		}
	}()
	f()
}

func contains(value any, word string) bool { return strings.Contains(fmt.Sprint(value), word) }

// ulpsAbove is ulps for numbers of which a unit is at least that of floor.
func ulpsAbove[T float](floor float64, x, y T) float64 {
	if math.Abs(float64(x)) < floor && math.Abs(float64(y)) < floor {
		return ulps(T(2*floor)+x, T(2*floor)+y) // between floor and three times floor
	}
	return ulps(x, y)
}
