package ops_test

import (
	"fmt"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/ops"
)

// The gradient of a normalised vector has no part along the vector itself; the second
// derivative is that of the gradient's squared length.
func ExampleRMSNorm() {
	x := autograd.New([]float64{3, 4}).RequireGrad()
	y := ops.RMSNorm(x, autograd.New([]float64{1, 1}), 0)
	of := []*autograd.Tensor{x}
	first := autograd.Grad([]*autograd.Tensor{ops.Sum(y)}, of, nil, true)[0]
	second := autograd.Grad([]*autograd.Tensor{ops.Sum(ops.Mul(first, first))}, of, nil, false)[0]
	fmt.Printf("%.3f\n%.4f\n%.5f\n", y.Float64s(), first.Float64s(), second.Float64s())
	// Output:
	// [0.849 1.131]
	// [0.0453 -0.0339]
	// [-0.00794 0.00435]
}
