package transformer

import (
	"fmt"
	"math"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/nn"
	"github.com/muppet-go/muppet/ops"
)

// Bart is the encoder and decoder of BART (Lewis et al., arXiv 1910.13461): two stacks of post-norm
// transformer layers that share their word embeddings. Its tensors have Hugging Face's
// names.
type Bart struct {
	Config  Config
	Shared  *nn.Embedding `name:"shared"`
	Encoder *BartStack    `name:"encoder"`
	Decoder *BartStack    `name:"decoder"`
}

// BartStack is an encoder or a decoder: the sum of a token's and its position's vectors,
// normalised, and layers.
type BartStack struct {
	Positions *nn.Embedding `name:"embed_positions"`
	Norm      *nn.LayerNorm `name:"layernorm_embedding"`
	Layers    []*BartLayer  `name:"layers"`
}

// BartLayer is self-attention, in a decoder attention to the encoder's result, and a
// two-layer network, each followed by dropout, the residual and a norm.
type BartLayer struct {
	Self      *BartAttention      `name:"self_attn"`
	SelfNorm  *nn.LayerNorm       `name:"self_attn_layer_norm"`
	Cross     *BartCrossAttention `name:"encoder_attn"` // nil in the encoder
	CrossNorm *nn.LayerNorm       `name:"encoder_attn_layer_norm"`
	Up        *nn.Linear          `name:"fc1"`
	Down      *nn.Linear          `name:"fc2"`
	Norm      *nn.LayerNorm       `name:"final_layer_norm"`
}

// BartAttention makes queries, keys and values in one product: [3·hidden, hidden], stored as
// three tensors.
type BartAttention struct {
	Weight *autograd.Tensor `name:"q_proj.weight|k_proj.weight|v_proj.weight"`
	Bias   *autograd.Tensor `name:"q_proj.bias|k_proj.bias|v_proj.bias,nodecay"`
	Out    *nn.Linear       `name:"out_proj"`
}

// BartCrossAttention makes queries of the decoder's states, and keys and values in one product of
// the encoder's: [2·hidden, hidden], stored as two tensors.
type BartCrossAttention struct {
	Query    *nn.Linear       `name:"q_proj"`
	KVWeight *autograd.Tensor `name:"k_proj.weight|v_proj.weight"`
	KVBias   *autograd.Tensor `name:"k_proj.bias|v_proj.bias,nodecay"`
	Out      *nn.Linear       `name:"out_proj"`
}

// NewBart returns a model with weights drawn from N(0, initializer_range²). It panics if
// the configuration is not valid, or not BART's.
func NewBart(c Config, key device.Key) *Bart {
	if err := c.Validate(); err != nil {
		panic("transformer: NewBart: " + err.Error())
	}
	if c.ModelType != "bart" {
		panic(fmt.Sprintf("transformer: NewBart: model_type %q", c.ModelType))
	}
	stack := func(layers, inner int, cross bool, key device.Key) *BartStack {
		std, d := c.InitializerRange, c.HiddenSize
		norm := func() *nn.LayerNorm { return nn.NewLayerNorm(d, c.LayerNormEps) }
		s := &BartStack{Positions: nn.NewEmbedding(c.positionRows(), d, std, key.Fold("position")), Norm: norm()}
		for i := range layers {
			k := key.Fold("layer").FoldInt(i)
			linear := func(name string, in, out int) *nn.Linear { return nn.NewNormalLinear(in, out, std, k.Fold(name)) }
			qkv := linear("qkv", d, 3*d)
			l := &BartLayer{
				Self: &BartAttention{qkv.Weight, qkv.Bias, linear("attention", d, d)}, SelfNorm: norm(),
				Up: linear("up", d, inner), Down: linear("down", inner, d), Norm: norm(),
			}
			if cross {
				kv := linear("cross_kv", d, 2*d)
				l.Cross = &BartCrossAttention{linear("cross_query", d, d), kv.Weight, kv.Bias, linear("cross", d, d)}
				l.CrossNorm = norm()
			}
			s.Layers = append(s.Layers, l)
		}
		return s
	}
	return &Bart{
		Config: c, Shared: nn.NewEmbedding(c.VocabSize, c.HiddenSize, c.InitializerRange, key.Fold("word")),
		Encoder: stack(c.NumHiddenLayers, c.IntermediateSize, false, key.Fold("encoder")),
		Decoder: stack(c.DecoderLayers, c.DecoderFFNDim, true, key.Fold("decoder")),
	}
}

// Encode returns the encoder's hidden states [T, hidden] of a packed batch, in the scope.
// With a key, dropout is on and the key decides its masks; without, it is off. Encode
// panics if a sequence is longer than the model has positions.
func (m *Bart) Encode(scope *autograd.Scope, source *Batch, dropout *device.Key) *autograd.Tensor {
	return m.EncodeWords(scope, source, nil, dropout)
}

// EncodeWords is Encode with the word embeddings [T, hidden] replaced by what words makes
// of them, before they are scaled and positions are added: noise, for instance. Nil changes
// nothing.
func (m *Bart) EncodeWords(scope *autograd.Scope, source *Batch, words func(*autograd.Tensor) *autograd.Tensor, dropout *device.Key) *autograd.Tensor {
	p := &bartPass{model: m, stack: m.Encoder, batch: source, scope: scope, words: words}
	p.self = func(_ int, qkv *autograd.Tensor, cfg ops.AttentionConfig) *autograd.Tensor {
		cfg.Heads = m.Config.NumAttentionHeads
		return ops.SelfAttention(qkv, source.Segments, cfg)
	}
	return p.run(dropout, "encoder")
}

// Decode returns the decoder's hidden states [Tt, hidden] of a packed batch whose sequence i
// sees itself up to each token, and the rows of segment i of the encoder's states [Ts, hidden]. Dropout
// and panics are as Encode's.
func (m *Bart) Decode(target *Batch, states *autograd.Tensor, source *device.Segments, dropout *device.Key) *autograd.Tensor {
	if target.Segments.Count() != source.Count() || states.Dim(0) != source.Total() {
		panic(fmt.Sprintf("transformer: Decode: targets %v, states %v of sources %v", target.Segments, states.Shape(), source))
	}
	p := &bartPass{model: m, stack: m.Decoder, batch: target, scope: states.Scope()}
	p.self = func(_ int, qkv *autograd.Tensor, cfg ops.AttentionConfig) *autograd.Tensor {
		cfg.Heads, cfg.Causal = m.Config.DecoderAttentionHeads, true
		return ops.SelfAttention(qkv, target.Segments, cfg)
	}
	p.cross = func(layer int, q *autograd.Tensor, cfg ops.AttentionConfig) *autograd.Tensor {
		cfg.Heads = m.Config.DecoderAttentionHeads
		return ops.CrossAttention(q, m.Decoder.Layers[layer].Cross.keysValues(states), target.Segments, source, cfg)
	}
	return p.run(dropout, "decoder")
}

// Features returns the hidden states [T, hidden] of the decoder for a batch that both halves
// read, the decoder shifted right: what the heads score that do not generate.
func (m *Bart) Features(scope *autograd.Scope, b *Batch, dropout *device.Key) *autograd.Tensor {
	return m.Decode(b.ShiftRight(m.Config), m.Encode(scope, b, dropout), b.Segments, dropout)
}

// ShiftRight returns the batch that a decoder reads to predict the tokens of b: each sequence
// one to the right behind decoder_start_token_id, without its last token, and with
// pad_token_id for the negative ids of labels that do not count.
func (b *Batch) ShiftRight(c Config) *Batch {
	shifted := &Batch{IDs: make([]int32, len(b.IDs)), Positions: b.Positions, Segments: b.Segments}
	for s := range b.Segments.Count() {
		last := int32(c.DecoderStartTokenID)
		for i := range b.Segments.Len(s) {
			row := b.Segments.Start(s) + i
			if shifted.IDs[row] = last; last < 0 {
				shifted.IDs[row] = int32(c.PadTokenID)
			}
			last = b.IDs[row]
		}
	}
	return shifted
}

// keysValues returns the keys and values [Ts, 2·hidden] of the encoder's states.
func (a *BartCrossAttention) keysValues(states *autograd.Tensor) *autograd.Tensor {
	return ops.Linear(states, a.KVWeight, a.KVBias)
}

// bartPass is a batch on its way through a stack. How rows attend is the business of who
// makes it: it knows where keys and values are. Self gets queries, keys and values
// [T, 3·hidden] of a layer, cross queries [T, hidden].
type bartPass struct {
	model       *Bart
	stack       *BartStack
	batch       *Batch
	scope       *autograd.Scope
	words       func(*autograd.Tensor) *autograd.Tensor // of an encoder: changes the word embeddings, if not nil
	self, cross func(layer int, x *autograd.Tensor, cfg ops.AttentionConfig) *autograd.Tensor
}

func (p *bartPass) run(dropout *device.Key, name string) *autograd.Tensor {
	p.batch.check(p.model.Config)
	if dropout != nil {
		key := dropout.Fold(name)
		dropout = &key
	}
	return p.layers(len(p.stack.Layers), dropout)
}

// layers returns the output of the first n layers, in nested frames as an Encoder's.
func (p *bartPass) layers(n int, dropout *device.Key) *autograd.Tensor {
	return p.scope.Frame(func() *autograd.Tensor {
		if n == 0 {
			return p.embed(dropout)
		}
		x := p.layers(n-1, dropout)
		if dropout != nil {
			key := dropout.FoldInt(n - 1)
			return p.layer(n-1, x, &key)
		}
		return p.layer(n-1, x, nil)
	})
}

func (p *bartPass) embed(dropout *device.Key) *autograd.Tensor {
	c, s := p.model.Config, p.stack
	positions := make([]int32, len(p.batch.Positions))
	for i, at := range p.batch.Positions {
		positions[i] = int32(c.firstPosition()) + at
	}
	x := p.model.Shared.Forward(rows(p.scope, p.batch.IDs))
	if p.words != nil {
		x = p.words(x)
	}
	if c.ScaleEmbedding {
		x = ops.Scale(x, math.Sqrt(float64(c.HiddenSize)))
	}
	x = s.Norm.Forward(ops.Add(x, s.Positions.Forward(rows(p.scope, positions))))
	if dropout != nil {
		x = ops.Dropout(x, c.HiddenDropout, dropout.Fold("embeddings"))
	}
	return x
}

func (p *bartPass) layer(i int, x *autograd.Tensor, dropout *device.Key) *autograd.Tensor {
	c, l := p.model.Config, p.stack.Layers[i]
	drop := func(probability float64, name string) (float64, device.Key) {
		if dropout == nil {
			return 0, device.Key{}
		}
		return probability, dropout.Fold(name)
	}
	attention := func(name string) (cfg ops.AttentionConfig) {
		cfg.Dropout, cfg.Key = drop(c.AttentionDropout, name)
		return cfg
	}
	// Each half is a frame: what it needs goes back before the next begins.
	half := func(norm *nn.LayerNorm, out *nn.Linear, name string, inner func() *autograd.Tensor) {
		x = p.scope.Frame(func() *autograd.Tensor {
			probability, key := drop(c.HiddenDropout, name)
			return norm.Forward(project(inner(), out, x, probability, key))
		})
	}
	half(l.SelfNorm, l.Self.Out, "self_attention_output", func() *autograd.Tensor {
		return p.self(i, ops.Linear(x, l.Self.Weight, l.Self.Bias), attention("self_attention"))
	})
	if l.Cross != nil {
		half(l.CrossNorm, l.Cross.Out, "cross_attention_output", func() *autograd.Tensor {
			return p.cross(i, l.Cross.Query.Forward(x), attention("cross_attention"))
		})
	}
	half(l.Norm, l.Down, "output", func() *autograd.Tensor {
		inner := biasActivations[c.HiddenAct](ops.Linear(x, l.Up.Weight, nil), l.Up.Bias)
		probability, key := drop(c.ActivationDropout, "activation")
		return ops.Dropout(inner, probability, key)
	})
	return x
}
