package transformer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/nn"
	"github.com/muppet-go/muppet/ops"
	"github.com/muppet-go/muppet/transformer/tokenizer"
)

// Head names what a model computes from its hidden states, as the end of Hugging Face's
// class names: RobertaForSequenceClassification has the head SequenceClassification.
type Head string

// The heads. Bare is none: hidden states, and the pooler if the checkpoint has one.
const (
	Bare                   Head = ""
	MaskedLM               Head = "MaskedLM"
	SequenceClassification Head = "SequenceClassification"
	MultipleChoice         Head = "MultipleChoice"
	QuestionAnswering      Head = "QuestionAnswering"
	TokenClassification    Head = "TokenClassification"
	ConditionalGeneration  Head = "ConditionalGeneration"
)

var (
	heads     = []Head{MaskedLM, SequenceClassification, MultipleChoice, QuestionAnswering, TokenClassification}
	bartHeads = []Head{ConditionalGeneration, SequenceClassification, QuestionAnswering}
)

// headsOf returns the heads that there are for a model_type.
func headsOf(c Config) []Head {
	if c.ModelType == "bart" {
		return bartHeads
	}
	return heads
}

// Model is an encoder, or BART's encoder and decoder, with at most one head. Of the heads' fields the one
// that Head names is set, and no other.
type Model struct {
	Config    Config
	Head      Head
	Tokenizer *tokenizer.Tokenizer // nil if the folder had none

	Encoder    *Encoder            // RoBERTa's and BERT's, else nil
	Bart       *Bart               // BART, else nil
	LM         *LMHead             // ConditionalGeneration
	Generation GenerationConfig    // ConditionalGeneration: where a caller's begins
	Pooler     *Pooler             // Bare, if the checkpoint has one
	MaskedLM   *MaskedLMHead       // MaskedLM
	Classifier *ClassificationHead // SequenceClassification, MultipleChoice (one output)
	Span       *SpanHead           // QuestionAnswering
	Token      *TokenHead          // TokenClassification

	// Modules are the same parts under the names that Hugging Face's class gives them,
	// for nn.Parameters and nn.StateDict.
	Modules map[string]any `name:""`

	// Fresh and Unused are the tensors of Load that the checkpoint lacked, all of the
	// head or pooler, and those in it that the model has no use for.
	Fresh, Unused []string
}

// NewModel returns a model on an encoder with a fresh head. Labels name the classes of a
// classification; without any they are the configuration's. A Bare model has no pooler. It
// panics for a head that there is not for an encoder.
func NewModel(e *Encoder, head Head, key device.Key, labels ...string) *Model {
	return (&Model{Config: e.Config, Head: head, Encoder: e}).withHead(key, labels)
}

// NewBartModel is NewModel for BART, whose heads are ConditionalGeneration,
// SequenceClassification and QuestionAnswering.
func NewBartModel(b *Bart, head Head, key device.Key, labels ...string) *Model {
	return (&Model{Config: b.Config, Head: head, Bart: b}).withHead(key, labels)
}

// withHead gives the model what its Head names.
func (m *Model) withHead(key device.Key, labels []string) *Model {
	if m.Head != Bare && !slices.Contains(headsOf(m.Config), m.Head) {
		panic(fmt.Sprintf("transformer: NewModel: no head %q for model_type %q", m.Head, m.Config.ModelType))
	}
	if len(labels) > 0 {
		m.Config.setLabels(labels)
	}
	c, classes := m.Config, len(m.Config.Labels())
	switch m.Head {
	case ConditionalGeneration:
		m.LM, m.Generation = NewLMHead(c), NewGenerationConfig(c)
	case MaskedLM:
		m.MaskedLM = NewMaskedLMHead(c, key)
	case SequenceClassification:
		m.Classifier = NewClassificationHead(c, classes, key)
		m.Classifier.pooled = c.ModelType == "bert"
	case MultipleChoice:
		m.Classifier = NewClassificationHead(c, 1, key)
		m.Classifier.pooled = true
	case QuestionAnswering:
		m.Config.ID2Label, m.Config.Label2ID = nil, nil // its outputs are the start and the end
		m.Span = NewSpanHead(c, key)
	case TokenClassification:
		m.Token = NewTokenHead(c, classes, key)
	}
	m.Modules = m.modules()
	return m
}

// Clone returns a copy of the model with weights of its own, all of them to be trained. The
// tokenizer, which nobody changes, is shared.
func (m *Model) Clone() *Model {
	c := blank(m.Config, m.Head)
	if m.Pooler != nil {
		c.addPooler()
	}
	if m.Bart != nil {
		c.Bart.Config = m.Bart.Config
	} else {
		c.Encoder.Config = m.Encoder.Config
	}
	c.Tokenizer, c.Generation = m.Tokenizer, m.Generation
	c.Fresh, c.Unused = slices.Clone(m.Fresh), slices.Clone(m.Unused)
	from := nn.StateDict(m)
	for i, e := range nn.StateDict(c) {
		values := from[i].Tensor.Float32s()
		autograd.Mutate(func(dst ...device.Slice) { e.Tensor.Device().Write(dst[0], values) }, e.Tensor)
	}
	return c
}

// base returns the model without its head, and the name it has in classes with one.
func (m *Model) base() (name string, base any) {
	if m.Bart != nil {
		return "model", m.Bart
	}
	return m.Config.ModelType, m.Encoder
}

// modules names the parts as Hugging Face's class for the architecture and head does.
func (m *Model) modules() map[string]any {
	name, base := m.base()
	if m.Head == Bare {
		parts := map[string]any{"": base}
		if m.Pooler != nil {
			parts["pooler"] = m.Pooler
		}
		return parts
	}
	parts := map[string]any{name: base}
	switch {
	case m.LM != nil:
		parts[""] = m.LM
	case m.MaskedLM != nil && name == "bert":
		parts["cls.predictions"] = &predictions{m.MaskedLM.Dense, m.MaskedLM.Norm, m.MaskedLM.Bias}
	case m.MaskedLM != nil:
		parts["lm_head"] = m.MaskedLM
	case m.Classifier != nil && m.Classifier.pooled:
		parts[name+".pooler.dense"], parts["classifier"] = m.Classifier.Dense, m.Classifier.OutProj
	case m.Classifier != nil && m.Bart != nil:
		parts["classification_head"] = m.Classifier
	case m.Classifier != nil:
		parts["classifier"] = m.Classifier
	case m.Span != nil:
		parts[""] = m.Span
	case m.Token != nil:
		parts[""] = m.Token
	}
	return parts
}

// predictions are a masked-language-model head under BERT's names.
type predictions struct {
	Dense *nn.Linear       `name:"transform.dense"`
	Norm  *nn.LayerNorm    `name:"transform.LayerNorm"`
	Bias  *autograd.Tensor `name:"bias,nodecay"`
}

// Architecture returns the name of Hugging Face's class for the model.
func (m *Model) Architecture() string {
	name := map[string]string{"roberta": "Roberta", "bert": "Bert", "bart": "Bart"}[m.Config.ModelType]
	if m.Head == Bare {
		return name + "Model"
	}
	return name + "For" + string(m.Head)
}

// headOf returns the head that a configuration's architecture names; of one that is not
// among the heads, as BertForPreTraining, the model without one remains.
func headOf(c Config) Head {
	if len(c.Architectures) > 0 {
		_, name, _ := strings.Cut(c.Architectures[0], "For")
		if slices.Contains(headsOf(c), Head(name)) {
			return Head(name)
		}
	}
	return Bare
}

// Encode returns the hidden states [T, hidden] of a packed batch, without dropout: of BART the
// decoder's, when both halves read the batch (Bart.Features).
func (m *Model) Encode(scope *autograd.Scope, b *Batch) *autograd.Tensor {
	if m.Bart != nil {
		return m.Bart.Features(scope, b, nil)
	}
	return m.Encoder.Encode(scope, b, nil)
}

// SequenceRows returns the rows of hidden states that stand for the sequences of a batch: the first
// of each; of BART, whose decoder has then read all, the last that is eos_token_id. It panics
// if a sequence has none.
func (m *Model) SequenceRows(b *Batch) []int32 {
	at := make([]int32, b.Segments.Count())
	for s := range at {
		start, end := b.Segments.Start(s), b.Segments.Start(s)+b.Segments.Len(s)
		row := start
		if m.Bart != nil {
			for row = end - 1; row >= start && b.IDs[row] != int32(m.Config.EOSTokenID); row-- {
			}
		}
		if row < start || row >= end {
			panic(fmt.Sprintf("transformer: SequenceRows: sequence %d has no token that stands for it", s))
		}
		at[s] = int32(row)
	}
	return at
}

// Mean returns the means [sequences, hidden] of the rows of each sequence of a batch, as
// sentence-transformers pools hidden states into a sentence's embedding.
func Mean(hidden *autograd.Tensor, b *Batch) *autograd.Tensor {
	n := b.Segments.Count()
	owner, scale := make([]int32, b.Tokens()), make([]float32, n)
	for i := range n {
		start := b.Segments.Start(i)
		scale[i] = 1 / float32(max(1, b.Segments.Len(i)))
		for r := range b.Segments.Len(i) {
			owner[start+r] = int32(i)
		}
	}
	scope := hidden.Scope()
	return ops.Mul(ops.IndexAdd(hidden, rows(scope, owner), n), scope.New(scale, n, 1))
}

// Embed returns an embedding of unit length for each text: the normalised mean of its
// hidden states. Texts longer than the model's positions are cut. It stops between
// batches when the context ends.
func (m *Model) Embed(ctx context.Context, texts ...string) ([][]float32, error) {
	if m.Tokenizer == nil {
		return nil, errors.New("transformer: Embed: the model has no tokenizer")
	}
	const tokensPerBatch = 4096
	var embeddings [][]float32
	scope := autograd.NewScope().NoGrad()
	for len(texts) > 0 {
		var ids [][]int32
		for tokens := 0; len(ids) < len(texts) && (tokens == 0 || tokens < tokensPerBatch); {
			s := m.sequence(texts[len(ids)])
			ids, tokens = append(ids, s), tokens+len(s)
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		b := Pack(ids...)
		mean := Mean(m.Encode(scope, b), b).Float32s()
		d := m.Config.HiddenSize
		for i := range ids {
			embeddings = append(embeddings, unit(mean[i*d:(i+1)*d]))
		}
		scope.Reset()
		texts = texts[len(ids):]
	}
	return embeddings, nil
}

// sequence returns a text's tokens between the special ones, cut to the model's positions.
func (m *Model) sequence(text string) []int32 {
	return m.Tokenizer.PostProcess(tokenizer.Options{MaxLength: m.Config.MaxLength()}, m.Tokenizer.Encode(text)).IDs
}

// unit returns a vector divided by its length; one of zeros as it is.
func unit(v []float32) []float32 {
	var sum float64
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	scale := 1 / max(math.Sqrt(sum), 1e-12)
	u := make([]float32, len(v))
	for i, x := range v {
		u[i] = float32(float64(x) * scale)
	}
	return u
}
