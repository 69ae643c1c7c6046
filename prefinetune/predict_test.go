package prefinetune

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/nn"
	"github.com/muppet-go/muppet/prefinetune/metrics"
	"github.com/muppet-go/muppet/prefinetune/task"
	"github.com/muppet-go/muppet/transformer"
)

// saved returns a short run of an encoder or a BART, and what was saved of it.
func saved(t *testing.T, bart bool) (*Trainer, *Saved) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "run")
	steps := func(c *Config) { c.Steps, c.LR = 30, 5e-3 }
	tr := newTrainer(t, out, steps)
	if bart {
		tr = newBartTrainer(t, out, steps)
	}
	if _, err := tr.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	s, err := Load(out)
	if err != nil {
		t.Fatal(err)
	}
	return tr, s
}

// What was saved, and what Export makes of it for each task, scores what the run did.
func TestSavedEvaluatesAndExports(t *testing.T) {
	for _, bart := range []bool{false, true} {
		tr, s := saved(t, bart)
		exported := map[task.Family]bool{}
		for i, tk := range tr.tasks {
			small := *tk
			small.Examples = map[string][]task.Example{"dev": tr.dev[i].texts[:min(40, len(tr.dev[i].texts))]}
			tr.dev[i].texts, tr.dev[i].encoded = small.Examples["dev"], tr.dev[i].encoded[:len(small.Examples["dev"])]
			texts, want, err := tr.Evaluate(context.Background(), i)
			if err != nil {
				t.Fatal(err)
			}
			value, stderr := metrics.Score(tk, texts, want)
			check := func(what string, s *Saved) {
				got, err := s.Predict(context.Background(), &small, texts)
				if err != nil {
					t.Fatal(err)
				}
				for k, p := range got {
					if tk.Family == task.Classification || tk.Family == task.Commonsense {
						if p.Index != want.Index[k] {
							t.Errorf("%s of %s: example %d is %d, was %d", what, tk.Name, k, p.Index, want.Index[k])
						}
					} else if p.Text != want.Text[k] {
						t.Errorf("%s of %s: example %d is %q, was %q", what, tk.Name, k, p.Text, want.Text[k])
					}
				}
				e, err := s.Evaluate(context.Background(), &small, "dev")
				if err != nil {
					t.Fatal(err)
				}
				if m := e.Measures[0]; m.Name != tk.Metric || m.Value != value || m.StdErr != stderr || e.Examples != len(texts) {
					t.Errorf("%s of %s: %+v, want %g ± %g", what, tk.Name, e, value, stderr)
				}
			}
			check("what was saved", s)
			if exported[tk.Family] {
				continue
			}
			exported[tk.Family] = true
			m, err := s.Export(tk)
			if err != nil {
				t.Fatal(err)
			}
			dir := filepath.Join(t.TempDir(), "exported")
			if err := m.Save(dir); err != nil {
				t.Fatal(err)
			}
			keepForHuggingFace(t, m, tr.dev[i].encoded[:4])
			single, err := Load(dir)
			if bart && tk.Family == task.Commonsense {
				// Such a folder cannot say that its one score is to rank by.
				loaded, err := transformer.Load(dir)
				if err != nil || loaded.Head != transformer.SequenceClassification || hashParameters(loaded) != hashParameters(m) {
					t.Errorf("%s: %v", tk.Name, err)
				}
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			single.MaxLength, single.TokensPerBatch = s.MaxLength, s.TokensPerBatch // which such a folder does not say
			if tk.Family == task.Summarisation {
				single.Model.base.Generation = tr.model.generation(tr.longest(i))
			}
			check("the export", single)
		}
		if want := map[bool]int{false: 3, true: 4}[bart]; len(exported) < want {
			t.Errorf("exported %v", exported)
		}
	}
}

// keepForHuggingFace writes, where MUPPET_ROUNDTRIP names a folder, a model, a batch and the
// output for it to a folder in that, for transformer/testdata/roundtrip.py.
func keepForHuggingFace(t *testing.T, m *transformer.Model, examples []*example) {
	t.Helper()
	keep := os.Getenv("MUPPET_ROUNDTRIP")
	if keep == "" {
		return
	}
	var batch struct {
		Sequences [][]int32 `json:"sequences"`
		Targets   [][]int32 `json:"targets,omitempty"`
	}
	for _, e := range examples {
		if e.labels != nil {
			batch.Targets = append(batch.Targets, e.labels)
		}
		for _, s := range e.sequences {
			batch.Sequences = append(batch.Sequences, s.IDs)
		}
	}
	scope := autograd.NewScope().NoGrad()
	b := transformer.Pack(batch.Sequences...)
	var output *autograd.Tensor
	if m.LM != nil {
		targets := transformer.Pack(batch.Targets...)
		states := m.Bart.Encode(scope, b, nil)
		output = m.LM.Forward(m.Bart.Decode(targets.ShiftRight(m.Config), states, b.Segments, nil), m.Bart.Shared)
	} else if hidden := m.Encode(scope, b); m.Span != nil {
		rows := make([]int32, b.Tokens())
		for i := range rows {
			rows[i] = int32(i)
		}
		output = m.Span.Forward(hidden, rows)
	} else {
		output = m.Classifier.Forward(hidden, m.SequenceRows(b), nil)
	}
	dir := filepath.Join(keep, fmt.Sprintf("export-%s-%d", m.Architecture(), len(m.Config.Labels())))
	err := m.Save(dir)
	if err == nil {
		err = nn.SaveEntries(filepath.Join(dir, "expected.safetensors"), []nn.Entry{{Name: "output", Tensor: output}})
	}
	if err == nil {
		err = writeJSON(filepath.Join(dir, "batch.json"), batch)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestPredictions(t *testing.T) {
	tr, s := saved(t, false)
	for i, tk := range tr.tasks {
		texts := tr.dev[i].texts[:20]
		got, err := s.Predict(context.Background(), tk, texts)
		if err != nil {
			t.Fatal(err)
		}
		for k, p := range got {
			switch tk.Family {
			case task.Classification, task.Commonsense:
				sum := 0.0
				for _, v := range p.Probabilities {
					sum += v
				}
				if math.Abs(sum-1) > 1e-6 || p.Probabilities[p.Index] != slices.Max(p.Probabilities) {
					t.Errorf("%s: %+v", tk.Name, p)
				}
				if n := max(len(tk.Labels), len(texts[k].Choices)); len(p.Probabilities) != n {
					t.Errorf("%s: %d probabilities for %d choices", tk.Name, len(p.Probabilities), n)
				}
			case task.MRC:
				if !strings.HasPrefix(texts[k].Passage[p.Start:], p.Text) || p.Text == "" || !(p.Probability > 0 && p.Probability <= 1) {
					t.Errorf("%s: %+v of %q", tk.Name, p, texts[k].Passage)
				}
			}
		}
	}
}

func TestHeadRefuses(t *testing.T) {
	_, s := saved(t, false)
	mrc := s.Tasks[slices.IndexFunc(s.Tasks, func(t *task.Task) bool { return t.Family == task.MRC })]
	class := classification(s.Tasks)
	if own, err := s.Head(&task.Task{Name: "unheard of", Family: task.MRC, Metric: "em_f1"}); err != nil || own != mrc {
		t.Errorf("another reading task: %v, %v", own, err)
	}
	for _, c := range []struct {
		task task.Task
		want string
	}{
		{task.Task{Name: "unheard of", Family: task.Classification, Labels: class.Labels}, `no head for task "unheard of"; want one of`},
		{task.Task{Name: class.Name, Family: task.MRC}, "is for classification, the task is mrc"},
		{task.Task{Name: class.Name, Family: task.Classification, Labels: class.Labels[1:]}, "has 4 labels, the task 3: -" + class.Labels[0]},
		{task.Task{Name: "unheard of", Family: task.Summarisation}, "no head for task"},
	} {
		if _, err := s.Head(&c.task); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}

func TestParseInput(t *testing.T) {
	tasks := map[task.Family]*task.Task{}
	for _, f := range []task.Family{task.Classification, task.Commonsense, task.MRC, task.Summarisation} {
		tasks[f] = &task.Task{Name: "t", Family: f}
	}
	ex, id, err := ParseInput(tasks[task.Commonsense], []byte(`{"id": 7, "context": "a", "choices": ["b", "c"], "answer": "whatever"}`))
	if err != nil || ex.Context != "a" || !slices.Equal(ex.Choices, []string{"b", "c"}) || string(id) != "7" {
		t.Errorf("%+v, id %s, %v", ex, id, err)
	}
	if ex, _, err = ParseInput(tasks[task.MRC], []byte(`{"question": "q", "passage": "p"}`)); err != nil || ex.Question != "q" || ex.Passage != "p" {
		t.Errorf("%+v, %v", ex, err)
	}
	for _, c := range []struct {
		family     task.Family
		line, want string
	}{
		{task.Classification, `["a"]`, "not a JSON object"},
		{task.Classification, `null`, "not a JSON object"},
		{task.Classification, `{"text": "a"} {}`, "more than one"},
		{task.Classification, `{"text2": "a"}`, "field text: missing"},
		{task.Classification, `{"text": 3}`, "field text: want text"},
		{task.Classification, `{"text": " "}`, "field text: blank"},
		{task.Classification, `{"text": "a", "passage": "b"}`, "field passage: task t has text, text2"},
		{task.Commonsense, `{"context": "a", "choices": []}`, "field choices: want a list"},
		{task.Commonsense, `{"context": "a", "choices": ["b", ""]}`, "field choices[1]: blank"},
		{task.Summarisation, `{}`, "field source: missing"},
	} {
		if _, _, err := ParseInput(tasks[c.family], []byte(c.line)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.line, err, c.want)
		}
	}
}

func FuzzParseInput(f *testing.F) {
	f.Add("classification", []byte(`{"id": 7, "text": "a", "text2": "b"}`))
	f.Add("commonsense", []byte(`{"context": "a", "choices": ["b", "c"]}`))
	f.Fuzz(func(t *testing.T, family string, line []byte) {
		ex, _, err := ParseInput(&task.Task{Name: "t", Family: task.Family(family)}, line)
		if err == nil && task.Family(family) == task.Classification && strings.TrimSpace(ex.Text) == "" {
			t.Errorf("%q became %+v", line, ex)
		}
	})
}
