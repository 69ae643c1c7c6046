package simd

import (
	"fmt"
	"math"
)

// float is the element type of the kernels that are written once for both
// precisions.
type float interface{ float32 | float64 }

// vectorKernels is what an implementation provides for one precision. The
// slices of a call have equal lengths, at most blockLen and possibly zero.
type vectorKernels[T float] struct {
	add, sub, mul, div, max, min, pow, less, lessEqual, equal func(dst, a, b []T)

	selects, mulAdd func(dst, a, b, c []T)

	neg, abs, sign, sqrt, floor, exp, expm1, log, log1p, tanh, erf, sin, cos, sigmoid, gelu, geluGrad func(dst, x []T)

	addScalar, mulScalar, axpy func(dst, x []T, s T)

	fill func(dst []T, s T)

	sum, sumSquares, maxOf func(x []T) T
	dot                    func(a, b []T) T

	// The passes over a row of which rows.go makes its functions.
	sumSquaresFrom    func(x []T, m T) T
	normalise         func(y, x, gamma, beta []T, m, s T)
	normaliseGradSums func(dgamma, dbeta, dy, x, gamma []T, m, s T) (first, second T)
	normaliseGrad     func(dx, dy, x, gamma []T, m, s, c, d T)
	expSum            func(dst, x []T, m T) T

	bFloat16Round, bFloat16Operand func(dst, x []T) // of float32 only
}

// blockLen bounds one call of a kernel: assembly cannot be preempted, so that a
// longer one would hold up the garbage collector. It also fixes the order of
// reductions over more than a block.
const blockLen = 1 << 14

func unary[T float](name string, kernel func(dst, x []T), dst, x []T) {
	if len(x) != len(dst) {
		panicLengths(name, len(dst), len(x))
	}
	for len(dst) > blockLen {
		kernel(dst[:blockLen], x[:blockLen])
		dst, x = dst[blockLen:], x[blockLen:]
	}
	kernel(dst, x)
}

func binary[T float](name string, kernel func(dst, a, b []T), dst, a, b []T) {
	if len(a) != len(dst) || len(b) != len(dst) {
		panicLengths(name, len(dst), len(a), len(b))
	}
	for len(dst) > blockLen {
		kernel(dst[:blockLen], a[:blockLen], b[:blockLen])
		dst, a, b = dst[blockLen:], a[blockLen:], b[blockLen:]
	}
	kernel(dst, a, b)
}

func ternary[T float](name string, kernel func(dst, a, b, c []T), dst, a, b, c []T) {
	if len(a) != len(dst) || len(b) != len(dst) || len(c) != len(dst) {
		panicLengths(name, len(dst), len(a), len(b), len(c))
	}
	for len(dst) > blockLen {
		kernel(dst[:blockLen], a[:blockLen], b[:blockLen], c[:blockLen])
		dst, a, b, c = dst[blockLen:], a[blockLen:], b[blockLen:], c[blockLen:]
	}
	kernel(dst, a, b, c)
}

func scalar[T float](name string, kernel func(dst, x []T, s T), dst, x []T, s T) {
	if len(x) != len(dst) {
		panicLengths(name, len(dst), len(x))
	}
	for len(dst) > blockLen {
		kernel(dst[:blockLen], x[:blockLen], s)
		dst, x = dst[blockLen:], x[blockLen:]
	}
	kernel(dst, x, s)
}

func fill[T float](kernel func(dst []T, s T), dst []T, s T) {
	for len(dst) > blockLen {
		kernel(dst[:blockLen], s)
		dst = dst[blockLen:]
	}
	kernel(dst, s)
}

// reduce adds the blocks' sums in float64, so that the error does not grow with
// the number of blocks.
func reduce[T float](kernel func(x []T) T, x []T) T {
	if len(x) <= blockLen {
		return kernel(x)
	}
	var sum float64
	for len(x) > blockLen {
		sum += float64(kernel(x[:blockLen]))
		x = x[blockLen:]
	}
	return T(sum + float64(kernel(x)))
}

func dot[T float](name string, kernel func(a, b []T) T, a, b []T) T {
	if len(a) != len(b) {
		panicLengths(name, len(a), len(b))
	}
	if len(a) <= blockLen {
		return kernel(a, b)
	}
	var sum float64
	for len(a) > blockLen {
		sum += float64(kernel(a[:blockLen], b[:blockLen]))
		a, b = a[blockLen:], b[blockLen:]
	}
	return T(sum + float64(kernel(a, b)))
}

func maxOf[T float](kernel func(x []T) T, x []T) T {
	largest := T(math.Inf(-1))
	for len(x) > blockLen {
		largest = max(largest, kernel(x[:blockLen]))
		x = x[blockLen:]
	}
	return max(largest, kernel(x))
}

func panicLengths(name string, lengths ...int) {
	panic(fmt.Sprintf("simd: %s: slices of different lengths %v", name, lengths))
}
