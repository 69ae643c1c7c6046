package simd

import (
	"math"
	"slices"
	"testing"
)

// TestPasses compares the passes over a row with their twins in plain Go: elementwise
// results by their bits, NaN and infinities included, sums within what their order
// changes. Slices end where nothing may be read or written.
func TestPasses(t *testing.T) {
	forEachImplementation(t, func(t *testing.T) {
		t.Run("S", func(t *testing.T) { testPasses(t, &active.s, &generic().s, 0x1p-23) })
		t.Run("D", func(t *testing.T) { testPasses(t, &active.d, &generic().d, 0x1p-52) })
	})
}

func testPasses[T float](t *testing.T, k, twin *vectorKernels[T], eps float64) {
	const m, s, c, d = 0.25, 1.5, -0.75, 0.125
	outs := [2]*guarded[T]{newGuarded[T](t, 300), newGuarded[T](t, 300)}
	ins := [4]*guarded[T]{}
	for i := range ins {
		ins[i] = newGuarded[T](t, 300)
	}
	wantOut := [2][]T{make([]T, 300), make([]T, 300)}
	for _, n := range vectorLengths() {
		if n > 300 {
			continue
		}
		for _, special := range []bool{false, true} {
			var in [4][]T
			for i := range in {
				in[i] = ins[i].take(n)
				if special {
					copy(in[i], varied[T](n, uint64(10+i)))
				} else {
					copy(in[i], randomSlice[T](n + i)[i:])
				}
			}
			run := func(name string, pass func(k *vectorKernels[T], out [2][]T) (T, T), elementwise, sums bool) {
				t.Helper()
				got, want := [2][]T{}, [2][]T{}
				for i := range got {
					got[i], want[i] = outs[i].take(n), wantOut[i][:n]
					for j := range n {
						got[i][j] = T(j%5) - 2
					}
					copy(want[i], got[i])
				}
				a, b := pass(k, got)
				wantA, wantB := pass(twin, want)
				for i := range got {
					outs[i].check(t)
					for j := range got[i] {
						if elementwise && !same(got[i][j], want[i][j]) {
							t.Fatalf("%s of %d: element %d of result %d is %v, want %v", name, n, j, i, got[i][j], want[i][j])
						}
					}
				}
				for _, pair := range [][2]T{{a, wantA}, {b, wantB}} {
					got, want := float64(pair[0]), float64(pair[1])
					if math.IsNaN(got) != math.IsNaN(want) && !special { // the order decides what overflows
						t.Fatalf("%s of %d: a sum is %v, want %v", name, n, got, want)
					}
					if sums && !special && !(math.Abs(got-want) <= 100*eps*float64(n+1)) {
						t.Fatalf("%s of %d: a sum is %v, want %v", name, n, got, want)
					}
				}
			}
			run("sumSquaresFrom", func(k *vectorKernels[T], _ [2][]T) (T, T) { return k.sumSquaresFrom(in[0], m), 0 }, true, true)
			run("normalise", func(k *vectorKernels[T], out [2][]T) (T, T) {
				k.normalise(out[0], in[0], in[1], in[2], m, s)
				return 0, 0
			}, true, true)
			run("normaliseGradSums", func(k *vectorKernels[T], out [2][]T) (T, T) {
				return k.normaliseGradSums(out[0], out[1], in[0], in[1], in[2], m, s)
			}, true, true)
			run("normaliseGrad", func(k *vectorKernels[T], out [2][]T) (T, T) {
				k.normaliseGrad(out[0], in[0], in[1], in[2], m, s, c, d)
				return 0, 0
			}, true, true)
			// The exponential is that of the vector function, and has its error.
			run("expSum", func(k *vectorKernels[T], out [2][]T) (T, T) { return k.expSum(out[0], in[0], m), 0 }, false, true)
			got, want := outs[0].take(n), slices.Clone(in[0])
			k.expSum(got, in[0], m)
			k.addScalar(want, want, -m)
			k.exp(want, want)
			for j := range got {
				if !same(got[j], want[j]) {
					t.Fatalf("expSum of %d: element %d is %v, want %v", n, j, got[j], want[j])
				}
			}
		}
	}
}
