package optim

import (
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/nn"
)

// LionConfig has the settings of Lion. A zero Beta1 or Beta2 means the paper's: 0.9,
// 0.99. Its authors advise a learning rate 3 to 10 times smaller than AdamW's and a
// weight decay as many times larger.
type LionConfig struct {
	LR           float64
	Beta1, Beta2 float64
	WeightDecay  float64 // of the parameters that have decay
	ClipNorm     float64 // gradients are scaled down to this global norm; 0: never
	ClipValue    float64 // then their elements are clipped to ±ClipValue; 0: never
}

// Lion changes every weight by lr, in the direction of a moving average's sign (Chen et
// al., arXiv 2302.06675, algorithm 2), and keeps one moment where AdamW keeps two:
//
//	w ← w - lr·(sign(β₁·m + (1-β₁)·g) + decay·w)
//	m ← β₂·m + (1-β₂)·g
//
// The field LR is the learning rate of the next step.
type Lion struct{ core }

// NewLion returns an optimiser of the parameters.
func NewLion(params []*nn.Parameter, cfg LionConfig) *Lion {
	b1, b2 := or(cfg.Beta1, 0.9), or(cfg.Beta2, 0.99)
	return &Lion{newCore(params, cfg.LR, cfg.WeightDecay, cfg.ClipNorm, cfg.ClipValue, rule{
		update: lionUpdate, moments: []string{"exp_avg"},
		numbers: func(lr, decay float64, _ int) []float64 { return []float64{b1, 1 - b1, b2, 1 - b2, lr, decay} },
	})}
}

// Numbers: β₁, 1-β₁, β₂, 1-β₂, lr, decay.
var lionUpdate = newUpdate("lion", 1, 6, func(b *device.Builder, n []device.Value, w, g device.Value, moments []device.Value) []device.Value {
	direction := b.Sign(average(b, n[0], n[1], moments[0], g))
	return []device.Value{
		b.Sub(w, b.Mul(n[4], b.Add(direction, b.Mul(n[5], w)))),
		average(b, n[2], n[3], moments[0], g),
	}
})
