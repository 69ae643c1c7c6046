package cpu

import (
	"slices"
	"unsafe"

	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/internal/parallel"
	"github.com/muppet-go/muppet/simd"
)

// Strided copies an n-dimensional block. It panics if the block leaves dst or src.
func (d *Device) Strided(dst device.Slice, dstOff int, dstStride []int, src device.Slice, srcOff int, srcStride []int, shape []int) {
	if len(dstStride) != len(shape) || len(srcStride) != len(shape) {
		misuse("Strided", "%d and %d strides for %d dimensions", len(dstStride), len(srcStride), len(shape))
	}
	apart("Strided", dst, src)
	s := &strided{dst: dstOff, src: srcOff}
	s.axes = s.room[:0]
	empty := false
	for i, n := range shape {
		sizes("Strided", n)
		empty = empty || n == 0
		s.axes = append(s.axes, axis{n, dstStride[i], srcStride[i]})
	}
	if empty {
		return
	}
	s.check(dst.Len, src.Len)
	s.simplify()
	switch typeOf("Strided", "dst", dst) {
	case device.Float32:
		copyStrided(s, view[float32]("Strided", "dst", dst, dst.Len), view[float32]("Strided", "src", src, src.Len))
	case device.Float64:
		copyStrided(s, view[float64]("Strided", "dst", dst, dst.Len), view[float64]("Strided", "src", src, src.Len))
	case device.Int32:
		copyStrided(s, view[int32]("Strided", "dst", dst, dst.Len), view[int32]("Strided", "src", src, src.Len))
	case device.BFloat16:
		copyStrided(s, view[uint16]("Strided", "dst", dst, dst.Len), view[uint16]("Strided", "src", src, src.Len))
	}
}

// strided is a copy of a block: where it begins, and its axes.
type strided struct {
	dst, src int
	axes     []axis
	room     [6]axis // for the axes, usually
}

type axis struct{ n, dst, src int }

// check panics if an element is outside of dst or src.
func (s *strided) check(dstLen, srcLen int) {
	first, last := axis{0, s.dst, s.src}, axis{0, s.dst, s.src}
	for _, a := range s.axes {
		first.dst += min(0, (a.n-1)*a.dst)
		first.src += min(0, (a.n-1)*a.src)
		last.dst += max(0, (a.n-1)*a.dst)
		last.src += max(0, (a.n-1)*a.src)
	}
	if first.dst < 0 || last.dst >= dstLen || first.src < 0 || last.src >= srcLen {
		misuse("Strided", "elements [%d, %d] of %d in dst, [%d, %d] of %d in src", first.dst, last.dst, dstLen, first.src, last.src, srcLen)
	}
}

// simplify orders the axes as dst has them in memory, and joins those that are
// one run in both.
func (s *strided) simplify() {
	s.axes = slices.DeleteFunc(s.axes, func(a axis) bool { return a.n == 1 })
	for i := range s.axes {
		if a := &s.axes[i]; a.dst < 0 { // go the other way
			s.dst += (a.n - 1) * a.dst
			s.src += (a.n - 1) * a.src
			a.dst, a.src = -a.dst, -a.src
		}
	}
	slices.SortStableFunc(s.axes, func(a, b axis) int { return b.dst - a.dst })
	joined := s.axes[:0]
	for _, a := range s.axes {
		if k := len(joined) - 1; k >= 0 && joined[k].dst == a.n*a.dst && joined[k].src == a.n*a.src {
			joined[k] = axis{joined[k].n * a.n, a.dst, a.src}
		} else {
			joined = append(joined, a)
		}
	}
	if len(joined) == 0 {
		joined = append(joined, axis{1, 1, 1})
	}
	s.axes = joined
}

// start returns where the i-th of the blocks that the outer axes select begins.
func (s *strided) start(outer []axis, i int) (dst, src int) {
	dst, src = s.dst, s.src
	for k := len(outer) - 1; k >= 0; k-- {
		a := outer[k]
		at := i % a.n
		i /= a.n
		dst += at * a.dst
		src += at * a.src
	}
	return dst, src
}

func count(axes []axis) int {
	n := 1
	for _, a := range axes {
		n *= a.n
	}
	return n
}

func copyStrided[T element](s *strided, dst, src []T) {
	outer, inner := s.axes[:len(s.axes)-1], s.axes[len(s.axes)-1]
	if len(outer) == 0 && inner.dst == 1 && inner.src == 1 {
		copyAll(dst[s.dst:s.dst+inner.n], src[s.src:])
		return
	}
	if inner.dst == 1 && inner.src != 1 && inner.src != 0 {
		const few = 8 // elements side by side in src, for which turning a block does not pay
		if k := slices.IndexFunc(outer, func(a axis) bool { return a.src == 1 && a.n >= few }); k >= 0 {
			across := outer[k]
			transpose(s, slices.Concat(outer[:k], outer[k+1:]), across, inner, dst, src)
			return
		}
	}
	// Runs along the last axis, cut if they are long.
	cut := min(inner.n, grain)
	cuts := (inner.n-1)/cut + 1
	step := axis{1, 0, 0} // from one run to the next, mostly
	if len(outer) > 0 {
		step = outer[len(outer)-1]
	}
	parallel.Range(count(outer)*cuts, rowsPerTask(cut), func(lo, hi int) {
		if cuts > 1 {
			for i := lo; i < hi; i++ {
				to, from := s.start(outer, i/cuts)
				skip := i % cuts * cut
				copyRun(dst[to+skip*inner.dst:], src, from+skip*inner.src, min(cut, inner.n-skip), inner.dst, inner.src)
			}
			return
		}
		for i := lo; i < hi; {
			to, from := s.start(outer, i)
			for end := min(hi, i+step.n-i%step.n); i < end; i++ {
				copyRun(dst[to:], src, from, inner.n, inner.dst, inner.src)
				to += step.dst
				from += step.src
			}
		}
	})
}

// copyRun copies n elements from src[at] on.
func copyRun[T element](dst, src []T, at, n, dstStride, srcStride int) {
	switch {
	case dstStride == 1 && srcStride == 1:
		copy(dst[:n], src[at:at+n])
	case dstStride == 1 && srcStride == 0:
		x := src[at]
		for i := range dst[:n] {
			dst[i] = x
		}
	default:
		for i := range n {
			dst[i*dstStride] = src[at+i*srcStride]
		}
	}
}

// beyondCaches is the size of a matrix, in bytes, of which next to nothing would be left
// in the caches by the time that the last of it is written.
const beyondCaches = 8 << 20

// transpose copies blocks in which down is contiguous in dst and across in src. It goes
// by few rows of src and long parts of them, in which the processor fetches ahead:
// going down narrow columns took half as long again.
func transpose[T element](s *strided, outer []axis, across, down axis, dst, src []T) {
	const height, width = 32, 2048
	columns, bands := (across.n-1)/width+1, (down.n-1)/height+1
	single, double := simd.STranspose, simd.DTranspose
	if across.n*down.n*int(unsafe.Sizeof(dst[0])) >= beyondCaches {
		single, double = simd.STransposeStream, simd.DTransposeStream
	}
	parallel.Range(count(outer)*bands*columns, rowsPerTask(height*min(width, across.n)), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			to, from := s.start(outer, i/columns/bands)
			left, top := i%columns*width, i/columns%bands*height
			part := axis{min(height, down.n-top), 1, down.src}
			n := min(width, across.n-left)
			to += left*across.dst + top
			from += left + top*down.src
			if down.src >= n && across.dst >= part.n {
				switch dst := any(dst).(type) {
				case []float32:
					single(part.n, n, any(src).([]float32)[from:], down.src, dst[to:], across.dst)
					continue
				case []float64:
					double(part.n, n, any(src).([]float64)[from:], down.src, dst[to:], across.dst)
					continue
				}
			}
			transposeTiles(n, across.dst, part, dst, to, src, from)
		}
	})
}

// transposeTiles transposes n columns, tile by tile through a small array: rows of the
// tiles themselves are often a power of two apart, and would evict each other from the
// cache.
func transposeTiles[T element](n, dstStride int, down axis, dst []T, to int, src []T, from int) {
	const tile = 16
	var turned [tile][tile]T
	for left := 0; left < n; left += tile {
		width := min(tile, n-left)
		for top := 0; top < down.n; top += tile {
			height := min(tile, down.n-top)
			for r := range height {
				at := from + left + (top+r)*down.src
				for c, x := range src[at : at+width] {
					turned[c%tile][r%tile] = x // the remainders spare bounds checks
				}
			}
			for c := range width {
				copy(dst[to+(left+c)*dstStride+top:][:height], turned[c][:])
			}
		}
	}
}
