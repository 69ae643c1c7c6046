package reference

import (
	"fmt"
	"math"
	"sort"

	"github.com/muppet-go/muppet/device"
)

// sizes checks that no size is negative.
func sizes(op string, n ...int) {
	for _, size := range n {
		if size < 0 {
			panic(fmt.Sprintf("reference: %s with negative sizes %v", op, n))
		}
	}
}

func (d *machine) Reduce(op device.ReduceOp, dst, src device.Slice, outer, n, inner int) {
	sizes("Reduce", outer, n, inner)
	from := d.float("Reduce", "src", src, outer*n*inner)
	want := from.b.t
	combine, ok := reductions[op]
	if !ok {
		panic(fmt.Sprintf("reference: Reduce: unknown ReduceOp %d", op))
	}
	if op == device.ReduceArgMax {
		want = device.Int32
		if n == 0 && outer*inner > 0 {
			panic("reference: Reduce: the position of the maximum of nothing")
		}
	}
	to := d.view("Reduce", "dst", dst, outer*inner, want)
	disjoint("Reduce", []device.Slice{dst}, src)
	d.run(func() {
		column := make([]float64, n)
		for o := range outer {
			for i := range inner {
				for k := range column {
					column[k] = from.get((o*n+k)*inner + i)
				}
				to.set(o*inner+i, combine(column))
			}
		}
	}, to)
}

var reductions = map[device.ReduceOp]func(x []float64) float64{
	device.ReduceSum: func(x []float64) float64 {
		var sum float64
		for _, v := range x {
			sum += v
		}
		return sum
	},
	device.ReduceMax: func(x []float64) float64 {
		largest := math.Inf(-1)
		for _, v := range x {
			largest = max(largest, v)
		}
		return largest
	},
	device.ReduceMin: func(x []float64) float64 {
		smallest := math.Inf(1)
		for _, v := range x {
			smallest = min(smallest, v)
		}
		return smallest
	},
	device.ReduceArgMax: func(x []float64) float64 {
		at := 0
		for i, v := range x {
			if less(x[at], v) {
				at = i
			}
		}
		return float64(at)
	},
}

// less orders numbers with NaN as the largest.
func less(a, b float64) bool { return a < b || !math.IsNaN(a) && math.IsNaN(b) }

func (d *machine) CumSum(dst, src device.Slice, outer, n, inner int) {
	sizes("CumSum", outer, n, inner)
	from := d.float("CumSum", "src", src, outer*n*inner)
	to := d.view("CumSum", "dst", dst, outer*n*inner, from.b.t)
	disjoint("CumSum", []device.Slice{dst}, src)
	d.run(func() {
		for o := range outer {
			for i := range inner {
				var sum float64
				for k := range n {
					at := (o*n+k)*inner + i
					sum += from.get(at)
					to.set(at, sum)
				}
			}
		}
	}, to)
}

func (d *machine) Sort(values, indices, src device.Slice, rows, n int, descending bool) {
	sizes("Sort", rows, n)
	from := d.float("Sort", "src", src, rows*n)
	sorted := d.view("Sort", "values", values, rows*n, from.b.t)
	order := d.view("Sort", "indices", indices, rows*n, device.Int32)
	disjoint("Sort", []device.Slice{values, indices}, src)
	d.run(func() {
		position := make([]int, n)
		for r := range rows {
			for i := range position {
				position[i] = i
			}
			sort.SliceStable(position, func(i, j int) bool {
				a, b := from.get(r*n+position[i]), from.get(r*n+position[j])
				if descending {
					return less(b, a)
				}
				return less(a, b)
			})
			for i, p := range position {
				sorted.setWord(r*n+i, from.word(r*n+p))
				order.set(r*n+i, float64(p))
			}
		}
	}, sorted, order)
}

func (d *machine) Gather(dst, src, index device.Slice, w int) {
	sizes("Gather", w)
	from := d.view("Gather", "src", src, src.Len)
	at := d.view("Gather", "index", index, index.Len, device.Int32)
	to := d.view("Gather", "dst", dst, index.Len*w, from.b.t)
	disjoint("Gather", []device.Slice{dst}, src, index)
	rows := d.rows("Gather", from.n, w)
	d.run(func() {
		for i := range at.n {
			row := d.row("Gather", at, i, rows)
			for c := range w {
				to.setWord(i*w+c, from.word(row*w+c))
			}
		}
	}, to)
}

func (d *machine) ScatterAdd(dst, src, index device.Slice, w int) {
	sizes("ScatterAdd", w)
	to := d.float("ScatterAdd", "dst", dst, dst.Len)
	at := d.view("ScatterAdd", "index", index, index.Len, device.Int32)
	from := d.view("ScatterAdd", "src", src, index.Len*w, to.b.t)
	disjoint("ScatterAdd", []device.Slice{dst}, src, index)
	rows := d.rows("ScatterAdd", to.n, w)
	d.run(func() {
		for i := range at.n {
			row := d.row("ScatterAdd", at, i, rows)
			for c := range w {
				to.set(row*w+c, to.get(row*w+c)+from.get(i*w+c))
			}
		}
	}, to)
}

// rows returns how many rows of width w a table of n elements has.
func (d *machine) rows(op string, n, w int) int {
	switch {
	case w == 0 && n == 0:
		return math.MaxInt // as many as one likes
	case w == 0 || n%w != 0:
		panic(fmt.Sprintf("reference: %s: %d elements are no rows of %d", op, n, w))
	}
	return n / w
}

// row returns element i of an index, which must be below rows.
func (d *machine) row(op string, index view, i, rows int) int {
	row := int(index.get(i))
	if row < 0 || row >= rows {
		d.fail(op, "index %d at position %d, want [0, %d)", row, i, rows)
	}
	return row
}

func (d *machine) MatMul(dst, a, b device.Slice, m device.MatMul) {
	sizes("MatMul", m.Batch, m.M, m.N, m.K, m.StrideA, m.StrideB)
	to := d.float("MatMul", "dst", dst, m.Batch*m.M*m.N)
	left := d.view("MatMul", "a", a, batchLen(a.Len, m.Batch, m.StrideA, m.M*m.K), to.b.t)
	right := d.view("MatMul", "b", b, batchLen(b.Len, m.Batch, m.StrideB, m.K*m.N), to.b.t)
	disjoint("MatMul", []device.Slice{dst}, a, b)
	operand := func(x float64) float64 { return x }
	if m.Precision == device.BF16Operands {
		if to.b.t != device.Float32 {
			panic(fmt.Sprintf("reference: MatMul of %v with operands rounded to bfloat16, want float32", to.b.t))
		}
		operand = func(x float64) float64 { return decode(device.BFloat16, uint64(bfloat16(x))) }
	}
	d.run(func() {
		for batch := range m.Batch {
			for i := range m.M {
				for j := range m.N {
					var sum float64
					for k := range m.K {
						atA, atB := i*m.K+k, k*m.N+j
						if m.TransA {
							atA = k*m.M + i
						}
						if m.TransB {
							atB = j*m.K + k
						}
						sum += operand(left.get(batch*m.StrideA+atA)) * operand(right.get(batch*m.StrideB+atB))
					}
					at := (batch*m.M+i)*m.N + j
					if m.Accumulate {
						sum += to.get(at)
					}
					to.set(at, sum)
				}
			}
		}
	}, to)
}

// batchLen returns how many elements a batch of matrices spans; without any
// matrix it does not matter.
func batchLen(length, batch, stride, size int) int {
	if batch == 0 {
		return length
	}
	return (batch-1)*stride + size
}
