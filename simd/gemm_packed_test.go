package simd

import (
	"math"
	"runtime"
	"sync"
	"testing"
)

func TestGemmPacked(t *testing.T) {
	forEachImplementation(t, func(t *testing.T) {
		t.Run("S", func(t *testing.T) {
			testGemmPacked(t, Sgemm, 0x1p-23, func(transB bool, k, n int, b []float32, ldb int) func(bool, int, float32, []float32, int, float32, []float32, int) {
				p := SPack(transB, k, n, b, ldb)
				return func(transA bool, m int, alpha float32, a []float32, lda int, beta float32, c []float32, ldc int) {
					SgemmPacked(transA, m, alpha, a, lda, p, beta, c, ldc, nil)
				}
			})
		})
		t.Run("D", func(t *testing.T) {
			testGemmPacked(t, Dgemm, 0x1p-52, func(transB bool, k, n int, b []float64, ldb int) func(bool, int, float64, []float64, int, float64, []float64, int) {
				p := DPack(transB, k, n, b, ldb)
				return func(transA bool, m int, alpha float64, a []float64, lda int, beta float64, c []float64, ldc int) {
					DgemmPacked(transA, m, alpha, a, lda, p, beta, c, ldc, nil)
				}
			})
		})
	})
}

// testGemmPacked compares with the naive product, and with the bits of the other
// function where those are promised. Sizes lie on both sides of tiles and blocks,
// in k and n of several blocks.
func testGemmPacked[T float](t *testing.T, gemm gemmFunc[T], eps float64, pack func(transB bool, k, n int, b []T, ldb int) func(bool, int, T, []T, int, T, []T, int)) {
	g := newGemmTester[T](t, 1<<21, eps)
	for i, s := range [][3]int{
		{0, 5, 5}, {5, 0, 5}, {5, 5, 0}, {1, 1, 1}, {1, 40, 300}, {40, 1, 300}, {2, 3, 4}, {13, 33, 64}, {12, 32, 256}, {100, 65, 257},
		{7, 2100, 33}, {3, 2049, 530}, {33, 17, 1030},
	} {
		for variant := range 4 {
			if testing.Short() && s[0]*s[1]*s[2] > 1<<18 && variant != i%4 {
				continue
			}
			transA, transB := variant&1 != 0, variant&2 != 0
			usePacked := func(transA, transB bool, m, n, k int, alpha T, a []T, lda int, b []T, ldb int, beta T, c []T, ldc int) {
				own := append([]T(nil), b...)
				product := pack(transB, k, n, own, ldb)
				for i := range own {
					own[i] = T(math.NaN()) // it was copied
				}
				var want []T
				if m != 1 && n != 1 {
					want = append([]T(nil), c...)
					gemm(transA, transB, m, n, k, alpha, a, lda, b, ldb, beta, want, ldc)
				}
				product(transA, m, alpha, a, lda, beta, c, ldc)
				for i, v := range want {
					if !same(v, c[i]) {
						t.Fatalf("%v %v %d×%d×%d: element %d is %v, without packing %v", transA, transB, m, n, k, i, c[i], v)
					}
				}
			}
			for _, beta := range []T{0, -0.5} {
				g.run(t, usePacked, transA, transB, s[0], s[1], s[2], 1.5, beta, i%3)
			}
		}
	}
}

// One packed matrix serves several goroutines, whatever GOMAXPROCS is.
func TestConcurrentGemmPacked(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	const size = 90
	a, b, want := randomSlice[float32](size*size), randomSlice[float32](size*size), make([]float32, size*size)
	packed := SPack(true, size, size, b, size)
	Sgemm(false, true, size, size, size, 1, a, size, b, size, 0, want, size)
	for procs := 1; procs <= 3; procs++ {
		runtime.GOMAXPROCS(procs)
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				got := make([]float32, size*size)
				for range 10 {
					SgemmPacked(false, size, 1, a, size, packed, 0, got, size, nil)
					for j := range got {
						if got[j] != want[j] {
							t.Errorf("caller %d: element %d is %v, want %v", i, j, got[j], want[j])
							return
						}
					}
				}
			}()
		}
		wg.Wait()
	}
}

func TestGemmPackedPanics(t *testing.T) {
	x := make([]float32, 100)
	packed := SPack(false, 10, 10, x, 10)
	mustPanic(t, func() { SPack(false, -1, 10, x, 10) }, "simd: SPack", "k=-1")
	mustPanic(t, func() { SPack(true, 10, 11, x, 10) }, "simd: SPack", "b has 100")
	mustPanic(t, func() { SPack(false, 10, 10, x, 9) }, "simd: SPack", "ldb = 9")
	mustPanic(t, func() { SgemmPacked(false, 11, 1, x, 10, packed, 0, x, 10, nil) }, "simd: SgemmPacked", "a has 100")
	mustPanic(t, func() { SgemmPacked(false, 10, 1, x, 10, packed, 0, x[:99], 10, nil) }, "simd: SgemmPacked", "c has 99")
	mustPanic(t, func() { SgemmPacked(false, -1, 1, x, 10, packed, 0, x, 10, nil) }, "simd: SgemmPacked", "m=-1")
	mustPanic(t, func() { SgemmPacked(false, 1, 1, x, 10, &SPacked{}, 0, x, 10, nil) }, "simd: SgemmPacked", "not made by")
}
