package prefinetune

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/muppet-go/muppet/prefinetune/metrics"
	"github.com/muppet-go/muppet/prefinetune/task"
	"github.com/muppet-go/muppet/transformer"
)

// TestFinetunesAsHuggingFace fine-tunes all-MiniLM-L6-v2 on the first 1000 questions of TREC and
// has testdata/finetune.py do the same with PyTorch and Hugging Face's classes: the same
// sequences in the same batches in the same order, the same optimiser and schedule, three seeds.
// Drawn differently are the fresh weights of the heads and dropout. Hugging Face's
// BertForSequenceClassification goes on with the checkpoint's pooler; here, and in the program's second
// model, the head is RoBERTa's: one more dropout, and its first layer is fresh, too.
//
// It needs MUPPET_PRETRAINED, the folder of the model, MUPPET_HUGGINGFACE, a Python with torch
// and transformers, and the data; .ci/nightly has them.
func TestFinetunesAsHuggingFace(t *testing.T) {
	model, python := os.Getenv("MUPPET_PRETRAINED"), os.Getenv("MUPPET_HUGGINGFACE")
	if model == "" || python == "" {
		t.Skip("no MUPPET_PRETRAINED, or no MUPPET_HUGGINGFACE")
	}
	data := os.Getenv("MUPPET_DATA")
	if data == "" {
		data = filepath.Join("..", "..", "shared", "data")
	}
	tasks, err := task.Load(data, filepath.Join("catalog", "trec.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	trec := tasks[0]
	train, err := trec.Read("train")
	if err != nil {
		t.Skip(err)
	}
	dev, err := trec.Read("dev")
	if err != nil {
		t.Fatal(err)
	}
	trec.Examples = map[string][]task.Example{"train": train[:1000], "dev": dev}
	m, err := transformer.LoadFor(model, transformer.Bare)
	if err != nil {
		t.Fatal(err)
	}

	type sequence struct {
		IDs   []int32 `json:"ids"`
		Types []int32 `json:"types"`
		Label int     `json:"label"`
	}
	type run struct {
		Seed    uint64    `json:"seed"`
		Batches [][]int   `json:"batches"`
		Rates   []float64 `json:"rates"`
	}
	var given struct {
		Model       string     `json:"model"`
		Labels      int        `json:"labels"`
		WeightDecay float64    `json:"weight_decay"`
		Train       []sequence `json:"train"`
		Dev         []sequence `json:"dev"`
		Runs        []run      `json:"runs"`
	}
	sequences := func(examples []*example) (all []sequence) {
		for _, e := range examples {
			s := e.sequences[0]
			all = append(all, sequence{s.IDs, s.Types, e.target})
		}
		return all
	}
	var ours []float64
	for seed := uint64(1); seed <= 3; seed++ {
		cfg := FinetuneConfig()
		cfg.Epochs, cfg.LR, cfg.MaxLength, cfg.KeepBest, cfg.Seed = 3, 1e-4, 64, false, seed
		tr, err := New(m.Clone(), []*task.Task{trec}, cfg)
		if err != nil {
			t.Fatal(err)
		}
		given.Model, given.Labels, given.WeightDecay = model, len(trec.Labels), tr.cfg.WeightDecay
		given.Train, given.Dev = sequences(tr.train), sequences(tr.dev[0].encoded)
		number := map[*example]int{}
		for i, e := range tr.train {
			number[e] = i
		}
		r := run{Seed: seed}
		same := newSampler(tr.train, 1, nil, tr.cfg, tr.key.Fold("order"))
		for step := range tr.cfg.Steps {
			var batch []int
			for _, e := range same.update()[0] {
				batch = append(batch, number[e])
			}
			r.Batches, r.Rates = append(r.Batches, batch), append(r.Rates, tr.lr.At(step+1))
		}
		given.Runs = append(given.Runs, r)
		runTo(t, tr, tr.cfg.Steps)
		texts, p, err := tr.Evaluate(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		score, _ := metrics.Score(trec, texts, p)
		ours = append(ours, score)
	}
	t.Logf("muppet: %s", described(ours))
	file := filepath.Join(t.TempDir(), "finetune.json")
	if err := writeJSON(file, given); err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	if end, ok := t.Deadline(); ok { // which leaves a child behind
		var stop context.CancelFunc
		ctx, stop = context.WithDeadline(ctx, end.Add(-10*time.Second))
		defer stop()
	}
	cmd := exec.CommandContext(ctx, python, filepath.Join("testdata", "finetune.py"), file)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var theirs map[string][]float64
	if err := json.Unmarshal(out, &theirs); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	mean, sd := spread(ours)
	for _, name := range []string{"BertForSequenceClassification", "RoBERTa's head"} {
		scores := theirs[name]
		if len(scores) != len(ours) {
			t.Fatalf("%s: %v", name, scores)
		}
		theirMean, theirSD := spread(scores)
		t.Logf("PyTorch, %s: %s; difference %+.4f", name, described(scores), mean-theirMean)
		// Student's t of two means over three seeds each, by which one in a hundred comparisons
		// of equals fails.
		const t99 = 4.604
		if bound := t99 * math.Sqrt((sd*sd+theirSD*theirSD)/float64(len(ours))); math.Abs(mean-theirMean) > max(bound, 0.01) {
			t.Errorf("the means differ by more than %.4f", bound)
		}
	}
}

func spread(values []float64) (mean, sd float64) {
	for _, v := range values {
		mean += v / float64(len(values))
	}
	for _, v := range values {
		sd += (v - mean) * (v - mean) / float64(len(values)-1)
	}
	return mean, math.Sqrt(sd)
}

func described(values []float64) string {
	mean, sd := spread(values)
	return fmt.Sprintf("%.4f ± %.4f over seeds %.4f", mean, sd, values)
}
