package transformer

import (
	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/nn"
	"github.com/muppet-go/muppet/ops"
)

// ClassificationHead scores a sequence by its first token's vector: dropout, dense,
// tanh, dropout, projection. With one output it ranks candidates. BERT's, which calls the
// dense layer its pooler, is without the first dropout.
type ClassificationHead struct {
	Dense   *nn.Linear `name:"dense"`
	OutProj *nn.Linear `name:"out_proj"`
	dropout float64
	pooled  bool // without the first dropout
}

// NewClassificationHead returns a head with the given number of outputs.
func NewClassificationHead(c Config, outputs int, key device.Key) *ClassificationHead {
	return &ClassificationHead{
		Dense:   nn.NewNormalLinear(c.HiddenSize, c.HiddenSize, c.InitializerRange, key.Fold("dense")),
		OutProj: nn.NewNormalLinear(c.HiddenSize, outputs, c.InitializerRange, key.Fold("out_proj")),
		dropout: c.classifierDropout(),
	}
}

// Forward returns the scores [len(rows), outputs] of the sequences that begin at the
// given rows of hidden [T, hidden]. A key turns dropout on.
func (h *ClassificationHead) Forward(hidden *autograd.Tensor, first []int32, dropout *device.Key) *autograd.Tensor {
	x := ops.IndexSelect(hidden, rows(hidden.Scope(), first))
	drop := func(x *autograd.Tensor, name string) *autograd.Tensor {
		if dropout == nil {
			return x
		}
		return ops.Dropout(x, h.dropout, dropout.Fold(name))
	}
	if !h.pooled {
		x = drop(x, "features")
	}
	x = ops.Tanh(h.Dense.Forward(x))
	return h.OutProj.Forward(drop(x, "dense"))
}

// Pooler maps a sequence's first vector to one that stands for the sequence: dense, tanh.
type Pooler struct {
	Dense *nn.Linear `name:"dense"`
}

// Forward returns the vectors [len(first), hidden] of the sequences that begin at the
// given rows of hidden [T, hidden].
func (p *Pooler) Forward(hidden *autograd.Tensor, first []int32) *autograd.Tensor {
	return ops.Tanh(p.Dense.Forward(ops.IndexSelect(hidden, rows(hidden.Scope(), first))))
}

// TokenHead scores every token: dropout, projection.
type TokenHead struct {
	Classifier *nn.Linear `name:"classifier"`
	dropout    float64
}

// NewTokenHead returns a head with the given number of outputs.
func NewTokenHead(c Config, outputs int, key device.Key) *TokenHead {
	return &TokenHead{nn.NewNormalLinear(c.HiddenSize, outputs, c.InitializerRange, key.Fold("classifier")), c.classifierDropout()}
}

// Forward returns the scores [T, outputs] of the rows of hidden [T, hidden]. A key turns
// dropout on.
func (h *TokenHead) Forward(hidden *autograd.Tensor, dropout *device.Key) *autograd.Tensor {
	if dropout != nil {
		hidden = ops.Dropout(hidden, h.dropout, dropout.Fold("features"))
	}
	return h.Classifier.Forward(hidden)
}

// SpanHead gives every token a score as the start and as the end of an answer.
type SpanHead struct {
	Outputs *nn.Linear `name:"qa_outputs"`
}

// NewSpanHead returns a span head.
func NewSpanHead(c Config, key device.Key) *SpanHead {
	return &SpanHead{nn.NewNormalLinear(c.HiddenSize, 2, c.InitializerRange, key.Fold("qa_outputs"))}
}

// Forward returns the scores [2, len(positions)], starts above ends, of the given rows
// of hidden [T, hidden].
func (h *SpanHead) Forward(hidden *autograd.Tensor, positions []int32) *autograd.Tensor {
	return ops.Transpose(h.Outputs.Forward(ops.IndexSelect(hidden, rows(hidden.Scope(), positions))), 0, 1)
}

// MaskedLMHead predicts tokens: dense, activation (RoBERTa's is always GELU), norm, and the product with the word
// embeddings, which it shares, plus a bias.
type MaskedLMHead struct {
	Dense *nn.Linear       `name:"dense"`
	Norm  *nn.LayerNorm    `name:"layer_norm"`
	Bias  *autograd.Tensor `name:"bias,nodecay"`
	act   func(x, bias *autograd.Tensor) *autograd.Tensor
}

// NewMaskedLMHead returns a masked-language-model head.
func NewMaskedLMHead(c Config, key device.Key) *MaskedLMHead {
	act := ops.BiasGELU
	if c.ModelType == "bert" {
		act = biasActivations[c.HiddenAct]
	}
	return &MaskedLMHead{
		act:   act,
		Dense: nn.NewNormalLinear(c.HiddenSize, c.HiddenSize, c.InitializerRange, key.Fold("dense")),
		Norm:  nn.NewLayerNorm(c.HiddenSize, c.LayerNormEps),
		Bias:  nn.Constant(0, c.VocabSize),
	}
}

// Forward returns the scores [len(positions), vocabulary] of the tokens at the given
// rows of hidden [T, hidden]; words are the encoder's word embeddings.
func (h *MaskedLMHead) Forward(hidden *autograd.Tensor, positions []int32, words *nn.Embedding) *autograd.Tensor {
	x := ops.IndexSelect(hidden, rows(hidden.Scope(), positions))
	x = h.Norm.Forward(h.act(ops.Linear(x, h.Dense.Weight, nil), h.Dense.Bias))
	return ops.Linear(x, words.Weight, h.Bias)
}

// LMHead predicts the next token: the product with BART's shared word embeddings, plus a
// constant.
type LMHead struct {
	Bias *autograd.Tensor `name:"final_logits_bias,buffer"` // [1, vocabulary], not trained
}

// NewLMHead returns a head whose constant is 0.
func NewLMHead(c Config) *LMHead { return &LMHead{autograd.Zeros(1, c.VocabSize)} }

// Forward returns the scores [T, vocabulary] of the rows of hidden [T, hidden]; words are
// the shared embeddings.
func (h *LMHead) Forward(hidden *autograd.Tensor, words *nn.Embedding) *autograd.Tensor {
	return ops.Linear(hidden, words.Weight, ops.Reshape(h.Bias, h.Bias.Len()))
}
