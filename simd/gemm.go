package simd

import (
	"fmt"

	"github.com/muppet-go/muppet/internal/parallel"
)

// Sgemm computes C = alpha·op(A)·op(B) + beta·C on row-major matrices, where
// op(X) is X or, with trans, its transpose: op(A) is m×k, op(B) is k×n and C is
// m×n. Rows of a matrix as stored are lda, ldb and ldc elements apart.
//
// C is not read if beta is 0. Zeros in A and B are not skipped, so that 0·NaN
// and 0·Inf give NaN. The work is spread over up to GOMAXPROCS threads, whose
// number does not change a bit of the result. C must not overlap A or B. It
// panics if a size is negative or a slice is too short.
func Sgemm(transA, transB bool, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int) {
	p := product[float32]{transA, transB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, nil}
	p.check("Sgemm")
	p.run(active.sgemm, true)
}

// An SEpilogue finishes elements of C right after the product has been computed,
// while they are in the first-level cache: c is those of row i from column j on,
// which it may change. Every element is passed once, in pieces of no particular
// size, by several goroutines at a time. It can add a bias, apply an activation
// function or copy the values from before that to where a gradient needs them.
type SEpilogue func(c []float32, i, j int)

// A DEpilogue is an SEpilogue in float64.
type DEpilogue func(c []float64, i, j int)

// SgemmEpilogue is Sgemm followed by the epilogue, which may be nil.
func SgemmEpilogue(transA, transB bool, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int, epilogue SEpilogue) {
	p := product[float32]{transA, transB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, epilogue}
	p.check("SgemmEpilogue")
	p.run(active.sgemm, true)
}

// SgemmSerial is Sgemm on the calling goroutine alone, for callers that spread
// many small products themselves.
func SgemmSerial(transA, transB bool, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int) {
	p := product[float32]{transA, transB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, nil}
	p.check("SgemmSerial")
	p.run(active.sgemm, false)
}

// SgemmBatched computes batch products as Sgemm does, of matrices that begin
// strideA, strideB and strideC elements after one another. A stride of 0 uses
// one A or B for all; the Cs must not overlap.
func SgemmBatched(transA, transB bool, batch, m, n, k int, alpha float32, a []float32, lda, strideA int, b []float32, ldb, strideB int, beta float32, c []float32, ldc, strideC int) {
	p := product[float32]{transA, transB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, nil}
	p.runBatch("SgemmBatched", active.sgemm, batch, strideA, strideB, strideC)
}

// Dgemm is Sgemm in float64.
func Dgemm(transA, transB bool, m, n, k int, alpha float64, a []float64, lda int, b []float64, ldb int, beta float64, c []float64, ldc int) {
	p := product[float64]{transA, transB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, nil}
	p.check("Dgemm")
	p.run(active.dgemm, true)
}

// DgemmEpilogue is SgemmEpilogue in float64.
func DgemmEpilogue(transA, transB bool, m, n, k int, alpha float64, a []float64, lda int, b []float64, ldb int, beta float64, c []float64, ldc int, epilogue DEpilogue) {
	p := product[float64]{transA, transB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, epilogue}
	p.check("DgemmEpilogue")
	p.run(active.dgemm, true)
}

// DgemmSerial is Dgemm on the calling goroutine alone, for callers that spread
// many small products themselves.
func DgemmSerial(transA, transB bool, m, n, k int, alpha float64, a []float64, lda int, b []float64, ldb int, beta float64, c []float64, ldc int) {
	p := product[float64]{transA, transB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, nil}
	p.check("DgemmSerial")
	p.run(active.dgemm, false)
}

// DgemmBatched computes batch products as Dgemm does, of matrices that begin
// strideA, strideB and strideC elements after one another. A stride of 0 uses
// one A or B for all; the Cs must not overlap.
func DgemmBatched(transA, transB bool, batch, m, n, k int, alpha float64, a []float64, lda, strideA int, b []float64, ldb, strideB int, beta float64, c []float64, ldc, strideC int) {
	p := product[float64]{transA, transB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, nil}
	p.runBatch("DgemmBatched", active.dgemm, batch, strideA, strideB, strideC)
}

// A product is the arguments of a matrix product.
type product[T float] struct {
	transA, transB bool
	m, n, k        int
	alpha          T
	a              []T
	lda            int
	b              []T
	ldb            int
	beta           T
	c              []T
	ldc            int
	epilogue       func(c []T, i, j int)
}

func (p *product[T]) check(name string) {
	p.checkAC(name)
	rows, cols := stored(p.transB, p.k, p.n)
	checkMatrix(name, "b", len(p.b), rows, cols, p.ldb)
}

// checkAC checks everything but B.
func (p *product[T]) checkAC(name string) {
	if p.m < 0 || p.n < 0 || p.k < 0 {
		panic(fmt.Sprintf("simd: %s: negative size m=%d n=%d k=%d", name, p.m, p.n, p.k))
	}
	rows, cols := stored(p.transA, p.m, p.k)
	checkMatrix(name, "a", len(p.a), rows, cols, p.lda)
	checkMatrix(name, "c", len(p.c), p.m, p.n, p.ldc)
}

// stored returns the rows and columns of a matrix as it lies in memory.
func stored(trans bool, rows, cols int) (int, int) {
	if trans {
		return cols, rows
	}
	return rows, cols
}

// checkMatrix panics unless rows×cols elements, rows ld apart, fit in length.
func checkMatrix(name, argument string, length, rows, cols, ld int) {
	if ld < max(cols, 1) {
		panic(fmt.Sprintf("simd: %s: ld%s = %d is less than the %d columns of %s", name, argument, ld, cols, argument))
	}
	if rows > 0 && cols > 0 && (cols > length || rows-1 > (length-cols)/ld) {
		panic(fmt.Sprintf("simd: %s: %s has %d elements, too few for %d×%d with rows %d apart", name, argument, length, rows, cols, ld))
	}
}

// run computes a checked product.
func (p *product[T]) run(kernels *gemmKernels[T], threads bool) {
	switch {
	case p.empty():
	case kernels.roundA == nil && (p.m == 1 || p.n == 1):
		p.gemv(kernels, threads)
		p.finish()
	default:
		p.blocked(kernels, nil, threads)
	}
}

// empty reports whether nothing is to be multiplied, and has then computed C.
func (p *product[T]) empty() bool {
	if p.m == 0 || p.n == 0 {
		return true
	}
	if p.k > 0 {
		return false
	}
	for i := range p.m {
		p.scale(p.c[i*p.ldc:][:p.n])
	}
	p.finish()
	return true
}

// finish calls the epilogue for all of C.
func (p *product[T]) finish() {
	if p.epilogue != nil {
		for i := range p.m {
			p.epilogue(p.c[i*p.ldc:][:p.n], i, 0)
		}
	}
}

// scale multiplies a row of C by beta.
func (p *product[T]) scale(row []T) {
	for j := range row {
		if p.beta == 0 {
			row[j] = 0
		} else {
			row[j] *= p.beta
		}
	}
}

// runBatch spreads whole products over the threads if each is small, and
// otherwise each product.
func (p *product[T]) runBatch(name string, kernels *gemmKernels[T], batch, strideA, strideB, strideC int) {
	if batch < 0 || strideA < 0 || strideB < 0 || strideC < 0 {
		panic(fmt.Sprintf("simd: %s: negative batch=%d or stride %d, %d, %d", name, batch, strideA, strideB, strideC))
	}
	if batch == 0 {
		return
	}
	last := p.at(batch-1, 0, 0, 0)
	last.a = from(name, "a", p.a, batch-1, strideA)
	last.b = from(name, "b", p.b, batch-1, strideB)
	last.c = from(name, "c", p.c, batch-1, strideC)
	last.check(name)
	if batch > 1 && p.work() <= batchedWork {
		q := *p
		parallel.For(batch, func(i int) {
			one := q.at(i, strideA, strideB, strideC)
			one.run(kernels, false)
		})
		return
	}
	for i := range batch {
		one := p.at(i, strideA, strideB, strideC)
		one.run(kernels, true)
	}
}

// batchedWork is the size (in multiplications) up to which a product of a batch
// is computed by one thread.
const batchedWork = 1 << 24

// work returns the number of multiplications, in float64 because it may be huge
// where a matrix is used repeatedly.
func (p *product[T]) work() float64 { return float64(p.m) * float64(p.n) * float64(p.k) }

// at returns product i of a batch.
func (p *product[T]) at(i, strideA, strideB, strideC int) product[T] {
	one := *p
	one.a = p.a[min(i*strideA, len(p.a)):]
	one.b = p.b[min(i*strideB, len(p.b)):]
	one.c = p.c[min(i*strideC, len(p.c)):]
	return one
}

// from returns x from element i·stride on.
func from[T float](name, argument string, x []T, i, stride int) []T {
	if i > 0 && stride > len(x)/i {
		panic(fmt.Sprintf("simd: %s: %s has %d elements, too few for %d matrices %d apart", name, argument, len(x), i+1, stride))
	}
	return x[i*stride:]
}
