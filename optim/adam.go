package optim

import (
	"math"

	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/nn"
)

// AdamConfig has the settings of Adam. A zero Beta1, Beta2 or Eps means PyTorch's
// default: 0.9, 0.999, 1e-8.
type AdamConfig struct {
	LR           float64
	Beta1, Beta2 float64
	Eps          float64
	WeightDecay  float64 // of the parameters that have decay
	ClipNorm     float64 // gradients are scaled down to this global norm; 0: never
	ClipValue    float64 // then their elements are clipped to ±ClipValue; 0: never
}

// Adam (Kingma and Ba, arXiv 1412.6980) adds weight decay to the gradient, where
// AdamW applies it to the weights:
//
//	g ← g + decay·w
//	m ← β₁·m + (1-β₁)·g
//	v ← β₂·v + (1-β₂)·g²
//	w ← w - lr/(1-β₁ᵗ) · m / (√v/√(1-β₂ᵗ) + ε)
//
// The field LR is the learning rate of the next step.
type Adam struct{ core }

// NewAdam returns an optimiser of the parameters.
func NewAdam(params []*nn.Parameter, cfg AdamConfig) *Adam {
	b1, b2, eps := or(cfg.Beta1, 0.9), or(cfg.Beta2, 0.999), or(cfg.Eps, 1e-8)
	return &Adam{newCore(params, cfg.LR, cfg.WeightDecay, cfg.ClipNorm, cfg.ClipValue, rule{
		update: adamUpdate, moments: []string{"exp_avg", "exp_avg_sq"},
		numbers: func(lr, decay float64, step int) []float64 {
			t := float64(step)
			return []float64{b1, 1 - b1, b2, 1 - b2, decay, lr / (1 - math.Pow(b1, t)), 1 / math.Sqrt(1-math.Pow(b2, t)), eps}
		},
	})}
}

// Numbers: β₁, 1-β₁, β₂, 1-β₂, decay, lr/(1-β₁ᵗ), 1/√(1-β₂ᵗ), ε.
var adamUpdate = newUpdate("adam", 2, 8, func(b *device.Builder, n []device.Value, w, g device.Value, moments []device.Value) []device.Value {
	g = l2(b, n[4], w, g)
	m := average(b, n[0], n[1], moments[0], g)
	v := average(b, n[2], n[3], moments[1], b.Mul(g, g))
	denominator := b.Add(b.Mul(b.Sqrt(v), n[6]), n[7])
	return []device.Value{b.Sub(w, b.Mul(n[5], b.Div(m, denominator))), m, v}
})
