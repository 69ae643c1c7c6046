package ops

import (
	"fmt"
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
	rsqrtProgram   = unary("rsqrt", func(b *builder, x value) value { return b.Div(b.Const(1), b.Sqrt(x)) })
	signProgram    = unary("sign", (*builder).Sign)
	expm1Program   = unary("expm1", (*builder).Expm1)
	log1pProgram   = unary("log1p", (*builder).Log1p)
	sigmoidProgram = unary("sigmoid", sigmoid)
	siluProgram    = unary("silu", func(b *builder, x value) value { return b.Mul(x, sigmoid(b, x)) })
	// Softplus is max(x, 0) + log(1 + e⁻|ˣ|), which nothing can overflow.
	softplusProgram = unary("softplus", func(b *builder, x value) value {
		return b.Add(positivePart(b, x), b.Log1p(expMinusAbs(b, x)))
	})
	geluProgram     = unary("gelu", gelu)
	geluTanhProgram = unary("gelu_tanh", func(b *builder, x value) value {
		// ½·(1 + tanh(u)) is the sigmoid of 2u. Beyond ±30 it is 0 or 1 exactly; that
		// far out the cube would overflow.
		c := b.Min(b.Max(x, b.Const(-30)), b.Const(30))
		u := b.Mul(c, b.Add(b.Const(1), b.Mul(b.Const(0.044715), b.Mul(c, c))))
		return b.Mul(x, sigmoid(b, b.Mul(b.Const(2*math.Sqrt(2/math.Pi)), u)))
	})
	biasGELUProgram = binary("bias_gelu", func(b *builder, x, bias value) value { return gelu(b, b.Add(x, bias)) })

	clampProgram = unary("clamp", func(b *builder, x value) value {
		// Max and Min would give half of the gradient at the bounds.
		low, high := b.Param(0), b.Param(1)
		x = b.Select(b.LessEqual(x, low), low, x)
		return b.Select(b.LessEqual(high, x), high, x)
	})
	whereProgram = device.NewProgram("where", 3, func(b *builder, in ...value) []value {
		return []value{b.Select(in[0], in[1], in[2])}
	})
	equalProgram     = binary("equal", (*builder).Equal)
	notEqualProgram  = binary("not_equal", func(b *builder, x, y value) value { return b.Sub(b.Const(1), b.Equal(x, y)) })
	lessProgram      = binary("less", (*builder).Less)
	lessEqualProgram = binary("less_equal", (*builder).LessEqual)
)

func gelu(b *builder, x value) value {
	half := b.Mul(b.Const(0.5), x)
	return b.Mul(half, b.Add(b.Const(1), b.Erf(b.Mul(x, b.Const(1/math.Sqrt2)))))
}

// expMinusAbs is e⁻|ˣ|. It has no kink for derivatives to stumble over: at 0 it is e⁻ˣ.
func expMinusAbs(b *builder, x value) value {
	return b.Exp(b.Select(b.Less(x, b.Const(0)), x, b.Neg(x)))
}

// positivePart is max(x, 0), and x at 0, to go with expMinusAbs.
func positivePart(b *builder, x value) value {
	return b.Select(b.Less(x, b.Const(0)), b.Const(0), x)
}

// sigmoid is 1/(1+e⁻ˣ) or, for negative x, eˣ/(1+eˣ): neither overflows, not even in
// derivatives, and both are accurate where the result is small.
func sigmoid(b *builder, x value) value {
	e := expMinusAbs(b, x)
	return b.Div(b.Select(b.Less(x, b.Const(0)), e, b.Const(1)), b.Add(b.Const(1), e))
}

// Add returns x + y.
func Add(x, y *Tensor) *Tensor { return run(addProgram, nil, nil, x, y) }

// Sub returns x - y.
func Sub(x, y *Tensor) *Tensor { return run(subProgram, nil, nil, x, y) }

// Mul returns x · y, element by element.
func Mul(x, y *Tensor) *Tensor { return run(mulProgram, nil, nil, x, y) }

// Div returns x / y.
func Div(x, y *Tensor) *Tensor { return run(divProgram, nil, nil, x, y) }

// Maximum returns the larger of x and y. Where they are equal, each gets half of
// the gradient.
func Maximum(x, y *Tensor) *Tensor { return run(maximumProgram, nil, nil, x, y) }

// Minimum returns the smaller of x and y. Where they are equal, each gets half of
// the gradient.
func Minimum(x, y *Tensor) *Tensor { return run(minimumProgram, nil, nil, x, y) }

// Clamp returns x brought into [low, high], and high everywhere if low is above it. The
// gradient passes within the bounds and is 0 on them and outside, as in PyTorch 2.15. NaN
// stays NaN. Infinite bounds are none. It panics for bounds that are NaN.
func Clamp(x *Tensor, low, high float64) *Tensor {
	if math.IsNaN(low) || math.IsNaN(high) {
		panic(fmt.Sprintf("ops: Clamp: bounds %g and %g", low, high))
	}
	return run(clampProgram, []float64{low, high}, nil, x)
}

// Where returns x where cond is not 0 and y elsewhere. The gradient of the one not
// chosen is 0 there, whatever its value; cond has none. All three are of one type, as
// the comparisons give it.
func Where(cond, x, y *Tensor) *Tensor { return run(whereProgram, nil, nil, cond.Detach(), x, y) }

// Equal returns 1 where x = y and 0 elsewhere, in their type. Comparisons have no
// gradients; NaN is equal to nothing, and neither less nor greater.
func Equal(x, y *Tensor) *Tensor { return compare(equalProgram, x, y) }

// NotEqual returns 1 where x ≠ y and 0 elsewhere: 1 for NaN.
func NotEqual(x, y *Tensor) *Tensor { return compare(notEqualProgram, x, y) }

// Less returns 1 where x < y and 0 elsewhere.
func Less(x, y *Tensor) *Tensor { return compare(lessProgram, x, y) }

// LessEqual returns 1 where x ≤ y and 0 elsewhere.
func LessEqual(x, y *Tensor) *Tensor { return compare(lessEqualProgram, x, y) }

// Greater returns 1 where x > y and 0 elsewhere.
func Greater(x, y *Tensor) *Tensor { return compare(lessProgram, y, x) }

// GreaterEqual returns 1 where x ≥ y and 0 elsewhere.
func GreaterEqual(x, y *Tensor) *Tensor { return compare(lessEqualProgram, y, x) }

func compare(p *device.Program, x, y *Tensor) *Tensor {
	return run(p, nil, nil, x.Detach(), y.Detach())
}

// Pow returns x to the power y.
func Pow(x, y *Tensor) *Tensor { return run(powProgram, nil, nil, x, y) }

// Scale returns x · s.
func Scale(x *Tensor, s float64) *Tensor { return run(scaleProgram, []float64{s}, nil, x) }

// Neg returns -x.
func Neg(x *Tensor) *Tensor { return run(negProgram, nil, nil, x) }

// Abs returns |x|; its gradient at 0 is 0.
func Abs(x *Tensor) *Tensor { return run(absProgram, nil, nil, x) }

// Sqrt returns the square root of x.
func Sqrt(x *Tensor) *Tensor { return run(sqrtProgram, nil, nil, x) }

// Rsqrt returns 1 / √x.
func Rsqrt(x *Tensor) *Tensor { return run(rsqrtProgram, nil, nil, x) }

// Sign returns -1, 0 or 1 with the sign of x, and NaN for NaN. Its gradient is 0.
func Sign(x *Tensor) *Tensor { return run(signProgram, nil, nil, x) }

// Exp returns eˣ.
func Exp(x *Tensor) *Tensor { return run(expProgram, nil, nil, x) }

// Log returns the natural logarithm of x.
func Log(x *Tensor) *Tensor { return run(logProgram, nil, nil, x) }

// Expm1 returns eˣ - 1, accurate near 0.
func Expm1(x *Tensor) *Tensor { return run(expm1Program, nil, nil, x) }

// Log1p returns log(1 + x), accurate near 0.
func Log1p(x *Tensor) *Tensor { return run(log1pProgram, nil, nil, x) }

// Tanh returns the hyperbolic tangent of x.
func Tanh(x *Tensor) *Tensor { return run(tanhProgram, nil, nil, x) }

// Erf returns the error function of x.
func Erf(x *Tensor) *Tensor { return run(erfProgram, nil, nil, x) }

// Sin returns the sine of x radians.
func Sin(x *Tensor) *Tensor { return run(sinProgram, nil, nil, x) }

// Cos returns the cosine of x radians.
func Cos(x *Tensor) *Tensor { return run(cosProgram, nil, nil, x) }

// ReLU returns max(x, 0); its gradient at 0 is 0.
func ReLU(x *Tensor) *Tensor { return run(reluProgram, nil, nil, x) }

// Sigmoid returns 1 / (1 + e⁻ˣ).
func Sigmoid(x *Tensor) *Tensor { return run(sigmoidProgram, nil, nil, x) }

// SiLU returns x·Sigmoid(x), also known as swish (Elfwing et al., arXiv 1702.03118).
func SiLU(x *Tensor) *Tensor { return run(siluProgram, nil, nil, x) }

// Softplus returns log(1 + eˣ). Nothing overflows, so it needs no threshold beyond
// which to return x.
func Softplus(x *Tensor) *Tensor { return run(softplusProgram, nil, nil, x) }

// GELU returns x·Φ(x) with the normal distribution function Φ, by erf (Hendrycks
// and Gimpel, arXiv 1606.08415).
func GELU(x *Tensor) *Tensor { return run(geluProgram, nil, nil, x) }

// GELUTanh returns GELU's approximation ½·x·(1 + tanh(√(2/π)·(x + 0.044715·x³))), as in
// GPT-2.
func GELUTanh(x *Tensor) *Tensor { return run(geluTanhProgram, nil, nil, x) }

// BiasGELU returns GELU(x + bias) in one pass.
func BiasGELU(x, bias *Tensor) *Tensor { return run(biasGELUProgram, nil, nil, x, bias) }
