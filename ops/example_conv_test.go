package ops_test

import (
	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/ops"
)

// A difference filter over a line, with zeros beyond its ends.
func ExampleConv1d() {
	x := autograd.New([]float64{1, 3, 2, 0}, 1, 1, 4).RequireGrad()
	w := autograd.New([]float64{1, 0, -1}, 1, 1, 3)
	gradients(func(x *autograd.Tensor) *autograd.Tensor {
		return ops.Conv1d(x, w, nil, ops.ConvConfig{Padding: []int{1}})
	}, x)
	// Output:
	// [1 1 4] [-3.0 -1.0 3.0 2.0]
	// [3.0 0.0 9.0 -27.0]
	// [72.0 972.0 144.0 -972.0]
}

// The largest of every two by two.
func ExampleMaxPool2d() {
	x := autograd.New([]float64{1, 3, -1, -4, 2, 0, -2, -3}, 1, 1, 2, 4).RequireGrad()
	gradients(func(x *autograd.Tensor) *autograd.Tensor {
		return ops.MaxPool2d(x, ops.PoolConfig{Kernel: []int{2}})
	}, x)
	// Output:
	// [1 1 1 2] [3.0 -1.0]
	// [0.0 27.0 3.0 0.0 0.0 0.0 0.0 0.0]
	// [0.0 972.0 -36.0 0.0 0.0 0.0 0.0 0.0]
}
