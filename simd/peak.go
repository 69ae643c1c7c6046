package simd

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/muppet-go/muppet/internal/parallel"
)

// SPeak measures what Sgemm can reach at best: the floating-point operations a
// second of its multiplications alone, on registers, on so many threads at once (at
// most GOMAXPROCS), for about the duration. A processor that others use too is slower
// at times, so a product is best compared with a measurement right before or after it.
// In plain Go it is the micro-kernel's on operands in the first-level cache.
func SPeak(threads int, d time.Duration) float64 { return peak(active.sgemm, threads, d) }

// DPeak is SPeak for Dgemm.
func DPeak(threads int, d time.Duration) float64 { return peak(active.dgemm, threads, d) }

// SBPeak is SPeak for SBgemm.
func SBPeak(threads int, d time.Duration) float64 { return peak(active.sbgemm, threads, d) }

func peak[T float](kernels *gemmKernels[T], threads int, d time.Duration) float64 {
	const rounds = 4096
	tile, nr := kernels.tiles[0], kernels.nr
	multiply := kernels.multiply
	if multiply == nil {
		a, b, c := make([]T, tile.rows), make([]T, nr), make([]T, tile.rows*nr)
		for _, x := range [][]T{a, b} {
			for i := range x {
				x[i] = 1 / T(1+i) // zeros need less power
			}
		}
		multiply = func(n int, _ T) {
			c := slices.Clone(c)
			tile.kernel(n, 1, &a[0], 1, 0, &b[0], 0, 0, &c[0], nr, 1, 0, 0)
		}
	}
	var done atomic.Int64
	start := time.Now()
	parallel.For(threads, func(int) {
		for ended := false; !ended; ended = time.Since(start) >= d {
			multiply(rounds, 1.5)
			done.Add(1)
		}
	})
	operations := 2 * tile.rows * nr * rounds
	if kernels.pairs {
		operations *= 2
	}
	return float64(operations) * float64(done.Load()) / time.Since(start).Seconds()
}
