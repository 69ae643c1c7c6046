package prefinetune

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/muppet-go/muppet/prefinetune/suite"
	"github.com/muppet-go/muppet/prefinetune/task"
	"github.com/muppet-go/muppet/transformer"
)

// Fine-tuning over seeds, from a run's body and heads, in one piece and interrupted in the
// second seed, comes to the same weights, and leaves what it began with as it was.
func TestFinetune(t *testing.T) {
	_, s := saved(t, false)
	tasks := []*task.Task{suite.HeldOut(1)[0], classification(suite.Tasks(1))}
	for _, tk := range tasks {
		tk.Examples["train"], tk.Examples["dev"] = tk.Examples["train"][:40], tk.Examples["dev"][:30]
	}
	before := hashParameters(s.Model)
	cfg := FinetuneConfig()
	cfg.Epochs, cfg.LR, cfg.MaxLength, cfg.TokensPerBatch = 3, 1e-3, 96, 600
	seeds := []uint64{4, 5}
	finetune := func(ctx context.Context, out string, stop int, cancel func()) ([]*Result, error) {
		cfg := cfg
		cfg.Out = out
		runs := 0
		cfg.Progress = func(p Progress) {
			if runs == len(seeds) && p.Step == stop {
				cancel()
			}
		}
		return Finetune(ctx, s.Model.Base(), s, tasks, cfg, seeds, func(tr *Trainer, seed uint64, kept []string) {
			runs++
			if len(kept) != 1 || kept[0] != tasks[1].Name {
				t.Errorf("seed %d keeps the heads of %q", seed, kept)
			}
			if updates := tr.cfg.Steps; tr.cfg.EvaluateEvery != (updates+2)/3 {
				t.Errorf("evaluates every %d of %d updates, want three times", tr.cfg.EvaluateEvery, updates)
			}
		})
	}
	whole, parts := filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")
	want, err := finetune(context.Background(), whole, -1, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	if _, err := finetune(ctx, parts, 7, cancel); !errors.Is(err, ErrInterrupted) {
		t.Fatal(err)
	}
	got, err := finetune(context.Background(), parts, -1, nil)
	if err != nil || len(got) != len(seeds) {
		t.Fatal(len(got), err)
	}
	for i, seed := range []string{"seed-4", "seed-5"} {
		for k := range tasks {
			if got[i].Scores[k].Ours != want[i].Scores[k].Ours {
				t.Errorf("%s: %s scores %g, uninterrupted %g", seed, tasks[k].Name, got[i].Scores[k].Ours, want[i].Scores[k].Ours)
			}
		}
		for _, name := range []string{"model/model.safetensors", "heads/heads.safetensors", "heads/heads.json"} {
			a, err1 := os.ReadFile(filepath.Join(whole, seed, filepath.FromSlash(name)))
			b, err2 := os.ReadFile(filepath.Join(parts, seed, filepath.FromSlash(name)))
			if err1 != nil || err2 != nil || string(a) != string(b) {
				t.Errorf("%s: %s differs (%v, %v)", seed, name, err1, err2)
			}
		}
	}
	a, err1 := transformer.Load(filepath.Join(whole, "seed-4", "model"))
	b, err2 := transformer.Load(filepath.Join(whole, "seed-5", "model"))
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	if hashParameters(a) == hashParameters(b) {
		t.Error("two seeds came to the same weights")
	}
	if hashParameters(s.Model) != before {
		t.Error("the model to begin with has changed")
	}
	if _, err := Finetune(context.Background(), s.Model.Base(), nil, tasks, cfg, nil, nil); err == nil {
		t.Error("no seed is no error")
	}
}
