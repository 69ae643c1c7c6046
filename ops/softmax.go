package ops

import (
	"math"

	"github.com/muppet-go/muppet/device"
)

// Softmax returns exp(x) normalised to sum 1 along an axis.
func Softmax(x *Tensor, along int) *Tensor {
	kept, _ := reducedShapes("Softmax", x, []int{along})
	e := Exp(Sub(x, highest(x, kept)))
	return Div(e, sumTo(e, kept))
}

// LogSoftmax returns the logarithm of Softmax, which it does not compute: where that
// would be 0 in floating point, its logarithm is finite.
func LogSoftmax(x *Tensor, along int) *Tensor {
	kept, _ := reducedShapes("LogSoftmax", x, []int{along})
	d := Sub(x, highest(x, kept))
	return Sub(d, Log(sumTo(Exp(d), kept)))
}

// LogSumExp returns log Σ exp(x) over the given axes, which disappear; over all elements
// without axes. That of nothing, or of nothing but -Inf, is -Inf.
func LogSumExp(x *Tensor, axes ...int) *Tensor {
	kept, dropped := reducedShapes("LogSumExp", x, axes)
	m := run(finiteProgram, nil, nil, highest(x, kept))
	return Reshape(Add(Log(sumTo(Exp(Sub(x, m)), kept)), m), dropped...)
}

// highest returns the maximum of the elements that become one of the kept shape. What
// is computed from it does not depend on it, so that it needs no gradient.
func highest(x *Tensor, kept []int) *Tensor {
	return reduceTo(device.ReduceMax, x.Detach(), kept, kept)
}

// finiteProgram replaces infinities by 0, because Inf - Inf is NaN.
var finiteProgram = unary("finite", func(b *builder, x value) value {
	return b.Select(b.Equal(b.Abs(x), b.Const(math.Inf(1))), b.Const(0), x)
})
