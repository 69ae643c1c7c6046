package optim

import (
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/nn"
)

// AdagradConfig has the settings of Adagrad. A zero Eps means PyTorch's default, 1e-10.
type AdagradConfig struct {
	LR          float64
	LRDecay     float64
	Initial     float64 // what the sum of squares begins with
	Eps         float64
	WeightDecay float64 // of the parameters that have decay
	ClipNorm    float64 // gradients are scaled down to this global norm; 0: never
	ClipValue   float64 // then their elements are clipped to ±ClipValue; 0: never
}

// Adagrad (Duchi et al., JMLR 12, 2011) divides by the root of all squared gradients
// so far:
//
//	g ← g + decay·w
//	s ← s + g²
//	w ← w - lr/(1 + (t-1)·lrdecay) · g / (√s + ε)
//
// The field LR is the learning rate of the next step.
type Adagrad struct{ core }

// NewAdagrad returns an optimiser of the parameters.
func NewAdagrad(params []*nn.Parameter, cfg AdagradConfig) *Adagrad {
	eps := or(cfg.Eps, 1e-10)
	return &Adagrad{newCore(params, cfg.LR, cfg.WeightDecay, cfg.ClipNorm, cfg.ClipValue, rule{
		update: adagradUpdate, moments: []string{"sum"}, start: cfg.Initial,
		numbers: func(lr, decay float64, step int) []float64 {
			return []float64{lr / (1 + float64(step-1)*cfg.LRDecay), decay, eps}
		},
	})}
}

// Numbers: the decayed lr, decay, ε.
var adagradUpdate = newUpdate("adagrad", 1, 3, func(b *device.Builder, n []device.Value, w, g device.Value, moments []device.Value) []device.Value {
	g = l2(b, n[1], w, g)
	sum := b.Add(moments[0], b.Mul(g, g))
	return []device.Value{b.Sub(w, b.Mul(n[0], b.Div(g, b.Add(b.Sqrt(sum), n[2])))), sum}
})
