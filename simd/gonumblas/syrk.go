package gonumblas

import (
	"sync"

	"gonum.org/v1/gonum/blas"

	"github.com/muppet-go/muppet/simd"
)

// Ssyrk computes one triangle of the symmetric n×n matrix C =
// alpha·op(A)·op(A)ᵀ + beta·C for an n×k op(A). It does not touch the other.
func (impl Implementation) Ssyrk(ul blas.Uplo, tA blas.Transpose, n, k int, alpha float32, a []float32, lda int, beta float32, c []float32, ldc int) {
	if !impl.gains(syrkGains(n, k)) || alpha == 0 || !isUplo(ul) || !fitsOp(tA, len(a), n, k, lda) || !fits(len(c), n, n, ldc) {
		if beta == 0 {
			// gonum's multiplies a lower triangle by it, which NaN survives,
			// unless alpha is 0 as well.
			impl.Implementation.Ssyrk(ul, tA, n, k, 0, a, lda, 0, c, ldc)
			beta = 1
		}
		impl.Implementation.Ssyrk(ul, tA, n, k, alpha, a, lda, beta, c, ldc)
		return
	}
	square := sSquares.Get().(*[syrkBlock * syrkBlock]float32)
	defer sSquares.Put(square)
	p := syrk[float32]{simd.Sgemm, ul == blas.Upper, tA != blas.NoTrans, k, alpha, a, lda, beta, c, ldc, square[:]}
	p.triangle(0, n)
}

// Dsyrk computes one triangle of the symmetric n×n matrix C =
// alpha·op(A)·op(A)ᵀ + beta·C for an n×k op(A). It does not touch the other.
func (impl Implementation) Dsyrk(ul blas.Uplo, tA blas.Transpose, n, k int, alpha float64, a []float64, lda int, beta float64, c []float64, ldc int) {
	if !impl.gains(syrkGains(n, k)) || alpha == 0 || !isUplo(ul) || !fitsOp(tA, len(a), n, k, lda) || !fits(len(c), n, n, ldc) {
		if beta == 0 {
			// gonum's multiplies a lower triangle by it, which NaN survives,
			// unless alpha is 0 as well.
			impl.Implementation.Dsyrk(ul, tA, n, k, 0, a, lda, 0, c, ldc)
			beta = 1
		}
		impl.Implementation.Dsyrk(ul, tA, n, k, alpha, a, lda, beta, c, ldc)
		return
	}
	square := dSquares.Get().(*[syrkBlock * syrkBlock]float64)
	defer dSquares.Put(square)
	p := syrk[float64]{simd.Dgemm, ul == blas.Upper, tA != blas.NoTrans, k, alpha, a, lda, beta, c, ldc, square[:]}
	p.triangle(0, n)
}

func syrkGains(n, k int) bool { return n >= 16 && work(n, n, k) >= 16*16*16 }

// syrkBlock is the side of the squares on the diagonal of C that are computed
// whole, although only a triangle of each is wanted.
const syrkBlock = 64

var (
	sSquares = sync.Pool{New: func() any { return new([syrkBlock * syrkBlock]float32) }}
	dSquares = sync.Pool{New: func() any { return new([syrkBlock * syrkBlock]float64) }}
)

type syrk[T float] struct {
	gemm         gemmFunc[T]
	upper, trans bool
	k            int
	alpha        T
	a            []T
	lda          int
	beta         T
	c            []T
	ldc          int
	square       []T // of a block on the diagonal
}

// triangle computes the triangle of rows and columns lo to hi: two triangles of
// half the size, and the rectangle between them.
func (p *syrk[T]) triangle(lo, hi int) {
	if hi-lo <= syrkBlock {
		p.diagonal(lo, hi)
		return
	}
	mid := middle(lo, hi, syrkBlock)
	p.triangle(lo, mid)
	p.triangle(mid, hi)
	if p.upper {
		p.rectangle(lo, mid, mid, hi, p.beta, p.c[lo*p.ldc+mid:], p.ldc)
	} else {
		p.rectangle(mid, hi, lo, mid, p.beta, p.c[mid*p.ldc+lo:], p.ldc)
	}
}

// rectangle computes rows i0 to i1 and columns j0 to j1 of C, into c.
func (p *syrk[T]) rectangle(i0, i1, j0, j1 int, beta T, c []T, ldc int) {
	step := p.lda // between rows of op(A)
	if p.trans {
		step = 1
	}
	p.gemm(p.trans, !p.trans, i1-i0, j1-j0, p.k, p.alpha, p.a[i0*step:], p.lda, p.a[j0*step:], p.lda, beta, c, ldc)
}

// diagonal computes the triangle of rows and columns lo to hi from the whole
// square, apart from C, of which the other triangle is not to be written.
func (p *syrk[T]) diagonal(lo, hi int) {
	n := hi - lo
	p.rectangle(lo, hi, lo, hi, 0, p.square, n)
	for i := range n {
		first, end := 0, i+1
		if p.upper {
			first, end = i, n
		}
		c := p.c[(lo+i)*p.ldc+lo:][first:end]
		for j, v := range p.square[i*n:][first:end] {
			if p.beta != 0 {
				v += T(p.beta * c[j])
			}
			c[j] = v
		}
	}
}
