package autograd

// Gradients collects what Backward computes, by tensor, in memory of its own outside
// every scope. The first gradient after a Reset overwrites, later ones add, so that
// nothing needs zeroing and several Backward calls accumulate. It belongs to one
// goroutine.
type Gradients struct {
	entries map[*Tensor]*gradient
}

type gradient struct {
	grad  *Tensor
	fresh bool // written since Reset
}

// NewGradients returns an empty collection.
func NewGradients() *Gradients { return &Gradients{entries: map[*Tensor]*gradient{}} }

// Get returns the gradient of t, or nil if there was none since Reset. It is
// overwritten by the next Backward.
func (g *Gradients) Get(t *Tensor) *Tensor { return g.entries[key(t)].get() }

// Reset forgets all gradients, keeping their memory. Optimisers call it at the end
// of a step.
func (g *Gradients) Reset() {
	for t, e := range g.entries {
		e.fresh = false
		if t.node != nil { // a retained result, gone with its step
			delete(g.entries, t)
		}
	}
}

func (g *Gradients) add(t, grad *Tensor, own bool) {
	e := g.entries[t]
	if e == nil {
		e = &gradient{}
		g.entries[t] = e
	}
	e.add(t, grad, own)
}

func (e *gradient) get() *Tensor {
	if e == nil || !e.fresh {
		return nil
	}
	return e.grad
}

// add is told a gradient of t by a backward pass. With own, grad's memory is
// nobody else's and is taken instead of copied.
func (e *gradient) add(t, grad *Tensor, own bool) {
	if e.grad == nil {
		_, size := sizeClass(t.size) // as grad's, so that the two can be exchanged
		st := &storage{dev: t.store.dev, buf: t.store.dev.Alloc(t.DType(), size), dtype: t.DType()}
		e.grad = header(st, nil, 0, t.size, t.shape)
	}
	mine, its := e.grad.store, grad.store
	switch {
	case e.fresh:
		addInto(e.grad, grad)
	case own && grad.offset == 0 && its.buf.Len() == mine.buf.Len():
		mine.buf, its.buf = its.buf, mine.buf
	default:
		copyInto(e.grad, grad)
	}
	mine.version++
	e.fresh = true
}
