package ops

import (
	"slices"
)

// Softmax returns exp(x) normalised to sum 1 along an axis.
func Softmax(x *Tensor, along int) *Tensor {
	e := Exp(Sub(x, maxKept(x, along)))
	return Div(e, sumKept(e, along))
}

// LogSumExp returns log Σ exp(x) along an axis, which disappears.
func LogSumExp(x *Tensor, along int) *Tensor {
	m := maxKept(x, along)
	y := Add(Log(sumKept(Exp(Sub(x, m)), along)), m)
	shape := slices.Clone(x.Shape())
	i := axis("LogSumExp", x, along)
	return Reshape(y, slices.Delete(shape, i, i+1)...)
}

// maxKept returns the maximum along an axis, which stays as 1. Softmax and log-sum-exp
// do not depend on the constant that is subtracted, so it needs no gradient.
func maxKept(x *Tensor, along int) *Tensor {
	i := axis("Softmax", x, along)
	shape := slices.Clone(x.Shape())
	shape[i] = 1
	return Reshape(Max(x.Detach(), i), shape...)
}

func sumKept(x *Tensor, along int) *Tensor {
	kept, _ := reducedShapes("Softmax", x, []int{along})
	return sumTo(x, kept)
}
