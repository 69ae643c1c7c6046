package ops_test

import (
	"fmt"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/ops"
)

// The slope of softplus is the sigmoid, and the slope of that is σ·(1 - σ).
func ExampleSoftplus() {
	x := autograd.New([]float64{-1000, 0, 1000}).RequireGrad()
	y := ops.Softplus(x)
	first := autograd.Grad([]*autograd.Tensor{ops.Sum(y)}, []*autograd.Tensor{x}, nil, true)[0]
	second := autograd.Grad([]*autograd.Tensor{ops.Sum(first)}, []*autograd.Tensor{x}, nil, false)[0]
	fmt.Printf("%.2f\n%.2f\n%.2f\n", y.Float64s(), first.Float64s(), second.Float64s())
	// Output:
	// [0.00 0.69 1000.00]
	// [0.00 0.50 1.00]
	// [0.00 0.25 0.00]
}

// A leaky ReLU: the comparison chooses, and gradients flow to what was chosen.
func ExampleWhere() {
	x := autograd.New([]float64{-2, 3}).RequireGrad()
	zero := autograd.New([]float64{0})
	ops.Sum(ops.Where(ops.Greater(x, zero), x, ops.Scale(x, 0.1))).Backward()
	fmt.Printf("%.1f\n", x.Grad().Float64s())
	// Output: [0.1 1.0]
}
