package simd

import (
	"sync/atomic"
	"time"

	"github.com/muppet-go/muppet/internal/parallel"
)

// SPeak measures what Sgemm can reach at best: the floating-point operations a
// second of its micro-kernel on operands in the first-level cache, on so many
// threads at once (at most GOMAXPROCS), for about the duration. That is all but
// the limit of the multipliers. A processor that others use too is slower at
// times, so a product is best compared with a measurement right before or after it.
func SPeak(threads int, d time.Duration) float64 { return peak(active.sgemm, threads, d) }

// DPeak is SPeak for Dgemm.
func DPeak(threads int, d time.Duration) float64 { return peak(active.dgemm, threads, d) }

// SBPeak is SPeak for SBgemm.
func SBPeak(threads int, d time.Duration) float64 { return peak(active.sbgemm, threads, d) }

func peak[T float](kernels *gemmKernels[T], threads int, d time.Duration) float64 {
	const k, batch = 256, 50
	tile, nr := kernels.tiles[0], kernels.nr
	var batches atomic.Int64
	start := time.Now()
	parallel.For(threads, func(i int) {
		var a, b, c scratch[T]
		a.grow(tile.rows * k)
		b.grow(nr * k)
		c.grow(tile.rows * nr)
		for _, x := range [][]T{a.data, b.data} {
			for j := range x {
				x[j] = 1 / T(1+j) // zeros need less power
			}
		}
		for done := false; !done; done = time.Since(start) >= d {
			for range batch {
				tile.kernel(k, 1, &a.data[0], 1, tile.rows, &b.data[0], nr, 0, &c.data[0], nr, 1, 0, 0)
			}
			batches.Add(1)
		}
	})
	operations := 2 * tile.rows * nr * k * batch
	if kernels.pairs {
		operations *= 2
	}
	return float64(operations) * float64(batches.Load()) / time.Since(start).Seconds()
}
