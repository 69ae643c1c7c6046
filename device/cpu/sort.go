package cpu

import (
	"cmp"
	"math"
	"slices"

	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/internal/parallel"
)

// Sort orders each row of src.
func (d *Device) Sort(values, indices, src device.Slice, rows, n int, descending bool) {
	sizes("Sort", rows, n)
	if n > math.MaxInt32 {
		misuse("Sort", "rows of %d elements, want at most %d", n, math.MaxInt32)
	}
	apart("Sort", values, src, indices)
	apart("Sort", indices, src)
	if isDouble("Sort", "src", src) {
		sortRows[float64](values, indices, src, rows, n, descending)
	} else {
		sortRows[float32](values, indices, src, rows, n, descending)
	}
}

// An entry stands for an element: keys are in the order that is asked for, and
// positions keep ties in theirs.
type entry struct {
	key      uint64
	position int32
}

func sortRows[T float](values, indices, src device.Slice, rows, n int, descending bool) {
	from := view[T]("Sort", "src", src, rows*n)
	sorted, order := view[T]("Sort", "values", values, rows*n), view[int32]("Sort", "indices", indices, rows*n)
	if from, ok := any(from).([]float32); ok && n <= 1<<positionBits {
		sortWords(any(sorted).([]float32), order, from, rows, n, descending)
		return
	}
	parallel.Range(rows, rowsPerTask(8*n), func(lo, hi int) {
		entries := make([]entry, n)
		for r := lo; r < hi; r++ {
			row := from[r*n : (r+1)*n]
			for i, x := range row {
				key := sortKey(float64(x))
				if descending {
					key = ^key
				}
				entries[i] = entry{key, int32(i)}
			}
			slices.SortFunc(entries, func(a, b entry) int {
				if c := cmp.Compare(a.key, b.key); c != 0 {
					return c
				}
				return cmp.Compare(a.position, b.position)
			})
			for i, e := range entries {
				sorted[r*n+i], order[r*n+i] = row[e.position], e.position
			}
		}
	})
}

// positionBits are those of a key that are the same for every float32.
const positionBits = 52 - 23

// sortWords sorts numbers whose key and position fit in one word.
func sortWords(sorted []float32, order []int32, from []float32, rows, n int, descending bool) {
	var flip uint64
	if descending {
		flip = math.MaxUint64
	}
	parallel.Range(rows, rowsPerTask(8*n), func(lo, hi int) {
		words, spare := make([]uint64, n), make([]uint64, n)
		for r := lo; r < hi; r++ {
			row := from[r*n : (r+1)*n]
			for i, x := range row {
				words[i] = (sortKey(float64(x))^flip)>>positionBits<<positionBits | uint64(i)
			}
			sortUnsigned(words, spare)
			for i, w := range words {
				at := int32(w & (1<<positionBits - 1))
				sorted[r*n+i], order[r*n+i] = row[at], at
			}
		}
	})
}

// sortUnsigned sorts words, whose positions are in order: by digits of their keys, the
// lowest first, if there are many.
func sortUnsigned(words, spare []uint64) {
	const few, digit, passes = 256, 9, 4 // an even number of passes ends in words
	if len(words) < few {
		slices.Sort(words)
		return
	}
	var starts [passes][1 << digit]int
	for _, w := range words {
		w >>= positionBits
		for p := range starts {
			starts[p][w%(1<<digit)]++
			w >>= digit
		}
	}
	for p := range starts {
		start := &starts[p]
		at := 0
		for d, n := range start {
			start[d] = at
			at += n
		}
		for _, w := range words {
			d := w >> (positionBits + digit*p) % (1 << digit)
			spare[start[d]] = w
			start[d]++
		}
		words, spare = spare, words
	}
}

// sortKey maps numbers to integers in the same order: both zeros to one, every
// NaN to the largest.
func sortKey(x float64) uint64 {
	switch {
	case x != x:
		return math.MaxUint64
	case x == 0:
		return 1 << 63
	case x < 0:
		return ^math.Float64bits(x)
	}
	return math.Float64bits(x) | 1<<63
}
