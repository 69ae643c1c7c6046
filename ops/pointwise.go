package ops

import (
	"fmt"
	"slices"
	"sync"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
)

// Pointwise turns a formula into an elementwise operation: it runs fused on every
// device, operands broadcast, and its derivatives of any order are derived.
//
//	square := ops.Pointwise("square", func(b *device.Builder, in ...device.Value) device.Value {
//		return b.Mul(in[0], in[0])
//	})
func Pointwise(name string, formula func(b *device.Builder, in ...device.Value) device.Value) func(in ...*Tensor) *Tensor {
	var programs sync.Map // by number of inputs
	return func(in ...*Tensor) *Tensor {
		p, ok := programs.Load(len(in))
		if !ok {
			p, _ = programs.LoadOrStore(len(in), device.NewProgram(name, len(in), func(b *device.Builder, in ...device.Value) []device.Value {
				return []device.Value{formula(b, in...)}
			}))
		}
		return run(p.(*device.Program), nil, nil, in...)
	}
}

// run applies a program of one output to broadcast inputs and records it.
func run(p *device.Program, params []float64, keys []device.Key, in ...*Tensor) *Tensor {
	var y [1]*Tensor
	runTo(y[:], p, params, keys, in)
	return y[0]
}

// A call is what a device is asked for, kept to be used again.
type call struct {
	device.Args
	in  [6]device.Operand
	out [2]device.Slice
}

var calls = sync.Pool{New: func() any { return new(call) }}

// runTo is run for any number of outputs.
func runTo(outputs []*Tensor, p *device.Program, params []float64, keys []device.Key, in []*Tensor) {
	if len(in) != p.Inputs() {
		panic(fmt.Sprintf("ops: %s: %d operands, want %d", p.Name(), len(in), p.Inputs()))
	}
	for _, t := range in {
		if t.DType() != in[0].DType() || !t.DType().IsFloat() {
			panic(fmt.Sprintf("ops: %s: operands %s, want the same float type", p.Name(), shapes(in)))
		}
	}
	shape := broadcast(p.Name(), in, make([]int, 0, 8))
	args := calls.Get().(*call)
	args.In, args.Out, args.Params, args.Keys = args.in[:0], args.out[:0], params, keys
	layout(&args.Args, shape, in)
	for i := range outputs {
		outputs[i] = autograd.Make(in[0].DType(), shape, in...)
		args.Out = append(args.Out, outputs[i].Slice())
	}
	outputs[0].Device().Pointwise(p, &args.Args)
	*args = call{} // keep no memory of operands
	calls.Put(args)

	var wrt uint64
	for i, t := range in {
		if t.RequiresGrad() && p.Uses(i) {
			wrt |= 1 << i
		}
	}
	if wrt == 0 {
		return
	}
	vjp := p.VJP(wrt)
	saved := make([]*Tensor, 0, 8)
	for i, t := range in {
		if vjp.Uses(i) {
			saved = append(saved, t)
		}
	}
	autograd.Apply(&pointwiseRule{p, params, keys, wrt}, outputs, in, saved)
}

type pointwiseRule struct {
	program *device.Program
	params  []float64
	keys    []device.Key
	wrt     uint64 // inputs that have gradients
}

func (r *pointwiseRule) Name() string { return r.program.Name() }

func (r *pointwiseRule) Backward(c *autograd.Call, grads []*Tensor) []*Tensor {
	n := len(c.Inputs)
	result := make([]*Tensor, n)
	all := r.program.VJP(r.wrt)
	var wrt uint64 // inputs whose gradients have to be computed
	k := 0
	for i, x := range c.Inputs {
		if r.wrt>>i&1 == 0 {
			continue
		}
		instr := all.Code()[all.Outputs()[k]]
		k++
		switch {
		case !c.Needs[i]:
		case instr.Op == device.OpConst && instr.Const == 0:
		case instr.Op == device.OpInput && instr.Index >= n: // passed on as it is
			if g := grads[instr.Index-n]; g != nil {
				result[i] = sumTo(g, x.Shape())
			}
		default:
			wrt |= 1 << i
		}
	}
	if wrt == 0 {
		return result
	}

	var some *Tensor
	for _, g := range grads {
		if g != nil {
			some = g
		}
	}
	in := make([]*Tensor, 0, 8)
	next := 0
	for i := range c.Inputs {
		if all.Uses(i) {
			in = append(in, c.Saved[next])
			next++
		} else {
			in = append(in, some) // any tensor will do: the program does not look at it
		}
	}
	for _, g := range grads {
		if g == nil {
			g = autograd.Make(some.DType(), nil, some)
			g.Device().Fill(g.Slice(), 0)
		}
		in = append(in, g)
	}
	vjp, at := r.program.VJP(wrt).Distinct()
	out := append(make([]*Tensor, 0, 8), make([]*Tensor, len(vjp.Outputs()))...)
	runTo(out, vjp, r.params, r.keys, in)
	k = 0
	for i, x := range c.Inputs {
		if wrt>>i&1 == 1 {
			result[i] = sumTo(out[at[k]], x.Shape())
			k++
		}
	}
	return result
}

// broadcast returns the shape that the inputs stretch to, in room if it is not one of
// theirs.
func broadcast(op string, in []*Tensor, room []int) []int {
	if len(in) == 0 {
		panic(fmt.Sprintf("ops: %s: no operands", op))
	}
	shape := in[0].Shape()
	if sameShapes(in) {
		return shape
	}
	shape = append(room, shape...)
	for _, t := range in {
		if n := len(t.Shape()); n > len(shape) {
			shape = slices.Insert(shape, 0, slices.Repeat([]int{1}, n-len(shape))...)
		}
		for i, d := range t.Shape() {
			at := len(shape) - len(t.Shape()) + i
			switch {
			case shape[at] == 1:
				shape[at] = d
			case d != 1 && d != shape[at]:
				panic(fmt.Sprintf("ops: %s: cannot broadcast %s", op, shapes(in)))
			}
		}
	}
	return shape
}

func sameShapes(in []*Tensor) bool {
	for _, t := range in {
		if !slices.Equal(t.Shape(), in[0].Shape()) {
			return false
		}
	}
	return true
}

// layout sees shape as rows×cols such that every input covers it as a whole, by
// rows, by columns or as one value, and enters that in args. Inputs for which that does
// not work are expanded.
func layout(args *device.Args, shape []int, in []*Tensor) {
	split, fits := 0, -1
	for s := 0; s <= len(shape) && fits < len(in); s++ {
		n := 0
		for _, t := range in {
			if _, ok := extent(t, shape, s); ok {
				n++
			}
		}
		if n > fits {
			split, fits = s, n
		}
	}
	for _, t := range in {
		e, ok := extent(t, shape, split)
		if !ok {
			t = expandData(t, shape)
		}
		args.In = append(args.In, device.Operand{Slice: t.Slice(), Extent: e})
	}
	args.Rows, args.Cols = product(shape[:split]), product(shape[split:])
}

// extent says how t covers shape split before dimension s.
func extent(t *Tensor, shape []int, s int) (device.Extent, bool) {
	lead := len(shape) - len(t.Shape())
	matches := func(from, to int) (equal, ones bool) {
		equal, ones = true, true
		for i := from; i < to; i++ {
			d := 1
			if i >= lead {
				d = t.Shape()[i-lead]
			}
			equal = equal && d == shape[i]
			ones = ones && d == 1
		}
		return equal, ones
	}
	topEqual, topOnes := matches(0, s)
	endEqual, endOnes := matches(s, len(shape))
	switch {
	case topEqual && endEqual:
		return device.FullExtent, true
	case t.Len() == 1:
		return device.ScalarExtent, true
	case topOnes && endEqual:
		return device.RowExtent, true
	case topEqual && endOnes:
		return device.ColumnExtent, true
	}
	return device.FullExtent, false
}
