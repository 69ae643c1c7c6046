package gonumblas

import (
	"gonum.org/v1/gonum/blas"

	"github.com/muppet-go/muppet/internal/parallel"
	"github.com/muppet-go/muppet/simd"
)

// The sizes of A from which Gemv and Ger gain, measured with AVX2: each row is a
// call of a kernel. In float64 gonum's Gemv is as fast on one thread, so that
// size is the one from which package simd uses several.
const (
	gemvRows  = 32
	gemvCols  = 128
	sgemvWork = 1 << 14
	dgemvWork = 1 << 17
	gerCols   = 192
)

// Sgemv computes y = alpha·op(A)·x + beta·y for an m×n matrix A.
func (impl Implementation) Sgemv(tA blas.Transpose, m, n int, alpha float32, a []float32, lda int, x []float32, incX int, beta float32, y []float32, incY int) {
	lenX, lenY := n, m
	if tA != blas.NoTrans {
		lenX, lenY = m, n
	}
	if impl.gains(m >= gemvRows && n >= gemvCols && work(m, n, 1) >= sgemvWork) && alpha != 0 && isTranspose(tA) && incX > 0 && incY > 0 &&
		fits(len(a), m, n, lda) && strided(lenX, len(x), incX) && strided(lenY, len(y), incY) {
		simd.Sgemm(tA != blas.NoTrans, false, lenY, 1, lenX, alpha, a, lda, x, incX, beta, y, incY)
		return
	}
	if contiguous(lenY, len(y), incY) {
		y = y[:lenY] // gonum's may clear all of y if beta is 0
	}
	impl.Implementation.Sgemv(tA, m, n, alpha, a, lda, x, incX, beta, y, incY)
}

// Dgemv computes y = alpha·op(A)·x + beta·y for an m×n matrix A.
func (impl Implementation) Dgemv(tA blas.Transpose, m, n int, alpha float64, a []float64, lda int, x []float64, incX int, beta float64, y []float64, incY int) {
	lenX, lenY := n, m
	if tA != blas.NoTrans {
		lenX, lenY = m, n
	}
	if impl.gains(m >= gemvRows && n >= gemvCols && work(m, n, 1) >= dgemvWork) && alpha != 0 && isTranspose(tA) && incX > 0 && incY > 0 &&
		fits(len(a), m, n, lda) && strided(lenX, len(x), incX) && strided(lenY, len(y), incY) {
		simd.Dgemm(tA != blas.NoTrans, false, lenY, 1, lenX, alpha, a, lda, x, incX, beta, y, incY)
		return
	}
	if contiguous(lenY, len(y), incY) {
		y = y[:lenY] // gonum's may clear all of y if beta is 0
	}
	impl.Implementation.Dgemv(tA, m, n, alpha, a, lda, x, incX, beta, y, incY)
}

// Sger adds alpha·x·yᵀ to the m×n matrix A.
func (impl Implementation) Sger(m, n int, alpha float32, x []float32, incX int, y []float32, incY int, a []float32, lda int) {
	if incX > 0 && incY > 0 && !impl.gains(n >= gerCols) || alpha == 0 || !strided(m, len(x), incX) || !strided(n, len(y), incY) || !fits(len(a), m, n, lda) {
		impl.Implementation.Sger(m, n, alpha, x, incX, y, incY, a, lda)
		return
	}
	ger(simd.SAxpy, m, n, alpha, x, incX, y, incY, a, lda)
}

// Dger adds alpha·x·yᵀ to the m×n matrix A.
func (impl Implementation) Dger(m, n int, alpha float64, x []float64, incX int, y []float64, incY int, a []float64, lda int) {
	if incX > 0 && incY > 0 && !impl.gains(n >= gerCols) || alpha == 0 || !strided(m, len(x), incX) || !strided(n, len(y), incY) || !fits(len(a), m, n, lda) {
		impl.Implementation.Dger(m, n, alpha, x, incX, y, incY, a, lda)
		return
	}
	ger(simd.DAxpy, m, n, alpha, x, incX, y, incY, a, lda)
}

// gerTask is about the number of elements of A that one task updates.
const gerTask = 1 << 15

func ger[T float](axpy func(alpha T, x, dst []T), m, n int, alpha T, x []T, incX int, y []T, incY int, a []T, lda int) {
	startX, startY := 0, 0
	if incX < 0 {
		startX = (1 - m) * incX
	}
	if incY < 0 {
		startY = (1 - n) * incY
	}
	if incY != 1 {
		row := make([]T, n)
		for j := range row {
			row[j] = y[startY+j*incY]
		}
		y = row
	}
	y = y[:n]
	parallel.Range(m, max(gerTask/n, 1), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			axpy(alpha*x[startX+i*incX], y, a[i*lda:][:n])
		}
	})
}
