package optim

import (
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/nn"
)

// RMSPropConfig has the settings of RMSProp. A zero Alpha or Eps means PyTorch's
// default: 0.99, 1e-8.
type RMSPropConfig struct {
	LR          float64
	Alpha       float64
	Eps         float64
	Momentum    float64
	Centered    bool    // the gradient's variance takes the place of its mean square
	WeightDecay float64 // an L2 penalty: decay·w is added to the gradient
}

// NewRMSProp returns RMSProp (Tieleman and Hinton, lecture 6.5 of Coursera's "Neural
// networks for machine learning", 2012), in PyTorch's formulation:
//
//	g ← g + decay·w
//	s ← α·s + (1-α)·g²
//	a ← α·a + (1-α)·g                  if centered, and otherwise 0
//	u ← momentum·u + g / (√(s - a²) + ε)
//	w ← w - lr·u
func NewRMSProp(params []*nn.Parameter, cfg RMSPropConfig) *Optimizer {
	alpha, eps := or(cfg.Alpha, 0.99), or(cfg.Eps, 1e-8)
	names := []string{"square_avg"}
	if cfg.Centered {
		names = append(names, "grad_avg")
	}
	if cfg.Momentum != 0 {
		names = append(names, "momentum_buffer")
	}
	program := device.NewProgram("rmsprop", 2+len(names), func(b *device.Builder, in ...device.Value) []device.Value {
		mean := func(old, x device.Value) device.Value { return b.Add(b.Mul(b.Param(3), old), b.Mul(b.Param(4), x)) }
		w, g := in[0], penalised(b, in[0], in[len(in)-1])
		square := mean(in[1], b.Mul(g, g))
		states, variance := []device.Value{square}, square
		if cfg.Centered {
			average := mean(in[2], g)
			// Rounding must not take the root of a negative number.
			states, variance = append(states, average), b.Max(b.Sub(square, b.Mul(average, average)), b.Const(0))
		}
		u := b.Div(g, b.Add(b.Sqrt(variance), b.Param(5)))
		if cfg.Momentum != 0 {
			u = b.Add(b.Mul(b.Param(6), in[len(in)-2]), u)
			states = append(states, u)
		}
		return append([]device.Value{b.Sub(w, b.Mul(b.Param(0), u))}, states...)
	})
	return newOptimizer(params, cfg.LR, cfg.WeightDecay, &formula{program, names, func(lr, decay, scale float64, _ int) []float64 {
		params := []float64{lr, decay, scale, alpha, 1 - alpha, eps}
		if cfg.Momentum != 0 {
			params = append(params, cfg.Momentum)
		}
		return params
	}})
}
