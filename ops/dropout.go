package ops

import (
	"fmt"

	"github.com/muppet-go/muppet/device"
)

// masked returns x with the elements zeroed whose random number is below
// parameter 0, the others multiplied by parameter 1.
func masked(b *builder, x value) value {
	return b.Mul(x, b.Select(b.Less(b.Uniform(0), b.Param(0)), b.Const(0), b.Param(1)))
}

var (
	dropoutProgram    = unary("dropout", masked)
	dropoutAddProgram = device.NewProgram("dropout_add", 3, func(b *builder, in ...value) []value {
		return []value{b.Add(in[2], masked(b, b.Add(in[0], in[1])))}
	})
	biasAddProgram = device.NewProgram("bias_add", 3, func(b *builder, in ...value) []value {
		return []value{b.Add(in[2], b.Add(in[0], in[1]))}
	})
)

// Dropout zeroes each element of x with probability p and multiplies the others by
// 1/(1-p). The key decides which: the mask is computed, not stored, so that the same
// key gives the same mask again. It panics unless 0 ≤ p < 1.
func Dropout(x *Tensor, p float64, key device.Key) *Tensor {
	checkDropout("Dropout", p)
	if p == 0 {
		return x
	}
	return run(dropoutProgram, []float64{p, 1 / (1 - p)}, []device.Key{key}, x)
}

// DropoutAdd returns residual + Dropout(x + bias) in one pass: the end of each half
// of a transformer layer.
func DropoutAdd(x, bias, residual *Tensor, p float64, key device.Key) *Tensor {
	checkDropout("DropoutAdd", p)
	if p == 0 {
		return run(biasAddProgram, nil, nil, x, bias, residual)
	}
	return run(dropoutAddProgram, []float64{p, 1 / (1 - p)}, []device.Key{key}, x, bias, residual)
}

func checkDropout(op string, p float64) {
	if !(p >= 0 && p < 1) {
		panic(fmt.Sprintf("ops: %s: probability %g, want 0 ≤ p < 1", op, p))
	}
}
