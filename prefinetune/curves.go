package prefinetune

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/muppet-go/muppet/prefinetune/report"
)

// logLine is any line of metrics.jsonl.
type logLine struct {
	stepLine
	Eval *evaluation `json:"eval"` // then there is nothing else but the step
}

// curves are the parts of a report that show what happened over the steps.
type curves struct {
	report.Report
	tasks []string
	cfg   Config
}

func (t *Trainer) newCurves() *curves {
	c := &curves{cfg: t.cfg}
	for _, tk := range t.tasks {
		c.tasks = append(c.tasks, tk.Name)
	}
	c.TaskLoss, c.TaskGrad = c.byTask(), c.byTask()
	c.Loss.Name, c.Rate.Name, c.Speed.Name = "loss", "learning rate", "tokens per second"
	c.Grad.Name, c.KL.Name = "gradient norm", "R3F divergence"
	if t.cfg.Scaling == uncertainty || t.cfg.Scaling == gradNorm {
		c.Weight = c.byTask()
	}
	return c
}

// byTask returns an empty curve for each task.
func (c *curves) byTask() []report.Curve {
	all := make([]report.Curve, len(c.tasks))
	for i, name := range c.tasks {
		all[i].Name = name
	}
	return all
}

// add takes a line into the curves.
func (c *curves) add(l *logLine) {
	add := func(curve *report.Curve, v float64) {
		curve.Steps, curve.Values = append(curve.Steps, l.Step), append(curve.Values, v)
	}
	if l.Eval != nil {
		if c.TaskScore == nil {
			c.Aggregate.Name, c.TaskScore = c.cfg.aggregate(), c.byTask()
		}
		add(&c.Aggregate, l.Eval.Aggregate)
		for i, name := range c.tasks {
			if v, ok := l.Eval.Tasks[name]; ok {
				add(&c.TaskScore[i], v)
			}
		}
		return
	}
	if l.Skipped != nil {
		return
	}
	add(&c.Loss, l.Loss)
	add(&c.Grad, l.GradNorm)
	if c.cfg.R3F.Lambda > 0 {
		add(&c.KL, l.KL)
	}
	add(&c.Rate, l.LR)
	add(&c.Speed, l.TokensPerSecond)
	for i, name := range c.tasks {
		s, ok := l.Tasks[name]
		if !ok {
			continue
		}
		add(&c.TaskLoss[i], s.Loss)
		add(&c.TaskGrad[i], s.GradNorm)
		if c.Weight != nil {
			add(&c.Weight[i], s.Weight)
		}
	}
	if l.Cosines != nil {
		if c.Cosines == nil {
			c.Cosines = noCosines(c.tasks)
		}
		l.Cosines.add(c.Cosines)
	}
}

// record keeps a line: in metrics.jsonl, or, for a run without a folder, in what its report draws.
func (t *Trainer) record(l *logLine) error {
	if t.folder == nil {
		if t.drawn == nil {
			t.drawn = t.newCurves()
		}
		t.drawn.add(l)
		return nil
	}
	if l.Eval != nil {
		return t.folder.record(t.step, evalLine{l.Step, l.Eval})
	}
	return t.folder.record(t.step, l.stepLine)
}

// curves returns those of the whole run: metrics.jsonl, unlike memory, has the steps of
// before a resume.
func (t *Trainer) curves() (*curves, error) {
	if t.drawn != nil {
		return t.drawn, nil
	}
	c := t.newCurves()
	if t.folder == nil {
		return c, nil
	}
	f, err := os.Open(filepath.Join(t.cfg.Out, "metrics.jsonl"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<24)
	for number := 1; lines.Scan(); number++ {
		var l logLine
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil { // no reason to be left without a report
			t.cfg.Warn(fmt.Sprintf("the report's curves have a gap: %s:%d: %v", f.Name(), number, err))
			continue
		}
		c.add(&l)
	}
	return c, lines.Err()
}
