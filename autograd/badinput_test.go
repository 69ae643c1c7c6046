package autograd_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/internal/parallel"
	"github.com/muppet-go/muppet/ops"
)

// TestBadInput samples mistakes: each panics with the operation and what is at fault.
func TestBadInput(t *testing.T) {
	x, y := leaf(1, 2, 3), leaf(1, 2)
	single := autograd.New([]float32{1, 2, 3})
	integers := autograd.New([]int32{1, 2, 3})
	scope, other := autograd.NewScope(), autograd.NewScope()
	released := ops.Sum(ops.Exp(x))
	released.Backward()
	stale := ops.Exp(scope.Of(x))
	scope.Reset()
	changing := leaf(1, 2, 3)
	changed := ops.Sum(ops.Sin(changing))
	autograd.Mutate(func(dst ...device.Slice) { changing.Device().Fill(dst[0], 0) }, changing)
	for _, c := range []struct {
		name string
		call func()
		want string
	}{
		{"no seed", ops.Exp(x).Backward, "Backward of Tensor[3] float64: want one element"},
		{"no seed for Grad", func() { autograd.Grad([]*tensor{ops.Exp(x)}, []*tensor{x}, nil, false) }, "Grad of Tensor[3] float64 without gradOutputs"},
		{"released", released.Backward, "exp: backward through the same graph a second time"},
		{"stale operand", func() { ops.Mul(x, stale) }, "Mul: Tensor[3] float64 is used after its memory went back"},
		{"stale read", func() { stale.Float64s() }, "Float64s: Tensor[3] float64 is used after its memory went back to its scope"},
		{"changed", changed.Backward, "sin: saved Tensor[3] float64 was changed by Mutate"},
		{"unrelated scopes", func() { ops.Mul(scope.Of(x), other.Of(x)) }, "Mul: tensors of unrelated scopes: Tensor[3] float64, Tensor[3] float64"},
		{"shapes", func() { ops.Add(x, y) }, "add: cannot broadcast [3] float64, [2] float64"},
		{"types", func() { ops.Add(x, single) }, "add: operands [3] float64, [3] float32"},
		{"matrix product", func() { ops.MatMul(x, y) }, "MatMul: [3] float64, [2] float64"},
		{"integers", func() { integers.RequireGrad() }, "RequireGrad: Tensor[3] int32"},
		{"arithmetic on integers", func() { ops.Exp(integers) }, "exp: operands [3] int32"},
		{"result", func() { ops.Exp(x).RequireGrad() }, "RequireGrad: Tensor[3] float64 is a result"},
		{"reading another type", func() { single.Int32s() }, "reading Tensor[3] float32 as int32"},
		{"length", func() { autograd.New([]float32{1, 2}, 3) }, "New: 2 elements for shape [3]"},
		{"kind of data", func() { autograd.New([]int{1}) }, "cannot make a tensor of []int"},
		{"view", func() { autograd.View(x, 2, 2) }, "View: 2 elements from 2 of Tensor[3] float64"},
		{"dimension", func() { x.Dim(1) }, "Dim: no dimension 1 in shape [3]"},
		{"sum", func() { autograd.Sum(x, y) }, "Sum of Tensor[3] float64 and Tensor[2] float64"},
	} {
		t.Run(c.name, func(t *testing.T) { panics(t, c.call, c.want) })
	}
	long := make([]int32, 100_000)
	long[77_777] = 3
	err := autograd.Try(func() { ops.IndexSelect(x, autograd.New(long)).Float64s() })
	var e *device.Error
	if !errors.As(err, &e) || !strings.Contains(err.Error(), "index 3") {
		t.Errorf("an index out of range: error %v", err)
	}
}

// parallelPanic is a rule that fails in a worker.
type parallelPanic struct{}

func (parallelPanic) Name() string { return "parallel_panic" }
func (parallelPanic) Backward(*autograd.Call, []*tensor) []*tensor {
	parallel.For(1000, func(i int) {
		if i == 700 {
			panic("ops: parallel_panic: element 700 of [1000] float64")
		}
	})
	return nil
}

// TestWorkerPanic: what fails in a worker is the caller's panic, and the next
// operation works.
func TestWorkerPanic(t *testing.T) {
	x := leaf(1)
	panics(t, apply(parallelPanic{}, 1, x)[0].Backward, "ops: parallel_panic: element 700 of [1000] float64")
	ops.Sum(ops.Exp(x)).Backward()
	near(t, "gradient", x.Grad(), ops.Exp(x).Item())
}
