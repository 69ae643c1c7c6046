package optim

import (
	"math"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/nn"
)

// LAMBConfig has the settings of LAMB. A zero Beta1, Beta2 or Eps means the default of
// its authors' code: 0.9, 0.999, 1e-6.
type LAMBConfig struct {
	LR           float64
	Beta1, Beta2 float64
	Eps          float64
	WeightDecay  float64 // of the parameters that have decay
}

// NewLAMB returns LAMB (You et al., arXiv 1904.00962, algorithm 2 with φ(x) = x), which
// makes the step of each parameter as long as lr times the parameter is, so that
// batches may be very large:
//
//	m ← β₁·m + (1-β₁)·g
//	v ← β₂·v + (1-β₂)·g²
//	r ← m/(1-β₁ᵗ) / (√(v/(1-β₂ᵗ)) + ε) + decay·w
//	w ← w - lr·‖w‖/‖r‖·r
//
// where the ratio is 1 if a norm is 0. Norms of parameters that stand for several
// tensors are taken of all together.
func NewLAMB(params []*nn.Parameter, cfg LAMBConfig) *Optimizer {
	return newOptimizer(params, cfg.LR, cfg.WeightDecay, &lamb{or(cfg.Beta1, 0.9), or(cfg.Beta2, 0.999), or(cfg.Eps, 1e-6)})
}

type lamb struct{ beta1, beta2, eps float64 }

func (*lamb) states() []string { return []string{"exp_avg", "exp_avg_sq"} }

func (l *lamb) update(o *Optimizer, s *state, g *autograd.Tensor, lr, decay, scale float64) {
	t := float64(s.step)
	w, m, v := s.tensors[0], s.tensors[1], s.tensors[2]
	r := autograd.Make(w.DType(), w.Shape(), o.scope.Of(w))
	params := []float64{l.beta1, 1 - l.beta1, l.beta2, 1 - l.beta2, decay, 1 / (1 - math.Pow(l.beta1, t)), 1 / math.Sqrt(1-math.Pow(l.beta2, t)), l.eps, scale}
	autograd.Mutate(func(dst ...device.Slice) {
		w.Device().Pointwise(lambProgram, &device.Args{Rows: 1, Cols: w.Len(), Params: params, Out: append(dst, r.Slice()),
			In: []device.Operand{{Slice: dst[0]}, {Slice: dst[1]}, {Slice: g.Slice()}, {Slice: w.Slice()}}})
	}, m, v)
	squares := autograd.Make(w.DType(), []int{2}, r)
	o.square(squares.Slice().Sub(0, 1), w)
	o.square(squares.Slice().Sub(1, 1), r)
	apply(lambStep, []float64{lr}, s.tensors[:1], r, autograd.View(squares, 0, 1), autograd.View(squares, 1, 1))
	o.scope.Reset()
}

// Inputs: weight, r, and the squares of their norms. Parameter: lr.
var lambStep = device.NewProgram("lamb step", 4, func(b *device.Builder, in ...device.Value) []device.Value {
	w, r, w2, r2 := in[0], in[1], in[2], in[3]
	none := b.LessEqual(b.Min(w2, r2), b.Const(0))
	trust := b.Select(none, b.Const(1), b.Div(b.Sqrt(w2), b.Sqrt(r2)))
	return []device.Value{b.Sub(w, b.Mul(b.Mul(b.Param(0), trust), r))}
})

// Inputs: m, v, gradient, weight; outputs: m, v, r. Parameters as adamProgram's.
var lambProgram = device.NewProgram("lamb", 4, func(b *device.Builder, in ...device.Value) []device.Value {
	m, v, step := moments(b, in[0], in[1], b.Mul(in[2], b.Param(8)))
	return []device.Value{m, v, b.Add(step, b.Mul(b.Param(4), in[3]))}
})
