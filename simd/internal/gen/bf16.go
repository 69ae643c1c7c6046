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
		return
	}
	for _, rows := range a.tiles() {
		microKernel(a, p, rows)
	}
}

// bfloat16PairFamily generates micro-kernels of VDPBF16PS, and the kernels that
// pack for them.
func bfloat16PairFamily(a *assembler) {
	p := single
	p.letter, p.bfloat16 = "sb", paired
	for _, rows := range a.tiles() {
		microKernel(a, p, rows)
	}
	packColumns(a, p)
	elementwise(a, p, "PairRows", []string{"first", "second"}, func(k *kernel) {
		first := k.shift("VPSRLD", roundedBFloat16(k, k.load(0)), 16)
		second := k.do("VAND", roundedBFloat16(k, k.load(1)), k.bits(0xffff0000))
		k.store(k.do("VOR", first, second))
	})
	pairAdjacent(a, p)
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
// 512 bits. Go's assembler does not know it, so that its six bytes are written
// out: EVEX.512.F3.0F38.W0 52 /r of Intel's manual, volume 2, where sum is the
// register of ModRM, x that of its r/m field and y that of EVEX.vvvv. The test of
// package simd reads the bytes back.
func (a *assembler) dotPairs(x, y, sum int) {
	inverted := func(register, bit, to int) uint64 { return uint64(^register>>bit&1) << to }
	const opcode = 0x52
	code := []uint64{
		0x62,
		inverted(sum, 3, 7) | inverted(x, 4, 6) | inverted(x, 3, 5) | inverted(sum, 4, 4) | 2, // map 0F38
		uint64(^y&15)<<3 | 4 | 2, // W0, F3
		2<<5 | inverted(y, 4, 3), // 512 bits, no mask
		opcode,
		uint64(3<<6 | sum&7<<3 | x&7),
	}
	var low, high uint64
	for i := 3; i >= 0; i-- {
		low = low<<8 | code[i]
	}
	high = code[5]<<8 | code[4]
	fmt.Fprintf(&a.text, "\tLONG $0x%08x; WORD $0x%04x // vdpbf16ps zmm%d, zmm%d, zmm%d\n", low, high, sum, y, x)
}

// round emits what roundedBFloat16 says, in place, with two registers to spare.
func (a *assembler) round(x, t, u int) {
	p := single
	a.op("VPSRLD", "$16", a.v(x), a.v(t))
	a.op("VANDPS.BCST", a.constant(p, 1), a.v(t), a.v(t))
	a.op("VPADDD.BCST", a.constant(p, 0x7fff), a.v(x), a.v(u))
	a.op("VPADDD", a.v(t), a.v(u), a.v(t))
	a.op("VORPS.BCST", a.constant(p, 1<<22), a.v(x), a.v(u))
	a.op("VCMPPS", fmt.Sprintf("$%#x", unordered), a.v(x), a.v(x), "K2")
	a.op("VBLENDMPS", a.v(u), a.v(t), "K2", a.v(x))
}

// pair rounds two vectors, and leaves their pairs in the first.
func (a *assembler) pair(first, second int) {
	const t, u = 8, 9
	a.round(first, t, u)
	a.round(second, t, u)
	a.op("VPSRLD", "$16", a.v(first), a.v(first))
	a.op("VANDPS.BCST", a.constant(single, 0xffff0000), a.v(second), a.v(second))
	a.op("VORPS", a.v(second), a.v(first), a.v(first))
}

// pairAdjacent generates func(dst, x []float32), which rounds the elements of x
// and makes one of dst, of which there are half as many, of each two.
func pairAdjacent(a *assembler, p precision) {
	a.function("sbPairAdjacent"+a.title, "(dst, x []float32)", 48)
	a.op("MOVQ", "dst_base+0(FP)", "DI")
	a.op("MOVQ", "dst_len+8(FP)", "CX")
	a.op("MOVQ", "x_base+24(FP)", "SI")
	const x, t, u = 0, 1, 2
	vector := func(move, mask string) {
		if mask == "" {
			a.op(move, "(SI)", a.v(x))
		} else {
			a.op(move, "(SI)", mask, a.v(x))
		}
		a.round(x, t, u)
		a.op("VANDPS.BCST", a.constant(single, 0xffff0000), a.v(x), a.v(x))
		a.comment("In each 64 bits the first element goes down to the lowest 16, the second to those above.")
		a.op("VPSRLQ", "$16", a.v(x), a.v(t))
		a.op("VPSRLQ", "$32", a.v(x), a.v(u))
		a.op("VORPS", a.v(u), a.v(t), a.v(t))
	}
	a.op("SUBQ", "$8", "CX")
	a.op("JL", "rest")
	a.loop("loop")
	vector("VMOVUPS", "")
	a.op("VPMOVQD", a.v(t), "(DI)")
	a.op("ADDQ", "$64", "SI")
	a.op("ADDQ", "$32", "DI")
	a.op("SUBQ", "$8", "CX")
	a.op("JGE", "loop")
	a.label("rest")
	a.op("ADDQ", "$8", "CX")
	a.op("JZ", "done")
	a.comment("K1 masks CX elements of dst, K3 twice as many of x.")
	a.restMask(p)
	a.op("ADDQ", "CX", "CX")
	a.op("MOVQ", "$-1", "R8")
	a.op("SHLQ", "CX", "R8")
	a.op("NOTQ", "R8")
	a.op("KMOVW", "R8", "K3")
	vector("VMOVUPS.Z", "K3")
	a.op("VPMOVQD", a.v(t), "K1", "(DI)")
	a.label("done")
	a.ret()
}
