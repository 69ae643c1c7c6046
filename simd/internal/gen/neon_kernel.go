package main

import (
	"fmt"
	"slices"
)

// neonAllocation is the state of registers while a kernel is emitted for NEON.
// The first hold scalars, at least one, and accumulators, the next eight values, and
// the others constants, as far as they last; more constants are loaded where they are
// used.
type neonAllocation struct {
	a         *assembler
	k         *kernel
	bytes     int     // that a load or store moves: a vector's or an element's
	way       int     // which of the vectors that are worked on in turn
	args      [][]int // of each step
	last      []int   // step that uses a value last
	where     []int
	free      []int
	constants map[uint64]int // registers by bits
}

func (k *kernel) neonFirstConstant() int { return max(1, k.reserved()) + 8 }

// neonElementwise generates the body of an elementwise function: whole vectors,
// then the elements that remain, one by one in the lowest lane. The scalar is
// the parameter at offset scalarAt.
func neonElementwise(a *assembler, k *kernel, sources []string, scalarAt int) {
	const length = "R4"
	if k.scalars > 0 {
		a.op(scalarMoves[k.bytes], fmt.Sprintf("s+%d(FP)", scalarAt), "F0")
		a.op("VDUP", neonLane0(k.precision, 0), vec(k.precision, 0))
	}
	a.op("MOVD", "dst_base+0(FP)", neonPointer(destination))
	a.op("MOVD", "dst_len+8(FP)", length)
	for i, s := range sources {
		a.op("MOVD", fmt.Sprintf("%s_base+%d(FP)", s, 24*(i+1)), neonPointer(i))
	}
	constants := k.neonConstants(a)
	lanes := fmt.Sprint("$", a.bytes/k.bytes)
	a.op("SUBS", lanes, length, length)
	a.op("BLT", "rest")
	a.loop("loop")
	k.emitNEON(a, a.bytes, 0, constants)
	a.op("SUBS", lanes, length, length)
	a.op("BGE", "loop")
	a.label("rest")
	a.op("ADDS", lanes, length, length)
	a.op("BEQ", "done")
	a.label("element")
	k.emitNEON(a, k.bytes, 0, constants)
	a.op("SUBS", "$1", length, length)
	a.op("BNE", "element")
	a.label("done")
	a.ret()
}

// neonConstants loads constants to registers that they stay in.
func (k *kernel) neonConstants(a *assembler) map[uint64]int {
	constants := map[uint64]int{}
	for _, st := range k.steps {
		next := k.neonFirstConstant() + len(constants)
		if _, seen := constants[st.bits]; st.op == opConst && !seen && next < a.regs {
			constants[st.bits] = next
			a.neonConstant(k.precision, st.bits, next)
		}
	}
	return constants
}

// neonPointer returns the register that points into a source or the destination.
func neonPointer(source int) string {
	if source == destination {
		return "R0"
	}
	return fmt.Sprint("R", 1+source)
}

// neonLane0 returns the first element of a register as Go's assembler writes it.
func neonLane0(p precision, r int) string {
	return fmt.Sprintf("V%d.%s[0]", r, map[int]string{4: "S", 8: "D"}[p.bytes])
}

// neonConstant loads a vector of one number, which the assembler puts behind the
// function.
func (a *assembler) neonConstant(p precision, bits uint64, r int) {
	if p.bytes == 4 {
		bits |= bits << 32
	}
	fmt.Fprintf(&a.text, "\tVMOVQ $%#[1]x, $%#[1]x, V%[2]d // %[3]s\n", bits, r, p.number(bits))
}

// emitNEON writes the body for one vector or, with an element's bytes, for one
// element.
func (k *kernel) emitNEON(a *assembler, bytes, way int, constants map[uint64]int) {
	s := &neonAllocation{a: a, k: k, bytes: bytes, way: way, constants: constants,
		args: make([][]int, len(k.steps)), last: make([]int, len(k.steps)), where: make([]int, len(k.steps))}
	for i, st := range k.steps {
		for _, v := range st.args {
			// A constant need not be moved to a register: it is in one.
			for k.steps[v].op == "MOV" {
				v = k.steps[v].args[0]
			}
			s.args[i] = append(s.args[i], int(v))
			s.last[v] = i
		}
	}
	for r := k.neonFirstConstant() - 1; r >= max(1, k.reserved()); r-- {
		s.free = append(s.free, r)
	}
	for i, st := range k.steps {
		if st.op != opConst && st.op != opScalar && st.op != "MOV" {
			s.step(i, st)
		}
	}
}

func (s *neonAllocation) pop() int {
	if len(s.free) == 0 {
		panic("out of registers")
	}
	r := s.free[len(s.free)-1]
	s.free = s.free[:len(s.free)-1]
	return r
}

// neonNames has Arm's names of the instructions that kernels are described with;
// those in upper case are known to Go's assembler, for any bits or 32-bit
// integers.
var neonNames = map[string]string{
	"VADD": "fadd", "VSUB": "fsub", "VMUL": "fmul", "VDIV": "fdiv", "VMAX": "fmax", "VMIN": "fmin",
	"VSQRT": "fsqrt", "VCVTPS2DQ": "fcvtns", "VCVTDQ2PS": "scvtf",
	"VAND": "VAND", "VOR": "VORR", "VXOR": "VEOR", opOnly: "VAND",
	"VPADDD": "VADD", "VPSUBD": "VSUB", "VPSLLD": "VSHL", "VPSRLD": "VUSHR",
	opFMA: "VFMLA", opFNMA: "VFMLS",
}

// neonCompare has the comparison that gives each predicate of cmp, with its
// operands exchanged or its result inverted.
var neonCompare = map[int]struct {
	name              string
	exchanged, invert bool
}{
	equal:        {name: "fcmeq"},
	notEqual:     {name: "fcmeq", invert: true},
	unordered:    {name: "fcmeq", invert: true}, // of a number with itself
	less:         {name: "fcmgt", exchanged: true},
	lessEqual:    {name: "fcmge", exchanged: true},
	greater:      {name: "fcmgt"},
	notGreaterEq: {name: "fcmge", invert: true},
}

func (s *neonAllocation) step(i int, st step) {
	a, p := s.a, s.k.precision
	// The registers of the operands, and those that end with this step.
	var operands, ended []int
	for _, v := range s.args[i] {
		r, pinned := s.register(v)
		operands = append(operands, r)
		if !pinned && (s.last[v] == i || s.k.steps[v].op == opConst) && !slices.Contains(ended, r) {
			ended = append(ended, r)
		}
	}
	// overwrite returns a register with operand n in it that becomes the result.
	overwrite := func(n int) int {
		r := operands[n]
		if slices.Contains(ended, r) {
			return r
		}
		result := s.pop()
		a.op("VMOV", bits16(r), bits16(result))
		return result
	}
	result := -1
	name := neonNames[st.op]
	switch st.op {
	case opLoad:
		result = s.pop()
		from := "(" + neonPointer(st.imm) + ")"
		if s.k.stores(st.imm) { // the store moves the pointer on
			a.op(scalarMoves[s.bytes], from, fmt.Sprint("F", result))
		} else {
			a.op(scalarMoves[s.bytes]+".P", fmt.Sprint(s.bytes, from), fmt.Sprint("F", result))
		}
	case opStore:
		a.op(scalarMoves[s.bytes]+".P", fmt.Sprint("F", operands[0]), fmt.Sprintf("%d(%s)", s.bytes, neonPointer(st.imm)))
	case opSum, opSumProduct:
		// Of an element's vector the other lanes must not count.
		if s.bytes < a.bytes {
			for n, r := range operands {
				clean := s.pop()
				a.op(scalarMoves[s.bytes], fmt.Sprint("F", r), fmt.Sprint("F", clean))
				operands[n] = clean
				ended = append(ended, clean)
			}
		}
		acc := s.k.accumulator(st.imm, s.way)
		if st.op == opSum {
			a.three(p, "fadd", acc, acc, operands[0])
		} else {
			a.op("VFMLA", vec(p, operands[1]), vec(p, operands[0]), vec(p, acc))
		}
	case opFMA, opFNMA:
		result = overwrite(2)
		a.op(name, vec(p, operands[1]), vec(p, operands[0]), vec(p, result))
	case opBlend:
		result = overwrite(0)
		a.op("VBSL", bits16(operands[2]), bits16(operands[1]), bits16(result))
	case opCmp:
		c := neonCompare[st.imm]
		x, y := operands[0], operands[1]
		if st.imm == unordered && x != y {
			panic("NEON has no comparison of two numbers for this")
		}
		if c.exchanged {
			x, y = y, x
		}
		result = s.pop()
		a.three(p, c.name, result, x, y)
		if c.invert {
			a.not(result, result)
		}
	case opRound:
		result = s.pop()
		a.two(p, map[int]string{toNearest: "frintn", down: "frintm"}[st.imm], result, operands[0])
	case "VPSRAD":
		result = s.pop()
		a.shiftRight(result, operands[0], st.imm)
	case "VPSLLD", "VPSRLD":
		result = s.pop()
		a.op(name, fmt.Sprint("$", st.imm), vec(p, operands[0]), vec(p, result))
	case "VAND", "VOR", "VXOR", opOnly:
		result = s.pop()
		a.op(name, bits16(operands[1]), bits16(operands[0]), bits16(result))
	case "VPADDD", "VPSUBD":
		result = s.pop()
		a.op(name, vec(p, operands[1]), vec(p, operands[0]), vec(p, result))
	case "VSQRT", "VCVTPS2DQ", "VCVTDQ2PS":
		result = s.pop()
		a.two(p, name, result, operands[0])
	default:
		result = s.pop()
		a.three(p, name, result, operands[0], operands[1])
	}
	s.where[i] = result
	for _, r := range ended {
		if r != result {
			s.free = append(s.free, r)
		}
	}
}

// register returns where a value is and whether it stays there for good. A
// constant without a register is loaded to one.
func (s *neonAllocation) register(v int) (r int, pinned bool) {
	switch st := s.k.steps[v]; st.op {
	case opScalar:
		return st.imm, true
	case opConst:
		if r, ok := s.constants[st.bits]; ok {
			return r, true
		}
		r := s.pop()
		s.a.neonConstant(s.k.precision, st.bits, r)
		return r, false
	}
	return s.where[v], false
}
