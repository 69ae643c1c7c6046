package gonumblas

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/blas/gonum"
)

// lengths of vectors: also around where the kernels begin to be used, around
// what asum and the kernels do at a time, and beyond.
var lengths = append([]int{9, 127, 128, 129, 1000, 2047, 2048, 2049, 4097, 16383, 16384, 16385, 40000}, sizes...)

func TestLevel1(t *testing.T) { forEach(t, testLevel1[float32], testLevel1[float64]) }

func testLevel1[T float](t *testing.T, r routines[T]) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, n := range lengths {
		if n > 4097 && testing.Short() {
			continue
		}
		for _, incX := range increments {
			for _, special := range []bool{false, true} {
				if special && !r.always {
					continue // not all of gonum's kernels agree on them
				}
				x := newVector[T](rng, n, incX)
				if special {
					x.sprinkle(rng)
				}
				x.keep()
				var absolutes, squares sum
				if incX > 0 {
					x.each(func(_, _ int, v *T) {
						absolutes.add(math.Abs(float64(*v)))
						squares.add(float64(*v) * float64(*v))
					})
				}
				if got := float64(r.asum(n, x.x, incX)); !near(got, absolutes.value, absolutes.tolerance(r.eps, n)) {
					t.Fatalf("asum of %d, %d apart, is %v, want %v", n, incX, got, absolutes.value)
				}
				norm := sum{math.Sqrt(squares.value), math.Sqrt(squares.value)}
				if got := float64(r.nrm2(n, x.x, incX)); !near(got, norm.value, norm.tolerance(r.eps, n)) {
					t.Fatalf("nrm2 of %d, %d apart, is %v, want %v", n, incX, got, norm.value)
				}
				x.check(t, nil)

				for _, alpha := range factors {
					alpha := float64(T(alpha))
					r.scal(n, T(alpha), x.x, incX)
					x.check(t, func(i, _ int) (float64, float64, bool) {
						if alpha == 0 {
							return 0, 0, incX > 0
						}
						want := alpha * x.was(i, 0)
						return want, r.eps * math.Abs(want), incX > 0
					})
				}

				for _, incY := range increments {
					y := newVector[T](rng, n, incY)
					if special {
						y.sprinkle(rng)
					}
					y.keep()
					var products sum
					for i := range n {
						products.add(x.at(i, 0) * y.at(i, 0))
					}
					if got := float64(r.dot(n, x.x, incX, y.x, incY)); !near(got, products.value, products.tolerance(r.eps, n)) {
						t.Fatalf("dot of %d, %d and %d apart, is %v, want %v", n, incX, incY, got, products.value)
					}
					y.check(t, nil)
					alpha := float64(T(pick(rng, factors)))
					r.axpy(n, T(alpha), x.x, incX, y.x, incY)
					y.check(t, func(i, _ int) (float64, float64, bool) {
						want := combine(alpha, sum{x.at(i, 0), math.Abs(x.at(i, 0))}, 1, y.was(i, 0))
						return want.value, want.tolerance(r.eps, 1), true
					})
					x.check(t, nil)
				}
			}
		}
	}
}

// Nrm2 must not lose numbers whose squares are out of range.
func TestNrm2Range(t *testing.T) { forEach(t, testNrm2Range[float32], testNrm2Range[float64]) }

func testNrm2Range[T float](t *testing.T, r routines[T]) {
	least, greatest := -149, 127
	if r.eps < 0x1p-30 {
		least, greatest = -1074, 1023
	}
	theirs := gonum.Implementation{}
	rng := rand.New(rand.NewPCG(2, 1))
	step := 18 / repeats(18)
	for _, n := range []int{1, 7, 100, 5000} {
		x := make([]T, n)
		wide := make([]float64, n)
		for exponent := least; exponent < greatest-6; exponent += step {
			for i := range x {
				x[i] = T(math.Ldexp(1+rng.Float64(), exponent-rng.IntN(30)))
				wide[i] = float64(x[i])
			}
			want := theirs.Dnrm2(n, wide, 1)
			// A result below the normal range is rounded to a multiple of the
			// least number.
			tolerance := r.eps*want*(4+math.Sqrt(float64(n))) + math.Ldexp(1, least)
			if got := float64(r.nrm2(n, x, 1)); !near(got, want, tolerance) {
				t.Fatalf("norm of %d numbers near 2**%d is %v, want %v ± %.2g", n, exponent, got, want, tolerance)
			}
		}
	}
}
