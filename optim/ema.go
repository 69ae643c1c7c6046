package optim

import (
	"fmt"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/nn"
)

// EMA keeps exponential moving averages of parameters, which are often better than the
// parameters themselves (Polyak and Juditsky, 1992): a ← decay·a + (1-decay)·w.
//
//	opt.Step(grads)
//	ema.Update()
//	...
//	ema.Swap() // evaluate with the averages
//	evaluate(model)
//	ema.Swap() // and go on
type EMA struct {
	Decay    float64 // of the next update
	params   []*nn.Parameter
	averages []*autograd.Tensor
	swapped  bool
}

// NewEMA returns averages that begin with what the parameters are. Parameters that are
// not trained, such as running statistics, are averaged too; integers are left alone.
// It panics unless decay is from 0 to 1.
func NewEMA(params []*nn.Parameter, decay float64) *EMA {
	if !(decay >= 0 && decay <= 1) {
		panic(fmt.Sprintf("optim: NewEMA: decay %g, want 0 to 1", decay))
	}
	e := &EMA{Decay: decay}
	for _, p := range params {
		if !p.Tensor.DType().IsFloat() {
			continue
		}
		e.params = append(e.params, p)
		e.averages = append(e.averages, autograd.Keep(p.Tensor))
	}
	return e
}

var (
	// Inputs: average and weight. Parameters: decay, 1-decay.
	emaProgram = device.NewProgram("ema", 2, func(b *device.Builder, in ...device.Value) []device.Value {
		return []device.Value{average(b, b.Param(0), b.Param(1), in[0], in[1])}
	})
	swapProgram = device.NewProgram("swap", 2, func(_ *device.Builder, in ...device.Value) []device.Value {
		return []device.Value{in[1], in[0]}
	})
)

// Update brings the parameters' values into the averages: call it after every step of
// the optimiser. It panics while they are swapped.
func (e *EMA) Update() {
	if e.swapped {
		panic("optim: EMA: Update while the averages are swapped in")
	}
	for i, p := range e.params {
		autograd.Mutate(func(dst ...device.Slice) {
			p.Tensor.Device().Pointwise(emaProgram, &device.Args{
				Rows: 1, Cols: p.Tensor.Len(), Params: []float64{e.Decay, 1 - e.Decay}, Out: dst,
				In: []device.Operand{{Slice: dst[0]}, {Slice: p.Tensor.Slice()}},
			})
		}, e.averages[i])
	}
}

// Swap exchanges the parameters' values with their averages. A second call restores
// both to the bit.
func (e *EMA) Swap() {
	for i, p := range e.params {
		autograd.Mutate(func(dst ...device.Slice) {
			p.Tensor.Device().Pointwise(swapProgram, &device.Args{
				Rows: 1, Cols: p.Tensor.Len(), Out: dst, In: []device.Operand{{Slice: dst[0]}, {Slice: dst[1]}},
			})
		}, p.Tensor, e.averages[i])
	}
	e.swapped = !e.swapped
}

// State returns the averages for a checkpoint, under the state-dict names of their
// parameters; while they are swapped in, the parameters' own values. They share the
// EMA's memory: nn.LoadEntries restores them.
func (e *EMA) State() []nn.Entry {
	var entries []nn.Entry
	for i, p := range e.params {
		entries = append(entries, p.Entries(e.averages[i])...)
	}
	return entries
}
