package ops

import (
	"fmt"
	"slices"

	"github.com/muppet-go/muppet/device"
)

// RMSNorm divides the last axis of x by its root mean square, and multiplies by gamma of
// that axis' length: y = x/√(mean(x²) + eps)·gamma (Zhang and Sennrich, arXiv 1910.07467).
func RMSNorm(x, gamma *Tensor, eps float64) *Tensor {
	n := len(x.Shape())
	if n == 0 || !slices.Equal(gamma.Shape(), x.Shape()[n-1:]) || gamma.DType() != x.DType() {
		panic(fmt.Sprintf("ops: RMSNorm: %s", shapes(list(x, gamma))))
	}
	kept, _ := reducedShapes("RMSNorm", x, []int{-1})
	square := Scale(sumTo(Mul(x, x), kept), 1/float64(x.Dim(-1)))
	return run(rmsProgram, []float64{eps}, nil, x, square, gamma)
}

var rmsProgram = device.NewProgram("rms_norm", 3, func(b *builder, in ...value) []value {
	return []value{b.Mul(b.Div(in[0], b.Sqrt(b.Add(in[1], b.Param(0)))), in[2])}
})

// BatchNorm normalises each channel of x [n, channels, ...], all that has one index on
// axis 1, to mean 0 and (biased) variance 1: y = (x - mean)/√(variance + eps)·gamma + beta,
// with gamma and beta of one element a channel (Ioffe and Szegedy, arXiv 1502.03167). It
// also returns the mean and the biased variance of every channel, [channels].
func BatchNorm(x, gamma, beta *Tensor, eps float64) (y, mean, variance *Tensor) {
	n := len(x.Shape())
	if n < 2 || !slices.Equal(gamma.Shape(), x.Shape()[1:2]) || !slices.Equal(beta.Shape(), x.Shape()[1:2]) ||
		!x.DType().IsFloat() || gamma.DType() != x.DType() || beta.DType() != x.DType() {
		panic(fmt.Sprintf("ops: BatchNorm: %s", shapes(list(x, gamma, beta))))
	}
	kept := slices.Repeat([]int{1}, n)
	kept[1] = x.Dim(1)
	inverse := 1 / float64(count(x, kept))
	mean = Scale(sumTo(x, kept), inverse)
	centred := Sub(x, mean)
	variance = Scale(sumTo(Mul(centred, centred), kept), inverse)
	channels := kept[1:]
	y = run(normaliseProgram, []float64{eps}, nil, centred, variance, Reshape(gamma, channels...), Reshape(beta, channels...))
	return y, Reshape(mean, x.Dim(1)), Reshape(variance, x.Dim(1))
}
