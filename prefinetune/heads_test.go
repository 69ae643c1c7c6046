package prefinetune

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/prefinetune/task"
	"github.com/muppet-go/muppet/transformer"
)

// ended returns a short run's trainer and folder.
func ended(t *testing.T, change func(*Config)) (*Trainer, string) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "run")
	tr := newTrainer(t, out, func(c *Config) {
		c.Steps = 5
		if change != nil {
			change(c)
		}
	})
	if _, err := tr.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	return tr, out
}

// A model that was saved with its heads and loaded predicts what it did before.
func TestSavedHeads(t *testing.T) {
	for _, spectral := range []bool{false, true} {
		tr, out := ended(t, func(c *Config) { c.R3F.SpectralNorm = spectral })
		s, err := Load(out)
		if err != nil {
			t.Fatal(err)
		}
		for i, tk := range tr.tasks {
			own, err := s.Task(tk.Name)
			if err != nil || own.Family != tk.Family || own.Metric != tk.Metric || !slices.Equal(own.Labels, tk.Labels) {
				t.Fatalf("task %+v, want %+v (%v)", own, tk, err)
			}
			p := tr.model.pack(tr.tasks, tr.dev[i].encoded[:9])
			scope := autograd.NewScope().NoGrad()
			want := tr.model.scores(scope, tr.tasks, p, nil, nil).scores.Float32s()
			g := s.Model.scores(scope, tr.tasks, p, nil, nil).scores.Float32s()
			for k, w := range want {
				if d := g[k] - w; d > 1e-6 || d < -1e-6 || !spectral && d != 0 {
					t.Fatalf("%s: score %d is %g, was %g", tk.Name, k, g[k], w)
				}
			}
		}
	}
}

func TestKeepHeads(t *testing.T) {
	tr, out := ended(t, nil)
	s, err := Load(out)
	if err != nil {
		t.Fatal(err)
	}
	fresh := newTrainer(t, "", func(c *Config) { c.Seed = 99 })
	topic := classification(tr.tasks)
	weights := func(tr *Trainer) []float32 { return tr.model.Classifiers[topic.Name].OutProj.Weight.Float32s() }
	if reflect.DeepEqual(weights(fresh), weights(tr)) {
		t.Fatal("another seed gave the same head")
	}
	kept, err := fresh.KeepHeads(s)
	if err != nil || len(kept) != len(fresh.tasks) {
		t.Fatalf("kept %q (%v)", kept, err)
	}
	for name, pair := range map[string][2]any{
		"classifiers": {fresh.model.Classifiers, tr.model.Classifiers}, "ranking": {fresh.model.Ranking, tr.model.Ranking}, "span": {fresh.model.Span, tr.model.Span},
	} {
		if hashParameters(map[string]any{"": pair[0]}) != hashParameters(map[string]any{"": pair[1]}) {
			t.Errorf("%s were not kept", name)
		}
	}

	// A task of another name begins fresh, one of the same name with other labels is refused.
	other := func(change func(*task.Task)) *Trainer {
		m, _, cfg := small(t, "")
		changed := *topic
		change(&changed)
		tr, err := New(m, []*task.Task{&changed}, cfg)
		if err != nil {
			t.Fatal(err)
		}
		return tr
	}
	if kept, err := other(func(t *task.Task) { t.Name = "subject" }).KeepHeads(s); err != nil || kept != nil {
		t.Errorf("another name: kept %q (%v)", kept, err)
	}
	labels := func(change func([]string) []string) func(*task.Task) {
		return func(t *task.Task) { t.Labels = change(slices.Clone(t.Labels)) }
	}
	for _, c := range []struct {
		change func([]string) []string
		want   string
	}{
		{func(l []string) []string { return append(l, "star") }, "the task 5: +star"},
		{func(l []string) []string { return append(l[:3], "star") }, "has 4 labels, the task 4: +star -" + topic.Labels[3]},
		{func(l []string) []string { slices.Reverse(l); return l }, "are in another order"},
	} {
		if _, err := other(labels(c.change)).KeepHeads(s); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
	m, tasks, cfg := small(t, "")
	c := m.Config
	c.HiddenSize, c.NumAttentionHeads, c.IntermediateSize = 64, 2, 64
	wide := transformer.NewModel(transformer.NewEncoder(c, device.Key{}), transformer.Bare, device.Key{})
	wide.Tokenizer = m.Tokenizer
	tr2, err := New(wide, tasks, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tr2.KeepHeads(s); err == nil || !strings.Contains(err.Error(), "roberta of hidden size 32, the model is a roberta of 64") {
		t.Errorf("another width: %v", err)
	}
}

// classification returns a task with four labels.
func classification(tasks []*task.Task) *task.Task {
	return tasks[slices.IndexFunc(tasks, func(t *task.Task) bool { return len(t.Labels) == 4 })]
}

func TestLoadRefuses(t *testing.T) {
	tr, out := ended(t, nil)
	topic := classification(tr.tasks)
	if _, err := Load(t.TempDir()); err == nil || !strings.Contains(err.Error(), "neither a finished run") {
		t.Errorf("an empty folder: %v", err)
	}
	if _, err := Load(filepath.Join(out, "model")); err == nil || !strings.Contains(err.Error(), "no head for a task") {
		t.Errorf("a bare model: %v", err)
	}
	info := filepath.Join(out, headsDir, "heads.json")
	good, err := os.ReadFile(info)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ old, new, want string }{
		{`"hidden_size": 32`, `"hidden_size": 33`, "for a roberta of hidden size 33, the model is a roberta of 32"},
		{`"` + topic.Labels[2] + `",`, `"star", "` + topic.Labels[2] + `",`, "classifiers." + topic.Name + ".out_proj.weight has shape [4 32], the labels of " + topic.Name + " ask for [5 32]"},
		{`"name": "` + topic.Name + `"`, `"name": "other"`, "classifiers.other.out_proj.weight has shape []"},
		{`"name": "` + tr.tasks[0].Name + `"`, `"name": "` + tr.tasks[1].Name + `"`, "two tasks are named " + tr.tasks[1].Name},
		{`"metric": "em_f1"`, `"metric": "bleu"`, `metric "bleu" is none of`},
		{`"family": "mrc"`, `"family": "poetry"`, `family "poetry" is none of`},
		{`"max_length": 96`, `"max_length": 1000000`, "max_length is 1000000"},
		{`{`, `[`, "heads.json"},
	} {
		bad := strings.Replace(string(good), c.old, c.new, 1)
		if bad == string(good) {
			t.Fatalf("%s is not in heads.json", c.old)
		}
		if err := os.WriteFile(info, []byte(bad), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(out); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.new, err, c.want)
		}
	}
	if err := os.WriteFile(info, good, 0o644); err != nil {
		t.Fatal(err)
	}
	tensors := filepath.Join(out, headsDir, "heads.safetensors")
	whole, err := os.ReadFile(tensors)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 7, len(whole) / 2, len(whole) - 1} {
		if err := os.WriteFile(tensors, whole[:n], 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(out); err == nil || !strings.Contains(err.Error(), "heads.safetensors") {
			t.Errorf("cut at %d of %d bytes: %v", n, len(whole), err)
		}
	}
}

// FuzzHeads reads heads.json of a stranger's beside a model and tensors that are in order.
func FuzzHeads(f *testing.F) {
	out := filepath.Join(f.TempDir(), "run")
	tr := newTrainer(f, out, func(c *Config) { c.Steps = 1 })
	if _, err := tr.Run(context.Background()); err != nil {
		f.Fatal(err)
	}
	path := filepath.Join(out, headsDir, "heads.json")
	good, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"model_type":"roberta","hidden_size":32,"max_length":96,"tokens_per_batch":600,"tasks":[{"name":"a","family":"summarisation","metric":"rouge"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		s, err := Load(out)
		if err != nil {
			return
		}
		for _, tk := range s.Tasks {
			if own, err := s.Head(tk); err != nil || own != tk {
				t.Errorf("%+v has the head of %+v (%v)", tk, own, err)
			}
		}
	})
}
