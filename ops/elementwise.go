package ops

import (
	"math"

	"github.com/muppet-go/muppet/device"
)

// The elementwise operations, one formula each.

type (
	builder = device.Builder
	value   = device.Value
)

func unary(name string, f func(b *builder, x value) value) *device.Program {
	return device.NewProgram(name, 1, func(b *builder, in ...value) []value { return []value{f(b, in[0])} })
}

func binary(name string, f func(b *builder, x, y value) value) *device.Program {
	return device.NewProgram(name, 2, func(b *builder, in ...value) []value { return []value{f(b, in[0], in[1])} })
}

var (
	addProgram     = binary("add", (*builder).Add)
	subProgram     = binary("sub", (*builder).Sub)
	mulProgram     = binary("mul", (*builder).Mul)
	divProgram     = binary("div", (*builder).Div)
	maximumProgram = binary("maximum", (*builder).Max)
	minimumProgram = binary("minimum", (*builder).Min)
	powProgram     = binary("pow", (*builder).Pow)

	scaleProgram   = unary("scale", func(b *builder, x value) value { return b.Mul(x, b.Param(0)) })
	negProgram     = unary("neg", (*builder).Neg)
	absProgram     = unary("abs", (*builder).Abs)
	sqrtProgram    = unary("sqrt", (*builder).Sqrt)
	expProgram     = unary("exp", (*builder).Exp)
	logProgram     = unary("log", (*builder).Log)
	tanhProgram    = unary("tanh", (*builder).Tanh)
	erfProgram     = unary("erf", (*builder).Erf)
	sinProgram     = unary("sin", (*builder).Sin)
	cosProgram     = unary("cos", (*builder).Cos)
	reluProgram    = unary("relu", func(b *builder, x value) value { return b.Select(b.Less(b.Const(0), x), x, b.Const(0)) })
	sigmoidProgram = unary("sigmoid", func(b *builder, x value) value {
		// ½·(1 + tanh(x/2)) neither overflows nor loses the small end as 1/(1+e⁻ˣ) does.
		half := b.Const(0.5)
		return b.Mul(half, b.Add(b.Const(1), b.Tanh(b.Mul(half, x))))
	})
	geluProgram     = unary("gelu", gelu)
	biasGELUProgram = binary("bias_gelu", func(b *builder, x, bias value) value { return gelu(b, b.Add(x, bias)) })
)

func gelu(b *builder, x value) value {
	half := b.Mul(b.Const(0.5), x)
	return b.Mul(half, b.Add(b.Const(1), b.Erf(b.Mul(x, b.Const(1/math.Sqrt2)))))
}

// Add returns x + y.
func Add(x, y *Tensor) *Tensor { return run(addProgram, nil, nil, x, y)[0] }

// Sub returns x - y.
func Sub(x, y *Tensor) *Tensor { return run(subProgram, nil, nil, x, y)[0] }

// Mul returns x · y, element by element.
func Mul(x, y *Tensor) *Tensor { return run(mulProgram, nil, nil, x, y)[0] }

// Div returns x / y.
func Div(x, y *Tensor) *Tensor { return run(divProgram, nil, nil, x, y)[0] }

// Maximum returns the larger of x and y. Where they are equal, each gets half of
// the gradient.
func Maximum(x, y *Tensor) *Tensor { return run(maximumProgram, nil, nil, x, y)[0] }

// Minimum returns the smaller of x and y. Where they are equal, each gets half of
// the gradient.
func Minimum(x, y *Tensor) *Tensor { return run(minimumProgram, nil, nil, x, y)[0] }

// Pow returns x to the power y.
func Pow(x, y *Tensor) *Tensor { return run(powProgram, nil, nil, x, y)[0] }

// Scale returns x · s.
func Scale(x *Tensor, s float64) *Tensor { return run(scaleProgram, []float64{s}, nil, x)[0] }

// Neg returns -x.
func Neg(x *Tensor) *Tensor { return run(negProgram, nil, nil, x)[0] }

// Abs returns |x|; its gradient at 0 is 0.
func Abs(x *Tensor) *Tensor { return run(absProgram, nil, nil, x)[0] }

// Sqrt returns the square root of x.
func Sqrt(x *Tensor) *Tensor { return run(sqrtProgram, nil, nil, x)[0] }

// Exp returns eˣ.
func Exp(x *Tensor) *Tensor { return run(expProgram, nil, nil, x)[0] }

// Log returns the natural logarithm of x.
func Log(x *Tensor) *Tensor { return run(logProgram, nil, nil, x)[0] }

// Tanh returns the hyperbolic tangent of x.
func Tanh(x *Tensor) *Tensor { return run(tanhProgram, nil, nil, x)[0] }

// Erf returns the error function of x.
func Erf(x *Tensor) *Tensor { return run(erfProgram, nil, nil, x)[0] }

// Sin returns the sine of x radians.
func Sin(x *Tensor) *Tensor { return run(sinProgram, nil, nil, x)[0] }

// Cos returns the cosine of x radians.
func Cos(x *Tensor) *Tensor { return run(cosProgram, nil, nil, x)[0] }

// ReLU returns max(x, 0); its gradient at 0 is 0.
func ReLU(x *Tensor) *Tensor { return run(reluProgram, nil, nil, x)[0] }

// Sigmoid returns 1 / (1 + e⁻ˣ).
func Sigmoid(x *Tensor) *Tensor { return run(sigmoidProgram, nil, nil, x)[0] }

// GELU returns x·Φ(x) with the normal distribution function Φ, by erf (Hendrycks
// and Gimpel, arXiv 1606.08415).
func GELU(x *Tensor) *Tensor { return run(geluProgram, nil, nil, x)[0] }

// BiasGELU returns GELU(x + bias) in one pass.
func BiasGELU(x, bias *Tensor) *Tensor { return run(biasGELUProgram, nil, nil, x, bias)[0] }
