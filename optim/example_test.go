package optim_test

import (
	"fmt"
	"strings"

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
	opt := optim.NewAdamW(nn.Parameters(&model), optim.AdamWConfig{ClipNorm: 1})
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

// Every optimiser fits a line to four points of y = 2x + 3, each with a learning rate
// that suits it.
func ExampleOptimizer() {
	x := autograd.New([]float32{-1, 0, 1, 2}, 4, 1)
	y := autograd.New([]float32{1, 3, 5, 7}, 4, 1)
	fit := func(name string, lr float64, optimiser func(params []*nn.Parameter) optim.Optimizer) {
		line := &nn.Linear{Weight: nn.Constant(1, 1, 1), Bias: nn.Constant(1, 1)}
		opt := optimiser(nn.Parameters(line))
		schedule := optim.CosineDecay{Peak: lr, WarmUp: 10, Total: 400}
		grads := autograd.NewGradients()
		for step := 1; step <= 400; step++ {
			off := ops.Sub(line.Forward(x), y)
			autograd.Backward(ops.Mean(ops.Mul(off, off)), grads)
			opt.SetLR(schedule.At(step))
			opt.Step(grads)
		}
		fmt.Printf("%-8s y = %.1fx %+.1f\n", name, line.Weight.Item(), line.Bias.Item())
	}
	fit("SGD", 0.1, func(p []*nn.Parameter) optim.Optimizer { return optim.NewSGD(p, optim.SGDConfig{Momentum: 0.9}) })
	fit("Adam", 0.05, func(p []*nn.Parameter) optim.Optimizer { return optim.NewAdam(p, optim.AdamConfig{}) })
	fit("AdamW", 0.05, func(p []*nn.Parameter) optim.Optimizer { return optim.NewAdamW(p, optim.AdamWConfig{}) })
	fit("Adagrad", 0.5, func(p []*nn.Parameter) optim.Optimizer { return optim.NewAdagrad(p, optim.AdagradConfig{}) })
	fit("RMSProp", 0.05, func(p []*nn.Parameter) optim.Optimizer { return optim.NewRMSProp(p, optim.RMSPropConfig{}) })
	fit("LAMB", 0.05, func(p []*nn.Parameter) optim.Optimizer { return optim.NewLAMB(p, optim.LAMBConfig{}) })
	fit("Lion", 0.03, func(p []*nn.Parameter) optim.Optimizer { return optim.NewLion(p, optim.LionConfig{Beta2: 0.9}) })
	// Output:
	// SGD      y = 2.0x +3.0
	// Adam     y = 2.0x +3.0
	// AdamW    y = 2.0x +3.0
	// Adagrad  y = 2.0x +3.0
	// RMSProp  y = 2.0x +3.0
	// LAMB     y = 2.0x +3.0
	// Lion     y = 2.0x +3.0
}

// Where PyTorch has parameter groups, parameters have factors of their own.
func Example_groups() {
	key := autograd.NewKey(1)
	var model struct {
		Body nn.Sequential `name:"body"`
		Head *nn.Linear    `name:"head"`
	}
	model.Body, model.Head = nn.NewMLP([]int{4, 8, 8}, ops.Tanh, key.Fold("body")), nn.NewLinear(8, 2, key.Fold("head"))
	params := nn.Parameters(&model)
	for _, p := range params {
		switch {
		case strings.HasPrefix(p.Name, "body.0."):
			p.Freeze()
		case strings.HasPrefix(p.Name, "body."):
			p.LRScale = 0.1
		}
	}
	optim.NewAdamW(params, optim.AdamWConfig{LR: 1e-3, WeightDecay: 0.01})
	for _, p := range params {
		fmt.Println(p.Name, p.Tensor.RequiresGrad(), p.LRScale)
	}
	// Output:
	// body.0.weight false 0
	// body.0.bias false 0
	// body.2.weight true 0.1
	// body.2.bias true 0.1
	// head.weight true 0
	// head.bias true 0
}

// The target is 0 and 2 in turns. The steps follow it to and fro; their average comes to
// rest at 1.
func ExampleEMA() {
	var model struct {
		X *autograd.Tensor `name:"x"`
	}
	model.X = nn.Constant(5, 1)
	params := nn.Parameters(&model)
	opt := optim.NewSGD(params, optim.SGDConfig{LR: 0.25})
	ema := optim.NewEMA(params, 0.98)
	grads := autograd.NewGradients()
	targets := []float32{0, 2}
	for step := 0; step < 600; step++ {
		off := ops.Sub(model.X, autograd.New(targets[step%2:step%2+1]))
		autograd.Backward(ops.Sum(ops.Mul(off, off)), grads)
		opt.Step(grads)
		ema.Update()
	}
	fmt.Printf("%.2f\n", model.X.Item())
	ema.Swap()
	fmt.Printf("%.2f\n", model.X.Item())
	ema.Swap()
	fmt.Printf("%.2f\n", model.X.Item())
	// Output:
	// 1.33
	// 1.00
	// 1.33
}
