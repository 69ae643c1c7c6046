package nn

import (
	"fmt"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/ops"
)

// SelfAttention is multi-head attention of the rows of a packed batch to the rows of
// their own segment (Vaswani et al., arXiv 1706.03762): queries, keys and values in
// one product, attention, and a projection. Its state dict is that of PyTorch's
// MultiheadAttention.
type SelfAttention struct {
	Weight  *autograd.Tensor `name:"in_proj_weight"`       // [3·size, size]: of queries, keys and values
	Bias    *autograd.Tensor `name:"in_proj_bias,nodecay"` // [3·size]
	Out     *Linear          `name:"out_proj"`
	Heads   int
	Causal  bool    // a row sees no later row
	Dropout float64 // probability that an attention weight is dropped in training
}

// NewSelfAttention returns attention between vectors of the given size, initialised as
// PyTorch's. It panics unless the heads divide the size.
func NewSelfAttention(size, heads int, key device.Key) *SelfAttention {
	if heads < 1 || size%heads != 0 {
		panic(fmt.Sprintf("nn: NewSelfAttention: %d heads do not divide vectors of %d", heads, size))
	}
	out := NewLinear(size, size, key.Fold("out"))
	out.Bias = Constant(0, size)
	return &SelfAttention{
		Weight: XavierUniform(key.Fold("in"), GainLinear, 3*size, size), Bias: Constant(0, 3*size),
		Out: out, Heads: heads,
	}
}

// Forward maps the rows x [T, size], in the given segments, to [T, size]. A key turns
// dropout on.
func (a *SelfAttention) Forward(x *autograd.Tensor, segs *device.Segments, dropout *device.Key) *autograd.Tensor {
	cfg := ops.AttentionConfig{Heads: a.Heads, Causal: a.Causal}
	if dropout != nil {
		cfg.Dropout, cfg.Key = a.Dropout, *dropout
	}
	return a.Out.Forward(ops.SelfAttention(ops.Linear(x, a.Weight, a.Bias), segs, cfg))
}
