package transformer

import (
	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/nn"
	"github.com/muppet-go/muppet/ops"
)

// Encoder is the encoder of BERT (Devlin et al., arXiv 1810.04805) and RoBERTa (Liu et
// al., arXiv 1907.11692): a stack of post-norm transformer layers on token, position and
// type embeddings. Its tensors have Hugging Face's names.
type Encoder struct {
	Config     Config
	Embeddings *Embeddings `name:"embeddings"`
	Layers     []*Layer    `name:"encoder.layer"`
}

// Embeddings are the sum of a token's, its position's and its type's vectors,
// normalised.
type Embeddings struct {
	Word     *nn.Embedding `name:"word_embeddings"`
	Position *nn.Embedding `name:"position_embeddings"`
	Type     *nn.Embedding `name:"token_type_embeddings"`
	Norm     *nn.LayerNorm `name:"LayerNorm"`
}

// Layer is attention and a two-layer network, each followed by dropout, the residual
// and a norm.
type Layer struct {
	QKV           *Projection   `name:"attention.self"`
	AttentionOut  *nn.Linear    `name:"attention.output.dense"`
	AttentionNorm *nn.LayerNorm `name:"attention.output.LayerNorm"`
	Up            *nn.Linear    `name:"intermediate.dense"`
	Down          *nn.Linear    `name:"output.dense"`
	Norm          *nn.LayerNorm `name:"output.LayerNorm"`
}

// Projection makes queries, keys and values in one product: [3·hidden, hidden], stored
// as three tensors.
type Projection struct {
	Weight *autograd.Tensor `name:"query.weight|key.weight|value.weight"`
	Bias   *autograd.Tensor `name:"query.bias|key.bias|value.bias,nodecay"`
}

// NewEncoder returns an encoder with weights drawn from N(0, initializer_range²). It
// panics if the configuration is not valid.
func NewEncoder(c Config, key device.Key) *Encoder {
	if err := c.Validate(); err != nil {
		panic("transformer: NewEncoder: " + err.Error())
	}
	if c.ModelType == "bart" {
		panic("transformer: NewEncoder: the configuration is BART's: use NewBart")
	}
	std, d := c.InitializerRange, c.HiddenSize
	embedding := func(name string, n int) *nn.Embedding { return nn.NewEmbedding(n, d, std, key.Fold(name)) }
	e := &Encoder{Config: c, Embeddings: &Embeddings{
		Word:     embedding("word", c.VocabSize),
		Position: embedding("position", c.MaxPositionEmbeddings),
		Type:     embedding("type", c.TypeVocabSize),
		Norm:     nn.NewLayerNorm(d, c.LayerNormEps),
	}}
	for i := range c.NumHiddenLayers {
		k := key.Fold("layer").FoldInt(i)
		linear := func(name string, in, out int) *nn.Linear { return nn.NewNormalLinear(in, out, std, k.Fold(name)) }
		qkv := linear("qkv", d, 3*d)
		e.Layers = append(e.Layers, &Layer{
			QKV:           &Projection{qkv.Weight, qkv.Bias},
			AttentionOut:  linear("attention", d, d),
			AttentionNorm: nn.NewLayerNorm(d, c.LayerNormEps),
			Up:            linear("up", d, c.IntermediateSize),
			Down:          linear("down", c.IntermediateSize, d),
			Norm:          nn.NewLayerNorm(d, c.LayerNormEps),
		})
	}
	return e
}

// Encode returns the hidden states [T, hidden] of a packed batch, in the scope. With a
// key, dropout is on and the key decides its masks; without, it is off. Encode panics
// if a sequence is longer than the encoder has positions.
func (e *Encoder) Encode(scope *autograd.Scope, b *Batch, dropout *device.Key) *autograd.Tensor {
	return e.EncodeWords(scope, b, nil, dropout)
}

// EncodeWords is Encode with the word embeddings [T, hidden] replaced by what words makes
// of them, before positions and types are added: noise, for instance. Nil changes nothing.
func (e *Encoder) EncodeWords(scope *autograd.Scope, b *Batch, words func(*autograd.Tensor) *autograd.Tensor, dropout *device.Key) *autograd.Tensor {
	b.check(e.Config)
	return e.encode(scope, b, len(e.Layers), words, dropout)
}

// encode returns the output of the first n layers. The frames are nested, not one
// behind the other, so that a layer's input goes back when the layer is done.
func (e *Encoder) encode(scope *autograd.Scope, b *Batch, n int, words func(*autograd.Tensor) *autograd.Tensor, dropout *device.Key) *autograd.Tensor {
	return scope.Frame(func() *autograd.Tensor {
		if n == 0 {
			return e.Embeddings.forward(scope, b, e.Config, words, dropout)
		}
		x := e.encode(scope, b, n-1, words, dropout)
		var key *device.Key
		if dropout != nil {
			k := dropout.FoldInt(n - 1)
			key = &k
		}
		return e.Layers[n-1].forward(x, b.Segments, e.Config, key)
	})
}

func (e *Embeddings) forward(scope *autograd.Scope, b *Batch, c Config, words func(*autograd.Tensor) *autograd.Tensor, dropout *device.Key) *autograd.Tensor {
	first := int32(c.firstPosition())
	positions := make([]int32, len(b.Positions))
	for i, p := range b.Positions {
		positions[i] = first + p
	}
	word := e.Word.Forward(rows(scope, b.IDs))
	if words != nil {
		word = words(word)
	}
	position := e.Position.Forward(rows(scope, positions))
	var kind *autograd.Tensor
	if b.Types == nil {
		kind = ops.Slice(scope.Of(e.Type.Weight), 0, 0, 1)
	} else {
		kind = e.Type.Forward(rows(scope, b.Types))
	}
	x := e.Norm.Forward(addThree(word, position, kind))
	if dropout != nil {
		x = ops.Dropout(x, c.HiddenDropout, dropout.Fold("embeddings"))
	}
	return x
}

var addThree = ops.Pointwise("add_embeddings", func(b *device.Builder, in ...device.Value) device.Value {
	return b.Add(b.Add(in[0], in[1]), in[2])
})

// biasActivations are activations of x plus a bias, by the names of hidden_act.
var biasActivations = map[string]func(x, bias *autograd.Tensor) *autograd.Tensor{
	"gelu":              ops.BiasGELU,
	"gelu_new":          biasGELUTanh,
	"gelu_pytorch_tanh": biasGELUTanh,
	"relu":              func(x, bias *autograd.Tensor) *autograd.Tensor { return ops.ReLU(ops.Add(x, bias)) },
	"silu":              func(x, bias *autograd.Tensor) *autograd.Tensor { return ops.SiLU(ops.Add(x, bias)) },
}

func biasGELUTanh(x, bias *autograd.Tensor) *autograd.Tensor { return ops.GELUTanh(ops.Add(x, bias)) }

func (l *Layer) forward(x *autograd.Tensor, segs *device.Segments, c Config, dropout *device.Key) *autograd.Tensor {
	attention := ops.AttentionConfig{Heads: c.NumAttentionHeads}
	var p float64
	var key device.Key
	if dropout != nil {
		p, key = c.HiddenDropout, *dropout
		attention.Dropout, attention.Key = c.AttentionDropout, key.Fold("attention")
	}
	context := ops.SelfAttention(ops.Linear(x, l.QKV.Weight, l.QKV.Bias), segs, attention)
	x = l.AttentionNorm.Forward(project(context, l.AttentionOut, x, p, key.Fold("attention_output")))
	inner := biasActivations[c.HiddenAct](ops.Linear(x, l.Up.Weight, nil), l.Up.Bias)
	return l.Norm.Forward(project(inner, l.Down, x, p, key.Fold("output")))
}

// project ends a half of a layer: residual + dropout(linear(x)). Its frame gives back the
// product.
func project(x *autograd.Tensor, linear *nn.Linear, residual *autograd.Tensor, p float64, key device.Key) *autograd.Tensor {
	return x.Scope().Frame(func() *autograd.Tensor {
		return ops.DropoutAdd(ops.Linear(x, linear.Weight, nil), linear.Bias, residual, p, key)
	})
}
