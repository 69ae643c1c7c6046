package optim

import (
	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/nn"
)

// An EMA keeps an exponential moving average of parameters, which often does better
// than the parameters themselves (Polyak and Juditsky, 1992). It starts as a copy of
// them.
type EMA struct {
	decay  float64
	params []*nn.Parameter
	shadow []*autograd.Tensor
}

// NewEMA returns the average of params as they are. Decay is what Update leaves of it,
// such as 0.999.
func NewEMA(params []*nn.Parameter, decay float64) *EMA {
	e := &EMA{decay: decay, params: params}
	for _, p := range params {
		e.shadow = append(e.shadow, autograd.Keep(p.Tensor))
	}
	return e
}

// Update moves the average towards the parameters: a ← decay·a + (1 - decay)·w. It is
// called after each step of the optimiser.
func (e *EMA) Update() {
	for i, p := range e.params {
		apply(averageProgram, []float64{e.decay, 1 - e.decay}, e.shadow[i:i+1], p.Tensor)
	}
}

var averageProgram = device.NewProgram("moving average", 2, func(b *device.Builder, in ...device.Value) []device.Value {
	return []device.Value{b.Add(b.Mul(b.Param(0), in[0]), b.Mul(b.Param(1), in[1]))}
})

// Swap exchanges the parameters and their average: once before an evaluation, and
// again before training goes on.
func (e *EMA) Swap() {
	for i, p := range e.params {
		w := autograd.Keep(p.Tensor)
		move(p.Tensor, e.shadow[i])
		move(e.shadow[i], w)
	}
}

func move(dst, src *autograd.Tensor) {
	autograd.Mutate(func(to ...device.Slice) {
		one := []int{1}
		src.Device().Strided(to[0], 0, one, src.Slice(), 0, one, []int{src.Len()})
	}, dst)
}
