package prefinetune

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"time"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/nn"
	"github.com/muppet-go/muppet/prefinetune/baseline"
	"github.com/muppet-go/muppet/prefinetune/metrics"
	"github.com/muppet-go/muppet/prefinetune/task"
)

// Evaluations on the way decide which weights are the best and whether to stop early, by
// one number for all tasks together, Config.Aggregate. An evaluation is a function of the
// weights alone, so that a run that was interrupted in one repeats it.

// evaluation is how good the model was at a step.
type evaluation struct {
	Aggregate float64            `json:"aggregate"`
	Best      bool               `json:"best"`  // of all so far
	Tasks     map[string]float64 `json:"tasks"` // metric of each, on its dev examples
	Seconds   float64            `json:"seconds"`
}

// evalLine is a line of metrics.jsonl.
type evalLine struct {
	Step int         `json:"step"`
	Eval *evaluation `json:"eval"`
}

// selection is where the search for the best weights stands; a checkpoint has it.
type selection struct {
	Evaluated int     `json:"evaluated"` // step of the last evaluation
	BestStep  int     `json:"best_step"` // 0: none so far
	Best      float64 `json:"best"`      // aggregate at BestStep
	Stale     int     `json:"stale"`     // evaluations after BestStep
}

// evaluationDue reports whether the dev examples are to be scored now.
func (t *Trainer) evaluationDue() bool {
	return t.cfg.EvaluateEvery > 0 && t.Selection.Evaluated < t.step &&
		(t.step%t.cfg.EvaluateEvery == 0 || t.step == t.cfg.Steps)
}

// impatient reports whether so many evaluations brought nothing that the run is over.
func (t *Trainer) impatient() bool {
	return t.cfg.Patience > 0 && t.Selection.Stale >= t.cfg.Patience
}

// evaluateAll scores all tasks and keeps the weights if they are the best so far. The
// error is the context's if that ended first; then nothing has changed.
func (t *Trainer) evaluateAll(ctx context.Context) error {
	began := time.Now()
	e := &evaluation{Tasks: map[string]float64{}}
	sum, total := 0.0, 0.0
	for i, tk := range t.tasks {
		if len(t.dev[i].texts) == 0 {
			continue
		}
		score, gain, err := t.evaluateTask(ctx, i)
		if err != nil {
			return err
		}
		e.Tasks[tk.Name] = score
		if t.cfg.Aggregate == meanGain {
			score = gain
		}
		w := 1.0
		if v, ok := t.cfg.AggregateWeights[tk.Name]; ok {
			w = v
		}
		sum, total = sum+float64(w*score), total+w
	}
	e.Aggregate = sum / total
	e.Best = t.Selection.take(t.step, e.Aggregate, t.cfg.MinDelta)
	if e.Best {
		if err := t.keepBest(e); err != nil {
			t.cfg.Warn(fmt.Sprintf("step %d: the best weights so far could not be kept: %v", t.step, err))
		}
	}
	e.Seconds = math.Round(time.Since(began).Seconds()*1000) / 1000
	if err := t.record(&logLine{stepLine: stepLine{Step: t.step}, Eval: e}); err != nil {
		return err
	}
	word := ", the best so far"
	if !e.Best {
		word = fmt.Sprintf("; the best is %.4f at step %d", t.Selection.Best, t.Selection.BestStep)
	}
	t.cfg.Warn(fmt.Sprintf("step %d: %s on dev %.4f%s", t.step, t.cfg.aggregate(), e.Aggregate, word))
	return nil
}

// take takes in an evaluation and reports whether it is the best.
func (s *selection) take(step int, aggregate, minDelta float64) bool {
	s.Evaluated = step
	if s.BestStep > 0 && aggregate <= s.Best+minDelta {
		s.Stale++
		return false
	}
	s.BestStep, s.Best, s.Stale = step, aggregate, 0
	return true
}

// evaluateTask returns a task's metric, and how much of the way from the majority baseline
// to 1 that is: (score - majority)/(1 - majority). It is at least -1, so that one task that
// went wrong does not outweigh what all others gained, and 0 where the baseline is perfect.
// What is not a number counts 0.
func (t *Trainer) evaluateTask(ctx context.Context, i int) (score, gain float64, err error) {
	dev := t.dev[i].sample(t.cfg.EvaluateExamples)
	predicted, err := t.predict(ctx, i, dev)
	if err != nil {
		return 0, 0, err
	}
	score, _ = metrics.Score(t.tasks[i], dev.texts, predicted)
	if math.IsNaN(score) || math.IsInf(score, 0) {
		score = 0
	}
	if t.cfg.Aggregate != meanGain {
		return score, 0, nil
	}
	if t.majority == nil {
		t.majority = make([]*float64, len(t.tasks))
	}
	if t.majority[i] == nil {
		train, err := t.trainTexts(t.tasks[i])
		if err != nil {
			return 0, 0, err
		}
		m, _ := metrics.Score(t.tasks[i], dev.texts, baseline.Majority(t.tasks[i], train, dev.texts))
		t.majority[i] = &m
	}
	if m := *t.majority[i]; m < 1 {
		gain = max((score-m)/(1-m), -1)
	}
	return score, gain, nil
}

// sample returns at most n of the examples, evenly spaced; all for an n of 0.
func (d devSet) sample(n int) devSet {
	if n == 0 || n >= len(d.texts) {
		return d
	}
	s := devSet{texts: make([]task.Example, n), encoded: make([]*example, n)}
	for k := range n {
		at := k * len(d.texts) / n
		s.texts[k], s.encoded[k] = d.texts[at], d.encoded[at]
	}
	return s
}

const bestDir = "best"

// bestState is what checkpoints/best says of itself.
type bestState struct {
	Step int         `json:"step"`
	Eval *evaluation `json:"eval"`
}

// keepBest keeps the present weights: in the folder checkpoints/best, or in memory for a run
// without a folder.
func (t *Trainer) keepBest(e *evaluation) error {
	if t.folder != nil {
		return t.folder.write(bestDir, func(dir string) error {
			if err := nn.Save(filepath.Join(dir, "model.safetensors"), t.model); err != nil {
				return err
			}
			return writeJSON(filepath.Join(dir, "state.json"), bestState{t.step, e})
		})
	}
	if !t.cfg.KeepBest {
		return nil
	}
	t.best = t.best[:0]
	for _, p := range nn.Parameters(t.model) {
		t.best = append(t.best, p.Tensor.Float32s())
	}
	return nil
}

// restoreBest makes the best weights the model's, if that is asked for, and returns the step
// that they are of.
func (t *Trainer) restoreBest() (step int, err error) {
	best := t.Selection.BestStep
	if !t.cfg.KeepBest || best == 0 || best == t.step {
		return t.step, nil
	}
	if t.folder == nil {
		for i, p := range nn.Parameters(t.model) {
			autograd.Mutate(func(dst ...device.Slice) { p.Tensor.Device().Write(dst[0], t.best[i]) }, p.Tensor)
		}
		return best, nil
	}
	dir := filepath.Join(t.cfg.Out, checkpointsDir, bestDir)
	var s bestState
	if err := readJSON(filepath.Join(dir, "state.json"), &s); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	if s.Step != best {
		// It could not be written, or somebody removed it, or went on from an old checkpoint on a
		// machine that rounds differently.
		t.cfg.Warn(fmt.Sprintf("%s does not hold the best weights, of step %d: those of step %d are kept", dir, best, t.step))
		return t.step, nil
	}
	if err := nn.Load(filepath.Join(dir, "model.safetensors"), t.model); err != nil {
		return 0, err
	}
	return best, nil
}

// hasDev reports whether an aggregate can be made: a task with dev examples counts.
func (t *Trainer) hasDev() bool {
	for i, tk := range t.tasks {
		if w, ok := t.cfg.AggregateWeights[tk.Name]; len(t.dev[i].texts) > 0 && (!ok || w > 0) {
			return true
		}
	}
	return false
}
