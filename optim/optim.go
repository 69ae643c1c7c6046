// Package optim has optimisers, learning-rate schedules and averages of weights.
//
// An Optimizer changes parameters by their gradients, one pass over memory for each
// parameter:
//
//	opt := optim.NewAdamW(nn.Parameters(model), optim.AdamWConfig{LR: 1e-3, WeightDecay: 0.01})
//	schedule := optim.Cosine{Peak: 1e-3, WarmUp: 100, Total: steps}
//	for step := 1; step <= steps; step++ {
//		autograd.Backward(loss(step), grads)
//		opt.LR = schedule.At(step)
//		opt.Step(grads)
//	}
//
// NewSGD, NewAdam, NewAdamW, NewAdagrad, NewRMSProp, NewLAMB and NewLion differ in the
// formula alone. A parameter without a gradient in a step (the head of a task that is
// not in the batch) is left alone, and so is its state. A parameter's LRScale and NoDecay
// say how it differs from the others.
package optim

import (
	"fmt"
	"math"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/nn"
	"github.com/muppet-go/muppet/ops"
)

// An Optimizer changes parameters by their gradients.
type Optimizer struct {
	LR        float64 // the learning rate of the next step
	ClipValue float64 // elements of gradients are brought into ±ClipValue; 0: never
	ClipNorm  float64 // then gradients are scaled down to this global norm; 0: never

	rule   rule
	decay  float64
	state  []*state
	frozen []*nn.Parameter
	scope  *autograd.Scope
}

// A rule is the formula of an optimiser.
type rule interface {
	// states names the tensors that are kept for each parameter, as PyTorch does.
	states() []string
	// update makes step s.step of a parameter with gradient g·scale.
	update(o *Optimizer, s *state, g *autograd.Tensor, lr, decay, scale float64)
}

// state is what an optimiser keeps of a parameter.
type state struct {
	param   *nn.Parameter
	tensors []*autograd.Tensor // the parameter's, then those that the rule keeps
	step    int
}

func newOptimizer(params []*nn.Parameter, lr, decay float64, r rule) *Optimizer {
	o := &Optimizer{LR: lr, rule: r, decay: decay, scope: autograd.NewScope().NoGrad()}
	for _, p := range params {
		if !p.Tensor.RequiresGrad() {
			o.frozen = append(o.frozen, p)
			continue
		}
		s := &state{param: p, tensors: []*autograd.Tensor{p.Tensor}}
		for range r.states() {
			s.tensors = append(s.tensors, autograd.Full(p.Tensor.DType(), 0, p.Tensor.Shape()...))
		}
		o.state = append(o.state, s)
	}
	return o
}

// A formula is a rule that is one program. Its inputs are the weight, the states and
// the gradient, its outputs the new weight and states.
type formula struct {
	program *device.Program
	names   []string
	params  func(lr, decay, scale float64, step int) []float64 // of the program
}

func (f *formula) states() []string { return f.names }

func (f *formula) update(o *Optimizer, s *state, g *autograd.Tensor, lr, decay, scale float64) {
	apply(f.program, f.params(lr, decay, scale, s.step), s.tensors, g)
}

// apply overwrites tensors by what a program makes of them and of others, which have
// as many elements or one.
func apply(p *device.Program, params []float64, tensors []*autograd.Tensor, others ...*autograd.Tensor) {
	autograd.Mutate(func(dst ...device.Slice) {
		var call struct { // one object
			device.Args
			in [6]device.Operand
		}
		in := call.in[:0]
		for _, s := range dst {
			in = append(in, device.Operand{Slice: s})
		}
		for _, t := range others {
			operand := device.Operand{Slice: t.Slice()}
			if t.Len() == 1 {
				operand.Extent = device.ScalarExtent
			}
			in = append(in, operand)
		}
		call.Args = device.Args{Rows: 1, Cols: tensors[0].Len(), Params: params, In: in, Out: dst}
		tensors[0].Device().Pointwise(p, &call.Args)
	}, tensors...)
}

// Step changes the parameters by their gradients, resets grads, and returns the
// global norm that the gradients had before they were scaled down. A norm that is not
// finite changes nothing and is returned: the caller decides. It panics for a gradient
// of a parameter that was frozen when the optimiser was made.
func (o *Optimizer) Step(grads *autograd.Gradients) float64 {
	for _, p := range o.frozen {
		if grads.Get(p.Tensor) != nil {
			panic(fmt.Sprintf("optim: Step: parameter %q has a gradient, but was frozen when the optimiser was made", p.Name))
		}
	}
	if o.ClipValue > 0 {
		for _, s := range o.state {
			if g := grads.Get(s.param.Tensor); g != nil {
				apply(clipProgram, []float64{-o.ClipValue, o.ClipValue}, []*autograd.Tensor{g})
			}
		}
	}
	norm := o.norm(grads)
	if math.IsNaN(norm) || math.IsInf(norm, 0) {
		grads.Reset()
		return norm
	}
	scale := 1.0
	if o.ClipNorm > 0 && norm > o.ClipNorm {
		scale = o.ClipNorm / norm
	}
	for _, s := range o.state {
		g := grads.Get(s.param.Tensor)
		if g == nil {
			continue
		}
		s.step++
		lr, decay := o.LR*or(s.param.LRScale, 1), o.decay*or(s.param.DecayScale, 1)
		if s.param.NoDecay {
			decay = 0
		}
		o.rule.update(o, s, g, lr, decay, scale)
	}
	grads.Reset()
	return norm
}

var clipProgram = device.NewProgram("clip", 1, func(b *device.Builder, in ...device.Value) []device.Value {
	return []device.Value{b.Min(b.Max(in[0], b.Param(0)), b.Param(1))}
})

// norm returns the Euclidean norm of all gradients together.
func (o *Optimizer) norm(grads *autograd.Gradients) float64 {
	defer o.scope.Reset()
	var squares *autograd.Tensor // one number a parameter
	n := 0
	for _, s := range o.state {
		if g := grads.Get(s.param.Tensor); g != nil {
			if squares == nil {
				squares = autograd.Make(g.DType(), []int{len(o.state)}, o.scope.Of(g))
			}
			o.square(squares.Slice().Sub(n, 1), g)
			n++
		}
	}
	if n == 0 {
		return 0
	}
	sum := 0.0
	for _, v := range autograd.View(squares, 0, n).Float64s() {
		sum += v
	}
	return math.Sqrt(sum)
}

// square writes the sum of the squares of t's elements.
func (o *Optimizer) square(sum device.Slice, t *autograd.Tensor) {
	o.scope.Frame(func() *autograd.Tensor {
		t := o.scope.Of(t)
		t.Device().Reduce(device.ReduceSum, sum, ops.Mul(t, t).Slice(), 1, t.Len(), 1)
		return nil
	})
}

// State returns the optimiser's tensors for a checkpoint, by the parameter's
// state-dict name with that of the state appended (".exp_avg"), and the number of steps
// each parameter has taken. The tensors share the optimiser's memory.
func (o *Optimizer) State() (tensors []nn.Entry, steps map[string]int) {
	steps = map[string]int{}
	for _, s := range o.state {
		for i, name := range o.rule.states() {
			for _, e := range s.param.Entries(s.tensors[1+i]) {
				tensors = append(tensors, nn.Entry{Name: e.Name + "." + name, Tensor: e.Tensor})
			}
		}
		steps[s.param.Name] = s.step
	}
	return tensors, steps
}

// SetSteps restores the numbers of steps that State returned; the tensors are restored
// by writing into State's (nn.LoadEntries). On an error it changes nothing.
func (o *Optimizer) SetSteps(steps map[string]int) error {
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

// or returns v or, if that is 0, what a setting is by default.
func or(v, usual float64) float64 {
	if v == 0 {
		return usual
	}
	return v
}
