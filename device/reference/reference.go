// Package reference computes slowly, one scalar after the other, and as
// unhelpfully as the contract of package device allows. Its results are what
// other devices are compared with, and tests run on it to find code that assumes
// more than the contract says:
//
//   - Every operation runs later, on a goroutine of the device's own. What goes
//     wrong there, such as an index out of range, is raised by the next Read or Sync.
//   - Memory from Alloc is filled with NaN (integers with a conspicuous number),
//     and so is memory after Free; so is what a conversion that the contract
//     leaves open gives. A buffer used after Free panics at the call.
//   - Buffers begin at odd places, and words before and after them are checked.
//   - Arguments are checked strictly: types, exact lengths, overlaps, and that
//     the destinations of Strided are distinct.
//
// Every primitive is computed in float64 and rounded to the type of its buffer;
// sums are kept in float64.
//
// Importing the package registers the device "reference".
package reference

import (
	"fmt"
	"math"
	"slices"

	"github.com/muppet-go/muppet/device"
)

func init() { device.Register("reference", New) }

// machine is the device. Its queue goroutine owns everything below jobs.
type machine struct {
	jobs chan func()

	failure any                  // of the first job that failed since the last wait
	touched map[*buffer]struct{} // written since the last wait
}

// New returns a reference device of its own, with a goroutine that never ends.
func New() device.Device {
	d := &machine{jobs: make(chan func(), 256), touched: map[*buffer]struct{}{}}
	go func() {
		for job := range d.jobs {
			d.attempt(job)
		}
	}()
	return d
}

func (d *machine) Name() string { return "reference" }

// attempt runs a job and remembers why it failed.
func (d *machine) attempt(job func()) {
	defer func() {
		if r := recover(); r != nil && d.failure == nil {
			d.failure = r
		}
	}()
	job()
}

// run queues an operation that writes to the outputs.
func (d *machine) run(job func(), outputs ...view) {
	d.jobs <- func() {
		for _, v := range outputs {
			d.touched[v.b] = struct{}{}
		}
		job()
	}
}

// fail ends a job with an error that the next wait raises.
func (d *machine) fail(op, format string, args ...any) {
	panic(&device.Error{Device: d.Name(), Op: op, Err: fmt.Errorf(format, args...)})
}

// wait returns when the queue is empty, and raises what went wrong in it.
func (d *machine) wait() {
	done := make(chan any)
	d.jobs <- func() {
		for b := range d.touched {
			d.attempt(b.checkGuards)
		}
		clear(d.touched)
		failure := d.failure
		d.failure = nil
		done <- failure
	}
	if failure := <-done; failure != nil {
		panic(failure)
	}
}

// The largest buffer, in elements. More is taken for a mistake.
const maxLen = min(1<<32, math.MaxInt/16)

func (d *machine) Alloc(t device.DType, n int) device.Buffer {
	t.Size() // panics if there is no such type
	if n < 0 {
		panic(fmt.Sprintf("reference: Alloc of %d elements", n))
	}
	if n > maxLen {
		d.fail("Alloc", "out of memory for %d elements of %v", n, t)
	}
	return newBuffer(d, t, n)
}

func (d *machine) Free(b device.Buffer) {
	v := d.view("Free", "buffer", device.Slice{Buffer: b, Len: b.Len()}, b.Len())
	v.b.freed.Store(true)
	d.run(func() {
		v.b.checkGuards()
		v.b.poison()
	})
}

func (d *machine) Write(dst device.Slice, src any) {
	n, t := host("Write", src)
	v := d.view("Write", "dst", dst, n, t)
	words := make([]uint64, n)
	switch src := src.(type) {
	case []float32:
		for i, x := range src {
			words[i] = bits32(x)
		}
	case []float64:
		for i, x := range src {
			words[i] = bits64(x)
		}
	case []int32:
		for i, x := range src {
			words[i] = uint64(uint32(x))
		}
	case []uint16:
		for i, x := range src {
			words[i] = uint64(x)
		}
	}
	d.run(func() {
		for i, w := range words {
			v.setWord(i, w)
		}
	}, v)
}

func (d *machine) Read(dst any, src device.Slice) {
	n, t := host("Read", dst)
	v := d.view("Read", "src", src, n, t)
	words := make([]uint64, n)
	d.run(func() {
		for i := range words {
			words[i] = v.word(i)
		}
	})
	d.wait()
	switch dst := dst.(type) {
	case []float32:
		for i, w := range words {
			dst[i] = fromBits32(w)
		}
	case []float64:
		for i, w := range words {
			dst[i] = fromBits64(w)
		}
	case []int32:
		for i, w := range words {
			dst[i] = int32(uint32(w))
		}
	case []uint16:
		for i, w := range words {
			dst[i] = uint16(w)
		}
	}
}

// host returns the length of a host slice and the element type it holds.
func host(op string, s any) (int, device.DType) {
	switch s := s.(type) {
	case []float32:
		return len(s), device.Float32
	case []float64:
		return len(s), device.Float64
	case []int32:
		return len(s), device.Int32
	case []uint16:
		return len(s), device.BFloat16
	}
	panic(fmt.Sprintf("reference: %s: a %T on the host, want []float32, []float64, []int32 or []uint16", op, s))
}

func (d *machine) Sync() { d.wait() }

func (d *machine) Fill(dst device.Slice, value float64) {
	v := d.view("Fill", "dst", dst, dst.Len)
	d.run(func() {
		for i := range v.n {
			v.set(i, value)
		}
	}, v)
}

func (d *machine) Iota(dst device.Slice, start, step float64) {
	v := d.view("Iota", "dst", dst, dst.Len)
	d.run(func() {
		for i := range v.n {
			v.set(i, start+float64(i)*step)
		}
	}, v)
}

func (d *machine) Cast(dst, src device.Slice) {
	to := d.view("Cast", "dst", dst, dst.Len)
	from := d.view("Cast", "src", src, dst.Len)
	disjoint("Cast", []device.Slice{dst}, src)
	d.run(func() {
		for i := range to.n {
			if to.b.t == from.b.t {
				to.setWord(i, from.word(i))
			} else {
				to.set(i, from.get(i))
			}
		}
	}, to)
}

func (d *machine) Strided(dst device.Slice, dstOff int, dstStride []int, src device.Slice, srcOff int, srcStride []int, shape []int) {
	to := d.view("Strided", "dst", dst, dst.Len)
	from := d.view("Strided", "src", src, src.Len, dst.DType())
	disjoint("Strided", []device.Slice{dst}, src)
	if len(dstStride) != len(shape) || len(srcStride) != len(shape) {
		panic(fmt.Sprintf("reference: Strided: %d and %d strides for shape %v", len(dstStride), len(srcStride), shape))
	}
	for _, n := range shape {
		if n < 0 {
			panic(fmt.Sprintf("reference: Strided: negative size in shape %v", shape))
		}
	}
	written := make([]bool, to.n)
	walk(shape, func(index []int) {
		i, j := offset(dstOff, dstStride, index), offset(srcOff, srcStride, index)
		if i < 0 || i >= to.n || j < 0 || j >= from.n {
			panic(fmt.Sprintf("reference: Strided: element %v is number %d of %d in dst and %d of %d in src", index, i, to.n, j, from.n))
		}
		if written[i] {
			panic(fmt.Sprintf("reference: Strided: element %v is not the first that goes to number %d of dst", index, i))
		}
		written[i] = true
	})
	// The caller may change these as soon as we return.
	shape, dstStride, srcStride = slices.Clone(shape), slices.Clone(dstStride), slices.Clone(srcStride)
	d.run(func() {
		walk(shape, func(index []int) {
			to.setWord(offset(dstOff, dstStride, index), from.word(offset(srcOff, srcStride, index)))
		})
	}, to)
}

// walk calls visit with every index vector below shape.
func walk(shape []int, visit func(index []int)) {
	if slices.Contains(shape, 0) {
		return
	}
	index := make([]int, len(shape))
	for {
		visit(index)
		axis := len(shape) - 1
		for ; axis >= 0; axis-- {
			if index[axis]++; index[axis] < shape[axis] {
				break
			}
			index[axis] = 0
		}
		if axis < 0 {
			return
		}
	}
}

func offset(base int, strides, index []int) int {
	for axis, i := range index {
		base += i * strides[axis]
	}
	return base
}
