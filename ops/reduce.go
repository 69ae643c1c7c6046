package ops

import (
	"fmt"
	"slices"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
)

// Sum returns the sum of x over the given axes, which disappear; over all elements
// without axes.
func Sum(x *Tensor, axes ...int) *Tensor {
	kept, dropped := reducedShapes("Sum", x, axes)
	return Reshape(sumTo(x, kept), dropped...)
}

// Mean returns the mean of x over the given axes, which disappear; over all
// elements without axes.
func Mean(x *Tensor, axes ...int) *Tensor {
	s := Sum(x, axes...)
	return Scale(s, float64(s.Len())/float64(max(x.Len(), 1)))
}

// reducedShapes returns x's shape with the axes as 1, and without them.
func reducedShapes(op string, x *Tensor, axes []int) (kept, dropped []int) {
	kept = slices.Clone(x.Shape())
	for i := range axes {
		kept[axis(op, x, axes[i])] = -1
	}
	if len(axes) == 0 {
		for i := range kept {
			kept[i] = -1
		}
	}
	for i, d := range kept {
		if d < 0 {
			kept[i] = 1
		} else {
			dropped = append(dropped, d)
		}
	}
	return kept, dropped
}

// sumTo sums x over what broadcasting shape to x's shape repeats: the transpose of
// Expand.
func sumTo(x *Tensor, shape []int) *Tensor {
	if slices.Equal(x.Shape(), shape) {
		return x
	}
	full := append(slices.Repeat([]int{1}, len(x.Shape())-len(shape)), shape...)
	cur := x
	dims := slices.Clone(x.Shape())
	for i := 0; i < len(dims); {
		// A run of neighbouring axes is summed at once.
		j := i
		for j < len(dims) && full[j] == 1 && dims[j] != 1 {
			j++
		}
		if j == i {
			i++
			continue
		}
		outer, n, inner := product(dims[:i]), product(dims[i:j]), product(dims[j:])
		for k := i; k < j; k++ {
			dims[k] = 1
		}
		next := autograd.Make(x.DType(), dims, cur)
		next.Device().Reduce(device.ReduceSum, next.Slice(), cur.Slice(), outer, n, inner)
		cur = next
		i = j
	}
	y := autograd.View(cur, 0, shape...)
	autograd.Apply(sumToRule{}, list(y), list(x), nil)
	return y
}

type sumToRule struct{}

func (sumToRule) Name() string { return "sum" }
func (sumToRule) Backward(c *autograd.Call, g []*Tensor) []*Tensor {
	return list(Expand(g[0], c.Inputs[0].Shape()...))
}

// Expand repeats x to the given shape by the rules of broadcasting.
func Expand(x *Tensor, shape ...int) *Tensor {
	if slices.Equal(x.Shape(), shape) {
		return x
	}
	y := expandData(x, shape)
	autograd.Apply(expandRule{}, list(y), list(x), nil)
	return y
}

type expandRule struct{}

func (expandRule) Name() string { return "expand" }
func (expandRule) Backward(c *autograd.Call, g []*Tensor) []*Tensor {
	return list(sumTo(g[0], c.Inputs[0].Shape()))
}

// expandData is Expand without recording.
func expandData(x *Tensor, shape []int) *Tensor {
	lead := len(shape) - len(x.Shape())
	strides := make([]int, len(shape))
	step := 1
	for i := len(shape) - 1; i >= lead && lead >= 0; i-- {
		switch d := x.Shape()[i-lead]; {
		case d == shape[i]:
			strides[i] = step
			step *= d
		case d != 1:
			lead = -1
		}
	}
	if lead < 0 {
		panic(fmt.Sprintf("ops: Expand: shape %v to %v", x.Shape(), shape))
	}
	y := autograd.Make(x.DType(), shape, x)
	y.Device().Strided(y.Slice(), 0, rowMajor(shape), x.Slice(), 0, strides, shape)
	return y
}

// rowMajor returns the strides of a contiguous tensor.
func rowMajor(shape []int) []int {
	strides := make([]int, len(shape))
	step := 1
	for i := len(shape) - 1; i >= 0; i-- {
		strides[i] = step
		step *= shape[i]
	}
	return strides
}

// Max returns the maximum of x along an axis, which disappears. No gradients flow
// through it.
func Max(x *Tensor, along int) *Tensor { return extremum("Max", device.ReduceMax, x, along) }

// ArgMax returns, as int32, the position of the maximum of x along an axis, which
// disappears; the first of equal ones.
func ArgMax(x *Tensor, along int) *Tensor { return extremum("ArgMax", device.ReduceArgMax, x, along) }

func extremum(name string, op device.ReduceOp, x *Tensor, along int) *Tensor {
	i := axis(name, x, along)
	shape := slices.Delete(slices.Clone(x.Shape()), i, i+1)
	dtype := x.DType()
	if op == device.ReduceArgMax {
		dtype = device.Int32
	}
	y := autograd.Make(dtype, shape, x)
	y.Device().Reduce(op, y.Slice(), x.Slice(), product(x.Shape()[:i]), x.Dim(i), product(x.Shape()[i+1:]))
	return y
}
