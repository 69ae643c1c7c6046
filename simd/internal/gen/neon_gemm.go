package main

import "fmt"

// neonGemm generates the family of the matrix product for NEON. A tile has rows
// × 4 vectors: 24 accumulators in the largest, four registers for a row of B and
// four for elements of A.
func neonGemm(a *assembler, p precision) {
	for _, rows := range neonTiles {
		neonMicroKernel(a, p, rows)
	}
	neonMultiply(a, p)
	neonPackRows(a, p)
	neonPackSlices(a, p)
	neonPackColumns(a, p)
	a.gemmTable(p, neonTiles, fmt.Sprint("nr:", neonColumns*a.bytes/p.bytes), fmt.Sprint("packStep:", 16/p.bytes),
		"packRows:packRows", "packSlices:packSlices", "packColumns:packColumns", "multiply:multiply")
}

const neonColumns = 4 // vectors in a row of a tile

var neonTiles = []int{6, 4, 2, 1} // the rows of the micro-kernels

func neonMicroKernel(a *assembler, p precision, rows int) {
	a.microKernelFunction(p, fmt.Sprint(rows))
	const (
		b, element, acc = 0, 4, 8 // first registers
		elements        = 4       // how many of A are loaded ahead
	)
	accumulator := func(row, column int) int { return acc + neonColumns*row + column }
	load := scalarMoves[p.bytes]
	shift := map[int]int{4: 2, 8: 3}[p.bytes]
	pointer := func(row int) string { return fmt.Sprint("R", 1+row) }
	const k, offset, csa, rsa, bRow, ldb, c, ldc, next = "R0", "R7", "R8", "R9", "R10", "R11", "R12", "R13", "R14"
	const fpcr = rsa // which is needed before the first tile only

	a.op("MOVD", "a+16(FP)", pointer(0))
	a.op("MOVD", "rsa+24(FP)", rsa)
	a.op("MOVD", "csa+32(FP)", csa)
	a.op("MOVD", "ldb+48(FP)", ldb)
	a.op("MOVD", "c+64(FP)", c)
	a.op("MOVD", "ldc+72(FP)", ldc)
	a.op("LSL", fmt.Sprint("$", shift), ldb, ldb)
	a.op("LSL", fmt.Sprint("$", shift), ldc, ldc)
	for row := 1; row < rows; row++ {
		a.op("ADD", fmt.Sprintf("%s<<%d", rsa, shift), pointer(row-1), pointer(row))
	}
	a.label("tile")
	a.op("MOVD", "k+0(FP)", k)
	a.op("MOVD", "b+40(FP)", bRow)
	a.op("MOVD", "ZR", offset)
	for row := range rows {
		for column := range neonColumns {
			v := bits16(accumulator(row, column))
			a.op("VEOR", v, v, v)
		}
	}
	loadElement := func(row int) {
		a.op(load, fmt.Sprintf("(%s)(%s<<%d)", pointer(row), offset, shift), fmt.Sprint("F", element+row%elements))
	}
	multiply := func(bRow string) {
		for row := range min(rows, elements) {
			loadElement(row)
		}
		a.op("VLD1.P", fmt.Sprintf("(%s)(%s)", bRow, ldb), vecs(p, b, neonColumns))
		for row := range rows {
			for column := range neonColumns {
				a.byElement(p, "fmla", accumulator(row, column), b+column, element+row%elements)
			}
			if row+elements < rows {
				loadElement(row + elements)
			}
		}
	}
	if p.bfloat16 == widened {
		a.neonMultiplyPairs(k, offset, csa, bRow, ldb, fpcr, next, multiply)
	} else {
		a.op("CBZ", k, "finish")
		a.loop("loop")
		multiply(bRow)
		a.op("ADD", csa, offset, offset)
		a.op("SUBS", "$1", k, k)
		a.op("BNE", "loop")
	}

	a.label("finish")
	if p.bfloat16 == widened {
		a.op("MSR", fpcr, "FPCR")
	}
	a.op(load, "alpha+8(FP)", fmt.Sprint("F", element))
	for row := range rows {
		for column := range neonColumns {
			v := accumulator(row, column)
			a.byElement(p, "fmul", v, v, element)
		}
	}
	a.comment("A beta of zero, of either sign, does not read C.")
	a.op(load, "beta+56(FP)", fmt.Sprint("F", element))
	a.op(map[int]string{4: "FCMPS", 8: "FCMPD"}[p.bytes], "$(0.0)", fmt.Sprint("F", element))
	a.op("BEQ", "store")
	a.op("MOVD", c, next)
	for row := range rows {
		a.op("VLD1.P", fmt.Sprintf("(%s)(%s)", next, ldc), vecs(p, b, neonColumns))
		for column := range neonColumns {
			a.byElement(p, "fmla", accumulator(row, column), b+column, element)
		}
	}
	a.label("store")
	for row := range rows {
		a.op("VST1.P", vecs(p, accumulator(row, 0), neonColumns), fmt.Sprintf("(%s)(%s)", c, ldc))
	}
	a.op("MOVD", "nextA+88(FP)", next)
	for row := range rows {
		a.op("ADD", fmt.Sprintf("%s<<%d", next, shift), pointer(row))
	}
	a.op("MOVD", "tiles+80(FP)", next)
	a.op("SUBS", "$1", next, next)
	a.op("MOVD", next, "tiles+80(FP)")
	a.op("BNE", "tile")
	a.ret()
}

// neonMultiply is multiply for NEON.
func neonMultiply(a *assembler, p precision) {
	a.multiplyFunction(p)
	accumulators := neonColumns * neonTiles[0]
	const x, first = 0, 8
	a.op("MOVD", "n+0(FP)", "R0")
	a.op(scalarMoves[p.bytes], "x+8(FP)", "F1")
	a.op("VDUP", neonLane0(p, 1), vec(p, x))
	for i := range accumulators {
		a.op("VMOV", bits16(x), bits16(first+i))
	}
	a.loop("loop")
	for i := range accumulators {
		a.byElement(p, "fmla", first+i, x, x)
	}
	a.op("SUBS", "$1", "R0", "R0")
	a.op("BNE", "loop")
	a.ret()
}

// neonPackRows copies k rows of four vectors, ld elements apart, to consecutive
// places.
func neonPackRows(a *assembler, p precision) {
	a.packFunction(p, "packRows")
	neonPackArguments(a, p)
	a.loop("loop")
	a.op("VLD1.P", "(R1)(R2)", vecs(p, 0, neonColumns))
	a.op("VST1.P", vecs(p, 0, neonColumns), "64(R0)")
	a.op("SUBS", "$1", "R3", "R3")
	a.op("BNE", "loop")
	a.ret()
}

// neonPackSlices copies k rows of six elements, ld elements apart, to consecutive
// places.
func neonPackSlices(a *assembler, p precision) {
	a.packFunction(p, "packSlices")
	neonPackArguments(a, p)
	a.loop("loop")
	if p.bytes == 4 {
		a.op("FMOVQ", "(R1)", "F0")
		a.op("FMOVD", "16(R1)", "F1")
		a.op("FMOVQ", "F0", "(R0)")
		a.op("FMOVD", "F1", "16(R0)")
		a.op("ADD", "R2", "R1", "R1")
		a.op("ADD", "$24", "R0", "R0")
	} else {
		a.op("VLD1.P", "(R1)(R2)", vecs(p, 0, 3))
		a.op("VST1.P", vecs(p, 0, 3), "48(R0)")
	}
	a.op("SUBS", "$1", "R3", "R3")
	a.op("BNE", "loop")
	a.ret()
}

func neonPackArguments(a *assembler, p precision) {
	a.op("MOVD", "dst+0(FP)", "R0")
	a.op("MOVD", "src+8(FP)", "R1")
	a.op("MOVD", "ld+16(FP)", "R2")
	a.op("MOVD", "k+24(FP)", "R3")
	a.op("LSL", fmt.Sprint("$", map[int]int{4: 2, 8: 3}[p.bytes]), "R2", "R2")
}

// neonPackColumns transposes: element p of row i of src, of which there are as
// many as four vectors have lanes, goes to lane i of the four vectors p. k is a
// positive multiple of a vector's lanes. It loads a vector of every row to
// registers 0 and following; column p goes to 16+4p and following.
func neonPackColumns(a *assembler, p precision) {
	a.packFunction(p, "packColumns")
	neonPackArguments(a, p)
	lanes := a.bytes / p.bytes
	a.loop("loop")
	a.op("MOVD", "R1", "R4")
	for row := range neonColumns * lanes {
		a.op("VLD1.P", "(R4)(R2)", vecs(p, row, 1))
	}
	a.op("ADD", "$16", "R1")
	const out = 16
	for group := range neonColumns {
		row, column := lanes*group, func(p int) int { return out + neonColumns*p + group }
		if p.bytes == 8 {
			a.op("VZIP1", vec(p, row+1), vec(p, row), vec(p, column(0)))
			a.op("VZIP2", vec(p, row+1), vec(p, row), vec(p, column(1)))
			continue
		}
		// Pairs of rows, transposed in blocks of 2×2: the even columns of the
		// first pair go to where column 0 will be, the others to the rows' places.
		even, odd, even2, odd2 := column(0), row, row+1, row+2
		a.op("VTRN1", vec(p, row+1), vec(p, row), vec(p, even))
		a.op("VTRN2", vec(p, row+1), vec(p, row), vec(p, odd))
		a.op("VTRN1", vec(p, row+3), vec(p, row+2), vec(p, even2))
		a.op("VTRN2", vec(p, row+3), vec(p, row+2), vec(p, odd2))
		a.op("VZIP2", vec(double, even2), vec(double, even), vec(double, column(2)))
		a.op("VZIP1", vec(double, even2), vec(double, even), vec(double, column(0)))
		a.op("VZIP1", vec(double, odd2), vec(double, odd), vec(double, column(1)))
		a.op("VZIP2", vec(double, odd2), vec(double, odd), vec(double, column(3)))
	}
	for column := range lanes {
		a.op("VST1.P", vecs(p, out+neonColumns*column, neonColumns), "64(R0)")
	}
	a.op("SUBS", fmt.Sprint("$", lanes), "R3", "R3")
	a.op("BNE", "loop")
	a.ret()
}
