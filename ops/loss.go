package ops

import (
	"fmt"
	"math"
	"slices"

	"github.com/muppet-go/muppet/device"
)

// The losses that compare two tensors element by element. Operands must have one shape:
// broadcasting [n] with [n, 1] is a well-known way to train on the wrong loss.

// MSELoss returns the mean of (x - y)² over all elements of two tensors of one shape, NaN
// for none. For the sum take Sum(Mul(d, d)) of d = Sub(x, y), and likewise for other
// reductions.
func MSELoss(x, y *Tensor) *Tensor { return meanLoss("MSELoss", squaredDifferenceProgram, nil, x, y) }

// L1Loss returns the mean of |x - y| over all elements of two tensors of one shape, NaN
// for none. For other reductions start from Abs(Sub(x, y)).
func L1Loss(x, y *Tensor) *Tensor { return meanLoss("L1Loss", l1Program, nil, x, y) }

// HuberLoss returns the mean over all elements of two tensors of one shape of ½·d² where
// d = |x - y| is at most delta, and delta·(d - ½·delta) elsewhere (Huber, 1964). The sum is
// that times the number of elements. It panics unless delta is positive.
func HuberLoss(x, y *Tensor, delta float64) *Tensor {
	if !(delta > 0) {
		panic(fmt.Sprintf("ops: HuberLoss: delta %g, want more than 0", delta))
	}
	return meanLoss("HuberLoss", huberProgram, []float64{delta}, x, y)
}

// BCEWithLogits returns the mean over all elements of the binary cross entropy of the
// probabilities Sigmoid(logits) and targets of the same shape, probabilities too:
// -t·log σ(x) - (1-t)·log(1 - σ(x)). For other reductions start from the equal
// Sub(Softplus(x), Mul(t, x)).
func BCEWithLogits(logits, targets *Tensor) *Tensor {
	return meanLoss("BCEWithLogits", bceProgram, nil, logits, targets)
}

// KLDiv returns the Kullback-Leibler divergence Σ q·(log q - logp), from the logarithm of
// one distribution and another of the same shape, divided by the first dimension: the
// mean over a batch (PyTorch's "batchmean"). Where q is 0 the term is 0, and so are its
// gradients, whatever logp.
func KLDiv(logp, q *Tensor) *Tensor {
	sameShape("KLDiv", logp, q)
	sum := Sum(run(klProgram, nil, nil, logp, q))
	if len(q.Shape()) == 0 {
		return sum
	}
	return Scale(sum, 1/float64(q.Dim(0)))
}

// CosineSimilarity returns x·y / (max(‖x‖, eps)·max(‖y‖, eps)) along an axis, which
// disappears. X and y broadcast. Where a norm is at most eps it counts as a constant.
func CosineSimilarity(x, y *Tensor, along int, eps float64) *Tensor {
	shape := broadcast("CosineSimilarity", list(x, y), nil)
	x, y = Expand(x, shape...), Expand(y, shape...)
	kept, dropped := reducedShapes("CosineSimilarity", x, []int{along})
	length := func(x *Tensor) *Tensor { return Clamp(normTo(x, 2, kept), eps, math.Inf(1)) }
	return Reshape(Div(sumTo(Mul(x, y), kept), Mul(length(x), length(y))), dropped...)
}

var (
	l1Program    = binary("l1", func(b *builder, x, y value) value { return b.Abs(b.Sub(x, y)) })
	huberProgram = binary("huber", func(b *builder, x, y value) value {
		half, delta := b.Const(0.5), b.Param(0)
		d := b.Sub(x, y)
		size := b.Abs(d)
		return b.Select(b.LessEqual(size, delta), b.Mul(half, b.Mul(d, d)), b.Mul(delta, b.Sub(size, b.Mul(half, delta))))
	})
	// Softplus in its two parts, so that x and t·x cancel exactly.
	bceProgram = binary("bce_with_logits", func(b *builder, x, t value) value {
		return b.Add(b.Sub(positivePart(b, x), b.Mul(t, x)), b.Log1p(expMinusAbs(b, x)))
	})
	klProgram = binary("kl_div", func(b *builder, logp, q value) value {
		return awayFromZero(b, q, b.Const(0), func(b *builder, q value) value { return b.Mul(q, b.Sub(b.Log(q), logp)) })
	})
)

func meanLoss(name string, p *device.Program, params []float64, x, y *Tensor) *Tensor {
	sameShape(name, x, y)
	return Mean(run(p, params, nil, x, y))
}

func sameShape(name string, x, y *Tensor) {
	if !slices.Equal(x.Shape(), y.Shape()) {
		panic(fmt.Sprintf("ops: %s: %s, want one shape", name, shapes(list(x, y))))
	}
}
