package transformer

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/nn"
	"github.com/muppet-go/muppet/nn/safetensors"
	"github.com/muppet-go/muppet/ops"
	"github.com/muppet-go/muppet/transformer/tokenizer"
)

// headFolders are the checkpoints that testdata/heads.py made with Hugging Face's classes.
func headFolders(t *testing.T) []string {
	t.Helper()
	folders, err := filepath.Glob(filepath.Join("testdata", "heads", "*"))
	if err != nil || len(folders) != 12 {
		t.Fatal(folders, err)
	}
	return folders
}

// output computes what the model's head does with every token or sequence of a batch.
func output(m *Model, hidden *autograd.Tensor, b *Batch) *autograd.Tensor {
	all := make([]int32, b.Tokens())
	for i := range all {
		all[i] = int32(i)
	}
	var first []int32
	for i := range b.Segments.Count() {
		first = append(first, int32(b.Segments.Start(i)))
	}
	switch m.Head {
	case MaskedLM:
		return m.MaskedLM.Forward(hidden, all, m.Encoder.Embeddings.Word)
	case SequenceClassification, MultipleChoice:
		return m.Classifier.Forward(hidden, first, nil)
	case QuestionAnswering:
		return m.Span.Forward(hidden, all)
	case TokenClassification:
		return m.Token.Forward(hidden, nil)
	}
	return m.Pooler.Forward(hidden, first)
}

// headBatch is what testdata/heads.py stored beside a model.
type headBatch struct {
	Sequences [][]int32 `json:"sequences"`
	Types     [][]int32 `json:"types"`
}

func loadHeadBatch(t *testing.T, dir string) headBatch {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "batch.json"))
	if err != nil {
		t.Fatal(err)
	}
	var stored headBatch
	if err := json.Unmarshal(data, &stored); err != nil {
		t.Fatal(err)
	}
	return stored
}

func loadBatch(t *testing.T, dir string) *Batch {
	t.Helper()
	stored := loadHeadBatch(t, dir)
	b := Pack(stored.Sequences...)
	b.Types = slices.Concat(stored.Types...)
	return b
}

func TestHeadsParity(t *testing.T) {
	for _, dir := range headFolders(t) {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			m, err := Load(dir)
			if err != nil {
				t.Fatal(err)
			}
			if m.Fresh != nil || m.Unused != nil {
				t.Errorf("fresh %q, unused %q", m.Fresh, m.Unused)
			}
			if name := strings.Replace(filepath.Base(dir), "-Model", "Model", 1); strings.Replace(name, "-", "For", 1) != m.Architecture() {
				t.Errorf("architecture %s", m.Architecture())
			}
			p := &parity{}
			if p.expected, err = safetensors.Open(filepath.Join(dir, "expected.safetensors")); err != nil {
				t.Fatal(err)
			}
			defer p.expected.Close()
			b := loadBatch(t, dir)
			hidden := m.Encode(nil, b)
			p.compare(t, "hidden", hidden, 2e-5, 0)
			out := output(m, hidden, b)
			p.compare(t, "output", out, 2e-5, 0)
			factors, shape, err := p.expected.ReadFloat32("factors")
			if err != nil {
				t.Fatal(err)
			}
			grads := autograd.NewGradients()
			autograd.Backward(ops.Sum(ops.Mul(out, autograd.New(factors, shape...))), grads)
			checked := 0
			for _, param := range nn.Parameters(m) {
				g := grads.Get(param.Tensor)
				if g == nil {
					t.Fatalf("%s has no gradient", param.Name)
				}
				for _, e := range param.Entries(g) {
					absolute := 1e-6
					if strings.HasSuffix(e.Name, "key.bias") {
						absolute = 1e-5 // it adds the same to all scores of a query: the gradient is 0 but for rounding
					}
					p.compare(t, "gradient."+e.Name, e.Tensor, absolute, 1e-4)
					checked++
				}
			}
			stored := 0
			for _, name := range p.expected.Names() {
				if strings.HasPrefix(name, "gradient.") && !strings.HasPrefix(name, "gradient.cls.predictions.decoder") && !strings.HasPrefix(name, "gradient.lm_head.decoder") {
					stored++
				}
			}
			if checked != stored {
				t.Errorf("%d gradients compared, Hugging Face has %d", checked, stored)
			}
		})
	}
}

// TestHeadsRoundTrip saves every model and finds the same tensors under the same names.
func TestHeadsRoundTrip(t *testing.T) {
	for _, dir := range headFolders(t) {
		m, err := Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		b := loadBatch(t, dir)
		again := saveAgain(t, m, filepath.Base(dir), loadHeadBatch(t, dir), output(m, m.Encode(nil, b), b))
		a, err := safetensors.Open(filepath.Join(dir, "model.safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		saved, err := safetensors.Open(filepath.Join(again, "model.safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		defer saved.Close()
		if len(a.Names()) != len(saved.Names()) {
			t.Errorf("%s: %d tensors became %d", dir, len(a.Names()), len(saved.Names()))
		}
		for _, name := range a.Names() {
			x, _, err1 := a.ReadFloat32(name)
			y, _, err2 := saved.ReadFloat32(name)
			if err1 != nil || err2 != nil || len(x) != len(y) {
				t.Fatalf("%s: %s: %v, %v", dir, name, err1, err2)
			}
			for i := range x {
				if x[i] != y[i] {
					t.Fatalf("%s: %s differs", dir, name)
				}
			}
		}
		c, err := LoadConfig(again)
		if err != nil || c.Architectures[0] != m.Architecture() || c.HiddenAct != m.Config.HiddenAct {
			t.Errorf("%s: configuration %+v, %v", dir, c, err)
		}
	}
}

// TestLoadFor gives every checkpoint every head.
func TestLoadFor(t *testing.T) {
	for _, dir := range headFolders(t) {
		own, err := Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, head := range append([]Head{Bare}, heads...) {
			m, err := LoadFor(dir, head)
			if err != nil {
				t.Fatalf("%s for %q: %v", dir, head, err)
			}
			if !sameWeights(own.Encoder, m.Encoder) {
				t.Errorf("%s for %q: another encoder", dir, head)
			}
			if head == own.Head && m.Fresh != nil {
				t.Errorf("%s for %q: fresh %q", dir, head, m.Fresh)
			}
			b := loadBatch(t, dir)
			if m.Head != Bare || m.Pooler != nil {
				output(m, m.Encode(nil, b), b)
			}
		}
		m, err := LoadFor(dir, SequenceClassification, "a", "b", "c", "d")
		if err != nil {
			t.Fatal(err)
		}
		if len(m.Fresh) == 0 || m.Classifier.OutProj.Weight.Dim(0) != 4 || m.Config.Label2ID["d"] != 3 {
			t.Errorf("%s: fresh %q, labels %v", dir, m.Fresh, m.Config.Label2ID)
		}
		if w := m.Classifier.OutProj.Weight.Float32s(); w[0] == 0 || w[0] == w[1] || m.Config.InitializerRange != own.Config.InitializerRange {
			t.Errorf("%s: a fresh head begins with %v, initializer_range is %g", dir, w, m.Config.InitializerRange)
		}
	}
	if _, err := LoadFor(headFolders(t)[0], "Nothing"); err == nil || !strings.Contains(err.Error(), `no head "Nothing"`) {
		t.Errorf("error is %v", err)
	}
}

// TestClone changes the weights of copies: of an encoder with a pooler, and of models with
// heads, BART's with its settings of generation.
func TestClone(t *testing.T) {
	c := NewConfig(20, 2, 8)
	c.NumAttentionHeads = 2
	pooled := NewModel(NewEncoder(c, autograd.NewKey(1)), Bare, autograd.NewKey(2))
	pooled.addPooler()
	bart := NewBartConfig(20, 1, 8)
	writer := NewBartModel(NewBart(bart, autograd.NewKey(1)), ConditionalGeneration, autograd.NewKey(2))
	writer.Generation.NumBeams = 3
	for _, m := range []*Model{
		pooled, writer,
		NewModel(NewEncoder(c, autograd.NewKey(1)), SequenceClassification, autograd.NewKey(2), "x", "y", "z"),
		NewModel(NewEncoder(c, autograd.NewKey(1)), QuestionAnswering, autograd.NewKey(2)),
		NewBartModel(NewBart(bart, autograd.NewKey(1)), SequenceClassification, autograd.NewKey(2), "x", "y"),
	} {
		m.Tokenizer = &tokenizer.Tokenizer{}
		clone := m.Clone()
		if d := cmp.Diff(m.Config, clone.Config); d != "" {
			t.Errorf("%s: the copy's configuration: %s", m.Architecture(), d)
		}
		if clone.Tokenizer != m.Tokenizer || clone.Generation.NumBeams != m.Generation.NumBeams {
			t.Errorf("%s: the tokenizer or the settings of generation are lost", m.Architecture())
		}
		if len(nn.Parameters(clone)) != len(nn.Parameters(m)) {
			t.Errorf("%s: %d parameters of %d", m.Architecture(), len(nn.Parameters(clone)), len(nn.Parameters(m)))
		}
		from := nn.StateDict(m)
		for i, e := range nn.StateDict(clone) {
			values := from[i].Tensor.Float32s()
			if e.Name != from[i].Name || !slices.Equal(e.Tensor.Float32s(), values) {
				t.Fatalf("%s: %s differs in the copy", m.Architecture(), e.Name)
			}
			autograd.Mutate(func(dst ...device.Slice) { e.Tensor.Device().Fill(dst[0], 7) }, e.Tensor)
			if !slices.Equal(from[i].Tensor.Float32s(), values) {
				t.Errorf("%s: %s changes with its copy", m.Architecture(), e.Name)
			}
		}
	}
}
