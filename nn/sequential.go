package nn

import (
	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/ops"
)

// A Layer maps a tensor to a tensor.
type Layer interface {
	Forward(x *autograd.Tensor) *autograd.Tensor
}

// A ForwardTrainer is a layer that does something else in training than in Forward:
// Dropout draws random numbers, which the key decides, BatchNorm takes its statistics
// from the batch.
type ForwardTrainer interface {
	Layer
	ForwardTrain(x *autograd.Tensor, key device.Key) *autograd.Tensor
}

// Func is a function as a layer, such as Func(ops.ReLU).
type Func func(x *autograd.Tensor) *autograd.Tensor

// Forward returns f(x).
func (f Func) Forward(x *autograd.Tensor) *autograd.Tensor { return f(x) }

// Sequential is layers one behind the other, each in a Frame of x's scope. As in
// PyTorch, the names of their parameters begin with their indices: "0.weight".
type Sequential []Layer

// Forward maps x through all layers.
func (s Sequential) Forward(x *autograd.Tensor) *autograd.Tensor {
	return s.forward(x, func(_ int, l Layer, x *autograd.Tensor) *autograd.Tensor { return l.Forward(x) })
}

// ForwardTrain is Forward in training: each layer that wants a key has one of its own,
// folded from key by its index.
func (s Sequential) ForwardTrain(x *autograd.Tensor, key device.Key) *autograd.Tensor {
	return s.forward(x, func(i int, l Layer, x *autograd.Tensor) *autograd.Tensor {
		if l, ok := l.(ForwardTrainer); ok {
			return l.ForwardTrain(x, key.FoldInt(i))
		}
		return l.Forward(x)
	})
}

// forward nests the frames, so that a layer's input goes back when the layer is done.
func (s Sequential) forward(x *autograd.Tensor, layer func(i int, l Layer, x *autograd.Tensor) *autograd.Tensor) *autograd.Tensor {
	if len(s) == 0 {
		return x
	}
	last := len(s) - 1
	return x.Scope().Frame(func() *autograd.Tensor {
		return layer(last, s[last], s[:last].forward(x, layer))
	})
}

// NewMLP returns a multi-layer perceptron: linear layers from each size to the next,
// with the activation between them. It panics for fewer than two sizes.
func NewMLP(sizes []int, activation Func, key device.Key) Sequential {
	if len(sizes) < 2 {
		panic("nn: NewMLP: want two sizes or more, those of input and output")
	}
	var s Sequential
	for i, in := range sizes[:len(sizes)-1] {
		if i > 0 {
			s = append(s, activation)
		}
		s = append(s, NewLinear(in, sizes[i+1], key.FoldInt(i)))
	}
	return s
}

// Dropout zeroes elements in training, each with probability P; see ops.Dropout.
type Dropout struct {
	P float64
}

// Forward returns x: dropout is for training.
func (d Dropout) Forward(x *autograd.Tensor) *autograd.Tensor { return x }

// ForwardTrain returns x with the dropout that key decides.
func (d Dropout) ForwardTrain(x *autograd.Tensor, key device.Key) *autograd.Tensor {
	return ops.Dropout(x, d.P, key)
}
