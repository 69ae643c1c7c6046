package prefinetune

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"

	"github.com/muppet-go/muppet/prefinetune/task"
	"github.com/muppet-go/muppet/transformer"
)

// FinetuneConfig returns the settings with which RoBERTa was fine-tuned on GLUE: Adam with β
// 0.9 and 0.98, ε 1e-6 and decay 0.1, no clipping, ten epochs of batches of 16 examples (at
// most 4096 tokens), a peak learning rate of 1e-5 after 6 % of the steps, linear to 0, and the
// plain cross entropy. The weights kept are those of the epoch that was the best on dev.
func FinetuneConfig() Config {
	return Config{
		Epochs: 10, ExamplesPerBatch: 16, TokensPerBatch: 4096, MaxLength: 256, LR: 1e-5, WeightDecay: 0.1, ClipNorm: -1,
		Scaling: "none", KeepBest: true,
	}
}

// Finetune trains copies of a model on tasks, one for each seed, which decides the fresh heads,
// the order of the examples and dropout, and evaluates them. With more than one seed their
// runs are in the folders seed-N of cfg.Out, N being the seed. If cfg.EvaluateEvery is 0 and
// cfg.KeepBest is set they are evaluated once an epoch. Heads, if it is not nil, has heads to go
// on with (KeepHeads). Started is told of every seed before it is trained, and of the tasks
// whose heads it keeps.
func Finetune(ctx context.Context, m *transformer.Model, heads *Saved, tasks []*task.Task, cfg Config, seeds []uint64, started func(t *Trainer, seed uint64, kept []string)) ([]*Result, error) {
	if len(seeds) == 0 {
		return nil, errors.New("prefinetune: no seed to fine-tune with")
	}
	best, out := cfg.KeepBest && cfg.EvaluateEvery == 0, cfg.Out
	var results []*Result
	for _, seed := range seeds {
		cfg.Seed = seed
		if best {
			cfg.EvaluateEvery = 1 // until the length of an epoch is known
		}
		if len(seeds) > 1 && out != "" {
			cfg.Out = filepath.Join(out, fmt.Sprintf("seed-%d", seed))
		}
		t, err := New(m.Clone(), tasks, cfg)
		if err != nil {
			return nil, err
		}
		if best {
			epochs := t.cfg.Epochs
			if epochs == 0 {
				epochs = 10 // parts of a run that is measured in steps
			}
			t.cfg.EvaluateEvery = max(1, int(math.Ceil(float64(t.cfg.Steps)/epochs)))
		}
		var kept []string
		if heads != nil {
			if kept, err = t.KeepHeads(heads); err != nil {
				return nil, err
			}
		}
		if started != nil {
			started(t, seed, kept)
		}
		r, err := t.Run(ctx)
		if err != nil {
			return nil, err
		}
		results = append(results, r)
	}
	return results, nil
}
