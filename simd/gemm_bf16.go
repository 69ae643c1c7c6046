package simd

import "math"

// SBgemm is Sgemm on A and B rounded to bfloat16, to nearest, ties to even, which
// happens as they are read: C = alpha·op(A)·op(B) + beta·C, with sums, alpha, beta
// and C in float32. Elements below the normal range count as zeros of their sign.
//
// Its sums are those of the processor instruction VDPBF16PS (Intel 64 and IA-32
// Architectures Software Developer's Manual, volume 2) in every implementation:
// terms are taken in pairs, p = 0 and 1, 2 and 3 and so on, of which the second is
// added first, each by one fused multiply-add in float32 rounded to nearest, ties
// to even; sums below the normal range count as zeros of their sign. A last single
// term is added alone. Every 1024 terms or somewhat less, which
// depends on k alone, the sum is multiplied by alpha and added to beta·C, and the
// next one begun. So results have the same bits on all processors but one kind:
// arm64 flushes a sum which is below the normal range before it is rounded, others
// one which is so afterwards, and results can differ where a sum comes that near
// to 0x1p-126.
func SBgemm(transA, transB bool, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int) {
	p := product[float32]{transA: transA, transB: transB, m: m, n: n, k: k, alpha: alpha, a: a, lda: lda, b: b, ldb: ldb, beta: beta, c: c, ldc: ldc}
	p.check("SBgemm")
	p.run(active.sbgemm, true)
}

// SBgemmBatched computes batch products as SBgemm does, of matrices that begin
// strideA, strideB and strideC elements after one another. A stride of 0 uses
// one A or B for all; the Cs must not overlap.
func SBgemmBatched(transA, transB bool, batch, m, n, k int, alpha float32, a []float32, lda, strideA int, b []float32, ldb, strideB int, beta float32, c []float32, ldc, strideC int) {
	p := product[float32]{transA: transA, transB: transB, m: m, n: n, k: k, alpha: alpha, a: a, lda: lda, b: b, ldb: ldb, beta: beta, c: c, ldc: ldc}
	p.runBatch("SBgemmBatched", active.sbgemm, batch, strideA, strideB, strideC)
}

// An SBPacked is the right operand of products as SBgemm computes them, rounded and
// arranged in memory as the kernels read it: see SPacked. With VDPBF16PS, and in
// the generic implementation, it takes half of the memory that the matrix does.
type SBPacked struct{ packed[float32] }

// SBPack packs op(B), which is k×n, as SPack does.
func SBPack(trans bool, k, n int, b []float32, ldb int) *SBPacked {
	return &SBPacked{pack("SBPack", active.sbgemm, trans, k, n, b, ldb)}
}

// SBgemmPacked computes C = alpha·op(A)·op(B) + beta·C with the bits of SBgemm's
// result, with a packed B of k×n, and calls the epilogue if there is one; op(A) is
// m×k and C is m×n.
func SBgemmPacked(transA bool, m int, alpha float32, a []float32, lda int, b *SBPacked, beta float32, c []float32, ldc int, epilogue SEpilogue) {
	b.gemm("SBgemmPacked", transA, m, alpha, a, lda, beta, c, ldc, epilogue)
}

// bfloat16Terms is the most terms of a sum that begins at zero: kc of all
// implementations, since sums of other lengths would be rounded otherwise.
const bfloat16Terms = 1024

// blockedLike returns kernels of products of rounded operands, that are blocked
// like others. Their micro-kernels are still to be set.
func blockedLike(s *gemmKernels[float32]) *gemmKernels[float32] {
	return &gemmKernels[float32]{nr: s.nr, kc: bfloat16Terms, nc: s.nc,
		taskRows: s.taskRows, taskCols: s.taskCols, vector: s.vector}
}

// widenedGemm returns kernels whose panels hold rounded operands as float32, packed
// as for s and then rounded in place. Their micro-kernels are to compute what
// VDPBF16PS does by other instructions.
func widenedGemm(s *gemmKernels[float32]) *gemmKernels[float32] {
	kernels := blockedLike(s)
	kernels.multiply = s.multiply
	kernels.packRows, kernels.packSlices, kernels.packColumns, kernels.packStep = s.packRows, s.packSlices, s.packColumns, s.packStep
	round := s.vector.bFloat16Operand
	kernels.roundA = func(g *gemmJob[float32], panel []float32, i, rows int) {
		if !g.transA {
			for r := range rows {
				round(panel[r*g.strideA():][:g.kb], g.a[(i+r)*g.lda+g.p0:][:g.kb])
			}
			return
		}
		src := g.a[g.p0*g.lda+i:]
		if rows == g.mr {
			g.packSlices(&panel[0], &src[0], g.lda, g.kb)
		} else {
			for p := range g.kb {
				copy(panel[p*g.mr:][:rows], src[p*g.lda:])
			}
		}
		panel = panel[:g.kb*g.mr]
		round(panel, panel)
	}
	kernels.roundB = func(g *gemmJob[float32], panel []float32, j int) {
		panel = panel[:g.kb*g.nr]
		g.copyPanel(panel, j)
		round(panel, panel)
	}
	return kernels
}

// A pairPacking is what rounds operands to bfloat16 and pairs them: k pairs of rows,
// of which panels of B or tiles of A consist, k pairs of each of the columns of a
// panel, of which k is even, and the elements of a row. The last is always there.
type pairPacking struct {
	rows, slices, columns func(dst, src *float32, ld, k int)
	adjacent              func(dst, x []float32)
}

// pairedGemm returns kernels whose panels hold pairs of bfloat16, as VDPBF16PS
// reads them: the element with the lower index in k in the lower half. What is
// missing in the last pair of an odd k is a negative zero in A and a zero in B: to
// add their product, a negative zero, changes no sum.
func pairedGemm(s *gemmKernels[float32], packing pairPacking) *gemmKernels[float32] {
	kernels := blockedLike(s)
	kernels.pairs, kernels.kc, kernels.nc, kernels.taskRows = true, bfloat16Terms/2, 2*s.nc, 2*s.taskRows
	kernels.packRows, kernels.packSlices, kernels.packColumns, kernels.packStep = packing.rows, packing.slices, packing.columns, 2
	negativeZero := math.Float32frombits(1 << 31)
	kernels.roundA = func(g *gemmJob[float32], panel []float32, i, rows int) {
		whole := min(g.kb, g.terms/2-g.p0) // pairs
		if !g.transA {
			for r := range rows {
				dst, src := panel[r*g.strideA():], g.a[(i+r)*g.lda+2*g.p0:]
				packing.adjacent(dst[:whole], src[:2*whole])
				if whole < g.kb {
					storePair(&dst[whole], src[2*whole], negativeZero)
				}
			}
			return
		}
		pack := g.packSlices
		if rows < g.mr {
			pack = nil
		}
		pairRows(panel, g.a[2*g.p0*g.lda+i:], g.lda, rows, g.mr, whole, g.kb, negativeZero, pack)
	}
	kernels.roundB = func(g *gemmJob[float32], panel []float32, j int) {
		cols, whole := min(g.nr, g.nb-j), min(g.kb, g.terms/2-g.p0)
		if g.transB {
			pairColumns(g, panel, g.b[(g.j0+j)*g.ldb+2*g.p0:], cols, whole)
			return
		}
		pack := g.packRows
		if cols < g.nr {
			pack = nil
		}
		pairRows(panel, g.b[2*g.p0*g.ldb+g.j0+j:], g.ldb, cols, g.nr, whole, g.kb, 0, pack)
	}
	return kernels
}

// pairRows makes a panel, so wide, of k pairs of rows with so many elements, of which
// a last one may be without its second, which is then the one given. There may be a
// kernel for those that are whole.
func pairRows(panel, src []float32, ld, elements, width, whole, k int, last float32, pack func(dst, src *float32, ld, k int)) {
	p := 0
	if pack != nil && whole > 0 {
		pack(&panel[0], &src[0], ld, whole)
		p = whole
	}
	for ; p < k; p++ {
		row := panel[p*width:][:width]
		for i := range elements {
			second := last
			if p < whole {
				second = src[(2*p+1)*ld+i]
			}
			storePair(&row[i], src[2*p*ld+i], second)
		}
		clear(row[elements:])
	}
}

// pairColumns makes a panel of so many rows of src, a transposed B, of whole pairs of
// each and perhaps a last element.
func pairColumns(g *gemmJob[float32], panel, src []float32, cols, whole int) {
	p := 0
	if kernel := whole / g.packStep * g.packStep; g.packColumns != nil && cols == g.nr && kernel > 0 {
		g.packColumns(&panel[0], &src[0], g.ldb, kernel)
		p = kernel
	}
	for ; p < g.kb; p++ {
		row := panel[p*g.nr:][:g.nr]
		for c := range cols {
			var second float32
			if p < whole {
				second = src[c*g.ldb+2*p+1]
			}
			storePair(&row[c], src[c*g.ldb+2*p], second)
		}
		clear(row[cols:])
	}
}
