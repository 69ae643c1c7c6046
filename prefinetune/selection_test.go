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

	"github.com/muppet-go/muppet/nn"
	"github.com/muppet-go/muppet/prefinetune/baseline"
	"github.com/muppet-go/muppet/prefinetune/metrics"
	"github.com/muppet-go/muppet/prefinetune/task"
)

func TestSelection(t *testing.T) {
	for _, c := range []struct {
		minDelta float64
		best     []int // which evaluations are
		stale    int
	}{
		{0, []int{1, 2, 4, 6}, 2},
		{0.05, []int{1, 2, 6}, 2},
		{0.3, []int{1}, 7},
	} {
		var s selection
		var best []int
		for i, v := range []float64{0.5, 0.6, 0.6, 0.62, 0.61, 0.7, 0.1, 0.7} {
			if s.take(10*(i+1), v, c.minDelta) {
				best = append(best, i+1)
			}
			if s.Evaluated != 10*(i+1) {
				t.Errorf("evaluated at %d", s.Evaluated)
			}
		}
		if !slices.Equal(best, c.best) || s.BestStep != 10*best[len(best)-1] || s.Stale != c.stale {
			t.Errorf("gains of %g: best are %v, %+v", c.minDelta, best, s)
		}
	}
	var s selection // less than nothing is a beginning, too
	if !s.take(1, -0.4, 0.1) || s.take(2, -0.5, 0) || !s.take(3, -0.2, 0.1) {
		t.Errorf("%+v", s)
	}
}

// evaluations returns those in a run's log, by step.
func evaluations(t *testing.T, out string) (steps []int, lines []*evaluation) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(out, "metrics.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(strings.TrimSpace(string(data)), "\n") {
		var l evalLine
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(err)
		}
		if l.Eval != nil {
			steps, lines = append(steps, l.Step), append(lines, l.Eval)
		}
	}
	return steps, lines
}

// TestEarlyStopping runs until patience is at its end, with a folder and without, in one go and
// with interruptions after every step, and compares where it stopped and with which
// weights.
func TestEarlyStopping(t *testing.T) {
	const patience = 3
	change := func(c *Config) {
		c.Steps, c.CheckpointEvery, c.WarmUp, c.LR = 60, 5, -1, 1e-3
		c.EvaluateEvery, c.EvaluateExamples, c.Patience, c.KeepBest = 2, 12, patience, true
	}
	out := t.TempDir()
	tr := newTrainer(t, out, change)
	r, err := tr.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	steps, lines := evaluations(t, out)
	best, since := 0, 0
	for i, e := range lines {
		if steps[i] != 2*(i+1) {
			t.Fatalf("evaluated at %v", steps)
		}
		if since == patience {
			t.Fatalf("went on after step %d", steps[i-1])
		}
		if since++; i == 0 || e.Aggregate > lines[best].Aggregate {
			best, since = i, 0
		}
		if e.Best != (since == 0) {
			t.Errorf("step %d: best %v", steps[i], e.Best)
		}
	}
	last := steps[len(steps)-1]
	if since != patience || r.Steps != last || last == 60 || r.WeightsOf != steps[best] || r.Report.Best != steps[best] {
		t.Fatalf("%d steps, the best of %v is %d, %d in the report, %d evaluations after it", r.Steps, steps, r.WeightsOf, r.Report.Best, since)
	}
	if len(r.Report.Aggregate.Values) != len(steps) || len(r.Report.TaskScore) != len(tr.tasks) || len(r.Report.TaskScore[0].Values) != len(steps) {
		t.Errorf("%d evaluations are reported, of %d", len(r.Report.Aggregate.Values), len(steps))
	}
	if !strings.Contains(strings.Join(r.Report.Summary, " "), fmt.Sprintf("stopped early, after %d of 60 steps", last)) {
		t.Errorf("the report says %q", r.Report.Summary)
	}
	plain := newTrainer(t, "", change)
	runTo(t, plain, steps[best])
	want := hashParameters(plain.model)
	if hashParameters(tr.model) != want {
		t.Errorf("the weights are not those of step %d", steps[best])
	}
	saved := newTrainer(t, "", change)
	if err := nn.Load(filepath.Join(out, checkpointsDir, bestDir, "model.safetensors"), saved.model); err != nil || hashParameters(saved.model) != want {
		t.Errorf("checkpoints/best does not hold the weights of step %d: %v", steps[best], err)
	}

	t.Run("again", func(t *testing.T) {
		again := newTrainer(t, out, change)
		before := metricLines(t, out)
		r, err := again.Run(context.Background())
		if err != nil || r.Steps != last || r.WeightsOf != steps[best] || hashParameters(again.model) != want || !slices.Equal(metricLines(t, out), before) {
			t.Errorf("a run that had stopped went on: %v, %+v", err, r)
		}
	})
	t.Run("no folder", func(t *testing.T) {
		tr := newTrainer(t, "", change)
		r, err := tr.Run(context.Background())
		if err != nil || r.Steps != last || r.WeightsOf != steps[best] || hashParameters(tr.model) != want {
			t.Fatalf("%v, %+v", err, r)
		}
		if len(r.Report.Loss.Values) != last || len(r.Report.Speed.Values) != last || len(r.Report.TaskScore[0].Values) != len(steps) || len(r.Report.TaskLoss[0].Values) == 0 {
			t.Errorf("the report has %d losses after %d steps", len(r.Report.Loss.Values), last)
		}
	})
	t.Run("interrupted", func(t *testing.T) {
		other := t.TempDir()
		for calls := 0; ; calls++ {
			ctx, cancel := context.WithCancel(context.Background())
			tr := newTrainer(t, other, func(c *Config) {
				change(c)
				c.Progress = func(Progress) { cancel() }
			})
			r, err := tr.Run(ctx)
			cancel()
			if err != nil && calls <= last {
				continue
			}
			// Its context ends in every step, so the evaluation after it is left to the next call.
			if err != nil || calls != last || hashParameters(tr.model) != want || !slices.Equal(metricLines(t, other), metricLines(t, out)) {
				t.Errorf("after %d calls: %v, %+v\n%s", calls, err, r, strings.Join(metricLines(t, other), "\n"))
			}
			return
		}
	})
	t.Run("crashed", func(t *testing.T) {
		// All after an older checkpoint is lost but the best weights, which it does not know of yet.
		checkpoints, err := filepath.Glob(filepath.Join(out, checkpointsDir, "step-*"))
		if err != nil || len(checkpoints) != 2 {
			t.Fatal(checkpoints, err)
		}
		before := metricLines(t, out)
		if err := os.RemoveAll(checkpoints[1]); err != nil {
			t.Fatal(err)
		}
		again := newTrainer(t, out, change)
		r, err := again.Run(context.Background())
		if err != nil || r.Steps != last || r.WeightsOf != steps[best] || hashParameters(again.model) != want || !slices.Equal(metricLines(t, out), before) {
			t.Errorf("%v, %+v", err, r)
		}
	})
	t.Run("best is gone", func(t *testing.T) {
		if err := os.RemoveAll(filepath.Join(out, checkpointsDir, bestDir)); err != nil {
			t.Fatal(err)
		}
		var told []string
		tr := newTrainer(t, out, func(c *Config) { change(c); c.Warn = func(s string) { told = append(told, s) } })
		r, err := tr.Run(context.Background())
		if err != nil || r.WeightsOf != last || !strings.Contains(strings.Join(told, "\n"), "does not hold the best weights") {
			t.Errorf("%v, %+v, told %q", err, r, told)
		}
	})
}

// TestAggregate compares what decides with means by hand.
func TestAggregate(t *testing.T) {
	_, tasks, _ := small(t, "")
	weights := map[string]float64{tasks[0].Name: 3, tasks[2].Name: 0}
	for _, c := range []Config{{}, {Aggregate: meanGain}, {AggregateWeights: weights, EvaluateExamples: 7}, {Aggregate: meanGain, AggregateWeights: weights, EvaluateExamples: 7}} {
		out := t.TempDir()
		tr := newTrainer(t, out, func(d *Config) {
			d.Steps, d.EvaluateEvery = 2, 2
			d.Aggregate, d.AggregateWeights, d.EvaluateExamples = c.Aggregate, c.AggregateWeights, c.EvaluateExamples
		})
		if _, err := tr.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		_, lines := evaluations(t, out)
		sum, total := 0.0, 0.0
		for i, tk := range tr.tasks {
			texts, p, err := tr.Evaluate(context.Background(), i)
			if err != nil {
				t.Fatal(err)
			}
			if n := c.EvaluateExamples; n > 0 {
				var some []task.Example
				var picked metrics.Predictions
				for k := range n {
					at := k * len(texts) / n
					some = append(some, texts[at])
					if p.Index != nil {
						picked.Index = append(picked.Index, p.Index[at])
					} else {
						picked.Text = append(picked.Text, p.Text[at])
					}
				}
				texts, p = some, picked
			}
			score, _ := metrics.Score(tk, texts, p)
			if got := lines[0].Tasks[tk.Name]; got != score {
				t.Errorf("%s: %g, want %g", tk.Name, got, score)
			}
			if c.Aggregate == meanGain {
				m, _ := metrics.Score(tk, texts, baseline.Majority(tk, tk.Examples["train"], texts))
				score = max(-1, (score-m)/(1-m))
			}
			w := 1.0
			if c.AggregateWeights != nil && i == 0 {
				w = 3
			}
			if c.AggregateWeights != nil && i == 2 {
				w = 0
			}
			sum, total = sum+w*score, total+w
		}
		if got := lines[0].Aggregate; math.Abs(got-sum/total) > 1e-12 {
			t.Errorf("%+v: %g, want %g", c, got, sum/total)
		}
	}
}
