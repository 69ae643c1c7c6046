package simd

import "math"

// SBgemm is Sgemm on A and B rounded to bfloat16, to nearest, ties to even, which
// happens as they are read: C = alpha·op(A)·op(B) + beta·C, with sums, alpha, beta
// and C in float32.
//
// Its sums are those of the processor instruction VDPBF16PS (Intel 64 and IA-32
// Architectures Software Developer's Manual, volume 2) in every implementation:
// terms are taken in pairs, p = 0 and 1, 2 and 3 and so on, of which the second is
// added first, each by one fused multiply-add in float32 rounded to nearest, ties
// to even; operands and sums below the normal range count as zeros of their sign.
// A last single term is added alone. Every 256 terms or somewhat less, which
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
const bfloat16Terms = 256

// blockedLike returns kernels of products of rounded operands, that are blocked
// like others.
func blockedLike(s *gemmKernels[float32], tiles []tileKernel[float32]) *gemmKernels[float32] {
	return &gemmKernels[float32]{tiles: tiles, nr: s.nr, kc: bfloat16Terms, mc: s.mc, nc: s.nc,
		taskRows: s.taskRows, taskCols: s.taskCols, vector: s.vector}
}

// widenedGemm returns kernels whose panels hold rounded operands as float32, packed
// as for s and then rounded in place. Their micro-kernels compute what VDPBF16PS
// does by other instructions.
func widenedGemm(s *gemmKernels[float32], tiles []tileKernel[float32]) *gemmKernels[float32] {
	kernels := blockedLike(s, tiles)
	kernels.packRows, kernels.packSlices, kernels.packColumns, kernels.packStep = s.packRows, s.packSlices, s.packColumns, s.packStep
	round := s.vector.bFloat16Round
	kernels.roundA = func(g *gemmJob[float32], task int) {
		lo := task * packPanels * g.mr
		hi := min(lo+packPanels*g.mr, g.mb)
		if g.transA {
			g.packA(task)
			panels := g.packedA.data[lo*g.kb : ceilDiv(hi, g.mr)*g.mr*g.kb]
			round(panels, panels)
			return
		}
		for i := lo; i < hi; i++ {
			round(g.packedA.data[i*g.strideA():][:g.kb], g.a[(g.i0+i)*g.lda+g.p0:][:g.kb])
		}
	}
	kernels.roundB = func(g *gemmJob[float32], j int) {
		g.copyPanel(j)
		panel := g.panels[j*g.kb:][:g.kb*g.nr]
		round(panel, panel)
	}
	return kernels
}

// pairedGemm returns kernels whose panels hold pairs of bfloat16, as VDPBF16PS
// reads them: the element with the lower index in k in the lower half. What is
// missing in the last pair of an odd k is a negative zero in A and a zero in B: to
// add their product, a negative zero, changes no sum. There are kernels that round
// and pair two rows, and the elements of a row that follow one another; packColumns
// does so with k pairs of each of nr rows, and may be nil.
func pairedGemm(s *gemmKernels[float32], tiles []tileKernel[float32], rows func(dst, first, second []float32), adjacent func(dst, x []float32), packColumns func(dst, src *float32, ld, k int)) *gemmKernels[float32] {
	kernels := blockedLike(s, tiles)
	kernels.pairs, kernels.kc = true, bfloat16Terms/2
	kernels.packColumns, kernels.packStep = packColumns, 2
	zeros, negativeZeros := make([]float32, s.nr), make([]float32, tiles[0].rows)
	for i := range negativeZeros {
		negativeZeros[i] = math.Float32frombits(1 << 31)
	}
	kernels.roundA = func(g *gemmJob[float32], task int) {
		lo := task * packPanels * g.mr
		hi := min(lo+packPanels*g.mr, g.mb)
		terms := min(2*g.kb, g.terms-2*g.p0)
		if !g.transA {
			for i := lo; i < hi; i++ {
				dst, row := g.packedA.data[i*g.strideA():], g.a[(g.i0+i)*g.lda+2*g.p0:][:terms]
				adjacent(dst[:terms/2], row[:terms/2*2])
				if terms%2 > 0 {
					storePair(&dst[terms/2], row[terms-1], negativeZeros[0])
				}
			}
			return
		}
		for i := lo; i < hi; i += g.mr {
			panel, width := g.packedA.data[i*g.kb:], min(g.mr, hi-i)
			src := g.a[2*g.p0*g.lda+g.i0+i:]
			for p := range g.kb {
				second := negativeZeros
				if 2*p+1 < terms {
					second = src[(2*p+1)*g.lda:]
				}
				rows(panel[p*g.mr:][:width], src[2*p*g.lda:][:width], second[:width])
			}
		}
	}
	kernels.roundB = func(g *gemmJob[float32], j int) {
		panel, cols := g.panels[j*g.kb:], min(g.nr, g.nb-j)
		terms := min(2*g.kb, g.terms-2*g.p0)
		if g.transB {
			pairColumns(g, panel, g.b[(g.j0+j)*g.ldb+2*g.p0:], cols, terms)
			return
		}
		src := g.b[2*g.p0*g.ldb+g.j0+j:]
		for p := range g.kb {
			second := zeros
			if 2*p+1 < terms {
				second = src[(2*p+1)*g.ldb:]
			}
			row := panel[p*g.nr:][:g.nr]
			rows(row[:cols], src[2*p*g.ldb:][:cols], second[:cols])
			clear(row[cols:])
		}
	}
	return kernels
}

// pairColumns makes a panel of so many rows of src, a transposed B, and terms of
// each.
func pairColumns(g *gemmJob[float32], panel, src []float32, cols, terms int) {
	p := 0
	if whole := terms / 2 / g.packStep * g.packStep; g.packColumns != nil && cols == g.nr && whole > 0 {
		g.packColumns(&panel[0], &src[0], g.ldb, whole)
		p = whole
	}
	for ; p < g.kb; p++ {
		row := panel[p*g.nr:][:g.nr]
		for c := range cols {
			var second float32
			if 2*p+1 < terms {
				second = src[c*g.ldb+2*p+1]
			}
			storePair(&row[c], src[c*g.ldb+2*p], second)
		}
		clear(row[cols:])
	}
}
