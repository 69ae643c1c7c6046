package gonumblas

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"
)

func BenchmarkS(b *testing.B) {
	benchmark(b, single(Implementation{}, false), single(gonum.Implementation{}, false))
}

func BenchmarkD(b *testing.B) {
	benchmark(b, double(Implementation{}, false), double(gonum.Implementation{}, false))
}

// benchmark runs the replaced routines and gonum's in turn, on numbers from a
// normal distribution, and reports multiplications and additions a second.
func benchmark[T float](b *testing.B, ours, theirs routines[T]) {
	rng := rand.New(rand.NewPCG(10, 1))
	random := func(n int) []T {
		x := make([]T, n)
		for i := range x {
			x[i] = T(rng.NormFloat64())
		}
		return x
	}
	compare := func(name string, flops float64, run func(r routines[T])) {
		for implementation, r := range map[string]routines[T]{"ours": ours, "gonum": theirs} {
			b.Run(name+"/"+implementation, func(b *testing.B) {
				for b.Loop() {
					run(r)
				}
				b.ReportMetric(flops*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			})
		}
	}

	for _, n := range []int{1000, 1_000_000} {
		x, y := random(n), random(n)
		const tiny = 1e-9 // so that repeated sums stay in range
		compare(fmt.Sprint("Dot", n), 2*float64(n), func(r routines[T]) { r.dot(n, x, 1, y, 1) })
		compare(fmt.Sprint("Axpy", n), 2*float64(n), func(r routines[T]) { r.axpy(n, tiny, x, 1, y, 1) })
		compare(fmt.Sprint("Scal", n), float64(n), func(r routines[T]) { r.scal(n, -1, x, 1) })
		compare(fmt.Sprint("Nrm2", n), 2*float64(n), func(r routines[T]) { r.nrm2(n, x, 1) })
		compare(fmt.Sprint("Asum", n), float64(n), func(r routines[T]) { r.asum(n, x, 1) })
	}
	{
		const n = 1024
		a, x, y := random(n*n), random(n), random(n)
		for _, tA := range []blas.Transpose{blas.NoTrans, blas.Trans} {
			compare(fmt.Sprintf("Gemv%d%c", n, tA), 2*n*n, func(r routines[T]) { r.gemv(tA, n, n, 1, a, n, x, 1, 0, y, 1) })
		}
		compare(fmt.Sprint("Ger", n), 2*n*n, func(r routines[T]) { r.ger(n, n, 1e-9, x, 1, y, 1, a, n) })
	}
	for _, n := range []int{64, 256, 1024} {
		x, y, z := random(n*n), random(n*n), random(n*n)
		compare(fmt.Sprint("Gemm", n), 2*float64(n)*float64(n)*float64(n), func(r routines[T]) {
			r.gemm(blas.NoTrans, blas.NoTrans, n, n, n, 1, x, n, y, n, 0, z, n)
		})
	}
	const n = 512
	a, c := random(n*n), random(n*n)
	compare(fmt.Sprint("Syrk", n), n*n*n, func(r routines[T]) {
		r.syrk(blas.Lower, blas.NoTrans, n, n, 1, a, n, 0, c, n)
	})
	for i := range a { // a triangle whose inverse is not large
		a[i] /= n
	}
	for _, side := range []blas.Side{blas.Left, blas.Right} {
		compare(fmt.Sprintf("Trsm%d%c", n, side), n*n*n, func(r routines[T]) {
			r.trsm(side, blas.Lower, blas.NoTrans, blas.Unit, n, n, 1, a, n, c, n)
		})
	}
}
