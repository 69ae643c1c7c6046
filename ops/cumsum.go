package ops

import (
	"github.com/muppet-go/muppet/autograd"
)

// CumSum returns the running sum of x along an axis: element i is the sum of elements 0
// to i of x.
func CumSum(x *Tensor, along int) *Tensor { return cumSum(x, axis("CumSum", x, along), false) }

// cumSum sums from the first element on or, in reverse, from the last.
func cumSum(x *Tensor, i int, reverse bool) *Tensor {
	from := x.Detach()
	if reverse {
		from = reversed(from, i)
	}
	y := autograd.Make(x.DType(), x.Shape(), x)
	y.Device().CumSum(y.Slice(), from.Slice(), product(x.Shape()[:i]), x.Dim(i), product(x.Shape()[i+1:]))
	if reverse {
		y = reversed(y, i)
	}
	autograd.Apply(cumSumRule{i, reverse}, list(y), list(x), nil)
	return y
}

type cumSumRule struct {
	axis    int
	reverse bool
}

func (cumSumRule) Name() string { return "cumsum" }
func (r cumSumRule) Backward(_ *autograd.Call, g []*Tensor) []*Tensor {
	return list(cumSum(g[0], r.axis, !r.reverse))
}

// reversed returns x in the opposite order along an axis, without recording.
func reversed(x *Tensor, i int) *Tensor {
	if x.Len() == 0 {
		return x
	}
	strides := rowMajor(x.Shape())
	start := (x.Dim(i) - 1) * strides[i]
	strides[i] = -strides[i]
	y := autograd.Make(x.DType(), x.Shape(), x)
	y.Device().Strided(y.Slice(), 0, rowMajor(x.Shape()), x.Slice(), start, strides, x.Shape())
	return y
}
