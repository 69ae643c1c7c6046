package ops_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/ops"
)

func init() {
	for _, shape := range shapes {
		register(sample{
			op: "To", name: fmt.Sprint("and back ", shape), inputs: []input{normal(shape...)},
			f:     func(in ...*tensor) *tensor { return ops.To(ops.To(in[0], device.Float64), in[0].DType()) },
			plain: elementwise(func(x ...float64) float64 { return x[0] }),
			torch: "x[0].to(torch.float64).to(x[0].dtype)",
		}, sample{
			op: "To", name: fmt.Sprint("integers ", shape), inputs: []input{{shape, -5, 5}}, flat: true,
			f:     func(in ...*tensor) *tensor { return ops.To(in[0], device.Int32) },
			plain: elementwise(func(x ...float64) float64 { return math.Trunc(x[0]) }),
			torch: "x[0].detach().to(torch.int32)",
		})
	}
}

// TestToGradients: they come in the type of what they are the gradients of, to second order.
func TestToGradients(t *testing.T) {
	x := autograd.New([]float32{1, -2, 0.5}).RequireGrad()
	y := ops.To(x, device.Float64)
	first := autograd.Grad([]*tensor{ops.Sum(ops.Mul(y, ops.Mul(y, y)))}, []*tensor{x}, nil, true)[0]
	if got, want := first.Float32s(), []float32{3, 12, 0.75}; !slices.Equal(got, want) {
		t.Errorf("gradient %v, want %v", got, want)
	}
	second := autograd.Grad([]*tensor{ops.Sum(first)}, []*tensor{x}, nil, false)[0]
	if got, want := second.Float32s(), []float32{6, -12, 3}; !slices.Equal(got, want) {
		t.Errorf("second derivative %v, want %v", got, want)
	}
	if y := ops.To(ops.To(x, device.Int32), device.Float32); y.RequiresGrad() || !slices.Equal(y.Float32s(), []float32{1, -2, 0}) {
		t.Errorf("by way of integers: %v", y)
	}
}

// The share of rows whose largest score is that of their label.
func ExampleTo() {
	scores := autograd.New([]float32{2, 1, 0, 3, 1, 0}, 3, 2)
	labels := autograd.New([]int32{0, 0, 0})
	predicted := ops.ArgMax(scores, 1)
	right := ops.Equal(ops.To(predicted, device.Float32), ops.To(labels, device.Float32))
	fmt.Printf("%.3f\n", ops.Mean(right).Item())
	// Output: 0.667
}
