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

// cube is how x³ is differentiated. Backward is made of operations, so that its result
// can be differentiated again.
type cube struct{}

func (cube) Name() string { return "cube" }
func (cube) Backward(c *autograd.Call, grads []*autograd.Tensor) []*autograd.Tensor {
	x := c.Saved[0]
	return []*autograd.Tensor{ops.Mul(grads[0], ops.Scale(ops.Mul(x, x), 3))}
}

// Cube computes its result in whatever way, without history, and records the rule
// with what it is to find in c.Saved.
func Cube(x *autograd.Tensor) *autograd.Tensor {
	v := x.Detach()
	y := ops.Mul(v, ops.Mul(v, v))
	autograd.Apply(cube{}, []*autograd.Tensor{y}, []*autograd.Tensor{x}, []*autograd.Tensor{x})
	return y
}

// A function of one's own, and its second derivative.
func ExampleApply() {
	x := autograd.New([]float64{2, -1}).RequireGrad()
	first := autograd.Grad([]*autograd.Tensor{ops.Sum(Cube(x))}, []*autograd.Tensor{x}, nil, true)[0]
	second := autograd.Grad([]*autograd.Tensor{ops.Sum(first)}, []*autograd.Tensor{x}, nil, false)[0]
	fmt.Println(first)
	fmt.Println(second)
	fmt.Println(autograd.GradGradCheck(func(in ...*autograd.Tensor) *autograd.Tensor { return Cube(in[0]) }, x))
	// Output:
	// Tensor[2] float64 [12 3]
	// Tensor[2] float64 [12 -6]
	// <nil>
}

// How exp changes along a direction, and its Hessian times a vector.
func ExampleJVP() {
	f := func(in ...*autograd.Tensor) *autograd.Tensor { return ops.Sum(ops.Exp(in[0])) }
	x := []*autograd.Tensor{autograd.New([]float64{0, 1})}
	v := []*autograd.Tensor{autograd.New([]float64{1, 2})}
	_, along := autograd.JVP(f, x, v)
	_, products := autograd.HVP(f, x, v)
	fmt.Printf("%.3f\n%.3f\n%.3f\n", along.Item(), products[0].Float64s(), autograd.Hessian(f, 0, 0, x[0]))
	// Output:
	// 6.437
	// [1.000 5.437]
	// [[1.000 0.000] [0.000 2.718]]
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
