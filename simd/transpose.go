package simd

import "unsafe"

// STranspose writes the transpose of src, a matrix of rows×cols with rows lds
// elements apart, to dst, with rows ldd apart: dst[j·ldd+i] = src[i·lds+j]. Elements
// are moved as bits. dst and src must not overlap. It panics if a matrix does not
// fit in its slice.
func STranspose(rows, cols int, src []float32, lds int, dst []float32, ldd int) {
	transpose("STranspose", active.sgemm, &rows32, rows, cols, src, lds, dst, ldd, false)
}

// DTranspose is STranspose in float64.
func DTranspose(rows, cols int, src []float64, lds int, dst []float64, ldd int) {
	transpose("DTranspose", active.dgemm, &rows64, rows, cols, src, lds, dst, ldd, false)
}

// STransposeStream is STranspose for parts of a matrix that is larger than the caches:
// where it can, it writes dst past them, which spares reading it first. Whoever reads
// dst next reads it from memory.
func STransposeStream(rows, cols int, src []float32, lds int, dst []float32, ldd int) {
	transpose("STransposeStream", active.sgemm, &rows32, rows, cols, src, lds, dst, ldd, true)
}

// DTransposeStream is STransposeStream in float64.
func DTransposeStream(rows, cols int, src []float64, lds int, dst []float64, ldd int) {
	transpose("DTransposeStream", active.dgemm, &rows64, rows, cols, src, lds, dst, ldd, true)
}

// transpose goes by as many rows as a panel of a matrix product has, whose packing
// transposes, and by so many columns that a panel stays in the first-level cache.
func transpose[T float](name string, kernels *gemmKernels[T], list *freeList[scratch[T]], rows, cols int, src []T, lds int, dst []T, ldd int, stream bool) {
	checkMatrix(name, "s", len(src), rows, cols, lds)
	checkMatrix(name, "d", len(dst), cols, rows, ldd)
	nr := kernels.nr
	const most = 64 // columns
	const line = 64 // bytes
	size := unsafe.Sizeof(*new(T))
	stream = stream && kernels.stream != nil && len(dst) > 0 &&
		uintptr(unsafe.Pointer(&dst[0]))%line == 0 && uintptr(ldd)*size%line == 0
	room := borrow(list, most*nr)
	defer list.put(room)
	panel := room.data
	wholeRows, wholeCols := 0, cols/kernels.packStep*kernels.packStep
	if wholeCols > 0 {
		wholeRows = rows / nr * nr
	}
	for j := 0; j < wholeCols; j += most {
		width := min(most, wholeCols-j)
		for i := 0; i < wholeRows; i += nr {
			kernels.packColumns(&panel[0], &src[i*lds+j], lds, width)
			if stream {
				kernels.stream(&dst[j*ldd+i], &panel[0], ldd, width)
				continue
			}
			for p := range width {
				copy(dst[(j+p)*ldd+i:][:nr], panel[p*nr:])
			}
		}
	}
	for i := range rows {
		first := 0
		if i < wholeRows {
			first = wholeCols
		}
		for j := first; j < cols; j++ {
			dst[j*ldd+i] = src[i*lds+j]
		}
	}
}
