package ops

import (
	"fmt"
	"math"
	"slices"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
)

// Gather returns x's elements at the places of an axis that index names: element
// [i, j, k] of the result is x[i, index[i, j, k], k] along axis 1. Index, int32, has
// x's number of axes and is no larger than x along the others. An index outside the
// axis panics with a *device.Error. Indices are read from the device to be checked.
func Gather(x *Tensor, along int, index *Tensor) *Tensor {
	flat := elements("Gather", x, along, index, index)
	return Reshape(IndexSelect(Reshape(x, x.Len()), flat), index.Shape()...)
}

// ScatterAdd returns x with src's elements added at the places of an axis that index
// names: src[i, j, k] is added to element [i, index[i, j, k], k] along axis 1, in the
// order of src. Index is as for Gather, and no larger than src along any axis; what
// src has beyond it is not used.
func ScatterAdd(x *Tensor, along int, index, src *Tensor) *Tensor {
	flat := elements("ScatterAdd", x, along, index, src)
	if src.DType() != x.DType() {
		panic(fmt.Sprintf("ops: ScatterAdd: %s into %s", shapes(list(src)), shapes(list(x))))
	}
	for i, n := range index.Shape() {
		src = Slice(src, i, 0, n)
	}
	return Add(x, Reshape(IndexAdd(Reshape(src, src.Len()), flat, x.Len()), x.Shape()...))
}

// elements returns the position in x of every element that index names along an axis.
// Src is what index has to fit into.
func elements(op string, x *Tensor, along int, index, src *Tensor) *Tensor {
	i, shape := axis(op, x, along), index.Shape()
	fits := index.DType() == device.Int32 && len(shape) == len(x.Shape()) && len(shape) == len(src.Shape())
	for k := range shape {
		fits = fits && (k == i || shape[k] <= x.Dim(k)) && shape[k] <= src.Dim(k)
	}
	if !fits {
		panic(fmt.Sprintf("ops: %s: along axis %d of %s", op, i, shapes(list(x, index, src))))
	}
	if x.Len() > math.MaxInt32 {
		panic(fmt.Sprintf("ops: %s: shape %v has more than %d elements", op, x.Shape(), math.MaxInt32))
	}
	at := index.Int32s()
	checkRange(op, index, at, x.Dim(i))
	strides := rowMajor(x.Shape())
	step := strides[i]
	strides[i] = 0
	last := max(len(shape)-1, 0)
	width, stride := 1, 0 // of the last axis
	if len(shape) > 0 {
		width, stride = shape[last], strides[last]
	}
	place, base := make([]int, last), 0
	for row := at; len(row) > 0; row = row[width:] {
		for j, v := range row[:width] {
			row[j] = int32(base + int(v)*step + j*stride)
		}
		for k := last - 1; k >= 0; k-- { // the next index vector
			place[k]++
			base += strides[k]
			if place[k] < shape[k] {
				break
			}
			base -= shape[k] * strides[k]
			place[k] = 0
		}
	}
	flat := autograd.Make(device.Int32, []int{len(at)}, x, index)
	flat.Device().Write(flat.Slice(), at)
	return flat
}

// checkRange panics with a *device.Error for an index outside [0, n), as a device does.
func checkRange(op string, index *Tensor, at []int32, n int) {
	for i, v := range at {
		if v < 0 || int(v) >= n {
			panic(&device.Error{Device: index.Device().Name(), Op: op, Err: fmt.Errorf("index %d at position %d of shape %v, want [0, %d)", v, i, index.Shape(), n)})
		}
	}
}

// Embedding returns the rows of weight [n, size] that ids, int32 of any shape, names:
// [..., size]. An id outside the table panics with a *device.Error.
func Embedding(weight, ids *Tensor) *Tensor {
	if len(weight.Shape()) != 2 || ids.DType() != device.Int32 {
		panic(fmt.Sprintf("ops: Embedding: rows of %s", shapes(list(weight, ids))))
	}
	rows := IndexSelect(weight, Reshape(ids, ids.Len()))
	return Reshape(rows, append(slices.Clone(ids.Shape()), weight.Dim(1))...)
}

// OneHot returns, as float32, a vector of n elements for every one of index, int32 of
// any shape: [..., n], 1 at the place that it names and 0 elsewhere. An index outside
// panics with a *device.Error. No gradients flow through it.
func OneHot(index *Tensor, n int) *Tensor {
	if index.DType() != device.Int32 || n < 0 {
		panic(fmt.Sprintf("ops: OneHot: %d places for %s", n, shapes(list(index))))
	}
	at := index.Int32s()
	checkRange("OneHot", index, at, n)
	y := autograd.Make(device.Float32, append(slices.Clone(index.Shape()), n), index)
	hot := make([]float32, y.Len())
	for i, v := range at {
		hot[i*n+int(v)] = 1
	}
	y.Device().Write(y.Slice(), hot)
	return y
}
