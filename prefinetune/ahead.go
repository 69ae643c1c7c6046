package prefinetune

import "time"

// ahead prepares the batches of an update while the one before it is computed, on a core that
// is free. It is never further ahead than one update, which bounds what it holds. What is
// prepared depends on the update's number and the sampler alone, not on when.
type ahead[T any] struct {
	sampler *sampler
	prepare func(step int, examples [][]*example) T

	coming chan prepared[T] // nil unless an update is being prepared
	at     cursor           // where the sampler stood after the last update that was taken
	waited time.Duration    // for updates that were not ready
}

type prepared[T any] struct {
	step    int
	batches T
	after   cursor
	panics  any
}

func newAhead[T any](s *sampler, prepare func(step int, examples [][]*example) T) *ahead[T] {
	return &ahead[T]{sampler: s, prepare: prepare, at: s.Cursor}
}

// next returns the batches of a step and begins to prepare those of the step after it, unless
// that one is the last. Steps are taken in order.
func (a *ahead[T]) next(step int, last bool) T {
	began := time.Now()
	if a.coming == nil {
		a.begin(step)
	}
	p := <-a.coming
	a.coming = nil
	a.waited += time.Since(began)
	if p.panics != nil {
		panic(p.panics)
	}
	if p.step != step {
		panic("prefinetune: the batches of another step were prepared")
	}
	a.at = p.after
	if !last {
		a.begin(step + 1)
	}
	return p.batches
}

func (a *ahead[T]) begin(step int) {
	coming := make(chan prepared[T], 1) // so that nobody needs to take it
	a.coming = coming
	go func() {
		p := prepared[T]{step: step}
		defer func() {
			p.panics = recover()
			coming <- p
		}()
		p.batches = a.prepare(step, a.sampler.update())
		p.after = a.sampler.Cursor
	}()
}

// seek goes to a position that at held before.
func (a *ahead[T]) seek(c cursor) {
	if a.coming != nil {
		<-a.coming
		a.coming = nil
	}
	a.sampler.seek(c)
	a.at = c
}

// rest waits for what is being prepared and drops it, so that nothing is left running.
func (a *ahead[T]) rest() {
	if a.coming != nil {
		a.seek(a.at)
	}
}
