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
//	Level 1  Dot, Axpy, Scal, Nrm2, Asum
//	Level 2  Gemv, Ger
//	Level 3  Gemm, Syrk, Trsm
//
// All other routines are gonum's own, and so are these where gonum's were
// measured to be as fast: for small vectors and matrices, in level 1 with
// increments other than 1, and in Gemv with negative ones. Which of the two
// computes depends on the sizes, flags and increments alone. Where package simd
// has no assembly for the machine, it is gonum's. Arguments are checked as by
// gonum, with the same messages, before anything is written.
//
// With negative increments Ger is replaced at all sizes and on all machines:
// gonum's assembly does not compute the product then (as of version 0.17).
//
// # Threads
//
// Level 2 and 3 use up to GOMAXPROCS threads where matrices are large. The number
// of threads does not change a bit of a result; another implementation of
// package simd (see there) may change the last ones.
//
// # NaN and infinities
//
// gonum's products skip zeros in one of the factors, so that 0·NaN and 0·Inf
// count as 0 there. The kernels do not skip: such an element of C is NaN. So it
// is in Gemm and Syrk unless the product is so small (hundreds of
// multiplications, or a few rows and columns) that gonum's computes it. Trsm
// skips zeros of A in the small triangles on its diagonal, which gonum's solves,
// and nowhere else; in particular, with side Right it does not skip zeros of B,
// so that a zero on the diagonal of A gives NaN.
//
// As BLAS has it, what is multiplied by a zero alpha or beta is not read, and
// NaN in it does not survive. (In gonum 0.17, Gemm with a zero alpha and Syrk of
// a lower triangle with transposed A and a zero beta let it through.)
//
// Nrm2 is right where squares overflow or underflow, as gonum's is.
//
// # Aliasing
//
// As in BLAS, what is written must not overlap what is read, except where an
// argument is both: the C of a product must not share elements with A or B.
// Blocks of one matrix that interleave in memory without sharing elements are
// fine.
package gonumblas

import (
	"gonum.org/v1/gonum/blas/gonum"

	"github.com/muppet-go/muppet/simd"
)

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

// gains reports whether to use a kernel, given whether its assembly was measured
// to be faster than gonum's at the sizes of a call.
func (impl Implementation) gains(measured bool) bool { return measured && assembly || impl.always }

// assembly is whether package simd has some for this machine. gonum's is faster
// than plain Go.
var assembly = simd.Implementation() != "generic"

// float is the element type of what is written once for both precisions.
type float interface{ float32 | float64 }
