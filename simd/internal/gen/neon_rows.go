package main

import "fmt"

// neonPass generates the body of a pass for NEON: whole vectors, in turn if there are
// sums, then the elements that remain, one by one in the lowest lane.
func neonPass(a *assembler, k *kernel, slices []string, argument, result func(i int) string) {
	const length = "R4"
	p := k.precision
	for i := range k.scalars {
		a.op(scalarMoves[p.bytes], argument(i), fmt.Sprint("F", i))
		a.op("VDUP", neonLane0(p, i), vec(p, i))
	}
	for r := k.accumulator(0, 0); r < k.accumulator(k.sums, 0); r++ {
		a.op("VEOR", bits16(r), bits16(r), bits16(r))
	}
	for i, s := range slices {
		a.op("MOVD", fmt.Sprintf("%s_base+%d(FP)", s, 24*i), neonPointer(i))
	}
	a.op("MOVD", slices[0]+"_len+8(FP)", length)
	constants := k.neonConstants(a)
	lanes := a.bytes / p.bytes
	turn := func(label string, vectors int) {
		a.label(label)
		for way := range vectors {
			k.emitNEON(a, a.bytes, way, constants)
		}
		a.op("SUBS", fmt.Sprint("$", vectors*lanes), length, length)
		a.op("BGE", label)
	}
	vectors := 1
	if k.sums > 0 {
		vectors = ways
	}
	a.op("SUBS", fmt.Sprint("$", vectors*lanes), length, length)
	a.op("BLT", "single")
	a.op("PCALIGN", "$32")
	turn("loop", vectors)
	a.label("single")
	a.op("ADDS", fmt.Sprint("$", (vectors-1)*lanes), length, length)
	a.op("BLT", "rest")
	if vectors > 1 {
		turn("vector", 1)
	}
	a.label("rest")
	a.op("ADDS", fmt.Sprint("$", lanes), length, length)
	a.op("BEQ", "done")
	a.label("element")
	k.emitNEON(a, p.bytes, 0, constants)
	a.op("SUBS", "$1", length, length)
	a.op("BNE", "element")
	a.label("done")
	for i := range k.sums {
		acc := k.accumulator(i, 0)
		a.neonJoinLanes(p, acc, "fadd")
		a.op(scalarMoves[p.bytes], fmt.Sprint("F", acc), result(i))
	}
	a.ret()
}
