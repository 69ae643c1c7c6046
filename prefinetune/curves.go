package prefinetune

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/muppet-go/muppet/prefinetune/report"
)

// curves reads the run's curves from metrics.jsonl, which, unlike memory, has the steps
// of before a resume.
func (t *Trainer) curves(rep *report.Report) error {
	f, err := os.Open(filepath.Join(t.cfg.Out, "metrics.jsonl"))
	if err != nil {
		return err
	}
	defer f.Close()
	names := make([]string, len(t.tasks))
	for i, tk := range t.tasks {
		names[i] = tk.Name
	}
	byTask := func() []report.Curve {
		curves := make([]report.Curve, len(names))
		for i, name := range names {
			curves[i].Name = name
		}
		return curves
	}
	rep.TaskLoss, rep.TaskGrad = byTask(), byTask()
	rep.Loss.Name, rep.Rate.Name, rep.Speed.Name = "loss", "learning rate", "tokens per second"
	rep.Grad.Name, rep.KL.Name = "gradient norm", "R3F divergence"
	if t.cfg.Scaling == uncertainty || t.cfg.Scaling == gradNorm {
		rep.Weight = byTask()
	}
	add := func(c *report.Curve, step int, v float64) {
		c.Steps, c.Values = append(c.Steps, step), append(c.Values, v)
	}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<24)
	for number := 1; lines.Scan(); number++ {
		var l struct {
			stepLine
			Eval *evaluation `json:"eval"`
		}
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			return fmt.Errorf("%s:%d: %w", f.Name(), number, err)
		}
		if l.Eval != nil {
			if rep.TaskScore == nil {
				rep.Aggregate.Name, rep.TaskScore = t.cfg.aggregate(), byTask()
			}
			add(&rep.Aggregate, l.Step, l.Eval.Aggregate)
			for i, name := range names {
				if v, ok := l.Eval.Tasks[name]; ok {
					add(&rep.TaskScore[i], l.Step, v)
				}
			}
			continue
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
		for i, name := range names {
			s, ok := l.Tasks[name]
			if !ok {
				continue
			}
			add(&rep.TaskLoss[i], l.Step, s.Loss)
			add(&rep.TaskGrad[i], l.Step, s.GradNorm)
			if rep.Weight != nil {
				add(&rep.Weight[i], l.Step, s.Weight)
			}
		}
		if l.Cosines != nil {
			if rep.Cosines == nil {
				rep.Cosines = noCosines(names)
			}
			l.Cosines.add(rep.Cosines)
		}
	}
	return lines.Err()
}
