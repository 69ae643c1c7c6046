package nn

import (
	"fmt"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/ops"
)

// Conv1d is a convolution along one axis; see ops.Conv1d.
type Conv1d struct {
	Weight *autograd.Tensor `name:"weight"`       // [out, in/groups, kernel]
	Bias   *autograd.Tensor `name:"bias,nodecay"` // [out], or nil
	Config ops.ConvConfig
}

// NewConv1d returns a layer from in to out channels, initialised as PyTorch's: uniform
// between ±1/√(in/groups · kernel).
func NewConv1d(in, out, kernel int, cfg ops.ConvConfig, key device.Key) *Conv1d {
	weight, bias := convParameters("NewConv1d", in, out, []int{kernel}, cfg, key)
	return &Conv1d{weight, bias, cfg}
}

// Forward maps x [n, in, length] to [n, out, l].
func (c *Conv1d) Forward(x *autograd.Tensor) *autograd.Tensor {
	return ops.Conv1d(x, c.Weight, c.Bias, c.Config)
}

// Conv2d is a convolution along two axes; see ops.Conv2d.
type Conv2d struct {
	Weight *autograd.Tensor `name:"weight"`       // [out, in/groups, kernel...]
	Bias   *autograd.Tensor `name:"bias,nodecay"` // [out], or nil
	Config ops.ConvConfig
}

// NewConv2d returns a layer from in to out channels with a kernel of the given height
// and width, initialised as PyTorch's: uniform between ±1/√(in/groups · height · width).
func NewConv2d(in, out int, kernel [2]int, cfg ops.ConvConfig, key device.Key) *Conv2d {
	weight, bias := convParameters("NewConv2d", in, out, kernel[:], cfg, key)
	return &Conv2d{weight, bias, cfg}
}

// Forward maps x [n, in, h, w] to [n, out, oh, ow].
func (c *Conv2d) Forward(x *autograd.Tensor) *autograd.Tensor {
	return ops.Conv2d(x, c.Weight, c.Bias, c.Config)
}

func convParameters(name string, in, out int, kernel []int, cfg ops.ConvConfig, key device.Key) (weight, bias *autograd.Tensor) {
	groups := cfg.Groups
	if groups == 0 {
		groups = 1
	}
	if groups < 0 || in%groups != 0 || out%groups != 0 {
		panic(fmt.Sprintf("nn: %s: %d to %d channels in %d groups", name, in, out, groups))
	}
	shape := append([]int{out, in / groups}, kernel...)
	fanIn, _ := Fans(shape...)
	bound := linearBound(fanIn)
	return Uniform(key.Fold("weight"), -bound, bound, shape...), Uniform(key.Fold("bias"), -bound, bound, out)
}
