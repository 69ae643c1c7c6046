package gonumblas

import (
	"gonum.org/v1/gonum/blas"

	"github.com/muppet-go/muppet/simd"
)

// Sgemm computes C = alpha·op(A)·op(B) + beta·C for an m×k op(A), a k×n op(B)
// and an m×n C.
func (impl Implementation) Sgemm(tA, tB blas.Transpose, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int) {
	valid := fitsOp(tA, len(a), m, k, lda) && fitsOp(tB, len(b), k, n, ldb) && fits(len(c), m, n, ldc)
	switch {
	case valid && alpha == 0: // gonum's would multiply A by it
		simd.Sgemm(false, false, m, n, 0, 0, nil, 1, nil, n, beta, c, ldc)
	case valid && impl.gains(gemmGains(tA, tB, m, n, k, 16)):
		simd.Sgemm(tA != blas.NoTrans, tB != blas.NoTrans, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
	default:
		impl.Implementation.Sgemm(tA, tB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
	}
}

// Dgemm computes C = alpha·op(A)·op(B) + beta·C for an m×k op(A), a k×n op(B)
// and an m×n C.
func (impl Implementation) Dgemm(tA, tB blas.Transpose, m, n, k int, alpha float64, a []float64, lda int, b []float64, ldb int, beta float64, c []float64, ldc int) {
	valid := fitsOp(tA, len(a), m, k, lda) && fitsOp(tB, len(b), k, n, ldb) && fits(len(c), m, n, ldc)
	switch {
	case valid && alpha == 0: // gonum's would multiply A by it
		simd.Dgemm(false, false, m, n, 0, 0, nil, 1, nil, n, beta, c, ldc)
	case valid && impl.gains(gemmGains(tA, tB, m, n, k, 8)):
		simd.Dgemm(tA != blas.NoTrans, tB != blas.NoTrans, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
	default:
		impl.Implementation.Dgemm(tA, tB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
	}
}

// gemmGains reports whether the kernel is faster than gonum's, as measured with
// AVX2. Where op(B) is narrower than a panel of the kernel and transposed, it is
// arranged element by element, which few rows of A do not repay; gonum's adds up
// products of rows.
func gemmGains(tA, tB blas.Transpose, m, n, k, panel int) bool {
	if tA == blas.NoTrans && tB != blas.NoTrans && m < 12 && n < panel {
		return false
	}
	return work(m, n, k) >= 8*8*8
}

// A gemmFunc is simd.Sgemm or simd.Dgemm.
type gemmFunc[T float] func(transA, transB bool, m, n, k int, alpha T, a []T, lda int, b []T, ldb int, beta T, c []T, ldc int)

// middle cuts the range lo to hi, longer than block, into two, the first of a
// whole number of blocks.
func middle(lo, hi, block int) int {
	return lo + (hi-lo+2*block-1)/(2*block)*block
}
