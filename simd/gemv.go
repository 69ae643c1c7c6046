package simd

import "github.com/muppet-go/muppet/internal/parallel"

// gemv computes a product with a single row or column of C, which packing would
// not help: a matrix times a vector, reading the matrix once in the order in
// which it lies.
func (p *product[T]) gemv(kernels *gemmKernels[T], threads bool) {
	// y = alpha·M·x + beta·y, with M's len(y) rows in memory, or its columns if
	// byColumns.
	g := kernels.freeVectors.get()
	if g == nil {
		g = &gemvJob[T]{gemmKernels: kernels}
		g.rowsTask, g.columnsTask = g.rows, g.columns
	}
	defer func() {
		g.matrix, g.x, g.y = nil, nil, nil
		kernels.freeVectors.put(g)
	}()
	g.alpha, g.beta, g.k = p.alpha, p.beta, p.k
	incX := 1
	byColumns := false
	if p.m == 1 {
		g.matrix, g.ld, byColumns = p.b, p.ldb, !p.transB
		g.x = p.a
		if p.transA {
			incX = p.lda
		}
		g.y, g.incY, g.n = p.c, 1, p.n
	} else {
		g.matrix, g.ld, byColumns = p.a, p.lda, p.transA
		g.x = p.b
		if !p.transB {
			incX = p.ldb
		}
		g.y, g.incY, g.n = p.c, p.ldc, p.m
	}
	if incX != 1 {
		g.copied.grow(p.k)
		for i := range p.k {
			g.copied.data[i] = g.x[i*incX]
		}
		g.x = g.copied.data
	}
	g.x = g.x[:p.k]
	task, grain := g.rowsTask, gemvRows
	if byColumns {
		task, grain = g.columnsTask, gemvColumns
		g.sums.grow(g.n)
	}
	tasks := ceilDiv(g.n, grain)
	if threads && p.work() >= serialWork {
		parallel.For(tasks, task)
		return
	}
	for i := range tasks {
		task(i)
	}
}

// The elements of y that one task computes.
const (
	gemvRows    = 64
	gemvColumns = 1024
)

type gemvJob[T float] struct {
	*gemmKernels[T]
	alpha, beta  T
	matrix       []T
	ld, n, k     int
	x, y         []T
	incY         int
	copied, sums scratch[T]

	rowsTask, columnsTask func(i int)
}

// rows computes elements of y as dot products.
func (g *gemvJob[T]) rows(task int) {
	lo := task * gemvRows
	for i := lo; i < min(lo+gemvRows, g.n); i++ {
		g.update(i, dot("", g.vector.dot, g.matrix[i*g.ld:][:g.k], g.x))
	}
}

// columns computes elements of y by adding up multiples of columns of M.
func (g *gemvJob[T]) columns(task int) {
	lo := task * gemvColumns
	hi := min(lo+gemvColumns, g.n)
	sums := g.sums.data[lo:hi]
	clear(sums)
	for p, x := range g.x {
		g.vector.axpy(sums, g.matrix[p*g.ld+lo:][:len(sums)], x)
	}
	for i, s := range sums {
		g.update(lo+i, s)
	}
}

func (g *gemvJob[T]) update(i int, sum T) {
	v := T(g.alpha * sum)
	if g.beta != 0 {
		v += T(g.beta * g.y[i*g.incY])
	}
	g.y[i*g.incY] = v
}
