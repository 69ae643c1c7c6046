package cpu

import (
	"fmt"

	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/internal/parallel"
)

const (
	// blockLen is the most elements in a block: few enough that those of all slots
	// stay in the first-level cache, many enough that calls do not matter.
	blockLen = 1024

	// slotLen is the distance of slots in memory. The gap keeps equal positions in
	// different slots from sharing their address bits within a page.
	slotLen = blockLen + 32

	// serialWork is the number of elements times steps below which a program runs on
	// the calling goroutine.
	serialWork = 1 << 15
)

// Pointwise runs a program. It panics if the number, types or lengths of args do
// not fit, or if an output overlaps another output, or an input without being
// the same slice.
func (d *Device) Pointwise(p *device.Program, args *device.Args) {
	if args.Rows < 0 || args.Cols < 0 {
		misuse("Pointwise "+p.Name(), "%d rows, %d columns", args.Rows, args.Cols)
	}
	if len(args.In) != p.Inputs() || len(args.Out) != len(p.Outputs()) || len(args.Params) != p.Params() || len(args.Keys) != p.Keys() {
		misuse("Pointwise "+p.Name(), "%d inputs, %d outputs, %d parameters, %d keys, want %d, %d, %d, %d",
			len(args.In), len(args.Out), len(args.Params), len(args.Keys), p.Inputs(), len(p.Outputs()), p.Params(), p.Keys())
	}
	if len(args.Out) == 0 {
		return
	}
	b, problem := lookup(args.Out[0])
	switch {
	case problem != "":
		misuse("Pointwise "+p.Name(), "output 0: the buffer %s", problem)
	case b.t == device.Float32:
		pointwise(&single, p, args)
	case b.t == device.Float64:
		pointwise(&double, p, args)
	default:
		misuse("Pointwise "+p.Name(), "output 0: elements are %v, want float32 or float64", b.t)
	}
}

// A job is one run of a plan. Jobs are kept and used again, so that a run
// allocates nothing.
type job[T float] struct {
	k    *kernels[T]
	plan *plan
	layout
	rows, cols int
	in, out    [][]T
	keys       []device.Key

	numbers []T   // constants, after the prologue
	number  [][]T // one-element slices of numbers
	memory  []T   // of shared slots
	shared  [][]T // constants and rows, spread over a block

	// A block is blockRows whole rows, or one of the pieces of a row.
	blockRows, pieces, pieceLen int
	blocks, blocksPerTask       int
	task                        func(i int) // kept, because a method value allocates
}

func pointwise[T float](k *kernels[T], p *device.Program, args *device.Args) {
	j, _ := k.jobs.Get().(*job[T])
	if j == nil {
		j = &job[T]{k: k}
		j.task = j.runTask
	}
	j.bind(p, args)
	if j.rows*j.cols > 0 {
		j.plan = planFor(p, j.layout)
		j.prepare(args)
		work := j.rows * j.cols * len(j.plan.steps)
		if tasks := (j.blocks-1)/j.blocksPerTask + 1; tasks > 1 && work > serialWork {
			parallel.For(tasks, j.task)
		} else {
			j.run(0, j.blocks)
		}
	}
	j.release()
	k.jobs.Put(j)
}

// bind checks the operands and brings them to the fewest kinds: a row of a single
// row is full, a row of a single column is a scalar, and so on.
func (j *job[T]) bind(p *device.Program, args *device.Args) {
	j.rows, j.cols = args.Rows, args.Cols
	j.keys = append(j.keys[:0], args.Keys...)
	j.in, j.out = j.in[:0], j.out[:0]
	j.extents, j.aliases = j.extents[:0], j.aliases[:0]
	total := args.Rows * args.Cols
	broadcast := false
	for i, in := range args.In {
		if in.Buffer == nil && !p.Uses(i) {
			j.in, j.extents = append(j.in, nil), append(j.extents, device.ScalarExtent)
			continue
		}
		data, problem := find[T](in.Slice, extentLen(p, in.Extent, args.Rows, args.Cols))
		if problem != "" {
			misuse("Pointwise "+p.Name(), "input %d: %s", i, problem)
		}
		extent := in.Extent
		switch {
		case extent == device.RowExtent && args.Rows == 1 || extent == device.ColumnExtent && args.Cols == 1:
			extent = device.FullExtent
		case extent == device.RowExtent && args.Cols == 1 || extent == device.ColumnExtent && args.Rows == 1:
			extent = device.ScalarExtent
		}
		broadcast = broadcast || extent == device.RowExtent || extent == device.ColumnExtent
		j.in, j.extents = append(j.in, data), append(j.extents, extent)
	}
	for o, out := range args.Out {
		data, problem := find[T](out, total)
		if problem != "" {
			misuse("Pointwise "+p.Name(), "output %d: %s", o, problem)
		}
		for other := range o {
			if overlap(out, args.Out[other]) {
				misuse("Pointwise "+p.Name(), "outputs %d and %d overlap", other, o)
			}
		}
		var alias uint64
		for i, in := range args.In {
			switch {
			case !overlap(out, in.Slice):
			case out == in.Slice && j.extents[i] == device.FullExtent:
				alias |= 1 << i
			default:
				misuse("Pointwise "+p.Name(), "output %d overlaps input %d and is not the same full slice", o, i)
			}
		}
		j.out, j.aliases = append(j.out, data), append(j.aliases, alias)
	}
	if !broadcast {
		j.rows, j.cols = min(1, total), total
	}
}

func extentLen(p *device.Program, e device.Extent, rows, cols int) int {
	switch e {
	case device.FullExtent:
		return rows * cols
	case device.RowExtent:
		return cols
	case device.ColumnExtent:
		return rows
	case device.ScalarExtent:
		return 1
	}
	panic(fmt.Sprintf("cpu: Pointwise %s: unknown Extent %d", p.Name(), e))
}

// prepare chooses the blocks, computes the constants and fills the slots that all
// blocks share.
func (j *job[T]) prepare(args *device.Args) {
	if j.cols <= blockLen {
		j.blockRows, j.pieces, j.pieceLen = min(j.rows, blockLen/j.cols), 1, j.cols
		j.blocks = (j.rows-1)/j.blockRows + 1
	} else {
		j.blockRows = 1
		j.pieces = (j.cols-1)/blockLen + 1
		j.pieceLen = blockLen
		if j.rows > 1 { // pieces of about the same length
			const vector = 16
			j.pieceLen = (j.cols/j.pieces + vector) &^ (vector - 1)
			j.pieces = (j.cols-1)/j.pieceLen + 1
		}
		j.blocks = j.rows * j.pieces
	}
	j.blocksPerTask = max(1, grain/(j.blockRows*j.pieceLen))

	p := j.plan
	j.numbers = sized(j.numbers, p.scalars)
	j.number = sized(j.number, p.scalars)
	for i := range j.number {
		j.number[i] = j.numbers[i : i+1]
	}
	for v, in := range p.code {
		switch {
		case in.Op == device.OpConst:
			j.numbers[v] = T(in.Const)
		case in.Op == device.OpParam:
			j.numbers[v] = T(args.Params[in.Index])
		case in.Op == device.OpInput && p.extents[in.Index] == device.ScalarExtent:
			j.numbers[v] = j.in[in.Index][0]
		}
	}
	j.execute(p.prologue, j.number, 0)

	j.shared = sized(j.shared, len(p.slots))
	if need := p.common * slotLen; len(j.memory) < need {
		j.memory = allocate[T](need)
	}
	memory := j.memory
	n := j.blockRows * j.pieceLen
	for s, slot := range p.slots {
		switch slot.kind {
		case constantSlot:
			j.shared[s], memory = memory[:n], memory[slotLen:]
			j.k.fill(j.shared[s], j.numbers[slot.index])
		case rowSlot:
			j.shared[s], memory = memory[:n], memory[slotLen:]
			for r := 0; r < j.blockRows && j.blockRows > 1; r++ { // otherwise they are read in place
				copy(j.shared[s][r*j.cols:], j.in[slot.index])
			}
		}
	}
}

// sized returns a slice of n elements, s if it is large enough.
func sized[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n, 2*n)
	}
	return s[:n]
}

// release forgets the operands, so that the job keeps no memory of theirs.
func (j *job[T]) release() {
	clear(j.in)
	clear(j.out)
	j.plan = nil
}

func (j *job[T]) runTask(i int) {
	j.run(i*j.blocksPerTask, min((i+1)*j.blocksPerTask, j.blocks))
}

// A worker holds what one goroutine needs.
type worker[T float] struct {
	memory []T   // of registers and columns
	at     [][]T // the slots of the current block
}

// run runs the steps on blocks [first, last).
func (j *job[T]) run(first, last int) {
	w, _ := j.k.workers.Get().(*worker[T])
	if w == nil {
		w = new(worker[T])
	}
	if need := j.plan.private * slotLen; len(w.memory) < need {
		w.memory = allocate[T](need)
	}
	w.at = sized(w.at, len(j.plan.slots))
	for b := first; b < last; b++ {
		row, col, rows, cols := b*j.blockRows, 0, 1, j.pieceLen
		if j.pieces > 1 {
			row, col = b/j.pieces, b%j.pieces*j.pieceLen
			cols = min(cols, j.cols-col)
		} else {
			rows = min(j.blockRows, j.rows-row)
		}
		j.place(w, row, col, rows, cols)
		j.execute(j.plan.steps, w.at, row*j.cols+col)
	}
	clear(w.at) // keep no memory of operands
	j.k.workers.Put(w)
}

// place points the slots at the block of rows×cols elements at (row, col), which
// is contiguous, and fills those that are columns.
func (j *job[T]) place(w *worker[T], row, col, rows, cols int) {
	position, n := row*j.cols+col, rows*cols
	memory := w.memory
	for s, slot := range j.plan.slots {
		var values []T
		switch slot.kind {
		case inputSlot:
			values = j.in[slot.index][position : position+n]
		case outputSlot:
			values = j.out[slot.index][position : position+n]
		case constantSlot:
			values = j.shared[s][:n]
		case rowSlot:
			if j.blockRows > 1 {
				values = j.shared[s][:n]
			} else {
				values = j.in[slot.index][col : col+n]
			}
		case columnSlot:
			values, memory = memory[:n], memory[slotLen:]
			for r, x := range j.in[slot.index][row : row+rows] {
				spread(j.k, values[r*cols:(r+1)*cols], x)
			}
		case registerSlot:
			values, memory = memory[:n], memory[slotLen:]
		}
		w.at[s] = values
	}
}

// spread fills a row, which may be too short for a call to be worth while.
func spread[T float](k *kernels[T], row []T, x T) {
	if len(row) >= 16 {
		k.fill(row, x)
		return
	}
	for i := range row {
		row[i] = x
	}
}

// execute runs steps on slots that hold the elements from a position on.
func (j *job[T]) execute(steps []step, at [][]T, position int) {
	k := j.k
	for i := range steps {
		s := &steps[i]
		dst, x := at[s.dst], at[s.operand[0]]
		switch s.op {
		case opMulAdd:
			k.mulAdd(dst, x, at[s.operand[1]], at[s.operand[2]])
		case device.OpSelect:
			k.selects(dst, x, at[s.operand[1]], at[s.operand[2]])
		case opAddScalar:
			k.addScalar(dst, x, j.numbers[s.number])
		case opMulScalar:
			k.mulScalar(dst, x, j.numbers[s.number])
		case opFill:
			k.fill(dst, j.numbers[s.number])
		case opCopy:
			copy(dst, x)
		case device.OpUniform:
			key := j.keys[s.key]
			k.uniform(dst, key.Lo, key.Hi, uint64(position))
		default:
			if f := k.unary[s.op]; f != nil {
				f(dst, x)
			} else {
				k.binary[s.op](dst, x, at[s.operand[1]])
			}
		}
	}
}
