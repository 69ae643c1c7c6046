package optim

import (
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/nn"
)

// LionConfig has the settings of Lion. A zero Beta1 or Beta2 means the paper's default:
// 0.9, 0.99.
type LionConfig struct {
	LR           float64
	Beta1, Beta2 float64
	WeightDecay  float64 // of the parameters that have decay
}

// NewLion returns Lion (Chen et al., arXiv 2302.06675), whose steps are as long in
// every element, so that it wants a learning rate some ten times smaller than AdamW's:
//
//	w ← w·(1 - lr·decay) - lr·sign(β₁·m + (1-β₁)·g)
//	m ← β₂·m + (1-β₂)·g
func NewLion(params []*nn.Parameter, cfg LionConfig) *Optimizer {
	beta1, beta2 := or(cfg.Beta1, 0.9), or(cfg.Beta2, 0.99)
	return newOptimizer(params, cfg.LR, cfg.WeightDecay, &formula{lionProgram, []string{"exp_avg"}, func(lr, decay, scale float64, _ int) []float64 {
		return []float64{lr, 1 - lr*decay, scale, beta1, 1 - beta1, beta2, 1 - beta2}
	}})
}

var lionProgram = device.NewProgram("lion", 3, func(b *device.Builder, in ...device.Value) []device.Value {
	w, m, g := in[0], in[1], b.Mul(in[2], b.Param(2))
	direction := b.Sign(b.Add(b.Mul(b.Param(3), m), b.Mul(b.Param(4), g)))
	return []device.Value{
		b.Sub(b.Mul(w, b.Param(1)), b.Mul(b.Param(0), direction)),
		b.Add(b.Mul(b.Param(5), m), b.Mul(b.Param(6), g)),
	}
})
