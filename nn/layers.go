package nn

import (
	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/ops"
)

// Linear is y = x·Wᵀ + b.
type Linear struct {
	Weight *autograd.Tensor `name:"weight"`       // [out, in]
	Bias   *autograd.Tensor `name:"bias,nodecay"` // [out]
}

// NewLinear returns a layer from in to out features, initialised as PyTorch's:
// uniform between ±1/√in.
func NewLinear(in, out int, key device.Key) *Linear {
	bound := linearBound(in)
	return &Linear{
		Weight: Uniform(key.Fold("weight"), -bound, bound, out, in),
		Bias:   Uniform(key.Fold("bias"), -bound, bound, out),
	}
}

// NewNormalLinear returns a layer with weights drawn from N(0, std²) and a bias
// of 0, as BERT and RoBERTa begin.
func NewNormalLinear(in, out int, std float64, key device.Key) *Linear {
	return &Linear{Weight: Normal(key.Fold("weight"), 0, std, out, in), Bias: Constant(0, out)}
}

// Forward maps x [..., in] to [..., out].
func (l *Linear) Forward(x *autograd.Tensor) *autograd.Tensor { return ops.Linear(x, l.Weight, l.Bias) }

// Embedding is a table of vectors.
type Embedding struct {
	Weight *autograd.Tensor `name:"weight"` // [entries, size]
}

// NewEmbedding returns a table of n vectors drawn from N(0, std²).
func NewEmbedding(n, size int, std float64, key device.Key) *Embedding {
	return &Embedding{Normal(key.Fold("weight"), 0, std, n, size)}
}

// Forward returns the vectors that ids, int32 of any shape [...], names: [..., size].
func (e *Embedding) Forward(ids *autograd.Tensor) *autograd.Tensor {
	return ops.Embedding(e.Weight, ids)
}

// LayerNorm normalises the last axis; see ops.LayerNorm.
type LayerNorm struct {
	Weight *autograd.Tensor `name:"weight,nodecay"`
	Bias   *autograd.Tensor `name:"bias,nodecay"`
	Eps    float64
}

// NewLayerNorm returns the norm of vectors of the given size.
func NewLayerNorm(size int, eps float64) *LayerNorm {
	return &LayerNorm{Constant(1, size), Constant(0, size), eps}
}

// Forward normalises x [..., size].
func (l *LayerNorm) Forward(x *autograd.Tensor) *autograd.Tensor {
	return ops.LayerNorm(x, l.Weight, l.Bias, l.Eps)
}
