package gonumblas

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/blas"
)

func TestGemm(t *testing.T) { forEach(t, testGemm[float32], testGemm[float64]) }

func testGemm[T float](t *testing.T, r routines[T]) {
	rng := rand.New(rand.NewPCG(5, 1))
	for _, tA := range transposes {
		for _, tB := range transposes {
			for _, alpha := range factors {
				for _, beta := range factors {
					for range repeats(3) {
						s := pickSizes(rng, 3, most())
						checkGemm(t, r, rng, tA, tB, s[0], s[1], s[2], alpha, beta)
					}
				}
			}
			checkGemm(t, r, rng, tA, tB, 65, 100, 33, 0.7, 1)
			if !testing.Short() {
				checkGemm(t, r, rng, tA, tB, 257, 65, 100, 0.7, 1)
			}
		}
	}
}

func checkGemm[T float](t *testing.T, r routines[T], rng *rand.Rand, tA, tB blas.Transpose, m, n, k int, alpha, beta float64) {
	t.Helper()
	alpha, beta = float64(T(alpha)), float64(T(beta))
	a, b := newTransposable[T](rng, tA, m, k), newTransposable[T](rng, tB, k, n)
	c := newOperand[T](rng, m, n, max(n, 1)+rng.IntN(4))
	if r.always && rng.IntN(4) == 0 {
		a.sprinkle(rng)
		b.sprinkle(rng)
		c.sprinkle(rng)
	}
	if beta == 0 {
		c.each(func(_, _ int, v *T) { *v = T(math.NaN()) })
	}
	a.keep()
	b.keep()
	c.keep()
	r.gemm(tA, tB, m, n, k, T(alpha), a.x, a.ld, b.x, b.ld, T(beta), c.x, c.ld)
	defer func() {
		if t.Failed() {
			t.Logf("%c %c %d×%d×%d alpha=%v beta=%v", tA, tB, m, n, k, alpha, beta)
		}
	}()
	opA, opB := a.op(tA), b.op(tB)
	c.check(t, func(i, j int) (float64, float64, bool) {
		var s sum
		for p := range k {
			s.add(opA(i, p) * opB(p, j))
		}
		want := combine(alpha, s, beta, c.was(i, j))
		return want.value, want.tolerance(r.eps, k), true
	})
	a.check(t, nil)
	b.check(t, nil)
}

// newTransposable returns a matrix of which op, named by t, is rows×cols.
func newTransposable[T float](rng *rand.Rand, t blas.Transpose, rows, cols int) *operand[T] {
	if t != blas.NoTrans {
		rows, cols = cols, rows
	}
	return newOperand[T](rng, rows, cols, max(cols, 1)+rng.IntN(4))
}

// op returns the elements of op(o).
func (o *operand[T]) op(t blas.Transpose) func(i, j int) float64 {
	if t != blas.NoTrans {
		return func(i, j int) float64 { return o.at(j, i) }
	}
	return o.at
}

func TestSyrk(t *testing.T) { forEach(t, testSyrk[float32], testSyrk[float64]) }

func testSyrk[T float](t *testing.T, r routines[T]) {
	rng := rand.New(rand.NewPCG(6, 1))
	for _, ul := range []blas.Uplo{blas.Upper, blas.Lower} {
		for _, tA := range transposes {
			for _, alpha := range factors {
				for _, beta := range factors {
					for range repeats(6) {
						n, k := pick(rng, sizes), pick(rng, sizes)
						if n*n*k <= 4*most() {
							checkSyrk(t, r, rng, ul, tA, n, k, alpha, beta)
						}
					}
				}
			}
			checkSyrk(t, r, rng, ul, tA, 130, 17, 0.7, 0)
			if !testing.Short() {
				checkSyrk(t, r, rng, ul, tA, 257, 33, 0.7, 1)
			}
		}
	}
}

func checkSyrk[T float](t *testing.T, r routines[T], rng *rand.Rand, ul blas.Uplo, tA blas.Transpose, n, k int, alpha, beta float64) {
	t.Helper()
	alpha, beta = float64(T(alpha)), float64(T(beta))
	a := newTransposable[T](rng, tA, n, k)
	c := newOperand[T](rng, n, n, max(n, 1)+rng.IntN(4))
	if r.always && rng.IntN(4) == 0 {
		a.sprinkle(rng)
		c.sprinkle(rng)
	}
	inTriangle := func(i, j int) bool { return i == j || i > j == (ul == blas.Lower) }
	c.each(func(i, j int, v *T) {
		if beta == 0 || !inTriangle(i, j) {
			*v = T(math.NaN())
		}
	})
	a.keep()
	c.keep()
	r.syrk(ul, tA, n, k, T(alpha), a.x, a.ld, T(beta), c.x, c.ld)
	opA := a.op(tA)
	c.check(t, func(i, j int) (float64, float64, bool) {
		if !inTriangle(i, j) {
			return 0, 0, false
		}
		var s sum
		for p := range k {
			s.add(opA(i, p) * opA(j, p))
		}
		want := combine(alpha, s, beta, c.was(i, j))
		return want.value, want.tolerance(r.eps, k), true
	})
	a.check(t, nil)
}
