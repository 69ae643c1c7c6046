package gonumblas

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/blas"
)

// routines are those of one precision that Implementation replaces.
type routines[T float] struct {
	dot  func(n int, x []T, incX int, y []T, incY int) T
	axpy func(n int, alpha T, x []T, incX int, y []T, incY int)
	scal func(n int, alpha T, x []T, incX int)
	nrm2 func(n int, x []T, incX int) T
	asum func(n int, x []T, incX int) T
	gemv func(tA blas.Transpose, m, n int, alpha T, a []T, lda int, x []T, incX int, beta T, y []T, incY int)
	ger  func(m, n int, alpha T, x []T, incX int, y []T, incY int, a []T, lda int)
	gemm func(tA, tB blas.Transpose, m, n, k int, alpha T, a []T, lda int, b []T, ldb int, beta T, c []T, ldc int)
	syrk func(ul blas.Uplo, tA blas.Transpose, n, k int, alpha T, a []T, lda int, beta T, c []T, ldc int)
	trsm func(s blas.Side, ul blas.Uplo, tA blas.Transpose, d blas.Diag, m, n int, alpha T, a []T, lda int, b []T, ldb int)

	eps    float64
	always bool
}

func single(impl blas.Float32, always bool) routines[float32] {
	return routines[float32]{impl.Sdot, impl.Saxpy, impl.Sscal, impl.Snrm2, impl.Sasum, impl.Sgemv, impl.Sger, impl.Sgemm, impl.Ssyrk, impl.Strsm, 0x1p-23, always}
}

func double(impl blas.Float64, always bool) routines[float64] {
	return routines[float64]{impl.Ddot, impl.Daxpy, impl.Dscal, impl.Dnrm2, impl.Dasum, impl.Dgemv, impl.Dger, impl.Dgemm, impl.Dsyrk, impl.Dtrsm, 0x1p-52, always}
}

// forEach runs a test in both precisions, with gonum's routines where they are
// faster and without.
func forEach(t *testing.T, s func(t *testing.T, r routines[float32]), d func(t *testing.T, r routines[float64])) {
	for name, impl := range map[string]Implementation{"chosen": {}, "always": {always: true}} {
		t.Run("S/"+name, func(t *testing.T) { s(t, single(impl, impl.always)) })
		t.Run("D/"+name, func(t *testing.T) { d(t, double(impl, impl.always)) })
	}
}

// sizes are on both sides of the edges of tiles, blocks and vectors.
var sizes = []int{0, 1, 2, 3, 5, 6, 7, 8, 13, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 257}

var (
	transposes = []blas.Transpose{blas.NoTrans, blas.Trans, blas.ConjTrans}
	factors    = []float64{0, 1, -1, 0.7}
	increments = []int{1, 2, -1, -3}
)

// pick returns a random one of a list.
func pick[E any](rng *rand.Rand, list []E) E { return list[rng.IntN(len(list))] }

// pickSizes returns count random sizes whose product is at most the limit.
func pickSizes(rng *rand.Rand, count, limit int) []int {
	for {
		picked, product := make([]int, count), 1
		for i := range picked {
			picked[i] = pick(rng, sizes)
			product *= picked[i]
		}
		if product <= limit {
			return picked
		}
	}
}

// repeats returns how many random sizes to try, and most how many
// multiplications one may take. The short tests are those that the race detector
// slows down.
func repeats(n int) int {
	if testing.Short() {
		return 1
	}
	return n
}

func most() int {
	if testing.Short() {
		return 1 << 13
	}
	return 1 << 18
}

// An operand is a matrix with NaN around it and between its rows, which nothing
// may write, and which shows in a result if something reads it. A vector is a
// matrix of one column.
type operand[T float] struct {
	rows, cols, ld int
	reversed       bool // the first row lies last
	x              []T  // what a routine is given
	memory, before []T
}

const guard = 9

func newOperand[T float](rng *rand.Rand, rows, cols, ld int) *operand[T] {
	length := rng.IntN(3) // beyond the last element
	if rows > 0 {         // gonum wants rows even if they are empty
		length += (rows-1)*ld + cols
	}
	memory := make([]T, guard+length+guard)
	o := &operand[T]{rows: rows, cols: cols, ld: ld, memory: memory, x: memory[guard:][:length:length]}
	for i := range memory {
		memory[i] = T(math.NaN())
	}
	o.each(func(i, j int, v *T) { *v = T(rng.NormFloat64()) })
	return o
}

func newVector[T float](rng *rand.Rand, n, inc int) *operand[T] {
	o := newOperand[T](rng, n, 1, max(inc, -inc))
	o.reversed = inc < 0
	return o
}

func (o *operand[T]) element(i, j int) *T {
	if o.reversed {
		i = o.rows - 1 - i
	}
	return &o.x[i*o.ld+j]
}

func (o *operand[T]) at(i, j int) float64 { return float64(*o.element(i, j)) }

func (o *operand[T]) each(f func(i, j int, v *T)) {
	for i := range o.rows {
		for j := range o.cols {
			f(i, j, o.element(i, j))
		}
	}
}

// sprinkle puts in some zeros, infinities and NaN.
func (o *operand[T]) sprinkle(rng *rand.Rand) {
	o.each(func(i, j int, v *T) {
		switch rng.IntN(40) {
		case 0, 1:
			*v = 0
		case 2:
			*v = T(math.Inf(1 - 2*rng.IntN(2)))
		case 3:
			*v = T(math.NaN())
		}
	})
}

// keep remembers what is there before a call.
func (o *operand[T]) keep() { o.before = append([]T(nil), o.memory...) }

// was returns an element as it was before the call.
func (o *operand[T]) was(i, j int) float64 {
	if o.reversed {
		i = o.rows - 1 - i
	}
	return float64(o.before[guard+i*o.ld+j])
}

// check fails unless the call left each element within tolerance of what is
// wanted and everything that is not wanted as it was. A nil want is of an
// operand that is only read.
func (o *operand[T]) check(t *testing.T, want func(i, j int) (value, tolerance float64, wanted bool)) {
	t.Helper()
	if want != nil {
		o.each(func(i, j int, v *T) {
			if value, tolerance, wanted := want(i, j); wanted {
				if !near(float64(*v), value, tolerance) {
					t.Fatalf("element %d,%d is %v, want %v ± %.2g", i, j, *v, value, tolerance)
				}
				*v = T(o.was(i, j))
			}
		})
	}
	for i, v := range o.memory {
		if bits(v) != bits(o.before[i]) {
			t.Fatalf("wrote %v at position %d of memory that is not to be written", v, i-guard)
		}
	}
}

// near reports whether got is within tolerance of want. NaN is near NaN, and an
// infinity is near itself.
func near(got, want, tolerance float64) bool {
	if math.IsNaN(want) {
		return math.IsNaN(got)
	}
	return got == want || math.Abs(got-want) <= tolerance
}

func bits[T float](v T) uint64 {
	if v, ok := any(v).(float32); ok {
		return uint64(math.Float32bits(v))
	}
	return math.Float64bits(float64(v))
}

// A sum adds up terms, and their magnitudes, to which its rounding error is
// relative.
type sum struct{ value, magnitude float64 }

func (s *sum) add(term float64) {
	s.value += term
	s.magnitude += math.Abs(term)
}

// tolerance bounds the error of terms products added in any order, for numbers
// of the given precision: statistically, with room.
func (s *sum) tolerance(eps float64, terms int) float64 {
	return eps * s.magnitude * (4 + math.Sqrt(float64(terms)))
}

// combine returns alpha·s + beta·before as BLAS defines it: what is multiplied
// by zero is not read.
func combine(alpha float64, s sum, beta, before float64) sum {
	var total sum
	if alpha != 0 {
		total = sum{alpha * s.value, math.Abs(alpha) * s.magnitude}
	}
	if beta != 0 {
		total.add(beta * before)
	}
	return total
}
