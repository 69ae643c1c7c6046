package simd

import (
	"sync"
	"unsafe"

	"github.com/muppet-go/muppet/internal/hugepage"
)

// A scratch is a reusable buffer that begins at a cache line and, if it is large, lies in
// huge pages.
type scratch[T float] struct {
	data []T
}

const cacheLine = 64

// grow makes data at least n elements long. Its content is lost.
func (s *scratch[T]) grow(n int) {
	if n <= len(s.data) {
		return
	}
	var zero T
	size := int(unsafe.Sizeof(zero))
	align, large := cacheLine, n*size >= hugepage.Size/2
	if large {
		align = hugepage.Size
	}
	data := make([]T, n+n/4+align/size)
	if misplaced := int(uintptr(unsafe.Pointer(&data[0])) % uintptr(align)); misplaced > 0 {
		data = data[(align-misplaced)/size:]
	}
	if large {
		hugepage.Advise(unsafe.Pointer(&data[0]), len(data)*size)
	}
	s.data = data
}

// A freeList keeps used values for the next caller. Unlike a sync.Pool it is not
// emptied by the garbage collector: what it holds is needed at every step.
type freeList[V any] struct {
	mu   sync.Mutex
	free []*V
}

// get returns a value that was put, or nil.
func (f *freeList[V]) get() *V {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.free) == 0 {
		return nil
	}
	v := f.free[len(f.free)-1]
	f.free = f.free[:len(f.free)-1]
	return v
}

func (f *freeList[V]) put(v *V) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.free = append(f.free, v)
}

func ceilDiv(a, b int) int { return (a + b - 1) / b }

// evenBlock returns the length of the blocks into which n is cut, as few as
// possible of at most limit: a multiple of unit, so that all but the last are
// equal.
func evenBlock(n, limit, unit int) int {
	blocks := ceilDiv(n, limit)
	return min(limit, ceilDiv(ceilDiv(n, blocks), unit)*unit)
}
