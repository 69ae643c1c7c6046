package autograd_test

import (
	"fmt"
	"math"
	"runtime"
	"testing"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/ops"
)

// line returns the caller's file and line, offset lines further down.
func line(offset int) string {
	_, file, n, _ := runtime.Caller(1)
	return fmt.Sprintf("%s:%d", file, n+offset)
}

func TestAnomaly(t *testing.T) {
	scope := autograd.NewScope().DetectAnomaly()
	x := leaf(1, 0, 4)
	where := line(1)
	panics(t, func() { ops.Log(scope.Of(x)) }, "anomaly: log of Tensor[3] float64 made -Inf at element [1] of result 0 Tensor[3] float64", where)

	where = line(1)
	y := ops.Sum(ops.Sqrt(scope.Of(x))) // finite, its slope at 0 is not
	panics(t, func() { autograd.Backward(y, autograd.NewGradients()) }, "anomaly: the backward pass of sqrt made +Inf at element [1] of the gradient of input 0 Tensor[3] float64", where)

	where = line(2)
	panics(t, func() {
		ops.Linear(scope.Of(autograd.New([]float64{1e200}, 1, 1)), autograd.New([]float64{1e200}, 1, 1).RequireGrad(), nil)
	},
		"anomaly: matmul of Tensor[1 1] float64, Tensor[1 1] float64 made +Inf", where)
	panics(t, func() { ops.Exp(scope.Sub().Of(leaf(math.NaN()))) }, "of exp, not the result of a recorded operation, is NaN at element [0]")
	panics(t, func() { (*autograd.Scope)(nil).DetectAnomaly() }, "nil Scope")
}

// TestNoAnomaly: what came in is not blamed on who passes it on, and nothing is
// looked at unless asked for.
func TestNoAnomaly(t *testing.T) {
	scope := autograd.NewScope().DetectAnomaly()
	mask := autograd.New([]float64{0, math.Inf(-1)})
	weights := ops.Softmax(ops.Add(scope.Of(leaf(1, 2)), mask), -1)
	autograd.Backward(ops.Sum(ops.Mul(weights, weights)), autograd.NewGradients())
	autograd.Backward(ops.Sum(ops.Log(autograd.NewScope().Of(leaf(0)))), autograd.NewGradients())
}

func ExampleScope_DetectAnomaly() {
	scope := autograd.NewScope().DetectAnomaly()
	x := autograd.New([]float32{2, 0}).RequireGrad()
	defer func() { fmt.Println(fmt.Sprint(recover())[:64]) }()
	ops.Log(scope.Of(x))
	// Output: autograd: anomaly: log of Tensor[2] float32 made -Inf at element
}
