package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/muppet-go/muppet/simd"
)

const benchUsage = `usage: muppet bench gemm [flags]

Measures matrix products beside the peak: their multiplications alone, on registers, on
as many threads. Both take turns, so that a busy machine slows both; shown are the
medians and the best. Products of bfloat16 are those of float32
matrices that are rounded as they are read. MUPPET_SIMD chooses the kernels.

`

// shapes is a flag: "256,512x768x768", sides of squares or m×n×k.
type shapes [][3]int

func (s *shapes) String() string {
	var all []string
	for _, x := range *s {
		all = append(all, fmt.Sprintf("%dx%dx%d", x[0], x[1], x[2]))
	}
	return strings.Join(all, ",")
}

func (s *shapes) Set(list string) error {
	*s = nil
	for _, one := range strings.Split(list, ",") {
		sides := strings.Split(one, "x")
		if len(sides) == 1 {
			sides = []string{one, one, one}
		}
		var shape [3]int
		for i, side := range sides {
			n, err := strconv.Atoi(side)
			if err != nil || n < 1 || n > 1<<14 || len(sides) != 3 {
				return fmt.Errorf("%q: want a side or MxNxK, each 1 to %d", one, 1<<14)
			}
			shape[i] = n
		}
		*s = append(*s, shape)
	}
	return nil
}

func benchCommand(ctx context.Context, args []string, stdout io.Writer) error {
	set := flag.NewFlagSet("muppet bench gemm", flag.ContinueOnError)
	sizes := shapes{{128, 128, 128}, {256, 256, 256}, {512, 512, 512}, {1024, 1024, 1024}, {4096, 768, 3072}}
	set.Var(&sizes, "sizes", "comma-separated `list` of sides or MxNxK")
	d := set.Duration("time", time.Second, "how long to measure each line")
	if len(args) > 0 && args[0] == "gemm" {
		args = args[1:]
	} else if len(args) == 0 || !strings.HasPrefix(args[0], "-") {
		return fmt.Errorf("bench: what is to be measured? There is: gemm\n%w", errUsage)
	}
	if done, err := parse(set, benchUsage, args, 0, stdout); done || err != nil {
		return err
	}
	threads := []int{1}
	if n := runtime.GOMAXPROCS(0); n > 1 {
		threads = append(threads, n)
	}
	fmt.Fprintf(stdout, "%s kernels; GFLOP/s\n", simd.Implementation())
	fmt.Fprintf(stdout, "%-8s  %-14s  %7s  %8s  %8s  %6s  %8s  %9s\n", "type", "m×n×k", "threads", "product", "peak", "share", "best", "best peak")
	for _, t := range []struct {
		name  string
		peak  func(threads int, d time.Duration) float64
		start func(m, n, k int) func()
	}{{"float32", simd.SPeak, sgemm}, {"bfloat16", simd.SBPeak, sbgemm}, {"float64", simd.DPeak, dgemm}} {
		for _, s := range sizes {
			product := t.start(s[0], s[1], s[2])
			for _, n := range threads {
				if ctx.Err() != nil {
					return errors.New("bench: interrupted")
				}
				rates, peaks := alternate(*d, 2*float64(s[0])*float64(s[1])*float64(s[2]), n, product, t.peak)
				middle, peak := rates[len(rates)/2], peaks[len(peaks)/2]
				fmt.Fprintf(stdout, "%-8s  %-14s  %7d  %8.1f  %8.1f  %4.0f %%  %8.1f  %9.1f\n", t.name, fmt.Sprintf("%d×%d×%d", s[0], s[1], s[2]), n,
					middle, peak, 100*middle/peak, rates[len(rates)-1], peaks[len(peaks)-1])
			}
		}
	}
	return nil
}

// alternate runs product and the peak in turns for a duration, on so many threads, and
// returns GFLOP/s of both, sorted. A turn is a millisecond or one product, whichever is
// longer.
func alternate(d time.Duration, flops float64, threads int, product func(), peak func(int, time.Duration) float64) (rates, peaks []float64) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(threads))
	product() // packs into memory that is there already from now on
	for start := time.Now(); len(rates) == 0 || time.Since(start) < d; {
		turn, done := time.Now(), 0
		for done == 0 || time.Since(turn) < time.Millisecond {
			product()
			done++
		}
		took := time.Since(turn)
		rates = append(rates, flops*float64(done)/took.Seconds()/1e9)
		peaks = append(peaks, peak(threads, took)/1e9)
	}
	slices.Sort(rates)
	slices.Sort(peaks)
	return rates, peaks
}

func sgemm(m, n, k int) func() {
	a, b, c := normal32(m*k), normal32(k*n), make([]float32, m*n)
	return func() { simd.Sgemm(false, false, m, n, k, 1, a, k, b, n, 0, c, n) }
}

func sbgemm(m, n, k int) func() {
	a, b, c := normal32(m*k), normal32(k*n), make([]float32, m*n)
	return func() { simd.SBgemm(false, false, m, n, k, 1, a, k, b, n, 0, c, n) }
}

func dgemm(m, n, k int) func() {
	a, b, c := normal64(m*k), normal64(k*n), make([]float64, m*n)
	return func() { simd.Dgemm(false, false, m, n, k, 1, a, k, b, n, 0, c, n) }
}

func normal64(n int) []float64 {
	rng := rand.New(rand.NewPCG(1, uint64(n)))
	x := make([]float64, n)
	for i := range x {
		x[i] = rng.NormFloat64()
	}
	return x
}

func normal32(n int) []float32 {
	x := make([]float32, n)
	for i, v := range normal64(n) {
		x[i] = float32(v)
	}
	return x
}
