package ops_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/ops"
)

func init() {
	for correction := range 2 {
		for _, c := range []struct{ shape, axes []int }{
			{[]int{2, 3}, nil}, {[]int{2, 3}, []int{1}}, {[]int{3, 2, 4}, []int{0, 2}}, {[]int{7}, []int{-1}}, {[]int{0, 3}, []int{1}}, {[]int{2, 1, 3}, []int{1, 2}},
		} {
			dim := "None"
			if c.axes != nil {
				dim = fmt.Sprintf("(%d,", c.axes[0])
				for _, a := range c.axes[1:] {
					dim += fmt.Sprintf("%d,", a)
				}
				dim += ")"
			}
			register(sample{
				op: "Std", name: fmt.Sprint(c, " ", correction), inputs: []input{normal(c.shape...)},
				f: func(in ...*tensor) *tensor { return ops.Std(in[0], correction, c.axes...) },
				plain: func(in ...array) array {
					return reduce(in[0], c.axes, func(v []float64) float64 { return math.Sqrt(variance(correction)(v)) })
				},
				torch: fmt.Sprintf("x[0].std(%s, correction=%d)", dim, correction),
			})
		}
	}
}

// TestStdOfEqual: PyTorch's gradient of no deviation is 0, and of one element's, unbiased,
// NaN.
func TestStdOfEqual(t *testing.T) {
	x := autograd.New([]float32{2, 2, 2}).RequireGrad()
	y := ops.Std(x, 1)
	y.Backward()
	near(t, "deviation", y.Float64s(), []float64{0}, 0)
	near(t, "gradient", x.Grad().Float64s(), []float64{0, 0, 0}, 0)
	if v := ops.Std(autograd.New([]float32{2}), 1).Item(); !math.IsNaN(v) {
		t.Errorf("of one element: %v", v)
	}
}
