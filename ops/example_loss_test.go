package ops_test

import (
	"fmt"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/ops"
)

// The second row has no label. Class 1 counts twice, and the targets are softened. The
// second derivative is that of the gradient's squared length.
func ExampleCrossEntropyWith() {
	logits := autograd.New([]float64{1, 2, 0, 5, 5, 5, 0, 0, 3}, 3, 3).RequireGrad()
	labels := autograd.New([]int32{1, -1, 0})
	loss := ops.CrossEntropyWith(logits, labels, ops.CrossEntropyConfig{
		Weight:         autograd.New([]float64{1, 2, 1}),
		LabelSmoothing: 0.1,
	})
	of := []*autograd.Tensor{logits}
	first := autograd.Grad([]*autograd.Tensor{loss}, of, nil, true)[0]
	second := autograd.Grad([]*autograd.Tensor{ops.Sum(ops.Mul(first, first))}, of, nil, false)[0]
	fmt.Printf("%.3f\n%.3f\n%.3f\n", loss.Item(), first.Float64s(), second.Float64s())
	// Output:
	// 1.329
	// [0.147 -0.194 0.047 0.000 0.000 0.000 -0.296 -0.007 0.302]
	// [0.074 -0.090 0.016 0.000 0.000 0.000 -0.017 -0.008 0.026]
}

// Binary cross entropy of four yes-or-no answers at once, far from rounding to 0.
func ExampleBCEWithLogits() {
	logits := autograd.New([]float64{-50, 0, 2, 50}).RequireGrad()
	targets := autograd.New([]float64{0, 1, 1, 0})
	loss := ops.BCEWithLogits(logits, targets)
	of := []*autograd.Tensor{logits}
	first := autograd.Grad([]*autograd.Tensor{loss}, of, nil, true)[0]
	second := autograd.Grad([]*autograd.Tensor{ops.Sum(first)}, of, nil, false)[0]
	fmt.Printf("%.3f\n%.3f\n%.3f\n", loss.Item(), first.Float64s(), second.Float64s())
	// Output:
	// 12.705
	// [0.000 -0.125 -0.030 0.250]
	// [0.000 0.062 0.026 0.000]
}
