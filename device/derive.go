package device

import (
	"fmt"
	"math"
	"math/bits"
)

// An Op is a primitive of pointwise programs.
type Op uint8

// The primitives. Builder's methods of the same names say what they compute.
const (
	OpConst Op = iota
	OpInput
	OpParam
	OpUniform
	OpAdd
	OpSub
	OpMul
	OpDiv
	OpMax
	OpMin
	OpPow
	OpLess
	OpLessEqual
	OpEqual
	OpSelect
	OpNeg
	OpAbs
	OpSign
	OpFloor
	OpSqrt
	OpExp
	OpExpm1
	OpLog
	OpLog1p
	OpTanh
	OpErf
	OpSin
	OpCos
	NumOps // how many there are
)

// A primitive is all that the engine knows of an Op: its operands and its
// derivatives. grad returns, for operands x and result y, the gradient of each
// operand given the gradient g of the result; no result means that the
// derivative is zero almost everywhere.
type primitive struct {
	name  string
	arity int
	grad  func(b *Builder, g, y Value, x [3]Value) [3]Value
}

const none Value = -1 // no gradient

// The table is filled by init because the rules, through Builder, look up arities in it.
var primitives [NumOps]primitive

func init() {
	primitives = [NumOps]primitive{
		OpConst:   {"const", 0, nil},
		OpInput:   {"input", 0, nil},
		OpParam:   {"param", 0, nil},
		OpUniform: {"uniform", 0, nil},

		OpAdd: {"add", 2, func(b *Builder, g, y Value, x [3]Value) [3]Value { return [3]Value{g, g} }},
		OpSub: {"sub", 2, func(b *Builder, g, y Value, x [3]Value) [3]Value { return [3]Value{g, b.Neg(g)} }},
		OpMul: {"mul", 2, func(b *Builder, g, y Value, x [3]Value) [3]Value { return [3]Value{b.Mul(g, x[1]), b.Mul(g, x[0])} }},
		OpDiv: {"div", 2, func(b *Builder, g, y Value, x [3]Value) [3]Value {
			q := b.Div(g, x[1])
			return [3]Value{q, b.Neg(b.Mul(q, y))}
		}},
		// Where both are equal each gets half, as in PyTorch.
		OpMax: {"max", 2, func(b *Builder, g, y Value, x [3]Value) [3]Value { return extremum(b, g, b.Less(x[1], x[0]), x) }},
		OpMin: {"min", 2, func(b *Builder, g, y Value, x [3]Value) [3]Value { return extremum(b, g, b.Less(x[0], x[1]), x) }},
		OpPow: {"pow", 2, func(b *Builder, g, y Value, x [3]Value) [3]Value {
			one, zero := b.Const(1), b.Const(0)
			base := b.Mul(g, b.Mul(x[1], b.Pow(x[0], b.Sub(x[1], one))))
			base = b.Select(b.Equal(x[1], zero), zero, base) // x⁰ is 1 everywhere, 0·0⁻¹ is not 0
			exponent := b.Mul(g, b.Mul(y, b.Log(x[0])))
			exponent = b.Select(b.Equal(x[0], zero), zero, exponent)
			return [3]Value{base, exponent}
		}},
		OpLess:      {"less", 2, nil},
		OpLessEqual: {"less_equal", 2, nil},
		OpEqual:     {"equal", 2, nil},
		OpSelect: {"select", 3, func(b *Builder, g, y Value, x [3]Value) [3]Value {
			zero := b.Const(0)
			return [3]Value{none, b.Select(x[0], g, zero), b.Select(x[0], zero, g)}
		}},

		OpNeg:   {"neg", 1, func(b *Builder, g, y Value, x [3]Value) [3]Value { return [3]Value{b.Neg(g)} }},
		OpAbs:   {"abs", 1, func(b *Builder, g, y Value, x [3]Value) [3]Value { return [3]Value{b.Mul(g, b.Sign(x[0]))} }},
		OpSign:  {"sign", 1, nil},
		OpFloor: {"floor", 1, nil},
		OpSqrt: {"sqrt", 1, func(b *Builder, g, y Value, x [3]Value) [3]Value {
			return [3]Value{b.Div(b.Mul(b.Const(0.5), g), y)}
		}},
		OpExp: {"exp", 1, func(b *Builder, g, y Value, x [3]Value) [3]Value { return [3]Value{b.Mul(g, y)} }},
		OpExpm1: {"expm1", 1, func(b *Builder, g, y Value, x [3]Value) [3]Value {
			return [3]Value{b.Mul(g, b.Add(y, b.Const(1)))}
		}},
		OpLog: {"log", 1, func(b *Builder, g, y Value, x [3]Value) [3]Value { return [3]Value{b.Div(g, x[0])} }},
		OpLog1p: {"log1p", 1, func(b *Builder, g, y Value, x [3]Value) [3]Value {
			return [3]Value{b.Div(g, b.Add(b.Const(1), x[0]))}
		}},
		OpTanh: {"tanh", 1, func(b *Builder, g, y Value, x [3]Value) [3]Value {
			return [3]Value{b.Mul(g, b.Sub(b.Const(1), b.Mul(y, y)))}
		}},
		// d erf(x)/dx = 2/√π · exp(-x²)
		OpErf: {"erf", 1, func(b *Builder, g, y Value, x [3]Value) [3]Value {
			return [3]Value{b.Mul(g, b.Mul(b.Const(2/math.Sqrt(math.Pi)), b.Exp(b.Neg(b.Mul(x[0], x[0])))))}
		}},
		OpSin: {"sin", 1, func(b *Builder, g, y Value, x [3]Value) [3]Value { return [3]Value{b.Mul(g, b.Cos(x[0]))} }},
		OpCos: {"cos", 1, func(b *Builder, g, y Value, x [3]Value) [3]Value { return [3]Value{b.Neg(b.Mul(g, b.Sin(x[0])))} }},
	}
}

// extremum shares g between the operands of a maximum or minimum; first is 1
// where the first operand is the result.
func extremum(b *Builder, g, first Value, x [3]Value) [3]Value {
	zero, tie := b.Const(0), b.Equal(x[0], x[1])
	half := b.Mul(b.Const(0.5), g)
	return [3]Value{
		b.Select(tie, half, b.Select(first, g, zero)),
		b.Select(tie, half, b.Select(first, zero, g)),
	}
}

// Arity returns how many operands the primitive takes.
func (op Op) Arity() int { return primitives[op].arity }

func (op Op) String() string {
	if op >= NumOps {
		return fmt.Sprintf("Op(%d)", uint8(op))
	}
	return primitives[op].name
}

// VJP returns the program of the vector-Jacobian product, that is, of the
// gradients. It takes p's inputs followed by the gradient of each of p's outputs,
// and returns the gradient of each input i for which bit i of wrt is set, in order.
// Parameters and random streams are p's. The result is remembered.
func (p *Program) VJP(wrt uint64) *Program {
	if last := bits.Len64(wrt) - 1; last >= p.inputs {
		panic(fmt.Sprintf("device: program %s: VJP of input %d of %d", p.name, last, p.inputs))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if q, ok := p.vjps[wrt]; ok {
		return q
	}
	q := NewProgram(p.name+"'", p.inputs+len(p.outputs), func(b *Builder, in ...Value) []Value {
		return p.reverse(b, in[:p.inputs], in[p.inputs:], wrt)
	})
	q.params, q.keys = p.params, p.keys
	if p.vjps == nil {
		p.vjps = map[uint64]*Program{}
	}
	p.vjps[wrt] = q
	return q
}

// reverse writes p and then its instructions' gradient rules, last to first.
func (p *Program) reverse(b *Builder, in, cotangents []Value, wrt uint64) []Value {
	at := b.inline(p, in)
	grads := make([]Value, len(p.code))
	for i := range grads {
		grads[i] = none
	}
	add := func(v, g Value) {
		switch {
		case g == none:
		case grads[v] == none:
			grads[v] = g
		default:
			grads[v] = b.Add(grads[v], g)
		}
	}
	for i, v := range p.outputs {
		add(v, cotangents[i])
	}
	active := p.dependsOn(wrt)
	for i := len(p.code) - 1; i >= 0; i-- {
		instr, g := p.code[i], grads[i]
		rule := primitives[instr.Op].grad
		if g == none || rule == nil || !active[i] {
			continue
		}
		operands := [3]Value{instr.A, instr.B, instr.C}
		var x [3]Value
		for j := 0; j < instr.Op.Arity(); j++ {
			x[j] = at[operands[j]]
		}
		d := rule(b, g, at[i], x)
		for j := 0; j < instr.Op.Arity(); j++ {
			if active[operands[j]] {
				add(operands[j], d[j])
			}
		}
	}
	byInput := make([]Value, p.inputs)
	for i := range byInput {
		byInput[i] = none
	}
	for i, instr := range p.code {
		if instr.Op == OpInput {
			byInput[instr.Index] = grads[i]
		}
	}
	var out []Value
	for i, g := range byInput {
		if wrt>>i&1 == 0 {
			continue
		}
		if g == none {
			g = b.Const(0)
		}
		out = append(out, g)
	}
	return out
}

// dependsOn tells which instructions depend on an input of the set.
func (p *Program) dependsOn(wrt uint64) []bool {
	active := make([]bool, len(p.code))
	for i, in := range p.code {
		if in.Op == OpInput {
			active[i] = wrt>>in.Index&1 == 1
		}
		for j, v := range [3]Value{in.A, in.B, in.C} {
			active[i] = active[i] || j < in.Op.Arity() && active[v]
		}
	}
	return active
}

// inline writes p's instructions into b with the given inputs and returns where
// each instruction's value is.
func (b *Builder) inline(p *Program, in []Value) []Value {
	at := make([]Value, len(p.code))
	for i, instr := range p.code {
		if instr.Op == OpInput {
			at[i] = in[instr.Index]
			continue
		}
		operands := [3]*Value{&instr.A, &instr.B, &instr.C}
		for j := 0; j < instr.Op.Arity(); j++ {
			*operands[j] = at[*operands[j]]
		}
		at[i] = b.emit(instr)
	}
	return at
}
