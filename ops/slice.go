package ops

import (
	"fmt"
	"slices"

	"github.com/muppet-go/muppet/autograd"
)

// Slice returns the part of x from start up to end along an axis; negative ones
// count from the axis's end. Along the first axis it shares x's memory.
func Slice(x *Tensor, along, start, end int) *Tensor {
	i := axis("Slice", x, along)
	from, to := start, end
	if from < 0 {
		from += x.Dim(i)
	}
	if to < 0 {
		to += x.Dim(i)
	}
	if from < 0 || from > to || to > x.Dim(i) {
		panic(fmt.Sprintf("ops: Slice: [%d, %d) of axis %d in shape %v", start, end, i, x.Shape()))
	}
	shape := slices.Clone(x.Shape())
	shape[i] = to - from
	if i > 0 {
		part := whole(x.Shape())
		part.offset = from * part.strides[i]
		return copyBlock("slice", x, part, whole(shape), shape, 0)
	}
	y := autograd.View(x, from*product(shape[1:]), shape...)
	autograd.Apply(rowsRule{from}, list(y), list(x), nil)
	return y
}

// rowsRule is of a Slice along the first axis.
type rowsRule struct{ start int }

func (rowsRule) Name() string { return "slice" }
func (r rowsRule) Backward(c *autograd.Call, g []*Tensor) []*Tensor {
	widths := make([][2]int, len(g[0].Shape()))
	widths[0] = [2]int{r.start, c.Inputs[0].Dim(0) - r.start - g[0].Dim(0)}
	return list(Pad(g[0], 0, widths...))
}

// Split divides x along an axis into parts of the given sizes, which add up to the
// axis.
func Split(x *Tensor, along int, sizes ...int) []*Tensor {
	i := axis("Split", x, along)
	parts, at := make([]*Tensor, len(sizes)), 0
	for _, n := range sizes {
		at += n
	}
	if at != x.Dim(i) || slices.ContainsFunc(sizes, func(n int) bool { return n < 0 }) {
		panic(fmt.Sprintf("ops: Split: axis %d of shape %v into %v", i, x.Shape(), sizes))
	}
	at = 0
	for k, n := range sizes {
		parts[k] = Slice(x, i, at, at+n)
		at += n
	}
	return parts
}

// Pad returns x with widths[i][0] elements of the given value before it and
// widths[i][1] behind it along axis i.
func Pad(x *Tensor, value float64, widths ...[2]int) *Tensor {
	if len(widths) != len(x.Shape()) || slices.ContainsFunc(widths, func(w [2]int) bool { return min(w[0], w[1]) < 0 }) {
		panic(fmt.Sprintf("ops: Pad: shape %v by %v", x.Shape(), widths))
	}
	shape := slices.Clone(x.Shape())
	for i, w := range widths {
		shape[i] += w[0] + w[1]
	}
	middle := whole(shape)
	for i, w := range widths {
		middle.offset += w[0] * middle.strides[i]
	}
	return copyBlock("pad", x, whole(x.Shape()), middle, x.Shape(), value)
}

// Stack joins tensors of one shape along a new axis.
func Stack(along int, parts ...*Tensor) *Tensor {
	if len(parts) == 0 {
		panic("ops: Stack: nothing to join")
	}
	i := newAxis("Stack", parts[0], along)
	apart := make([]*Tensor, len(parts))
	for k, p := range parts {
		if !slices.Equal(p.Shape(), parts[0].Shape()) || p.DType() != parts[0].DType() {
			panic(fmt.Sprintf("ops: Stack: along axis %d of %s", i, shapes(parts)))
		}
		apart[k] = Unsqueeze(p, i)
	}
	return Concat(i, apart...)
}

// Concat joins tensors along an axis. Their other dimensions must be equal.
func Concat(along int, parts ...*Tensor) *Tensor {
	if len(parts) == 0 {
		panic("ops: Concat: nothing to join")
	}
	i := axis("Concat", parts[0], along)
	shape := slices.Clone(parts[0].Shape())
	shape[i] = 0
	for _, p := range parts {
		same := len(p.Shape()) == len(shape) && p.DType() == parts[0].DType()
		for k := range shape {
			same = same && (k == i || p.Shape()[k] == shape[k])
		}
		if !same {
			panic(fmt.Sprintf("ops: Concat: along axis %d of %s", i, shapes(parts)))
		}
		shape[i] += p.Dim(i)
	}
	y := autograd.Make(parts[0].DType(), shape, parts...)
	at := 0
	for _, p := range parts {
		y.Device().Strided(y.Slice(), at*product(shape[i+1:]), rowMajor(shape), p.Slice(), 0, rowMajor(p.Shape()), p.Shape())
		at += p.Dim(i)
	}
	autograd.Apply(concatRule{i}, list(y), parts, nil)
	return y
}

type concatRule struct{ axis int }

func (concatRule) Name() string { return "concat" }
func (r concatRule) Backward(c *autograd.Call, g []*Tensor) []*Tensor {
	grads := make([]*Tensor, len(c.Inputs))
	at := 0
	for i, p := range c.Inputs {
		n := p.Dim(r.axis)
		if c.Needs[i] {
			grads[i] = Slice(g[0], r.axis, at, at+n)
		}
		at += n
	}
	return grads
}
