package simd

import (
	"testing"
	"unsafe"
)

func TestTranspose(t *testing.T) {
	forEachImplementation(t, func(t *testing.T) {
		t.Run("S", func(t *testing.T) { testTranspose(t, STranspose) })
		t.Run("SStream", func(t *testing.T) { testTranspose(t, STransposeStream) })
		t.Run("D", func(t *testing.T) { testTranspose(t, DTranspose) })
		t.Run("DStream", func(t *testing.T) { testTranspose(t, DTransposeStream) })
	})
}

// testTranspose compares bits with a plain loop, on both sides of panels, and looks
// for writes between the rows of dst and for reads past the end of src.
func testTranspose[T float](t *testing.T, transpose func(rows, cols int, src []T, lds int, dst []T, ldd int)) {
	source := newGuarded[T](t, 200*140)
	for _, rows := range []int{0, 1, 3, 4, 5, 16, 17, 31, 32, 33, 64, 70, 131} {
		for _, cols := range []int{0, 1, 2, 3, 4, 7, 8, 33, 64, 65, 130} {
			lds, ldd := max(1, cols)+rows%3, max(1, rows)+cols%3
			length := 0
			if rows > 0 && cols > 0 {
				length = (rows-1)*lds + cols
			}
			src, dst := source.take(length), aligned[T](cols*ldd)
			copy(src, varied[T](length, 7))
			for i := range dst {
				dst[i] = -77
			}
			transpose(rows, cols, src, lds, dst, ldd)
			for j := range cols {
				for i := range ldd {
					want := T(-77)
					if i < rows {
						want = src[i*lds+j]
					}
					if !same(dst[j*ldd+i], want) {
						t.Fatalf("%d×%d: element %d of row %d is %v, want %v", rows, cols, i, j, dst[j*ldd+i], want)
					}
				}
			}
		}
	}
	small := make([]T, 5)
	mustPanic(t, func() { transpose(2, 3, small, 3, make([]T, 6), 2) }, ": s has 5 elements")
	mustPanic(t, func() { transpose(2, 3, make([]T, 6), 3, small, 2) }, ": d has 5 elements")
	mustPanic(t, func() { transpose(2, 3, make([]T, 6), 2, make([]T, 6), 2) }, ": lds = 2")
}

// aligned returns n elements that begin a cache line.
func aligned[T float](n int) []T {
	const line = 64
	memory := make([]T, n+line)
	first := int(-uintptr(unsafe.Pointer(&memory[0]))%line) / int(unsafe.Sizeof(memory[0]))
	return memory[first : first+n]
}
