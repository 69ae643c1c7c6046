package ops

import (
	"fmt"
	"slices"

	"github.com/muppet-go/muppet/autograd"
)

// Reshape returns x in another shape of as many elements, sharing its memory. One
// dimension may be -1: what is left over.
func Reshape(x *Tensor, shape ...int) *Tensor {
	shape = slices.Clone(shape)
	free, rest := -1, 1
	for i, d := range shape {
		if d == -1 && free < 0 {
			free = i
		} else {
			rest *= d
		}
	}
	if free >= 0 && rest > 0 {
		shape[free] = x.Len() / rest
	}
	if product(shape) != x.Len() || free >= 0 && rest == 0 {
		panic(fmt.Sprintf("ops: Reshape: %v to %v", x.Shape(), shape))
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

// Permute returns a copy of x with its axes in another order: axis i of the result
// is axis order[i] of x.
func Permute(x *Tensor, order ...int) *Tensor {
	n := len(x.Shape())
	seen := make([]bool, n)
	if len(order) != n {
		panic(fmt.Sprintf("ops: Permute: order %v of shape %v", order, x.Shape()))
	}
	from := rowMajor(x.Shape())
	shape, strides := make([]int, n), make([]int, n)
	for i, o := range order {
		if o < 0 || o >= n || seen[o] {
			panic(fmt.Sprintf("ops: Permute: order %v of shape %v", order, x.Shape()))
		}
		seen[o] = true
		shape[i], strides[i] = x.Shape()[o], from[o]
	}
	y := autograd.Make(x.DType(), shape, x)
	y.Device().Strided(y.Slice(), 0, rowMajor(shape), x.Slice(), 0, strides, shape)
	autograd.Apply(permuteRule{slices.Clone(order)}, list(y), list(x), nil)
	return y
}

type permuteRule struct{ order []int }

func (permuteRule) Name() string { return "permute" }
func (r permuteRule) Backward(_ *autograd.Call, g []*Tensor) []*Tensor {
	inverse := make([]int, len(r.order))
	for i, o := range r.order {
		inverse[o] = i
	}
	return list(Permute(g[0], inverse...))
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

// Slice returns the part of x from start up to end along an axis. Along the first
// axis it shares x's memory.
func Slice(x *Tensor, along, start, end int) *Tensor {
	i := axis("Slice", x, along)
	if start < 0 || start > end || end > x.Dim(i) {
		panic(fmt.Sprintf("ops: Slice: [%d, %d) of axis %d in shape %v", start, end, i, x.Shape()))
	}
	shape := slices.Clone(x.Shape())
	shape[i] = end - start
	inner := product(shape[i+1:])
	var y *Tensor
	if i == 0 {
		y = autograd.View(x, start*inner, shape...)
	} else {
		y = autograd.Make(x.DType(), shape, x)
		y.Device().Strided(y.Slice(), 0, rowMajor(shape), x.Slice(), start*inner, rowMajor(x.Shape()), shape)
	}
	autograd.Apply(sliceRule{i, start}, list(y), list(x), nil)
	return y
}

type sliceRule struct{ axis, start int }

func (sliceRule) Name() string { return "slice" }
func (r sliceRule) Backward(c *autograd.Call, g []*Tensor) []*Tensor {
	n := c.Inputs[0].Dim(r.axis)
	return list(pad(g[0], r.axis, r.start, n-r.start-g[0].Dim(r.axis)))
}

// pad returns x with zeros before and after it along an axis.
func pad(x *Tensor, i, before, after int) *Tensor {
	shape := slices.Clone(x.Shape())
	shape[i] += before + after
	y := autograd.Make(x.DType(), shape, x)
	dev := y.Device()
	dev.Fill(y.Slice(), 0)
	dev.Strided(y.Slice(), before*product(shape[i+1:]), rowMajor(shape), x.Slice(), 0, rowMajor(x.Shape()), x.Shape())
	autograd.Apply(padRule{i, before}, list(y), list(x), nil)
	return y
}

type padRule struct{ axis, before int }

func (padRule) Name() string { return "pad" }
func (r padRule) Backward(c *autograd.Call, g []*Tensor) []*Tensor {
	return list(Slice(g[0], r.axis, r.before, r.before+c.Inputs[0].Dim(r.axis)))
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
