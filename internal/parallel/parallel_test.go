package parallel

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// checkOnce runs For over n indices and fails if one is not called exactly once.
func checkOnce(t *testing.T, n int) {
	t.Helper()
	counts := make([]atomic.Int32, n)
	For(n, func(i int) { counts[i].Add(1) })
	for i := range counts {
		if c := counts[i].Load(); c != 1 {
			t.Fatalf("n=%d: index %d was called %d times", n, i, c)
		}
	}
}

func TestForCallsEveryIndexOnce(t *testing.T) {
	for n := range 70 {
		checkOnce(t, n)
	}
	checkOnce(t, 100_000)
	For(-1, func(int) { t.Error("called for n = -1") })
}

func TestForAfterWorkersParked(t *testing.T) {
	for range 20 {
		time.Sleep(3 * spinWorker)
		checkOnce(t, 50)
	}
}

func TestRangeChunks(t *testing.T) {
	for _, n := range []int{0, 1, 6, 7, 8, 13, 14, 15, 1000} {
		var mu sync.Mutex
		covered := make([]int, n)
		Range(n, 7, func(lo, hi int) {
			mu.Lock()
			defer mu.Unlock()
			if lo%7 != 0 || (hi-lo != 7 && hi != n) || hi <= lo {
				t.Errorf("n=%d: chunk [%d, %d)", n, lo, hi)
			}
			for i := lo; i < hi; i++ {
				covered[i]++
			}
		})
		for i, c := range covered {
			if c != 1 {
				t.Errorf("n=%d: index %d covered %d times", n, i, c)
			}
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("a grain of 0 did not panic")
		}
	}()
	Range(5, 0, func(lo, hi int) {})
}

func TestNestedCallsRunInline(t *testing.T) {
	var total atomic.Int64
	For(20, func(int) {
		last := -1
		For(30, func(j int) {
			if j != last+1 {
				t.Errorf("nested index %d after %d", j, last)
			}
			last = j
			total.Add(1)
		})
	})
	if total.Load() != 600 {
		t.Errorf("%d nested calls, want 600", total.Load())
	}
}

func TestConcurrentCallers(t *testing.T) {
	var wg sync.WaitGroup
	for range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for n := range 200 {
				checkOnce(t, n)
			}
		}()
	}
	wg.Wait()
}

func TestPanicReachesCaller(t *testing.T) {
	for round := range 200 {
		bad := round % 100
		got := func() (r any) {
			defer func() { r = recover() }()
			For(100, func(i int) {
				if i == bad {
					panic(fmt.Sprint("index ", i))
				}
			})
			return nil
		}()
		if want := fmt.Sprint("index ", bad); got != want {
			t.Fatalf("recovered %v, want %v", got, want)
		}
		checkOnce(t, 64)
	}
}

func TestGoexitLeavesPoolUsable(t *testing.T) {
	for range 50 {
		done := make(chan struct{})
		go func() {
			defer close(done)
			For(8, func(i int) {
				time.Sleep(20 * time.Microsecond)
				if i >= 2 {
					runtime.Goexit()
				}
			})
		}()
		<-done
		checkOnce(t, 64)
	}
}

func TestGOMAXPROCSChanges(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for round := range 60 {
		runtime.GOMAXPROCS(1 + round%4)
		checkOnce(t, 100)
	}
	// One processor allowed: everything runs on the caller, in order.
	runtime.GOMAXPROCS(1)
	last := -1
	For(100, func(i int) {
		if i != last+1 {
			t.Fatalf("index %d after %d with GOMAXPROCS 1", i, last)
		}
		last = i
	})
}

func TestNoMoreGoroutinesThanProcs(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for procs := 1; procs <= 4; procs++ {
		runtime.GOMAXPROCS(procs)
		var now, most atomic.Int32
		For(200, func(int) {
			level := now.Add(1)
			for m := most.Load(); level > m && !most.CompareAndSwap(m, level); m = most.Load() {
			}
			time.Sleep(10 * time.Microsecond)
			now.Add(-1)
		})
		if int(most.Load()) > procs {
			t.Errorf("%d bodies at once with GOMAXPROCS %d", most.Load(), procs)
		}
	}
}

func TestForDoesNotAllocate(t *testing.T) {
	var sum atomic.Int64
	body := func(i int) { sum.Add(int64(i)) }
	if allocs := testing.AllocsPerRun(100, func() { For(100, body) }); allocs >= 1 {
		t.Errorf("%v allocations a call", allocs)
	}
}

// work keeps a core busy for about d, measured once so that it does not look at
// the clock.
var stepsPerMicrosecond = func() float64 {
	const steps = 2_000_000
	best := time.Hour
	for range 5 {
		start := time.Now()
		sink.Store(spinSteps(steps))
		best = min(best, time.Since(start))
	}
	return steps / (float64(best.Nanoseconds()) / 1e3)
}()

var sink atomic.Uint64

func spinSteps(n int) uint64 {
	x := uint64(1)
	for range n {
		x = x*6364136223846793005 + 1442695040888963407
	}
	return x
}

// BenchmarkHandOver splits a task of the given length in two and reports how
// many times faster than on one goroutine it is done, by the median of both. A
// gap is serial work between the tasks.
func BenchmarkHandOver(b *testing.B) {
	for _, length := range []int{5, 20, 100, 500, 5000} {
		for _, gap := range []int{0, 50} {
			b.Run(fmt.Sprintf("%dus/gap=%dus", length, gap), func(b *testing.B) {
				steps := int(stepsPerMicrosecond * float64(length))
				half := func(int) { sink.Store(spinSteps(steps / 2)) }
				var parallel, serial []time.Duration
				for b.Loop() {
					// A few at a time, as the operations of a step.
					for range 10 {
						sink.Store(spinSteps(int(stepsPerMicrosecond * float64(gap))))
						start := time.Now()
						For(2, half)
						parallel = append(parallel, time.Since(start))
					}
					for range 10 {
						start := time.Now()
						half(0)
						half(1)
						serial = append(serial, time.Since(start))
					}
				}
				slices.Sort(parallel)
				slices.Sort(serial)
				b.ReportMetric(float64(serial[len(serial)/2])/float64(parallel[len(parallel)/2]), "speed-up")
			})
		}
	}
}
