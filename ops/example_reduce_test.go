package ops_test

import (
	"fmt"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/ops"
)

// The second derivative of log-sum-exp is the covariance of a draw from the softmax:
// here its row for the first element.
func ExampleLogSumExp() {
	x := autograd.New([]float64{1, 2, 3}).RequireGrad()
	y := ops.LogSumExp(x)
	softmax := autograd.Grad([]*autograd.Tensor{y}, []*autograd.Tensor{x}, nil, true)[0]
	first := ops.Sum(ops.Slice(softmax, 0, 0, 1))
	row := autograd.Grad([]*autograd.Tensor{first}, []*autograd.Tensor{x}, nil, false)[0]
	fmt.Printf("%.3f\n%.3f\n%.3f\n", y.Float64s(), softmax.Float64s(), row.Float64s())
	// Output:
	// [3.408]
	// [0.090 0.245 0.665]
	// [0.082 -0.022 -0.060]
}
