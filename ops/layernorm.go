package ops

import (
	"fmt"
	"slices"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
)

// LayerNorm normalises the last axis of x to mean 0 and (biased) variance 1, and
// returns x̂·gamma + beta: y = (x - mean)/√(variance + eps)·gamma + beta, with gamma
// and beta of the last axis' length (Ba et al., arXiv 1607.06450).
func LayerNorm(x, gamma, beta *Tensor, eps float64) *Tensor {
	n := len(x.Shape())
	if n == 0 || !slices.Equal(gamma.Shape(), x.Shape()[n-1:]) || !slices.Equal(beta.Shape(), x.Shape()[n-1:]) ||
		!x.DType().IsFloat() || gamma.DType() != x.DType() || beta.DType() != x.DType() {
		panic(fmt.Sprintf("ops: LayerNorm: %s", shapes(list(x, gamma, beta))))
	}
	dev, ok := x.Device().(device.LayerNormer)
	if !ok {
		return layerNorm(x, gamma, beta, eps)
	}
	rows, cols := product(x.Shape()[:n-1]), x.Shape()[n-1]
	y := autograd.Make(x.DType(), x.Shape(), x, gamma, beta)
	stats := autograd.Make(x.DType(), []int{2, rows}, x, gamma, beta) // means, and reciprocal standard deviations
	s := stats.Slice()
	dev.LayerNorm(y.Slice(), s.Sub(0, rows), s.Sub(rows, rows), x.Slice(), gamma.Slice(), beta.Slice(), rows, cols, eps)
	autograd.Apply(layerNormRule{eps}, list(y), list(x, gamma, beta), list(x, gamma, beta, stats))
	return y
}

type layerNormRule struct{ eps float64 }

func (layerNormRule) Name() string { return "layer_norm" }

func (r layerNormRule) Backward(c *autograd.Call, grads []*Tensor) []*Tensor {
	x, gamma, stats, dy := c.Saved[0], c.Saved[1], c.Saved[3], grads[0]
	rows, s := stats.Dim(1), stats.Slice()
	dx := autograd.Make(x.DType(), x.Shape(), x, dy)
	dgamma := autograd.Make(x.DType(), gamma.Shape(), x, dy)
	dbeta := autograd.Make(x.DType(), gamma.Shape(), x, dy)
	x.Device().(device.LayerNormer).LayerNormBackward(dx.Slice(), dgamma.Slice(), dbeta.Slice(), dy.Slice(),
		x.Slice(), gamma.Slice(), s.Sub(0, rows), s.Sub(rows, rows), rows, gamma.Len())
	return list(dx, dgamma, dbeta)
}

func (r layerNormRule) Compose(_ *autograd.Call, in []*Tensor) []*Tensor {
	return list(layerNorm(in[0], in[1], in[2], r.eps))
}

// layerNorm is LayerNorm composed of other operations.
func layerNorm(x, gamma, beta *Tensor, eps float64) *Tensor {
	kept, _ := reducedShapes("LayerNorm", x, []int{-1})
	inverse := 1 / float64(x.Dim(-1))
	centred := Sub(x, Scale(sumTo(x, kept), inverse))
	variance := Scale(sumTo(Mul(centred, centred), kept), inverse)
	return run(normaliseProgram, []float64{eps}, nil, centred, variance, gamma, beta)
}

var normaliseProgram = device.NewProgram("normalise", 4, func(b *builder, in ...value) []value {
	std := b.Sqrt(b.Add(in[1], b.Param(0)))
	return []value{b.Add(b.Mul(b.Div(in[0], std), in[2]), in[3])}
})
