package gonumblas

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/blas"
)

func TestGemv(t *testing.T) { forEach(t, testGemv[float32], testGemv[float64]) }

func testGemv[T float](t *testing.T, r routines[T]) {
	rng := rand.New(rand.NewPCG(3, 1))
	for _, tA := range transposes {
		for _, alpha := range factors {
			for _, beta := range factors {
				for range repeats(24) {
					s := pickSizes(rng, 2, most())
					checkGemv(t, r, rng, tA, s[0], s[1], alpha, beta, pick(rng, increments), pick(rng, increments))
				}
			}
		}
		for _, s := range [][2]int{{16, 1024}, {400, 500}, {129, 1030}}[:repeats(3)] {
			checkGemv(t, r, rng, tA, s[0], s[1], 0.7, 0, 1, 1)
			checkGemv(t, r, rng, tA, s[0], s[1], 1, -1, 2, 3)
		}
	}
}

func checkGemv[T float](t *testing.T, r routines[T], rng *rand.Rand, tA blas.Transpose, m, n int, alpha, beta float64, incX, incY int) {
	t.Helper()
	alpha, beta = float64(T(alpha)), float64(T(beta))
	lenX, lenY := n, m
	if tA != blas.NoTrans {
		lenX, lenY = m, n
	}
	a := newOperand[T](rng, m, n, max(n, 1)+rng.IntN(4))
	x, y := newVector[T](rng, lenX, incX), newVector[T](rng, lenY, incY)
	if r.always && rng.IntN(4) == 0 {
		a.sprinkle(rng)
		x.sprinkle(rng)
		y.sprinkle(rng)
	}
	if beta == 0 {
		y.each(func(_, _ int, v *T) { *v = T(math.NaN()) })
	}
	a.keep()
	x.keep()
	y.keep()
	r.gemv(tA, m, n, T(alpha), a.x, a.ld, x.x, incX, T(beta), y.x, incY)
	y.check(t, func(i, _ int) (float64, float64, bool) {
		var s sum
		for j := range lenX {
			if tA == blas.NoTrans {
				s.add(a.at(i, j) * x.at(j, 0))
			} else {
				s.add(a.at(j, i) * x.at(j, 0))
			}
		}
		want := combine(alpha, s, beta, y.was(i, 0))
		return want.value, want.tolerance(r.eps, lenX), lenX > 0
	})
	a.check(t, nil)
	x.check(t, nil)
}

func TestGer(t *testing.T) { forEach(t, testGer[float32], testGer[float64]) }

func testGer[T float](t *testing.T, r routines[T]) {
	rng := rand.New(rand.NewPCG(4, 1))
	for _, alpha := range factors {
		for _, incX := range increments {
			for _, incY := range increments {
				for range repeats(20) {
					s := pickSizes(rng, 2, most())
					checkGer(t, r, rng, s[0], s[1], alpha, incX, incY)
				}
			}
		}
	}
	checkGer(t, r, rng, 300, 500, 0.7, 1, 1)
	checkGer(t, r, rng, 3, 40000, 0.7, -2, 1)
}

func checkGer[T float](t *testing.T, r routines[T], rng *rand.Rand, m, n int, alpha float64, incX, incY int) {
	t.Helper()
	alpha = float64(T(alpha))
	x, y := newVector[T](rng, m, incX), newVector[T](rng, n, incY)
	a := newOperand[T](rng, m, n, max(n, 1)+rng.IntN(4))
	if r.always && rng.IntN(4) == 0 {
		a.sprinkle(rng)
		x.sprinkle(rng)
		y.sprinkle(rng)
	}
	a.keep()
	x.keep()
	y.keep()
	r.ger(m, n, T(alpha), x.x, incX, y.x, incY, a.x, a.ld)
	defer func() {
		if t.Failed() {
			t.Logf("%d×%d alpha=%v incX=%d incY=%d", m, n, alpha, incX, incY)
		}
	}()
	a.check(t, func(i, j int) (float64, float64, bool) {
		product := x.at(i, 0) * y.at(j, 0)
		want := combine(alpha, sum{product, math.Abs(product)}, 1, a.was(i, j))
		return want.value, want.tolerance(r.eps, 1), true
	})
	x.check(t, nil)
	y.check(t, nil)
}
