package ops

import (
	"fmt"
	"slices"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
)

// MatMul returns the matrix product of a [..., m, k] and b [..., k, n]: [..., m, n].
// The leading dimensions must be equal, or b a plain matrix.
func MatMul(a, b *Tensor) *Tensor { return matmul("MatMul", a, b, false, false, device.Full) }

// matmul is op(a)·op(b), where op transposes the last two axes on request.
func matmul(name string, a, b *Tensor, transA, transB bool, precision device.Precision) *Tensor {
	as := a.Shape()
	if len(b.Shape()) == 2 && len(as) > 2 && !transA { // one matrix for all: more rows
		flat := matmul(name, Reshape(a, product(as[:len(as)-1]), as[len(as)-1]), b, false, transB, precision)
		return Reshape(flat, append(slices.Clone(as[:len(as)-1]), flat.Dim(1))...)
	}
	y := multiply(name, a, b, transA, transB, precision)
	autograd.Apply(matmulRule{transA, transB, precision}, list(y), list(a, b), list(a, b))
	return y
}

// multiply is matmul without a record, of as many matrices on both sides. Its result
// may depend on other tensors too.
func multiply(name string, a, b *Tensor, transA, transB bool, precision device.Precision, others ...*Tensor) *Tensor {
	fail := func() {
		panic(fmt.Sprintf("ops: %s: %s do not multiply (transposed: %v, %v)", name, shapes(list(a, b)), transA, transB))
	}
	as, bs := a.Shape(), b.Shape()
	if len(as) < 2 || len(bs) < 2 || a.DType() != b.DType() || !a.DType().IsFloat() {
		fail()
	}
	lead := as[:len(as)-2]
	if !slices.Equal(lead, bs[:len(bs)-2]) {
		fail()
	}
	m, k := as[len(as)-2], as[len(as)-1]
	if transA {
		m, k = k, m
	}
	k2, n := bs[len(bs)-2], bs[len(bs)-1]
	if transB {
		k2, n = n, k2
	}
	if k != k2 {
		fail()
	}
	y := autograd.Make(a.DType(), append(slices.Clone(lead), m, n), append(others, a, b)...)
	y.Device().MatMul(y.Slice(), a.Slice(), b.Slice(), device.MatMul{
		Batch: product(lead), M: m, N: n, K: k, TransA: transA, TransB: transB,
		StrideA: m * k, StrideB: k * n, Precision: precision,
	})
	return y
}

type matmulRule struct {
	transA, transB bool
	precision      device.Precision
}

func (matmulRule) Name() string { return "matmul" }

// For C = A·B: dA = dC·Bᵀ and dB = Aᵀ·dC; a transposed operand's gradient is the
// transpose.
func (r matmulRule) Backward(c *autograd.Call, grads []*Tensor) []*Tensor {
	a, b, g := c.Saved[0], c.Saved[1], grads[0]
	var da, db *Tensor
	if c.Needs[0] {
		if r.transA {
			da = matmul("MatMul'", b, g, r.transB, true, r.precision)
		} else {
			da = matmul("MatMul'", g, b, false, !r.transB, r.precision)
		}
	}
	if c.Needs[1] {
		if r.transB {
			db = matmul("MatMul'", g, a, true, r.transA, r.precision)
		} else {
			db = matmul("MatMul'", a, g, !r.transA, false, r.precision)
		}
	}
	return list(da, db)
}
