package prefinetune

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/prefinetune/task"
)

// uncertainBatch is of the second and the third of four tasks; its third choice is among one.
func uncertainBatch() ([]*task.Task, *packed) {
	tasks := []*task.Task{{Name: "absent"}, {Name: "a"}, {Name: "b"}, {Name: "also absent"}}
	return tasks, &packed{
		examples: []*example{{task: 2}, {task: 1}, {task: 2}},
		owner:    []int{0, 1, 1, 2},
		lengths:  []int{3, 4, 1, 3},
		part:     []float32{0.25, 0.125, 0.125, 0.25},
		weights:  []float32{0.5, 0.25, 0, 0.5},
	}
}

// TestUncertaintyGradient compares the loss with its formula, and its gradient with
// differences.
func TestUncertaintyGradient(t *testing.T) {
	tasks, p := uncertainBatch()
	f := func(in ...*autograd.Tensor) *autograd.Tensor {
		m := &Model{LogVariances: map[string]*autograd.Tensor{"a": in[1], "b": in[2]}}
		return m.uncertain(tasks, p, in[0])
	}
	each, a, b := []float64{0.9, 0.3, 0, 1.7}, 0.4, -0.6
	inputs := []*autograd.Tensor{autograd.New(each), autograd.New([]float64{a}, 1), autograd.New([]float64{b}, 1)}
	want := math.Exp(-b)*0.5*(0.9+1.7) + b*0.5 + math.Exp(-a)*0.25*0.3 + a*0.125
	if got := f(inputs...).Item(); math.Abs(got-want) > 1e-12 {
		t.Errorf("loss %.15f, want %.15f", got, want)
	}
	if err := autograd.GradCheck(f, inputs...); err != nil {
		t.Error(err)
	}
	// At its least exp(s) is the mean loss, scaled: a weight of 0.5 for a part of 0.25 doubles it.
	inputs[0] = autograd.New([]float64{1.3, 0, 0, 1.3})
	inputs[2] = autograd.New([]float64{math.Log(2 * 1.3)}, 1).RequireGrad()
	f(inputs...).Backward()
	if g := inputs[2].Grad().Item(); math.Abs(g) > 1e-12 {
		t.Errorf("gradient %g where the loss is least", g)
	}
}

// TestUncertaintyLearns: only the tasks of a batch move, each towards its loss, at the rate that was
// asked for and without decay.
func TestUncertaintyLearns(t *testing.T) {
	tr := newTrainer(t, "", func(c *Config) {
		c.Scaling, c.ScalingRate, c.WeightDecay, c.WarmUp, c.TokensPerBatch = uncertainty, 7, 0.5, -1, 200
	})
	line, err := tr.trainStep()
	if err != nil {
		t.Fatal(err)
	}
	if len(line.Tasks) == len(tr.tasks) {
		t.Fatal("all tasks are in one batch")
	}
	for _, tk := range tr.tasks {
		s := tr.model.LogVariances[tk.Name].Item()
		l, ok := line.Tasks[tk.Name]
		if !ok && s != 0 {
			t.Errorf("%s is not in the batch and moved to %g", tk.Name, s)
		}
		step := s / math.Copysign(7*line.LR, l.Loss-1) // Adam's first, but for its ε
		if ok && (step < 0.9 || step > 1 || math.Abs(l.Weight-math.Exp(-s)) > 1e-12) {
			t.Errorf("%s costs %g and moved to %g, weight %g, with the learning rate %g", tk.Name, l.Loss, s, l.Weight, line.LR)
		}
	}
}

func TestGradNormBalances(t *testing.T) {
	loss, norm := []float64{0.9, 0.3, 0.6}, []float64{5, 0.2, 1}
	for _, alpha := range []float64{0, 0.5, 1.5} {
		b := newBalance(4) // the last is never there
		for k := range 4000 {
			var present []int
			for i := range loss {
				if (k+i)%(i+2) > 0 { // not in every update
					b.observe(i, loss[i], norm[i]*b.weight(i))
					present = append(present, i)
				}
			}
			b.step(present, 0.01, alpha)
		}
		sum := 0.0
		for i := range norm {
			got := norm[i] * b.weight(i) / (norm[2] * b.weight(2))
			if want := math.Pow(loss[i]/loss[2], alpha); math.Abs(got/want-1) > 1e-6 {
				t.Errorf("α %g: gradients of tasks %d and 2 are as %g to 1, want %g", alpha, i, got, want)
			}
			sum += b.weight(i)
		}
		if math.Abs(sum-3) > 1e-9 || b.weight(3) != 1 {
			t.Errorf("α %g: weights add up to %g; %g of a task that was never there", alpha, sum, b.weight(3))
		}
	}
	b := newBalance(2)
	b.observe(0, 0, 0)
	b.step([]int{0}, 0.1, 1.5)
	b.observe(1, 1, 0)
	b.step([]int{0, 1}, 0.1, 1.5)
	if !slices.Equal(b.LogWeights, []float64{0, 0}) {
		t.Errorf("weights %v without a gradient", b.LogWeights)
	}
	b = newBalance(2)
	for range 1000 { // one has nothing left to learn, but a gradient
		b.observe(0, 0, b.weight(0))
		b.observe(1, 1, b.weight(1))
		b.step([]int{0, 1}, 0.1, 1.5)
	}
	if w := b.weight(0); !(w > 1e-9 && w < 1e-8) || math.Abs(b.weight(1)-2) > 1e-6 {
		t.Errorf("weights %g and %g", w, b.weight(1))
	}
}

// TestGradNormCountsNoExamples: what is measured of a task does not depend on how many
// examples of it, or of others, are in the update, nor on its weights.
func TestGradNormCountsNoExamples(t *testing.T) {
	m, tasks, cfg := small(t, "")
	m.Encoder.Config.HiddenDropout, m.Encoder.Config.AttentionDropout = 0, 0
	cfg.Scaling = gradNorm
	cfg.LossWeights = map[string]float64{tasks[1].Name: 3, tasks[2].Name: 0}
	tr, err := New(m, tasks, cfg)
	if err != nil {
		t.Fatal(err)
	}
	of := make([]*example, 3)
	for _, e := range tr.train {
		if e.task < 3 {
			of[e.task] = e
		}
	}
	measure := func(mean string, logWeight float64, batches ...[]*example) float64 {
		tr.Balance = newBalance(len(tasks))
		tr.Balance.LogWeights[1] = logWeight
		tr.cfg.Mean = mean
		var packs []*packed
		for _, b := range batches {
			packs = append(packs, tr.model.pack(tasks, b))
		}
		tr.cfg.weigh(tasks, packs...)
		tr.Balance.weigh(packs)
		u := newUpdate(tr)
		for i, p := range packs {
			u.batch(i, p)
		}
		tr.grads.Reset()
		u.rebalance()
		if n := tr.Balance.Seen[2]; n > 0 {
			t.Errorf("a task of weight 0 was taken in %d times", n)
		}
		return tr.Balance.Grad[1]
	}
	want := measure("examples", 0, of[1:2])
	if !(want > 0) {
		t.Fatalf("norm %g", want)
	}
	for what, got := range map[string]float64{
		"twice":           measure("examples", 0, []*example{of[1], of[1]}),
		"with others":     measure("examples", 0, []*example{of[0], of[1], of[0], of[2]}),
		"weighted":        measure("examples", 0.7, []*example{of[0], of[1]}),
		"two batches":     measure("examples", 0.7, []*example{of[0], of[1]}, of[1:2]),
		"mean over tasks": measure("tasks", 0.7, []*example{of[0], of[1], of[1]}),
	} {
		if math.Abs(got/want-1) > 1e-4 {
			t.Errorf("%s: norm %g, alone %g", what, got, want)
		}
	}
}

// metricLines returns the lines of a run's log without what depends on the clock.
func metricLines(t *testing.T, out string) []string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(out, "metrics.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, line := range strings.Split(strings.TrimSpace(string(data)), "\n") {
		var v map[string]any
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatal(err)
		}
		delete(v, "tokens_per_second")
		delete(v, "wait_ms")
		if eval, ok := v["eval"].(map[string]any); ok {
			delete(eval, "seconds")
		}
		lines = append(lines, fmt.Sprint(v))
	}
	return lines
}

// TestLearnedScalingResumes stops runs that learn the tasks' factors, and evaluate on the way,
// after each of their steps and goes on to the same bits.
func TestLearnedScalingResumes(t *testing.T) {
	for _, scaling := range []string{uncertainty, gradNorm} {
		change := func(c *Config) {
			c.Scaling, c.Steps, c.CheckpointEvery = scaling, 6, 4
			c.EvaluateEvery, c.EvaluateExamples, c.KeepBest, c.Batches = 2, 5, true, batchHomogeneous
		}
		out := t.TempDir()
		whole := newTrainer(t, out, change)
		result, err := whole.Run(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		want, lines := hashParameters(whole.model), metricLines(t, out)
		if len(lines) != 6+3 {
			t.Fatalf("%s: %d lines", scaling, len(lines))
		}
		moved := 0
		for i := range whole.tasks {
			if w := whole.learnedWeight(i); !(w > 0 && w < 100) {
				t.Errorf("%s: weight %g", scaling, w)
			} else if w != 1 {
				moved++
			}
		}
		if moved < 2 || len(result.Report.Weight) != len(whole.tasks) {
			t.Errorf("%s: %d weights moved, %d are reported", scaling, moved, len(result.Report.Weight))
		}
		for stop := 1; stop < 6; stop++ {
			out := t.TempDir()
			ctx, cancel := context.WithCancel(context.Background())
			first := newTrainer(t, out, func(c *Config) {
				change(c)
				c.Progress = func(p Progress) {
					if p.Step == stop {
						cancel()
					}
				}
			})
			if _, err := first.Run(ctx); err == nil {
				t.Fatal("not interrupted")
			}
			second := newTrainer(t, out, change)
			if _, err := second.Run(context.Background()); err != nil {
				t.Fatal(err)
			}
			if got := hashParameters(second.model); got != want {
				t.Errorf("%s, stopped at %d: weights %s, uninterrupted %s", scaling, stop, got, want)
			}
			if got := metricLines(t, out); !slices.Equal(got, lines) {
				t.Errorf("%s, stopped at %d: metrics\n%s\nuninterrupted\n%s", scaling, stop, strings.Join(got, "\n"), strings.Join(lines, "\n"))
			}
			if fmt.Sprint(second.tally) != fmt.Sprint(whole.tally) {
				t.Errorf("%s, stopped at %d: %+v, uninterrupted %+v", scaling, stop, second.tally, whole.tally)
			}
		}
	}
}

// TestLearnedScalingInBart is on tasks of all four families.
func TestLearnedScalingInBart(t *testing.T) {
	for _, scaling := range []string{uncertainty, gradNorm} {
		tr := newBartTrainer(t, t.TempDir(), func(c *Config) {
			c.Steps, c.Scaling, c.Mean, c.Accumulate, c.CosinesEvery = 4, scaling, "tasks", 4, 2
			c.EvaluateEvery, c.EvaluateExamples, c.Aggregate, c.KeepBest = 2, 2, meanGain, true
		})
		r, err := tr.Run(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		for i, c := range r.Report.Weight {
			for k, w := range c.Values {
				if !(w > 0.5 && w < 2) {
					t.Errorf("%s: weight %g of %s at step %d", scaling, w, tr.tasks[i].Name, c.Steps[k])
				}
			}
			if n := len(r.Report.TaskScore[i].Values); n != 2 {
				t.Errorf("%s: %s was evaluated %d times", scaling, tr.tasks[i].Name, n)
			}
		}
		c, last := r.Report.Cosines, len(tr.tasks)-1 // the summaries
		if c == nil || c.Measurements != 2 || !slices.ContainsFunc(c.Count[last][:last], func(n int) bool { return n > 0 }) {
			t.Errorf("%s: cosines %+v", scaling, c)
		}
	}
}
