package ops_test

import (
	"fmt"
	"math"

	"github.com/muppet-go/muppet/ops"
)

// large is where exponentials overflow and gradients do not vanish.
func large(shape ...int) input { return input{shape, 800, 1e3} }

func elementwiseSamples() (all []sample) {
	sigmoid := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	softplus := func(x float64) float64 { return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }
	geluTanh := func(x float64) float64 {
		return 0.5 * x * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
	}
	sign := func(x float64) float64 { return math.Copysign(1, x) }
	negative := func(shape ...int) input { return input{shape, -2, -0.5} }
	for _, c := range []struct {
		op, kind string
		f        func(*tensor) *tensor
		plain    func(float64) float64
		input    func(...int) input
	}{
		{"Rsqrt", "", ops.Rsqrt, func(x float64) float64 { return 1 / math.Sqrt(x) }, positive},
		{"Sign", " positive", ops.Sign, sign, positive},
		{"Sign", " negative", ops.Sign, sign, negative},
		{"Expm1", "", ops.Expm1, math.Expm1, normal},
		{"Log1p", "", ops.Log1p, math.Log1p, positive},
		{"Log1p", " near -1", ops.Log1p, math.Log1p, func(shape ...int) input { return input{shape, -0.8, -0.5} }},
		{"SiLU", "", ops.SiLU, func(x float64) float64 { return x * sigmoid(x) }, normal},
		{"SiLU", " large", ops.SiLU, func(x float64) float64 { return x * sigmoid(x) }, large},
		{"GELUTanh", "", ops.GELUTanh, geluTanh, normal},
		{"GELUTanh", " large", ops.GELUTanh, geluTanh, large},
		{"Softplus", "", ops.Softplus, softplus, normal},
		{"Softplus", " large", ops.Softplus, softplus, large},
		{"Clamp", "", func(x *tensor) *tensor { return ops.Clamp(x, -0.5, 1) }, func(x float64) float64 { return min(max(x, -0.5), 1) }, normal},
		{"Clamp", " one side", func(x *tensor) *tensor { return ops.Clamp(x, 0.1, math.Inf(1)) }, func(x float64) float64 { return max(x, 0.1) }, positive},
	} {
		for _, shape := range shapes {
			all = append(all, sample{
				op: c.op, name: fmt.Sprint(shape, c.kind), inputs: []input{c.input(shape...)},
				f:     func(in ...*tensor) *tensor { return c.f(in[0]) },
				plain: elementwise(func(x ...float64) float64 { return c.plain(x[0]) }),
			})
		}
	}
	return append(all, comparisonSamples()...)
}

func comparisonSamples() (all []sample) {
	for _, c := range []struct {
		op    string
		f     func(x, y *tensor) *tensor
		plain func(x, y float64) bool
	}{
		{"Equal", ops.Equal, func(x, y float64) bool { return x == y }},
		{"NotEqual", ops.NotEqual, func(x, y float64) bool { return x != y }},
		{"Less", ops.Less, func(x, y float64) bool { return x < y }},
		{"LessEqual", ops.LessEqual, func(x, y float64) bool { return x <= y }},
		{"Greater", ops.Greater, func(x, y float64) bool { return x > y }},
		{"GreaterEqual", ops.GreaterEqual, func(x, y float64) bool { return x >= y }},
	} {
		plain := elementwise(func(x ...float64) float64 {
			if c.plain(x[0], x[1]) {
				return 1
			}
			return 0
		})
		for _, pair := range pairs {
			all = append(all, sample{
				op: c.op, name: fmt.Sprint(pair), inputs: []input{normal(pair[0]...), normal(pair[1]...)}, flat: true,
				f: func(in ...*tensor) *tensor { return c.f(in[0], in[1]) }, plain: plain,
			})
		}
		// Few values, so that many are equal.
		all = append(all, sample{
			op: c.op, name: "ties", inputs: []input{normal(5, 3), normal(3)}, flat: true,
			f:     func(in ...*tensor) *tensor { return c.f(ops.Sign(in[0]), ops.Sign(in[1])) },
			plain: func(in ...array) array { return plain(signs(in[0]), signs(in[1])) },
		})
	}
	for _, c := range [][3][]int{
		{{2, 3}, {2, 3}, {2, 3}}, {{}, {}, {}}, {{0}, {0}, {}}, {{1}, {1}, {1}}, {{3}, {2, 3}, {2, 3}}, {{2, 1}, {}, {3}},
		{{2, 3}, {2, 1}, {1}}, {{}, {5}, {1}}, {{2, 1, 2}, {3, 1}, {2, 3, 2}},
	} {
		all = append(all, sample{
			op: "Where", name: fmt.Sprint(c), inputs: []input{normal(c[1]...), normal(c[2]...)},
			f: func(in ...*tensor) *tensor { return ops.Where(condition(in[0], c[0]), in[0], in[1]) },
			plain: func(in ...array) array {
				cond := fill(c[0], func(at []int) float64 { return 0 })
				for i := range cond.v {
					cond.v[i] = float64(i % 3)
				}
				return elementwise(func(x ...float64) float64 {
					if x[0] != 0 {
						return x[1]
					}
					return x[2]
				})(cond, in[0], in[1])
			},
		})
	}
	return all
}

// condition returns 0, 1, 2, 0, 1, 2 and so on: conditions need not be 0 or 1.
func condition(like *tensor, shape []int) *tensor {
	a := zeros(shape...)
	for i := range a.v {
		a.v[i] = float64(i % 3)
	}
	return upload(like.Device(), like.DType(), a)
}

func signs(x array) array {
	return elementwise(func(x ...float64) float64 { return math.Copysign(1, x[0]) })(x)
}
