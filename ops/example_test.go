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

// Sentences of three, one and two tokens in one packed batch: no padding.
func ExampleSelfAttention() {
	segs := device.NewSegments(3, 1, 2)
	qkv := autograd.Zeros(segs.Total(), 3*8)
	y := ops.SelfAttention(qkv, segs, ops.AttentionConfig{Heads: 2})
	fmt.Println(y.Shape())
	// Output: [6 8]
}
