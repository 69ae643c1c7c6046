package gonumblas

import (
	"sync"

	"gonum.org/v1/gonum/blas"

	"github.com/muppet-go/muppet/internal/parallel"
	"github.com/muppet-go/muppet/simd"
)

// Strsm solves op(A)·X = alpha·B or, if s is blas.Right, X·op(A) = alpha·B for a
// triangular A. B is m×n and becomes X.
func (impl Implementation) Strsm(s blas.Side, ul blas.Uplo, tA blas.Transpose, d blas.Diag, m, n int, alpha float32, a []float32, lda int, b []float32, ldb int) {
	if !impl.gains(trsmGains(s, m, n)) || alpha == 0 || !trsmFits(s, ul, tA, d, m, n, len(a), lda, len(b), ldb) {
		impl.Implementation.Strsm(s, ul, tA, d, m, n, alpha, a, lda, b, ldb)
		return
	}
	p := trsm[float32]{simd.Sgemm, impl.Implementation.Strsm, &sStrips, s, ul, tA, d, m, n, a, lda, b, ldb}
	p.run(alpha)
}

// Dtrsm solves op(A)·X = alpha·B or, if s is blas.Right, X·op(A) = alpha·B for a
// triangular A. B is m×n and becomes X.
func (impl Implementation) Dtrsm(s blas.Side, ul blas.Uplo, tA blas.Transpose, d blas.Diag, m, n int, alpha float64, a []float64, lda int, b []float64, ldb int) {
	if !impl.gains(trsmGains(s, m, n)) || alpha == 0 || !trsmFits(s, ul, tA, d, m, n, len(a), lda, len(b), ldb) {
		impl.Implementation.Dtrsm(s, ul, tA, d, m, n, alpha, a, lda, b, ldb)
		return
	}
	p := trsm[float64]{simd.Dgemm, impl.Implementation.Dtrsm, &dStrips, s, ul, tA, d, m, n, a, lda, b, ldb}
	p.run(alpha)
}

// trsmGains reports whether division into blocks is faster than gonum's, as
// measured with AVX2.
func trsmGains(s blas.Side, m, n int) bool {
	if s == blas.Left {
		return m >= 2*trsmBlock
	}
	return m >= trsmBlock/2 && n >= 2*trsmBlock
}

func trsmFits(s blas.Side, ul blas.Uplo, tA blas.Transpose, d blas.Diag, m, n, lenA, lda, lenB, ldb int) bool {
	k := n
	if s == blas.Left {
		k = m
	}
	return (s == blas.Left || s == blas.Right) && isUplo(ul) && isTranspose(tA) && (d == blas.Unit || d == blas.NonUnit) &&
		fits(lenA, k, k, lda) && fits(lenB, m, n, ldb)
}

// The triangles on the diagonal of A of up to trsmBlock unknowns are solved by
// gonum's, for trsmStrip right-hand sides at a time. Both sizes were found by
// trying powers of two around them.
const (
	trsmBlock = 16
	trsmStrip = 128
)

var (
	sStrips = sync.Pool{New: func() any { return new([trsmBlock * trsmStrip]float32) }}
	dStrips = sync.Pool{New: func() any { return new([trsmBlock * trsmStrip]float64) }}
)

type trsm[T float] struct {
	gemm   gemmFunc[T]
	gonum  func(s blas.Side, ul blas.Uplo, tA blas.Transpose, d blas.Diag, m, n int, alpha T, a []T, lda int, b []T, ldb int)
	strips *sync.Pool

	side blas.Side
	ul   blas.Uplo
	tA   blas.Transpose
	diag blas.Diag
	m, n int
	a    []T
	lda  int
	b    []T
	ldb  int
}

func (p *trsm[T]) run(alpha T) {
	unknowns := p.n
	if p.side == blas.Left {
		unknowns = p.m
	}
	p.solve(0, unknowns, alpha)
}

// solve finds unknowns lo to hi, which are rows of X, or columns if A is on the
// right: the half that does not depend on the other, then, after substituting
// it, the other. Unknowns outside have been substituted.
func (p *trsm[T]) solve(lo, hi int, alpha T) {
	if hi-lo <= trsmBlock {
		p.diagonal(lo, hi, alpha)
		return
	}
	mid := middle(lo, hi, trsmBlock)
	opLower := (p.ul == blas.Lower) == (p.tA == blas.NoTrans)
	if opLower == (p.side == blas.Left) {
		p.solve(lo, mid, alpha)
		p.substitute(lo, mid, mid, hi, alpha)
		p.solve(mid, hi, 1)
	} else {
		p.solve(mid, hi, alpha)
		p.substitute(mid, hi, lo, mid, alpha)
		p.solve(lo, mid, 1)
	}
}

// substitute puts the known unknowns k0 to k1 into the equations of i0 to i1,
// whose right-hand sides it multiplies by alpha.
func (p *trsm[T]) substitute(k0, k1, i0, i1 int, alpha T) {
	trans := p.tA != blas.NoTrans
	rectangle := p.a[min(k0, i0)*p.lda+max(k0, i0):]
	if p.ul == blas.Lower {
		rectangle = p.a[max(k0, i0)*p.lda+min(k0, i0):]
	}
	if p.side == blas.Left {
		p.gemm(trans, false, i1-i0, p.n, k1-k0, -1, rectangle, p.lda, p.b[k0*p.ldb:], p.ldb, alpha, p.b[i0*p.ldb:], p.ldb)
	} else {
		p.gemm(false, trans, p.m, i1-i0, k1-k0, -1, p.b[k0:], p.ldb, rectangle, p.lda, alpha, p.b[i0:], p.ldb)
	}
}

// diagonal solves for at most a block of unknowns.
func (p *trsm[T]) diagonal(lo, hi int, alpha T) {
	a := p.a[lo*p.lda+lo:]
	if p.side == blas.Left {
		parallel.Range(p.n, trsmStrip, func(j0, j1 int) {
			p.gonum(blas.Left, p.ul, p.tA, p.diag, hi-lo, j1-j0, alpha, a, p.lda, p.b[lo*p.ldb+j0:], p.ldb)
		})
		return
	}
	// X·op(A) = B is op(A)ᵀ·Xᵀ = Bᵀ, and with rows as long as a strip is high,
	// not a block wide, gonum's is faster by more than transposing takes.
	tA := blas.NoTrans
	if p.tA == blas.NoTrans {
		tA = blas.Trans
	}
	parallel.Range(p.m, trsmStrip, func(i0, i1 int) {
		rows, cols := i1-i0, hi-lo
		b := p.b[i0*p.ldb+lo:]
		strip := p.strips.Get().(*[trsmBlock * trsmStrip]T)
		defer p.strips.Put(strip)
		for i := range rows {
			for j, v := range b[i*p.ldb:][:cols] {
				strip[j*rows+i] = v
			}
		}
		p.gonum(blas.Left, p.ul, tA, p.diag, cols, rows, alpha, a, p.lda, strip[:], rows)
		for i := range rows {
			row := b[i*p.ldb:][:cols]
			for j := range row {
				row[j] = strip[j*rows+i]
			}
		}
	})
}
