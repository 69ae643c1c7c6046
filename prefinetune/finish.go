package prefinetune

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
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
	Steps      int
	Elapsed    time.Duration // of this call
	Paths      []string      // what was written
	Report     *report.Report
}

// finish evaluates the model and writes model and report.
func (t *Trainer) finish(ctx context.Context, elapsed time.Duration) (*Result, error) {
	r := &Result{Sampled: t.Sampled, Choiceless: t.Choiceless, Skipped: t.Skipped, Steps: t.step, Elapsed: elapsed}
	t.cfg.Warn("scoring the dev examples, and the baselines")
	for i, tk := range t.tasks {
		s, err := t.score(ctx, i, tk)
		if ctx.Err() != nil {
			return nil, t.folder.interrupted(t.step, t.save)
		}
		if err != nil {
			return nil, err
		}
		r.Scores = append(r.Scores, s)
	}
	r.Report = t.report(r)
	if t.cfg.Out == "" {
		return r, nil
	}
	if err := t.curves(r.Report); err != nil {
		return nil, fmt.Errorf("prefinetune: report: %w", err)
	}
	model := filepath.Join(t.cfg.Out, "model")
	if err := t.model.Base().Save(model); err != nil {
		return nil, err
	}
	heads := filepath.Join(t.cfg.Out, headsDir)
	if err := t.saveHeads(heads); err != nil {
		return nil, err
	}
	page := filepath.Join(t.cfg.Out, "report.html")
	if err := WriteReport(page, r.Report); err != nil {
		return nil, err
	}
	r.Paths = []string{filepath.Join(t.cfg.Out, "metrics.jsonl"), filepath.Join(t.cfg.Out, checkpointsDir), model, heads, page}
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

// score evaluates the model and the baselines on task i.
func (t *Trainer) score(ctx context.Context, i int, tk *task.Task) (report.Score, error) {
	var train []task.Example
	err := t.cfg.read(tk, "train", func(ex task.Example) error {
		train = append(train, ex)
		return nil
	}, func(error) {})
	if err != nil {
		return report.Score{}, err
	}
	dev, predicted, err := t.Evaluate(ctx, i)
	if err != nil {
		return report.Score{}, err
	}
	s := report.Score{Task: tk.Name, Family: string(tk.Family), Metric: tk.Metric, N: len(dev)}
	s.Ours, s.StdErr = metrics.Score(tk, dev, predicted)
	s.Majority, _ = metrics.Score(tk, dev, baseline.Majority(tk, train, dev))
	s.BagOfWords, _ = metrics.Score(tk, dev, baseline.BagOfWords(tk, train, dev))
	return s, nil
}

func (t *Trainer) report(r *Result) *report.Report {
	beaten := 0
	for _, s := range r.Scores {
		if s.BeatsMajority() {
			beaten++
		}
	}
	c, e := t.cfg, t.model.base.Config
	rep := &report.Report{
		Name: "MUPPET pre-finetuning",
		Dev:  r.Scores,
		Summary: []string{fmt.Sprintf("On %d of %d tasks the model beats the majority baseline by more than two standard errors.",
			beaten, len(r.Scores))},
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
	setting("AdamW", "β 0.9, 0.98, ε 1e-6, decay %g, gradients clipped at norm %g", c.WeightDecay, c.ClipNorm)
	setting("loss", "%s", c.loss())
	if t.model.LM != nil {
		setting("label smoothing", "%g, of the targets to be written", c.LabelSmoothing)
	}
	setting("batches", "%s", c.Batches)
	setting("sampling", "%s", c.sampling())
	setting("R3F", "%s", c.R3F.words())
	setting("seed", "%d", c.Seed)
	m := thisMachine()
	setting("machine", "%s, device %s, %s kernels", m.Arch, m.Device, m.SIMD)
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
		rep.Mix = append(rep.Mix, report.Mix{
			Task: n.Task.Name, Family: string(n.Task.Family), Rows: n.Train,
			Asked: n.Share, Realised: float64(t.Sampled[i]) / float64(max(total, 1)),
			Epochs: float64(t.Sampled[i]) / float64(max(n.Train, 1)),
		})
	}
	return rep
}

// curves reads the run's curves from metrics.jsonl, which, unlike memory, has the steps
// of before a resume.
func (t *Trainer) curves(rep *report.Report) error {
	f, err := os.Open(filepath.Join(t.cfg.Out, "metrics.jsonl"))
	if err != nil {
		return err
	}
	defer f.Close()
	rep.TaskLoss, rep.TaskGrad = make([]report.Curve, len(t.tasks)), make([]report.Curve, len(t.tasks))
	for i, tk := range t.tasks {
		rep.TaskLoss[i].Name, rep.TaskGrad[i].Name = tk.Name, tk.Name
	}
	rep.Loss.Name, rep.Rate.Name, rep.Speed.Name = "loss", "learning rate", "tokens per second"
	rep.Grad.Name, rep.KL.Name = "gradient norm", "R3F divergence"
	add := func(c *report.Curve, step int, v float64) {
		c.Steps, c.Values = append(c.Steps, step), append(c.Values, v)
	}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<24)
	for number := 1; lines.Scan(); number++ {
		var l stepLine
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			return fmt.Errorf("%s:%d: %w", f.Name(), number, err)
		}
		if l.Skipped != nil {
			continue
		}
		add(&rep.Loss, l.Step, l.Loss)
		add(&rep.Grad, l.Step, l.GradNorm)
		if t.cfg.R3F.Lambda > 0 {
			add(&rep.KL, l.Step, l.KL)
		}
		add(&rep.Rate, l.Step, l.LR)
		add(&rep.Speed, l.Step, l.TokensPerSecond)
		for i, tk := range t.tasks {
			if s, ok := l.Tasks[tk.Name]; ok {
				add(&rep.TaskLoss[i], l.Step, s.Loss)
				add(&rep.TaskGrad[i], l.Step, s.GradNorm)
			}
		}
	}
	return lines.Err()
}
