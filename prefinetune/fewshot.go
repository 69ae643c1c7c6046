package prefinetune

import (
	"context"
	"fmt"

	"github.com/muppet-go/muppet/prefinetune/metrics"
	"github.com/muppet-go/muppet/prefinetune/report"
	"github.com/muppet-go/muppet/prefinetune/task"
	"github.com/muppet-go/muppet/transformer"
)

// A Start is a model to fine-tune from.
type Start struct {
	Name  string
	Model *transformer.Model
	Heads *Saved // with heads to go on with, as KeepHeads does; nil for fresh ones
}

// FewShot fine-tunes every start on a task, once for each seed, and scores it on the
// task's dev examples. A seed decides the fresh heads and the order of the examples, alike
// for all starts. The starts themselves are not changed.
func FewShot(ctx context.Context, starts []Start, t *task.Task, cfg Config, seeds []uint64) ([]report.FewShot, error) {
	var results []report.FewShot
	for _, start := range starts {
		for _, seed := range seeds {
			cfg.Seed, cfg.Out = seed, ""
			tr, err := New(start.Model.Clone(), []*task.Task{t}, cfg)
			if err != nil {
				return nil, err
			}
			if start.Heads != nil {
				if _, err := tr.KeepHeads(start.Heads); err != nil {
					return nil, err
				}
			}
			for tr.step < tr.cfg.Steps {
				if ctx.Err() != nil {
					return nil, fmt.Errorf("prefinetune: fine-tuning on %s: %w", t.Name, ErrInterrupted)
				}
				if _, err := tr.trainStep(); err != nil {
					return nil, err
				}
			}
			dev, predicted, err := tr.Evaluate(ctx, 0)
			if err != nil {
				return nil, fmt.Errorf("prefinetune: fine-tuning on %s: %w", t.Name, ErrInterrupted)
			}
			score, _ := metrics.Score(t, dev, predicted)
			results = append(results, report.FewShot{Task: t.Name, Start: start.Name, Seed: seed, Score: score})
		}
	}
	return results, nil
}
