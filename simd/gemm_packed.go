package simd

import (
	"fmt"

	"github.com/muppet-go/muppet/internal/parallel"
)

// An SPacked is the right operand of matrix products, arranged in memory as the
// kernels read it. A weight that is used many times is packed once. It may be used
// by several goroutines.
type SPacked struct{ packed[float32] }

// A DPacked is an SPacked in float64.
type DPacked struct{ packed[float64] }

// SPack packs op(B), which is k×n: B or, with trans, its transpose. It keeps a
// copy, so b may change afterwards. It panics if a size is negative or b is too
// short.
func SPack(trans bool, k, n int, b []float32, ldb int) *SPacked {
	return &SPacked{pack("SPack", active.sgemm, trans, k, n, b, ldb)}
}

// DPack is SPack in float64.
func DPack(trans bool, k, n int, b []float64, ldb int) *DPacked {
	return &DPacked{pack("DPack", active.dgemm, trans, k, n, b, ldb)}
}

// SgemmPacked computes C = alpha·op(A)·op(B) + beta·C as Sgemm does, with a packed
// B of k×n, and calls the epilogue if there is one; op(A) is m×k and C is m×n.
// The result has the bits of Sgemm's if neither m nor n is 1.
func SgemmPacked(transA bool, m int, alpha float32, a []float32, lda int, b *SPacked, beta float32, c []float32, ldc int, epilogue SEpilogue) {
	b.gemm("SgemmPacked", transA, m, alpha, a, lda, beta, c, ldc, epilogue)
}

// DgemmPacked is SgemmPacked in float64.
func DgemmPacked(transA bool, m int, alpha float64, a []float64, lda int, b *DPacked, beta float64, c []float64, ldc int, epilogue DEpilogue) {
	b.gemm("DgemmPacked", transA, m, alpha, a, lda, beta, c, ldc, epilogue)
}

type packed[T float] struct {
	kernels *gemmKernels[T] // that it is packed for
	k, n    int
	data    []T
}

func pack[T float](name string, kernels *gemmKernels[T], trans bool, k, n int, b []T, ldb int) packed[T] {
	if k < 0 || n < 0 {
		panic(fmt.Sprintf("simd: %s: negative size k=%d n=%d", name, k, n))
	}
	rows, cols := stored(trans, k, n)
	checkMatrix(name, "b", len(b), rows, cols, ldb)
	p := packed[T]{kernels: kernels, k: k, n: n}
	if k == 0 || n == 0 {
		return p
	}
	g := kernels.job(&product[T]{transB: trans, n: n, k: k, b: b, ldb: ldb})
	var memory scratch[T]
	memory.grow(g.k * ceilDiv(n, g.nr) * g.nr)
	p.data = memory.data
	g.directB, g.computing = false, false
	kb := g.blockK()
	for g.j0 = 0; g.j0 < n; g.j0 += g.nc {
		g.nb = min(g.nc, n-g.j0)
		for g.p0 = 0; g.p0 < g.k; g.p0 += kb {
			g.kb = min(kb, g.k-g.p0)
			g.panels = p.data[g.blockAt():]
			parallel.For(ceilDiv(g.nb, packPanels*g.nr), g.packBTask)
		}
	}
	kernels.release(g)
	return p
}

func (b *packed[T]) gemm(name string, transA bool, m int, alpha T, a []T, lda int, beta T, c []T, ldc int, epilogue func(c []T, i, j int)) {
	if b.kernels == nil {
		panic(fmt.Sprintf("simd: %s: b was not made by a function that packs", name))
	}
	p := product[T]{transA: transA, m: m, n: b.n, k: b.k, alpha: alpha, a: a, lda: lda, beta: beta, c: c, ldc: ldc, epilogue: epilogue}
	p.checkAC(name)
	if !p.empty() {
		p.blocked(b.kernels, b.data, true)
	}
}
