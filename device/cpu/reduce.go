package cpu

import (
	"math"

	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/internal/parallel"
)

// Reduce combines the middle index of src. Sums are kept in parts, so that
// errors grow with the length of a part only.
func (d *Device) Reduce(op device.ReduceOp, dst, src device.Slice, outer, n, inner int) {
	sizes("Reduce", outer, n, inner)
	apart("Reduce", dst, src)
	if isDouble("Reduce", "src", src) {
		reduce(&double, op, dst, src, outer, n, inner)
	} else {
		reduce(&single, op, dst, src, outer, n, inner)
	}
}

func reduce[T float](k *kernels[T], op device.ReduceOp, dst, src device.Slice, outer, n, inner int) {
	from := view[T]("Reduce", "src", src, outer*n*inner)
	if op == device.ReduceArgMax {
		argMax(k, view[int32]("Reduce", "dst", dst, outer*inner), from, outer, n, inner)
		return
	}
	to := view[T]("Reduce", "dst", dst, outer*inner)
	switch {
	case op > device.ReduceArgMax:
		misuse("Reduce", "unknown ReduceOp %d", op)
	case len(to) == 0:
	case n == 0:
		k.fill(to, [...]T{device.ReduceSum: 0, device.ReduceMax: T(math.Inf(-1)), device.ReduceMin: T(math.Inf(1))}[op])
	case inner == 1:
		reduceRows(k, op, to, from, outer, n)
	default:
		reduceColumns(k, op, to, from, outer, n, inner)
	}
}

// reduceRows reduces rows of n > 0 contiguous elements.
func reduceRows[T float](k *kernels[T], op device.ReduceOp, dst, src []T, rows, n int) {
	one := [...]func(x []T) T{device.ReduceSum: k.sum, device.ReduceMax: k.maxOf, device.ReduceMin: k.minOf}[op]
	if n <= 4*grain || rows >= 16 {
		parallel.Range(rows, rowsPerTask(n), func(lo, hi int) {
			for r := lo; r < hi; r++ {
				dst[r] = one(src[r*n : (r+1)*n])
			}
		})
		return
	}
	parts := (n-1)/grain + 1
	partial := k.borrow(parts)
	for r := range rows {
		row := src[r*n : (r+1)*n]
		parallel.For(parts, func(i int) { partial.data[i] = one(row[i*grain : min((i+1)*grain, n)]) })
		dst[r] = one(partial.data[:parts])
	}
	k.giveBack(partial)
}

func minOf[T float](x []T) T {
	smallest := T(math.Inf(1))
	for _, v := range x {
		smallest = min(smallest, v)
	}
	return smallest
}

// reduceColumns reduces the middle index of [outer, n, inner] for n > 0: rows are
// combined within parts of them, and then the parts, for bands of columns that fit
// the first-level cache.
func reduceColumns[T float](k *kernels[T], op device.ReduceOp, dst, src []T, outer, n, inner int) {
	const band = 2048
	bands := (inner-1)/band + 1
	partRows := max(32, grain/min(inner, band), min((n+15)/16, 256)) // short parts cost a pass over the sums each
	parts := (n-1)/partRows + 1
	combine := [...]func(dst, a, b []T){
		device.ReduceSum: k.binary[device.OpAdd], device.ReduceMax: k.binary[device.OpMax], device.ReduceMin: k.binary[device.OpMin],
	}[op]
	// column combines rows of a band, stride elements apart, from src into dst.
	column := func(dst, src []T, rows int) {
		copy(dst, src)
		for r := 1; r < rows; r++ {
			combine(dst, dst, src[r*inner:][:len(dst)])
		}
	}
	if parts == 1 {
		parallel.Range(outer*bands, rowsPerTask(n*min(inner, band)), func(lo, hi int) {
			for i := lo; i < hi; i++ {
				o, c := i/bands, i%bands*band
				column(dst[o*inner+c:o*inner+min(c+band, inner)], src[o*n*inner+c:], n)
			}
		})
		return
	}
	partial := k.borrow(parts * inner)
	for o := range outer {
		from := src[o*n*inner : (o+1)*n*inner]
		parallel.For(parts*bands, func(i int) {
			part, c := i/bands, i%bands*band
			column(partial.data[part*inner+c:part*inner+min(c+band, inner)], from[part*partRows*inner+c:], min(partRows, n-part*partRows))
		})
		parallel.For(bands, func(i int) {
			c := i * band
			column(dst[o*inner+c:o*inner+min(c+band, inner)], partial.data[c:], parts)
		})
	}
	k.giveBack(partial)
}

// argMax writes the position of the first of the largest, or of the first NaN.
func argMax[T float](k *kernels[T], dst []int32, src []T, outer, n, inner int) {
	if n == 0 && len(dst) > 0 {
		misuse("Reduce", "the position of the maximum of nothing")
	}
	if inner == 1 {
		parallel.Range(outer, rowsPerTask(n), func(lo, hi int) {
			for r := lo; r < hi; r++ {
				dst[r] = position(src[r*n:(r+1)*n], k.maxOf(src[r*n:(r+1)*n]))
			}
		})
		return
	}
	const band = 2048 // columns
	bands := (inner + band - 1) / band
	parallel.Range(outer*bands, rowsPerTask(n*min(inner, band)), func(lo, hi int) {
		memory := k.borrow(min(inner, band))
		for i := lo; i < hi; i++ {
			c := i % bands * band
			at := dst[i/bands*inner+c:][:min(band, inner-c)]
			row := func(r int) []T { return src[(i/bands*n+r)*inner+c:][:len(at)] }
			best := memory.data[:len(at)]
			copy(best, row(0))
			for r := 1; r < n; r++ {
				k.binary[device.OpMax](best, best, row(r))
			}
			for r := n - 1; r >= 0; r-- { // the first is written last; without branches
				for c, x := range row(r) {
					where := at[c]
					if x == best[c] {
						where = int32(r)
					}
					if x != x {
						where = int32(r)
					}
					at[c] = where
				}
			}
		}
		k.giveBack(memory)
	})
}

// position returns where value, which may be NaN, is in row first.
func position[T float](row []T, value T) int32 {
	for i, x := range row {
		if x == value || x != x {
			return int32(i)
		}
	}
	return 0
}

// CumSum writes running sums, kept in float64.
func (d *Device) CumSum(dst, src device.Slice, outer, n, inner int) {
	sizes("CumSum", outer, n, inner)
	apart("CumSum", dst, src)
	if isDouble("CumSum", "src", src) {
		cumSum[float64](dst, src, outer, n, inner)
	} else {
		cumSum[float32](dst, src, outer, n, inner)
	}
}

func cumSum[T float](dst, src device.Slice, outer, n, inner int) {
	to, from := view[T]("CumSum", "dst", dst, outer*n*inner), view[T]("CumSum", "src", src, outer*n*inner)
	// A task runs down a band of columns, so that it reads whole cache lines.
	const band = 64
	bands := (inner + band - 1) / band
	parallel.Range(outer*bands, rowsPerTask(n*min(inner, band)), func(lo, hi int) {
		var sums [band]float64
		for i := lo; i < hi; i++ {
			clear(sums[:])
			at := i/bands*n*inner + i%bands*band
			width := min(band, inner-i%bands*band)
			for range n {
				for c := range width {
					sums[c] += float64(from[at+c])
					to[at+c] = T(sums[c])
				}
				at += inner
			}
		}
	})
}
