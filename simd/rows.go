package simd

import (
	"fmt"
	"math"
	"slices"
)

// SSoftmaxRows sets each row of cols elements of dst to the softmax of that of x:
// exp(x - max) over its sum. dst may be x itself. Elements of -Inf become 0; a row
// of nothing else, or with +Inf or NaN, becomes NaN. It panics if the lengths
// differ or are no multiple of cols.
func SSoftmaxRows(dst, x []float32, cols int) { softmaxRows("SSoftmaxRows", &active.s, dst, x, cols) }

// DSoftmaxRows is SSoftmaxRows in float64.
func DSoftmaxRows(dst, x []float64, cols int) { softmaxRows("DSoftmaxRows", &active.d, dst, x, cols) }

// SLogSumExpRows sets dst[i] to log Σ exp(x) of row i of cols elements of x: -Inf
// if all are -Inf or there are none, +Inf if one is. It panics if len(x) is not
// len(dst)·cols.
func SLogSumExpRows(dst, x []float32, cols int) {
	logSumExpRows("SLogSumExpRows", &active.s, &rows32, dst, x, cols)
}

// DLogSumExpRows is SLogSumExpRows in float64.
func DLogSumExpRows(dst, x []float64, cols int) {
	logSumExpRows("DLogSumExpRows", &active.d, &rows64, dst, x, cols)
}

// SLayerNormRows normalises rows as long as gamma: y = (x - mean)·rstd·gamma + beta,
// where mean is that of the row and rstd = 1/√(variance + eps), the variance over
// all elements, as in Ba, Kiros and Hinton, "Layer normalization", 2016. Both are
// stored, one for each row, for SLayerNormGradRows. y may be x itself. It panics if
// lengths do not fit.
func SLayerNormRows(y, mean, rstd, x, gamma, beta []float32, eps float64) {
	layerNormRows("SLayerNormRows", &active.s, y, mean, rstd, x, gamma, beta, eps)
}

// DLayerNormRows is SLayerNormRows in float64.
func DLayerNormRows(y, mean, rstd, x, gamma, beta []float64, eps float64) {
	layerNormRows("DLayerNormRows", &active.d, y, mean, rstd, x, gamma, beta, eps)
}

// SLayerNormGradRows computes the gradients of SLayerNormRows for dy, that of y.
// With n = (x - mean)·rstd and dn = dy·gamma,
//
//	dx = rstd·(dn - mean(dn) - n·mean(dn·n))
//
// and the sums over all rows of dy·n and of dy are added to dgamma and dbeta. dx
// may be x or dy itself. It panics if lengths do not fit.
func SLayerNormGradRows(dx, dgamma, dbeta, dy, x, gamma, mean, rstd []float32) {
	layerNormGradRows("SLayerNormGradRows", &active.s, dx, dgamma, dbeta, dy, x, gamma, mean, rstd)
}

// DLayerNormGradRows is SLayerNormGradRows in float64.
func DLayerNormGradRows(dx, dgamma, dbeta, dy, x, gamma, mean, rstd []float64) {
	layerNormGradRows("DLayerNormGradRows", &active.d, dx, dgamma, dbeta, dy, x, gamma, mean, rstd)
}

// Room for rows in work.
var (
	rows32 freeList[scratch[float32]]
	rows64 freeList[scratch[float64]]
)

// borrow returns room for n elements, to be put back.
func borrow[T float](list *freeList[scratch[T]], n int) *scratch[T] {
	s := list.get()
	if s == nil {
		s = new(scratch[T])
	}
	s.grow(n)
	return s
}

func checkRows(name string, ok bool, arguments string, lengths ...int) {
	if !ok {
		lengths = slices.Clone(lengths) // or a call would allocate them
		panic(fmt.Sprintf("simd: %s: %s have lengths %v, which do not fit", name, arguments, lengths))
	}
}

func softmaxRows[T float](name string, k *vectorKernels[T], dst, x []T, cols int) {
	checkRows(name, len(dst) == len(x) && cols >= 0 && (len(x) == 0 || cols > 0 && len(x)%cols == 0), "dst, x and a row", len(dst), len(x), cols)
	for len(x) > 0 {
		to, from := dst[:cols], x[:cols]
		dst, x = dst[cols:], x[cols:]
		m := maxOf(k.maxOf, from)
		sum, _ := inBlocks(cols, func(lo, hi int) (T, T) { return k.expSum(to[lo:hi], from[lo:hi], m), 0 })
		scalar(name, k.mulScalar, to, to, 1/T(sum))
	}
}

func logSumExpRows[T float](name string, k *vectorKernels[T], list *freeList[scratch[T]], dst, x []T, cols int) {
	checkRows(name, cols >= 0 && (cols == 0 && len(x) == 0 || cols > 0 && len(x)/cols == len(dst) && len(x)%cols == 0), "dst, x and a row", len(dst), len(x), cols)
	room := borrow(list, min(cols, blockLen))
	defer list.put(room)
	for i := range dst {
		row := x[i*cols:][:cols]
		top := maxOf(k.maxOf, row)
		if math.IsInf(float64(top), 0) {
			dst[i] = top
			continue
		}
		sum, _ := inBlocks(cols, func(lo, hi int) (T, T) { return k.expSum(room.data[:hi-lo], row[lo:hi], top), 0 })
		dst[i] = T(float64(top) + math.Log(sum))
	}
}

// inBlocks adds up two sums over the blocks of a row, in float64, so that the error does
// not grow with the number of blocks.
func inBlocks[T float](n int, sums func(lo, hi int) (T, T)) (first, second float64) {
	for lo := 0; lo < n; lo += blockLen {
		a, b := sums(lo, min(lo+blockLen, n))
		first += float64(a)
		second += float64(b)
	}
	return first, second
}

func layerNormRows[T float](name string, k *vectorKernels[T], y, mean, rstd, x, gamma, beta []T, eps float64) {
	cols := len(gamma)
	checkRows(name, len(y) == len(x) && len(x) == len(mean)*cols && len(rstd) == len(mean) && len(beta) == cols,
		"y, mean, rstd, x, gamma and beta", len(y), len(mean), len(rstd), len(x), cols, len(beta))
	for r := range mean {
		from, to := x[r*cols:][:cols], y[r*cols:][:cols]
		m := reduce(k.sum, from) / T(cols)
		squares, _ := inBlocks(cols, func(lo, hi int) (T, T) { return k.sumSquaresFrom(from[lo:hi], m), 0 })
		s := T(1 / math.Sqrt(squares/float64(cols)+eps))
		for lo := 0; lo < cols; lo += blockLen {
			hi := min(lo+blockLen, cols)
			k.normalise(to[lo:hi], from[lo:hi], gamma[lo:hi], beta[lo:hi], m, s)
		}
		mean[r], rstd[r] = m, s
	}
}

func layerNormGradRows[T float](name string, k *vectorKernels[T], dx, dgamma, dbeta, dy, x, gamma, mean, rstd []T) {
	cols := len(gamma)
	checkRows(name, len(dx) == len(x) && len(dy) == len(x) && len(x) == len(mean)*cols && len(rstd) == len(mean) &&
		len(dgamma) == cols && len(dbeta) == cols,
		"dx, dgamma, dbeta, dy, x, gamma, mean and rstd", len(dx), len(dgamma), len(dbeta), len(dy), len(x), cols, len(mean), len(rstd))
	for r, s := range rstd {
		m, from, gradient, to := mean[r], x[r*cols:][:cols], dy[r*cols:][:cols], dx[r*cols:][:cols]
		first, second := inBlocks(cols, func(lo, hi int) (T, T) {
			return k.normaliseGradSums(dgamma[lo:hi], dbeta[lo:hi], gradient[lo:hi], from[lo:hi], gamma[lo:hi], m, s)
		})
		c, d := -s*T(second)/T(cols), -s*T(first)/T(cols)
		for lo := 0; lo < cols; lo += blockLen {
			hi := min(lo+blockLen, cols)
			k.normaliseGrad(to[lo:hi], gradient[lo:hi], from[lo:hi], gamma[lo:hi], m, s, c, d)
		}
	}
}
