package simd

import (
	"slices"
	"testing"
	"time"
)

// BenchmarkVector measures kernels on 1024 elements, which stay in the first-level
// cache: the best of many calls, in nanoseconds and in cycles of the clock that a
// chain of multiplications beside them shows.
func BenchmarkVector(b *testing.B) {
	const n, cols = 1024, 256
	dst, x, y, z := make([]float32, n), randomSlice[float32](n), randomSlice[float32](n + 1)[:n], randomSlice[float32](n + 2)[:n]
	mean, rstd := make([]float32, n/cols), make([]float32, n/cols)
	dgamma, dbeta := make([]float32, cols), make([]float32, cols)
	var sink float32
	for _, c := range []struct {
		name string
		run  func()
	}{
		{"Add", func() { SAdd(dst, x, y) }},
		{"Div", func() { SDiv(dst, x, y) }},
		{"Max", func() { SMax(dst, x, y) }},
		{"Less", func() { SLess(dst, x, y) }},
		{"Select", func() { SSelect(dst, x, y, z) }},
		{"MulAdd", func() { SMulAdd(dst, x, y, z) }},
		{"Axpy", func() { SAxpy(1e-9, x, dst) }},
		{"Fill", func() { SFill(dst, 1) }},
		{"Sqrt", func() { SSqrt(dst, x) }},
		{"Exp", func() { SExp(dst, x) }},
		{"Log", func() { SLog(dst, x) }},
		{"Tanh", func() { STanh(dst, x) }},
		{"Erf", func() { SErf(dst, x) }},
		{"Sigmoid", func() { SSigmoid(dst, x) }},
		{"GELU", func() { SGELU(dst, x) }},
		{"GELUGrad", func() { SGELUGrad(dst, x) }},
		{"SoftmaxRows", func() { SSoftmaxRows(dst, x, cols) }},
		{"LogSumExpRows", func() { SLogSumExpRows(mean, x, cols) }},
		{"LayerNormRows", func() { SLayerNormRows(dst, mean, rstd, x, y[:cols], z[:cols], 1e-5) }},
		{"LayerNormGradRows", func() { SLayerNormGradRows(dst, dgamma, dbeta, y, x, z[:cols], mean, rstd) }},
		{"Sum", func() { sink += SSum(x) }},
		{"Dot", func() { sink += SDot(x, y) }},
		{"MaxOf", func() { sink += SMaxOf(x) }},
		{"Uniform", func() { SUniform(dst, 1, 2, 3) }},
		{"BFloat16Round", func() { BFloat16Round(dst, x) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			best, cycle := time.Hour, float64(time.Hour)
			for b.Loop() {
				cycle = min(cycle, cycleTime())
				start := time.Now()
				for range 100 {
					c.run()
				}
				best = min(best, time.Since(start))
			}
			perElement := float64(best.Nanoseconds()) / (100 * n)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(perElement, "best-ns/element")
			b.ReportMetric(perElement/cycle, "cycles/element")
		})
	}
	_ = sink
}

// cycleTime returns how many nanoseconds a cycle lasts, from a chain of
// multiplications of integers, each of which takes three on every processor of the
// last ten years that has the kernels measured.
func cycleTime() float64 {
	const steps = 10000
	x := uint64(1)
	start := time.Now()
	for range steps {
		x *= 0x9e3779b97f4a7c15
	}
	took := time.Since(start)
	if x == 0 {
		panic("a product of odd numbers is zero")
	}
	return float64(took.Nanoseconds()) / (3 * steps)
}

// BenchmarkVectorMemory measures kernels on 64 MiB, beyond all caches, on one
// thread, in alternation with copying the same by pieces of 64 KiB. %copy is the
// median of the ratio of both's bytes a second, read and written.
func BenchmarkVectorMemory(b *testing.B) {
	const n, cols = 1 << 24, 1024
	dst, x := make([]float32, n), randomSlice[float32](n)
	mean, rstd, gamma, beta := make([]float32, n/cols), make([]float32, n/cols), randomSlice[float32](cols), randomSlice[float32](cols)
	for _, c := range []struct {
		name    string
		traffic float64 // elements read and written for each of x
		run     func()
	}{
		{"AddScalar", 2, func() { SAddScalar(dst, x, 1) }},
		{"Exp", 2, func() { SExp(dst, x) }},
		{"Tanh", 2, func() { STanh(dst, x) }},
		{"GELU", 2, func() { SGELU(dst, x) }},
		{"Sum", 1, func() { mean[0] = SSum(x) }},
		{"SoftmaxRows", 2, func() { SSoftmaxRows(dst, x, cols) }},
		{"LogSumExpRows", 1, func() { SLogSumExpRows(mean, x, cols) }},
		{"LayerNormRows", 2, func() { SLayerNormRows(dst, mean, rstd, x, gamma, beta, 1e-5) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			c.run()
			var rates, copies, ratios []float64
			for b.Loop() {
				start := time.Now()
				for i := 0; i < n; i += blockLen {
					copy(dst[i:i+blockLen], x[i:])
				}
				middle := time.Now()
				c.run()
				end := time.Now()
				copies = append(copies, 2*4*n/float64(middle.Sub(start).Nanoseconds()))
				rates = append(rates, c.traffic*4*n/float64(end.Sub(middle).Nanoseconds()))
				ratios = append(ratios, 100*rates[len(rates)-1]/copies[len(copies)-1])
			}
			for _, s := range [][]float64{rates, copies, ratios} {
				slices.Sort(s)
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(rates[len(rates)/2], "GB/s")
			b.ReportMetric(copies[len(copies)/2], "copy-GB/s")
			b.ReportMetric(ratios[len(ratios)/2], "%copy")
		})
	}
}
