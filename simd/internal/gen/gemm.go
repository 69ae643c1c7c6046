package main

import "fmt"

// gemmFamily generates the micro-kernels of the matrix product and the kernels
// that pack its right operand.
//
// A micro-kernel keeps a tile of rows × 2 vectors of C in registers. For each p
// it loads one row of the packed B panel (2 vectors) and, for each row of the
// tile, broadcasts one element of A. The full tile leaves three or four
// registers for that; smaller ones serve the last rows of a matrix.
func gemmFamily(a *assembler, p precision) {
	if a.name == "neon" {
		neonGemm(a, p)
		return
	}
	microKernels(a, p)
	packingMicroKernel(a, p, "A")
	packingMicroKernel(a, p, "B")
	multiply(a, p)
	packRows(a, p, "packRows", 2*a.bytes)
	packRows(a, p, "packSlices", a.tiles()[0]*p.bytes)
	packColumns(a, p)
	stream(a, p)
	fetch(a, p)
	rows := a.tiles()
	full := fmt.Sprint("gemm", rows[0], "Pack")
	a.gemmTable(p, rows, fmt.Sprint("nr:", 2*a.bytes/p.bytes), fmt.Sprint("packStep:", 16/p.bytes),
		"packRows:packRows", "packSlices:packSlices", "packColumns:packColumns", "stream:stream", "fetch:fetch",
		"copyA:"+full+"A", "copyB:"+full+"B", "multiply:multiply")
}

// tiles returns how many rows the micro-kernels have.
func (a *assembler) tiles() []int {
	return map[string][]int{"avx2": {6, 4, 2, 1}, "avx512": {12, 8, 4, 2, 1}}[a.name]
}

// microKernels generates micro-kernels of all heights, as wide as a panel of B and half
// as wide, for the last columns of a matrix.
func microKernels(a *assembler, p precision) {
	for _, rows := range a.tiles() {
		a.microKernelFunction(p, fmt.Sprint(rows))
		microKernelBody(a, p, rows, 2, "")
		a.microKernelFunction(p, fmt.Sprint(rows, "Narrow"))
		microKernelBody(a, p, rows, 1, "")
	}
}

func (a *assembler) microKernelFunction(p precision, size string) {
	frame := 0
	if p.bfloat16 == widened && a.arch == "amd64" {
		frame = 8 // for MXCSR
	}
	a.functionWithFrame(fmt.Sprintf("%sgemm%s%s", p.letter, size, a.title),
		fmt.Sprintf("(k int, alpha %[1]s, a *%[1]s, rsa, csa int, b *%[1]s, ldb int, beta %[1]s, c *%[1]s, ldc, tiles, nextA, ahead int)", p.goType), frame, 104)
}

// packingMicroKernel generates the micro-kernel of one full tile that also copies one
// operand, which it reads where it is, to a panel: the columns of an A whose rows are
// adjacent, or the rows of B. The multiplications hide what that takes.
func packingMicroKernel(a *assembler, p precision, operand string) {
	rows := a.tiles()[0]
	a.function(fmt.Sprintf("%sgemm%dPack%s%s", p.letter, rows, operand, a.title),
		fmt.Sprintf("(k int, alpha %[1]s, a *%[1]s, rsa, csa int, b *%[1]s, ldb int, beta %[1]s, c *%[1]s, ldc int, panel *%[1]s)", p.goType), 88)
	microKernelBody(a, p, rows, 2, operand)
}

// packingAhead is how many rows ahead a packing micro-kernel fetches what it copies:
// about the latency of memory.
const packingAhead = 24

// microKernelBody generates what follows the declaration of a micro-kernel of so many
// vectors a row, which may copy an operand. Copying B for pairs of bfloat16, it rounds and pairs it.
func microKernelBody(a *assembler, p precision, rows, vectors int, copied string) {
	const b0, b1, spare = 0, 1, 2
	first := a.regs - vectors*rows // the accumulators are the last registers
	acc := func(row, half int) string { return a.v(first + vectors*row + half) }
	shift := map[int]int{4: 2, 8: 3}[p.bytes]
	mov := "VMOVU" + p.suffix

	a.op("MOVQ", "a+16(FP)", "R14")
	a.op("MOVQ", "rsa+24(FP)", "R10")
	a.op("MOVQ", "csa+32(FP)", "R11")
	a.op("MOVQ", "ldb+48(FP)", "R12")
	a.op("MOVQ", "c+64(FP)", "AX")
	a.op("MOVQ", "ldc+72(FP)", "BX")
	for _, r := range []string{"R10", "R11", "R12", "BX"} {
		a.op("SHLQ", fmt.Sprint("$", shift), r)
	}
	if copied == "" {
		a.label("tile")
	}
	a.op("MOVQ", "k+0(FP)", "CX")
	a.op("MOVQ", "R14", "SI")
	a.op("MOVQ", "b+40(FP)", "DX")
	// One pointer for every three rows: 0, 1 and 2 times rsa can be addressed.
	pointers := []string{"SI", "DI", "R8", "R9"}[:(rows+2)/3]
	for i := 1; i < len(pointers); i++ {
		a.op("LEAQ", fmt.Sprintf("(%s)(R10*2)", pointers[i-1]), pointers[i])
		a.op("ADDQ", "R10", pointers[i])
	}
	element := func(row int) string {
		s := "(" + pointers[row/3] + ")"
		if row%3 > 0 {
			s += fmt.Sprintf("(R10*%d)", row%3)
		}
		return s
	}
	a.op("MOVQ", "AX", "R13")
	for row := range rows {
		for half := range vectors {
			a.op("VXORPS", acc(row, half), acc(row, half), acc(row, half))
		}
		a.op("PREFETCHT0", "(R13)")
		a.op("PREFETCHT0", fmt.Sprintf("%d(R13)", vectors*a.bytes-1))
		a.op("ADDQ", "BX", "R13")
	}
	// multiply does so with a row of B, whose address follows an offset, and a
	// column of A.
	const order = 7 // the register of pairOrder
	multiply := func(bRow string) {
		a.op(mov, bRow, a.v(b0))
		if vectors > 1 {
			a.op(mov, fmt.Sprint(a.bytes, bRow), a.v(b1))
		}
		if copied == "B" && p.bfloat16 == paired {
			a.comment("Of two rows of B pairs are made.")
			a.op("ADDQ", "R12", "DX")
			a.op(mov, bRow, a.v(spare))
			a.op(mov, fmt.Sprint(a.bytes, bRow), a.v(spare+1))
			a.pair(b0, spare, order)
			a.pair(b1, spare+1, order)
		}
		switch copied {
		case "A":
			a.op("PREFETCHT0", "(SI)(AX*1)")
			a.copyBytes("SI", "R13", rows*p.bytes, spare)
			a.op("ADDQ", fmt.Sprint("$", rows*p.bytes), "R13")
		case "B":
			a.op("PREFETCHT0", bRow+"(AX*1)")
			a.op("PREFETCHT0", fmt.Sprint(2*a.bytes-1, bRow, "(AX*1)"))
			a.op(mov, a.v(b0), "(R13)")
			a.op(mov, a.v(b1), fmt.Sprint(a.bytes, "(R13)"))
			a.op("ADDQ", fmt.Sprint("$", 2*a.bytes), "R13")
		}
		for row := range rows {
			value := spare + row%2
			a.op(broadcast(p), element(row), a.v(value))
			for half := range vectors {
				if p.bfloat16 == paired {
					a.dotPairs(value, b0+half, first+vectors*row+half)
				} else {
					a.op("VFMADD231"+p.suffix, a.v(value), a.v(b0+half), acc(row, half))
				}
			}
		}
	}
	if p.bfloat16 == widened {
		a.multiplyPairs(pointers, multiply)
	} else {
		a.op("TESTQ", "CX", "CX")
		a.op("JZ", "finish")
		if copied != "" {
			a.op("MOVQ", "panel+80(FP)", "R13")
			a.op("MOVQ", fmt.Sprint("$", packingAhead), "AX")
			a.op("IMULQ", map[string]string{"A": "R11", "B": "R12"}[copied], "AX")
			if p.bfloat16 == paired {
				a.pairOrder(order)
			}
		}
		step := func(loop string) {
			a.loop(loop)
			multiply("(DX)")
			a.op("ADDQ", "R12", "DX")
			for _, r := range pointers {
				a.op("ADDQ", "R11", r)
			}
			a.op("DECQ", "CX")
			a.op("JNZ", loop)
		}
		if copied == "" && vectors == 2 && rows == a.tiles()[0] && p.bfloat16 == exact {
			a.fetchingLoop(p, rows, pointers, step)
		}
		step("loop")
	}

	a.label("finish")
	if copied != "" {
		a.op("MOVQ", "c+64(FP)", "AX")
	}
	if p.bfloat16 == widened {
		a.op("VLDMXCSR", "mxcsr-8(SP)")
	}
	a.op(broadcast(p), "alpha+8(FP)", a.v(0))
	for row := range rows {
		for half := range vectors {
			a.op("VMUL"+p.suffix, a.v(0), acc(row, half), acc(row, half))
		}
	}
	a.comment("A beta of zero, of either sign, does not read C.")
	move := map[int]string{4: "MOVL", 8: "MOVQ"}[p.bytes]
	add := map[int]string{4: "ADDL", 8: "ADDQ"}[p.bytes]
	a.op(move, "beta+56(FP)", "CX")
	a.op(add, "CX", "CX")
	a.op("JZ", "store")
	a.op(broadcast(p), "beta+56(FP)", a.v(1))
	a.op("MOVQ", "AX", "R13")
	for row := range rows {
		for half := range vectors {
			a.op("VFMADD231"+p.suffix, fmt.Sprintf("%d(R13)", half*a.bytes), a.v(1), acc(row, half))
		}
		a.op("ADDQ", "BX", "R13")
	}
	a.label("store")
	for row := range rows {
		for half := range vectors {
			a.op(mov, acc(row, half), fmt.Sprintf("%d(AX)", half*a.bytes))
		}
		a.op("ADDQ", "BX", "AX")
	}
	if copied != "" {
		a.ret()
		return
	}
	a.op("MOVQ", "nextA+88(FP)", "R13")
	a.op("SHLQ", fmt.Sprint("$", shift), "R13")
	a.op("ADDQ", "R13", "R14")
	a.op("DECQ", "tiles+80(FP)")
	a.op("JNZ", "tile")
	a.ret()
}

// fetchingLoop generates another loop for tiles that lie ahead of some that are read
// for the first time: with every cache line of each row it fetches what lies ahead of
// it. It ends at the label finish.
func (a *assembler) fetchingLoop(p precision, rows int, pointers []string, step func(loop string)) {
	a.op("MOVQ", "ahead+96(FP)", "R13")
	a.op("TESTQ", "R13", "R13")
	a.op("JZ", "loop")
	a.comment("AX, BX and R14 serve for that until the tile is finished.")
	a.op("MOVQ", "AX", "c+64(FP)")
	a.op("MOVQ", "R14", "a+16(FP)")
	a.op("SHLQ", fmt.Sprint("$", map[int]int{4: 2, 8: 3}[p.bytes]), "R13")
	a.op("LEAQ", "(R13)(R10*1)", "AX")
	a.op("LEAQ", "(R13)(R10*2)", "BX")
	a.op("MOVQ", "CX", "R14")
	a.label("fetching")
	for row := range rows {
		a.op("PREFETCHT0", fmt.Sprintf("(%s)(%s*1)", pointers[row/3], []string{"R13", "AX", "BX"}[row%3]))
	}
	a.op("MOVQ", fmt.Sprint("$", 64/p.bytes), "CX")
	a.op("CMPQ", "R14", "CX")
	a.op("CMOVQLT", "R14", "CX")
	a.op("SUBQ", "CX", "R14")
	step("line")
	a.op("TESTQ", "R14", "R14")
	a.op("JNZ", "fetching")
	a.op("MOVQ", "a+16(FP)", "R14")
	a.op("MOVQ", "c+64(FP)", "AX")
	a.op("MOVQ", "ldc+72(FP)", "BX")
	a.op("SHLQ", fmt.Sprint("$", map[int]int{4: 2, 8: 3}[p.bytes]), "BX")
	a.op("JMP", "finish")
}

// multiply generates what the largest micro-kernel does without its loads and stores:
// rounds of a multiplication by each accumulator.
func multiply(a *assembler, p precision) {
	a.multiplyFunction(p)
	accumulators := 2 * a.tiles()[0]
	const x = 0
	a.op("MOVQ", "n+0(FP)", "CX")
	a.op(broadcast(p), "x+8(FP)", a.v(x))
	for i := range accumulators {
		a.op("VMOVU"+p.suffix, a.v(x), a.v(a.regs-1-i))
	}
	a.loop("loop")
	for i := range accumulators {
		if p.bfloat16 == paired {
			a.dotPairs(x, x, a.regs-1-i)
		} else {
			a.op("VFMADD231"+p.suffix, a.v(x), a.v(x), a.v(a.regs-1-i))
		}
	}
	a.op("DECQ", "CX")
	a.op("JNZ", "loop")
	a.ret()
}

func (a *assembler) multiplyFunction(p precision) {
	a.function(p.letter+"multiply"+a.title, fmt.Sprintf("(n int, x %s)", p.goType), 8+p.bytes)
}

func (a *assembler) packFunction(p precision, name string) {
	a.function(p.letter+name+a.title, fmt.Sprintf("(dst, src *%s, ld, k int)", p.goType), 32)
}

// packRows copies k rows of so many bytes, ld elements apart, to consecutive
// places. Rows often lie in a page each, where no processor foresees the next
// one.
func packRows(a *assembler, p precision, name string, bytes int) {
	a.packFunction(p, name)
	packArguments(a, p)
	a.loop("loop")
	for at := 0; at < bytes; at += 64 {
		a.op("PREFETCHT0", fmt.Sprintf("%d(SI)(R10*8)", at))
	}
	a.copyBytes("SI", "DI", bytes, 0)
	a.op("ADDQ", "R10", "SI")
	a.op("ADDQ", fmt.Sprint("$", bytes), "DI")
	a.op("DECQ", "CX")
	a.op("JNZ", "loop")
	a.ret()
}

// copyBytes copies so many bytes through vector registers from the first on: it loads
// all before it stores.
func (a *assembler) copyBytes(from, to string, bytes, first int) {
	var stores [][3]any
	for at, r := 0, first; at < bytes; r++ {
		size, mov, reg := 64, "VMOVUPS", "Z"
		switch left := bytes - at; {
		case a.bytes >= 64 && left >= 64:
		case left >= 32:
			size, reg = 32, "Y"
		case left >= 16:
			size, reg = 16, "X"
		default:
			size, mov, reg = 8, "VMOVSD", "X"
		}
		reg = fmt.Sprint(reg, r)
		a.op(mov, fmt.Sprintf("%d(%s)", at, from), reg)
		stores = append(stores, [3]any{mov, reg, fmt.Sprintf("%d(%s)", at, to)})
		at += size
	}
	for _, s := range stores {
		a.op(s[0].(string), s[1:]...)
	}
}

func packArguments(a *assembler, p precision) {
	a.op("MOVQ", "dst+0(FP)", "DI")
	a.op("MOVQ", "src+8(FP)", "SI")
	a.op("MOVQ", "ld+16(FP)", "R10")
	a.op("MOVQ", "k+24(FP)", "CX")
	a.op("SHLQ", fmt.Sprint("$", map[int]int{4: 2, 8: 3}[p.bytes]), "R10")
}

// stream writes k rows of a panel, each two vectors and a multiple of a cache line, to
// rows ld elements apart, past the caches.
func stream(a *assembler, p precision) {
	a.packFunction(p, "stream")
	packArguments(a, p)
	a.loop("loop")
	for i := range 2 {
		a.op("VMOVU"+p.suffix, fmt.Sprintf("%d(SI)", i*a.bytes), a.v(i))
	}
	for i := range 2 {
		a.op("VMOVNT"+p.suffix, a.v(i), fmt.Sprintf("%d(DI)", i*a.bytes))
	}
	a.op("ADDQ", fmt.Sprint("$", 2*a.bytes), "SI")
	a.op("ADDQ", "R10", "DI")
	a.op("DECQ", "CX")
	a.op("JNZ", "loop")
	a.comment("Others must see them in order with what comes after.")
	a.op("SFENCE")
	a.ret()
}

// fetch fetches so many cache lines from the beginning of each of some rows.
func fetch(a *assembler, p precision) {
	a.function(p.letter+"fetch"+a.title, fmt.Sprintf("(src *%s, ld, rows, lines int)", p.goType), 32)
	a.op("MOVQ", "src+0(FP)", "SI")
	a.op("MOVQ", "ld+8(FP)", "R10")
	a.op("MOVQ", "rows+16(FP)", "CX")
	a.op("MOVQ", "lines+24(FP)", "R11")
	a.op("SHLQ", fmt.Sprint("$", map[int]int{4: 2, 8: 3}[p.bytes]), "R10")
	a.label("row")
	a.op("MOVQ", "SI", "DI")
	a.op("MOVQ", "R11", "DX")
	a.label("line")
	a.op("PREFETCHT0", "(DI)")
	a.op("ADDQ", "$64", "DI")
	a.op("DECQ", "DX")
	a.op("JNZ", "line")
	a.op("ADDQ", "R10", "SI")
	a.op("DECQ", "CX")
	a.op("JNZ", "row")
	a.op("RET")
}

// packColumns transposes: element p of row i of src, of which there are as many
// as two vectors have lanes, goes to lane i of vector pair p. k is a positive
// multiple of 16 bytes' elements. For pairs of bfloat16, of which k counts those,
// two elements that follow one another in src are rounded and become one.
//
// Each 128-bit part of a register is filled from a row of its own, so that the
// transposition of 4×4 (or 2×2) blocks inside those parts puts consecutive rows
// side by side.
func packColumns(a *assembler, p precision) {
	a.packFunction(p, "packColumns")
	packArguments(a, p)
	step := 16 / p.bytes // elements in 128 bits
	rowBytes := p.bytes  // of src that make a row of dst
	const order = 31     // the register of pairOrder
	if p.bfloat16 == paired {
		rowBytes *= 2
		a.pairOrder(order)
	}
	parts := a.bytes / 16
	insert := map[string]string{"avx2": "VINSERTF128", "avx512": "VINSERTF32X4"}[a.name]
	mov := "VMOVU" + p.suffix
	a.comment("R11, R12 and R13 are 3, 5 and 7 rows.")
	a.op("LEAQ", "(R10)(R10*2)", "R11")
	a.op("LEAQ", "(R10)(R10*4)", "R12")
	a.op("LEAQ", "(R11)(R10*4)", "R13")
	rowsPerGroup := 8
	groups := 2 * a.bytes / p.bytes / rowsPerGroup
	// Pointers to every eighth row.
	pointers := []string{"SI", "AX", "BX", "DX"}[:groups]
	for g := 1; g < groups; g++ {
		a.op("LEAQ", fmt.Sprintf("(%s)(R10*8)", pointers[g-1]), pointers[g])
	}
	row := func(i int) string {
		base := "(" + pointers[i/8] + ")"
		return base + []string{"", "(R10*1)", "(R10*2)", "(R11*1)", "(R10*4)", "(R12*1)", "(R11*2)", "(R13*1)"}[i%8]
	}
	// transpose moves what is offset bytes behind the pointers, of the rows of one
	// vector.
	transpose := func(half, offset, to int) {
		base := half * a.bytes / p.bytes
		for r := range step {
			// Lane group l of register r holds row base + l·step + r.
			x := fmt.Sprint("X", r)
			a.op(mov, fmt.Sprint(offset)+row(base+r), x)
			for l := 1; l < parts; l++ {
				a.op(insert, fmt.Sprint("$", l), fmt.Sprint(offset)+row(base+l*step+r), a.v(r), a.v(r))
			}
		}
		var out []int
		if p.bytes == 4 {
			a.op("VUNPCKLPS", a.v(1), a.v(0), a.v(4))
			a.op("VUNPCKHPS", a.v(1), a.v(0), a.v(5))
			a.op("VUNPCKLPS", a.v(3), a.v(2), a.v(6))
			a.op("VUNPCKHPS", a.v(3), a.v(2), a.v(7))
			a.op("VUNPCKLPD", a.v(6), a.v(4), a.v(0))
			a.op("VUNPCKHPD", a.v(6), a.v(4), a.v(1))
			a.op("VUNPCKLPD", a.v(7), a.v(5), a.v(2))
			a.op("VUNPCKHPD", a.v(7), a.v(5), a.v(3))
			out = []int{0, 1, 2, 3}
		} else {
			a.op("VUNPCKLPD", a.v(1), a.v(0), a.v(2))
			a.op("VUNPCKHPD", a.v(1), a.v(0), a.v(3))
			out = []int{2, 3}
		}
		if p.bfloat16 == paired {
			a.pair(0, 1, order)
			a.pair(2, 3, order)
			out = []int{0, 2}
		}
		for c, r := range out {
			a.op(mov, a.v(r), fmt.Sprintf("%d(DI)", to+c*2*a.bytes+half*a.bytes))
		}
	}
	advance := func(bytes int) {
		for _, r := range pointers {
			a.op("ADDQ", fmt.Sprint("$", bytes), r)
		}
		a.op("ADDQ", fmt.Sprint("$", bytes/rowBytes*2*a.bytes), "DI")
		a.op("SUBQ", fmt.Sprint("$", bytes/rowBytes), "CX")
	}
	a.comment("Whole cache lines of half of the rows: rows a power of two apart drive each")
	a.comment("other out of the first-level cache when there are many.")
	a.op("CMPQ", "CX", fmt.Sprint("$", 64/rowBytes))
	a.op("JL", "loop")
	a.loop("lines")
	for half := range 2 {
		for offset := 0; offset < 64; offset += 16 {
			transpose(half, offset, offset/rowBytes*2*a.bytes)
		}
	}
	advance(64)
	a.op("CMPQ", "CX", fmt.Sprint("$", 64/rowBytes))
	a.op("JGE", "lines")
	a.op("TESTQ", "CX", "CX")
	a.op("JZ", "done")
	a.loop("loop")
	transpose(0, 0, 0)
	transpose(1, 0, 0)
	advance(16)
	a.op("JNZ", "loop")
	a.label("done")
	a.ret()
}
