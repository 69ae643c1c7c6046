package optim

import (
	"math"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/nn"
)

// LAMBConfig has the settings of LAMB. A zero Beta1, Beta2 or Eps means the paper's:
// 0.9, 0.999, 1e-6.
type LAMBConfig struct {
	LR           float64
	Beta1, Beta2 float64
	Eps          float64
	WeightDecay  float64 // of the parameters that have decay
	ClipNorm     float64 // gradients are scaled down to this global norm; 0: never
	ClipValue    float64 // then their elements are clipped to ±ClipValue; 0: never
}

// LAMB is for large batches: each parameter moves in Adam's direction by a share of
// its own norm (You et al., arXiv 1904.00962, algorithm 2, with φ(z) = z):
//
//	m ← β₁·m + (1-β₁)·g
//	v ← β₂·v + (1-β₂)·g²
//	u ← m/(1-β₁ᵗ) / (√(v/(1-β₂ᵗ)) + ε) + decay·w
//	w ← w - lr·‖w‖/‖u‖·u
//
// Where w or u is zero, ‖w‖/‖u‖ counts as 1. A tensor that stands for several of the
// state dict moves as one.
//
// The field LR is the learning rate of the next step.
type LAMB struct{ core }

// NewLAMB returns an optimiser of the parameters.
func NewLAMB(params []*nn.Parameter, cfg LAMBConfig) *LAMB {
	b1, b2, eps := or(cfg.Beta1, 0.9), or(cfg.Beta2, 0.999), or(cfg.Eps, 1e-6)
	return &LAMB{newCore(params, cfg.LR, cfg.WeightDecay, cfg.ClipNorm, cfg.ClipValue, rule{
		update: lambUpdate, moments: []string{"exp_avg", "exp_avg_sq"}, finish: lambFinish,
		numbers: func(lr, decay float64, step int) []float64 {
			t := float64(step)
			return []float64{b1, 1 - b1, b2, 1 - b2, decay, 1 / (1 - math.Pow(b1, t)), 1 / math.Sqrt(1-math.Pow(b2, t)), eps}
		},
	})}
}

// Returns u in place of the weights. Numbers: β₁, 1-β₁, β₂, 1-β₂, decay, 1/(1-β₁ᵗ),
// 1/√(1-β₂ᵗ), ε.
var lambUpdate = newUpdate("lamb", 2, 8, func(b *device.Builder, n []device.Value, w, g device.Value, moments []device.Value) []device.Value {
	m := average(b, n[0], n[1], moments[0], g)
	v := average(b, n[2], n[3], moments[1], b.Mul(g, g))
	adam := b.Div(b.Mul(m, n[5]), b.Add(b.Mul(b.Sqrt(v), n[6]), n[7]))
	return []device.Value{b.Add(adam, b.Mul(n[4], w)), m, v}
})

// Inputs: w, u, and the squares of their norms. Parameter: lr.
var lambProgram = device.NewProgram("lamb_move", 4, func(b *device.Builder, in ...device.Value) []device.Value {
	w, u, w2, u2 := in[0], in[1], in[2], in[3]
	zero := b.LessEqual(b.Min(w2, u2), b.Const(0))
	trust := b.Select(zero, b.Const(1), b.Div(b.Sqrt(w2), b.Sqrt(u2)))
	return []device.Value{b.Sub(w, b.Mul(b.Mul(b.Param(0), trust), u))}
})

func lambFinish(w, u *autograd.Tensor, lr float64) {
	w2, u2 := sumOfSquares(w), sumOfSquares(u)
	autograd.Mutate(func(dst ...device.Slice) {
		w.Device().Pointwise(lambProgram, &device.Args{
			Rows: 1, Cols: w.Len(), Params: []float64{lr}, Out: dst,
			In: []device.Operand{
				{Slice: dst[0]}, {Slice: u.Slice()},
				{Slice: w2.Slice(), Extent: device.ScalarExtent}, {Slice: u2.Slice(), Extent: device.ScalarExtent},
			},
		})
	}, w)
}
