package simd

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

func randomSlice[T float](n int) []T {
	rng := rand.New(rand.NewPCG(1, uint64(n)))
	x := make([]T, n)
	for i := range x {
		x[i] = T(rng.NormFloat64())
	}
	return x
}

// forEachImplementation runs f as a subtest once with each set of kernels that
// the machine has.
func forEachImplementation(t *testing.T, f func(t *testing.T)) {
	defer func(before *implementation) { active = before }(active)
	for _, impl := range implementations {
		active = impl
		t.Run(impl.name, f)
	}
}

func BenchmarkGemm(b *testing.B) {
	for _, c := range []struct {
		transA, transB bool
		m, n, k        int
	}{
		{false, false, 128, 64, 128},
		{false, true, 128, 128, 64},
		{false, false, 128, 128, 128},
		{false, false, 1024, 1024, 1024},
		{false, true, 1024, 1024, 1024},
		{true, false, 1024, 1024, 1024},
		{false, true, 512, 3072, 768},
		{false, true, 512, 768, 3072},
		{false, false, 1, 3072, 768},
		{false, true, 1, 3072, 768},
		{false, true, 8, 3072, 768},
	} {
		name := fmt.Sprintf("%dx%dx%d", c.m, c.n, c.k)
		for _, t := range []bool{c.transA, c.transB} {
			name += map[bool]string{false: "N", true: "T"}[t]
		}
		lda, ldb := c.k, c.n
		if c.transA {
			lda = c.m
		}
		if c.transB {
			ldb = c.k
		}
		flops := 2 * float64(c.m) * float64(c.n) * float64(c.k)
		rate := func(b *testing.B) {
			b.ReportMetric(flops*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
		}
		s := [3][]float32{randomSlice[float32](c.m * c.k), randomSlice[float32](c.k * c.n), randomSlice[float32](c.m * c.n)}
		d := [3][]float64{randomSlice[float64](c.m * c.k), randomSlice[float64](c.k * c.n), randomSlice[float64](c.m * c.n)}
		b.Run("S/"+name+"/serial", func(b *testing.B) {
			for b.Loop() {
				SgemmSerial(c.transA, c.transB, c.m, c.n, c.k, 1, s[0], lda, s[1], ldb, 0, s[2], c.n)
			}
			rate(b)
		})
		b.Run("S/"+name+"/parallel", func(b *testing.B) {
			for b.Loop() {
				Sgemm(c.transA, c.transB, c.m, c.n, c.k, 1, s[0], lda, s[1], ldb, 0, s[2], c.n)
			}
			rate(b)
		})
		b.Run("D/"+name+"/serial", func(b *testing.B) {
			for b.Loop() {
				DgemmSerial(c.transA, c.transB, c.m, c.n, c.k, 1, d[0], lda, d[1], ldb, 0, d[2], c.n)
			}
			rate(b)
		})
		b.Run("D/"+name+"/parallel", func(b *testing.B) {
			for b.Loop() {
				Dgemm(c.transA, c.transB, c.m, c.n, c.k, 1, d[0], lda, d[1], ldb, 0, d[2], c.n)
			}
			rate(b)
		})
	}
}
