// Package gonumblas gives programs that use gonum the kernels of package simd.
//
// gonum.org/v1/gonum computes through an implementation of BLAS that can be
// exchanged. One line, before the first computation, exchanges it for
// everything that is built on it, mat, stat and lapack among others:
//
//	blas64.Use(gonumblas.Implementation{})
//	blas32.Use(gonumblas.Implementation{}) // for float32
//
// # What is replaced
//
// In float32 and float64 alike:
//
//	Level 1  Dot, Axpy, Scal, Nrm2, Asum    of contiguous vectors
//	Level 2  Gemv, Ger                      of wide matrices
//	Level 3  Gemm, Syrk, Trsm               of all but the smallest
//
// All other routines are gonum's own, and so are those above where gonum's are
// as fast: at small sizes, with increments other than 1 in level 1 and negative
// ones in level 2. Which one computes depends on the sizes, flags and
// increments alone. Arguments are checked as by gonum, with the same messages,
// before anything is written.
//
// # Threads
//
// Gemm, Syrk and Trsm use up to GOMAXPROCS threads, as Gemv and Ger do for large
// matrices. The number of threads does not change a bit of a result; another
// implementation of package simd (see there) may change the last ones.
//
// # NaN and infinities
//
// gonum's products skip zeros in one of the factors, so that 0·NaN and 0·Inf
// count as 0 there. Gemm and Syrk here do not skip: such an element of C is
// NaN. Trsm skips zeros in the small triangles on the diagonal of A, which
// gonum's solves, and nowhere else; with side Right it does not skip zeros in B,
// so that a zero on the diagonal of A gives NaN. As in gonum, matrices that are
// multiplied by a zero alpha or beta are not read, and what they hold does not
// survive.
//
// Nrm2 is exact where squares overflow or underflow, as gonum's is.
//
// # Aliasing
//
// As in BLAS, what is written must not overlap what is read, except where an
// argument is both: the C of a product must not share elements with A or B.
// Blocks of one matrix that interleave in memory without sharing elements are
// fine.
package gonumblas

import "gonum.org/v1/gonum/blas/gonum"

// Implementation implements blas.Float32 and blas.Float64 of
// gonum.org/v1/gonum/blas. Its zero value is ready, and it may be used by
// several goroutines.
//
// The embedded implementation is gonum's, which also provides the complex
// routines. It gets all calls that it serves as well, and those with wrong
// arguments, so that it is the one that panics.
type Implementation struct {
	gonum.Implementation

	always bool // use the kernels where gonum's are faster too: for tests
}

// gains reports whether to use a kernel, given whether that was measured to be
// faster than gonum's at the sizes of a call.
func (impl Implementation) gains(measured bool) bool { return measured || impl.always }

// float is the element type of what is written once for both precisions.
type float interface{ float32 | float64 }
