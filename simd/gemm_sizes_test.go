package simd

import (
	"fmt"
	"math"
	"os"
	"testing"

	"github.com/muppet-go/muppet/internal/parallel"
)

// TestGemmAllSizes computes products with sides up to 70, beyond the second tile of
// every implementation in each direction: every fifth m and n for every k, or, where
// MUPPET_EXHAUSTIVE is set, all of them. Products of smaller sides are
// parts of the largest, with fewer terms, so that one reference serves all of
// them, and an element read from outside a matrix is a number that shows.
func TestGemmAllSizes(t *testing.T) {
	forEachImplementation(t, func(t *testing.T) {
		t.Run("S", func(t *testing.T) { testGemmAllSizes(t, SgemmSerial, 0x1p-23) })
		t.Run("D", func(t *testing.T) { testGemmAllSizes(t, DgemmSerial, 0x1p-52) })
	})
}

func testGemmAllSizes[T float](t *testing.T, gemm gemmFunc[T], eps float64) {
	const most = 70
	every := 5
	if testing.Short() {
		every = 23
	}
	if os.Getenv("MUPPET_EXHAUSTIVE") != "" {
		every = 1
	}
	type factors struct{ alpha, beta T }
	cases := []factors{{1, 0}, {-1.5, 1}, {0, -0.5}, {1, 1}, {0.7, 0}, {0, 0}, {1, -0.5}}
	random := randomSlice[T](3 * most * most)
	a, b, before := random[:most*most], random[most*most:2*most*most], random[2*most*most:]

	parallel.For(4, func(variant int) {
		transA, transB := variant&1 != 0, variant&2 != 0
		// Sums of the first k terms of every element, and of their magnitudes.
		sum, size := make([]float64, most*most), make([]float64, most*most)
		const ldc = most + 3
		memory := make([]T, (most+2)*ldc)
		for k := 0; k <= most; k++ {
			for m := k % every; m <= most; m += every {
				for n := m % every; n <= most; n += every {
					for i := range memory {
						memory[i] = gap
					}
					f := cases[(m+3*n+k)%len(cases)]
					c := memory[ldc+1:][:max(0, (m-1)*ldc+n)]
					for i := range m {
						copy(c[min(i*ldc, len(c)):][:n], before[i*most:])
						for j := 0; j < n && f.beta == 0; j++ {
							c[i*ldc+j] = T(math.NaN()) // must not be read
						}
					}
					gemm(transA, transB, m, n, k, f.alpha, a, most, b, most, f.beta, c, ldc)
					if why := wrong(memory[ldc+1:], ldc, m, n, func(i, j int) (want, tolerance float64) {
						at := i*most + j
						want, magnitude := float64(f.alpha)*sum[at], math.Abs(float64(f.alpha))*size[at]
						if f.beta != 0 {
							term := float64(f.beta) * float64(before[at])
							want, magnitude = want+term, magnitude+math.Abs(term)
						}
						return want, eps * magnitude * (4 + math.Sqrt(float64(k)))
					}); why != "" {
						t.Errorf("%v %v %d×%d×%d alpha=%v beta=%v: %s", transA, transB, m, n, k, f.alpha, f.beta, why)
						return
					}
					for i := range memory {
						row, col := i/ldc-1, i%ldc-1
						if inside := row >= 0 && row < m && col >= 0 && col < n; !inside && memory[i] != gap {
							t.Errorf("%v %v %d×%d×%d: wrote outside C, at row %d, column %d", transA, transB, m, n, k, row, col)
							return
						}
					}
				}
			}
			if k == most {
				break
			}
			for i := range most {
				x := float64(a[i*most+k])
				if transA {
					x = float64(a[k*most+i])
				}
				for j := range most {
					y := float64(b[k*most+j])
					if transB {
						y = float64(b[j*most+k])
					}
					sum[i*most+j] += x * y
					size[i*most+j] += math.Abs(x * y)
				}
			}
		}
	})
}

// wrong compares C with what it should be, and says where it is not.
func wrong[T float](c []T, ldc, m, n int, reference func(i, j int) (want, tolerance float64)) string {
	for i := range m {
		for j := range n {
			want, tolerance := reference(i, j)
			if got := float64(c[i*ldc+j]); !(math.Abs(got-want) <= tolerance) {
				return fmt.Sprintf("C[%d,%d] = %v, want %v ± %.2g", i, j, got, want, tolerance)
			}
		}
	}
	return ""
}
