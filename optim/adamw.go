// Package optim has optimisers and learning-rate schedules.
//
// An optimiser changes parameters by their gradients, one pass over memory for each
// parameter:
//
//	opt := optim.NewAdamW(nn.Parameters(model), optim.AdamWConfig{LR: 1e-3, WeightDecay: 0.01})
//	for step := range steps {
//		autograd.Backward(loss(step), grads)
//		opt.Step(grads)
//	}
package optim

import (
	"fmt"
	"math"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/nn"
	"github.com/muppet-go/muppet/ops"
)

// AdamWConfig has the settings of AdamW. A zero Beta1, Beta2 or Eps means PyTorch's
// default: 0.9, 0.999, 1e-8.
type AdamWConfig struct {
	LR           float64
	Beta1, Beta2 float64
	Eps          float64
	WeightDecay  float64 // of the parameters that have decay
	ClipNorm     float64 // gradients are scaled down to this global norm; 0: never
}

// AdamW is Adam with decoupled weight decay (Loshchilov and Hutter, arXiv 1711.05101),
// in PyTorch's formulation:
//
//	w ← w·(1 - lr·decay)
//	m ← β₁·m + (1-β₁)·g
//	v ← β₂·v + (1-β₂)·g²
//	w ← w - lr/(1-β₁ᵗ) · m / (√v/√(1-β₂ᵗ) + ε)
//
// A parameter without a gradient in a step (the head of a task that is not in the
// batch) is left alone, and so are its m, v and t.
type AdamW struct {
	LR    float64 // the learning rate of the next step
	cfg   AdamWConfig
	state []*adamState
	scope *autograd.Scope
}

type adamState struct {
	param *nn.Parameter
	m, v  *autograd.Tensor
	step  int
}

// NewAdamW returns an optimiser of the parameters.
func NewAdamW(params []*nn.Parameter, cfg AdamWConfig) *AdamW {
	if cfg.Beta1 == 0 {
		cfg.Beta1 = 0.9
	}
	if cfg.Beta2 == 0 {
		cfg.Beta2 = 0.999
	}
	if cfg.Eps == 0 {
		cfg.Eps = 1e-8
	}
	o := &AdamW{LR: cfg.LR, cfg: cfg, scope: autograd.NewScope().NoGrad()}
	for _, p := range params {
		o.state = append(o.state, &adamState{
			param: p,
			m:     autograd.Full(p.Tensor.DType(), 0, p.Tensor.Shape()...),
			v:     autograd.Full(p.Tensor.DType(), 0, p.Tensor.Shape()...),
		})
	}
	return o
}

// Inputs: weight, m, v, gradient. Parameters: β₁, 1-β₁, β₂, 1-β₂, 1-lr·decay,
// lr/(1-β₁ᵗ), 1/√(1-β₂ᵗ), ε, and the scale of the gradient.
var adamwProgram = device.NewProgram("adamw", 4, func(b *device.Builder, in ...device.Value) []device.Value {
	w, m, v, g := in[0], in[1], in[2], b.Mul(in[3], b.Param(8))
	m = b.Add(b.Mul(b.Param(0), m), b.Mul(b.Param(1), g))
	v = b.Add(b.Mul(b.Param(2), v), b.Mul(b.Param(3), b.Mul(g, g)))
	denominator := b.Add(b.Mul(b.Sqrt(v), b.Param(6)), b.Param(7))
	w = b.Sub(b.Mul(w, b.Param(4)), b.Mul(b.Param(5), b.Div(m, denominator)))
	return []device.Value{w, m, v}
})

// Step changes the parameters by their gradients, resets grads, and returns the
// global norm that the gradients had before clipping. A norm that is not finite
// changes nothing and is returned: the caller decides.
func (o *AdamW) Step(grads *autograd.Gradients) float64 {
	norm := o.norm(grads)
	if math.IsNaN(norm) || math.IsInf(norm, 0) {
		grads.Reset()
		return norm
	}
	scale := 1.0
	if o.cfg.ClipNorm > 0 && norm > o.cfg.ClipNorm {
		scale = o.cfg.ClipNorm / norm
	}
	for _, s := range o.state {
		g := grads.Get(s.param.Tensor)
		if g == nil {
			continue
		}
		s.step++
		decay := o.cfg.WeightDecay
		if s.param.NoDecay {
			decay = 0
		}
		b1, b2 := o.cfg.Beta1, o.cfg.Beta2
		t := float64(s.step)
		params := []float64{
			b1, 1 - b1, b2, 1 - b2, 1 - o.LR*decay,
			o.LR / (1 - math.Pow(b1, t)), 1 / math.Sqrt(1-math.Pow(b2, t)), o.cfg.Eps, scale,
		}
		autograd.Mutate(func(dst ...device.Slice) {
			s.m.Device().Pointwise(adamwProgram, &device.Args{
				Rows: 1, Cols: s.m.Len(), Params: params, Out: dst,
				In: []device.Operand{{Slice: dst[0]}, {Slice: dst[1]}, {Slice: dst[2]}, {Slice: g.Slice()}},
			})
		}, s.param.Tensor, s.m, s.v)
	}
	grads.Reset()
	return norm
}

// norm returns the Euclidean norm of all gradients together.
func (o *AdamW) norm(grads *autograd.Gradients) float64 {
	var squares []*autograd.Tensor
	for _, s := range o.state {
		if g := grads.Get(s.param.Tensor); g != nil {
			squares = append(squares, o.scope.Frame(func() *autograd.Tensor {
				g := o.scope.Of(g)
				return ops.Reshape(ops.Sum(ops.Mul(g, g)), 1)
			}))
		}
	}
	if len(squares) == 0 {
		return 0
	}
	sum := 0.0
	for _, v := range ops.Concat(0, squares...).Float64s() {
		sum += v
	}
	o.scope.Reset()
	return math.Sqrt(sum)
}

// State returns the optimiser's moments for a checkpoint, by the parameter's
// state-dict name with ".exp_avg" and ".exp_avg_sq" appended, and the number of steps
// each parameter has taken. The tensors share the optimiser's memory.
func (o *AdamW) State() (moments []nn.Entry, steps map[string]int) {
	steps = map[string]int{}
	for _, s := range o.state {
		for _, e := range s.param.Entries(s.m) {
			moments = append(moments, nn.Entry{Name: e.Name + ".exp_avg", Tensor: e.Tensor})
		}
		for _, e := range s.param.Entries(s.v) {
			moments = append(moments, nn.Entry{Name: e.Name + ".exp_avg_sq", Tensor: e.Tensor})
		}
		steps[s.param.Name] = s.step
	}
	return moments, steps
}

// SetSteps restores the numbers of steps that State returned; the moments are
// restored by writing into State's tensors (nn.LoadEntries). On an error it changes
// nothing.
func (o *AdamW) SetSteps(steps map[string]int) error {
	if len(steps) != len(o.state) {
		return fmt.Errorf("optim: state of %d parameters for an optimiser of %d", len(steps), len(o.state))
	}
	for _, s := range o.state {
		if n, ok := steps[s.param.Name]; !ok || n < 0 {
			return fmt.Errorf("optim: state has no step count for parameter %q", s.param.Name)
		}
	}
	for _, s := range o.state {
		s.step = steps[s.param.Name]
	}
	return nil
}
