package ops

import (
	"fmt"
	"slices"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
)

// MatMul returns the matrix product of a [..., m, k] and b [..., k, n]: [..., m, n].
// The leading dimensions broadcast. A vector a is a row, a vector b a column, which
// the result does not have: two vectors give their inner product.
func MatMul(a, b *Tensor) *Tensor {
	as, bs := a.Shape(), b.Shape()
	if len(as) == 0 || len(bs) == 0 || as[len(as)-1] != bs[max(len(bs)-2, 0)] {
		noProduct("MatMul", a, b, false, false)
	}
	left, right := a, b
	if len(as) == 1 {
		left = Unsqueeze(a, 0)
	}
	if len(bs) == 1 {
		right = Unsqueeze(b, 1)
	}
	y := matmul("MatMul", left, right, false, false, device.Full)
	row := -2
	if len(bs) == 1 {
		y, row = Squeeze(y, -1), -1
	}
	if len(as) == 1 {
		y = Squeeze(y, row)
	}
	return y
}

func noProduct(name string, a, b *Tensor, transA, transB bool) {
	panic(fmt.Sprintf("ops: %s: %s do not multiply (transposed: %v, %v)", name, shapes(list(a, b)), transA, transB))
}

// matmul is op(a)·op(b), where op transposes the last two axes on request.
func matmul(name string, a, b *Tensor, transA, transB bool, precision device.Precision) *Tensor {
	as, bs := a.Shape(), b.Shape()
	if len(bs) == 2 && len(as) > 2 && !transA && as[len(as)-1] == rowsOf(bs, transB) { // one matrix for all: more rows
		flat := matmul(name, Reshape(a, product(as[:len(as)-1]), as[len(as)-1]), b, false, transB, precision)
		return Reshape(flat, append(slices.Clone(as[:len(as)-1]), flat.Dim(1))...)
	}
	y := multiply(name, a, b, transA, transB, precision)
	autograd.Apply(matmulRule{transA, transB, precision}, list(y), list(a, b), list(a, b))
	return y
}

// rowsOf returns the number of rows of a matrix that is transposed first or not.
func rowsOf(shape []int, trans bool) int {
	if trans {
		return shape[1]
	}
	return shape[0]
}

// multiply is matmul without a record. The result may depend on other tensors too.
func multiply(name string, a, b *Tensor, transA, transB bool, precision device.Precision, others ...*Tensor) *Tensor {
	as, bs := a.Shape(), b.Shape()
	if len(as) < 2 || len(bs) < 2 || a.DType() != b.DType() || !a.DType().IsFloat() {
		noProduct(name, a, b, transA, transB)
	}
	m, k := as[len(as)-2], as[len(as)-1]
	if transA {
		m, k = k, m
	}
	k2, n := bs[len(bs)-2], bs[len(bs)-1]
	if transB {
		k2, n = n, k2
	}
	lead, ok := broadcastShapes(as[:len(as)-2], bs[:len(bs)-2])
	if !ok || k != k2 {
		noProduct(name, a, b, transA, transB)
	}
	shape := append(append(make([]int, 0, 8), lead...), m, n)
	y := autograd.Make(a.DType(), shape, append(append(make([]*Tensor, 0, 4), others...), a, b)...)
	left, strideA := batched(a, lead)
	right, strideB := batched(b, lead)
	y.Device().MatMul(y.Slice(), left.Slice(), right.Slice(), device.MatMul{
		Batch: product(lead), M: m, N: n, K: k, TransA: transA, TransB: transB,
		StrideA: strideA, StrideB: strideB, Precision: precision,
	})
	return y
}

// broadcastShapes returns the shape that two stretch to, if there is one.
func broadcastShapes(a, b []int) (shape []int, ok bool) {
	if slices.Equal(a, b) {
		return a, true
	}
	if len(a) < len(b) {
		a, b = b, a
	}
	shape = slices.Clone(a)
	for i, d := range b {
		at := len(a) - len(b) + i
		if shape[at] == 1 {
			shape[at] = d
		} else if d != 1 && d != shape[at] {
			return nil, false
		}
	}
	return shape, true
}

// batched returns the data of matrices for a batch, and the elements from one matrix
// to the next: none if one serves for all.
func batched(x *Tensor, lead []int) (*Tensor, int) {
	n := len(x.Shape()) - 2
	size := product(x.Shape()[n:])
	switch {
	case product(x.Shape()[:n]) == product(lead):
		return x, size
	case product(x.Shape()[:n]) == 1:
		return x, 0
	}
	return expandData(x, append(slices.Clone(lead), x.Shape()[n:]...)), size
}

type matmulRule struct {
	transA, transB bool
	precision      device.Precision
}

func (matmulRule) Name() string { return "matmul" }

// FLOPs is 2·batch·m·n·k of the product, and as much of each gradient.
func (r matmulRule) FLOPs(y, in []*Tensor, needs []bool) float64 {
	k := in[0].Dim(-1)
	if r.transA {
		k = in[0].Dim(-2)
	}
	flops := 2 * float64(y[0].Len()) * float64(k)
	if needs == nil {
		return flops
	}
	products := 0.0
	for _, needed := range needs[:2] {
		if needed {
			products++
		}
	}
	return products * flops
}

// For C = A·B: dA = dC·Bᵀ and dB = Aᵀ·dC; a transposed operand's gradient is the
// transpose, and one that serves several products gets the sum.
func (r matmulRule) Backward(c *autograd.Call, grads []*Tensor) []*Tensor {
	return list(r.gradients(c, grads[0]))
}

func (r matmulRule) gradients(c *autograd.Call, g *Tensor) (da, db *Tensor) {
	a, b := c.Saved[0], c.Saved[1]
	if c.Needs[0] {
		if r.transA {
			da = matmul("MatMul'", b, g, r.transB, true, r.precision)
		} else {
			da = matmul("MatMul'", g, b, false, !r.transB, r.precision)
		}
		da = sumTo(da, a.Shape())
	}
	if c.Needs[1] {
		if r.transB {
			db = matmul("MatMul'", g, a, true, r.transA, r.precision)
		} else {
			db = matmul("MatMul'", a, g, !r.transA, false, r.precision)
		}
		db = sumTo(db, b.Shape())
	}
	return da, db
}
