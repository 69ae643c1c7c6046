package ops

import (
	"fmt"
	"slices"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
)

// Max returns the maximum of x over the given axes, which disappear; over all elements
// without axes. Equal maxima share the gradient equally, as in PyTorch's amax. The
// maximum of elements among which is NaN is NaN, and so is its gradient for all of them.
// It panics where there is nothing to take the maximum of.
func Max(x *Tensor, axes ...int) *Tensor { return extremum("Max", device.ReduceMax, x, axes) }

// Min is like Max for the minimum.
func Min(x *Tensor, axes ...int) *Tensor { return extremum("Min", device.ReduceMin, x, axes) }

func extremum(name string, op device.ReduceOp, x *Tensor, axes []int) *Tensor {
	kept, dropped := reducedShapes(name, x, axes)
	return Reshape(extremumTo(name, op, x, kept), dropped...)
}

// extremumTo reduces to the kept shape.
func extremumTo(name string, op device.ReduceOp, x *Tensor, kept []int) *Tensor {
	if x.Len() == 0 && product(kept) > 0 {
		panic(fmt.Sprintf("ops: %s: of nothing: shape %v to %v", name, x.Shape(), kept))
	}
	y := reduceTo(op, x, kept, kept)
	autograd.Apply(extremumRule{}, list(y), list(x), list(x, y))
	return y
}

type extremumRule struct{}

func (extremumRule) Name() string { return "extremum" }
func (extremumRule) Backward(c *autograd.Call, g []*Tensor) []*Tensor {
	x, y := c.Saved[0], c.Saved[1]
	chosen := Equal(x, y)
	return list(Mul(chosen, Div(g[0], sumTo(chosen, y.Shape()))))
}

// ArgMax returns, as int32, the position of the maximum of x along an axis, which
// disappears: the first of equal ones. NaN counts as the maximum.
func ArgMax(x *Tensor, along int) *Tensor { return argMax("ArgMax", x, along) }

// ArgMin returns, as int32, the position of the minimum of x along an axis, which
// disappears: the first of equal ones. NaN counts as the minimum.
func ArgMin(x *Tensor, along int) *Tensor { return argMax("ArgMin", Neg(x.Detach()), along) }

func argMax(name string, x *Tensor, along int) *Tensor {
	i := axis(name, x, along)
	shape := slices.Delete(slices.Clone(x.Shape()), i, i+1)
	if x.Len() == 0 && product(shape) > 0 {
		panic(fmt.Sprintf("ops: %s: of nothing: axis %d of shape %v", name, along, x.Shape()))
	}
	y := autograd.Make(device.Int32, shape, x)
	y.Device().Reduce(device.ReduceArgMax, y.Slice(), x.Slice(), product(x.Shape()[:i]), x.Dim(i), product(x.Shape()[i+1:]))
	return y
}
