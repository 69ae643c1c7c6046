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
	if len(kept) == 0 {
		return x
	}
	return sum(x, kept, dropped)
}

// sum sums to the kept shape and returns that in another one.
func sum(x *Tensor, kept, shape []int) *Tensor {
	y := reduceTo(device.ReduceSum, x, kept, shape)
	autograd.Apply(sumRule{kept}, list(y), list(x), nil)
	return y
}

type sumRule struct{ kept []int }

func (sumRule) Name() string { return "sum" }
func (r sumRule) Backward(c *autograd.Call, g []*Tensor) []*Tensor {
	return list(Expand(Reshape(g[0], r.kept...), c.Inputs[0].Shape()...))
}

// Mean returns the mean of x over the given axes, which disappear; over all
// elements without axes. The mean of nothing is NaN.
func Mean(x *Tensor, axes ...int) *Tensor {
	s := Sum(x, axes...)
	return Scale(s, float64(s.Len())/float64(x.Len()))
}

// Var returns the variance of x over the given axes, which disappear, or over all
// elements without axes: the sum of squared distances from the mean divided by
// n - correction (by 0 if that is negative), where n is the number of elements.
// Correction 1 gives the unbiased estimate from a sample (of one element: NaN), 0 the
// variance of the elements themselves.
func Var(x *Tensor, correction int, axes ...int) *Tensor {
	kept, dropped := reducedShapes("Var", x, axes)
	n := count(x, kept)
	mean := Scale(sumTo(x, kept), 1/float64(n))
	squares := run(squaredDifferenceProgram, nil, nil, x, mean)
	return Reshape(Scale(sumTo(squares, kept), 1/float64(max(n-correction, 0))), dropped...)
}

var squaredDifferenceProgram = binary("squared_difference", func(b *builder, x, y value) value {
	d := b.Sub(x, y)
	return b.Mul(d, d)
})

// count returns how many elements of x become one of the kept shape.
func count(x *Tensor, kept []int) int {
	n := 1
	for i, d := range x.Shape() {
		if kept[i] != d {
			n *= d
		}
	}
	return n
}

// reducedShapes returns x's shape with the axes as 1, and without them.
func reducedShapes(op string, x *Tensor, axes []int) (kept, dropped []int) {
	n := len(x.Shape())
	room := append(make([]int, 0, 2*n), x.Shape()...) // for both
	kept, dropped = room[:n:n], room[n:]
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
	return sum(x, shape, shape)
}

// reduceTo combines what broadcasting kept to x's shape repeats, without recording, and
// returns that in another shape.
func reduceTo(op device.ReduceOp, x *Tensor, kept, shape []int) *Tensor {
	cur := x
	dims := append(make([]int, 0, 8), x.Shape()...)
	lead, last := len(dims)-len(kept), product(shape)
	for i := 0; i < len(dims); {
		// A run of neighbouring axes is reduced at once.
		j := i
		for j < len(dims) && (j < lead || kept[j-lead] == 1) && dims[j] != 1 {
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
		of := dims
		if outer*inner == last { // nothing remains to be reduced
			of = shape
		}
		next := autograd.Make(x.DType(), of, cur)
		next.Device().Reduce(op, next.Slice(), cur.Slice(), outer, n, inner)
		if outer*inner == last {
			return next
		}
		cur = next
		i = j
	}
	return autograd.View(cur, 0, shape...)
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
	room := make([]int, 3*len(shape)) // for all that the device is given
	strides, to, size := room[:len(shape)], room[len(shape):2*len(shape)], room[2*len(shape):]
	copy(size, shape)
	rowMajorTo(to, shape)
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
		panic(fmt.Sprintf("ops: Expand: shape %v to %v", x.Shape(), size))
	}
	y := autograd.Make(x.DType(), shape, x)
	y.Device().Strided(y.Slice(), 0, to, x.Slice(), 0, strides, size)
	return y
}

// rowMajor returns the strides of a contiguous tensor.
func rowMajor(shape []int) []int {
	strides := make([]int, len(shape))
	rowMajorTo(strides, shape)
	return strides
}

func rowMajorTo(strides, shape []int) {
	step := 1
	for i := len(shape) - 1; i >= 0; i-- {
		strides[i] = step
		step *= shape[i]
	}
}
