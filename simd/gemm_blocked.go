package simd

import (
	"math"
	"unsafe"

	"github.com/muppet-go/muppet/internal/parallel"
)

// gemmKernels is what an implementation provides for matrix products. The
// blocking belongs to it, so that results depend on shapes and the instruction
// set alone.
type gemmKernels[T float] struct {
	// tiles holds the micro-kernels by descending number of rows; the last has
	// one row. All are nr columns wide; narrow ones, which some have, half of that.
	tiles, narrow []tileKernel[T]
	nr            int

	// multiply does so many rounds of a multiplication by each register that a
	// tile fills, which is the limit of what can be computed; nil in plain Go.
	multiply func(n int, x T)

	// copyA and copyB compute one tile of the largest kind and copy to a panel what
	// they read where it is: of A the columns, whose elements are adjacent, or the
	// rows of B. Some have none.
	copyA, copyB func(k int, alpha T, a *T, rsa, csa int, b *T, ldb int, beta T, c *T, ldc int, panel *T)

	// packRows copies k rows of nr elements, ld apart, to consecutive places, and
	// packSlices rows of as many elements as the largest tile has rows.
	// packColumns transposes the k first elements of nr rows, ld apart; k is a
	// positive multiple of packStep.
	packRows, packSlices, packColumns func(dst, src *T, ld, k int)
	packStep                          int

	// fetch brings so many cache lines of each of some rows, ld apart, near; nil where there
	// is none.
	fetch func(src *T, ld, rows, lines int)

	// stream writes k rows of a panel to rows that are ld apart and begin on a vector's
	// boundary, without reading them into the caches first; nil where there is none.
	stream func(dst, panel *T, ld, k int)

	// Products of operands that are rounded to bfloat16 copy all of A and B by these
	// (see gemm_bf16.go): so many rows from row i on, and the columns from j on.
	// With pairs an element of a panel holds two of A or B that follow one another
	// in k, and k counts such pairs.
	roundA func(g *gemmJob[T], panel []T, i, rows int)
	roundB func(g *gemmJob[T], panel []T, j int)
	pairs  bool

	// A block of B, kc×nc, is packed at a time. Tasks compute tiles of up to
	// taskRows×taskCols of C.
	kc, nc             int
	taskRows, taskCols int

	ways int // lines in a set of the first-level cache; 0 if that is not known

	vector *vectorKernels[T] // for products with a vector

	free        freeList[gemmJob[T]]
	freeTiles   freeList[scratch[T]] // for tiles of A that a task copies
	freeVectors freeList[gemvJob[T]]
}

// A tileKernel computes rows×nr elements of C = alpha·A·B + beta·C, where
// element (i, p) of A is at a[i·rsa + p·csa] and row p of B at b[p·ldb]. It does
// not read C if beta is 0. It computes so many tiles, at least one, of which each
// begins nextA elements after the other in A and rows below the other in C. Where ahead
// is not 0 the elements of a row of A are adjacent, and it may fetch those that lie so
// far ahead.
type tileKernel[T float] struct {
	rows   int
	kernel func(k int, alpha T, a *T, rsa, csa int, b *T, ldb int, beta T, c *T, ldc, tiles, nextA, ahead int)
}

// A gemmJob computes products by blocks, as in Van Zee and van de Geijn, "BLIS:
// a framework for rapidly instantiating BLAS functionality", TOMS 2015: a block
// of B is packed into panels of nr columns, so that the micro-kernel reads it in the
// order in which it lies. Tiles of A, of as many rows as the largest micro-kernel
// has, are read where they are if their rows are adjacent in memory; otherwise each
// task copies those that it needs. Jobs are reused with their scratch.
type gemmJob[T float] struct {
	product[T]
	*gemmKernels[T]

	mr                 int
	terms              int // of a sum: k, or with pairs up to twice that
	taskRows, taskCols int
	j0, nb, p0, kb     int // the block of B in work
	blockBeta          T
	copiesA            bool // A is transposed, rounded or crowded
	directB            bool // used where it is, not packed
	ownPanels          bool // tasks pack the panels of B that they use
	computing          bool // packing a panel of B computes the first tile of its columns
	ready              []T  // all blocks of B, if it was packed before
	panels             []T  // of the block of B in work

	packedB, edge, first scratch[T]

	// The methods, bound once: binding allocates.
	packBTask, tileTask func(i int)
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
		g.packBTask, g.tileTask = g.packB, g.tile
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
	loop, n := serialFor, 1
	if threads {
		loop, n = parallel.For, parallel.Threads()
	}
	g.copiesA = g.transA || g.roundA != nil || g.crowded()
	g.directB = g.roundB == nil && g.ready == nil && !g.transB && g.m <= 2*g.mr
	g.split(n)
	kb := g.blockK()
	for g.j0 = 0; g.j0 < g.n; g.j0 += g.nc {
		g.nb = min(g.nc, g.n-g.j0)
		tasks := ceilDiv(g.m, g.taskRows) * ceilDiv(g.nb, g.taskCols)
		if g.nb%g.nr > 0 {
			g.edge.grow(tasks * g.mr * g.nr)
		}
		for g.p0 = 0; g.p0 < g.k; g.p0 += kb {
			g.kb = min(kb, g.k-g.p0)
			g.blockBeta = g.beta
			if g.p0 > 0 {
				g.blockBeta = 1
			}
			g.computing = false
			if g.ready != nil {
				g.panels = g.ready[g.blockAt():]
			} else {
				panels := ceilDiv(g.nb, g.nr)
				if g.ownPanels {
					panels = ceilDiv(g.nb, g.taskCols) // one at a time
				}
				g.packedB.grow(panels * g.nr * g.kb)
				g.panels = g.packedB.data
				g.compute()
				if !g.ownPanels {
					loop(ceilDiv(g.nb, packPanels*g.nr), g.packBTask)
				}
			}
			loop(tasks, g.tileTask)
		}
	}
}

// crowded reports whether the rows of a tile of A, where they are, drive each other out of
// the first-level cache: lines 4 KiB apart are in the same set. Every step would read
// each row from the second level then; copying them takes about a hundredth of a
// product of 1024 columns.
func (g *gemmJob[T]) crowded() bool {
	const line, span = 64, 4096
	distance := g.lda * int(unsafe.Sizeof(g.alpha)) % span
	if g.ways == 0 || g.n <= fewPanels*g.nr || distance%line != 0 {
		return false
	}
	sets := 1 // that the rows are in, one after the other
	for at := distance; at != 0; at = (at + distance) % span {
		sets++
	}
	return g.mr > g.ways*sets
}

// fewPanels is up to how many panels of B copying what they are multiplied with does not
// pay.
const fewPanels = 4

// split decides what tasks compute. It changes no bit of the result.
func (g *gemmJob[T]) split(threads int) {
	g.taskRows, g.taskCols = g.gemmKernels.taskRows, g.gemmKernels.taskCols
	// A task with few rows packs the panels of B that it uses, so that threads need
	// not meet in between. To round A in every task would cost too much.
	g.ownPanels = g.ready == nil && g.m <= ownPanelsRows && (g.roundA == nil || threads == 1)
	panels := ceilDiv(g.n, g.nr)
	switch {
	case g.ownPanels:
		g.taskRows = ceilDiv(g.m, g.mr) * g.mr
		for threads > 1 && ceilDiv(g.n, g.taskCols) < 16 && g.taskCols > g.nr {
			g.taskCols = ceilDiv(g.taskCols, 2*g.nr) * g.nr
		}
		return
	case g.copiesA && g.m > g.mr*threads:
		g.taskCols = g.nc
		g.taskRows = evenTiles(ceilDiv(g.m, g.mr), g.taskRows/g.mr, threads) * g.mr
		return
	case panels >= 4*threads:
		// As many equal tasks side by side as there are threads, or a multiple.
		pieces := ceilDiv(ceilDiv(g.n, g.taskCols), threads) * threads
		g.taskCols = ceilDiv(panels, pieces) * g.nr
		return
	}
	for threads > 1 && ceilDiv(g.m, g.taskRows)*ceilDiv(g.n, g.taskCols) < 16 && g.taskRows*g.taskCols*g.k > serialWork {
		if g.taskRows > 2*g.mr {
			g.taskRows = ceilDiv(g.taskRows, 2*g.mr) * g.mr
		} else if g.taskCols > 2*g.nr {
			g.taskCols = ceilDiv(g.taskCols, 2*g.nr) * g.nr
		} else {
			break
		}
	}
}

// evenTiles returns how many tiles, at most the limit, each task should have so that the
// threads are done at the same time. A task costs about a tenth of a tile besides.
func evenTiles(tiles, limit, threads int) int {
	best, least := limit, math.MaxInt
	for t := limit; t > 0; t-- {
		rounds, rest := tiles/(t*threads), tiles%(t*threads)
		if cost := (rounds*t + min(rest, t)) * (10*t + 1) / t; cost < least {
			best, least = t, cost
		}
	}
	return best
}

// compute decides whether the first tile of each panel of B is computed while it is
// packed, and has then the rows of A that this needs.
func (g *gemmJob[T]) compute() {
	g.computing = g.copyB != nil && !g.transB && !g.directB && g.m >= g.mr
	if g.roundA == nil || !g.computing {
		return
	}
	g.computing = !g.pairs || 2*(g.p0+g.kb) <= g.terms // the last pair is whole
	g.first.grow(g.mr * g.strideA())
	g.roundA(g, g.first.data, 0, g.mr)
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

// strideA is the distance of rows of A where those are copied: such that elements
// at the same place of each do not meet in the same cache set.
func (g *gemmJob[T]) strideA() int { return g.kb + 16 }

// packB packs some panels of B.
func (g *gemmJob[T]) packB(task int) {
	lo := task * packPanels * g.nr
	for j := lo; j < min(lo+packPanels*g.nr, g.nb); j += g.nr {
		g.packPanel(g.panels[j*g.kb:], j)
	}
}

// packPanel packs the columns of B from j on, filled up with zeros if they are the
// last ones. It may compute the first tile below them on the way.
func (g *gemmJob[T]) packPanel(panel []T, j int) {
	switch {
	case g.computing && g.nb-j >= g.nr:
		a, row := g.rowsA(0), g.p0
		if g.roundA != nil {
			a = g.copied(g.first.data)
		}
		if g.pairs {
			row *= 2
		}
		g.copyB(g.kb, g.alpha, &a.tiles[0], a.rsa, a.csa, &g.b[row*g.ldb+g.j0+j], g.ldb, g.blockBeta,
			&g.c[g.j0+j], g.ldc, &panel[0])
	case g.roundB != nil:
		g.roundB(g, panel, j)
	default:
		g.copyPanel(panel, j)
	}
}

// fetchPanel fetches the columns of a transposed B from j on, which are packed next, if they
// are few enough to stay near while a panel is multiplied. No processor foresees how
// packing jumps from row to row: of 96 products of 128×128×64 in memory, those on one
// thread went from 72 to 82 % of the peak; where all are in the caches they lose 1.5.
func (g *gemmJob[T]) fetchPanel(j int) {
	const line, near = 64, 8192 // bytes
	bytes := g.kb * int(unsafe.Sizeof(g.alpha))
	if g.fetch != nil && g.transB && g.roundB == nil && g.nr*bytes <= near {
		g.fetch(&g.b[(g.j0+j)*g.ldb+g.p0], g.ldb, g.nr, ceilDiv(bytes, line))
	}
}

func (g *gemmJob[T]) copyPanel(panel []T, j int) {
	panel = panel[:g.kb*g.nr]
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

// rowsA are rows of A's block in work as the micro-kernels read them: tiles that are
// next elements apart, of which the last may be a part. In each, rows are rsa and
// their elements csa apart.
type rowsA[T float] struct {
	tiles          []T
	next, rsa, csa int
	ahead          int // the distance of what to fetch
}

// rowsA returns the rows from lo on, a multiple of mr, where they are.
func (g *gemmJob[T]) rowsA(lo int) rowsA[T] {
	switch {
	case g.roundA != nil:
		return rowsA[T]{} // there is no use for them
	case g.transA:
		return rowsA[T]{g.a[g.p0*g.lda+lo:], g.mr, 1, g.lda, 0}
	}
	return rowsA[T]{g.a[lo*g.lda+g.p0:], g.mr * g.lda, g.lda, 1, 0}
}

// copied returns rows whose tiles have been copied one after the other.
func (g *gemmJob[T]) copied(tiles []T) rowsA[T] {
	if g.transA {
		return rowsA[T]{tiles, g.mr * g.kb, 1, g.mr, 0}
	}
	return rowsA[T]{tiles, g.mr * g.strideA(), g.strideA(), 1, 0}
}

// from returns what is left without so many tiles.
func (a rowsA[T]) from(tiles int) rowsA[T] {
	a.tiles = a.tiles[min(tiles*a.next, len(a.tiles)):]
	return a
}

// tile computes one task's part of the block of C, a panel of B at a time: it
// stays in a cache near while the panels of A pass.
func (g *gemmJob[T]) tile(task int) {
	tasks := ceilDiv(g.nb, g.taskCols)
	iLo, jLo := task/tasks*g.taskRows, task%tasks*g.taskCols
	iHi, jHi := min(iLo+g.taskRows, g.m), min(jLo+g.taskCols, g.nb)

	a := g.rowsA(iLo)
	var tiles *scratch[T]
	if g.roundA != nil || g.copiesA && jHi-jLo > fewPanels*g.nr { // else it does not pay
		if tiles = g.freeTiles.get(); tiles == nil {
			tiles = new(scratch[T])
		}
		defer g.freeTiles.put(tiles)
	}
	c := g.c[iLo*g.ldc+g.j0:]
	done := jLo // up to here the epilogue was called
	for j := jLo; j < jHi; j += g.nr {
		at := j * g.kb
		if g.ownPanels {
			at = task * g.nr * g.kb
			g.packPanel(g.panels[at:], j)
			if j+2*g.nr <= jHi {
				g.fetchPanel(j + g.nr)
			}
		}
		b, ldb := g.panels[at:], g.nr
		cols := min(g.nr, jHi-j)
		a.ahead = 0
		if j == jLo && !g.copiesA { // A is read for the first time
			a.ahead = a.next
		}
		computed := 0 // tiles
		if g.computing && iLo == 0 && cols == g.nr {
			computed = 1 // while the panel was packed
		}
		if g.directB && cols == g.nr {
			b, ldb = g.b[g.p0*g.ldb+g.j0+j:], g.ldb
		}
		if tiles != nil && j == jLo {
			a, computed = g.copyTiles(tiles, iLo, iHi, computed, b, ldb, c[j:], cols)
		}
		if cols < g.nr {
			g.edgePanel(task, iLo, iHi, j, cols, a, b)
		} else if rows := computed * g.mr; rows < iHi-iLo {
			g.panel(g.tiles, iHi-iLo-rows, a.from(computed), b, ldb, g.blockBeta, c[rows*g.ldc+j:], g.ldc)
		}
		if end := j + cols; g.epilogue != nil && g.p0+g.kb == g.k && ((iHi-iLo)*(end-done) >= epilogueSize || end == jHi) {
			for i := range iHi - iLo {
				g.epilogue(c[i*g.ldc:][done:end], iLo+i, g.j0+done)
			}
			done = end
		}
	}
}

// epilogueSize is about how many elements the epilogue is called for together,
// which are in the first-level cache.
const epilogueSize = 6144

// copyTiles returns a copy of the task's rows of A, and how many tiles of a whole panel
// of B are computed: it computes those on the way that it can.
func (g *gemmJob[T]) copyTiles(to *scratch[T], lo, hi, computed int, b []T, ldb int, c []T, cols int) (rowsA[T], int) {
	tiles, whole := ceilDiv(hi-lo, g.mr), (hi-lo)/g.mr
	a := g.copied(nil)
	to.grow(tiles * a.next)
	a.tiles = to.data
	if g.roundA != nil {
		for t := range tiles {
			i := lo + t*g.mr
			g.roundA(g, a.tiles[t*a.next:], i, min(g.mr, hi-i))
		}
		return a, computed
	}
	direct := g.rowsA(lo)
	if !g.transA {
		for r := range hi - lo {
			copy(a.tiles[r*a.rsa:][:g.kb], direct.tiles[r*g.lda:])
		}
		return a, computed
	}
	for t := range tiles {
		src, panel := direct.tiles[t*direct.next:], a.tiles[t*a.next:]
		switch {
		case t == whole:
			for p := range g.kb {
				copy(panel[p*g.mr:][:hi-lo-whole*g.mr], src[p*g.lda:])
			}
		case t >= computed && cols == g.nr && g.copyA != nil:
			g.copyA(g.kb, g.alpha, &src[0], direct.rsa, direct.csa, &b[0], ldb, g.blockBeta, &c[t*g.mr*g.ldc], g.ldc, &panel[0])
		default:
			g.packSlices(&panel[0], &src[0], g.lda, g.kb)
		}
	}
	if cols == g.nr && g.copyA != nil {
		computed = whole
	}
	return a, computed
}

// panel computes some rows of C, as wide as the micro-kernels are, with the largest of
// those that fit.
func (g *gemmJob[T]) panel(tiles []tileKernel[T], rows int, a rowsA[T], b []T, ldb int, beta T, c []T, ldc int) {
	whole := rows / g.mr
	if whole > 0 {
		tiles[0].kernel(g.kb, g.alpha, &a.tiles[0], a.rsa, a.csa, &b[0], ldb, beta, &c[0], ldc, whole, a.next, a.ahead)
	}
	last := whole * g.mr
	for r := last; r < rows; {
		for _, t := range tiles[1:] {
			if t.rows <= rows-r {
				t.kernel(g.kb, g.alpha, &a.tiles[whole*a.next+(r-last)*a.rsa], a.rsa, a.csa, &b[0], ldb, beta, &c[r*ldc], ldc, 1, 0, 0)
				r += t.rows
				break
			}
		}
	}
}

// edgePanel computes the columns right of the last whole panel: by the same
// micro-kernels into scratch, so that nothing is touched outside C.
func (g *gemmJob[T]) edgePanel(task, iLo, iHi, j, cols int, a rowsA[T], b []T) {
	tiles, width := g.tiles, g.nr
	if g.narrow != nil && 2*cols <= g.nr {
		tiles, width = g.narrow, g.nr/2
	}
	buffer := g.edge.data[task*g.mr*g.nr:][:g.mr*width]
	for i := iLo; i < iHi; i += g.mr {
		rows := min(g.mr, iHi-i)
		g.panel(tiles, rows, a.from((i-iLo)/g.mr), b, g.nr, 0, buffer, width)
		for r := range rows {
			c := g.c[(i+r)*g.ldc+g.j0+j:][:cols]
			product := buffer[r*width:][:cols]
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
