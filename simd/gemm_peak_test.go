package simd

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/muppet-go/muppet/internal/hugepage"
)

// BenchmarkGemmPeak measures products in alternation with the multipliers alone, as
// SPeak does, turn by turn of a few milliseconds, and reports the median of their ratios: %peak. A processor that
// others use too is slower at times, but then for both. Names end with the number
// of threads, which -cpu does not choose.
func BenchmarkGemmPeak(b *testing.B) {
	fmt.Println("simd: " + Implementation())
	b.Run("S", func(b *testing.B) {
		for _, s := range [][3]int{{128, 128, 128}, {256, 256, 256}, {512, 512, 512}, {1024, 1024, 1024}, {4096, 768, 3072}} {
			m, n, k := s[0], s[1], s[2]
			x, y, z := inHugePages(randomSlice[float32](m*k)), inHugePages(randomSlice[float32](k*n)), inHugePages(make([]float32, m*n))
			group := fmt.Sprintf("%d×%d×%d", m, n, k)
			for _, v := range transposes {
				lda, ldb := ld(v.transA, m, k), ld(v.transB, k, n)
				benchmarkPeak(b, group+"/"+v.name, SPeak, 2*float64(m*n)*float64(k), func() {
					Sgemm(v.transA, v.transB, m, n, k, 1, x, lda, y, ldb, 0, z, n)
				})
			}
			packed := SPack(true, k, n, y, k)
			benchmarkPeak(b, group+"/packed", SPeak, 2*float64(m*n)*float64(k), func() {
				SgemmPacked(false, m, 1, x, k, packed, 0, z, n, nil)
			})
		}
		for _, s := range [][3]int{{128, 128, 64}, {128, 64, 128}} {
			const batch = 96
			m, n, k := s[0], s[1], s[2]
			x, y, z := inHugePages(randomSlice[float32](batch*m*k)), inHugePages(randomSlice[float32](batch*k*n)), inHugePages(make([]float32, batch*m*n))
			transB := k == 64 // as attention multiplies
			benchmarkPeak(b, fmt.Sprintf("%d×(%d×%d×%d)", batch, m, n, k), SPeak, 2*batch*float64(m*n*k), func() {
				SgemmBatched(false, transB, batch, m, n, k, 1, x, k, m*k, y, ld(transB, k, n), k*n, 0, z, n, m*n)
			})
		}
	})
	b.Run("SB", func(b *testing.B) {
		for _, n := range []int{512, 1024} {
			x, y, z := inHugePages(randomSlice[float32](n*n)), inHugePages(randomSlice[float32](n*n)), inHugePages(make([]float32, n*n))
			group := fmt.Sprintf("%d×%d×%d", n, n, n)
			benchmarkPeak(b, group+"/NN", SBPeak, 2*float64(n*n)*float64(n), func() {
				SBgemm(false, false, n, n, n, 1, x, n, y, n, 0, z, n)
			})
			packed := SBPack(true, n, n, y, n)
			benchmarkPeak(b, group+"/packed", SBPeak, 2*float64(n*n)*float64(n), func() {
				SBgemmPacked(false, n, 1, x, n, packed, 0, z, n, nil)
			})
		}
	})
	b.Run("D", func(b *testing.B) {
		const n = 1024
		x, y, z := inHugePages(randomSlice[float64](n*n)), inHugePages(randomSlice[float64](n*n)), inHugePages(make([]float64, n*n))
		for _, v := range transposes {
			benchmarkPeak(b, "1024×1024×1024/"+v.name, DPeak, 2*float64(n*n)*float64(n), func() {
				Dgemm(v.transA, v.transB, n, n, n, 1, x, n, y, n, 0, z, n)
			})
		}
	})
}

// inHugePages returns a copy of x where buffers of devices and, if they are large, the
// kernels' own lie: in huge pages. The drivers that measure other libraries do so too.
func inHugePages[T float](x []T) []T {
	var s scratch[T]
	s.grow(max(len(x), hugepage.Size))
	return append(s.data[:0], x...)
}

var transposes = []struct {
	name           string
	transA, transB bool
}{{"NN", false, false}, {"NT", false, true}, {"TN", true, false}, {"TT", true, true}}

// ld returns the distance of the rows of a matrix as it lies in memory.
func ld(trans bool, rows, cols int) int {
	_, stored := stored(trans, rows, cols)
	return stored
}

func benchmarkPeak(b *testing.B, name string, peak func(threads int, d time.Duration) float64, flops float64, product func()) {
	for threads := 1; threads <= runtime.NumCPU(); threads *= 2 {
		b.Run(fmt.Sprintf("%s/%d", name, threads), func(b *testing.B) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(threads))
			product()
			start := time.Now()
			product()
			const turn = 3 * time.Millisecond
			repeats := 1 + int(turn/(time.Since(start)+1))
			var products, ratios []float64
			peaks := []float64{peak(threads, turn) / 1e9}
			for b.Loop() {
				start := time.Now()
				for range repeats {
					product()
				}
				took := time.Since(start)
				products = append(products, flops*float64(repeats)/took.Seconds()/1e9)
				peaks = append(peaks, peak(threads, max(turn, took/4))/1e9)
				i := len(products)
				ratios = append(ratios, 100*products[i-1]/((peaks[i-1]+peaks[i])/2))
			}
			for _, x := range [][]float64{products, peaks, ratios} {
				slices.Sort(x)
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(products[len(products)/2], "GFLOP/s")
			b.ReportMetric(peaks[len(peaks)/2], "peak-GFLOP/s")
			b.ReportMetric(ratios[len(ratios)/2], "%peak")
			b.ReportMetric(products[len(products)-1], "best-GFLOP/s")
			b.ReportMetric(peaks[len(peaks)-1], "best-peak-GFLOP/s")
		})
	}
}

// BenchmarkGemmThreeLoops alternates the product in plain Go, on one thread, with
// the three loops that a textbook has: ijk, which adds up one element of C after
// the other, and ikj, which passes along rows.
func BenchmarkGemmThreeLoops(b *testing.B) {
	const n = 1024
	x, y, z := randomSlice[float32](n*n), randomSlice[float32](n*n), make([]float32, n*n)
	kernels := generic().sgemm
	products := []struct {
		name string
		f    func()
		took time.Duration
	}{
		{name: "ours", f: func() {
			p := product[float32]{false, false, n, n, n, 1, x, n, y, n, 0, z, n, nil}
			p.run(kernels, false)
		}},
		{name: "ijk", f: func() {
			for i := range n {
				for j := range n {
					var sum float32
					for k := range n {
						sum += x[i*n+k] * y[k*n+j]
					}
					z[i*n+j] = sum
				}
			}
		}},
		{name: "ikj", f: func() {
			clear(z)
			for i := range n {
				row := z[i*n:][:n]
				for k := range n {
					a, from := x[i*n+k], y[k*n:][:n]
					for j := range row {
						row[j] += a * from[j]
					}
				}
			}
		}},
	}
	for b.Loop() {
		for i := range products {
			start := time.Now()
			products[i].f()
			products[i].took += time.Since(start)
		}
	}
	b.ReportMetric(0, "ns/op")
	for _, p := range products {
		b.ReportMetric(2e-9*n*n*n*float64(b.N)/p.took.Seconds(), p.name+"-GFLOP/s")
	}
}
