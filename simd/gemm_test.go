package simd

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"
)

// A gemmFunc is Sgemm, Dgemm or one of their variants.
type gemmFunc[T float] func(transA, transB bool, m, n, k int, alpha T, a []T, lda int, b []T, ldb int, beta T, c []T, ldc int)

// naive returns alpha·op(A)·op(B) + beta·C in float64 and, for each element,
// the same of magnitudes, to which rounding errors are relative.
func naive[T float](p product[T]) (want, magnitude []float64) {
	want, magnitude = make([]float64, p.m*p.n), make([]float64, p.m*p.n)
	ai, ap, bp, bj := p.lda, 1, p.ldb, 1
	if p.transA {
		ai, ap = ap, ai
	}
	if p.transB {
		bp, bj = bj, bp
	}
	for i := range p.m {
		for j := range p.n {
			var sum, size float64
			for q := range p.k {
				term := float64(p.a[i*ai+q*ap]) * float64(p.b[q*bp+j*bj])
				sum += term
				size += math.Abs(term)
			}
			sum *= float64(p.alpha)
			size *= math.Abs(float64(p.alpha))
			if p.beta != 0 {
				c := float64(p.beta) * float64(p.c[i*p.ldc+j])
				sum += c
				size += math.Abs(c)
			}
			want[i*p.n+j], magnitude[i*p.n+j] = sum, size
		}
	}
	return want, magnitude
}

// gemmTester runs products on memory that ends at unreadable pages.
type gemmTester[T float] struct {
	a, b, c *guarded[T]
	random  []T
	eps     float64
}

func newGemmTester[T float](t *testing.T, most int, eps float64) *gemmTester[T] {
	return &gemmTester[T]{newGuarded[T](t, most), newGuarded[T](t, most), newGuarded[T](t, most), randomSlice[T](most + 1000), eps}
}

const gap = -777 // between the rows of C

func (g *gemmTester[T]) run(t *testing.T, gemm gemmFunc[T], transA, transB bool, m, n, k int, alpha, beta T, pad int) {
	t.Helper()
	matrix := func(memory *guarded[T], rows, cols, shift int) ([]T, int) {
		ld := max(cols, 1) + pad
		size := 0
		if rows > 0 && cols > 0 {
			size = (rows-1)*ld + cols
		}
		x := memory.take(size)
		copy(x, g.random[shift:])
		return x, ld
	}
	p := product[T]{transA: transA, transB: transB, m: m, n: n, k: k, alpha: alpha, beta: beta}
	rows, cols := stored(transA, m, k)
	p.a, p.lda = matrix(g.a, rows, cols, 0)
	rows, cols = stored(transB, k, n)
	p.b, p.ldb = matrix(g.b, rows, cols, 333)
	p.c, p.ldc = matrix(g.c, m, n, 666)
	for i := range p.c {
		if i%p.ldc >= n {
			p.c[i] = gap
		} else if beta == 0 {
			p.c[i] = T(math.NaN()) // must not be read
		}
	}
	want, magnitude := naive(p)
	gemm(transA, transB, m, n, k, alpha, p.a, p.lda, p.b, p.ldb, beta, p.c, p.ldc)
	g.c.check(t)
	for i, got := range p.c {
		row, col := i/p.ldc, i%p.ldc
		if col >= n {
			if got != gap {
				t.Fatalf("%v %v %d×%d×%d: wrote between the rows of C", transA, transB, m, n, k)
			}
			continue
		}
		exact := want[row*n+col]
		tolerance := g.eps * magnitude[row*n+col] * (4 + math.Sqrt(float64(k)))
		if !(math.Abs(float64(got)-exact) <= tolerance) {
			t.Fatalf("%v %v %d×%d×%d alpha=%v beta=%v pad=%d: C[%d,%d] = %v, want %v ± %.2g",
				transA, transB, m, n, k, alpha, beta, pad, row, col, got, exact, tolerance)
		}
	}
}

func TestGemmSizes(t *testing.T) {
	forEachImplementation(t, func(t *testing.T) {
		t.Run("S", func(t *testing.T) { testGemmSizes(t, Sgemm, SgemmSerial, 0x1p-23) })
		t.Run("D", func(t *testing.T) { testGemmSizes(t, Dgemm, DgemmSerial, 0x1p-52) })
	})
}

func testGemmSizes[T float](t *testing.T, gemm, serial gemmFunc[T], eps float64) {
	g := newGemmTester[T](t, 1<<20, eps)
	// Dense around the edges of every tile.
	sizes := []int{0, 1, 2, 3, 5, 6, 7, 8, 11, 12, 13, 15, 16, 17, 25, 31, 33, 40}
	large := [][3]int{{100, 97, 513}, {1, 3000, 300}, {3000, 1, 300}, {5, 700, 300}, {97, 530, 260}}
	if testing.Short() {
		sizes = []int{0, 1, 2, 5, 7, 12, 13, 17, 32, 33}
		large = [][3]int{{30, 50, 300}, {1, 70, 60}, {70, 1, 60}}
	}
	factors := []T{1, 0, -1.5}
	count := 0
	for variant := range 4 {
		transA, transB := variant&1 != 0, variant&2 != 0
		for _, m := range sizes {
			for _, n := range sizes {
				for _, k := range sizes {
					g.run(t, serial, transA, transB, m, n, k, factors[count%3], factors[count/3%3], count%4)
					count++
				}
			}
		}
		for _, s := range large {
			g.run(t, gemm, transA, transB, s[0], s[1], s[2], -1.5, factors[count%3], count%5)
			count++
		}
	}
}

// TestGemmAgainstGonum compares with an implementation of others.
func TestGemmAgainstGonum(t *testing.T) {
	var oracle gonum.Implementation
	transpose := map[bool]blas.Transpose{false: blas.NoTrans, true: blas.Trans}
	const m, n, k = 75, 131, 290
	forEachImplementation(t, func(t *testing.T) {
		for variant := range 4 {
			transA, transB := variant&1 != 0, variant&2 != 0
			_, lda := stored(transA, m, k)
			_, ldb := stored(transB, k, n)
			a, b, c := randomSlice[float32](m*k), randomSlice[float32](k*n), randomSlice[float32](m*n)
			want := append([]float32(nil), c...)
			oracle.Sgemm(transpose[transA], transpose[transB], m, n, k, 0.7, a, lda, b, ldb, -0.3, want, n)
			Sgemm(transA, transB, m, n, k, 0.7, a, lda, b, ldb, -0.3, c, n)
			for i := range c {
				if math.Abs(float64(c[i]-want[i])) > 1e-4 {
					t.Fatalf("Sgemm %v %v: element %d is %v, gonum has %v", transA, transB, i, c[i], want[i])
				}
			}
			a64, b64, c64 := randomSlice[float64](m*k), randomSlice[float64](k*n), randomSlice[float64](m*n)
			want64 := append([]float64(nil), c64...)
			oracle.Dgemm(transpose[transA], transpose[transB], m, n, k, 0.7, a64, lda, b64, ldb, -0.3, want64, n)
			Dgemm(transA, transB, m, n, k, 0.7, a64, lda, b64, ldb, -0.3, c64, n)
			for i := range c64 {
				if math.Abs(c64[i]-want64[i]) > 1e-12 {
					t.Fatalf("Dgemm %v %v: element %d is %v, gonum has %v", transA, transB, i, c64[i], want64[i])
				}
			}
		}
	})
}

// TestGemmPropagates plants a NaN and an Inf opposite zeros: they must reach
// the elements of C that depend on them, and no others.
func TestGemmPropagates(t *testing.T) {
	forEachImplementation(t, func(t *testing.T) {
		for _, size := range [][3]int{{1, 9, 20}, {9, 1, 20}, {7, 19, 5}, {40, 40, 300}} {
			m, n, k := size[0], size[1], size[2]
			for variant := range 4 {
				transA, transB := variant&1 != 0, variant&2 != 0
				for _, bad := range []float64{math.NaN(), math.Inf(1)} {
					_, lda := stored(transA, m, k)
					_, ldb := stored(transB, k, n)
					a, b, c := make([]float32, m*k), make([]float32, k*n), make([]float32, m*n)
					at := (k-1)*ldb + n - 1
					if transB {
						at = (n-1)*ldb + k - 1
					}
					b[at] = float32(bad)
					Sgemm(transA, transB, m, n, k, 1, a, lda, b, ldb, 0, c, n)
					for i, v := range c {
						if isNaN := v != v; isNaN != (i%n == n-1) {
							t.Fatalf("%v %v %v, B[%d,%d]=%v: C[%d,%d] = %v", size, transA, transB, k-1, n-1, bad, i/n, i%n, v)
						}
					}
				}
			}
		}
	})
}

func TestGemmSameBitsAtAnyGOMAXPROCS(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	forEachImplementation(t, func(t *testing.T) {
		for _, s := range [][3]int{{150, 300, 600}, {1, 3000, 100}, {3000, 1, 100}, {13, 600, 300}, {600, 13, 300}} {
			m, n, k := s[0], s[1], s[2]
			for variant := range 4 {
				transA, transB := variant&1 != 0, variant&2 != 0
				_, lda := stored(transA, m, k)
				_, ldb := stored(transB, k, n)
				a, b := randomSlice[float32](m*k), randomSlice[float32](k*n)
				want, got := make([]float32, m*n), make([]float32, m*n)
				SgemmSerial(transA, transB, m, n, k, 1, a, lda, b, ldb, 0, want, n)
				for procs := 1; procs <= 3; procs++ {
					runtime.GOMAXPROCS(procs)
					Sgemm(transA, transB, m, n, k, 1, a, lda, b, ldb, 0, got, n)
					for i := range got {
						if got[i] != want[i] {
							t.Fatalf("%v: element %d differs with GOMAXPROCS %d", s, i, procs)
						}
					}
				}
			}
		}
	})
}

func TestGemmBatched(t *testing.T) {
	forEachImplementation(t, func(t *testing.T) {
		// Attention's layout: heads side by side in rows, C interleaved. Then
		// one B for all, and products large enough to be spread one by one.
		for _, c := range []struct{ batch, m, n, k, strideA, strideB, strideC, lda, ldb, ldc int }{
			{5, 9, 13, 8, 8, 8, 13, 40, 40, 65},
			{4, 20, 7, 30, 600, 0, 140, 30, 30, 7},
			{1, 6, 6, 6, 0, 0, 0, 6, 6, 6},
			{2, 300, 260, 300, 90000, 78000, 78000, 300, 300, 260},
		} {
			a := randomSlice[float32]((c.batch-1)*c.strideA + c.m*c.lda)
			b := randomSlice[float32]((c.batch-1)*c.strideB + c.n*c.ldb)
			got := randomSlice[float32]((c.batch-1)*c.strideC + c.m*c.ldc)
			want := append([]float32(nil), got...)
			SgemmBatched(false, true, c.batch, c.m, c.n, c.k, 2, a, c.lda, c.strideA, b, c.ldb, c.strideB, 0.5, got, c.ldc, c.strideC)
			for i := range c.batch {
				Sgemm(false, true, c.m, c.n, c.k, 2, a[i*c.strideA:], c.lda, b[i*c.strideB:], c.ldb, 0.5, want[i*c.strideC:], c.ldc)
			}
			for i := range got {
				if got[i] != want[i] {
					t.Fatalf("%+v: element %d is %v, one by one %v", c, i, got[i], want[i])
				}
			}
		}
		DgemmBatched(false, false, 0, 3, 3, 3, 1, nil, 3, 9, nil, 3, 9, 0, nil, 3, 9)
	})
}

func TestGemmPanics(t *testing.T) {
	x := make([]float32, 100)
	mustPanic(t, func() { Sgemm(false, false, 10, 10, 10, 1, x[:99], 10, x, 10, 0, x, 10) }, "simd: Sgemm", "a has 99")
	mustPanic(t, func() { Sgemm(false, false, 10, 10, 10, 1, x, 10, x, 11, 0, x, 10) }, "simd: Sgemm", "b has 100")
	mustPanic(t, func() { SgemmSerial(false, false, 10, 11, 9, 1, x, 9, x, 11, 0, x, 11) }, "simd: SgemmSerial", "c has 100")
	mustPanic(t, func() { Sgemm(false, false, 10, 10, 10, 1, x, 9, x, 10, 0, x, 10) }, "lda = 9")
	mustPanic(t, func() { Sgemm(false, false, -1, 10, 10, 1, x, 10, x, 10, 0, x, 10) }, "m=-1")
	mustPanic(t, func() { Sgemm(false, false, math.MaxInt/2, 10, 10, 1, x, 10, x, 10, 0, x, 10) }, "a has 100")
	mustPanic(t, func() { SgemmBatched(false, false, 3, 5, 5, 5, 1, x, 5, 25, x, 5, 25, 0, x, 5, 40) }, "simd: SgemmBatched", "c has")
	mustPanic(t, func() { SgemmBatched(false, false, 3, 5, 5, 5, 1, x, 5, 60, x, 5, 25, 0, x, 5, 25) }, "a has 100", "3 matrices")
	mustPanic(t, func() { SgemmBatched(false, false, 3, 5, 5, 5, 1, x, 5, -1, x, 5, 25, 0, x, 5, 25) }, "negative")
}

func TestGemmDoesNotAllocate(t *testing.T) {
	forEachImplementation(t, func(t *testing.T) {
		const size = 150
		a, b, c := randomSlice[float32](size*size), randomSlice[float32](size*size), make([]float32, size*size)
		for name, f := range map[string]func(){
			"Sgemm":  func() { Sgemm(true, true, size, size, size, 1, a, size, b, size, 0, c, size) },
			"serial": func() { SgemmSerial(false, false, size, size, size, 1, a, size, b, size, 0, c, size) },
			"vector": func() { Sgemm(false, false, 1, size, size, 1, a, size, b, size, 0, c, size) },
		} {
			if allocs := testing.AllocsPerRun(20, f); allocs >= 1 {
				t.Errorf("%s: %v allocations a call", name, allocs)
			}
		}
	})
}

func TestConcurrentGemm(t *testing.T) {
	const size = 60
	a, b, want := randomSlice[float32](size*size), randomSlice[float32](size*size), make([]float32, size*size)
	SgemmSerial(false, false, size, size, size, 1, a, size, b, size, 0, want, size)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			got := make([]float32, size*size)
			for range 50 {
				Sgemm(false, false, size, size, size, 1, a, size, b, size, 0, got, size)
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

// TestGemmNegativeZeroBeta checks that a beta of -0 does not read C either.
func TestGemmNegativeZeroBeta(t *testing.T) {
	forEachImplementation(t, func(t *testing.T) {
		t.Run("S", func(t *testing.T) { testNegativeZeroBeta(t, Sgemm) })
		t.Run("D", func(t *testing.T) { testNegativeZeroBeta(t, Dgemm) })
		t.Run("SB", func(t *testing.T) { testNegativeZeroBeta(t, SBgemm) })
	})
}

func testNegativeZeroBeta[T float](t *testing.T, gemm gemmFunc[T]) {
	for _, s := range [][3]int{{1, 9, 4}, {9, 1, 4}, {13, 37, 5}, {3, 4, 0}} {
		m, n, k := s[0], s[1], s[2]
		c := make([]T, m*n)
		for i := range c {
			c[i] = T(math.NaN())
		}
		gemm(false, false, m, n, k, 1, randomSlice[T](m*k), max(1, k), randomSlice[T](k*n), n, T(math.Copysign(0, -1)), c, n)
		for i, v := range c {
			if v != v {
				t.Fatalf("%v: element %d is NaN", s, i)
			}
		}
	}
}

func BenchmarkGemm(b *testing.B) {
	for _, c := range []struct {
		transA, transB bool
		m, n, k        int
	}{
		{false, false, 128, 64, 128},
		{false, true, 128, 128, 64},
		{false, false, 128, 128, 128},
		{false, false, 1024, 1024, 1024},
		{false, true, 1024, 1024, 1024},
		{true, false, 1024, 1024, 1024},
		{false, true, 512, 3072, 768},
		{false, true, 512, 768, 3072},
		{false, false, 1, 3072, 768},
		{false, true, 1, 3072, 768},
		{false, true, 8, 3072, 768},
	} {
		letter := map[bool]string{false: "N", true: "T"}
		name := fmt.Sprintf("%d×%d×%d/%s%s", c.m, c.n, c.k, letter[c.transA], letter[c.transB])
		b.Run("S/"+name, func(b *testing.B) {
			benchmarkGemm(b, Sgemm, SgemmSerial, product[float32]{transA: c.transA, transB: c.transB, m: c.m, n: c.n, k: c.k})
		})
		b.Run("D/"+name, func(b *testing.B) {
			benchmarkGemm(b, Dgemm, DgemmSerial, product[float64]{transA: c.transA, transB: c.transB, m: c.m, n: c.n, k: c.k})
		})
	}
}

func benchmarkGemm[T float](b *testing.B, gemm, serial gemmFunc[T], p product[T]) {
	x, y, z := randomSlice[T](p.m*p.k), randomSlice[T](p.k*p.n), make([]T, p.m*p.n)
	_, lda := stored(p.transA, p.m, p.k)
	_, ldb := stored(p.transB, p.k, p.n)
	for _, f := range []struct {
		name string
		gemm gemmFunc[T]
	}{{"serial", serial}, {"threads", gemm}} {
		b.Run(f.name, func(b *testing.B) {
			best := time.Hour
			for b.Loop() {
				start := time.Now()
				f.gemm(p.transA, p.transB, p.m, p.n, p.k, 1, x, lda, y, ldb, 0, z, p.n)
				best = min(best, time.Since(start))
			}
			b.ReportMetric(2*p.work()*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			b.ReportMetric(2*p.work()/best.Seconds()/1e9, "best-GFLOP/s")
		})
	}
}

// BenchmarkGemmPeak alternates a product with a measurement of the peak on as many
// threads. A processor that others use too is at times slower; the ratio of the
// medians compares both at the same times. The best of each says what the
// BenchmarkTile measures the micro-kernels alone, on panels that stay in the
// first-level cache: what products can reach at best.
func BenchmarkTile(b *testing.B) {
	b.Run("S", func(b *testing.B) { benchmarkTile(b, active.sgemm) })
	b.Run("D", func(b *testing.B) { benchmarkTile(b, active.dgemm) })
}

func benchmarkTile[T float](b *testing.B, kernels *gemmKernels[T]) {
	const k = 256
	for _, tile := range kernels.tiles {
		b.Run(fmt.Sprint(tile.rows), func(b *testing.B) {
			nr := kernels.nr
			x, y, c := randomSlice[T](tile.rows*k), randomSlice[T](nr*k), randomSlice[T](tile.rows*nr)
			best := time.Hour
			for b.Loop() {
				start := time.Now()
				for range 100 {
					tile.kernel(k, 1, &x[0], 1, tile.rows, &y[0], nr, 0, &c[0], nr, 1, 0, 0)
				}
				best = min(best, time.Since(start))
			}
			b.ReportMetric(200*float64(tile.rows*nr*k)/best.Seconds()/1e9, "best-GFLOP/s")
		})
	}
}

// TestCrowdedRows compares products whose rows of A are copied, because they would drive
// each other out of a cache, with those that read them where they are: to the bit.
func TestCrowdedRows(t *testing.T) {
	for _, c := range []struct {
		ways, lda int
		want      bool
	}{{8, 1024, true}, {8, 3072, true}, {12, 1024, false}, {8, 512, false}, {8, 768, false}, {8, 1023, false}, {4, 512, true}, {0, 1024, false}} {
		g := gemmJob[float32]{gemmKernels: &gemmKernels[float32]{ways: c.ways, nr: 32}, mr: 12, product: product[float32]{lda: c.lda, n: 1024}}
		if g.crowded() != c.want {
			t.Errorf("12 rows %d elements apart and %d ways: crowded is %v", c.lda, c.ways, !c.want)
		}
	}
	forEachImplementation(t, func(t *testing.T) {
		kernels := active.sgemm
		defer func(before int) { kernels.ways = before }(kernels.ways)
		const lda, n = 1024, 300
		for _, m := range []int{1, 11, 12, 40, 263} {
			for _, k := range []int{5, 100, 1024} {
				a := newGuarded[float32](t, m*lda).take((m-1)*lda + k)
				copy(a, randomSlice[float32](len(a)))
				b, packed := randomSlice[float32](k*n), SPack(false, k, n, randomSlice[float32](k*n), n)
				var in [2]struct{ plain, packed []float32 }
				for i := range in {
					kernels.ways = i // with one way all rows crowd
					in[i].plain, in[i].packed = randomSlice[float32](m*n), randomSlice[float32](m*n)
					Sgemm(false, false, m, n, k, 0.7, a, lda, b, n, -0.3, in[i].plain, n)
					SgemmPacked(false, m, 0.7, a, lda, packed, -0.3, in[i].packed, n, nil)
				}
				if !slices.Equal(in[0].plain, in[1].plain) || !slices.Equal(in[0].packed, in[1].packed) {
					t.Fatalf("%d×%d×%d: copying A changes the result", m, n, k)
				}
			}
		}
	})
}
