package devicetest

import (
	"fmt"
	"math"
	"math/bits"

	"github.com/muppet-go/muppet/device"
)

// An Evaluation is a run of a program on one element.
type Evaluation struct {
	Outputs []float64
	Largest float64 // largest finite magnitude of any value
}

// Eval runs a program on the element at a row-major position, computing each
// primitive in float64 and rounding it to t.
func Eval(p *device.Program, t device.DType, in, params []float64, keys []device.Key, position int) Evaluation {
	var e Evaluation
	values := make([]float64, len(p.Code()))
	for i, c := range p.Code() {
		var x float64
		switch c.Op {
		case device.OpConst:
			x = c.Const
		case device.OpInput:
			x = in[c.Index]
		case device.OpParam:
			x = params[c.Index]
		case device.OpUniform:
			x = uniform(keys[c.Index], position)
		default:
			var operands [3]float64
			for j, v := range [3]device.Value{c.A, c.B, c.C} {
				if j < c.Op.Arity() {
					operands[j] = values[v]
				}
			}
			x = apply(c.Op, operands)
		}
		values[i] = round(t, x)
		if a := math.Abs(values[i]); a > e.Largest && !math.IsInf(a, 0) {
			e.Largest = a
		}
	}
	for _, v := range p.Outputs() {
		e.Outputs = append(e.Outputs, values[v])
	}
	return e
}

var unaries = [device.NumOps]func(x float64) float64{
	device.OpNeg:   func(x float64) float64 { return -x },
	device.OpAbs:   math.Abs,
	device.OpFloor: math.Floor,
	device.OpSqrt:  math.Sqrt,
	device.OpExp:   math.Exp,
	device.OpExpm1: math.Expm1,
	device.OpLog:   math.Log,
	device.OpLog1p: math.Log1p,
	device.OpTanh:  math.Tanh,
	device.OpErf:   math.Erf,
	device.OpSin:   math.Sin,
	device.OpCos:   math.Cos,
	device.OpSign: func(x float64) float64 {
		if x == 0 || math.IsNaN(x) {
			return x
		}
		return math.Copysign(1, x)
	},
}

var binaries = [device.NumOps]func(x, y float64) float64{
	device.OpAdd:       func(x, y float64) float64 { return x + y },
	device.OpSub:       func(x, y float64) float64 { return x - y },
	device.OpMul:       func(x, y float64) float64 { return x * y },
	device.OpDiv:       func(x, y float64) float64 { return x / y },
	device.OpMax:       func(x, y float64) float64 { return max(x, y) },
	device.OpMin:       func(x, y float64) float64 { return min(x, y) },
	device.OpPow:       math.Pow,
	device.OpLess:      func(x, y float64) float64 { return indicator(x < y) },
	device.OpLessEqual: func(x, y float64) float64 { return indicator(x <= y) },
	device.OpEqual:     func(x, y float64) float64 { return indicator(x == y) },
}

func apply(op device.Op, x [3]float64) float64 {
	switch {
	case unaries[op] != nil:
		return unaries[op](x[0])
	case binaries[op] != nil:
		return binaries[op](x[0], x[1])
	case op != device.OpSelect:
		panic(fmt.Sprintf("devicetest: unknown primitive %v", op))
	case x[0] != 0:
		return x[1]
	}
	return x[2]
}

func indicator(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// uniform is Builder.Uniform: Philox4x32-10 with the counter's high half and the
// key from a Key.
func uniform(key device.Key, position int) float64 {
	block := uint64(position) / 4
	a, b, c, d := uint32(block), uint32(block>>32), uint32(key.Hi), uint32(key.Hi>>32)
	for i := uint32(0); i < 10; i++ {
		k0, k1 := uint32(key.Lo)+i*0x9e3779b9, uint32(key.Lo>>32)+i*0xbb67ae85
		hiA, loA := bits.Mul32(a, 0xd2511f53)
		hiC, loC := bits.Mul32(c, 0xcd9e8d57)
		a, b, c, d = hiC^b^k0, loC, hiA^d^k1, loA
	}
	return math.Ldexp(float64([]uint32{a, b, c, d}[position%4]>>8), -24)
}
