package prefinetune

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"path/filepath"
	"time"

	"github.com/muppet-go/muppet/prefinetune/baseline"
	"github.com/muppet-go/muppet/prefinetune/metrics"
	"github.com/muppet-go/muppet/prefinetune/report"
	"github.com/muppet-go/muppet/prefinetune/task"
)

// Result is what a run came to.
type Result struct {
	Scores     []report.Score // of every task's dev examples, beside the baselines
	Sampled    []int          // training examples seen of each task
	Choiceless int            // of these, examples with nothing to choose among, which cost 0
	Skipped    int            // steps without an update, see Config.NonFinite
	Steps      int            // made, fewer than asked for if Config.Patience ended the run
	WeightsOf  int            // step that the model's weights are of: the last, or with Config.KeepBest the best
	Elapsed    time.Duration  // of this call
	Waited     time.Duration  // of that, for batches that were not ready
	Paths      []string       // what was written
	Report     *report.Report
}

// finish evaluates the model and writes model and report.
func (t *Trainer) finish(ctx context.Context, elapsed time.Duration) (*Result, error) {
	r := &Result{Sampled: t.Sampled, Choiceless: t.Choiceless, Skipped: t.Skipped, Steps: t.step, Elapsed: elapsed, Waited: t.ahead.waited}
	var err error
	if r.WeightsOf, err = t.restoreBest(); err != nil {
		return nil, fmt.Errorf("prefinetune: best weights: %w", err)
	}
	// The model comes first: what follows reads data that may have changed or gone meanwhile.
	model, heads, page := filepath.Join(t.cfg.Out, "model"), filepath.Join(t.cfg.Out, headsDir), filepath.Join(t.cfg.Out, "report.html")
	if t.cfg.Out != "" {
		if err := t.model.Base().Save(model); err != nil {
			return nil, err
		}
		if err := t.saveHeads(heads); err != nil {
			return nil, err
		}
	}
	t.cfg.Warn("scoring the dev examples, and the baselines")
	var looks report.Report
	for i, tk := range t.tasks {
		s, err := t.score(ctx, i, tk, &looks)
		if ctx.Err() != nil {
			return nil, t.folder.interrupted(t.step, t.save)
		}
		if err != nil {
			return nil, err
		}
		r.Scores = append(r.Scores, s)
	}
	c, err := t.curves()
	if err != nil {
		return nil, fmt.Errorf("prefinetune: report: %w", err)
	}
	r.Report = &c.Report
	r.Report.Confusions, r.Report.Samples = looks.Confusions, looks.Samples
	if r.Report.Overlaps, err = t.overlaps(); err != nil {
		t.cfg.Warn(fmt.Sprintf("the report does not say what is both trained on and evaluated on: %v", err))
	}
	t.describe(r)
	if t.cfg.Out == "" {
		return r, nil
	}
	if err := WriteReport(page, r.Report); err != nil {
		return nil, err
	}
	r.Paths = []string{filepath.Join(t.cfg.Out, "metrics.jsonl"), filepath.Join(t.cfg.Out, checkpointsDir), model, heads, page}
	if t.cfg.TensorBoard {
		r.Paths = append(r.Paths, filepath.Join(t.cfg.Out, "tensorboard"))
	}
	return r, nil
}

// WriteReport writes a report to a file.
func WriteReport(path string, r *report.Report) error {
	var page bytes.Buffer
	if err := r.WriteHTML(&page); err != nil {
		return fmt.Errorf("prefinetune: report: %w", err)
	}
	if err := writeFile(path, page.Bytes()); err != nil {
		return fmt.Errorf("prefinetune: report: %w", err)
	}
	return nil
}

// trainTexts reads a task's training examples again: a run does not keep their texts.
func (t *Trainer) trainTexts(tk *task.Task) (train []task.Example, err error) {
	err = t.cfg.read(tk, "train", func(ex task.Example) error {
		train = append(train, ex)
		return nil
	}, func(error) {})
	return train, err
}

// score evaluates the model and the baselines on task i, and adds to looks what a person would
// look at.
func (t *Trainer) score(ctx context.Context, i int, tk *task.Task, looks *report.Report) (report.Score, error) {
	dev, predicted, err := t.Evaluate(ctx, i)
	if err != nil {
		return report.Score{}, err
	}
	s := report.Score{Task: tk.Name, Family: string(tk.Family), Metric: tk.Metric, N: len(dev)}
	s.Ours, s.StdErr = metrics.Score(tk, dev, predicted)
	if tk.Family == task.Classification {
		looks.Confusions = append(looks.Confusions, confusion(tk, dev, predicted))
	}
	looks.Samples = append(looks.Samples, samples(tk, dev, predicted))
	train, err := t.trainTexts(tk)
	if err != nil {
		t.cfg.Warn(fmt.Sprintf("no baselines: %v", err))
		s.Majority, s.BagOfWords = math.NaN(), math.NaN()
		return s, nil
	}
	s.Majority, _ = metrics.Score(tk, dev, baseline.Majority(tk, train, dev))
	s.BagOfWords, _ = metrics.Score(tk, dev, baseline.BagOfWords(tk, train, dev))
	return s, nil
}

// describe writes the report's words and numbers.
func (t *Trainer) describe(r *Result) {
	beaten := 0
	for _, s := range r.Scores {
		if s.BeatsMajority() {
			beaten++
		}
	}
	c, e, rep := t.cfg, t.model.base.Config, r.Report
	rep.Name, rep.Dev = "MUPPET pre-finetuning", r.Scores
	rep.Summary = []string{fmt.Sprintf("On %d of %d tasks the model beats the majority baseline by more than two standard errors.",
		beaten, len(r.Scores))}
	rep.Unscaled = c.Scaling == unscaled
	if t.impatient() {
		rep.Summary = append(rep.Summary, fmt.Sprintf("Training stopped early, after %d of %d steps: %d evaluations in a row brought no gain.", t.step, c.Steps, t.Selection.Stale))
	}
	if best := t.Selection; best.BestStep > 0 {
		rep.Best = best.BestStep
		kept := fmt.Sprintf("The model has the weights of the last step, %d", t.step)
		if r.WeightsOf == best.BestStep {
			kept = "The model has these weights, which flatters its scores a little: they were chosen by the same examples"
		}
		rep.Summary = append(rep.Summary, fmt.Sprintf("The best weights on dev were those of step %d: %s %.4f. %s.", best.BestStep, c.aggregate(), best.Best, kept))
	}
	setting := func(name, format string, args ...any) {
		rep.Config = append(rep.Config, report.Setting{Name: name, Value: fmt.Sprintf(format, args...)})
	}
	setting("model", "%s: %d layers of %d, %d heads, vocabulary %d", e.ModelType, e.NumHiddenLayers, e.HiddenSize, e.NumAttentionHeads, e.VocabSize)
	if c.Accumulate == 1 {
		setting("steps", "%d of at most %d tokens", c.Steps, c.TokensPerBatch)
	} else {
		setting("steps", "%d of %d batches of at most %d tokens", c.Steps, c.Accumulate, c.TokensPerBatch)
	}
	setting("longest sequence", "%d tokens", c.MaxLength)
	setting("learning rate", "%g, warm-up %d steps, then linear to 0", c.LR, c.WarmUp)
	setting("Adam of fairseq", "β 0.9, %g, ε %g, decoupled decay %g, %s", c.Beta2, c.AdamEps, c.WeightDecay, c.clipping())
	setting("loss", "%s", c.loss())
	if t.model.LM != nil {
		setting("label smoothing", "%g, of the targets to be written", c.LabelSmoothing)
	}
	setting("batches", "%s", c.Batches)
	setting("sampling", "%s", c.sampling())
	setting("R3F", "%s", c.R3F.words())
	setting("evaluations on the way", "%s", c.evaluations())
	setting("seed", "%d", c.Seed)
	m := thisMachine()
	setting("machine", "%s, device %s, %s kernels", m.Arch, m.Device, m.SIMD)
	setting("waiting for data", "%v of %v", r.Waited.Round(time.Millisecond), r.Elapsed.Round(time.Second))
	if r.Choiceless > 0 {
		setting("nothing to choose", "%d sampled examples had one candidate or position and cost 0", r.Choiceless)
	}
	if r.Skipped > 0 {
		setting("skipped", "%d steps with a loss or gradient that was not finite", r.Skipped)
	}
	total := 0
	for _, n := range t.Sampled {
		total += n
	}
	for i, n := range t.Counts() {
		if n.BadRows > 0 {
			rep.Bad = append(rep.Bad, report.BadRow{Task: n.Task.Name, Rows: n.BadRows, First: n.FirstBad})
		}
		rep.Mix = append(rep.Mix, report.Mix{
			Task: n.Task.Name, Family: string(n.Task.Family), Rows: n.Train,
			Asked: n.Share, Realised: float64(t.Sampled[i]) / float64(max(total, 1)),
			Epochs: float64(t.Sampled[i]) / float64(max(n.Train, 1)),
		})
	}
}
