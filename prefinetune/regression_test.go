package prefinetune

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/nn"
	"github.com/muppet-go/muppet/prefinetune/task"
)

// counting is a regression: how many brasks a text has.
func counting() *task.Task {
	tk := &task.Task{Name: "count", Family: task.Regression, Range: [2]float64{0, 40}, Metric: "pearson_spearman", Examples: map[string][]task.Example{}}
	for i := range 240 {
		n := i * 7 % 5
		e := task.Example{
			Text:  strings.Repeat("the brask ", n) + strings.Repeat("a keeper ", 4-n) + fmt.Sprint(i%3),
			Score: 20 + 3*float64(n), Where: "here",
		}
		split := "train"
		if i%4 == 0 {
			split = "dev"
			e.Text = "so " + e.Text
		}
		tk.Examples[split] = append(tk.Examples[split], e)
	}
	return tk
}

// TestMeanCostsOne: predicting the mean score costs 1 on average over the training examples, like an
// even guess in the other families, whatever the scores' place and spread.
func TestMeanCostsOne(t *testing.T) {
	for _, scaling := range []string{"log n", "none"} {
		m, tasks, cfg := small(t, "")
		cfg.Scaling = scaling
		tr, err := New(m, append(tasks[:1:1], counting()), cfg)
		if err != nil {
			t.Fatal(err)
		}
		h := tr.model.Regressors["count"]
		for _, p := range nn.Parameters(h.Head.OutProj) {
			fill(p.Tensor, 0)
		}
		total, n := 0.0, 0
		var picked []*example
		for i, e := range tr.train {
			if e.task == 1 {
				picked, n = append(picked, e), n+1
			}
			if len(picked) < 16 && i+1 < len(tr.train) {
				continue
			}
			p := tr.model.pack(tr.tasks, picked)
			tr.cfg.weigh(tr.tasks, p)
			total += tr.model.loss(autograd.NewScope(), tr.tasks, p, nil, nil).task.Item() * float64(len(picked))
			if c := p.choiceless(); c != 0 {
				t.Errorf("%d numbers count as without a choice", c)
			}
			picked = nil
		}
		if mean := total / float64(n); n != 180 || math.Abs(mean-1) > 1e-6 {
			t.Errorf("scaling %s: the mean costs %.8f over %d examples", scaling, mean, n)
		}
		_, p, err := tr.Evaluate(context.Background(), 1)
		if err != nil || len(p.Value) != 60 || math.Abs(p.Value[0]-26) > 0.2 {
			t.Errorf("predicted %v, %v", p.Value, err)
		}
	}
}

// TestRegressionRun trains beside another task with R3F, which leaves the numbers alone, resumes to
// the same bits, and loads what was saved.
func TestRegressionRun(t *testing.T) {
	m, tasks, cfg := small(t, t.TempDir())
	cfg.Steps, cfg.LR, cfg.R3F.Lambda = 120, 3e-3, 0.1
	all := append(tasks[:1:1], counting())
	tr, err := New(m, all, cfg)
	if err != nil {
		t.Fatal(err)
	}
	r, err := tr.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if s := r.Scores[1]; s.Ours < 0.5 || s.Majority != 0 || s.BagOfWords < 0.3 || s.StdErr <= 0 {
		t.Errorf("score %+v", s)
	}
	s, err := Load(cfg.Out)
	if err != nil {
		t.Fatal(err)
	}
	own, err := s.Task("count")
	if err != nil || own.Range != all[1].Range || own.Family != task.Regression {
		t.Errorf("saved task %+v, %v", own, err)
	}
	_, want, err := tr.Evaluate(context.Background(), 1)
	if err != nil {
		t.Fatal(err)
	}
	dev := tr.dev[1]
	got, err := s.Model.predict(context.Background(), all, dev.encoded, dev.texts, 600, tr.model.base.Generation)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range want.Value {
		if got[i].Score != v {
			t.Errorf("example %d: %g after loading, %g before", i, got[i].Score, v)
		}
	}

	// In Hugging Face's layout the head gives the score itself.
	m, err = s.Export(all[1])
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := m.Save(dir); err != nil {
		t.Fatal(err)
	}
	if s, err = Load(dir); err != nil {
		t.Fatal(err)
	}
	got, err = s.Predict(context.Background(), all[1], dev.texts)
	if err != nil || m.Config.ProblemType != "regression" || len(m.Config.Labels()) != 1 {
		t.Errorf("problem type %q, labels %q, %v", m.Config.ProblemType, m.Config.Labels(), err)
	}
	for i, v := range want.Value {
		if math.Abs(got[i].Score-v) > 1e-4 {
			t.Errorf("example %d: %g after export, %g before", i, got[i].Score, v)
		}
	}

	// Only the numbers, so that there is no other choice in the batches.
	m, _, cfg = small(t, "")
	cfg.R3F.Lambda = 1
	alone, err := New(m, all[1:], cfg)
	if err != nil {
		t.Fatal(err)
	}
	line, err := alone.trainStep()
	if err != nil || line.KL != 0 || !(line.Loss > 0) {
		t.Errorf("step %+v, %v", line, err)
	}
}

func TestScoresAllAlike(t *testing.T) {
	tk := counting()
	for i := range tk.Examples["train"] {
		tk.Examples["train"][i].Score = 7
	}
	m, _, cfg := small(t, "")
	tr, err := New(m, []*task.Task{tk}, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if line, err := tr.trainStep(); err != nil || !finite(float32(line.Loss)) {
		t.Errorf("step %+v, %v", line, err)
	}
	if scale := tr.model.Regressors["count"].Scale.Float32s(); scale[0] != 7 || scale[1] != 1 {
		t.Errorf("scale %v", scale)
	}
}
