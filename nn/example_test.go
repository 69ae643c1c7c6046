package nn_test

import (
	"fmt"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
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

// A perceptron with dropout. The state dict's names are the layers' indices.
func ExampleSequential() {
	key := autograd.NewKey(1)
	model := nn.Sequential{
		nn.NewLinear(4, 16, key.Fold("in")),
		nn.Func(ops.ReLU),
		nn.Dropout{P: 0.1},
		nn.NewLinear(16, 2, key.Fold("out")),
	}
	for _, e := range nn.StateDict(model) {
		fmt.Println(e.Name, e.Tensor.Shape())
	}
	x := nn.Normal(key.Fold("x"), 0, 1, 3, 4)
	step := 7
	train := model.ForwardTrain(x, key.Fold("dropout").FoldInt(step))
	fmt.Println(train.Shape(), model.Forward(x).Shape())
	// Output:
	// 0.weight [16 4]
	// 0.bias [16]
	// 3.weight [2 16]
	// 3.bias [2]
	// [3 2] [3 2]
}

// Attention between the rows of two sequences, packed without padding: what the second
// sequence says does not change the first.
func ExampleSelfAttention() {
	key := autograd.NewKey(1)
	attention := nn.NewSelfAttention(8, 2, key.Fold("attention"))
	segs := device.NewSegments(3, 2)
	first, second := nn.Normal(key.Fold("first"), 0, 1, 3, 8), nn.Normal(key.Fold("second"), 0, 1, 2, 8)
	y := attention.Forward(ops.Concat(0, first, second), segs, nil)
	z := attention.Forward(ops.Concat(0, first, ops.Scale(second, 5)), segs, nil)
	fmt.Println(y.Shape())
	for i := 0; i < 5; i++ {
		same := ops.Max(ops.Abs(ops.Slice(ops.Sub(y, z), 0, i, i+1)), 1).Item() == 0
		fmt.Println(i, same)
	}
	// Output:
	// [5 8]
	// 0 true
	// 1 true
	// 2 true
	// 3 false
	// 4 false
}
