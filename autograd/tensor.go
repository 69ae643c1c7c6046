package autograd

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/muppet-go/muppet/device"
	_ "github.com/muppet-go/muppet/device/cpu" // the default device
)

// A Tensor is a contiguous, row-major n-dimensional array on a device. It is a
// value: nothing but Mutate changes its elements.
type Tensor struct {
	shape  []int
	size   int
	store  *storage
	offset int
	scope  *Scope

	node     *node   // how it was made; nil for a leaf
	index    int32   // which of node's outputs it is
	requires bool    // a leaf that gradients are wanted for
	origin   *Tensor // the leaf that this header brought into a scope
	name     string  // in pictures of the graph

	hooks []*hook // of a leaf

	grad *gradient // what the method Backward collected

	dims [4]int // where shape is, if it has no more axes: one object less for the garbage collector
}

// header returns a leaf without history that shows elements of st from offset on. It
// has no pointer to anything else, so that it keeps no graph alive.
func header(st *storage, scope *Scope, offset, size int, shape []int) *Tensor {
	t := &Tensor{size: size, store: st, offset: offset, scope: scope}
	t.setShape(shape)
	return t
}

func (t *Tensor) setShape(shape []int) { t.shape = append(t.dims[:0], shape...) }

// storage is the memory that a tensor and its views share.
type storage struct {
	dev     device.Device
	buf     device.Buffer // nil once the memory went back to its scope
	dtype   device.DType
	version uint64 // raised by Mutate
	scope   *Scope
	began   time.Duration // when it was asked for, in a traced scope
	refs    int           // holders inside the engine: saved by a node, or a gradient on its way
	loose   bool          // its frame has ended: goes back with the last holder
}

// New returns a tensor with a copy of data, a []float32, []float64, []int32, or
// []uint16 of bfloat16 bits. Without a shape it is a vector. It panics unless the
// shape's product is the length of data.
func New(data any, shape ...int) *Tensor { return NewOn(device.Default(), data, shape...) }

// NewOn is New on a device of the caller's choice.
func NewOn(dev device.Device, data any, shape ...int) *Tensor {
	return newTensor(dev, nil, data, orVector(data, shape))
}

func orVector(data any, shape []int) []int {
	if len(shape) > 0 {
		return shape
	}
	_, n := describe(data)
	return []int{n}
}

func newTensor(dev device.Device, scope *Scope, data any, shape []int) *Tensor {
	dtype, n := describe(data)
	if numel(shape) != n {
		panic(fmt.Sprintf("autograd: New: %d elements for shape %v", n, slices.Clone(shape)))
	}
	t := alloc(dev, scope, dtype, shape)
	dev.Write(t.Slice(), data)
	return t
}

// Scalar returns a float32 tensor without dimensions.
func Scalar(v float64) *Tensor { return Full(device.Float32, v) }

// Full returns a tensor of the given type and shape with every element v.
func Full(dtype device.DType, v float64, shape ...int) *Tensor {
	t := alloc(device.Default(), nil, dtype, shape)
	t.store.dev.Fill(t.Slice(), v)
	return t
}

// Zeros returns a float32 tensor of zeros.
func Zeros(shape ...int) *Tensor { return Full(device.Float32, 0, shape...) }

func describe(data any) (device.DType, int) {
	switch d := data.(type) {
	case []float32:
		return device.Float32, len(d)
	case []float64:
		return device.Float64, len(d)
	case []int32:
		return device.Int32, len(d)
	case []uint16:
		return device.BFloat16, len(d)
	}
	panic(fmt.Sprintf("autograd: cannot make a tensor of %T", data))
}

// numel, as all that is given a shape, lets only a copy of it escape: the caller's can
// then be on the stack.
func numel(shape []int) int {
	n := 1
	for _, d := range shape {
		if d < 0 {
			panic(fmt.Sprintf("autograd: negative dimension in shape %v", slices.Clone(shape)))
		}
		n *= d
	}
	return n
}

// alloc returns a tensor with arbitrary contents.
func alloc(dev device.Device, scope *Scope, dtype device.DType, shape []int) *Tensor {
	n := numel(shape)
	s := &storage{dev: dev, dtype: dtype, scope: scope}
	if scope != nil {
		s.buf = scope.take(dev, dtype, n)
		scope.live = append(scope.live, s)
		if scope.trace != nil {
			dev.Sync()
			s.began = scope.trace.now()
		}
	} else {
		s.buf = dev.Alloc(dtype, n)
	}
	return header(s, scope, 0, n, shape)
}

// Shape returns the dimensions. The caller must not change them.
func (t *Tensor) Shape() []int { return t.shape }

// Dim returns dimension i; negative i counts from the last.
func (t *Tensor) Dim(i int) int {
	at := i
	if i < 0 {
		at += len(t.shape)
	}
	if at < 0 || at >= len(t.shape) {
		panic(fmt.Sprintf("autograd: Dim: no dimension %d in shape %v", i, t.shape))
	}
	return t.shape[at]
}

// Len returns the number of elements.
func (t *Tensor) Len() int { return t.size }

// DType returns the element type.
func (t *Tensor) DType() device.DType { return t.store.dtype }

// Device returns the device that holds t.
func (t *Tensor) Device() device.Device { return t.store.dev }

// Scope returns the scope that t's memory belongs to, or nil.
func (t *Tensor) Scope() *Scope { return t.scope }

// Slice returns t's elements on its device, for operations. It panics if the
// memory went back to its scope.
func (t *Tensor) Slice() device.Slice {
	if t.store.buf == nil {
		panic(fmt.Sprintf("autograd: %s: %s is used after its memory went back to its scope (Scope.Reset or the end of its Frame)", operationName(), t.describe()))
	}
	return device.Slice{Buffer: t.store.buf, Offset: t.offset, Len: t.size}
}

// RequireGrad marks a leaf as one that gradients are wanted for, and returns it.
// It panics for integers and for results of operations.
func (t *Tensor) RequireGrad() *Tensor {
	if t.node != nil {
		panic(fmt.Sprintf("autograd: RequireGrad: %s is a result; use RetainGrad to see its gradient", t.describe()))
	}
	if !t.DType().IsFloat() {
		panic(fmt.Sprintf("autograd: RequireGrad: %s has no gradients", t.describe()))
	}
	t.requires = true
	return t
}

// RequiresGrad reports whether gradients flow to t.
func (t *Tensor) RequiresGrad() bool { return t.requires || t.node != nil }

// RetainGrad asks that Backward also gives the gradient of t, a result that is
// not a leaf. It returns t.
func (t *Tensor) RetainGrad() *Tensor {
	if t.node != nil {
		if t.node.retain == nil {
			t.node.retain = map[int]*Tensor{}
		}
		t.node.retain[int(t.index)] = t
	}
	return t
}

// Detach returns t without its history; it shares t's memory.
func (t *Tensor) Detach() *Tensor {
	return header(t.store, t.scope, t.offset, t.size, t.shape)
}

// View returns a tensor of the given shape on t's memory from element offset on,
// without history. Operations that reshape or slice record their own.
func View(t *Tensor, offset int, shape ...int) *Tensor {
	n := numel(shape)
	if offset < 0 || offset+n > t.size {
		panic(fmt.Sprintf("autograd: View: %d elements from %d of %s", n, offset, t.describe()))
	}
	return header(t.store, t.scope, t.offset+offset, n, shape)
}

// Float32s returns a copy of the elements of a float32 tensor, in row-major order.
func (t *Tensor) Float32s() []float32 {
	out := make([]float32, t.size)
	t.read(out)
	return out
}

// Float64s returns a copy of the elements as float64, from any type but bfloat16.
func (t *Tensor) Float64s() []float64 {
	out := make([]float64, t.size)
	switch t.DType() {
	case device.Float64:
		t.read(out)
	case device.Float32:
		for i, v := range t.Float32s() {
			out[i] = float64(v)
		}
	case device.Int32:
		for i, v := range t.Int32s() {
			out[i] = float64(v)
		}
	default:
		panic(fmt.Sprintf("autograd: Float64s of %s", t.describe()))
	}
	return out
}

// Int32s returns a copy of the elements of an int32 tensor.
func (t *Tensor) Int32s() []int32 {
	out := make([]int32, t.size)
	t.read(out)
	return out
}

func (t *Tensor) read(dst any) {
	if dtype, _ := describe(dst); dtype != t.DType() {
		panic(fmt.Sprintf("autograd: reading %s as %v", t.describe(), dtype))
	}
	t.store.dev.Read(dst, t.Slice())
}

// Item returns the element of a tensor that has just one.
func (t *Tensor) Item() float64 {
	if t.size != 1 {
		panic(fmt.Sprintf("autograd: Item of %s", t.describe()))
	}
	return t.Float64s()[0]
}

func (t *Tensor) describe() string {
	return fmt.Sprintf("Tensor%v %v", t.shape, t.DType())
}

// String gives shape, type and the first elements.
func (t *Tensor) String() string {
	const shown = 12
	var s strings.Builder
	s.WriteString(t.describe())
	if t.store.buf == nil {
		return s.String() + " (memory went back to its scope)"
	}
	if t.DType() == device.BFloat16 {
		return s.String()
	}
	v := View(t, 0, min(t.size, shown)).Float64s()
	s.WriteString(" [")
	for i, x := range v {
		if i > 0 {
			s.WriteByte(' ')
		}
		if t.DType() == device.Int32 {
			fmt.Fprintf(&s, "%d", int32(x))
		} else {
			fmt.Fprintf(&s, "%.6g", x)
		}
	}
	if t.size > shown {
		s.WriteString(" …")
	}
	s.WriteByte(']')
	return s.String()
}

// Mutate is the one way to write into existing tensors: it calls write with their
// elements on the device and gives their memory a new version. It panics for a
// tensor that is the result of a recorded operation.
func Mutate(write func(dst ...device.Slice), tensors ...*Tensor) {
	dst := make([]device.Slice, len(tensors))
	for i, t := range tensors {
		if t.node != nil {
			panic(fmt.Sprintf("autograd: Mutate: %s is the result of %s, which gradients flow through", t.describe(), t.node.rule.Name()))
		}
		dst[i] = t.Slice()
	}
	write(dst...)
	for _, t := range tensors {
		t.store.version++
	}
}

// Try calls f and returns the *device.Error that it panicked with, if any. Other
// panics pass through.
func Try(f func()) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case *device.Error:
			err = r
		default:
			panic(r)
		}
	}()
	f()
	return nil
}
