package ops_test

import (
	"fmt"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/ops"
)

// gradients prints f(x), the gradient of Σ f(x)³ and, by a double backward, the gradient
// of the sum of that one's squares.
func gradients(f func(x *autograd.Tensor) *autograd.Tensor, x *autograd.Tensor) {
	y := f(x)
	loss := ops.Sum(ops.Mul(y, ops.Mul(y, y)))
	first := autograd.Grad([]*autograd.Tensor{loss}, []*autograd.Tensor{x}, nil, true)[0]
	second := autograd.Grad([]*autograd.Tensor{ops.Sum(ops.Mul(first, first))}, []*autograd.Tensor{x}, nil, false)[0]
	fmt.Printf("%v %.1f\n%.1f\n%.1f\n", y.Shape(), y.Float64s(), first.Float64s(), second.Float64s())
}

// Shapes: the same elements, laid out in another way.
func ExamplePad() {
	x := autograd.New([]float64{1, -2, 0.5, 3}, 2, 2).RequireGrad()
	gradients(func(x *autograd.Tensor) *autograd.Tensor {
		return ops.Pad(ops.Flip(ops.Triu(x, 0), 1), 9, [2]int{0, 0}, [2]int{1, 0})
	}, x)
	parts := ops.Split(x, 1, 1, 1)
	fmt.Println(ops.Stack(0, parts...).Shape(), ops.Repeat(ops.Squeeze(parts[0]), 2, 2).Float64s())
	// Output:
	// [2 3] [9.0 -2.0 1.0 9.0 3.0 0.0]
	// [3.0 12.0 0.0 27.0]
	// [36.0 -288.0 0.0 972.0]
	// [2 2 1] [1 0.5 1 0.5 1 0.5 1 0.5]
}

// Indexing: gradients go where the elements came from.
func ExampleTopK() {
	x := autograd.New([]float64{1, -2, 0.5, 3, 0, 2}, 2, 3).RequireGrad()
	gradients(func(x *autograd.Tensor) *autograd.Tensor {
		values, indices := ops.TopK(x, 2, 1)
		fmt.Println(indices.Int32s())
		return values
	}, x)
	// Output:
	// [0 2 0 2]
	// [2 2] [1.0 0.5 3.0 2.0]
	// [3.0 0.0 0.8 27.0 0.0 12.0]
	// [36.0 0.0 4.5 972.0 0.0 288.0]
}

// Einstein's notation: a quadratic form for every row of x.
func ExampleEinsum() {
	x := autograd.New([]float64{1, 0, 0.5, 1}, 2, 2).RequireGrad()
	w := autograd.New([]float64{1, 0.5, 0, 2}, 2, 2)
	gradients(func(x *autograd.Tensor) *autograd.Tensor { return ops.Einsum("ni,ij,nj->n", x, w, x) }, x)
	// Output:
	// [2] [1.0 2.5]
	// [6.0 1.5 28.1 79.7]
	// [382.5 130.5 20742.2 61040.0]
}
