package optim

import (
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/nn"
)

// RMSPropConfig has the settings of RMSProp. A zero Alpha or Eps means PyTorch's
// default: 0.99, 1e-8.
type RMSPropConfig struct {
	LR          float64
	Alpha       float64
	Momentum    float64
	Centered    bool // divide by the deviation of the gradients, not by their size
	Eps         float64
	WeightDecay float64 // of the parameters that have decay
	ClipNorm    float64 // gradients are scaled down to this global norm; 0: never
	ClipValue   float64 // then their elements are clipped to ±ClipValue; 0: never
}

// RMSProp (Tieleman and Hinton, 2012; centered by Graves, arXiv 1308.0850), in
// PyTorch's formulation:
//
//	g ← g + decay·w
//	v ← α·v + (1-α)·g²
//	a ← α·a + (1-α)·g           (centered; otherwise a = 0)
//	m ← μ·m + g / (√(v - a²) + ε)
//	w ← w - lr·m
//
// Without momentum m is not kept.
//
// The field LR is the learning rate of the next step.
type RMSProp struct{ core }

// NewRMSProp returns an optimiser of the parameters.
func NewRMSProp(params []*nn.Parameter, cfg RMSPropConfig) *RMSProp {
	alpha, eps := or(cfg.Alpha, 0.99), or(cfg.Eps, 1e-8)
	r := rule{
		update: rmspropUpdate, moments: []string{"square_avg"},
		numbers: func(lr, decay float64, _ int) []float64 {
			return []float64{lr, decay, alpha, 1 - alpha, eps, cfg.Momentum}
		},
	}
	switch {
	case cfg.Momentum != 0 && cfg.Centered:
		r.update, r.moments = rmspropBothUpdate, append(r.moments, "momentum_buffer", "grad_avg")
	case cfg.Momentum != 0:
		r.update, r.moments = rmspropMomentumUpdate, append(r.moments, "momentum_buffer")
	case cfg.Centered:
		r.update, r.moments = rmspropCenteredUpdate, append(r.moments, "grad_avg")
	}
	return &RMSProp{newCore(params, cfg.LR, cfg.WeightDecay, cfg.ClipNorm, cfg.ClipValue, r)}
}

var (
	rmspropUpdate         = newRMSProp("rmsprop", false, false)
	rmspropMomentumUpdate = newRMSProp("rmsprop_momentum", true, false)
	rmspropCenteredUpdate = newRMSProp("rmsprop_centered", false, true)
	rmspropBothUpdate     = newRMSProp("rmsprop_centered_momentum", true, true)
)

// newRMSProp returns the update that keeps, after the average of squares, what is asked
// for. Numbers: lr, decay, α, 1-α, ε, μ.
func newRMSProp(name string, momentum, centered bool) update {
	moments := 1
	for _, kept := range []bool{momentum, centered} {
		if kept {
			moments++
		}
	}
	return newUpdate(name, moments, 6, func(b *device.Builder, n []device.Value, w, g device.Value, moments []device.Value) []device.Value {
		g = l2(b, n[1], w, g)
		square := average(b, n[2], n[3], moments[0], b.Mul(g, g))
		kept, variance := []device.Value{square}, square
		var mean device.Value
		if centered {
			mean = average(b, n[2], n[3], moments[len(moments)-1], g)
			// Rounding must not take the root of a negative number.
			variance = b.Max(b.Sub(square, b.Mul(mean, mean)), b.Const(0))
		}
		change := b.Div(g, b.Add(b.Sqrt(variance), n[4]))
		if momentum {
			change = b.Add(b.Mul(n[5], moments[1]), change)
			kept = append(kept, change)
		}
		if centered {
			kept = append(kept, mean)
		}
		return append([]device.Value{b.Sub(w, b.Mul(n[0], change))}, kept...)
	})
}
