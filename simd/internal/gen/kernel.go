package main

import (
	"fmt"
	"math"
	"strings"
)

// A kernel is an elementwise function under construction: a list of vector
// instructions in single-assignment form. It is recorded once, and emitted
// twice: for whole vectors and for the masked rest. What follows here emits it
// for amd64; neon_kernel.go does so for arm64.
type kernel struct {
	precision
	steps   []step
	scalars int // parameters after the slices, each broadcast to a register
	sums    int // results, of which each has an accumulator for each of the ways
}

// A value is the result of a step, by its index.
type value int

type step struct {
	op   string // an opcode below or a mnemonic without its precision suffix
	imm  int
	args []value
	bits uint64 // of a constant
}

// Opcodes that differ between instruction sets or are no instruction.
const (
	opLoad   = "load"
	opStore  = "store"
	opScalar = "scalar"
	opConst  = "const"
	opFMA    = "fma"   // a*b + c
	opFNMA   = "fnma"  // c - a*b
	opCmp    = "cmp"   // a mask
	opBlend  = "blend" // mask ? a : b
	opOnly   = "only"  // mask ? constant : 0
	opRound  = "round"

	opSum        = "sum"        // accumulate a
	opSumProduct = "sumProduct" // accumulate a*b
)

func (k *kernel) add(s step) value {
	k.steps = append(k.steps, s)
	return value(len(k.steps) - 1)
}

// load returns a vector of the source with this index.
func (k *kernel) load(source int) value { return k.add(step{op: opLoad, imm: source}) }

// store writes the result.
func (k *kernel) store(v value) { k.storeTo(destination, v) }

// storeTo writes to the slice with this index.
func (k *kernel) storeTo(slice int, v value) {
	k.add(step{op: opStore, imm: slice, args: []value{v}})
}

// scalar returns the next of the broadcast parameters after the slices.
func (k *kernel) scalar() value {
	k.scalars++
	return k.add(step{op: opScalar, imm: k.scalars - 1})
}

// sum adds a vector to the next of the results, sumProduct a product of two.
func (k *kernel) sum(v value) { k.accumulate(opSum, v) }

func (k *kernel) sumProduct(v, w value) { k.accumulate(opSumProduct, v, w) }

func (k *kernel) accumulate(op string, args ...value) {
	k.sums++
	k.add(step{op: op, imm: k.sums - 1, args: args})
}

// stores tells whether there is a store to the slice with this index.
func (k *kernel) stores(slice int) bool {
	for _, st := range k.steps {
		if st.op == opStore && st.imm == slice {
			return true
		}
	}
	return false
}

// reserved is how many registers, from the first on, hold scalars and accumulators.
func (k *kernel) reserved() int { return k.scalars + ways*k.sums }

// accumulator returns the register of one of a result's accumulators.
func (k *kernel) accumulator(sum, way int) int { return k.scalars + ways*sum + way }

// num returns a constant number, bits a constant bit pattern.
func (k *kernel) num(x float64) value {
	if k.bytes == 4 {
		return k.bits(uint64(math.Float32bits(float32(x))))
	}
	return k.bits(math.Float64bits(x))
}

func (k *kernel) bits(b uint64) value {
	return k.add(step{op: opConst, bits: b})
}

// do returns the result of a two- or one-operand instruction, by its mnemonic
// in Intel's order of operands; the last operand may be a constant.
func (k *kernel) do(op string, args ...value) value { return k.add(step{op: op, args: args}) }

// shift returns the result of an instruction with an immediate operand.
func (k *kernel) shift(op string, x value, by int) value {
	return k.add(step{op: op, imm: by, args: []value{x}})
}

func (k *kernel) fma(a, b, c value) value  { return k.do(opFMA, a, b, c) }
func (k *kernel) fnma(a, b, c value) value { return k.do(opFNMA, a, b, c) }

// Predicates of cmp that signal no exception.
const (
	equal        = 0x00
	unordered    = 0x03
	notEqual     = 0x04 // or unordered
	less         = 0x11
	lessEqual    = 0x12
	greater      = 0x1e
	notGreaterEq = 0x19 // less or unordered
)

func (k *kernel) cmp(predicate int, a, b value) value {
	return k.add(step{op: opCmp, imm: predicate, args: []value{a, b}})
}

func (k *kernel) blend(mask, a, b value) value { return k.do(opBlend, mask, a, b) }
func (k *kernel) only(mask, constant value) value {
	return k.do(opOnly, mask, constant)
}

// Rounding modes.
const (
	toNearest = 0x08
	down      = 0x09
)

func (k *kernel) round(x value, mode int) value {
	return k.add(step{op: opRound, imm: mode, args: []value{x}})
}

// poly returns c[0] + c[1]·x + … by Horner's rule.
func (k *kernel) poly(x value, c ...float64) value {
	p := k.do("MOV", k.num(c[len(c)-1]))
	for i := len(c) - 2; i >= 0; i-- {
		p = k.fma(p, x, k.num(c[i]))
	}
	return p
}

// allocation is the state of registers while a kernel is emitted. The first ones hold
// scalars, at least one, and accumulators; in AVX2 the last holds the mask of the rest.
// The mask registers K2 to K7 serve comparisons.
type allocation struct {
	a     *assembler
	k     *kernel
	rest  bool
	way   int   // which of the vectors that are worked on in turn
	last  []int // step that uses a value last
	where []string
	free  []string
	masks []string
}

// emit writes the body for one vector: the way-th behind the place in the slices.
func (k *kernel) emit(a *assembler, way int, rest bool) {
	s := &allocation{a: a, k: k, way: way, rest: rest,
		last: make([]int, len(k.steps)), where: make([]string, len(k.steps))}
	for i, st := range k.steps {
		for _, v := range st.args {
			s.last[v] = i
		}
	}
	for r := a.regs - 2; r >= max(1, k.reserved()); r-- {
		s.free = append(s.free, a.v(r))
	}
	for r := 7; r >= 2; r-- {
		s.masks = append(s.masks, fmt.Sprint("K", r))
	}
	for i, st := range k.steps {
		s.step(i, st)
	}
}

func (s *allocation) isMask(v value) bool {
	return s.a.name == "avx512" && s.k.steps[v].op == opCmp
}

func (s *allocation) pinned(v value) bool {
	op := s.k.steps[v].op
	return op == opConst || op == opScalar
}

// release frees the registers of arguments that step i uses last.
func (s *allocation) release(i int, args []value) {
	for n, v := range args {
		if s.last[v] != i || s.pinned(v) || contains(args[:n], v) {
			continue
		}
		if s.isMask(v) {
			s.masks = append(s.masks, s.where[v])
		} else {
			s.free = append(s.free, s.where[v])
		}
	}
}

func contains(list []value, v value) bool {
	for _, x := range list {
		if x == v {
			return true
		}
	}
	return false
}

func pop(list *[]string) string {
	if len(*list) == 0 {
		panic("out of registers")
	}
	r := (*list)[len(*list)-1]
	*list = (*list)[:len(*list)-1]
	return r
}

func (s *allocation) step(i int, st step) {
	a, k := s.a, s.k
	arg := func(n int) string { return s.where[st.args[n]] }
	mov, bcst := "VMOVU"+k.suffix, s.bcst(st.args)
	result := func() string {
		s.release(i, st.args)
		s.where[i] = pop(&s.free)
		return s.where[i]
	}
	switch st.op {
	case opConst:
		s.where[i] = a.constant(k.precision, st.bits)
	case opScalar:
		s.where[i] = a.v(st.imm)
	case opLoad:
		source := s.place(st.imm)
		switch {
		case !s.rest:
			a.op(mov, source, result())
		case a.name == "avx512":
			a.op(mov+".Z", source, "K1", result())
		default:
			a.op("VMASKMOV"+k.suffix, source, a.v(a.regs-1), result())
		}
	case opStore:
		switch {
		case !s.rest:
			a.op(mov, arg(0), s.place(st.imm))
		case a.name == "avx512":
			a.op(mov, arg(0), "K1", s.place(st.imm))
		default:
			a.op("VMASKMOV"+k.suffix, arg(0), a.v(a.regs-1), s.place(st.imm))
		}
		s.release(i, st.args)
	case opSum, opSumProduct:
		s.accumulate(i, st)
	case opFMA, opFNMA:
		s.fused(i, st)
	case opCmp:
		x, y := arg(0), arg(1)
		imm := fmt.Sprintf("$%#x", st.imm)
		if a.name == "avx512" {
			s.release(i, st.args)
			s.where[i] = pop(&s.masks)
			a.op("VCMP"+k.suffix+bcst, imm, y, x, s.where[i])
		} else {
			a.op("VCMP"+k.suffix, imm, y, x, result())
		}
	case opBlend:
		mask, x, y := arg(0), arg(1), arg(2)
		if a.name == "avx512" {
			a.op("VBLENDM"+k.suffix+bcst, x, y, mask, result())
		} else {
			a.op("VBLENDV"+k.suffix, mask, x, y, result())
		}
	case opOnly:
		mask, x := arg(0), arg(1)
		if a.name == "avx512" {
			a.op(broadcast(k.precision)+".Z", x, mask, result())
		} else {
			a.op("VAND"+k.suffix, x, mask, result())
		}
	case opRound:
		name := map[string]string{"avx2": "VROUND", "avx512": "VRNDSCALE"}[a.name] + k.suffix
		x := arg(0)
		a.op(name, fmt.Sprintf("$%#x", st.imm), x, result())
	case "MOV":
		x := arg(0)
		s.move(st.args[0], x, result())
	case "VPSRAD", "VPSRLD", "VPSLLD":
		x := arg(0)
		a.op(st.op, fmt.Sprint("$", st.imm), x, result())
	default:
		name := st.op
		if !strings.HasPrefix(name, "VP") && !strings.HasPrefix(name, "VCVT") {
			name += k.suffix
		}
		var operands []any
		for n := len(st.args) - 1; n >= 0; n-- {
			operands = append(operands, arg(n))
		}
		a.op(name+bcst, append(operands, result())...)
	}
}

// place returns the memory operand for a slice.
func (s *allocation) place(slice int) string {
	at := "(" + sliceRegisters[slice] + ")(AX*1)"
	if s.way > 0 {
		at = fmt.Sprint(s.way*s.a.bytes, at)
	}
	return at
}

// accumulate adds to an accumulator: of the rest, only the lanes that have elements,
// since zeros that were loaded in the others may have become something else.
func (s *allocation) accumulate(i int, st step) {
	a := s.a
	acc := a.v(s.k.accumulator(st.imm, s.way))
	var operands []any
	var masked []string
	for n := len(st.args) - 1; n >= 0; n-- {
		x := s.where[st.args[n]]
		if s.rest && a.name == "avx2" {
			clean := pop(&s.free)
			a.op("VAND"+s.k.suffix, x, a.v(a.regs-1), clean)
			masked = append(masked, clean)
			x = clean
		}
		operands = append(operands, x)
	}
	name := "VFMADD231" + s.k.suffix
	if st.op == opSum {
		name = "VADD" + s.k.suffix
		operands = append(operands, acc)
	}
	if s.rest && a.name == "avx512" {
		operands = append(operands, "K1")
	}
	a.op(name, append(operands, acc)...)
	s.free = append(s.free, masked...)
	s.release(i, st.args)
}

// fused emits a·b + c or c - a·b, which overwrite one of their operands.
func (s *allocation) fused(i int, st step) {
	prefix := map[string]string{opFMA: "VFMADD", opFNMA: "VFNMADD"}[st.op]
	x, y, z := st.args[0], st.args[1], st.args[2]
	if s.pinned(x) || (s.last[x] != i && s.last[y] == i && !s.pinned(y)) {
		x, y = y, x
	}
	ends := func(v value) bool { return s.last[v] == i && !s.pinned(v) }
	target, overwritten, form := "", value(-1), ""
	switch {
	case ends(z) && z != x && z != y:
		overwritten, form = z, "231"
	case ends(x) && x != y && x != z && !s.memory(y):
		overwritten, form = x, "213"
	}
	if overwritten >= 0 {
		target = s.where[overwritten]
	} else {
		// Copy what is added, which may be a constant or used again.
		target = pop(&s.free)
		s.move(z, s.where[z], target)
		form = "231"
	}
	name := prefix + form + s.k.suffix
	if source := map[string]value{"231": y, "213": z}[form]; s.memory(source) {
		name += s.bcst(st.args)
	}
	if form == "231" {
		s.a.op(name, s.where[y], s.where[x], target)
	} else {
		s.a.op(name, s.where[z], s.where[y], target)
	}
	s.where[i] = target
	for n, v := range []value{x, y, z} {
		if v != overwritten {
			s.release(i, []value{x, y, z}[n:n+1])
			if contains([]value{x, y, z}[:n], v) && ends(v) {
				s.free = s.free[:len(s.free)-1] // already released
			}
		}
	}
}

// move copies a value, which may be a constant, to a register.
func (s *allocation) move(v value, from, to string) {
	if s.memory(v) && s.a.name == "avx512" {
		s.a.op(broadcast(s.k.precision), from, to)
	} else {
		s.a.op("VMOVU"+s.k.suffix, from, to)
	}
}

// bcst returns the suffix of an instruction with these operands.
func (s *allocation) bcst(args []value) string {
	for _, v := range args {
		if s.memory(v) && s.a.name == "avx512" {
			return ".BCST"
		}
	}
	return ""
}

func (s *allocation) memory(v value) bool { return s.k.steps[v].op == opConst }

// destination is the index of dst for load.
const destination = 3

var sliceRegisters = []string{"SI", "DX", "BX", "DI", "R10", "R11"}

// elementwise generates func name(dst, source… []T) or, with a scalar,
// func name(dst, source []T, s T).
func elementwise(a *assembler, p precision, name string, sources []string, build func(k *kernel)) {
	k := &kernel{precision: p}
	build(k)
	params := "(dst"
	for _, s := range sources {
		params += ", " + s
	}
	params += " []" + p.goType
	bytes := 24 * (1 + len(sources))
	if k.scalars > 0 {
		params += ", s " + p.goType
	}
	full := p.letter + name + a.title
	a.function(full, params+")", bytes+p.bytes*k.scalars)
	a.kernelField(p, name, full)
	if a.name == "neon" {
		neonElementwise(a, k, sources, bytes)
		return
	}
	if k.scalars > 0 {
		a.op(broadcast(p), fmt.Sprintf("s+%d(FP)", bytes), a.v(0))
	}
	a.op("MOVQ", "dst_base+0(FP)", "DI")
	a.op("MOVQ", "dst_len+8(FP)", "CX")
	for i, s := range sources {
		a.op("MOVQ", fmt.Sprintf("%s_base+%d(FP)", s, 24*(i+1)), sliceRegisters[i])
	}
	a.op("XORQ", "AX", "AX")
	a.overVectors(p, func() { k.emit(a, 0, false) }, func() { k.emit(a, 0, true) })
	a.ret()
}

// overVectors generates a loop over the CX elements at byte offset AX: whole
// vectors, then the masked rest.
func (a *assembler) overVectors(p precision, body, rest func()) {
	lanes := a.bytes / p.bytes
	a.op("SUBQ", fmt.Sprint("$", lanes), "CX")
	a.op("JL", "rest")
	a.loop("loop")
	body()
	a.op("ADDQ", fmt.Sprint("$", a.bytes), "AX")
	a.op("SUBQ", fmt.Sprint("$", lanes), "CX")
	a.op("JGE", "loop")
	a.label("rest")
	a.op("ADDQ", fmt.Sprint("$", lanes), "CX")
	a.op("JZ", "done")
	a.restMask(p)
	rest()
	a.label("done")
}

// restMask sets the mask for CX elements, fewer than a vector has: K1, or in
// AVX2 the last vector register.
func (a *assembler) restMask(p precision) {
	if a.name == "avx512" {
		a.op("MOVQ", "$-1", "R8")
		a.op("SHLQ", "CX", "R8")
		a.op("NOTQ", "R8")
		a.op("KMOVW", "R8", "K1")
		return
	}
	// A window on a run of set elements followed by clear ones.
	words := make([]uint64, 2*a.bytes/8)
	for i := range a.bytes / 8 {
		words[i] = math.MaxUint64
	}
	a.global("restMask", "set elements, then clear ones", 8, words...)
	a.op("LEAQ", fmt.Sprintf("restMask<>+%d(SB)", a.bytes), "R8")
	a.op("MOVQ", "CX", "R9")
	a.op("SHLQ", fmt.Sprint("$", map[int]int{4: 2, 8: 3}[p.bytes]), "R9")
	a.op("SUBQ", "R9", "R8")
	a.op("VMOVU"+p.suffix, "(R8)", a.v(a.regs-1))
}
