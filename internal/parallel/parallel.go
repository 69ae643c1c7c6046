// Package parallel runs loops over a pool of workers that stay awake between
// the operations of a training step.
//
// How work is handed over decides whether splitting a task of less than a
// millisecond gains anything: waking a sleeping thread costs tens of
// microseconds. Workers therefore spin on an atomic for a bounded time after a
// job and park only when nothing came; the caller publishes a job, works on it
// itself, and waits in the same way.
//
// Which goroutine runs which index depends on timing, so a caller that wants
// the same bits at any GOMAXPROCS splits its work by shape alone and lets no
// index depend on another.
package parallel

// Range cuts [0, n) into chunks of grain (the last one may be shorter) and
// calls body(lo, hi) once for each, as For does. The chunks depend on n and
// grain only. It panics if grain < 1.
func Range(n, grain int, body func(lo, hi int)) {
	if grain < 1 {
		panic("parallel: Range: grain must be at least 1")
	}
	if n <= grain {
		if n > 0 {
			body(0, n)
		}
		return
	}
	chunks := (n-1)/grain + 1
	For(chunks, func(i int) {
		lo := i * grain
		body(lo, min(lo+grain, n))
	})
}
