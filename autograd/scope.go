package autograd

import (
	"fmt"
	"math/bits"

	"github.com/muppet-go/muppet/device"
)

// A Scope owns the memory of tensors and takes it back as a whole. It belongs to
// one goroutine. With a nil *Scope its methods do nothing special: tensors are then
// garbage collected.
type Scope struct {
	parent  *Scope
	noGrad  bool
	anomaly bool       // see DetectAnomaly
	trace   *Trace     // see Scope.Trace
	live    []*storage // in the order they were made; some may have gone back already
	pool    *pool
}

// pool keeps memory that went back, by size class.
type pool struct {
	free map[poolKey][]device.Buffer
}

type poolKey struct {
	dev   device.Device
	dtype device.DType
	class int
}

// NewScope returns an empty scope.
func NewScope() *Scope { return &Scope{pool: &pool{free: map[poolKey][]device.Buffer{}}} }

// Sub returns a scope inside s that shares its memory and is reset on its own.
// Results of tensors from both belong to the inner one.
func (s *Scope) Sub() *Scope {
	if s == nil {
		return nil
	}
	return &Scope{parent: s, noGrad: s.noGrad, anomaly: s.anomaly, trace: s.trace, pool: s.pool}
}

// NoGrad makes operations on the scope's tensors record nothing, for inference,
// and returns the scope. It panics for a nil scope.
func (s *Scope) NoGrad() *Scope {
	if s == nil {
		panic("autograd: NoGrad of a nil Scope; use NewScope().NoGrad()")
	}
	s.noGrad = true
	return s
}

// Of brings t into the scope, so that results made of it belong there. It shares
// t's memory, and gradients flow to t.
func (s *Scope) Of(t *Tensor) *Tensor {
	if s == nil || t.scope == s {
		return t
	}
	v := *t
	v.setShape(t.shape)
	v.scope = innermost(s, t.scope, t)
	if t.node == nil && t.origin == nil {
		v.origin = t
	}
	return &v
}

// New is autograd.New with memory of the scope.
func (s *Scope) New(data any, shape ...int) *Tensor {
	return newTensor(device.Default(), s, data, orVector(data, shape))
}

// Reset ends a step: all memory of the scope goes back, and its tensors must not be
// used any more.
func (s *Scope) Reset() {
	if s == nil {
		return
	}
	for i, st := range s.live {
		s.giveBack(st)
		s.live[i] = nil
	}
	s.live = s.live[:0]
}

// Frame calls f and then takes back all memory that f took from the scope, other
// than its result's. What the graph saved for the backward pass goes back when that
// has used it. So a frame around each layer holds no more than the layer's results
// during inference, and no more than what Backward needs during training.
func (s *Scope) Frame(f func() *Tensor) *Tensor {
	if s == nil {
		return f()
	}
	mark := s.mark()
	y := f()
	s.endFrame(mark, y)
	return y
}

// mark is where a frame begins.
func (s *Scope) mark() int {
	if s == nil {
		return 0
	}
	return len(s.live)
}

// endFrame takes back what was made since mark, other than the results.
func (s *Scope) endFrame(mark int, results ...*Tensor) {
	if s == nil {
		return
	}
	if mark > len(s.live) {
		panic("autograd: Scope.Reset inside a Frame of the same scope")
	}
	kept := s.live[:mark]
	for _, st := range s.live[mark:] {
		switch {
		case st.buf == nil:
		case isResult(st, results):
			kept = append(kept, st)
		case st.refs > 0:
			st.loose = true
			kept = append(kept, st)
		default:
			s.giveBack(st)
		}
	}
	clear(s.live[len(kept):])
	s.live = kept
}

func isResult(st *storage, results []*Tensor) bool {
	for _, t := range results {
		if t != nil && t.store == st {
			return true
		}
	}
	return false
}

// Keep returns a copy of t, without history, that outlives its scope.
func Keep(t *Tensor) *Tensor {
	c := alloc(t.store.dev, nil, t.DType(), t.shape)
	copyInto(c, t)
	return c
}

func copyInto(dst, src *Tensor) {
	room := []int{1, src.size}
	one, n := room[:1], room[1:]
	src.store.dev.Strided(dst.Slice(), 0, one, src.Slice(), 0, one, n)
}

// innermost returns the inner of two scopes, one of which must contain the other.
func innermost(a, b *Scope, tensors ...*Tensor) *Scope {
	if a == nil || a == b {
		return b
	}
	if b == nil {
		return a
	}
	for s := a; s != nil; s = s.parent {
		if s == b {
			return a
		}
	}
	for s := b; s != nil; s = s.parent {
		if s == a {
			return b
		}
	}
	panic(fmt.Sprintf("autograd: %s: tensors of unrelated scopes: %s", operationName(), describeAll(tensors)))
}

// take returns memory for at least n elements: the smallest that is free, or new
// memory rather than more than twice what is needed.
func (s *Scope) take(dev device.Device, dtype device.DType, n int) device.Buffer {
	class, size := sizeClass(n)
	for next, bound := class, 2*size; ; {
		k := poolKey{dev, dtype, next}
		if free := s.pool.free[k]; len(free) > 0 {
			b := free[len(free)-1]
			s.pool.free[k] = free[:len(free)-1]
			return b
		}
		if next, n = sizeClass((next&31)<<(next>>5) + 1); n > bound {
			return dev.Alloc(dtype, size)
		}
	}
}

func (s *Scope) giveBack(st *storage) {
	if st.buf == nil {
		return
	}
	class, size := sizeClass(st.buf.Len())
	if size != st.buf.Len() {
		panic("autograd: memory of an unknown size class went back to a scope")
	}
	k := poolKey{st.dev, st.dtype, class}
	s.pool.free[k] = append(s.pool.free[k], st.buf)
	st.buf = nil
}

// sizeClass rounds a number of elements up to one of eight steps per power of
// two, so that at most an eighth of a buffer is unused.
func sizeClass(n int) (class, size int) {
	const least = 64
	n = max(n, least)
	shift := bits.Len(uint(n-1)) - 4 // n-1 has 4 bits above shift
	steps := (n-1)>>shift + 1        // 9..16, or 8 for an exact power before
	return shift<<5 | steps, steps << shift
}

// hold and release count the engine's holders of a scope's memory. Other memory may
// be shared by goroutines, and the garbage collector knows who holds it.
func (st *storage) hold() {
	if st.scope != nil {
		st.refs++
	}
}

func (st *storage) release() {
	if st.scope == nil {
		return
	}
	st.refs--
	if st.refs == 0 && st.loose {
		st.scope.giveBack(st)
	}
}

// settle makes memory that the engine held an ordinary part of its scope.
func (st *storage) settle() {
	if st.scope != nil {
		st.refs--
		st.loose = false
	}
}
