package simd

import "unsafe"

// genericGemm returns the kernels of matrix products in plain Go.
func genericGemm[T float]() *gemmKernels[T] {
	return &gemmKernels[T]{
		tiles:       []tileKernel[T]{{2, repeat(2, tile2[T])}, {1, repeat(1, tile1[T])}},
		nr:          4,
		packRows:    packRowsGeneric[T],
		packSlices:  packSlicesGeneric[T],
		packColumns: packColumnsGeneric[T],
		packStep:    1,
		kc:          256, nc: 1024,
		taskRows: 64, taskCols: 128,
	}
}

// at returns element i of the array that p points to.
func at[T float](p *T, i int) *T {
	return (*T)(unsafe.Add(unsafe.Pointer(p), uintptr(i)*unsafe.Sizeof(*p)))
}

// repeat makes a kernel of many tiles of one for a single tile.
func repeat[T float](rows int, tile func(k int, alpha T, a *T, rsa, csa int, b *T, ldb int, beta T, c *T, ldc int)) func(k int, alpha T, a *T, rsa, csa int, b *T, ldb int, beta T, c *T, ldc, tiles, nextA, ahead int) {
	return func(k int, alpha T, a *T, rsa, csa int, b *T, ldb int, beta T, c *T, ldc, tiles, nextA, ahead int) {
		for i := range tiles {
			tile(k, alpha, at(a, i*nextA), rsa, csa, b, ldb, beta, at(c, i*rows*ldc), ldc)
		}
	}
}

// tile2 computes a tile of 2×4 elements.
func tile2[T float](k int, alpha T, a *T, rsa, csa int, b *T, ldb int, beta T, c *T, ldc int) {
	s := sums2(k, a, rsa, csa, b, ldb)
	for i := range s {
		updateRow(s[i], alpha, beta, unsafe.Slice(at(c, i*ldc), 4))
	}
}

// sums2 adds up two columns after the other two: more sums at a time than half of
// the registers would be kept in memory. The conversions keep a compiler from
// fusing products and sums, which would make the result depend on the
// architecture.
func sums2[T float](k int, a *T, rsa, csa int, b *T, ldb int) (s [2][4]T) {
	for j := 0; j < 4; j += 2 {
		var s00, s01, s10, s11 T
		// Offsets, since a pointer must not go past the end of its array.
		atA, atB := 0, j
		for range k {
			a0, a1 := *at(a, atA), *at(a, atA+rsa)
			row := (*[2]T)(unsafe.Pointer(at(b, atB)))
			b0, b1 := row[0], row[1]
			s00 += T(a0 * b0)
			s10 += T(a1 * b0)
			s01 += T(a0 * b1)
			s11 += T(a1 * b1)
			atA += csa
			atB += ldb
		}
		s[0][j], s[0][j+1], s[1][j], s[1][j+1] = s00, s01, s10, s11
	}
	return s
}

// tile1 is tile2 for a single row.
func tile1[T float](k int, alpha T, a *T, rsa, csa int, b *T, ldb int, beta T, c *T, ldc int) {
	var s0, s1, s2, s3 T
	for p := range k {
		row := unsafe.Slice(at(b, p*ldb), 4)
		a0 := *at(a, p*csa)
		s0 += T(a0 * row[0])
		s1 += T(a0 * row[1])
		s2 += T(a0 * row[2])
		s3 += T(a0 * row[3])
	}
	updateRow([4]T{s0, s1, s2, s3}, alpha, beta, unsafe.Slice(c, 4))
}

// updateRow sets c to alpha·s + beta·c, without reading c if beta is 0.
func updateRow[T float](s [4]T, alpha, beta T, c []T) {
	for j := range s {
		v := T(alpha * s[j])
		if beta != 0 {
			v += T(beta * c[j])
		}
		c[j] = v
	}
}

func packRowsGeneric[T float](dst, src *T, ld, k int) {
	to := unsafe.Slice(dst, 4*k)
	for p := range k {
		copy(to[4*p:4*p+4], unsafe.Slice(at(src, p*ld), 4))
	}
}

func packSlicesGeneric[T float](dst, src *T, ld, k int) {
	to := unsafe.Slice(dst, 2*k)
	for p := range k {
		copy(to[2*p:2*p+2], unsafe.Slice(at(src, p*ld), 2))
	}
}

func packColumnsGeneric[T float](dst, src *T, ld, k int) {
	to := unsafe.Slice(dst, 4*k)
	for i := range 4 {
		for p, v := range unsafe.Slice(at(src, i*ld), k) {
			to[4*p+i] = v
		}
	}
}
