package gonumblas

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/blas"
)

func TestTrsm(t *testing.T) { forEach(t, testTrsm[float32], testTrsm[float64]) }

func testTrsm[T float](t *testing.T, r routines[T]) {
	rng := rand.New(rand.NewPCG(7, 1))
	for _, side := range []blas.Side{blas.Left, blas.Right} {
		for _, ul := range []blas.Uplo{blas.Upper, blas.Lower} {
			for _, tA := range transposes {
				for _, diag := range []blas.Diag{blas.Unit, blas.NonUnit} {
					for _, alpha := range factors {
						for range repeats(6) {
							if m, n := pick(rng, sizes), pick(rng, sizes); m*n*max(m, n) <= most() {
								checkTrsm(t, r, rng, side, ul, tA, diag, m, n, alpha)
							}
						}
					}
					checkTrsm(t, r, rng, side, ul, tA, diag, 65, 66, 0.7)
					if !testing.Short() {
						checkTrsm(t, r, rng, side, ul, tA, diag, 257, 130, 1)
						checkTrsm(t, r, rng, side, ul, tA, diag, 33, 257, 1)
					}
				}
			}
		}
	}
}

func checkTrsm[T float](t *testing.T, r routines[T], rng *rand.Rand, side blas.Side, ul blas.Uplo, tA blas.Transpose, diag blas.Diag, m, n int, alpha float64) {
	t.Helper()
	alpha = float64(T(alpha))
	unknowns := n
	if side == blas.Left {
		unknowns = m
	}
	a := newOperand[T](rng, unknowns, unknowns, max(unknowns, 1)+rng.IntN(4))
	a.each(func(i, j int, v *T) {
		switch {
		case i == j && diag == blas.NonUnit:
			*v = T(1 + rng.Float64())
		case i != j && i > j == (ul == blas.Lower):
			*v /= T(unknowns)
		default: // not to be read
			*v = T(math.NaN())
		}
	})
	b := newOperand[T](rng, m, n, max(n, 1)+rng.IntN(4))
	if alpha == 0 {
		b.each(func(_, _ int, v *T) { *v = T(math.NaN()) })
	}
	// One NaN in B must reach the unknowns of its own right-hand side that
	// depend on it and no others.
	poisoned := alpha != 0 && m > 0 && n > 0 && rng.IntN(4) == 0
	var badRow, badCol int
	if poisoned {
		badRow, badCol = rng.IntN(m), rng.IntN(n)
		*b.element(badRow, badCol) = T(math.NaN())
	}
	a.keep()
	b.keep()
	r.trsm(side, ul, tA, diag, m, n, T(alpha), a.x, a.ld, b.x, b.ld)
	a.check(t, nil)

	// The elements of op(A).
	opA := a.op(tA)
	opLower := (ul == blas.Lower) == (tA == blas.NoTrans)
	coefficients := make([]float64, unknowns*unknowns)
	for i := range unknowns {
		for j := range unknowns {
			if i == j && diag == blas.Unit {
				coefficients[i*unknowns+j] = 1
			} else if i == j || i > j == opLower {
				coefficients[i*unknowns+j] = opA(i, j)
			}
		}
	}
	solution := make([]float64, m*n)
	b.each(func(i, j int, v *T) { solution[i*n+j] = float64(*v) })
	b.check(t, func(i, j int) (float64, float64, bool) {
		got := solution[i*n+j]
		if alpha == 0 {
			return 0, 0, true
		}
		// The residual of the equation that determines element i,j, as a
		// difference from its term: solving in place leaves no other want.
		equation, own := sum{}, 1.0
		if side == blas.Left {
			for p := range m {
				if c := coefficients[i*unknowns+p]; c != 0 {
					equation.add(c * solution[p*n+j])
				}
			}
			own = coefficients[i*unknowns+i]
		} else {
			for p := range n {
				if c := coefficients[p*unknowns+j]; c != 0 {
					equation.add(c * solution[i*n+p])
				}
			}
			own = coefficients[j*unknowns+j]
		}
		if poisoned {
			dependent := i == badRow && (j == badCol || j > badCol != opLower)
			if side == blas.Left {
				dependent = j == badCol && (i == badRow || i > badRow == opLower)
			}
			if dependent {
				return math.NaN(), 0, true
			}
		}
		residual := alpha*b.was(i, j) - equation.value
		equation.add(alpha * b.was(i, j))
		return got + residual/own, 2 * equation.tolerance(r.eps, unknowns) / math.Abs(own), true
	})
}
