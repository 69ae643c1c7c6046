package simd

import (
	"fmt"
	"math"
	"runtime"
	"testing"
	"time"

	"github.com/muppet-go/muppet/internal/parallel"
)

// TestGemmEpilogue compares a product that is finished in pieces with one that is
// finished afterwards, and counts how often each element is.
func TestGemmEpilogue(t *testing.T) {
	forEachImplementation(t, func(t *testing.T) {
		t.Run("S", func(t *testing.T) {
			testGemmEpilogue(t, Sgemm, func(transA, transB bool, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int, e func([]float32, int, int)) {
				SgemmEpilogue(transA, transB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, e)
			})
		})
		t.Run("D", func(t *testing.T) {
			testGemmEpilogue(t, Dgemm, func(transA, transB bool, m, n, k int, alpha float64, a []float64, lda int, b []float64, ldb int, beta float64, c []float64, ldc int, e func([]float64, int, int)) {
				DgemmEpilogue(transA, transB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, e)
			})
		})
		t.Run("packed", func(t *testing.T) {
			testGemmEpilogue(t, Sgemm, func(transA, transB bool, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int, e func([]float32, int, int)) {
				if m == 1 || n == 1 { // there the bits of Sgemm are others
					SgemmEpilogue(transA, transB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, e)
					return
				}
				SgemmPacked(transA, m, alpha, a, lda, SPack(transB, k, n, b, ldb), beta, c, ldc, e)
			})
		})
	})
}

func testGemmEpilogue[T float](t *testing.T, gemm gemmFunc[T], fused func(transA, transB bool, m, n, k int, alpha T, a []T, lda int, b []T, ldb int, beta T, c []T, ldc int, e func([]T, int, int))) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for i, s := range [][3]int{{1, 1, 1}, {1, 50, 7}, {50, 1, 7}, {3, 5, 0}, {0, 5, 5}, {5, 0, 5}, {13, 33, 5},
		{100, 70, 300}, {97, 65, 64}, {300, 35, 31}, {280, 530, 20}, {7, 2100, 9}, {1600, 17, 3}} {
		m, n, k := s[0], s[1], s[2]
		transA, transB, ldc := i%2 == 1, i%3 == 1, n+i%4+1
		a, b := randomSlice[T](m*k), randomSlice[T](k*n)
		lda, ldb := max(1, ld(transA, m, k)), max(1, ld(transB, k, n))
		bias := randomSlice[T](n)
		for _, beta := range []T{0, 0.5} {
			want := randomSlice[T](m * ldc)
			gemm(transA, transB, m, n, k, 2, a, lda, b, ldb, beta, want, ldc)
			for i := range m {
				for j := range n {
					want[i*ldc+j] = (want[i*ldc+j] + bias[j]) * T(i+1)
				}
			}
			for threads := 1; threads <= 3; threads++ {
				runtime.GOMAXPROCS(threads)
				got := randomSlice[T](m * ldc)
				calls := make([]uint8, m*n)
				fused(transA, transB, m, n, k, 2, a, lda, b, ldb, beta, got, ldc, func(c []T, i, j int) {
					for x := range c {
						calls[i*n+j+x]++
						c[x] = (c[x] + bias[j+x]) * T(i+1)
					}
				})
				name := fmt.Sprintf("%v transA=%v transB=%v beta=%v on %d threads", s, transA, transB, beta, threads)
				for x := range got {
					if math.Float64bits(float64(got[x])) != math.Float64bits(float64(want[x])) {
						t.Fatalf("%s: element %d is %v, want %v", name, x, got[x], want[x])
					}
				}
				for x, c := range calls {
					if c != 1 {
						t.Fatalf("%s: element %d was passed %d times", name, x, c)
					}
				}
			}
		}
	}
}

// BenchmarkGemmEpilogue alternates a layer whose bias and activation are its
// epilogue with one that passes over the result afterwards.
func BenchmarkGemmEpilogue(b *testing.B) {
	const m, n, k = 512, 3072, 768
	x, w, y, bias := randomSlice[float32](m*k), randomSlice[float32](n*k), make([]float32, m*n), randomSlice[float32](n)
	finish := func(c []float32, i, j int) {
		SAdd(c, c, bias[j:j+len(c)])
		STanh(c, c)
	}
	var fused, apart time.Duration
	for b.Loop() {
		start := time.Now()
		SgemmEpilogue(false, true, m, n, k, 1, x, k, w, k, 0, y, n, finish)
		middle := time.Now()
		Sgemm(false, true, m, n, k, 1, x, k, w, k, 0, y, n)
		parallel.For(m, func(i int) { finish(y[i*n:][:n], i, 0) })
		apart += time.Since(middle)
		fused += middle.Sub(start)
	}
	b.ReportMetric(fused.Seconds()*1e3/float64(b.N), "fused-ms")
	b.ReportMetric(apart.Seconds()*1e3/float64(b.N), "apart-ms")
}
