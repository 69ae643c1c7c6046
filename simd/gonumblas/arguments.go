package gonumblas

import "gonum.org/v1/gonum/blas"

// The functions below say whether arguments are right for the kernels. Wrong
// ones, and empty matrices and vectors, for which none of these holds, are
// gonum's to deal with.

// contiguous reports whether n elements, at least one, lie side by side in a
// slice of the given length.
func contiguous(n, length, inc int) bool { return inc == 1 && 0 < n && n <= length }

// strided reports whether n elements, at least one, lie inc or -inc > 0 apart in
// a slice of the given length.
func strided(n, length, inc int) bool {
	return inc != 0 && 0 < n && 0 < length && n-1 <= (length-1)/max(inc, -inc)
}

// fits reports whether rows×cols elements, at least one, lie in a slice of the
// given length with ld between the rows' beginnings.
func fits(length, rows, cols, ld int) bool {
	return rows > 0 && cols > 0 && ld >= cols && cols <= length && rows-1 <= (length-cols)/ld
}

// fitsOp is fits for the matrix of which op, named by t, is rows×cols.
func fitsOp(t blas.Transpose, length, rows, cols, ld int) bool {
	if t != blas.NoTrans {
		rows, cols = cols, rows
	}
	return isTranspose(t) && fits(length, rows, cols, ld)
}

func isTranspose(t blas.Transpose) bool {
	return t == blas.NoTrans || t == blas.Trans || t == blas.ConjTrans
}

func isUplo(ul blas.Uplo) bool { return ul == blas.Upper || ul == blas.Lower }

// work returns the number of multiplications of a product, in float64 because it
// may be beyond an int's range.
func work(m, n, k int) float64 { return float64(m) * float64(n) * float64(k) }
