package ops

import (
	"fmt"
	"math"

	"github.com/muppet-go/muppet/device"
)

// Norm returns the p-norm (Σ|x|ᵖ)^(1/p) of x over the given axes, which disappear; over
// all elements without axes. P is any number but 0: 1, 2, +Inf for the largest |x|, -Inf
// for the smallest, or another. Its gradient is 0 where the norm is 0; where it is not,
// elements that are 0 have gradient 0, and for infinite p equal extremes share it.
func Norm(x *Tensor, p float64, axes ...int) *Tensor {
	kept, dropped := reducedShapes("Norm", x, axes)
	return Reshape(normTo(x, p, kept), dropped...)
}

// normTo reduces to the kept shape.
func normTo(x *Tensor, p float64, kept []int) *Tensor {
	switch {
	case math.IsNaN(p) || p == 0:
		panic(fmt.Sprintf("ops: Norm: p is %g", p))
	case p == 1:
		return sumTo(Abs(x), kept)
	case p == 2:
		return run(rootProgram, nil, nil, sumTo(Mul(x, x), kept))
	case math.IsInf(p, 1):
		return extremumTo("Norm", device.ReduceMax, Abs(x), kept)
	case math.IsInf(p, -1):
		return extremumTo("Norm", device.ReduceMin, Abs(x), kept)
	}
	sum := sumTo(run(powerProgram, []float64{p}, nil, x), kept)
	return run(powerProgram, []float64{1 / p}, nil, sum)
}

var (
	rootProgram  = unary("root", func(b *builder, x value) value { return awayFromZero(b, x, b.Const(0), (*builder).Sqrt) })
	powerProgram = unary("power", func(b *builder, x value) value {
		p := b.Param(0)
		return awayFromZero(b, b.Abs(x), b.Pow(b.Const(0), p), func(b *builder, x value) value { return b.Pow(x, p) })
	})
)

// awayFromZero is f(x), and the constant at0 where x is 0. There the gradient is 0: f is
// not looked at, whose slope may be infinite.
func awayFromZero(b *builder, x, at0 value, f func(b *builder, x value) value) value {
	zero := b.Equal(x, b.Const(0))
	return b.Select(zero, at0, f(b, b.Select(zero, b.Const(1), x)))
}
