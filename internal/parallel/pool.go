package parallel

import (
	"runtime"
	"sync/atomic"
	"time"
)

const (
	// spinWorker is how long an idle worker stays awake: longer than the gaps
	// between the operations of a training step, and short enough that a
	// process which has stopped computing soon uses no processor. It yields all
	// the while, so that staying awake costs others little. After serial work of
	// 500 µs a worker that waited for 200 had to be woken, and BenchmarkHandOver
	// showed no gain from two threads.
	spinWorker = time.Millisecond

	// spinCaller is how long a caller that has run out of indices stays awake
	// for those that others still work on.
	spinCaller = 50 * time.Microsecond
)

// Threads returns how many goroutines a loop is spread over, its own included, if
// there is enough to do: min(GOMAXPROCS, number of processors).
func Threads() int { return min(runtime.GOMAXPROCS(0), runtime.NumCPU()) }

// For calls body(0) … body(n-1), each exactly once, on the calling goroutine
// and up to min(GOMAXPROCS, number of processors)-1 workers, and returns when
// all calls have. GOMAXPROCS is read at each call.
//
// A call from inside a body, or while another goroutine's loop has the workers,
// runs all of its indices on the calling goroutine, in order. If a body panics,
// indices not yet begun may be left out, and For panics with the value of the
// first panic once the others have come to rest.
func For(n int, body func(i int)) {
	workers := min(n, Threads()) - 1
	if workers < 1 || !shared.busy.CompareAndSwap(false, true) {
		for i := 0; i < n; i++ {
			body(i)
		}
		return
	}
	shared.run(n, workers, body)
}

// A pool runs one loop at a time. The fields of the loop are written while no
// worker is assigned, and an atomic write to a worker's state hands them over.
type pool struct {
	busy    atomic.Bool
	workers []*worker

	n      int
	body   func(i int)
	failed atomic.Pointer[failure]
	asleep atomic.Bool   // the caller is about to wait on finish
	finish chan struct{} // capacity 1: a worker has come to rest

	_    [64]byte // every index writes next; keep it off the line of the rest
	next atomic.Int64
	_    [64]byte
}

// A failure holds the value of a panic.
type failure struct{ value any }

var shared = pool{finish: make(chan struct{}, 1)}

func (p *pool) run(n, workers int, body func(i int)) {
	for len(p.workers) < workers {
		w := &worker{pool: p, wake: make(chan struct{}, 1)}
		p.workers = append(p.workers, w)
		go w.loop()
	}
	p.n, p.body = n, body
	p.next.Store(0)
	p.failed.Store(nil)
	assigned := p.workers[:workers]
	for _, w := range assigned {
		if w.state.Swap(stateAssigned) == stateParked {
			w.wake <- struct{}{}
		}
	}
	// Deferred so that the pool stays usable when body panics or exits here.
	defer func() {
		p.next.Store(int64(n))
		for _, w := range assigned {
			p.await(w)
		}
		p.body = nil
		failed := p.failed.Load()
		p.busy.Store(false)
		if failed != nil {
			panic(failed.value)
		}
	}()
	p.claim()
}

// claim runs indices until none is left or one has panicked.
func (p *pool) claim() {
	defer func() {
		if r := recover(); r != nil {
			p.failed.CompareAndSwap(nil, &failure{r})
			p.next.Store(int64(p.n))
		}
	}()
	n, body := int64(p.n), p.body
	for i := p.next.Add(1) - 1; i < n; i = p.next.Add(1) - 1 {
		body(int(i))
	}
}

// await returns when w works for this loop no more. A worker that has not begun
// yet, perhaps because its thread is still waking up, is not waited for.
func (p *pool) await(w *worker) {
	if w.state.CompareAndSwap(stateAssigned, stateIdle) {
		return
	}
	running := func() bool { return w.state.Load() == stateRunning }
	if !spinWhile(running, spinCaller) {
		return
	}
	p.asleep.Store(true)
	for running() {
		<-p.finish
	}
	p.asleep.Store(false)
}

// The states of a worker. The caller assigns and revokes, the worker does the
// rest.
const (
	stateIdle     = iota // awake, watching its state
	stateParked          // needs a token on wake
	stateAssigned        // may begin on the pool's loop
	stateRunning         // must be waited for
)

type worker struct {
	pool  *pool
	wake  chan struct{} // capacity 1
	_     [64]byte
	state atomic.Uint32
	_     [64]byte
}

func (w *worker) loop() {
	// A body that ends its goroutine (runtime.Goexit) takes the worker with it.
	defer func() { go w.loop() }()
	unassigned := func() bool { return w.state.Load() != stateAssigned }
	for {
		if spinWhile(unassigned, spinWorker) && w.state.CompareAndSwap(stateIdle, stateParked) {
			<-w.wake
		}
		if w.state.CompareAndSwap(stateAssigned, stateRunning) {
			w.work()
		}
	}
}

func (w *worker) work() {
	defer func() {
		w.state.Store(stateIdle)
		if w.pool.asleep.Load() {
			select {
			case w.pool.finish <- struct{}{}:
			default: // an earlier token will make the caller look
			}
		}
	}()
	w.pool.claim()
}

// spinWhile polls cond until it is false or the time is over, and reports its
// last value.
func spinWhile(cond func() bool, limit time.Duration) bool {
	for range 32 { // the common short wait, without a look at the clock
		if !cond() {
			return false
		}
		pause(4)
	}
	start := time.Now()
	for time.Since(start) < limit {
		for range 16 {
			if !cond() {
				return false
			}
			pause(8)
		}
		yield()
	}
	return cond()
}
