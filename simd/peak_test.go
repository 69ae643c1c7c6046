package simd

import "testing"

// BenchmarkTile measures the micro-kernel alone, on panels that stay in the
// first-level cache: what products can reach at best.
func BenchmarkTile(b *testing.B) {
	benchmarkTile(b, "S", active.sgemm)
	benchmarkTile(b, "D", active.dgemm)
}

func benchmarkTile[T float](b *testing.B, name string, kernels *gemmKernels[T]) {
	b.Run(name, func(b *testing.B) {
		const k = 256
		tile, nr := kernels.tiles[0], kernels.nr
		x, y, c := randomSlice[T](tile.rows*k), randomSlice[T](nr*k), randomSlice[T](tile.rows*nr)
		for b.Loop() {
			for range 100 {
				tile.kernel(k, 1, &x[0], 1, tile.rows, &y[0], nr, 0, &c[0], nr)
			}
		}
		flops := 200 * float64(tile.rows*nr*k)
		b.ReportMetric(flops*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
	})
}
