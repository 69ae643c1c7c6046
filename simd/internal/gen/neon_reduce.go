package main

import (
	"fmt"
	"math"
)

// neonReductions generates the reductions for NEON as reduceFamily does for
// amd64: four accumulators, registers 0 to 3, then the lanes of their result.
func neonReductions(a *assembler, p precision) {
	x, ab := []string{"x"}, []string{"a", "b"}
	zero := func(acc int) { a.op("VEOR", bits16(acc), bits16(acc), bits16(acc)) }
	fma := func(x, y, acc int) { a.op("VFMLA", vec(p, x), vec(p, y), vec(p, acc)) }
	neonReduce(a, p, "Sum", x, "fadd", zero, func(v []int, acc int) { a.three(p, "fadd", acc, acc, v[0]) })
	neonReduce(a, p, "SumSquares", x, "fadd", zero, func(v []int, acc int) { fma(v[0], v[0], acc) })
	neonReduce(a, p, "Dot", ab, "fadd", zero, func(v []int, acc int) { fma(v[0], v[1], acc) })
	lowest := math.Float64bits(math.Inf(-1))
	if p.bytes == 4 {
		lowest = uint64(math.Float32bits(float32(math.Inf(-1))))
	}
	// Unlike VMAX of amd64, this maximum is NaN if an operand is.
	neonReduce(a, p, "MaxOf", x, "fmax", func(acc int) { a.neonConstant(p, lowest, acc) },
		func(v []int, acc int) { a.three(p, "fmax", acc, acc, v[0]) })
}

// neonReduce generates a reduction: term takes a vector of each source into an
// accumulator, and combine joins accumulators. The elements that fill no vector
// are repeated in all lanes, which does not change a maximum, or put into the
// lowest, beside zeros, which add nothing.
func neonReduce(a *assembler, p precision, name string, sources []string, combine string, start func(acc int), term func(v []int, acc int)) {
	const accumulators, length = ways, "R4"
	lanes := a.bytes / p.bytes
	reduceFunction(a, p, name, sources)
	a.op("MOVD", sources[0]+"_len+8(FP)", length)
	v := make([]int, len(sources)) // first registers of each source
	for i, s := range sources {
		a.op("MOVD", fmt.Sprintf("%s_base+%d(FP)", s, 24*i), neonPointer(i))
		v[i] = accumulators * (1 + i)
	}
	for acc := range accumulators {
		start(acc)
	}
	a.op("SUBS", fmt.Sprint("$", accumulators*lanes), length, length)
	a.op("BLT", "single")
	a.loop("fours")
	for i := range sources {
		a.op("VLD1.P", fmt.Sprintf("64(%s)", neonPointer(i)), vecs(p, v[i], accumulators))
	}
	for acc := range accumulators {
		term([]int{v[0] + acc, v[len(v)-1] + acc}, acc)
	}
	a.op("SUBS", fmt.Sprint("$", accumulators*lanes), length, length)
	a.op("BGE", "fours")
	a.label("single")
	a.op("ADDS", fmt.Sprint("$", (accumulators-1)*lanes), length, length)
	a.op("BLT", "rest")
	a.label("vector")
	for i := range sources {
		a.op("FMOVQ.P", fmt.Sprintf("16(%s)", neonPointer(i)), fmt.Sprint("F", v[i]))
	}
	term(v, 0)
	a.op("SUBS", fmt.Sprint("$", lanes), length, length)
	a.op("BGE", "vector")
	a.label("rest")
	a.op("ADDS", fmt.Sprint("$", lanes), length, length)
	a.op("BEQ", "combine")
	a.label("element")
	for i := range sources {
		a.op(scalarMoves[p.bytes]+".P", fmt.Sprintf("%d(%s)", p.bytes, neonPointer(i)), fmt.Sprint("F", v[i]))
		if combine == "fmax" {
			a.op("VDUP", neonLane0(p, v[i]), vec(p, v[i]))
		}
	}
	term(v, 0)
	a.op("SUBS", "$1", length, length)
	a.op("BNE", "element")

	a.label("combine")
	a.neonJoinLanes(p, 0, combine)
	a.op(scalarMoves[p.bytes], "F0", resultPlace(sources))
	a.ret()
}

// neonJoinLanes does for NEON what joinLanes does.
func (a *assembler) neonJoinLanes(p precision, first int, combine string) {
	a.three(p, combine, first, first, first+1)
	a.three(p, combine, first+2, first+2, first+3)
	a.three(p, combine, first, first, first+2)
	for half := 8; half >= p.bytes; half /= 2 {
		a.op("VEXT", fmt.Sprint("$", half), bits16(first), bits16(first), bits16(first+1))
		a.three(p, combine, first, first, first+1)
	}
}
