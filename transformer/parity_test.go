package transformer

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/nn"
	"github.com/muppet-go/muppet/nn/safetensors"
	"github.com/muppet-go/muppet/ops"
)

// whole is an encoder with one head of each kind, under the names of Hugging Face's
// RobertaForMaskedLM, RobertaForSequenceClassification and RobertaForQuestionAnswering.
type whole struct {
	Encoder    *Encoder            `name:"roberta"`
	MaskedLM   *MaskedLMHead       `name:"lm_head"`
	Classifier *ClassificationHead `name:"classifier"`
	Span       *SpanHead           `name:""`
}

// parity is what testdata/make.py stored for one configuration.
type parity struct {
	Sequences    [][]int32
	Masked       [][]int32 // positions whose tokens are predicted
	Words        [][]int32 // their tokens
	Classes      []int32
	Starts, Ends []int32
	Losses       map[string]float64

	model    *whole
	expected *safetensors.File
}

var parityCases = []struct {
	name   string
	labels int
}{{"small", 3}, {"odd", 17}, {"wide", 2}}

func loadParity(t *testing.T, name string, labels int) *parity {
	t.Helper()
	dir := filepath.Join("testdata", name)
	data, err := os.ReadFile(filepath.Join(dir, "batch.json"))
	if err != nil {
		t.Fatal(err)
	}
	var p parity
	if err := json.Unmarshal(data, &p); err != nil {
		t.Fatal(err)
	}
	c, err := LoadConfig(dir)
	if err != nil {
		t.Fatal(err)
	}
	key := autograd.NewKey(1)
	p.model = &whole{NewEncoder(c, key), NewMaskedLMHead(c, key), NewClassificationHead(c, labels, key), NewSpanHead(c, key)}
	if err := nn.Load(filepath.Join(dir, "model.safetensors"), p.model); err != nil {
		t.Fatal(err)
	}
	if p.expected, err = safetensors.Open(filepath.Join(dir, "expected.safetensors")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.expected.Close() })
	return &p
}

// compare fails unless got is the stored tensor to within absolute plus relative times
// its largest element.
func (p *parity) compare(t *testing.T, name string, got *autograd.Tensor, absolute, relative float64) {
	t.Helper()
	want, _, err := p.expected.ReadFloat64(name)
	if err != nil {
		t.Fatal(err)
	}
	values := got.Float64s()
	if len(values) != len(want) {
		t.Fatalf("%s has %d elements, Hugging Face has %d", name, len(values), len(want))
	}
	largest, off := 0.0, 0.0
	for i, w := range want {
		largest = math.Max(largest, math.Abs(w))
		off = math.Max(off, math.Abs(values[i]-w))
	}
	if !(off <= absolute+relative*largest) {
		t.Errorf("%s is %.3g off, its largest element is %.3g", name, off, largest)
	}
}

func TestHuggingFaceParity(t *testing.T) {
	for _, c := range parityCases {
		t.Run(c.name, func(t *testing.T) {
			p := loadParity(t, c.name, c.labels)
			scope, grads := autograd.NewScope(), autograd.NewGradients()
			b := Pack(p.Sequences...)
			var first, masked, words []int32
			for i := range p.Sequences {
				start := int32(b.Segments.Start(i))
				first = append(first, start)
				for _, m := range p.Masked[i] {
					masked = append(masked, start+m)
				}
				words = append(words, p.Words[i]...)
			}
			all := make([]int32, b.Tokens())
			for i := range all {
				all[i] = int32(i)
			}

			hidden := p.model.Encoder.Encode(scope, b, nil)
			p.compare(t, "hidden", hidden, 2e-5, 0)
			mlm := p.model.MaskedLM.Forward(hidden, masked, p.model.Encoder.Embeddings.Word)
			p.compare(t, "mlm", mlm, 0, 1e-4)
			class := p.model.Classifier.Forward(hidden, first, nil)
			p.compare(t, "class", class, 0, 1e-4)
			span := p.model.Span.Forward(hidden, all)
			p.compare(t, "span", span, 0, 1e-4)

			side := func(i int, target []int32) *autograd.Tensor {
				return ops.Mean(ops.SegmentCrossEntropy(ops.Slice(span, 0, i, i+1), scope.New(target), b.Segments))
			}
			total := autograd.Scalar(0)
			for name, loss := range map[string]*autograd.Tensor{
				"mlm": ops.CrossEntropy(mlm, scope.New(words)), "class": ops.CrossEntropy(class, scope.New(p.Classes)),
				"start": side(0, p.Starts), "end": side(1, p.Ends),
			} {
				if got, want := loss.Item(), p.Losses[name]; !(math.Abs(got-want) <= 1e-5*want) {
					t.Errorf("loss %s is %.7f, Hugging Face has %.7f", name, got, want)
				}
				total = ops.Add(total, loss)
			}
			autograd.Backward(total, grads)
			for _, param := range nn.Parameters(p.model) {
				g := grads.Get(param.Tensor)
				if g == nil {
					t.Fatalf("%s has no gradient", param.Name)
				}
				for _, e := range param.Entries(g) {
					// The gradient of a key's bias is 0 but for rounding: hence the absolute part.
					p.compare(t, "gradient."+e.Name, e.Tensor, 1e-6, 1e-4)
				}
			}
		})
	}
}

func TestPackedIsOneAtATime(t *testing.T) {
	for _, c := range parityCases {
		p := loadParity(t, c.name, c.labels)
		scope := autograd.NewScope().NoGrad()
		b := Pack(p.Sequences...)
		together := p.model.Encoder.Encode(scope, b, nil).Float32s()
		d := p.model.Encoder.Config.HiddenSize
		for i, s := range p.Sequences {
			alone := p.model.Encoder.Encode(scope, Pack(s), nil).Float32s()
			at := b.Segments.Start(i) * d
			for j, v := range alone {
				if off := math.Abs(float64(v - together[at+j])); !(off <= 1e-5) {
					t.Fatalf("%s: sequence %d alone is %g off", c.name, i, off)
				}
			}
		}
	}
}

func TestDropoutKeys(t *testing.T) {
	p := loadParity(t, "small", 3)
	p.model.Encoder.Config.HiddenDropout, p.model.Encoder.Config.AttentionDropout = 0.3, 0.3
	scope := autograd.NewScope().NoGrad()
	encode := func(key *device.Key) []float32 {
		defer scope.Reset()
		return p.model.Encoder.Encode(scope, Pack(p.Sequences...), key).Float32s()
	}
	one, two := autograd.NewKey(1), autograd.NewKey(2)
	plain, first := encode(nil), encode(&one)
	switch {
	case !slices.Equal(first, encode(&one)):
		t.Error("the same key drops differently")
	case slices.Equal(first, encode(&two)):
		t.Error("different keys drop alike")
	case slices.Equal(first, plain):
		t.Error("a key drops nothing")
	case !slices.Equal(plain, encode(nil)):
		t.Error("without a key results differ")
	}
	p.model.Encoder.Config.HiddenDropout, p.model.Encoder.Config.AttentionDropout = 0, 0
	if !slices.Equal(plain, encode(&one)) {
		t.Error("no key is not the same as dropout 0")
	}
}

// TestLayersDropOnTheirOwn makes each layer's result depend on nothing but its own last
// mask: the masks of two layers must differ.
func TestLayersDropOnTheirOwn(t *testing.T) {
	c := NewConfig(300, 2, 32)
	c.HiddenDropout = 0.5
	e := NewEncoder(c, autograd.NewKey(1))
	for _, l := range e.Layers {
		l.AttentionNorm.Weight, l.Down.Bias = nn.Constant(0, 32), nn.Constant(1, 32)
		l.Down.Weight = nn.Constant(0, 32, c.IntermediateSize)
	}
	key := autograd.NewKey(2)
	one := e.encode(nil, Pack(make([]int32, 8)), 1, nil, &key).Float32s()
	two := e.encode(nil, Pack(make([]int32, 8)), 2, nil, &key).Float32s()
	if slices.Equal(one, two) {
		t.Error("both layers drop the same")
	}
	if again := e.encode(nil, Pack(make([]int32, 8)), 1, nil, &key).Float32s(); !slices.Equal(one, again) {
		t.Error("the same key drops differently")
	}
}

// TestHeadDropout counts what passes two masks of probability one half: a quarter, and
// not the half of two equal masks.
func TestHeadDropout(t *testing.T) {
	const d, n = 32, 40
	c := NewConfig(300, 1, d)
	c.HiddenDropout = 0.5
	h := NewClassificationHead(c, d, autograd.NewKey(1))
	identity := make([]float32, d*d)
	for i := range d {
		identity[i*d+i] = 1
	}
	h.Dense.Weight, h.OutProj.Weight = autograd.New(identity, d, d), autograd.New(identity, d, d)
	first := make([]int32, n)
	score := func(seed uint64) []float32 {
		k := autograd.NewKey(seed)
		return h.Forward(nn.Constant(1, 1, d), first, &k).Float32s()
	}
	kept := 0
	for _, v := range score(1) {
		if v != 0 {
			kept++
		}
	}
	if share := float64(kept) / (n * d); math.Abs(share-0.25) > 0.06 { // 5 standard errors
		t.Errorf("%g passes both masks", share)
	}
	if !slices.Equal(score(1), score(1)) || slices.Equal(score(1), score(2)) {
		t.Error("the key does not decide what is dropped")
	}
}

func TestInferenceMemory(t *testing.T) {
	checkInferenceMemory(t, func(layers int) func(*autograd.Scope, *Batch) *autograd.Tensor {
		e := NewEncoder(NewConfig(300, layers, 16), autograd.NewKey(1))
		return func(scope *autograd.Scope, b *Batch) *autograd.Tensor { return e.Encode(scope, b, nil) }
	})
}

// checkInferenceMemory runs models of 1 and of 12 layers: without gradients the second
// needs no more memory, with them it does.
func checkInferenceMemory(t *testing.T, model func(layers int) func(*autograd.Scope, *Batch) *autograd.Tensor) {
	need := func(layers int, grad bool) int {
		run := model(layers)
		scope := autograd.NewScope()
		if !grad {
			scope.NoGrad()
		}
		before := memory.total()
		run(scope, Pack(make([]int32, 50), make([]int32, 30))).Float32s()
		return memory.total() - before
	}
	one, many := need(1, false), need(12, false)
	if one == 0 || many > one {
		t.Errorf("1 layer takes %d elements, 12 layers take %d", one, many)
	}
	if trained := need(12, true); trained < 3*many {
		t.Errorf("training takes %d elements, inference %d: the measure is wrong", trained, many)
	}
}

func TestEmptyBatch(t *testing.T) {
	e := NewEncoder(NewConfig(300, 2, 8), autograd.NewKey(1))
	if got := e.Encode(nil, Pack(), nil).Shape(); got[0] != 0 || got[1] != 8 {
		t.Errorf("shape %v", got)
	}
	if got := e.Encode(nil, Pack(nil, []int32{4}, nil), nil).Shape(); got[0] != 1 || got[1] != 8 {
		t.Errorf("shape %v", got)
	}
}
