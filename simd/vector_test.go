package simd

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/muppet-go/muppet/internal/parallel"
)

// vectorLengths cover every rest of every kernel, and more than a block.
func vectorLengths() []int {
	var lengths []int
	if testing.Short() {
		return []int{0, 1, 3, 4, 7, 8, 9, 15, 16, 17, 31, 33, 64, 79, 130, 300}
	}
	for n := range 140 {
		lengths = append(lengths, n)
	}
	return append(lengths, 1000, blockLen-1, blockLen+1, 2*blockLen+77)
}

// elementwiseTest is an exported kernel with the twin it must agree with, to
// within limit ULPs.
type elementwiseTest[T float] struct {
	name    string
	sources int
	run     func(dst []T, src [3][]T)
	twin    func(dst []T, src [3][]T)
	limit   float64
	floor   float64 // below which a ULP is not smaller
}

func vectorTests32() []elementwiseTest[float32] {
	g := genericVector[float32]()
	tests := vectorTests(g, map[string]func(dst, x []float32){
		"Neg": SNeg, "Abs": SAbs, "Sign": SSign, "Sqrt": SSqrt, "Floor": SFloor, "Exp": SExp, "Expm1": SExpm1, "Log": SLog,
		"Log1p": SLog1p, "Tanh": STanh, "Erf": SErf, "Sin": SSin, "Cos": SCos,
		"Sigmoid": SSigmoid, "GELU": SGELU, "GELUGrad": SGELUGrad,
	}, map[string]func(dst, a, b []float32){
		"Add": SAdd, "Sub": SSub, "Mul": SMul, "Div": SDiv, "Max": SMax, "Min": SMin, "Pow": SPow, "Less": SLess,
		"LessEqual": SLessEqual, "Equal": SEqual,
	}, map[string]func(dst, a, b, c []float32){"Select": SSelect, "MulAdd": SMulAdd},
		map[string]func(dst, x []float32, s float32){"AddScalar": SAddScalar, "MulScalar": SMulScalar,
			"Axpy": func(dst, x []float32, s float32) { SAxpy(s, x, dst) },
			"Fill": func(dst, _ []float32, s float32) { SFill(dst, s) }})
	return append(tests, elementwiseTest[float32]{"BFloat16Round", 1,
		func(dst []float32, src [3][]float32) { BFloat16Round(dst, src[0]) },
		func(dst []float32, src [3][]float32) { bfloat16RoundGeneric(dst, src[0]) }, 0, 0})
}

func vectorTests64() []elementwiseTest[float64] {
	return vectorTests(genericVector[float64](), map[string]func(dst, x []float64){
		"Neg": DNeg, "Abs": DAbs, "Sign": DSign, "Sqrt": DSqrt, "Floor": DFloor, "Exp": DExp, "Expm1": DExpm1, "Log": DLog,
		"Log1p": DLog1p, "Tanh": DTanh, "Erf": DErf, "Sin": DSin, "Cos": DCos,
		"Sigmoid": DSigmoid, "GELU": DGELU, "GELUGrad": DGELUGrad,
	}, map[string]func(dst, a, b []float64){
		"Add": DAdd, "Sub": DSub, "Mul": DMul, "Div": DDiv, "Max": DMax, "Min": DMin, "Pow": DPow, "Less": DLess,
		"LessEqual": DLessEqual, "Equal": DEqual,
	}, map[string]func(dst, a, b, c []float64){"Select": DSelect, "MulAdd": DMulAdd},
		map[string]func(dst, x []float64, s float64){"AddScalar": DAddScalar, "MulScalar": DMulScalar,
			"Axpy": func(dst, x []float64, s float64) { DAxpy(s, x, dst) },
			"Fill": func(dst, _ []float64, s float64) { DFill(dst, s) }})
}

func vectorTests[T float](g vectorKernels[T], unary map[string]func(dst, x []T), binary map[string]func(dst, a, b []T),
	ternary map[string]func(dst, a, b, c []T), scalar map[string]func(dst, x []T, s T)) []elementwiseTest[T] {
	// The twins are exact, but for the last bit of package math's functions.
	limits := map[string]float64{"Exp": 2, "Log": 2, "Tanh": 2, "Erf": 2, "Sigmoid": 3, "GELU": 5.5, "GELUGrad": 6}
	floors := map[string]float64{"GELUGrad": 0.125}
	unaryTwins := map[string]func(dst, x []T){"Neg": g.neg, "Abs": g.abs, "Sign": g.sign, "Sqrt": g.sqrt, "Floor": g.floor,
		"Exp": g.exp, "Expm1": g.expm1, "Log": g.log, "Log1p": g.log1p, "Tanh": g.tanh, "Erf": g.erf, "Sin": g.sin, "Cos": g.cos,
		"Sigmoid": g.sigmoid, "GELU": g.gelu, "GELUGrad": g.geluGrad}
	binaryTwins := map[string]func(dst, a, b []T){"Add": g.add, "Sub": g.sub, "Mul": g.mul, "Div": g.div, "Max": g.max, "Min": g.min,
		"Pow": g.pow, "Less": g.less, "LessEqual": g.lessEqual, "Equal": g.equal}
	ternaryTwins := map[string]func(dst, a, b, c []T){"Select": g.selects, "MulAdd": g.mulAdd}
	scalarTwins := map[string]func(dst, x []T, s T){"AddScalar": g.addScalar, "MulScalar": g.mulScalar, "Axpy": g.axpy,
		"Fill": func(dst, _ []T, s T) { g.fill(dst, s) }}
	var tests []elementwiseTest[T]
	for name, f := range unary {
		twin := unaryTwins[name]
		tests = append(tests, elementwiseTest[T]{name, 1, func(dst []T, src [3][]T) { f(dst, src[0]) },
			func(dst []T, src [3][]T) { twin(dst, src[0]) }, limits[name], floors[name]})
	}
	for name, f := range binary {
		twin := binaryTwins[name]
		tests = append(tests, elementwiseTest[T]{name, 2, func(dst []T, src [3][]T) { f(dst, src[0], src[1]) },
			func(dst []T, src [3][]T) { twin(dst, src[0], src[1]) }, 0, 0})
	}
	for name, f := range ternary {
		twin := ternaryTwins[name]
		tests = append(tests, elementwiseTest[T]{name, 3, func(dst []T, src [3][]T) { f(dst, src[0], src[1], src[2]) },
			func(dst []T, src [3][]T) { twin(dst, src[0], src[1], src[2]) }, 0, 0})
	}
	for name, f := range scalar {
		twin := scalarTwins[name]
		tests = append(tests, elementwiseTest[T]{name, 1, func(dst []T, src [3][]T) { f(dst, src[0], -2.7) },
			func(dst []T, src [3][]T) { twin(dst, src[0], -2.7) }, 0, 0})
	}
	return tests
}

func TestElementwise(t *testing.T) {
	forEachImplementation(t, func(t *testing.T) {
		t.Run("S", func(t *testing.T) { testElementwise(t, vectorTests32()) })
		t.Run("D", func(t *testing.T) { testElementwise(t, vectorTests64()) })
	})
}

func testElementwise[T float](t *testing.T, tests []elementwiseTest[T]) {
	most := 3 * blockLen
	var src [3][]T
	for i := range src {
		src[i] = varied[T](most, uint64(i))
	}
	dstMemory := newGuarded[T](t, most)
	var srcMemory [3]*guarded[T]
	for i := range srcMemory {
		srcMemory[i] = newGuarded[T](t, most)
	}
	start := make([]T, most) // dst before the call: Axpy reads it
	copy(start, varied[T](most, 7))
	for _, test := range tests {
		for _, n := range vectorLengths() {
			want := append([]T(nil), start[:n]...)
			test.twin(want, [3][]T{src[0][:n], src[1][:n], src[2][:n]})
			dst := dstMemory.take(n)
			copy(dst, start)
			var in [3][]T
			for i := range test.sources {
				in[i] = srcMemory[i].take(n)
				copy(in[i], src[i])
			}
			test.run(dst, in)
			compare(t, fmt.Sprintf("%s of %d", test.name, n), dst, want, in, test)
			dstMemory.check(t)

			// In place: dst is one of the sources.
			if test.name == "Axpy" {
				continue
			}
			for i := range test.sources {
				alias := append([]T(nil), src[i][:n]...)
				kept := in[i]
				in[i] = alias
				test.run(alias, in)
				in[i] = kept
				compare(t, fmt.Sprintf("%s of %d into source %d", test.name, n, i), alias, want, in, test)
			}
		}
	}
}

func compare[T float](t *testing.T, what string, got, want []T, in [3][]T, test elementwiseTest[T]) {
	t.Helper()
	for i := range want {
		if !same(got[i], want[i]) && (test.limit == 0 || ulpsAbove(test.floor, got[i], want[i]) > test.limit) {
			var args []T
			for _, s := range in {
				if s != nil {
					args = append(args, s[i])
				}
			}
			t.Fatalf("%s: element %d is %v, want %v (of %v)", what, i, got[i], want[i], args)
		}
	}
}

// accurate lists the functions of which the doc comments bound the error.
var accurate = []struct {
	name   string
	kernel func(*vectorKernels[float32]) func(dst, x []float32)
	exact  func(float64) float64
	limit  float64 // in units in the last place of the exact result
	floor  float64 // or of this, if it is larger
}{
	{"Exp", func(k *vectorKernels[float32]) func(dst, x []float32) { return k.exp }, math.Exp, 1, 0},
	{"Log", func(k *vectorKernels[float32]) func(dst, x []float32) { return k.log }, math.Log, 1, 0},
	{"Tanh", func(k *vectorKernels[float32]) func(dst, x []float32) { return k.tanh }, math.Tanh, 1.5, 0},
	{"Erf", func(k *vectorKernels[float32]) func(dst, x []float32) { return k.erf }, math.Erf, 1.5, 0},
	{"Sqrt", func(k *vectorKernels[float32]) func(dst, x []float32) { return k.sqrt }, math.Sqrt, 0.5, 0},
	{"Sigmoid", func(k *vectorKernels[float32]) func(dst, x []float32) { return k.sigmoid }, sigmoid, 2.5, 0},
	{"GELU", func(k *vectorKernels[float32]) func(dst, x []float32) { return k.gelu }, gelu, 5, 0},
	{"GELUGrad", func(k *vectorKernels[float32]) func(dst, x []float32) { return k.geluGrad }, geluGrad, 5.5, 0.125},
}

// TestAccuracy measures the float32 functions against package math in float64, on a
// million and a half of arguments of every magnitude or, where MUPPET_EXHAUSTIVE is
// set, on every float32 there is.
func TestAccuracy(t *testing.T) {
	// Every 4096th float32, the range that matters densely, and specials.
	var x []float32
	step := 1
	if testing.Short() {
		step = 101
	}
	for b := 0; b < 1<<20; b += step {
		x = append(x, math.Float32frombits(uint32(b)<<12|uint32(b)*2654435761>>20))
	}
	for i := -1 << 18; i < 1<<18; i += step {
		x = append(x, float32(i)*(110.0/(1<<18)), float32(i)*(5.0/(1<<18)))
	}
	x = append(x, specialValues[float32]()...)
	chunks, chunk := ceilDiv(len(x), blockLen), func(i int, _ []float32) []float32 {
		return x[i*blockLen : min((i+1)*blockLen, len(x))]
	}
	if os.Getenv("MUPPET_EXHAUSTIVE") != "" {
		chunks, chunk = 1<<32/blockLen, func(i int, buffer []float32) []float32 {
			for j := range buffer {
				buffer[j] = math.Float32frombits(uint32(i*blockLen + j))
			}
			return buffer
		}
	}
	for _, f := range accurate {
		var mu sync.Mutex
		worst, where := make([]float64, len(implementations)), make([]float32, len(implementations))
		parallel.Range(chunks, 64, func(lo, hi int) {
			buffer, got, exact := make([]float32, blockLen), make([]float32, blockLen), make([]float64, blockLen)
			for i := lo; i < hi; i++ {
				x := chunk(i, buffer)
				for j, v := range x {
					exact[j] = f.exact(float64(v))
				}
				for n, impl := range implementations {
					f.kernel(&impl.s)(got[:len(x)], x)
					e, v := worstError(got[:len(x)], exact, x, f.floor)
					mu.Lock()
					if e > worst[n] {
						worst[n], where[n] = e, v
					}
					mu.Unlock()
				}
			}
		})
		for n, impl := range implementations {
			t.Logf("%s: S%s: at most %.3f ULP, at %v", impl.name, f.name, worst[n], where[n])
			if !(worst[n] <= f.limit) {
				t.Errorf("%s: S%s(%v) is off by %.2f ULP, should be %v", impl.name, f.name, where[n], worst[n], float32(f.exact(float64(where[n]))))
			}
		}
	}
}

// worstError returns the largest error in units in the last place, and its argument.
func worstError(got []float32, exact []float64, x []float32, floor float64) (worst float64, where float32) {
	for j, g := range got {
		// A unit is at least 2**-24 of the exact result: most are soon seen to be
		// no worse.
		if e := exact[j]; e != 0 && math.Abs(float64(g)-e) <= worst*math.Abs(e)*0x1p-24 {
			continue
		}
		if e := errorInUlps(g, exact[j], floor); e > worst {
			worst, where = e, x[j]
		}
	}
	return worst, where
}

// errorInUlps returns |got - exact| in units in the last place of a float32 of
// exact's magnitude or, if it is larger, of floor; special values must be equal.
func errorInUlps(got float32, exact, floor float64) float64 {
	rounded := float32(exact)
	if same(got, rounded) {
		if math.IsInf(exact, 0) || exact != exact || math.IsInf(float64(rounded), 0) {
			return 0
		}
	} else if got != got || exact != exact || math.IsInf(float64(got), 0) || math.IsInf(float64(rounded), 0) ||
		got == 0 && rounded == 0 {
		return math.Inf(1)
	}
	_, exponent := math.Frexp(max(math.Abs(exact), floor))
	unit := math.Ldexp(1, max(exponent-24, -149))
	return math.Abs(float64(got)-exact) / unit
}

// TestPrecisionsHaveTheSameFunctions reads the package for exported functions of
// float32 that have no counterpart in float64.
func TestPrecisionsHaveTheSameFunctions(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^func ([SD][A-Za-z0-9]+)\(`).FindAllSubmatch(text, -1) {
			found[string(m[1])] = true
		}
	}
	if !found["SGELU"] || !found["DGELU"] {
		t.Fatal("functions are not found")
	}
	for name := range found {
		if name[0] == 'S' && !strings.HasPrefix(name, "SB") && !found["D"+name[1:]] {
			t.Errorf("%s has no counterpart in float64", name)
		}
	}
}

func TestLengthsMustAgree(t *testing.T) {
	three, four := make([]float32, 3), make([]float32, 4)
	mustPanic(t, func() { SAdd(three, three, four) }, "simd: SAdd", "3", "4")
	mustPanic(t, func() { SExp(four, three) }, "simd: SExp", "3", "4")
	mustPanic(t, func() { SMulAdd(four, four, three, four) }, "simd: SMulAdd", "3", "4")
	mustPanic(t, func() { SAxpy(1, three, four) }, "simd: SAxpy", "3", "4")
	mustPanic(t, func() { SDot(three, four) }, "simd: SDot", "3", "4")
	mustPanic(t, func() { BFloat16Round(three, four) }, "simd: BFloat16Round", "3", "4")
}

func TestReductions(t *testing.T) {
	forEachImplementation(t, func(t *testing.T) {
		t.Run("S", func(t *testing.T) { testReductions(t, SSum, SSumSquares, SDot, SMaxOf, 0x1p-24) })
		t.Run("D", func(t *testing.T) { testReductions(t, DSum, DSumSquares, DDot, DMaxOf, 0x1p-53) })
	})
}

func testReductions[T float](t *testing.T, sum, sumSquares func([]T) T, dot func(a, b []T) T, maxOf func([]T) T, eps float64) {
	most := 3 * blockLen
	a, b := newGuarded[T](t, most), newGuarded[T](t, most)
	random := randomSlice[T](2 * most)
	for _, n := range vectorLengths() {
		x, y := a.take(n), b.take(n)
		copy(x, random)
		copy(y, random[most:])
		var wantSum, wantSquares, wantDot, sumAbs, dotAbs float64
		wantMax := T(math.Inf(-1))
		for i := range x {
			u, v := float64(x[i]), float64(y[i])
			wantSum += u
			wantSquares += u * u
			wantDot += u * v
			sumAbs += math.Abs(u)
			dotAbs += math.Abs(u * v)
			wantMax = max(wantMax, x[i])
		}
		near := func(name string, got T, want, magnitude float64) {
			t.Helper()
			// A vector or unrolled sum rounds at most n times, in practice far less.
			if tolerance := eps * magnitude * (4 + math.Sqrt(float64(n))); math.Abs(float64(got)-want) > tolerance {
				t.Fatalf("%s of %d: %v, want %v ± %.2g", name, n, got, want, tolerance)
			}
		}
		near("Sum", sum(x), wantSum, sumAbs)
		near("SumSquares", sumSquares(x), wantSquares, wantSquares)
		near("Dot", dot(x, y), wantDot, dotAbs)
		if got := maxOf(x); got != wantMax {
			t.Fatalf("MaxOf of %d: %v, want %v", n, got, wantMax)
		}
	}
	// The largest element, and a NaN, anywhere.
	for _, n := range []int{1, 7, 16, 33, 64, 65, 130, blockLen + 3} {
		for i := range n {
			if n > 1000 && i%997 != 0 {
				continue
			}
			x := a.take(n)
			copy(x, random)
			x[i] = 100
			if got := maxOf(x); got != 100 {
				t.Fatalf("MaxOf of %d with 100 at %d: %v", n, i, got)
			}
			x[i] = T(math.NaN())
			if got := maxOf(x); got == got {
				t.Fatalf("MaxOf of %d with NaN at %d: %v", n, i, got)
			}
			if got := sum(x); got == got {
				t.Fatalf("Sum of %d with NaN at %d: %v", n, i, got)
			}
		}
	}
	negative := a.take(37)
	for i := range negative {
		negative[i] = T(-5 - i)
	}
	if got := maxOf(negative); got != -5 {
		t.Errorf("MaxOf of negative numbers: %v, want -5", got)
	}
	if got := maxOf(nil); !math.IsInf(float64(got), -1) {
		t.Errorf("MaxOf of nothing: %v, want -Inf", got)
	}
}
