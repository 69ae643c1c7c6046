package optim

import (
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/nn"
)

// SGDConfig has the settings of SGD.
type SGDConfig struct {
	LR          float64
	Momentum    float64
	Dampening   float64
	Nesterov    bool
	WeightDecay float64 // of the parameters that have decay
	ClipNorm    float64 // gradients are scaled down to this global norm; 0: never
	ClipValue   float64 // then their elements are clipped to ±ClipValue; 0: never
}

// SGD is stochastic gradient descent, with momentum in PyTorch's formulation
// (Sutskever et al., ICML 2013):
//
//	g ← g + decay·w
//	m ← μ·m + (1-dampening)·g    (in a parameter's first step: m ← g)
//	w ← w - lr·m                 (Nesterov: w ← w - lr·(g + μ·m))
//
// Without momentum nothing is kept and w ← w - lr·g.
//
// The field LR is the learning rate of the next step.
type SGD struct{ core }

// NewSGD returns an optimiser of the parameters. It panics for Nesterov's momentum
// with dampening or without momentum, which PyTorch does not define either.
func NewSGD(params []*nn.Parameter, cfg SGDConfig) *SGD {
	if cfg.Nesterov && (cfg.Momentum <= 0 || cfg.Dampening != 0) {
		panic("optim: NewSGD: Nesterov needs momentum and no dampening")
	}
	r := rule{
		update:  sgdUpdate,
		numbers: func(lr, decay float64, _ int) []float64 { return []float64{lr, decay} },
	}
	if mu := cfg.Momentum; mu != 0 {
		r.update, r.moments = momentumUpdate, []string{"momentum_buffer"}
		r.numbers = func(lr, decay float64, step int) []float64 {
			n := []float64{lr, decay, mu, 1 - cfg.Dampening, 0, 1}
			if step == 1 {
				n[3] = 1
			}
			if cfg.Nesterov {
				n[4], n[5] = 1, mu
			}
			return n
		}
	}
	return &SGD{newCore(params, cfg.LR, cfg.WeightDecay, cfg.ClipNorm, cfg.ClipValue, r)}
}

var (
	// Numbers: lr, decay.
	sgdUpdate = newUpdate("sgd", 0, 2, func(b *device.Builder, n []device.Value, w, g device.Value, _ []device.Value) []device.Value {
		return []device.Value{b.Sub(w, b.Mul(n[0], l2(b, n[1], w, g)))}
	})
	// Numbers: lr, decay, μ, 1-dampening, and the shares of g and m in the change.
	momentumUpdate = newUpdate("sgd_momentum", 1, 6, func(b *device.Builder, n []device.Value, w, g device.Value, moments []device.Value) []device.Value {
		g = l2(b, n[1], w, g)
		m := average(b, n[2], n[3], moments[0], g)
		return []device.Value{b.Sub(w, b.Mul(n[0], average(b, n[4], n[5], g, m))), m}
	})
)
