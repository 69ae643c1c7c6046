package simd

import (
	"math"
	"testing"
)

func naive(transA, transB bool, m, n, k int, alpha float64, a []float32, lda int, b []float32, ldb int, beta float64, c []float32, ldc int) []float64 {
	out := make([]float64, m*n)
	for i := range m {
		for j := range n {
			var s float64
			for p := range k {
				x, y := i*lda+p, p*ldb+j
				if transA {
					x = p*lda + i
				}
				if transB {
					y = j*ldb + p
				}
				s += float64(a[x]) * float64(b[y])
			}
			out[i*n+j] = alpha*s
			if beta != 0 {
				out[i*n+j] += beta * float64(c[i*ldc+j])
			}
		}
	}
	return out
}

func TestQuick(t *testing.T) {
	forEachImplementation(t, func(t *testing.T) {
		for _, sh := range [][3]int{{1, 1, 1}, {3, 5, 7}, {40, 40, 40}, {13, 33, 300}, {100, 97, 513}, {1, 50, 20}, {50, 1, 20}, {6, 16, 4}, {300, 200, 600}} {
			for v := range 4 {
				m, n, k := sh[0], sh[1], sh[2]
				ta, tb := v&1 != 0, v&2 != 0
				lda, ldb := k, n
				if ta {
					lda = m
				}
				if tb {
					ldb = k
				}
				a, b, c := randomSlice[float32](m*k), randomSlice[float32](k*n), randomSlice[float32](m*n)
				want := naive(ta, tb, m, n, k, 1.5, a, lda, b, ldb, 0.5, c, n)
				Sgemm(ta, tb, m, n, k, 1.5, a, lda, b, ldb, 0.5, c, n)
				for i := range want {
					if math.Abs(want[i]-float64(c[i])) > 1e-4*math.Sqrt(float64(k)) {
						t.Fatal(sh, v, i, want[i], c[i])
					}
				}
			}
		}
	})
}
