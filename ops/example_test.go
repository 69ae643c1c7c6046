package ops_test

import (
	"fmt"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/ops"
)

// An activation of one's own is a formula. It runs fused on every device, and its
// derivatives of any order are derived.
func ExamplePointwise() {
	mish := ops.Pointwise("mish", func(b *device.Builder, in ...device.Value) device.Value {
		return b.Mul(in[0], b.Tanh(b.Log(b.Add(b.Const(1), b.Exp(in[0])))))
	})
	x := autograd.New([]float64{-1, 0, 2}).RequireGrad()
	y := mish(x)
	ops.Sum(y).Backward()
	fmt.Printf("%.3f\n", y.Float64s())
	fmt.Printf("%.3f\n", x.Grad().Float64s())
	fmt.Println(autograd.GradCheck(mish, x), autograd.GradGradCheck(mish, x))
	// Output:
	// [-0.303 0.000 1.944]
	// [0.059 0.600 1.069]
	// <nil> <nil>
}

// Sentences of three, one and two tokens in one packed batch: no padding. The backward
// pass is fused, and for a second one the operation is composed of others.
func ExampleSelfAttention() {
	segs := device.NewSegments(3, 1, 2)
	qkv := autograd.Full(device.Float64, 1, segs.Total(), 3*4).RequireGrad()
	attend := func(in ...*autograd.Tensor) *autograd.Tensor {
		return ops.SelfAttention(in[0], segs, ops.AttentionConfig{Heads: 2, Causal: true})
	}
	y := attend(qkv)
	loss := ops.Sum(ops.Mul(y, y))
	first := autograd.Grad([]*autograd.Tensor{loss}, []*autograd.Tensor{qkv}, nil, true)[0]
	second := autograd.Grad([]*autograd.Tensor{ops.Sum(ops.Mul(first, first))}, []*autograd.Tensor{qkv}, nil, false)[0]
	value := func(t *autograd.Tensor) []float64 { return ops.Slice(t.Detach(), 1, 8, 9).Float64s() } // of each token's, the first element
	fmt.Printf("%v\n%.3f\n%.3f\n", y.Shape(), value(first), value(second))
	fmt.Println(autograd.GradGradCheck(attend, qkv))
	// Output:
	// [6 4]
	// [3.667 1.667 0.667 2.000 3.000 1.000]
	// [22.667 8.000 2.667 8.000 16.000 4.000]
	// <nil>
}
