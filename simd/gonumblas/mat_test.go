package gonumblas_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/blas/gonum"
	"gonum.org/v1/gonum/mat"

	"github.com/muppet-go/muppet/simd/gonumblas"
)

// TestMat runs gonum's factorisations of matrices through the kernels: they call
// BLAS on blocks within one matrix, with all kinds of flags and strides.
func TestMat(t *testing.T) {
	blas64.Use(gonumblas.Implementation{})
	defer blas64.Use(gonum.Implementation{})
	rng := rand.New(rand.NewPCG(9, 1))
	for _, n := range []int{5, 40, 150, 203} {
		a := mat.NewDense(n+7, n, nil)
		a.Apply(func(_, _ int, _ float64) float64 { return rng.NormFloat64() }, a)
		square := mat.DenseCopyOf(a.Slice(0, n, 0, n))
		check := func(name string, got, want mat.Matrix) {
			t.Helper()
			var difference mat.Dense
			difference.Sub(got, want)
			if off := mat.Norm(&difference, math.Inf(1)) / mat.Norm(want, math.Inf(1)); !(off < 1e-12) {
				t.Errorf("%s of %d columns: off by %g", name, n, off)
			}
		}
		product := func(factors ...mat.Matrix) mat.Matrix {
			var p mat.Dense
			p.Product(factors...)
			return &p
		}

		var qr mat.QR
		qr.Factorize(a)
		var q, r mat.Dense
		qr.QTo(&q)
		qr.RTo(&r)
		check("QR", product(&q, &r), a)

		var lu mat.LU
		lu.Factorize(square)
		var x mat.Dense
		if err := lu.SolveTo(&x, false, square); err != nil {
			t.Fatal(err)
		}
		check("LU", product(square, &x), square)

		var gram mat.SymDense
		gram.SymOuterK(1, a.T())
		check("SymOuterK", &gram, product(a.T(), a))
		var cholesky mat.Cholesky
		if !cholesky.Factorize(&gram) {
			t.Fatalf("a matrix of %d columns times itself is not positive definite", n)
		}
		var l mat.TriDense
		cholesky.LTo(&l)
		check("Cholesky", product(&l, l.T()), &gram)

		var svd mat.SVD
		if !svd.Factorize(a, mat.SVDThin) {
			t.Fatalf("no SVD of %d columns", n)
		}
		var u, v mat.Dense
		svd.UTo(&u)
		svd.VTo(&v)
		check("SVD", product(&u, mat.NewDiagDense(n, svd.Values(nil)), v.T()), a)

		var eigen mat.EigenSym
		if !eigen.Factorize(&gram, true) {
			t.Fatalf("no eigenvalues of %d columns", n)
		}
		eigen.VectorsTo(&v)
		check("EigenSym", product(&v, mat.NewDiagDense(n, eigen.Values(nil)), v.T()), &gram)
	}
}
