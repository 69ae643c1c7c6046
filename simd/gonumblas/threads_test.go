package gonumblas

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"

	"gonum.org/v1/gonum/blas"
)

func TestThreads(t *testing.T) { forEach(t, testThreads[float32], testThreads[float64]) }

// testThreads checks that neither GOMAXPROCS nor other callers at the same time
// change a bit.
func testThreads[T float](t *testing.T, r routines[T]) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	const n, ld = 391, 400
	rng := rand.New(rand.NewPCG(8, 1))
	a := newOperand[T](rng, n, ld, ld)
	for i := range n { // well-conditioned as a triangle
		row := a.x[i*ld:][:ld]
		for j := range row {
			row[j] /= n
		}
		row[i] = 1
	}
	b, c := newOperand[T](rng, n, ld, ld), newOperand[T](rng, n, ld, ld)
	compute := func() []T {
		var results []T
		keep := func(x []T) { results = append(results, x...) }
		fresh := func() []T { return append([]T(nil), c.x[:n*ld]...) }
		for _, tA := range []blas.Transpose{blas.NoTrans, blas.Trans} {
			y := fresh()
			r.gemm(tA, blas.NoTrans, n, n, n, 0.7, a.x, ld, b.x, ld, 0.3, y, ld)
			keep(y)
			y = fresh()
			r.syrk(blas.Lower, tA, n, n, 0.7, a.x, ld, 0.3, y, ld)
			keep(y)
			for _, side := range []blas.Side{blas.Left, blas.Right} {
				y = fresh()
				r.trsm(side, blas.Upper, tA, blas.NonUnit, n, n, 0.7, a.x, ld, y, ld)
				keep(y)
			}
			y = fresh()
			r.gemv(tA, n, n, 0.7, a.x, ld, b.x, 1, 0.3, y, 1)
			keep(y[:n])
		}
		y := fresh()
		r.ger(n, n, 0.7, a.x, 1, b.x, 1, y, ld)
		keep(y)
		keep([]T{r.dot(n*ld, a.x, 1, b.x, 1), r.asum(n*ld, b.x, 1), r.nrm2(n*ld, b.x, 1)})
		return results
	}
	runtime.GOMAXPROCS(1)
	want := compute()
	same := func(procs int) {
		for i, v := range compute() {
			if bits(v) != bits(want[i]) {
				t.Errorf("result %d is %v with GOMAXPROCS %d, %v with 1", i, v, procs, want[i])
				return
			}
		}
	}
	for _, procs := range []int{2, 5}[:repeats(2)] {
		runtime.GOMAXPROCS(procs)
		same(procs)
	}
	var callers sync.WaitGroup
	for range 2 {
		callers.Add(1)
		go func() {
			defer callers.Done()
			same(5)
		}()
	}
	callers.Wait()
}
