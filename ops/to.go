package ops

import (
	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
)

// To returns x with its elements converted to another type; x itself if it has that.
// Floats become Int32 by dropping their fraction, and one that no Int32 holds becomes
// whatever the device makes of it. Gradients flow between Float32 and Float64.
func To(x *Tensor, dtype device.DType) *Tensor {
	if x.DType() == dtype {
		return x
	}
	y := castData(x, dtype, x)
	if x.DType().IsFloat() && dtype.IsFloat() {
		autograd.Apply(toRule{}, list(y), list(x), nil)
	}
	return y
}

type toRule struct{}

func (toRule) Name() string { return "to" }
func (toRule) Backward(c *autograd.Call, g []*Tensor) []*Tensor {
	return list(To(g[0], c.Inputs[0].DType()))
}

// castData returns x in another type, without recording, for an operation that has like
// among its inputs.
func castData(x *Tensor, dtype device.DType, like *Tensor) *Tensor {
	y := autograd.Make(dtype, x.Shape(), x, like)
	y.Device().Cast(y.Slice(), x.Slice())
	return y
}
