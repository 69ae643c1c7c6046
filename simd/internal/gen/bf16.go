package main

import "fmt"

// rounding says whether the operands of a product are rounded to bfloat16, and how
// its micro-kernels find them.
type rounding int

const (
	exact   rounding = iota // not rounded
	widened                 // as float32; k counts elements
	paired                  // two in 32 bits, the first in the lower half; k counts pairs
)

// bfloat16Family generates micro-kernels that compute what VDPBF16PS does with
// float32 arithmetic: of each two elements of k they add the second product
// first, with numbers below the normal range taken for zeros.
func bfloat16Family(a *assembler) {
	p := single
	p.letter, p.bfloat16 = "sb", widened
	if a.name == "neon" {
		for _, rows := range neonTiles {
			neonMicroKernel(a, p, rows)
		}
		a.gemmTable(p, neonTiles)
		return
	}
	microKernels(a, p)
	a.gemmTable(p, a.tiles())
}

// bfloat16PairFamily generates micro-kernels of VDPBF16PS, and the kernels that
// pack for them.
func bfloat16PairFamily(a *assembler) {
	p := single
	p.letter, p.bfloat16 = "sb", paired
	microKernels(a, p)
	packingMicroKernel(a, p, "B")
	multiply(a, p)
	packPairRows(a, p, "packRows", 32)
	packPairRows(a, p, "packSlices", a.tiles()[0])
	packColumns(a, p)
	pairAdjacent(a, p)
	a.gemmTable(p, a.tiles(), fmt.Sprintf("copyB:gemm%dPackB", a.tiles()[0]), "multiply:multiply")
}

// multiplyPairs generates the loop of a micro-kernel over pairs of k, and what
// follows it for a last single element, under a control word (MXCSR) that takes
// numbers below the normal range for zeros and makes results there zeros. The
// control word that was set is at mxcsr-8(SP).
func (a *assembler) multiplyPairs(pointers []string, multiply func(bRow string)) {
	a.comment("Set DAZ and FTZ; rounding and masks stay as they are.")
	a.op("VSTMXCSR", "mxcsr-8(SP)")
	a.op("MOVL", "mxcsr-8(SP)", "R13")
	a.op("ORL", "$0x8040", "R13")
	a.op("MOVL", "R13", "flushing-4(SP)")
	a.op("VLDMXCSR", "flushing-4(SP)")
	a.op("SHRQ", "$1", "CX")
	a.op("JZ", "single")
	a.loop("loop")
	for _, r := range pointers {
		a.op("ADDQ", "R11", r)
	}
	multiply("(DX)(R12*1)")
	for _, r := range pointers {
		a.op("SUBQ", "R11", r)
	}
	multiply("(DX)")
	for _, r := range pointers {
		a.op("LEAQ", fmt.Sprintf("(%s)(R11*2)", r), r)
	}
	a.op("LEAQ", "(DX)(R12*2)", "DX")
	a.op("DECQ", "CX")
	a.op("JNZ", "loop")
	a.label("single")
	a.op("MOVQ", "k+0(FP)", "CX")
	a.op("TESTQ", "$1", "CX")
	a.op("JZ", "finish")
	multiply("(DX)")
}

// neonMultiplyPairs is multiplyPairs for NEON, whose control word is FPCR; it
// leaves the one that was set in a register.
func (a *assembler) neonMultiplyPairs(k, offset, csa, bRow, ldb, fpcr, spare string, multiply func(bRow string)) {
	const second = "R15"
	a.comment("Set FZ.")
	a.op("MRS", "FPCR", fpcr)
	a.op("ORR", "$(1<<24)", fpcr, spare)
	a.op("MSR", spare, "FPCR")
	a.op("ADD", ldb, bRow, second)
	a.op("LSR", "$1", k, k)
	a.op("CBZ", k, "single")
	a.loop("loop")
	a.op("ADD", csa, offset, offset)
	multiply(second)
	a.op("ADD", ldb, second, second)
	a.op("SUB", csa, offset, offset)
	multiply(bRow)
	a.op("ADD", ldb, bRow, bRow)
	a.op("ADD", csa+"<<1", offset, offset)
	a.op("SUBS", "$1", k, k)
	a.op("BNE", "loop")
	a.label("single")
	a.op("MOVD", "k+0(FP)", k)
	a.op("TBZ", "$0", k, "finish")
	multiply(bRow)
}

// dotPairs emits sum += x·y on pairs of bfloat16, the instruction VDPBF16PS with
// 512 bits: EVEX.512.F3.0F38.W0 52 /r of Intel's manual, volume 2.
func (a *assembler) dotPairs(x, y, sum int) { a.evex("vdpbf16ps", prefixF3, 0x52, sum, y, x) }

// The prefixes of instructions as EVEX encodes them.
const (
	prefixF3 = 2
	prefixF2 = 3
)

// evex emits an instruction of the map 0F38 on three registers of 512 bits, which Go's
// assembler does not know, so that its six bytes are written out; to is the register
// of ModRM, second that of its r/m field and first that of EVEX.vvvv. The test of
// package simd reads the bytes back.
func (a *assembler) evex(name string, prefix, opcode uint64, to, first, second int) {
	inverted := func(register, bit, to int) uint64 { return uint64(^register>>bit&1) << to }
	code := []uint64{
		0x62,
		inverted(to, 3, 7) | inverted(second, 4, 6) | inverted(second, 3, 5) | inverted(to, 4, 4) | 2, // map 0F38
		uint64(^first&15)<<3 | 4 | prefix, // W0
		2<<5 | inverted(first, 4, 3),      // 512 bits, no mask
		opcode,
		uint64(3<<6 | to&7<<3 | second&7),
	}
	var low, high uint64
	for i := 3; i >= 0; i-- {
		low = low<<8 | code[i]
	}
	high = code[5]<<8 | code[4]
	fmt.Fprintf(&a.text, "\tLONG $0x%08x; WORD $0x%04x // %s zmm%d, zmm%d, zmm%d\n", low, high, name, to, first, second)
}

// adjacentPairs emits what rounds 32 float32, the first half of them in one register,
// to bfloat16 in their order.
func (a *assembler) adjacentPairs(first, second, to int) {
	a.evex("vcvtne2ps2bf16", prefixF2, 0x72, to, second, first)
}

// pair rounds two vectors, and leaves their pairs in the first. A register has what
// pairOrder loads.
func (a *assembler) pair(first, second, order int) {
	a.adjacentPairs(first, second, first)
	a.op("VPERMW", a.v(first), a.v(order), a.v(first))
}

// pairOrder loads the order of the 16-bit elements of two halves that are to alternate.
func (a *assembler) pairOrder(order int) {
	words := make([]uint64, 8)
	for i := range 32 {
		words[i/4] |= uint64(i/2+i%2*16) << (i % 4 * 16)
	}
	a.op("VMOVDQU32", a.global("sbPairOrder", "element i of the first half, then of the second", 8, words...), a.v(order))
}

// packPairRows generates a kernel that copies pairs of rows, ld elements apart, of so
// many elements, rounded and paired, to consecutive places; k counts pairs.
func packPairRows(a *assembler, p precision, name string, elements int) {
	const order = 31
	a.packFunction(p, name)
	packArguments(a, p)
	a.pairOrder(order)
	mask := ""
	if elements < 16 {
		mask = "K1"
		a.op("MOVQ", fmt.Sprint("$", 1<<elements-1), "AX")
		a.op("KMOVW", "AX", mask)
	}
	move := func(op, from, to string) {
		if mask != "" {
			a.op(op, from, mask, to)
		} else {
			a.op(op, from, to)
		}
	}
	load := "VMOVUPS"
	if mask != "" {
		load += ".Z"
	}
	a.loop("loop")
	for at := 0; at < 4*elements; at += 64 {
		a.op("PREFETCHT0", fmt.Sprintf("%d(SI)(R10*8)", at))
	}
	a.op("LEAQ", "(SI)(R10*1)", "DX")
	for at, r := 0, 0; at < 4*elements; at, r = at+64, r+2 {
		move(load, fmt.Sprintf("%d(SI)", at), a.v(r))
		move(load, fmt.Sprintf("%d(DX)", at), a.v(r+1))
		a.pair(r, r+1, order)
	}
	for at, r := 0, 0; at < 4*elements; at, r = at+64, r+2 {
		move("VMOVUPS", a.v(r), fmt.Sprintf("%d(DI)", at))
	}
	a.op("LEAQ", "(SI)(R10*2)", "SI")
	a.op("ADDQ", fmt.Sprint("$", 4*elements), "DI")
	a.op("DECQ", "CX")
	a.op("JNZ", "loop")
	a.ret()
}

// pairAdjacent generates func(dst, x []float32), which rounds the elements of x
// and makes one of dst, of which there are half as many, of each two.
func pairAdjacent(a *assembler, p precision) {
	a.function("sbPairAdjacent"+a.title, "(dst, x []float32)", 48)
	a.op("MOVQ", "dst_base+0(FP)", "DI")
	a.op("MOVQ", "dst_len+8(FP)", "CX")
	a.op("MOVQ", "x_base+24(FP)", "SI")
	a.op("SUBQ", "$16", "CX")
	a.op("JL", "rest")
	a.loop("loop")
	a.op("VMOVUPS", "(SI)", a.v(0))
	a.op("VMOVUPS", "64(SI)", a.v(1))
	a.adjacentPairs(0, 1, 0)
	a.op("VMOVUPS", a.v(0), "(DI)")
	a.op("ADDQ", "$128", "SI")
	a.op("ADDQ", "$64", "DI")
	a.op("SUBQ", "$16", "CX")
	a.op("JGE", "loop")
	a.label("rest")
	a.op("ADDQ", "$16", "CX")
	a.op("JZ", "done")
	a.comment("K1 masks CX elements of dst, K2 and K3 twice as many of x.")
	a.op("MOVQ", "$-1", "R8")
	a.op("SHLQ", "CX", "R8")
	a.op("NOTQ", "R8")
	a.op("KMOVW", "R8", "K1")
	a.op("ADDQ", "CX", "CX")
	a.op("MOVQ", "$-1", "R8")
	a.op("SHLQ", "CX", "R8")
	a.op("NOTQ", "R8")
	a.op("KMOVW", "R8", "K2")
	a.op("SHRQ", "$16", "R8")
	a.op("KMOVW", "R8", "K3")
	a.op("VMOVUPS.Z", "(SI)", "K2", a.v(0))
	a.op("VMOVUPS.Z", "64(SI)", "K3", a.v(1))
	a.adjacentPairs(0, 1, 0)
	a.op("VMOVUPS", a.v(0), "K1", "(DI)")
	a.label("done")
	a.ret()
}
