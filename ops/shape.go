package ops

import (
	"fmt"
	"slices"

	"github.com/muppet-go/muppet/autograd"
)

// Reshape returns x in another shape of as many elements, sharing its memory. One
// dimension may be -1: what is left over.
func Reshape(x *Tensor, shape ...int) *Tensor {
	shape = append(make([]int, 0, 8), shape...)
	free, rest, fits := -1, 1, true
	for i, d := range shape {
		if d == -1 && free < 0 {
			free = i
		} else {
			rest *= d
			fits = fits && d >= 0
		}
	}
	if free >= 0 && rest > 0 {
		shape[free] = x.Len() / rest
	}
	if !fits || product(shape) != x.Len() || free >= 0 && rest == 0 {
		panic(fmt.Sprintf("ops: Reshape: %v to %v", x.Shape(), slices.Clone(shape)))
	}
	if slices.Equal(shape, x.Shape()) {
		return x
	}
	y := autograd.View(x, 0, shape...)
	autograd.Apply(reshapeRule{}, list(y), list(x), nil)
	return y
}

type reshapeRule struct{}

func (reshapeRule) Name() string { return "reshape" }
func (reshapeRule) Backward(c *autograd.Call, g []*Tensor) []*Tensor {
	return list(Reshape(g[0], c.Inputs[0].Shape()...))
}

// Squeeze removes axes of one element: the given ones that have one, or all such
// without axes. It shares x's memory.
func Squeeze(x *Tensor, axes ...int) *Tensor {
	drop := distinctAxes("Squeeze", x, axes)
	shape := []int{}
	for i, d := range x.Shape() {
		if d != 1 || len(axes) > 0 && !drop[i] {
			shape = append(shape, d)
		}
	}
	return Reshape(x, shape...)
}

// Unsqueeze adds an axis of one element before axis i of x, or behind the last. It
// shares x's memory.
func Unsqueeze(x *Tensor, i int) *Tensor {
	return Reshape(x, slices.Insert(slices.Clone(x.Shape()), newAxis("Unsqueeze", x, i), 1)...)
}

// newAxis is axis for a result with one axis more than x.
func newAxis(op string, x *Tensor, i int) int {
	n := len(x.Shape()) + 1
	if i < -n || i >= n {
		panic(fmt.Sprintf("ops: %s: no place for an axis %d in shape %v", op, i, x.Shape()))
	}
	return (i + n) % n
}

// distinctAxes returns which axes of x are named. Each may be named once.
func distinctAxes(op string, x *Tensor, axes []int) []bool {
	named := make([]bool, len(x.Shape()))
	for _, a := range axes {
		i := axis(op, x, a)
		if named[i] {
			panic(fmt.Sprintf("ops: %s: axis %d twice in %v for shape %v", op, i, axes, x.Shape()))
		}
		named[i] = true
	}
	return named
}

// Permute returns a copy of x with its axes in another order: axis i of the result
// is axis order[i] of x.
func Permute(x *Tensor, order ...int) *Tensor {
	n := len(x.Shape())
	if len(order) != n {
		panic(fmt.Sprintf("ops: Permute: order %v of shape %v", order, x.Shape()))
	}
	distinctAxes("Permute", x, order)
	from := whole(x.Shape())
	shape, strides := make([]int, n), make([]int, n)
	for i, o := range order {
		o = (o + n) % n
		shape[i], strides[i] = x.Shape()[o], from.strides[o]
	}
	from.strides = strides
	return copyBlock("permute", x, from, whole(shape), shape, 0)
}

// Transpose returns a copy of x with two axes exchanged.
func Transpose(x *Tensor, i, j int) *Tensor {
	i, j = axis("Transpose", x, i), axis("Transpose", x, j)
	order := make([]int, len(x.Shape()))
	for k := range order {
		order[k] = k
	}
	order[i], order[j] = j, i
	return Permute(x, order...)
}

// Flip returns a copy of x with the order of the elements along the given axes
// reversed.
func Flip(x *Tensor, axes ...int) *Tensor {
	from := whole(x.Shape())
	for i, flipped := range distinctAxes("Flip", x, axes) {
		if flipped {
			from.offset += max(x.Dim(i)-1, 0) * from.strides[i]
			from.strides[i] = -from.strides[i]
		}
	}
	return copyBlock("flip", x, from, whole(x.Shape()), x.Shape(), 0)
}

// Repeat lays copies of x side by side, counts[i] of them along axis i. Counts in
// excess of x's axes are of new axes in front, as in torch.Tensor.repeat.
func Repeat(x *Tensor, counts ...int) *Tensor {
	lead := len(counts) - len(x.Shape())
	if lead < 0 || slices.ContainsFunc(counts, func(n int) bool { return n < 0 }) {
		panic(fmt.Sprintf("ops: Repeat: shape %v %v times", x.Shape(), counts))
	}
	var apart, copies, shape []int // an axis for the copies before each of x's
	for i, n := range counts {
		d := 1
		if i >= lead {
			d = x.Dim(i - lead)
		}
		apart, copies, shape = append(apart, 1, d), append(copies, n, d), append(shape, n*d)
	}
	return Reshape(Expand(Reshape(x, apart...), copies...), shape...)
}

// A block is a part of a tensor: what is reached from an offset on with strides.
type block struct {
	shape   []int // of the tensor
	offset  int
	strides []int
}

func whole(shape []int) block { return block{shape, 0, rowMajor(shape)} }

// copyBlock returns a tensor that is value everywhere but in a block, which is
// copied from one of x. Neither block has an element twice, so that the transpose
// is the copy back.
func copyBlock(name string, x *Tensor, from, to block, size []int, value float64) *Tensor {
	y := autograd.Make(x.DType(), to.shape, x)
	if product(size) < y.Len() {
		y.Device().Fill(y.Slice(), value)
	}
	y.Device().Strided(y.Slice(), to.offset, to.strides, x.Slice(), from.offset, from.strides, size)
	autograd.Apply(copyRule{name, from, to, size}, list(y), list(x), nil)
	return y
}

type copyRule struct {
	name     string
	from, to block
	size     []int
}

func (r copyRule) Name() string             { return r.name }
func (r copyRule) Reads(_, _ []*Tensor) int { return product(r.size) }
func (r copyRule) Backward(_ *autograd.Call, g []*Tensor) []*Tensor {
	return list(copyBlock(r.name, g[0], r.to, r.from, r.size, 0))
}
