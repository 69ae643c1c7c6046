package ops

import (
	"fmt"
	"math"
	"slices"
)

// PoolConfig says where the windows of a pooling operation lie. Each has a number for
// every spatial axis, or one for all of them.
type PoolConfig struct {
	Kernel  []int // size of a window
	Stride  []int // steps between windows; nil means the kernel's size
	Padding []int // on either side of an axis, at most half the kernel; nil means 0
}

// MaxPool1d returns the maxima of the windows of x [n, c, length]: [n, c, l] with
// l = (length + 2·padding - kernel)/stride + 1, rounded down. Padding never wins, NaN
// always. The gradient goes to the first of equal maxima.
//
// Memory: n·c·kernel·l elements for a moment, and an index of n·c·l until the backward
// pass, which takes n·c·kernel·(length + 2·padding) more.
func MaxPool1d(x *Tensor, cfg PoolConfig) *Tensor { return maxPool("MaxPool1d", 1, x, cfg) }

// MaxPool2d is MaxPool1d in both spatial axes of x [n, c, h, w].
func MaxPool2d(x *Tensor, cfg PoolConfig) *Tensor { return maxPool("MaxPool2d", 2, x, cfg) }

// AvgPool1d returns the means of the windows of x [n, c, length], with sizes and memory
// as MaxPool1d's. Padding counts as zeros.
func AvgPool1d(x *Tensor, cfg PoolConfig) *Tensor { return avgPool("AvgPool1d", 1, x, cfg) }

// AvgPool2d is AvgPool1d in both spatial axes of x [n, c, h, w].
func AvgPool2d(x *Tensor, cfg PoolConfig) *Tensor { return avgPool("AvgPool2d", 2, x, cfg) }

func maxPool(name string, dims int, x *Tensor, cfg PoolConfig) *Tensor {
	u, shape := pool(name, dims, x, cfg, math.Inf(-1))
	return Reshape(Gather(u, 1, Unsqueeze(ArgMax(u, 1), 1)), shape...)
}

func avgPool(name string, dims int, x *Tensor, cfg PoolConfig) *Tensor {
	u, shape := pool(name, dims, x, cfg, 0)
	return Reshape(Mean(u, 1), shape...)
}

// pool returns x's windows as [n·c, elements of a window, windows], and the shape of
// the result.
func pool(name string, dims int, x *Tensor, cfg PoolConfig, padding float64) (u *Tensor, shape []int) {
	kernel, pads := perAxis(dims, cfg.Kernel, 0), perAxis(dims, cfg.Padding, 0)
	fits := len(x.Shape()) == dims+2 && x.DType().IsFloat() && len(kernel) == dims && len(pads) == dims
	for i := 0; fits && i < dims; i++ {
		fits = 2*pads[i] <= kernel[i]
	}
	if !fits {
		panic(fmt.Sprintf("ops: %s: windows of %v, padding %v, in %s", name, cfg.Kernel, cfg.Padding, shapes(list(x))))
	}
	stride := cfg.Stride
	if len(stride) == 0 {
		stride = kernel
	}
	u = windows(name, x, kernel, stride, pads, nil, padding)
	shape = slices.Concat(x.Shape()[:2], u.Shape()[2+dims:])
	return Reshape(u, x.Dim(0)*x.Dim(1), product(kernel), product(shape[2:])), shape
}
