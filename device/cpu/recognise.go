package cpu

import (
	"math"
	"slices"

	"github.com/muppet-go/muppet/device"
)

// Operations that are one kernel, for formulas that are common enough: their steps, one
// after the other on a block, cannot have the next elements fetched while they compute.
const (
	opGELU     = opCopy + 1 + iota
	opGELUGrad // the derivative
	numOps
)

var geluProgram = device.NewProgram("gelu", 1, func(b *device.Builder, x ...device.Value) []device.Value {
	half := b.Mul(b.Const(0.5), x[0])
	return []device.Value{b.Mul(half, b.Add(b.Const(1), b.Erf(b.Mul(x[0], b.Const(1/math.Sqrt2)))))}
})

// patterns are formulas of x, or of x and the gradient that the operation's is
// multiplied by.
var patterns = []struct {
	program *device.Program
	op      device.Op
}{
	{geluProgram, opGELU},
	{geluProgram.VJP(1), opGELUGrad},
}

// recognise returns a program's code with the operations above in place of the formulas
// that they compute. It looks at the program alone, so that an element has the same bits
// whatever the shapes.
func recognise(p *device.Program) []device.Instr {
	code := slices.Clone(p.Code())
	for v := range code {
		for _, pattern := range patterns {
			bound := [2]device.Value{-1, -1}
			if !match(pattern.program.Code(), pattern.program.Outputs()[0], code, device.Value(v), &bound) {
				continue
			}
			if bound[1] < 0 {
				code[v] = device.Instr{Op: pattern.op, A: bound[0]}
				continue
			}
			inner := code[v].A // what the formula needs comes before it, and nothing else may use it
			if uses(p, code, inner) == 1 {
				code[inner] = device.Instr{Op: pattern.op, A: bound[0]}
				code[v] = device.Instr{Op: device.OpMul, A: inner, B: bound[1]}
			}
		}
	}
	return code
}

// match reports whether value v of the code is value u of a pattern, whose inputs are
// bound to values of the code.
func match(pattern []device.Instr, u device.Value, code []device.Instr, v device.Value, bound *[2]device.Value) bool {
	want, in := pattern[u], code[v]
	if want.Op == device.OpInput {
		if bound[want.Index] < 0 {
			bound[want.Index] = v
		}
		return bound[want.Index] == v
	}
	if in.Op != want.Op || in.Const != want.Const {
		return false
	}
	operands := [3][2]device.Value{{want.A, in.A}, {want.B, in.B}, {want.C, in.C}}
	for _, o := range operands[:arity(want.Op)] {
		if !match(pattern, o[0], code, o[1], bound) {
			return false
		}
	}
	return true
}

func uses(p *device.Program, code []device.Instr, v device.Value) int {
	n := 0
	for _, in := range code {
		operands := [3]device.Value{in.A, in.B, in.C}
		for _, x := range operands[:arity(in.Op)] {
			if x == v {
				n++
			}
		}
	}
	for _, x := range p.Outputs() {
		if x == v {
			n++
		}
	}
	return n
}

func arity(op device.Op) int {
	if op == opGELU || op == opGELUGrad {
		return 1
	}
	return op.Arity()
}
