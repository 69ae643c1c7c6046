package simd

import (
	"math"
	"math/big"
	"math/rand/v2"
	"runtime"
	"testing"
)

// definedFMA returns what adds a product in the active implementation, of operands
// that are not below the normal range: what is there before it is rounded is flushed
// on arm64, and by emulators of amd64.
func definedFMA(t *testing.T) func(a, b, c float32) float32 {
	sum := make([]float32, 1)
	SBgemm(false, false, 1, 1, 2, 1, []float32{-0x1p-76, 0x1p-63}, 2, []float32{0x1p-76, 0x1p-63}, 1, 0, sum, 1)
	if sum[0] == 0x1p-126 {
		return fmaFlushed
	}
	if active.name != "neon" && (active.name == "generic" || !mayBeEmulated) {
		t.Errorf("0x1p-126 - 0x1p-152 = %x, want 0x1p-126", sum[0])
	}
	return func(a, b, c float32) float32 {
		sum := sumToOdd(float64(a)*float64(b), float64(c))
		if math.Abs(sum) < 0x1p-126 {
			return float32(math.Copysign(0, sum))
		}
		return float32(sum)
	}
}

// defined computes C as SBgemm is documented to.
func defined(p product[float32], fused func(a, b, c float32) float32) {
	rounded := func(x []float32, trans bool, ld, row, col int) float32 {
		if trans {
			row, col = col, row
		}
		return math.Float32frombits(bfloat16Bits(flush(x[row*ld+col])))
	}
	for i := range p.m {
		for j := range p.n {
			c := &p.c[i*p.ldc+j]
			beta := p.beta
			if p.k == 0 {
				p.scale(p.c[i*p.ldc+j:][:1])
			}
			for lo := 0; lo < p.k; {
				hi := min(p.k, lo+evenBlock(p.k, 1024, 8))
				var sum float32
				add := func(q int) {
					if q < hi {
						sum = fused(rounded(p.a, p.transA, p.lda, i, q), rounded(p.b, p.transB, p.ldb, q, j), sum)
					}
				}
				for q := lo; q < hi; q += 2 {
					add(q + 1)
					add(q)
				}
				v := float32(p.alpha * sum)
				if beta != 0 {
					v = fma(beta, *c, v)
				}
				*c, beta, lo = v, 1, hi
			}
		}
	}
}

// bfloat16Values are operands of which the products and sums do different things.
func bfloat16Values(n int) map[string][]float32 {
	rng := rand.New(rand.NewPCG(3, uint64(n)))
	scaled := func(least, most int) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(math.Ldexp(rng.NormFloat64(), least+rng.IntN(most-least+1)))
		}
		return x
	}
	return map[string][]float32{
		"normal":  randomSlice[float32](n),
		"special": varied[float32](n, 5),
		"tiny":    scaled(-70, -58),  // products and sums around 0x1p-126
		"least":   scaled(-140, 10),  // operands below the normal range
		"huge":    scaled(60, 66),    // sums that overflow
		"wide":    scaled(-100, 100), // sums of which rounding eats most terms
	}
}

// bfloat16Tester compares SBgemm with its definition to the bit, in memory that
// ends at unreadable pages.
type bfloat16Tester struct {
	a, b, c *guarded[float32]
	fused   func(a, b, c float32) float32
}

func newBFloat16Tester(t *testing.T, most int) *bfloat16Tester {
	return &bfloat16Tester{newGuarded[float32](t, most), newGuarded[float32](t, most), newGuarded[float32](t, most), definedFMA(t)}
}

func (g *bfloat16Tester) run(t *testing.T, gemm gemmFunc[float32], values []float32, p product[float32], pad int) {
	t.Helper()
	matrix := func(memory *guarded[float32], rows, cols, shift int) ([]float32, int) {
		ld := max(cols, 1) + pad
		size := 0
		if rows > 0 && cols > 0 {
			size = (rows-1)*ld + cols
		}
		x := memory.take(size)
		for n := 0; n < len(x); shift = 0 {
			n += copy(x[n:], values[shift:])
		}
		return x, ld
	}
	rows, cols := stored(p.transA, p.m, p.k)
	p.a, p.lda = matrix(g.a, rows, cols, 0)
	rows, cols = stored(p.transB, p.k, p.n)
	p.b, p.ldb = matrix(g.b, rows, cols, 333)
	p.c, p.ldc = matrix(g.c, p.m, p.n, 666)
	for i := range p.c {
		if i%p.ldc >= p.n {
			p.c[i] = gap
		} else if p.beta == 0 {
			p.c[i] = float32(math.NaN()) // must not be read
		}
	}
	want := p
	want.c = append([]float32(nil), p.c...)
	defined(want, g.fused)
	gemm(p.transA, p.transB, p.m, p.n, p.k, p.alpha, p.a, p.lda, p.b, p.ldb, p.beta, p.c, p.ldc)
	g.c.check(t)
	for i, got := range p.c {
		if !same(got, want.c[i]) {
			t.Fatalf("%v %v %d×%d×%d alpha=%v beta=%v pad=%d: C[%d,%d] = %v, want %v",
				p.transA, p.transB, p.m, p.n, p.k, p.alpha, p.beta, pad, i/p.ldc, i%p.ldc, got, want.c[i])
		}
	}
}

// packedSBgemm is SBgemm with a B that is packed first.
func packedSBgemm(transA, transB bool, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int) {
	SBgemmPacked(transA, m, alpha, a, lda, SBPack(transB, k, n, b, ldb), beta, c, ldc, nil)
}

func TestSBgemmBits(t *testing.T) { forEachImplementation(t, testSBgemmBits) }

func testSBgemmBits(t *testing.T) {
	every := 11
	large := [][3]int{{26, 97, 301}, {1, 300, 60}, {300, 1, 61}, {3, 2100, 3}, {33, 70, 257}, {5, 9, 1201}, {270, 40, 13}}
	if testing.Short() {
		every, large = 29, [][3]int{{1, 70, 10}, {70, 1, 11}, {13, 33, 259}}
	}
	factors := []product[float32]{{alpha: 1}, {alpha: -1.5, beta: 1}, {alpha: 0, beta: -0.5}, {alpha: 0x1p-20, beta: 1e-30}, {alpha: 0.7}}
	for name, values := range bfloat16Values(5003) {
		t.Run(name, func(t *testing.T) {
			g := newBFloat16Tester(t, 1<<17)
			count := 0
			one := func(gemm gemmFunc[float32], variant, m, n, k int) {
				p := factors[count%len(factors)]
				p.transA, p.transB, p.m, p.n, p.k = variant&1 != 0, variant&2 != 0, m, n, k
				g.run(t, gemm, values, p, count%3)
				count++
			}
			for variant := range 4 {
				for k := 0; k <= 40; k++ {
					for m := k % every; m <= 40; m += every {
						for n := (m + k) % every; n <= 40; n += every {
							one([]gemmFunc[float32]{SBgemm, packedSBgemm}[(m+n)%2], variant, m, n, k)
						}
					}
				}
				for _, s := range large {
					if name != "special" && name != "wide" {
						break
					}
					one(SBgemm, variant, s[0], s[1], s[2])
					one(packedSBgemm, variant, s[0], s[1], s[2])
				}
			}
		})
	}
}

// TestSBgemm compares with products of rounded operands in float64.
func TestSBgemm(t *testing.T) {
	forEachImplementation(t, func(t *testing.T) {
		g := newGemmTester[float32](t, 1<<20, 0x1p-23)
		BFloat16Round(g.random, g.random)
		for i, s := range [][3]int{{1, 1, 1}, {7, 5, 3}, {31, 33, 40}, {30, 50, 600}, {1, 500, 100}, {500, 1, 100}, {25, 2100, 5}} {
			for variant := range 4 {
				transA, transB := variant&1 != 0, variant&2 != 0
				g.run(t, SBgemm, transA, transB, s[0], s[1], s[2], 1, 0, i%2)
				g.run(t, packedSBgemm, transA, transB, s[0], s[1], s[2], -0.5, 2, i%2)
			}
		}
	})
}

func TestSBgemmRoundsOperands(t *testing.T) {
	forEachImplementation(t, func(t *testing.T) {
		// Halfway between bfloat16 numbers, or next to that, and with a NaN whose
		// upper half is an infinity's.
		a := []float32{1 + 0x1p-8, 1 + 0x3p-8, 1 + 0x1p-8 + 0x1p-20, math.Float32frombits(0x7f800001), math.MaxFloat32, math.Float32frombits(0x007fffff), -0x1p-126}
		want := []float32{1, 1 + 0x1p-6, 1 + 0x1p-7, float32(math.NaN()), float32(math.Inf(1)), 0, -0x1p-126}
		got := make([]float32, len(a))
		SBgemm(false, false, len(a), 1, 1, 1, a, 1, []float32{1}, 1, 0, got, 1)
		for i := range got {
			if !same(got[i], want[i]) {
				t.Errorf("%x becomes %x, want %x", a[i], got[i], want[i])
			}
		}
		SBgemm(false, true, 1, len(a), 1, 1, []float32{1}, 1, a, 1, 0, got, len(a))
		for i := range got {
			if !same(got[i], want[i]) {
				t.Errorf("%x in B becomes %x, want %x", a[i], got[i], want[i])
			}
		}
	})
}

func TestSBgemmSameBitsAtAnyGOMAXPROCS(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	forEachImplementation(t, func(t *testing.T) {
		sizes := [][3]int{{130, 100, 261}, {300, 50, 60}, {1, 3000, 30}, {3000, 1, 30}, {13, 300, 100}}
		if testing.Short() {
			sizes = [][3]int{{100, 40, 35}, {13, 300, 40}}
		}
		for _, s := range sizes {
			m, n, k := s[0], s[1], s[2]
			a, b := randomSlice[float32](m*k), randomSlice[float32](k*n)
			for variant := range 4 {
				transA, transB := variant&1 != 0, variant&2 != 0
				_, lda := stored(transA, m, k)
				_, ldb := stored(transB, k, n)
				var want []float32
				for procs := 1; procs <= 3; procs++ {
					runtime.GOMAXPROCS(procs)
					for _, gemm := range []gemmFunc[float32]{SBgemm, packedSBgemm} {
						got := make([]float32, m*n)
						gemm(transA, transB, m, n, k, 1, a, lda, b, ldb, 0, got, n)
						if want == nil {
							want = got
						}
						for i := range got {
							if got[i] != want[i] {
								t.Fatalf("%v: element %d differs with GOMAXPROCS %d", s, i, procs)
							}
						}
					}
				}
			}
		}
	})
}

func TestSBgemmBatched(t *testing.T) {
	forEachImplementation(t, func(t *testing.T) {
		const batch, m, n, k, strideA, strideB, strideC = 5, 9, 13, 8, 80, 0, 130
		a, b := randomSlice[float32](batch*strideA), randomSlice[float32](n*k)
		got := randomSlice[float32](batch * strideC)
		want := append([]float32(nil), got...)
		SBgemmBatched(false, true, batch, m, n, k, 2, a, k, strideA, b, k, strideB, 0.5, got, n, strideC)
		for i := range batch {
			SBgemm(false, true, m, n, k, 2, a[i*strideA:], k, b, k, 0.5, want[i*strideC:], n)
		}
		for i := range got {
			if got[i] != want[i] {
				t.Fatalf("element %d is %v, one by one %v", i, got[i], want[i])
			}
		}
	})
}

func TestSBgemmPanics(t *testing.T) {
	x := make([]float32, 100)
	packed := SBPack(false, 10, 10, x, 10)
	mustPanic(t, func() { SBgemm(false, false, 10, 10, 10, 1, x[:99], 10, x, 10, 0, x, 10) }, "simd: SBgemm:", "a has 99")
	mustPanic(t, func() { SBgemmBatched(false, false, 3, 5, 5, 5, 1, x, 5, 60, x, 5, 25, 0, x, 5, 25) }, "simd: SBgemmBatched:", "a has 100")
	mustPanic(t, func() { SBPack(true, 10, 11, x, 10) }, "simd: SBPack:", "b has 100")
	mustPanic(t, func() { SBgemmPacked(false, 10, 1, x, 10, packed, 0, x[:99], 10, nil) }, "simd: SBgemmPacked:", "c has 99")
	mustPanic(t, func() { SBgemmPacked(false, 1, 1, x, 10, &SBPacked{}, 0, x, 10, nil) }, "simd: SBgemmPacked:", "not made by")
}

func TestSBgemmDoesNotAllocate(t *testing.T) {
	forEachImplementation(t, func(t *testing.T) {
		const size = 90
		a, b, c := randomSlice[float32](size*size), randomSlice[float32](size*size), make([]float32, size*size)
		packed := SBPack(false, size, size, b, size)
		for name, f := range map[string]func(){
			"SBgemm":       func() { SBgemm(true, true, size, size, size, 1, a, size, b, size, 0, c, size) },
			"SBgemmPacked": func() { SBgemmPacked(false, size, 1, a, size, packed, 0, c, size, nil) },
		} {
			if allocs := testing.AllocsPerRun(20, f); allocs >= 1 {
				t.Errorf("%s: %v allocations a call", name, allocs)
			}
		}
	})
}

// A triple is the operands of a fused multiply-add, of which a and b are bfloat16.
type triple struct{ a, b, c float32 }

// triples returns operands near all that can go wrong: ties, cancellation, sums near
// the least normal number on either side of where they are flushed, overflow.
func triples() []triple {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	all := []triple{
		{1, 1, 0}, {-1, 1, 1}, {0, 1, 0}, {0, inf, 1}, {inf, 1, -inf}, {nan, 1, 1}, {1, 1, nan}, {inf, -1, 5},
		{0x1p-64, 0x1p-64, 0}, {-0x1p-64, 0x1p-64, 0}, {0x1p-63, 0x1p-63, 0}, {0x1p-127, 0x1p127, 0}, {0x1p-127, inf, 1},
		{0x1p127, 2, -math.MaxFloat32}, {0x1p100, 0x1p3, math.MaxFloat32}, {0x1.fep127, 1, 0x1p120}, {0x1p51, 0x1p52, 0x1.fffffep127},
	}
	for _, sign := range []float32{1, -1} {
		for e := float32(0x1p-88); e >= 0x1p-98; e /= 2 { // products down to 0x1p-160
			for _, c := range []float32{0x1p-126, 0x1.000002p-126, 0x1.8p-126, 0x1p-125, 0x1.fffffep-126} {
				for _, m := range []float32{1, 1.5, 1.25, 1.9921875} {
					all = append(all, triple{m * e, -sign * 0x1p-62, sign * c}, triple{m * e, sign * 0x1p-62, sign * c},
						triple{m * e * 0x1p36, -sign * 0x1p-62, sign * c})
				}
			}
		}
	}
	rng := rand.New(rand.NewPCG(1, 7))
	count := 20000
	if testing.Short() {
		count = 2000
	}
	for range count {
		a, b := math.Float32frombits(rng.Uint32()), math.Float32frombits(rng.Uint32())
		if rng.IntN(2) == 0 { // a product between 0x1p-131 and 0x1p-121
			b = math.Float32frombits(math.Float32bits(b)&0x807fffff | 64<<23)
			a = math.Float32frombits(math.Float32bits(a)&0x807fffff | uint32(60+rng.IntN(9))<<23)
		}
		a, b = math.Float32frombits(bfloat16Bits(a)), math.Float32frombits(bfloat16Bits(b))
		exponent := 0
		if product := float64(a) * float64(b); product != 0 && !math.IsInf(product, 0) && !math.IsNaN(product) {
			exponent = math.Ilogb(product)
		}
		c := float32(math.Ldexp(1+float64(rng.IntN(1<<23))*0x1p-23, min(127, max(-126, exponent+rng.IntN(60)-30))))
		if rng.IntN(2) == 0 {
			c = -c
		}
		all = append(all, triple{a, b, c})
	}
	return all
}

// TestFMAFlushed compares with exact arithmetic.
func TestFMAFlushed(t *testing.T) {
	exact := func(x float32) *big.Float { return new(big.Float).SetPrec(800).SetFloat64(float64(flush(x))) }
	for _, x := range triples() {
		special := false
		for _, v := range []float32{x.a, x.b, x.c} {
			special = special || math.IsNaN(float64(v)) || math.IsInf(float64(v), 0)
		}
		if special {
			continue // the next test compares with what is below
		}
		sum := new(big.Float).SetPrec(800).Mul(exact(x.a), exact(x.b))
		sum.Add(sum, exact(x.c)).SetMode(big.ToNearestEven).SetPrec(24)
		want, _ := sum.Float32()
		if below := new(big.Float).Abs(sum).Cmp(big.NewFloat(0x1p-126)) < 0; below {
			want = float32(math.Copysign(0, float64(want)))
		}
		if got := fmaFlushed(flush(x.a), flush(x.b), flush(x.c)); !same(got, want) {
			t.Errorf("%x·%x + %x = %x, want %x", x.a, x.b, x.c, got, want)
		}
	}
	negative := float32(math.Copysign(0, -1))
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	for _, c := range []struct{ a, b, c, want float32 }{
		{0, 0, negative, 0}, {negative, 0, negative, negative}, {negative, 0, 0, 0}, {1, -1, 1, 0},
		{-0x1p-70, 0x1p-70, 0, negative}, {-0x1p-70, 0x1p-70, negative, negative}, {0x1p-70, 0x1p-70, negative, 0},
		{1, 0x1p-127, 0, 0}, {1, -0x1p-127, 0, 0}, {1, 0, 0x1p-127, 0}, {1, 0, -0x1p-127, 0}, {1, negative, -0x1p-127, negative},
		{0x1p-127, inf, 1, nan}, {inf, 1, -inf, nan}, {inf, 1, 1, inf}, {0x1p127, 2, 0, inf}, {nan, 1, 1, nan}, {1, 1, -inf, -inf},
		// A quarter of a place below the least normal number that is the least
		// normal number, just below that zero.
		{-0x1p-76, 0x1p-76, 0x1p-126, 0x1p-126}, {-0x1p-76, 0x1p-75, 0x1p-126, 0x1p-126}, {-0x1.02p-76, 0x1p-75, 0x1p-126, 0},
	} {
		if got := fmaFlushed(flush(c.a), flush(c.b), flush(c.c)); !same(got, c.want) {
			t.Errorf("%x·%x + %x = %x, want %x", c.a, c.b, c.c, got, c.want)
		}
	}
}

// TestKernelsAddAsDefined has the kernels of every implementation add one product
// to a sum of any bits: that is made of three products before.
func TestKernelsAddAsDefined(t *testing.T) {
	all := triples()
	const k = 4
	a, b := make([]float32, k*len(all)), make([]float32, k*len(all))
	for i, x := range all {
		unit := float32(1) // such that no part is below the normal range
		if math.Abs(float64(x.c)) < 1 {
			unit = 0x1p-60
		}
		upper := math.Float32frombits(math.Float32bits(x.c) & 0xffff0000)
		middle, lower := float32(0), float32(0)
		if rest := x.c - upper; upper == upper && !math.IsInf(float64(upper), 0) {
			middle = math.Float32frombits(math.Float32bits(rest/unit)&0xffff0000) * unit
			lower = rest - middle
		}
		copy(a[i*k:], []float32{middle / unit, upper / unit, x.a, lower / unit})
		copy(b[i*k:], []float32{unit, unit, x.b, unit})
	}
	forEachImplementation(t, func(t *testing.T) {
		fused := definedFMA(t)
		got := make([]float32, len(all))
		SBgemmBatched(false, false, len(all), 1, 1, k, 1, a, k, k, b, 1, k, 0, got, 1, 1)
		wrong := 0
		for i, x := range all {
			if want := fused(flush(x.a), flush(x.b), flush(x.c)); !same(got[i], want) {
				if wrong++; wrong < 10 {
					t.Errorf("%x·%x + %x = %x, want %x", x.a, x.b, x.c, got[i], want)
				}
			}
		}
	})
}

// TestSBPackedMemory holds SBPacked to what its documentation says.
func TestSBPackedMemory(t *testing.T) {
	forEachImplementation(t, func(t *testing.T) {
		const k, n = 512, 256
		elements := len(SBPack(false, k, n, make([]float32, k*n), n).data)
		t.Logf("%d elements for %d, with pairs: %v", elements, k*n, active.sbgemm.pairs)
		if active.sbgemm.pairs != (elements < k*n) {
			t.Error("want half of the elements with pairs, and otherwise not")
		}
	})
}
