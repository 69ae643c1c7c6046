package optim

import (
	"fmt"
	"math"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/nn"
	"github.com/muppet-go/muppet/ops"
)

// An Optimizer changes parameters by their gradients. The optimisers of this package
// also have the field LR, which SetLR sets.
//
// A parameter without a gradient in a step (the head of a task that is not in the
// batch, or a frozen one) is left alone, and so are its moments and its number of
// steps. One that is frozen when the optimiser is made is none of its parameters.
// The parameters' LRScale and DecayScale are read anew in every step.
type Optimizer interface {
	// Step changes the parameters by their gradients, resets grads, and returns the
	// global norm that the gradients had before clipping. A norm that is not finite
	// changes nothing and is returned: the caller decides.
	Step(grads *autograd.Gradients) float64
	// SetLR sets the learning rate of the next step.
	SetLR(lr float64)
	// State returns the optimiser's moments for a checkpoint, by the parameter's
	// state-dict name with PyTorch's name of the moment appended, such as
	// ".exp_avg", and the number of steps each parameter has taken. The tensors
	// share the optimiser's memory.
	State() (moments []nn.Entry, steps map[string]int)
	// SetSteps restores the numbers of steps that State returned; the moments are
	// restored by writing into State's tensors (nn.LoadEntries). On an error it
	// changes nothing.
	SetSteps(steps map[string]int) error
}

// core is what all optimisers share.
type core struct {
	LR                         float64 // the learning rate of the next step
	decay, clipNorm, clipValue float64
	rule                       rule
	slots                      []*slot
	frozen                     []*nn.Parameter
	scope                      *autograd.Scope
}

// A rule is how an optimiser changes one parameter.
type rule struct {
	update  update
	moments []string // PyTorch's names of what is kept for each parameter
	start   float64  // what the moments begin with
	// numbers returns the formula's numbers for the step-th step of a parameter.
	numbers func(lr, decay float64, step int) []float64
	// finish, if any, gets what the formula returned in place of the weights and
	// changes the weights by it.
	finish func(w, u *autograd.Tensor, lr float64)
}

// slot is a parameter with its moments.
type slot struct {
	param   *nn.Parameter
	moments []*autograd.Tensor
	step    int
}

func newCore(params []*nn.Parameter, lr, decay, clipNorm, clipValue float64, r rule) core {
	o := core{LR: lr, decay: decay, clipNorm: clipNorm, clipValue: clipValue, rule: r, scope: autograd.NewScope().NoGrad()}
	for _, p := range params {
		if !p.Tensor.RequiresGrad() {
			o.frozen = append(o.frozen, p)
			continue
		}
		s := &slot{param: p}
		for range r.moments {
			s.moments = append(s.moments, autograd.Full(p.Tensor.DType(), r.start, p.Tensor.Shape()...))
		}
		o.slots = append(o.slots, s)
	}
	return o
}

// An update is the program of a formula, without and with clipping by value. Its
// inputs are the weights, the moments and the gradient, its outputs the weights and
// the moments. Its parameters are the scale of the gradient, the formula's numbers,
// and the limit of the gradient's elements.
type update struct{ plain, clipped *device.Program }

// A formula returns new weights and moments. The gradient is clipped already.
type formula func(b *device.Builder, number []device.Value, w, g device.Value, moments []device.Value) []device.Value

func newUpdate(name string, moments, numbers int, f formula) update {
	program := func(name string, clip bool) *device.Program {
		return device.NewProgram(name, moments+2, func(b *device.Builder, in ...device.Value) []device.Value {
			number := make([]device.Value, numbers)
			for i := range number {
				number[i] = b.Param(1 + i)
			}
			g := b.Mul(in[moments+1], b.Param(0))
			if clip {
				limit := b.Param(1 + numbers)
				g = b.Max(b.Min(g, limit), b.Neg(limit))
			}
			return f(b, number, in[0], g, in[1:moments+1])
		})
	}
	return update{program(name, false), program(name+"_clipped", true)}
}

// l2 returns the gradient of the loss with (decay/2)·w² added to it.
func l2(b *device.Builder, decay, w, g device.Value) device.Value { return b.Add(g, b.Mul(decay, w)) }

// average returns the moving average m, of which 1-beta is now x.
func average(b *device.Builder, beta, rest, m, x device.Value) device.Value {
	return b.Add(b.Mul(beta, m), b.Mul(rest, x))
}

// SetLR sets the learning rate of the next step.
func (o *core) SetLR(lr float64) { o.LR = lr }

// Step changes the parameters by their gradients, resets grads, and returns the
// global norm that the gradients had before clipping. A norm that is not finite
// changes nothing and is returned: the caller decides.
func (o *core) Step(grads *autograd.Gradients) float64 {
	for _, p := range o.frozen {
		if grads.Get(p.Tensor) != nil {
			panic(fmt.Sprintf("optim: Step: parameter %q has a gradient, but was frozen when the optimiser was made", p.Name))
		}
	}
	norm := o.norm(grads)
	if math.IsNaN(norm) || math.IsInf(norm, 0) {
		grads.Reset()
		return norm
	}
	scale := 1.0
	if o.clipNorm > 0 && norm > o.clipNorm {
		scale = o.clipNorm / norm
	}
	for _, s := range o.slots {
		if g := grads.Get(s.param.Tensor); g != nil {
			s.step++
			o.apply(s, g, scale)
		}
	}
	grads.Reset()
	return norm
}

// apply changes one parameter and its moments.
func (o *core) apply(s *slot, g *autograd.Tensor, scale float64) {
	w := s.param.Tensor
	lr, decay := o.LR*or(s.param.LRScale, 1), o.decay*or(s.param.DecayScale, 1)
	if s.param.NoDecay {
		decay = 0
	}
	program := o.rule.update.plain
	params := append([]float64{scale}, o.rule.numbers(lr, decay, s.step)...)
	if o.clipValue > 0 {
		program, params = o.rule.update.clipped, append(params, o.clipValue)
	}
	target := w
	if o.rule.finish != nil {
		target = autograd.Make(w.DType(), w.Shape(), o.scope.Of(w))
	}
	autograd.Mutate(func(dst ...device.Slice) {
		in := []device.Operand{{Slice: w.Slice()}}
		for _, m := range dst[1:] {
			in = append(in, device.Operand{Slice: m})
		}
		w.Device().Pointwise(program, &device.Args{
			Rows: 1, Cols: w.Len(), Params: params, In: append(in, device.Operand{Slice: g.Slice()}), Out: dst,
		})
	}, append([]*autograd.Tensor{target}, s.moments...)...)
	if o.rule.finish != nil {
		o.rule.finish(o.scope.Of(w), target, lr)
		o.scope.Reset()
	}
}

// or returns v, or the default d for the v of 0 that a setting left out has.
func or(v, d float64) float64 {
	if v == 0 {
		return d
	}
	return v
}

// norm returns the Euclidean norm of all gradients together.
func (o *core) norm(grads *autograd.Gradients) float64 {
	var squares []*autograd.Tensor
	for _, s := range o.slots {
		if g := grads.Get(s.param.Tensor); g != nil {
			squares = append(squares, o.scope.Frame(func() *autograd.Tensor {
				return ops.Reshape(sumOfSquares(o.scope.Of(g)), 1)
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

func sumOfSquares(x *autograd.Tensor) *autograd.Tensor { return ops.Sum(ops.Mul(x, x)) }

// State returns the optimiser's moments for a checkpoint, by the parameter's
// state-dict name with PyTorch's name of the moment appended, such as ".exp_avg", and
// the number of steps each parameter has taken. The tensors share the optimiser's
// memory.
func (o *core) State() (moments []nn.Entry, steps map[string]int) {
	steps = map[string]int{}
	for _, s := range o.slots {
		for i, m := range s.moments {
			for _, e := range s.param.Entries(m) {
				moments = append(moments, nn.Entry{Name: e.Name + "." + o.rule.moments[i], Tensor: e.Tensor})
			}
		}
		steps[s.param.Name] = s.step
	}
	return moments, steps
}

// SetSteps restores the numbers of steps that State returned; the moments are
// restored by writing into State's tensors (nn.LoadEntries). On an error it changes
// nothing.
func (o *core) SetSteps(steps map[string]int) error {
	if len(steps) != len(o.slots) {
		return fmt.Errorf("optim: state of %d parameters for an optimiser of %d", len(steps), len(o.slots))
	}
	for _, s := range o.slots {
		if n, ok := steps[s.param.Name]; !ok || n < 0 {
			return fmt.Errorf("optim: state has no step count for parameter %q", s.param.Name)
		}
	}
	for _, s := range o.slots {
		s.step = steps[s.param.Name]
	}
	return nil
}
