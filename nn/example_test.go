package nn_test

import (
	"fmt"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/nn"
	"github.com/muppet-go/muppet/ops"
	"github.com/muppet-go/muppet/optim"
)

type MLP struct {
	Hidden *nn.Linear `name:"fc1"`
	Out    *nn.Linear `name:"fc2"`
}

func (m *MLP) Forward(x *autograd.Tensor) *autograd.Tensor {
	return m.Out.Forward(ops.Tanh(m.Hidden.Forward(x)))
}

// A network with one hidden layer learns exclusive or, which none without can.
func Example() {
	key := autograd.NewKey(42)
	model := &MLP{nn.NewLinear(2, 8, key.Fold("fc1")), nn.NewLinear(8, 2, key.Fold("fc2"))}
	for _, p := range nn.Parameters(model) {
		fmt.Println(p.Name, p.Tensor.Shape())
	}

	inputs := autograd.New([]float32{0, 0, 0, 1, 1, 0, 1, 1}, 4, 2)
	labels := autograd.New([]int32{0, 1, 1, 0})
	opt := optim.NewAdamW(nn.Parameters(model), optim.AdamWConfig{LR: 0.05, WeightDecay: 0.01})
	grads := autograd.NewGradients()
	scope := autograd.NewScope()
	for range 100 {
		loss := ops.CrossEntropy(model.Forward(scope.Of(inputs)), labels)
		autograd.Backward(loss, grads)
		opt.Step(grads)
		scope.Reset()
	}
	fmt.Println(ops.ArgMax(model.Forward(inputs), 1).Int32s())
	// Output:
	// fc1.weight [8 2]
	// fc1.bias [8]
	// fc2.weight [2 8]
	// fc2.bias [2]
	// [0 1 1 0]
}
