package ops

import (
	"fmt"
	"slices"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
)

// Linear returns x·wᵀ + bias for x [..., in], w [out, in] and bias [out] or nil.
func Linear(x, w, bias *Tensor) *Tensor {
	if bias == nil {
		return matmul("Linear", x, w, false, true, device.Full)
	}
	shape := x.Shape()
	if len(w.Shape()) != 2 || len(shape) == 0 || shape[len(shape)-1] != w.Dim(1) {
		noProduct("Linear", x, w, false, true)
	}
	if len(shape) > 2 {
		flat := Linear(Reshape(x, product(shape[:len(shape)-1]), shape[len(shape)-1]), w, bias)
		return Reshape(flat, append(slices.Clone(shape[:len(shape)-1]), flat.Dim(1))...)
	}
	y := multiply("Linear", x, w, false, true, device.Full, bias)
	if !slices.Equal(bias.Shape(), y.Shape()[1:]) || bias.DType() != y.DType() {
		panic(fmt.Sprintf("ops: Linear: bias %s for a result %s, want a vector as long as its rows", shapes(list(bias)), shapes(list(y))))
	}
	// Nobody else has y yet, so that the sum needs no memory of its own.
	args := calls.Get().(*call)
	args.in[0].Slice, args.in[1], args.out[0] = y.Slice(), device.Operand{Slice: bias.Slice(), Extent: device.RowExtent}, y.Slice()
	args.Rows, args.Cols, args.In, args.Out = y.Dim(0), y.Dim(1), args.in[:2], args.out[:1]
	y.Device().Pointwise(addBias, &args.Args)
	*args = call{}
	calls.Put(args)
	autograd.Apply(linearRule{}, list(y), list(x, w, bias), list(x, w))
	return y
}

var addBias = device.NewProgram("add bias", 2, func(b *device.Builder, in ...device.Value) []device.Value {
	return []device.Value{b.Add(in[0], in[1])}
})

type linearRule struct{}

func (linearRule) Name() string { return "linear" }

// FLOPs are those of the products.
func (linearRule) FLOPs(y, in []*Tensor, needs []bool) float64 {
	return matmulRule{transB: true}.FLOPs(y, in, needs)
}

func (linearRule) Backward(c *autograd.Call, grads []*Tensor) []*Tensor {
	da, db := matmulRule{transB: true}.gradients(c, grads[0])
	if !c.Needs[2] {
		return list(da, db, nil)
	}
	return list(da, db, Sum(grads[0], 0))
}
