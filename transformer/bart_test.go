package transformer

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/nn"
	"github.com/muppet-go/muppet/nn/safetensors"
	"github.com/muppet-go/muppet/ops"
)

// bartCase is what testdata/bart.py made with Hugging Face's classes.
type bartCase struct {
	Sequences   [][]int32 `json:"sequences"`
	Targets     [][]int32 `json:"targets,omitempty"`
	Loss        float64   `json:"loss,omitempty"`
	Generations []struct {
		Settings  json.RawMessage `json:"settings"`
		Sequences [][]int32       `json:"sequences"`
		Scores    []float64       `json:"scores,omitempty"` // of beams
	} `json:"generations,omitempty"`

	dir   string
	model *Model
	parity
}

var bartClasses = map[string]string{
	"deep": "BartForConditionalGeneration", "odd": "BartForConditionalGeneration", "class": "BartForSequenceClassification",
	"span": "BartForQuestionAnswering", "bare": "BartModel",
}

func loadBart(t *testing.T, name string) *bartCase {
	t.Helper()
	c := &bartCase{dir: filepath.Join("testdata", "bart", name)}
	data, err := os.ReadFile(filepath.Join(c.dir, "batch.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, c); err != nil {
		t.Fatal(err)
	}
	if c.model, err = Load(c.dir); err != nil {
		t.Fatal(err)
	}
	if c.expected, err = safetensors.Open(filepath.Join(c.dir, "expected.safetensors")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.expected.Close() })
	return c
}

// output returns what the model makes of the batch, and the decoder's states.
func (c *bartCase) output(scope *autograd.Scope) (output, states *autograd.Tensor) {
	m, b := c.model, Pack(c.Sequences...)
	if m.LM != nil {
		states = m.Bart.Decode(Pack(c.Targets...).ShiftRight(m.Config), m.Bart.Encode(scope, b, nil), b.Segments, nil)
		return m.LM.Forward(states, m.Bart.Shared), states
	}
	states = m.Encode(scope, b)
	switch m.Head {
	case SequenceClassification:
		return m.Classifier.Forward(states, m.SequenceRows(b), nil), states
	case QuestionAnswering:
		all := make([]int32, b.Tokens())
		for i := range all {
			all[i] = int32(i)
		}
		return m.Span.Forward(states, all), states
	}
	return states, states
}

func TestBartParity(t *testing.T) {
	for name, class := range bartClasses {
		t.Run(name, func(t *testing.T) {
			c := loadBart(t, name)
			if c.model.Fresh != nil || c.model.Unused != nil || c.model.Architecture() != class {
				t.Errorf("%s: fresh %q, unused %q", c.model.Architecture(), c.model.Fresh, c.model.Unused)
			}
			for _, scope := range []*autograd.Scope{nil, autograd.NewScope()} {
				c.compare(t, "encoder", c.model.Bart.Encode(scope, Pack(c.Sequences...), nil), 2e-5, 0)
				output, states := c.output(scope)
				c.compare(t, "decoder", states, 2e-5, 0)
				c.compare(t, "output", output, 2e-5, 0)
				var objective *autograd.Tensor
				if c.model.LM != nil {
					objective = ops.CrossEntropy(output, autograd.New(slices.Concat(c.Targets...)))
					if got := objective.Item(); !(math.Abs(got-c.Loss) <= 1e-5*c.Loss) {
						t.Errorf("loss is %.7f, Hugging Face has %.7f", got, c.Loss)
					}
				} else {
					factors, shape, err := c.expected.ReadFloat32("factors")
					if err != nil {
						t.Fatal(err)
					}
					objective = ops.Sum(ops.Mul(output, autograd.New(factors, shape...)))
				}
				grads := autograd.NewGradients()
				autograd.Backward(objective, grads)
				checked := 0
				for _, param := range nn.Parameters(c.model) {
					g := grads.Get(param.Tensor)
					if g == nil {
						t.Fatalf("%s has no gradient", param.Name)
					}
					for _, e := range param.Entries(g) {
						absolute := 1e-6 // some are ten thousand times smaller than others
						if strings.HasSuffix(e.Name, "k_proj.bias") {
							absolute = 1e-5 // it adds the same to all scores of a query: the gradient is 0 but for rounding
						}
						c.compare(t, "gradient."+e.Name, e.Tensor, absolute, 1e-4)
						checked++
					}
				}
				stored := 0
				for _, name := range c.expected.Names() {
					if strings.HasPrefix(name, "gradient.") {
						stored++
					}
				}
				if checked != stored {
					t.Errorf("%d gradients compared, Hugging Face has %d", checked, stored)
				}
			}
		})
	}
}

// saveAgain saves a model and returns the folder. Where MUPPET_ROUNDTRIP names a folder it is in that, and has the batch
// and the output for testdata/roundtrip.py, which lets Hugging Face's classes load it.
func saveAgain(t *testing.T, m *Model, name string, batch any, output *autograd.Tensor) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	keep := os.Getenv("MUPPET_ROUNDTRIP")
	if keep != "" {
		dir = filepath.Join(keep, name)
	}
	err := m.Save(dir)
	if err == nil && keep != "" {
		if err = nn.SaveEntries(filepath.Join(dir, "expected.safetensors"), []nn.Entry{{Name: "output", Tensor: output}}); err == nil {
			err = saveJSON(filepath.Join(dir, "batch.json"), batch)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestBartRoundTrip saves every model and finds the same tensors and settings again.
func TestBartRoundTrip(t *testing.T) {
	for name := range bartClasses {
		c := loadBart(t, name)
		output, _ := c.output(nil)
		dir := saveAgain(t, c.model, "bart-"+name, c, output)
		again, err := Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		if again.Fresh != nil || again.Unused != nil || again.Architecture() != c.model.Architecture() {
			t.Errorf("%s: %s, fresh %q, unused %q", name, again.Architecture(), again.Fresh, again.Unused)
		}
		was, is := nn.StateDict(c.model), nn.StateDict(again)
		if len(was) != len(is) {
			t.Errorf("%s: %d tensors became %d", name, len(was), len(is))
		}
		for i, e := range was {
			if e.Name != is[i].Name || !slices.Equal(e.Tensor.Float32s(), is[i].Tensor.Float32s()) {
				t.Errorf("%s: %s became %s", name, e.Name, is[i].Name)
			}
		}
		a, err1 := json.Marshal([]any{c.model.Config, c.model.Generation.file(c.model.Config)})
		b, err2 := json.Marshal([]any{again.Config, again.Generation.file(again.Config)})
		if c.model.LM == nil {
			a, err1 = json.Marshal(c.model.Config)
			b, err2 = json.Marshal(again.Config)
		}
		if err1 != nil || err2 != nil || string(a) != string(b) {
			t.Errorf("%s: settings %s became %s (%v, %v)", name, a, b, err1, err2)
		}
	}
}

func TestBartDropout(t *testing.T) {
	c := loadBart(t, "deep")
	m, b := c.model.Bart, Pack(c.Sequences...)
	features := func(key *device.Key) []float32 { return m.Features(nil, b, key).Float32s() }
	one, two := autograd.NewKey(1), autograd.NewKey(2)
	plain := features(nil)
	settings := map[string]*float64{"dropout": &m.Config.HiddenDropout, "attention": &m.Config.AttentionDropout, "activation": &m.Config.ActivationDropout}
	for _, p := range settings {
		*p = 0
	}
	if !slices.Equal(plain, features(&one)) {
		t.Error("no key is not the same as dropout 0")
	}
	for name, p := range settings {
		*p = 0.3
		first := features(&one)
		switch {
		case slices.Equal(first, plain):
			t.Errorf("%s drops nothing", name)
		case !slices.Equal(first, features(&one)):
			t.Errorf("%s: the same key drops differently", name)
		case slices.Equal(first, features(&two)):
			t.Errorf("%s: different keys drop alike", name)
		}
		*p = 0
	}
}

func TestBartInferenceMemory(t *testing.T) {
	checkInferenceMemory(t, func(layers int) func(*autograd.Scope, *Batch) *autograd.Tensor {
		m := NewBart(NewBartConfig(300, layers, 16), autograd.NewKey(1))
		return func(scope *autograd.Scope, b *Batch) *autograd.Tensor { return m.Features(scope, b, nil) }
	})
}

func TestShiftRight(t *testing.T) {
	c := NewBartConfig(300, 1, 8)
	got := Pack([]int32{7, 8, 9}, nil, []int32{-100, 5, -100}, []int32{2}).ShiftRight(c)
	if want := []int32{2, 7, 8, 2, 1, 5, 2}; !slices.Equal(got.IDs, want) || got.Segments.Len(2) != 3 {
		t.Errorf("shifted %v, want %v", got.IDs, want)
	}
}
