package ops

import (
	"fmt"
	"slices"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
)

// IndexSelect returns the rows of x [n, ...] that index, an int32 vector, names:
// [len(index), ...]. A row may be named any number of times. An index outside x
// panics with a *device.Error.
func IndexSelect(x, index *Tensor) *Tensor {
	checkIndex("IndexSelect", x, index)
	shape := slices.Clone(x.Shape())
	shape[0] = index.Len()
	y := autograd.Make(x.DType(), shape, x, index)
	y.Device().Gather(y.Slice(), x.Slice(), index.Slice(), product(shape[1:]))
	autograd.Apply(indexSelectRule{}, list(y), list(x), list(index))
	return y
}

type indexSelectRule struct{}

func (indexSelectRule) Name() string             { return "index_select" }
func (indexSelectRule) Reads(y, _ []*Tensor) int { return y[0].Len() }
func (indexSelectRule) Backward(c *autograd.Call, g []*Tensor) []*Tensor {
	return list(IndexAdd(g[0], c.Saved[0], c.Inputs[0].Dim(0)))
}

// IndexAdd returns a tensor of n rows where row index[i] is the sum of the rows
// x[i] sent there: the transpose of IndexSelect.
func IndexAdd(x, index *Tensor, n int) *Tensor {
	checkIndex("IndexAdd", x, index)
	if index.Len() != x.Dim(0) {
		panic(fmt.Sprintf("ops: IndexAdd: %d indices for shape %v", index.Len(), x.Shape()))
	}
	shape := slices.Clone(x.Shape())
	shape[0] = n
	y := autograd.Make(x.DType(), shape, x, index)
	y.Device().Fill(y.Slice(), 0)
	y.Device().ScatterAdd(y.Slice(), x.Slice(), index.Slice(), product(shape[1:]))
	autograd.Apply(indexAddRule{}, list(y), list(x), list(index))
	return y
}

type indexAddRule struct{}

func (indexAddRule) Name() string { return "index_add" }
func (indexAddRule) Backward(c *autograd.Call, g []*Tensor) []*Tensor {
	return list(IndexSelect(g[0], c.Saved[0]))
}

func checkIndex(op string, x, index *Tensor) {
	if len(x.Shape()) == 0 || len(index.Shape()) != 1 || index.DType() != device.Int32 {
		panic(fmt.Sprintf("ops: %s: rows of %s", op, shapes(list(x, index))))
	}
}
