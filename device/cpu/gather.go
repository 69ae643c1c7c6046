package cpu

import (
	"math"
	"math/bits"

	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/internal/parallel"
)

// Gather copies rows that an index names.
func (d *Device) Gather(dst, src, index device.Slice, w int) {
	apart("Gather", dst, src, index)
	at := rowIndex("Gather", index, src.Len, w)
	switch typeOf("Gather", "src", src) {
	case device.Float32:
		gather[float32](dst, src, at, w)
	case device.Float64:
		gather[float64](dst, src, at, w)
	case device.Int32:
		gather[int32](dst, src, at, w)
	case device.BFloat16:
		gather[uint16](dst, src, at, w)
	}
}

// rowIndex returns an index into the rows of width w of a table of n elements. It
// panics with an *Error if one is outside.
func rowIndex(op string, index device.Slice, n, w int) []int32 {
	sizes(op, w)
	at := view[int32](op, "index", index, index.Len)
	rows := math.MaxInt // of no width, as many as one likes
	switch {
	case w > 0 && n%w == 0:
		rows = n / w
	case n > 0:
		misuse(op, "%d elements are no rows of %d", n, w)
	}
	for i, row := range at {
		if row < 0 || int(row) >= rows {
			fail(op, "index %d at position %d, want [0, %d)", row, i, rows)
		}
	}
	return at
}

func gather[T element](dst, src device.Slice, index []int32, w int) {
	to, from := view[T]("Gather", "dst", dst, len(index)*w), view[T]("Gather", "src", src, src.Len)
	parallel.Range(len(index), rowsPerTask(w), func(lo, hi int) {
		if w == 1 {
			for i, row := range index[lo:hi] {
				to[lo+i] = from[row]
			}
			return
		}
		for i := lo; i < hi; i++ {
			copy(to[i*w:(i+1)*w], from[int(index[i])*w:])
		}
	})
}

// ScatterAdd adds rows to those that an index names, each in the order of the index.
func (d *Device) ScatterAdd(dst, src, index device.Slice, w int) {
	apart("ScatterAdd", dst, src, index)
	at := rowIndex("ScatterAdd", index, dst.Len, w)
	if isDouble("ScatterAdd", "dst", dst) {
		scatterAdd(&double, dst, src, at, w)
	} else {
		scatterAdd(&single, dst, src, at, w)
	}
}

func scatterAdd[T float](k *kernels[T], dst, src device.Slice, index []int32, w int) {
	to, from := view[T]("ScatterAdd", "dst", dst, dst.Len), view[T]("ScatterAdd", "src", src, len(index)*w)
	if w == 0 || len(index) == 0 {
		return
	}
	if len(index)*w <= grain {
		for i, row := range index {
			addRow(k, to[int(row)*w:][:w], from[i*w:][:w])
		}
		return
	}
	// Each task takes an eighth of the table's rows, and reads the whole index for that.
	// Rows as long as embeddings are taken in blocks of a few, so that an index which names
	// the first ones most, as words do, is still divided; and few such rows are divided by
	// columns too, which is slower.
	const parts, wide, block, band = 8, 256, 4096, 384
	rows := len(to) / w
	shift := uint32(bits.Len(uint((rows - 1) / parts))) // of a block's rows
	bands := 1
	if w >= wide {
		shift = uint32(bits.Len(uint((block - 1) / w)))
		if rows < 8*parts<<shift {
			bands = (w-1)/band + 1
		}
	}
	width := (w-1)/bands + 1
	parallel.For(parts*bands, func(i int) {
		part, lo := uint32(i/bands), i%bands*width
		hi := min(lo+width, w)
		for i, row := range index {
			if uint32(row)>>(shift&31)%parts == part {
				addRow(k, to[int(row)*w+lo:int(row)*w+hi], from[i*w+lo:i*w+hi])
			}
		}
	})
}

func addRow[T float](k *kernels[T], to, from []T) {
	if len(to) >= 8 {
		k.binary[device.OpAdd](to, to, from)
		return
	}
	for i, x := range from {
		to[i] += x
	}
}
