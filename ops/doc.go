// Package ops has the differentiable operations, under PyTorch's names.
//
// Operations are functions from tensors to a new tensor. They panic, naming
// themselves and the shapes, when the shapes do not fit. Their gradients can be
// differentiated again.
//
// An elementwise operation is one formula, for the library and its users alike:
// see Pointwise. Operands of elementwise operations broadcast as in NumPy.
//
// Fused operations (LayerNorm, Attention, SegmentCrossEntropy) use the device's own
// code where it has some, and are composed of the others where it has none and
// where second derivatives are asked for.
package ops

import (
	"fmt"

	"github.com/muppet-go/muppet/autograd"
)

// Tensor is an alias, for brevity.
type Tensor = autograd.Tensor

func list(t ...*Tensor) []*Tensor { return t }

func shapes(in []*Tensor) string {
	s := ""
	for i, t := range in {
		if i > 0 {
			s += ", "
		}
		s += fmt.Sprintf("%v %v", t.Shape(), t.DType())
	}
	return s
}

func axis(op string, x *Tensor, i int) int {
	n := len(x.Shape())
	if i < -n || i >= n {
		panic(fmt.Sprintf("ops: %s: no axis %d in shape %v", op, i, x.Shape()))
	}
	if i < 0 {
		i += n
	}
	return i
}

func product(dims []int) int {
	n := 1
	for _, d := range dims {
		n *= d
	}
	return n
}
