package torchfile

import (
	"cmp"
	"io"
	"slices"
	"sync"
)

// chunks are kept from call to call: a large tensor is read by many.
var chunks = sync.Pool{New: func() any { return new([chunkSize]byte) }}

// read calls visit with the bytes of each of n elements, from the given one on, but in no particular order: i counts
// them from 0 in row-major order.
func (t *tensor) read(r io.ReaderAt, from, n int, visit func(i int, b []byte)) error {
	var err error
	chunk := chunks.Get().(*[chunkSize]byte)
	defer chunks.Put(chunk)
	buffer := chunk[:min(chunkSize, nearest*n*t.dtype.Size())]
	boxes(t.shape, 0, from, from+n, t.offset, t.strides, func(at, first int, dims []dim) {
		if err == nil {
			err = t.readBox(r, at, first-from, merge(dims), buffer, visit)
		}
	})
	return err
}

// Elements that are no further apart are read with all that is between them, others one by one.
const nearest = 16

// A dim is a dimension of a box: n elements that are stride apart in the storage, and step apart in row-major order.
type dim struct{ n, stride, step int }

// boxes cuts the elements from begin to end of a shape, in row-major order, into boxes, each a range of every dimension, at
// most two for each dimension. It calls visit with a box's first element, at in the storage and first in row-major order,
// and its dimensions. The shape's own first element is at and first too.
func boxes(shape []int, first, begin, end, at int, strides []int, visit func(at, first int, dims []dim)) {
	if begin == end {
		return
	}
	if len(shape) == 0 {
		visit(at, first, nil)
		return
	}
	inner := 1 // elements of a row of the first dimension
	for _, n := range shape[1:] {
		inner *= n
	}
	part := func(row, begin, end int) {
		boxes(shape[1:], first+row*inner, begin, end, at+row*strides[0], strides[1:], visit)
	}
	// The end of a row, whole rows, and the beginning of a row.
	row, last := begin/inner, end/inner
	if row == last {
		part(row, begin%inner, end%inner)
		return
	}
	if begin%inner > 0 {
		part(row, begin%inner, inner)
		row++
	}
	if row < last {
		dims := []dim{{last - row, strides[0], inner}}
		step := inner
		for d, n := range shape[1:] {
			step /= n
			dims = append(dims, dim{n, strides[d+1], step})
		}
		visit(at+row*strides[0], first+row*inner, dims)
	}
	part(last, 0, end%inner)
}

// merge sorts the dimensions of a box so that the nearest elements in the storage come last, and joins those that lie one
// after the other there as in row-major order: all of them, for a tensor that is contiguous.
func merge(dims []dim) []dim {
	dims = slices.DeleteFunc(dims, func(d dim) bool { return d.n == 1 })
	slices.SortStableFunc(dims, func(a, b dim) int { return cmp.Compare(b.stride, a.stride) })
	merged := dims[:0]
	for _, d := range dims {
		if k := len(merged) - 1; k >= 0 && merged[k].stride == d.n*d.stride && merged[k].step == d.n*d.step {
			merged[k] = dim{merged[k].n * d.n, d.stride, d.step}
		} else {
			merged = append(merged, d)
		}
	}
	return merged
}

// readBox visits the elements of a box along its last dimension, the nearest ones in the storage.
func (t *tensor) readBox(r io.ReaderAt, at, first int, dims []dim, buffer []byte, visit func(i int, b []byte)) error {
	if len(dims) > 1 {
		for i := range dims[0].n {
			if err := t.readBox(r, at+i*dims[0].stride, first+i*dims[0].step, dims[1:], buffer, visit); err != nil {
				return err
			}
		}
		return nil
	}
	d := dim{1, 1, 1}
	if len(dims) == 1 {
		d = dims[0]
	}
	size := t.dtype.Size()
	most := 1
	if d.stride <= nearest {
		most = 1 + (len(buffer)/size-1)/max(1, d.stride)
	}
	for i := 0; i < d.n; {
		n := min(most, d.n-i)
		b := buffer[:((n-1)*d.stride+1)*size]
		begin := t.at + int64(at+i*d.stride)*int64(size)
		if _, err := io.ReadFull(io.NewSectionReader(r, begin, int64(len(b))), b); err != nil {
			return err
		}
		for k := range n {
			visit(first+(i+k)*d.step, b[k*d.stride*size:][:size])
		}
		i += n
	}
	return nil
}
