package ops_test

import (
	"fmt"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/ops"
)

func init() {
	for _, shape := range shapes {
		register(sample{
			op: "LeakyReLU", name: fmt.Sprint(shape), inputs: []input{normal(shape...)},
			f: func(in ...*tensor) *tensor { return ops.LeakyReLU(in[0], 0.1) },
			plain: elementwise(func(x ...float64) float64 {
				if x[0] > 0 {
					return x[0]
				}
				return 0.1 * x[0]
			}),
			torch: "F.leaky_relu(x[0], 0.1)",
		})
	}
}

func ExampleLeakyReLU() {
	x := autograd.New([]float32{-2, 0, 3}).RequireGrad()
	y := ops.LeakyReLU(x, 0.25)
	ops.Sum(y).Backward()
	fmt.Println(y, x.Grad())
	// Output: Tensor[3] float32 [-0.5 0 3] Tensor[3] float32 [0.25 0.25 1]
}
