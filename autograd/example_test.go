package autograd_test

import (
	"fmt"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/ops"
)

func Example() {
	x := autograd.New([]float32{1, 2, 3}, 3).RequireGrad()
	y := ops.Sum(ops.Mul(x, x))
	y.Backward()
	fmt.Println(x.Grad())
	// Output: Tensor[3] float32 [2 4 6]
}

// The gradient of a gradient: d²/dx² sin x = -sin x.
func ExampleGrad() {
	x := autograd.New([]float64{0.5, 1}).RequireGrad()
	first := autograd.Grad([]*autograd.Tensor{ops.Sum(ops.Sin(x))}, []*autograd.Tensor{x}, nil, true)[0]
	second := autograd.Grad([]*autograd.Tensor{ops.Sum(first)}, []*autograd.Tensor{x}, nil, false)[0]
	fmt.Printf("%.4f\n%.4f\n", first.Float64s(), second.Float64s())
	// Output:
	// [0.8776 0.5403]
	// [-0.4794 -0.8415]
}

// A training loop: the scope takes the memory of each step back, the gradients and the
// parameter stay.
func ExampleScope() {
	x := autograd.New([]float32{1, 2, 3, 4}, 4, 1)
	want := autograd.New([]float32{3, 6, 9, 12}, 4, 1)
	w := autograd.Zeros(1, 1).RequireGrad()
	grads := autograd.NewGradients()
	scope := autograd.NewScope()
	for range 20 {
		hidden := scope.Frame(func() *autograd.Tensor { return ops.Linear(scope.Of(x), w, nil) })
		miss := ops.Sub(hidden, want)
		autograd.Backward(ops.Mean(ops.Mul(miss, miss)), grads)
		step := ops.Scale(scope.Of(grads.Get(w)), -0.05)
		w = autograd.Keep(ops.Add(step, w.Detach())).RequireGrad()
		grads.Reset()
		scope.Reset()
	}
	fmt.Printf("%.2f\n", w.Item())
	// Output: 3.00
}

// GradCheck compares with finite differences; float64 and a handful of elements do.
func ExampleGradCheck() {
	x := autograd.New([]float64{0.3, -1.2, 2}).RequireGrad()
	softplus := func(in ...*autograd.Tensor) *autograd.Tensor {
		return ops.Log(ops.Add(ops.Exp(in[0]), autograd.New([]float64{1})))
	}
	fmt.Println(autograd.GradCheck(softplus, x))
	// Output: <nil>
}
