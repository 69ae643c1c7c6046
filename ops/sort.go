package ops

import (
	"fmt"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
)

// Sort returns x with the elements along an axis in order, and as int32 the places
// they came from. Equal elements keep their order; NaN counts as the largest.
// Gradients go where the values came from.
func Sort(x *Tensor, along int, descending bool) (values, indices *Tensor) {
	i := axis("Sort", x, along)
	indices = order("Sort", x, i, descending)
	return Gather(x, i, indices), indices
}

// TopK returns the k largest elements along an axis, the largest first, and as int32
// the places they came from. It is the beginning of Sort, descending.
func TopK(x *Tensor, k, along int) (values, indices *Tensor) {
	i := axis("TopK", x, along)
	if k < 0 || k > x.Dim(i) {
		panic(fmt.Sprintf("ops: TopK: %d of axis %d in shape %v", k, i, x.Shape()))
	}
	indices = Slice(order("TopK", x, i, true), i, 0, k)
	return Gather(x, i, indices), indices
}

// order returns the places of x's elements along axis i in the order of their values.
func order(op string, x *Tensor, i int, descending bool) *Tensor {
	if !x.DType().IsFloat() {
		panic(fmt.Sprintf("ops: %s: want floats, not %s", op, shapes(list(x))))
	}
	rows := Transpose(x.Detach(), i, -1)
	values := autograd.Make(x.DType(), rows.Shape(), rows)
	indices := autograd.Make(device.Int32, rows.Shape(), rows)
	n := rows.Dim(-1)
	values.Device().Sort(values.Slice(), indices.Slice(), rows.Slice(), rows.Len()/max(n, 1), n, descending)
	return Transpose(indices, i, -1)
}
