package gonumblas

import (
	"math"
	"sync"

	"github.com/muppet-go/muppet/simd"
)

// The lengths from which the kernels of level 1 gain, measured with AVX2: a call
// takes longer than one of gonum's, and an element less.
const (
	leastDot   = 128
	leastAxpy  = 128
	leastSscal = 16
	leastDscal = 128
	leastNrm2  = 8
	leastAsum  = 64
)

// Sdot returns Σ x[i]·y[i].
func (impl Implementation) Sdot(n int, x []float32, incX int, y []float32, incY int) float32 {
	if !impl.gains(n >= leastDot) || !contiguous(n, len(x), incX) || !contiguous(n, len(y), incY) {
		return impl.Implementation.Sdot(n, x, incX, y, incY)
	}
	return simd.SDot(x[:n], y[:n])
}

// Ddot returns Σ x[i]·y[i].
func (impl Implementation) Ddot(n int, x []float64, incX int, y []float64, incY int) float64 {
	if !impl.gains(n >= leastDot) || !contiguous(n, len(x), incX) || !contiguous(n, len(y), incY) {
		return impl.Implementation.Ddot(n, x, incX, y, incY)
	}
	return simd.DDot(x[:n], y[:n])
}

// Saxpy adds alpha·x[i] to y[i].
func (impl Implementation) Saxpy(n int, alpha float32, x []float32, incX int, y []float32, incY int) {
	if !impl.gains(n >= leastAxpy) || alpha == 0 || !contiguous(n, len(x), incX) || !contiguous(n, len(y), incY) {
		impl.Implementation.Saxpy(n, alpha, x, incX, y, incY)
		return
	}
	simd.SAxpy(alpha, x[:n], y[:n])
}

// Daxpy adds alpha·x[i] to y[i].
func (impl Implementation) Daxpy(n int, alpha float64, x []float64, incX int, y []float64, incY int) {
	if !impl.gains(n >= leastAxpy) || alpha == 0 || !contiguous(n, len(x), incX) || !contiguous(n, len(y), incY) {
		impl.Implementation.Daxpy(n, alpha, x, incX, y, incY)
		return
	}
	simd.DAxpy(alpha, x[:n], y[:n])
}

// Sscal multiplies x[i] by alpha. If alpha is 0 it sets x[i] to 0, even if that
// was NaN.
func (impl Implementation) Sscal(n int, alpha float32, x []float32, incX int) {
	if !impl.gains(n >= leastSscal) || alpha == 0 || !contiguous(n, len(x), incX) {
		impl.Implementation.Sscal(n, alpha, x, incX)
		return
	}
	simd.SMulScalar(x[:n], x[:n], alpha)
}

// Dscal multiplies x[i] by alpha. If alpha is 0 it sets x[i] to 0, even if that
// was NaN.
func (impl Implementation) Dscal(n int, alpha float64, x []float64, incX int) {
	if !impl.gains(n >= leastDscal) || alpha == 0 || !contiguous(n, len(x), incX) {
		impl.Implementation.Dscal(n, alpha, x, incX)
		return
	}
	simd.DMulScalar(x[:n], x[:n], alpha)
}

// Snrm2 returns the square root of Σ x[i]², also where the squares overflow or
// underflow.
func (impl Implementation) Snrm2(n int, x []float32, incX int) float32 {
	if impl.gains(n >= leastNrm2) && contiguous(n, len(x), incX) {
		// A square below the normal range is off by up to 2**-150; the sum must
		// be so large that n times that is nothing to it. gonum's computes what
		// is out of range, and decides what NaN and infinities make.
		sum := simd.SSumSquares(x[:n])
		if sum >= float32(n)*0x1p-100 && sum <= math.MaxFloat32 {
			return float32(math.Sqrt(float64(sum)))
		}
	}
	return impl.Implementation.Snrm2(n, x, incX)
}

// Dnrm2 returns the square root of Σ x[i]², also where the squares overflow or
// underflow.
func (impl Implementation) Dnrm2(n int, x []float64, incX int) float64 {
	if impl.gains(n >= leastNrm2) && contiguous(n, len(x), incX) {
		// As in Snrm2, with 2**-1075.
		sum := simd.DSumSquares(x[:n])
		if sum >= float64(n)*0x1p-960 && sum <= math.MaxFloat64 {
			return math.Sqrt(sum)
		}
	}
	return impl.Implementation.Dnrm2(n, x, incX)
}

// Sasum returns Σ |x[i]|.
func (impl Implementation) Sasum(n int, x []float32, incX int) float32 {
	if !impl.gains(n >= leastAsum) || !contiguous(n, len(x), incX) {
		return impl.Implementation.Sasum(n, x, incX)
	}
	return asum(&sAbsolute, simd.SAbs, simd.SSum, x[:n])
}

// Dasum returns Σ |x[i]|.
func (impl Implementation) Dasum(n int, x []float64, incX int) float64 {
	if !impl.gains(n >= leastAsum) || !contiguous(n, len(x), incX) {
		return impl.Implementation.Dasum(n, x, incX)
	}
	return asum(&dAbsolute, simd.DAbs, simd.DSum, x[:n])
}

// absoluteLen is the number of absolute values that are written down at a time:
// few enough to be in the first-level cache when they are added up.
const absoluteLen = 1 << 11

var (
	sAbsolute = sync.Pool{New: func() any { return new([absoluteLen]float32) }}
	dAbsolute = sync.Pool{New: func() any { return new([absoluteLen]float64) }}
)

func asum[T float](pool *sync.Pool, abs func(dst, x []T), sum func(x []T) T, x []T) T {
	buffer := pool.Get().(*[absoluteLen]T)
	defer pool.Put(buffer)
	var total float64
	for len(x) > 0 {
		part := buffer[:min(len(x), absoluteLen)]
		abs(part, x[:len(part)])
		total += float64(sum(part))
		x = x[len(part):]
	}
	return T(total)
}
