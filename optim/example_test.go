package optim_test

import (
	"fmt"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/nn"
	"github.com/muppet-go/muppet/ops"
	"github.com/muppet-go/muppet/optim"
)

// The point nearest to (3, -2), found step by step with a falling learning rate.
func Example() {
	var model struct {
		Point *autograd.Tensor `name:"point"`
	}
	model.Point = nn.Constant(0, 2)
	target := autograd.New([]float32{3, -2})
	opt := optim.NewAdamW(nn.Parameters(&model), optim.AdamWConfig{})
	opt.ClipNorm = 1
	schedule := optim.PolynomialDecay{Peak: 0.2, WarmUp: 10, Total: 200}
	grads := autograd.NewGradients()
	for step := 1; step <= 200; step++ {
		away := ops.Sub(model.Point, target)
		autograd.Backward(ops.Sum(ops.Mul(away, away)), grads)
		opt.LR = schedule.At(step)
		opt.Step(grads)
	}
	fmt.Printf("%.2f\n", model.Point.Float32s())
	// Output: [3.00 -2.00]
}
