package device

import (
	"fmt"
	"math"
	"strings"
	"sync"
)

// A Program is an elementwise function of n inputs with m outputs, written as a
// list of primitive instructions. It is immutable and safe for concurrent use.
//
// The instructions are in an order in which every operand comes before its use;
// a Value is the index of the instruction that computes it.
type Program struct {
	name    string
	inputs  int
	params  int
	keys    int
	code    []Instr
	outputs []Value

	mu       sync.Mutex
	vjps     map[uint64]*Program
	distinct *Program
	at       []int
}

// A Value is a result inside a program: the index of its instruction.
type Value int32

// An Instr is one primitive instruction of a program.
type Instr struct {
	Op      Op
	A, B, C Value   // operands, as many as Op has
	Index   int     // of the input, parameter or key
	Const   float64 // of a constant
}

// A Builder collects the instructions of a program. Equal instructions are
// shared and constants folded, so that formulas may be written plainly.
type Builder struct {
	p    *Program
	seen map[instrKey]Value
}

type instrKey struct {
	op      Op
	a, b, c Value
	index   int
	bits    uint64
}

// NewProgram builds the program of a formula of the given number of inputs. The
// name appears in messages and traces.
func NewProgram(name string, inputs int, formula func(b *Builder, in ...Value) []Value) *Program {
	if inputs < 0 || inputs > 60 {
		panic(fmt.Sprintf("device: NewProgram %s: %d inputs, want 0 to 60", name, inputs))
	}
	b := &Builder{p: &Program{name: name, inputs: inputs}, seen: map[instrKey]Value{}}
	in := make([]Value, inputs)
	for i := range in {
		in[i] = b.input(i)
	}
	b.p.outputs = formula(b, in...)
	for _, v := range b.p.outputs {
		b.check(v)
	}
	b.p.prune()
	return b.p
}

// prune drops instructions that no output needs.
func (p *Program) prune() {
	needed := make([]bool, len(p.code))
	for _, v := range p.outputs {
		needed[v] = true
	}
	for i := len(p.code) - 1; i >= 0; i-- {
		if in := p.code[i]; needed[i] {
			for j, v := range [3]Value{in.A, in.B, in.C} {
				if j < in.Op.Arity() {
					needed[v] = true
				}
			}
		}
	}
	moved := make([]Value, len(p.code))
	kept := p.code[:0:0]
	for i, in := range p.code {
		if !needed[i] {
			continue
		}
		moved[i] = Value(len(kept))
		operands := [3]*Value{&in.A, &in.B, &in.C}
		for j := 0; j < in.Op.Arity(); j++ {
			*operands[j] = moved[*operands[j]]
		}
		kept = append(kept, in)
	}
	p.code = kept
	outputs := make([]Value, len(p.outputs))
	for i, v := range p.outputs {
		outputs[i] = moved[v]
	}
	p.outputs = outputs
}

// Name returns the name given to NewProgram.
func (p *Program) Name() string { return p.name }

// Inputs, Params and Keys return how many of each the program takes.
func (p *Program) Inputs() int { return p.inputs }

// Params returns the number of parameters.
func (p *Program) Params() int { return p.params }

// Keys returns the number of random streams.
func (p *Program) Keys() int { return p.keys }

// Code returns the instructions. The caller must not change them.
func (p *Program) Code() []Instr { return p.code }

// Outputs returns the values of the outputs. The caller must not change them.
func (p *Program) Outputs() []Value { return p.outputs }

// Uses reports whether any output depends on input i.
func (p *Program) Uses(i int) bool {
	for _, in := range p.code {
		if in.Op == OpInput && in.Index == i {
			return true
		}
	}
	return false
}

// String lists the program, one instruction a line.
func (p *Program) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "%s:\n", p.name)
	for i, in := range p.code {
		fmt.Fprintf(&s, "  %%%d = %s", i, in.Op)
		switch in.Op {
		case OpConst:
			fmt.Fprintf(&s, " %g", in.Const)
		case OpInput, OpParam, OpUniform:
			fmt.Fprintf(&s, " %d", in.Index)
		}
		for j, v := range [3]Value{in.A, in.B, in.C} {
			if j < in.Op.Arity() {
				fmt.Fprintf(&s, " %%%d", v)
			}
		}
		s.WriteByte('\n')
	}
	fmt.Fprintf(&s, "  return %%%v\n", p.outputs)
	return s.String()
}

func (b *Builder) check(v Value) {
	if v < 0 || int(v) >= len(b.p.code) {
		panic(fmt.Sprintf("device: program %s uses value %%%d, which it did not compute", b.p.name, v))
	}
}

func (b *Builder) emit(in Instr) Value {
	operands := [3]Value{in.A, in.B, in.C}
	for j := 0; j < in.Op.Arity(); j++ {
		b.check(operands[j])
	}
	k := instrKey{in.Op, in.A, in.B, in.C, in.Index, math.Float64bits(in.Const)}
	if v, ok := b.seen[k]; ok {
		return v
	}
	v := Value(len(b.p.code))
	b.p.code = append(b.p.code, in)
	b.seen[k] = v
	return v
}

func (b *Builder) input(i int) Value { return b.emit(Instr{Op: OpInput, Index: i}) }

// constant returns the value of v if it is a constant.
func (b *Builder) constant(v Value) (float64, bool) {
	b.check(v)
	in := b.p.code[v]
	return in.Const, in.Op == OpConst
}

// Const returns the constant c.
func (b *Builder) Const(c float64) Value { return b.emit(Instr{Op: OpConst, Const: c}) }

// Param returns parameter i, a number given anew with every run (Args.Params).
func (b *Builder) Param(i int) Value {
	if i < 0 {
		panic(fmt.Sprintf("device: program %s: Param(%d)", b.p.name, i))
	}
	b.p.params = max(b.p.params, i+1)
	return b.emit(Instr{Op: OpParam, Index: i})
}

// Uniform returns the random number in [0, 1) that stream i (Args.Keys) has at
// the element's row-major position. It has 24 bits and is the same in every
// element type: word position%4 of Philox4x32-10 (Salmon et al., 2011) for
// counter (position/4, key.Hi) and key key.Lo, shifted right by 8, times 2⁻²⁴.
func (b *Builder) Uniform(i int) Value {
	if i < 0 {
		panic(fmt.Sprintf("device: program %s: Uniform(%d)", b.p.name, i))
	}
	b.p.keys = max(b.p.keys, i+1)
	return b.emit(Instr{Op: OpUniform, Index: i})
}

// Add returns x + y.
func (b *Builder) Add(x, y Value) Value {
	cx, okx := b.constant(x)
	cy, oky := b.constant(y)
	switch {
	case okx && oky:
		return b.Const(cx + cy)
	case okx && cx == 0:
		return y
	case oky && cy == 0:
		return x
	}
	return b.emit(Instr{Op: OpAdd, A: x, B: y})
}

// Sub returns x - y.
func (b *Builder) Sub(x, y Value) Value {
	cx, okx := b.constant(x)
	cy, oky := b.constant(y)
	switch {
	case okx && oky:
		return b.Const(cx - cy)
	case okx && cx == 0:
		return b.Neg(y)
	case oky && cy == 0:
		return x
	}
	return b.emit(Instr{Op: OpSub, A: x, B: y})
}

// Mul returns x · y.
func (b *Builder) Mul(x, y Value) Value {
	cx, okx := b.constant(x)
	cy, oky := b.constant(y)
	switch {
	case okx && oky:
		return b.Const(cx * cy)
	case okx && cx == 1:
		return y
	case oky && cy == 1:
		return x
	case okx && cx == -1:
		return b.Neg(y)
	case oky && cy == -1:
		return b.Neg(x)
	}
	return b.emit(Instr{Op: OpMul, A: x, B: y})
}

// Div returns x / y.
func (b *Builder) Div(x, y Value) Value {
	cx, okx := b.constant(x)
	cy, oky := b.constant(y)
	switch {
	case okx && oky:
		return b.Const(cx / cy)
	case oky && cy == 1:
		return x
	}
	return b.emit(Instr{Op: OpDiv, A: x, B: y})
}

// Neg returns -x.
func (b *Builder) Neg(x Value) Value {
	if c, ok := b.constant(x); ok {
		return b.Const(-c)
	}
	if in := b.p.code[x]; in.Op == OpNeg {
		return in.A
	}
	return b.emit(Instr{Op: OpNeg, A: x})
}

func (b *Builder) unary(op Op, x Value) Value     { return b.emit(Instr{Op: op, A: x}) }
func (b *Builder) binary(op Op, x, y Value) Value { return b.emit(Instr{Op: op, A: x, B: y}) }

// Max returns the larger of x and y, NaN if either is.
func (b *Builder) Max(x, y Value) Value { return b.binary(OpMax, x, y) }

// Min returns the smaller of x and y, NaN if either is.
func (b *Builder) Min(x, y Value) Value { return b.binary(OpMin, x, y) }

// Pow returns x to the power y, as math.Pow.
func (b *Builder) Pow(x, y Value) Value { return b.binary(OpPow, x, y) }

// Less returns 1 where x < y and 0 elsewhere.
func (b *Builder) Less(x, y Value) Value { return b.binary(OpLess, x, y) }

// LessEqual returns 1 where x ≤ y and 0 elsewhere.
func (b *Builder) LessEqual(x, y Value) Value { return b.binary(OpLessEqual, x, y) }

// Equal returns 1 where x = y and 0 elsewhere.
func (b *Builder) Equal(x, y Value) Value { return b.binary(OpEqual, x, y) }

// Select returns x where cond is not 0 and y elsewhere.
func (b *Builder) Select(cond, x, y Value) Value {
	if x == y {
		return x
	}
	return b.emit(Instr{Op: OpSelect, A: cond, B: x, C: y})
}

// Abs returns |x|.
func (b *Builder) Abs(x Value) Value { return b.unary(OpAbs, x) }

// Sign returns -1, 0 or 1 with the sign of x, NaN for NaN.
func (b *Builder) Sign(x Value) Value { return b.unary(OpSign, x) }

// Floor returns the greatest integer not above x.
func (b *Builder) Floor(x Value) Value { return b.unary(OpFloor, x) }

// Sqrt returns the square root of x.
func (b *Builder) Sqrt(x Value) Value { return b.unary(OpSqrt, x) }

// Exp returns eˣ.
func (b *Builder) Exp(x Value) Value { return b.unary(OpExp, x) }

// Expm1 returns eˣ - 1, accurate near 0.
func (b *Builder) Expm1(x Value) Value { return b.unary(OpExpm1, x) }

// Log returns the natural logarithm of x.
func (b *Builder) Log(x Value) Value { return b.unary(OpLog, x) }

// Log1p returns log(1 + x), accurate near 0.
func (b *Builder) Log1p(x Value) Value { return b.unary(OpLog1p, x) }

// Tanh returns the hyperbolic tangent of x.
func (b *Builder) Tanh(x Value) Value { return b.unary(OpTanh, x) }

// Erf returns the error function of x.
func (b *Builder) Erf(x Value) Value { return b.unary(OpErf, x) }

// Sin returns the sine of x radians.
func (b *Builder) Sin(x Value) Value { return b.unary(OpSin, x) }

// Cos returns the cosine of x radians.
func (b *Builder) Cos(x Value) Value { return b.unary(OpCos, x) }

// Distinct returns p without repeated outputs, and for each output of p which
// output of the result has its value. The caller must not change that.
func (p *Program) Distinct() (*Program, []int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.distinct != nil {
		return p.distinct, p.at
	}
	p.at = make([]int, len(p.outputs))
	var outputs []Value
	for i, v := range p.outputs {
		j := 0
		for j < len(outputs) && outputs[j] != v {
			j++
		}
		if j == len(outputs) {
			outputs = append(outputs, v)
		}
		p.at[i] = j
	}
	p.distinct = p
	if len(outputs) < len(p.outputs) {
		p.distinct = &Program{name: p.name, inputs: p.inputs, params: p.params, keys: p.keys, code: p.code, outputs: outputs}
	}
	return p.distinct, p.at
}
