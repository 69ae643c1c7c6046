package prefinetune

import (
	"context"
	"fmt"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/nn"
	"github.com/muppet-go/muppet/prefinetune/metrics"
	"github.com/muppet-go/muppet/prefinetune/report"
	"github.com/muppet-go/muppet/prefinetune/task"
	"github.com/muppet-go/muppet/transformer"
	"github.com/muppet-go/muppet/transformer/tokenizer"
)

// A Start is an encoder to fine-tune from.
type Start struct {
	Name    string
	Encoder *transformer.Encoder
}

// FewShot fine-tunes every start on a task, once for each seed, and scores it on the
// task's dev examples. A seed decides the new head and the order of the examples, alike
// for all starts. The starts themselves are not changed.
func FewShot(ctx context.Context, starts []Start, tok *tokenizer.Tokenizer, t *task.Task, cfg Config, seeds []uint64) ([]report.FewShot, error) {
	var results []report.FewShot
	for _, start := range starts {
		for _, seed := range seeds {
			cfg.Seed, cfg.Out = seed, ""
			tr, err := New(CopyEncoder(start.Encoder), tok, []*task.Task{t}, cfg)
			if err != nil {
				return nil, err
			}
			for tr.step < tr.cfg.Steps {
				if ctx.Err() != nil {
					return nil, fmt.Errorf("prefinetune: fine-tuning on %s: %w", t.Name, ErrInterrupted)
				}
				if _, err := tr.trainStep(); err != nil {
					return nil, err
				}
			}
			dev, predicted := tr.Evaluate(0)
			score, _ := metrics.Score(t, dev, predicted)
			results = append(results, report.FewShot{Task: t.Name, Start: start.Name, Seed: seed, Score: score})
		}
	}
	return results, nil
}

// CopyEncoder returns an encoder with a copy of e's weights.
func CopyEncoder(e *transformer.Encoder) *transformer.Encoder {
	c := transformer.NewEncoder(e.Config, device.Key{})
	from := nn.Parameters(e)
	for i, p := range nn.Parameters(c) {
		values := from[i].Tensor.Float32s()
		autograd.Mutate(func(dst ...device.Slice) { p.Tensor.Device().Write(dst[0], values) }, p.Tensor)
	}
	return c
}
