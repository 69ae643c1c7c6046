package simd

import (
	"unsafe"

	"github.com/muppet-go/muppet/internal/parallel"
)

// gemmKernels is what an implementation provides for matrix products. The
// blocking belongs to it, so that results depend on shapes and the instruction
// set alone.
type gemmKernels[T float] struct {
	// tiles holds the micro-kernels by descending number of rows; the last has
	// one row. All are nr columns wide.
	tiles []tileKernel[T]
	nr    int

	// packRows copies k rows of nr elements, ld apart, to consecutive places, and
	// packSlices rows of as many elements as the largest tile has rows.
	// packColumns transposes the k first elements of nr rows, ld apart; k is a
	// positive multiple of packStep.
	packRows, packSlices, packColumns func(dst, src *T, ld, k int)
	packStep                          int

	// Products of operands that are rounded to bfloat16 pack all of A and B by these
	// (see gemm_bf16.go): some panels of A, and the panel of B from column j on.
	// With pairs an element of a panel holds two of A or B that follow one another
	// in k, and k counts such pairs.
	roundA func(g *gemmJob[T], task int)
	roundB func(g *gemmJob[T], j int)
	pairs  bool

	// A block of B, kc×nc, is packed at a time, and of A, mc×kc. Tasks compute
	// tiles of up to taskRows×taskCols of C.
	kc, mc, nc         int
	taskRows, taskCols int

	vector *vectorKernels[T] // for products with a vector

	free        freeList[gemmJob[T]]
	freeVectors freeList[gemvJob[T]]
}

// A tileKernel computes rows×nr elements of C = alpha·A·B + beta·C, where
// element (i, p) of A is at a[i·rsa + p·csa] and row p of B at b[p·ldb]. It does
// not read C if beta is 0. It computes so many tiles, at least one, of which each
// begins nextA elements after the other in A and rows below the other in C. With
// every element of A it may fetch the one that lies ahead of it into the cache.
type tileKernel[T float] struct {
	rows   int
	kernel func(k int, alpha T, a *T, rsa, csa int, b *T, ldb int, beta T, c *T, ldc, tiles, nextA, ahead int)
}

// A gemmJob computes products by blocks, as in Van Zee and van de Geijn, "BLIS:
// a framework for rapidly instantiating BLAS functionality", TOMS 2015: a block
// of B is packed into panels of nr columns and a block of A into panels of as
// many rows as the largest micro-kernel has, so that the micro-kernel reads
// both in the order in which they lie. Jobs are reused with their scratch.
type gemmJob[T float] struct {
	product[T]
	*gemmKernels[T]

	mr                     int
	terms                  int // of a sum: k, or with pairs up to twice that
	taskRows, taskCols     int
	i0, mb, j0, nb, p0, kb int // the block of C and of k in work
	blockBeta              T
	directA, directB       bool // used where they are, not packed
	ahead                  int  // of the elements of A, those to fetch
	ownPanels              bool // tasks pack the panels of B that they use
	ready                  []T  // all blocks of B, if it was packed before
	panels                 []T  // of the block of B in work

	packedA, packedB, edge scratch[T]

	// The methods, bound once: binding allocates.
	packATask, packBTask, tileTask func(i int)
}

// blocked computes the product. ready is B if it was packed before, and otherwise
// nil.
func (p *product[T]) blocked(kernels *gemmKernels[T], ready []T, threads bool) {
	g := kernels.job(p)
	g.ready = ready
	g.run(threads && p.work() >= serialWork)
	kernels.release(g)
}

// job returns an idle job for the product, to be released after use.
func (kernels *gemmKernels[T]) job(p *product[T]) *gemmJob[T] {
	g := kernels.free.get()
	if g == nil {
		g = &gemmJob[T]{gemmKernels: kernels, mr: kernels.tiles[0].rows}
		g.packATask, g.packBTask, g.tileTask = g.packA, g.packB, g.tile
		if kernels.roundA != nil {
			g.packATask = func(task int) { kernels.roundA(g, task) }
		}
	}
	g.product, g.terms = *p, p.k
	if kernels.pairs {
		g.k = ceilDiv(p.k, 2)
	}
	return g
}

func (kernels *gemmKernels[T]) release(g *gemmJob[T]) {
	g.product, g.ready, g.panels = product[T]{}, nil, nil
	kernels.free.put(g)
}

// serialWork is the size (in multiplications) below which handing work over
// costs more than it saves.
const serialWork = 1 << 17

func (g *gemmJob[T]) run(threads bool) {
	loop := serialFor
	if threads {
		loop = parallel.For
	}
	// Rows of A are read where they are: within a tile, the processor foresees
	// them. Otherwise packing pays when a panel is used several times.
	g.directA = g.roundA == nil && (!g.transA || g.n <= 4*g.nr)
	// A task that comes to rows of A for the first time fetches the next tile while
	// it computes one. In rows that are a multiple of half a page apart, elements of
	// all rows would compete for few places of the first-level cache.
	g.ahead = 0
	if g.directA && !g.transA && g.lda*int(unsafe.Sizeof(g.alpha))%2048 != 0 {
		g.ahead = g.mr * g.lda
	}
	g.directB = g.roundB == nil && g.ready == nil && !g.transB && g.m <= 2*g.mr
	// A block of few rows stays in the second-level cache for all panels of B. A
	// task then takes all rows through some panels and packs these itself, so that
	// threads need not meet in between.
	g.taskRows, g.taskCols = g.gemmKernels.taskRows, g.gemmKernels.taskCols
	g.ownPanels = g.ready == nil && g.m <= ownPanelsRows
	if g.ownPanels {
		g.taskRows = ceilDiv(g.m, g.mr) * g.mr
		for threads && ceilDiv(g.n, g.taskCols) < 16 && g.taskCols > g.nr {
			g.taskCols = ceilDiv(g.taskCols, 2*g.nr) * g.nr
		}
	}
	for threads && !g.ownPanels && ceilDiv(g.m, g.taskRows)*ceilDiv(g.n, g.taskCols) < 16 && g.taskRows*g.taskCols*g.k > serialWork {
		if g.taskRows > 2*g.mr {
			g.taskRows = ceilDiv(g.taskRows, 2*g.mr) * g.mr
		} else if g.taskCols > 2*g.nr {
			g.taskCols = ceilDiv(g.taskCols, 2*g.nr) * g.nr
		} else {
			break
		}
	}
	kb := g.blockK()
	for g.j0 = 0; g.j0 < g.n; g.j0 += g.nc {
		g.nb = min(g.nc, g.n-g.j0)
		for g.p0 = 0; g.p0 < g.k; g.p0 += kb {
			g.kb = min(kb, g.k-g.p0)
			g.blockBeta = g.beta
			if g.p0 > 0 {
				g.blockBeta = 1
			}
			if g.ready != nil {
				g.panels = g.ready[g.blockAt():]
			} else {
				g.packedB.grow(ceilDiv(g.nb, g.nr) * g.nr * g.kb)
				g.panels = g.packedB.data
				if !g.ownPanels {
					loop(ceilDiv(g.nb, packPanels*g.nr), g.packBTask)
				}
			}
			for g.i0 = 0; g.i0 < g.m; g.i0 += g.mc {
				g.mb = min(g.mc, g.m-g.i0)
				if !g.directA {
					g.packedA.grow(ceilDiv(g.mb, g.mr) * g.mr * g.strideA())
					loop(ceilDiv(g.mb, packPanels*g.mr), g.packATask)
				}
				tasks := ceilDiv(g.mb, g.taskRows) * ceilDiv(g.nb, g.taskCols)
				if g.nb%g.nr > 0 {
					g.edge.grow(tasks * g.mr * g.nr)
				}
				loop(tasks, g.tileTask)
			}
		}
	}
}

// ownPanelsRows is the number of rows up to which tasks pack panels of B for
// themselves.
const ownPanelsRows = 256

// serialFor is parallel.For on the calling goroutine.
func serialFor(n int, body func(i int)) {
	for i := range n {
		body(i)
	}
}

// blockK is how many rows a block of B has.
func (g *gemmJob[T]) blockK() int {
	if g.pairs {
		return evenBlock(g.k, g.kc, 4)
	}
	return evenBlock(g.k, g.kc, 8)
}

// blockAt is where the block in work begins when all of B is packed: blocks of
// the same columns lie below one another.
func (g *gemmJob[T]) blockAt() int { return g.j0*g.k + ceilDiv(g.nb, g.nr)*g.nr*g.p0 }

// packPanels is how many panels one task packs.
const packPanels = 4

// strideA is the distance of rows of A where those are packed: such that elements
// at the same place of each do not meet in the same cache set.
func (g *gemmJob[T]) strideA() int { return g.kb + 16 }

// packA packs some panels of a transposed A, whose columns are cut to the height
// of a panel.
func (g *gemmJob[T]) packA(task int) {
	lo := task * packPanels * g.mr
	hi := min(lo+packPanels*g.mr, g.mb)
	for i := lo; i < hi; i += g.mr {
		rows := min(g.mr, hi-i)
		panel := g.packedA.data[i*g.kb:]
		src := g.a[g.p0*g.lda+g.i0+i:]
		if rows == g.mr {
			g.packSlices(&panel[0], &src[0], g.lda, g.kb)
			continue
		}
		for p := range g.kb {
			copy(panel[p*g.mr:][:rows], src[p*g.lda:])
		}
	}
}

// packB packs some panels of B.
func (g *gemmJob[T]) packB(task int) {
	lo := task * packPanels * g.nr
	for j := lo; j < min(lo+packPanels*g.nr, g.nb); j += g.nr {
		g.packPanel(j)
	}
}

// packPanel packs the panel of B from column j on, filled up with zeros if it is
// the last one.
func (g *gemmJob[T]) packPanel(j int) {
	if g.roundB != nil {
		g.roundB(g, j)
	} else {
		g.copyPanel(j)
	}
}

func (g *gemmJob[T]) copyPanel(j int) {
	panel := g.panels[j*g.kb:][:g.kb*g.nr]
	cols := min(g.nr, g.nb-j)
	switch {
	case !g.transB && cols == g.nr:
		if !g.directB {
			g.packRows(&panel[0], &g.b[g.p0*g.ldb+g.j0+j], g.ldb, g.kb)
		}
	case !g.transB:
		src := g.b[g.p0*g.ldb+g.j0+j:]
		for p := range g.kb {
			row := panel[p*g.nr:][:g.nr]
			copy(row, src[p*g.ldb:][:cols])
			clear(row[cols:])
		}
	default:
		src := g.b[(g.j0+j)*g.ldb+g.p0:]
		p := 0
		if whole := g.kb / g.packStep * g.packStep; cols == g.nr && whole > 0 {
			g.packColumns(&panel[0], &src[0], g.ldb, whole)
			p = whole
		}
		for ; p < g.kb; p++ {
			row := panel[p*g.nr:][:g.nr]
			for c := range cols {
				row[c] = src[c*g.ldb+p]
			}
			clear(row[cols:])
		}
	}
}

// tile computes one task's part of the block of C, a panel of B at a time: it
// stays in the first-level cache while the panels of A pass from the second.
func (g *gemmJob[T]) tile(task int) {
	tasks := ceilDiv(g.nb, g.taskCols)
	iLo, jLo := task/tasks*g.taskRows, task%tasks*g.taskCols
	iHi, jHi := min(iLo+g.taskRows, g.mb), min(jLo+g.taskCols, g.nb)

	// Row i of A's block begins at a[i·panelA/mr] for a multiple i of mr.
	a, rowA, rsa, csa := g.packedA.data, 0, 1, 1
	switch {
	case g.directA && !g.transA:
		a, rowA, rsa = g.a[g.i0*g.lda+g.p0:], g.lda, g.lda
	case g.directA:
		a, rowA, csa = g.a[g.p0*g.lda+g.i0:], 1, g.lda
	case !g.transA:
		rowA, rsa = g.strideA(), g.strideA()
	default:
		rowA, csa = g.kb, g.mr
	}
	c := g.c[(g.i0+iLo)*g.ldc+g.j0:]
	done := jLo // up to here the epilogue was called
	for j, ahead := jLo, g.ahead; j < jHi; j, ahead = j+g.nr, 0 {
		b, ldb := g.panels[j*g.kb:], g.nr
		cols := min(g.nr, jHi-j)
		if g.ownPanels {
			g.packPanel(j)
		}
		if cols < g.nr {
			g.edgePanel(task, iLo, iHi, j, cols, a, rowA, rsa, csa, b)
		} else {
			if g.directB {
				b, ldb = g.b[g.p0*g.ldb+g.j0+j:], g.ldb
			}
			g.panel(iHi-iLo, a[iLo*rowA:], rowA, rsa, csa, b, ldb, g.blockBeta, c[j:], g.ldc, ahead)
		}
		if end := j + cols; g.epilogue != nil && g.p0+g.kb == g.k && ((iHi-iLo)*(end-done) >= epilogueSize || end == jHi) {
			for i := range iHi - iLo {
				g.epilogue(c[i*g.ldc:][done:end], g.i0+iLo+i, g.j0+done)
			}
			done = end
		}
	}
}

// epilogueSize is about how many elements the epilogue is called for together,
// which are in the first-level cache.
const epilogueSize = 6144

// panel computes rows×nr elements of C with the largest micro-kernels that fit.
// Tiles of A begin at multiples of mr·rowA, their rows rsa apart.
func (g *gemmJob[T]) panel(rows int, a []T, rowA, rsa, csa int, b []T, ldb int, beta T, c []T, ldc, ahead int) {
	if whole := rows / g.mr; whole > 0 {
		g.tiles[0].kernel(g.kb, g.alpha, &a[0], rsa, csa, &b[0], ldb, beta, &c[0], ldc, whole, g.mr*rowA, ahead)
	}
	last := rows / g.mr * g.mr
	for r := last; r < rows; {
		for _, t := range g.tiles[1:] {
			if t.rows <= rows-r {
				t.kernel(g.kb, g.alpha, &a[last*rowA+(r-last)*rsa], rsa, csa, &b[0], ldb, beta, &c[r*ldc], ldc, 1, 0, 0)
				r += t.rows
				break
			}
		}
	}
}

// edgePanel computes the columns right of the last whole panel: by the same
// micro-kernels into scratch, so that nothing is touched outside C.
func (g *gemmJob[T]) edgePanel(task, iLo, iHi, j, cols int, a []T, rowA, rsa, csa int, b []T) {
	buffer := g.edge.data[task*g.mr*g.nr:][:g.mr*g.nr]
	for i := iLo; i < iHi; i += g.mr {
		rows := min(g.mr, iHi-i)
		g.panel(rows, a[i*rowA:], rowA, rsa, csa, b, g.nr, 0, buffer, g.nr, 0)
		for r := range rows {
			c := g.c[(g.i0+i+r)*g.ldc+g.j0+j:][:cols]
			product := buffer[r*g.nr:][:cols]
			if g.blockBeta == 0 {
				copy(c, product)
				continue
			}
			for x := range c {
				c[x] = fma(g.blockBeta, c[x], product[x])
			}
		}
	}
}
