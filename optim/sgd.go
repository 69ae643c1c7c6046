package optim

import (
	"fmt"

	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/nn"
)

// SGDConfig has the settings of SGD.
type SGDConfig struct {
	LR          float64
	Momentum    float64
	Dampening   float64 // of the gradient that goes into the momentum
	Nesterov    bool    // look ahead; needs momentum and no dampening
	WeightDecay float64 // an L2 penalty: decay·w is added to the gradient
}

// NewSGD returns stochastic gradient descent, with momentum as PyTorch has it
// (Sutskever et al., ICML 2013, but for where the learning rate stands):
//
//	g ← g + decay·w
//	u ← g in the first step, then momentum·u + (1 - dampening)·g
//	w ← w - lr·u, or with Nesterov w - lr·(g + momentum·u)
//
// It panics if Nesterov is asked for without momentum or with dampening.
func NewSGD(params []*nn.Parameter, cfg SGDConfig) *Optimizer {
	if cfg.Nesterov && (cfg.Momentum <= 0 || cfg.Dampening != 0) {
		panic(fmt.Sprintf("optim: NewSGD: Nesterov with momentum %v and dampening %v, want momentum and no dampening", cfg.Momentum, cfg.Dampening))
	}
	if cfg.Momentum == 0 {
		return newOptimizer(params, cfg.LR, cfg.WeightDecay, &formula{sgdProgram, nil, func(lr, decay, scale float64, _ int) []float64 {
			return []float64{lr, decay, scale}
		}})
	}
	program := momentumProgram
	if cfg.Nesterov {
		program = nesterovProgram
	}
	return newOptimizer(params, cfg.LR, cfg.WeightDecay, &formula{program, []string{"momentum_buffer"}, func(lr, decay, scale float64, step int) []float64 {
		fresh := 1 - cfg.Dampening
		if step == 1 {
			fresh = 1
		}
		return []float64{lr, decay, scale, cfg.Momentum, fresh}
	}})
}

// Parameters: lr, decay, the scale of the gradient and, with momentum, that and the
// factor of the gradient.
var sgdProgram = device.NewProgram("sgd", 2, func(b *device.Builder, in ...device.Value) []device.Value {
	return []device.Value{b.Sub(in[0], b.Mul(b.Param(0), penalised(b, in[0], in[1])))}
})

var momentumProgram = device.NewProgram("sgd with momentum", 3, func(b *device.Builder, in ...device.Value) []device.Value {
	u := b.Add(b.Mul(b.Param(3), in[1]), b.Mul(b.Param(4), penalised(b, in[0], in[2])))
	return []device.Value{b.Sub(in[0], b.Mul(b.Param(0), u)), u}
})

var nesterovProgram = device.NewProgram("sgd with Nesterov momentum", 3, func(b *device.Builder, in ...device.Value) []device.Value {
	g := penalised(b, in[0], in[2])
	u := b.Add(b.Mul(b.Param(3), in[1]), b.Mul(b.Param(4), g))
	return []device.Value{b.Sub(in[0], b.Mul(b.Param(0), b.Add(g, b.Mul(b.Param(3), u)))), u}
})

// penalised returns the scaled gradient with that of the L2 penalty; parameter 1 is
// the decay and 2 the scale.
func penalised(b *device.Builder, w, g device.Value) device.Value {
	return b.Add(b.Mul(g, b.Param(2)), b.Mul(b.Param(1), w))
}
