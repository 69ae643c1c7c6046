package optim

import (
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/nn"
)

// AdagradConfig has the settings of Adagrad. A zero Eps means PyTorch's default, 1e-10.
type AdagradConfig struct {
	LR          float64
	LRDecay     float64
	Eps         float64
	WeightDecay float64 // an L2 penalty: decay·w is added to the gradient
}

// NewAdagrad returns Adagrad (Duchi, Hazan and Singer, JMLR 2011), in PyTorch's
// formulation:
//
//	g ← g + decay·w
//	s ← s + g²
//	w ← w - lr/(1 + (t-1)·lrDecay) · g / (√s + ε)
func NewAdagrad(params []*nn.Parameter, cfg AdagradConfig) *Optimizer {
	eps := or(cfg.Eps, 1e-10)
	return newOptimizer(params, cfg.LR, cfg.WeightDecay, &formula{adagradProgram, []string{"sum"}, func(lr, decay, scale float64, step int) []float64 {
		return []float64{lr / (1 + float64(step-1)*cfg.LRDecay), decay, scale, eps}
	}})
}

var adagradProgram = device.NewProgram("adagrad", 3, func(b *device.Builder, in ...device.Value) []device.Value {
	g := penalised(b, in[0], in[2])
	sum := b.Add(in[1], b.Mul(g, g))
	return []device.Value{b.Sub(in[0], b.Mul(b.Param(0), b.Div(g, b.Add(b.Sqrt(sum), b.Param(3))))), sum}
})
