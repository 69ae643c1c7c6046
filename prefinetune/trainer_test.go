package prefinetune

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	_ "github.com/muppet-go/muppet/device/reference"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/nn"
	"github.com/muppet-go/muppet/prefinetune/suite"
	"github.com/muppet-go/muppet/prefinetune/task"
	"github.com/muppet-go/muppet/transformer"
	"github.com/muppet-go/muppet/transformer/tokenizer"
)

var smallTokenizer = sync.OnceValues(func() (*tokenizer.Tokenizer, error) {
	return tokenizer.Train(slices.Values(suite.Corpus(1)), tokenizer.TrainConfig{VocabSize: 500})
})

// someTasks are eight of the embedded suite, of three families.
func someTasks() (some []*task.Task) {
	names := []string{"topic", "sentiment", "entailment", "question", "facts", "home", "next", "reading"}
	for _, k := range suite.Tasks(1) {
		if slices.Contains(names, k.Name) {
			some = append(some, k)
		}
	}
	return some
}

// small returns what a short run on the embedded suite needs.
func small(t testing.TB, out string) (*transformer.Model, []*task.Task, Config) {
	t.Helper()
	tok, err := smallTokenizer()
	if err != nil {
		t.Fatal(err)
	}
	c := transformer.NewConfig(tok.VocabSize(), 1, 32)
	c.NumAttentionHeads = 2
	c.PadTokenID, c.BOSTokenID, c.EOSTokenID = int(tok.Pad()), int(tok.BOS()), int(tok.EOS())
	cfg := Config{Steps: 14, TokensPerBatch: 600, MaxLength: 96, LR: 2e-3, Seed: 3, Out: out, CheckpointEvery: 3}
	return bare(c, tok), someTasks(), cfg
}

// bare returns a model of fresh weights.
func bare(c transformer.Config, tok *tokenizer.Tokenizer) *transformer.Model {
	m := transformer.NewModel(transformer.NewEncoder(c, autograd.NewKey(5)), transformer.Bare, device.Key{})
	m.Tokenizer = tok
	return m
}

func newTrainer(t testing.TB, out string, change func(*Config)) *Trainer {
	t.Helper()
	m, tasks, cfg := small(t, out)
	if change != nil {
		change(&cfg)
	}
	tr, err := New(m, tasks, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// runTo trains up to a step, without the evaluation at the end.
func runTo(t testing.TB, tr *Trainer, step int) {
	t.Helper()
	for tr.step < step {
		if _, err := tr.trainStep(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestUniformPredictionsCostOne(t *testing.T) {
	for _, mean := range []string{"examples", "tasks"} {
		uniformCost(t, newTrainer(t, "", func(c *Config) { c.Mean = mean }))
	}
}

func fill(p *autograd.Tensor, value float64) {
	autograd.Mutate(func(dst ...device.Slice) { p.Device().Fill(dst[0], value) }, p)
}

func uniformCost(t *testing.T, tr *Trainer) {
	m := tr.model
	zero := func(params ...*autograd.Tensor) {
		for _, p := range params {
			fill(p, 0)
		}
	}
	for _, h := range m.Classifiers {
		zero(h.OutProj.Weight, h.OutProj.Bias)
	}
	if m.Ranking != nil {
		zero(m.Ranking.OutProj.Weight, m.Ranking.OutProj.Bias)
	}
	zero(m.Span.Outputs.Weight, m.Span.Outputs.Bias)
	seen := map[string]bool{}
	for range 60 {
		if len(seen) == len(tr.tasks) {
			break
		}
		tr.step++
		p := tr.model.pack(tr.tasks, tr.sampler.batch())
		tr.cfg.weigh(tr.tasks, p)
		u := newUpdate(tr)
		u.batch(0, p)
		line := u.done()
		if math.Abs(line.Loss-1) > 1e-6 {
			t.Errorf("a batch of uniform predictions costs %.8f", line.Loss)
		}
		for name, l := range line.Tasks {
			if math.Abs(l.Loss-1) > 1e-6 {
				t.Errorf("%s: uniform predictions cost %.8f", name, l.Loss)
			}
			seen[name] = true
		}
	}
	if len(seen) != len(tr.tasks) {
		t.Errorf("only %d of %d tasks were in the batches", len(seen), len(tr.tasks))
	}
}

func TestSamplerIsNaturalAndKeepsToTheBudget(t *testing.T) {
	tr := newTrainer(t, "", nil)
	s := newSampler(tr.train, len(tr.tasks), nil, tr.cfg, autograd.NewKey(9))
	times := map[*example]int{}
	var stream []*example
	for s.Cursor.Epoch == 0 && s.Cursor.Next < len(s.order) {
		before := s.Cursor.Next
		batch := s.batch()
		used := 0
		for _, e := range batch {
			used += e.tokens()
			times[e]++
		}
		stream = append(stream, batch...)
		if used > 600 && len(batch) > 1 {
			t.Fatalf("a batch of %d tokens", used)
		}
		if s.Cursor.Epoch == 0 && s.Cursor.Next < len(s.order) {
			if next := s.examples[s.order[s.Cursor.Next]]; used+next.tokens() <= 600 {
				t.Fatalf("a batch of %d tokens left out an example of %d that fits", used, next.tokens())
			}
			if s.Cursor.Next-before != len(batch) {
				t.Fatalf("%d examples taken of %d passed", len(batch), s.Cursor.Next-before)
			}
		}
	}
	for _, e := range tr.train {
		if times[e] == 0 || times[e] > 2 { // the last batch may reach into the second epoch
			t.Fatalf("an example came %d times in an epoch", times[e])
		}
	}
	shuffled := 0
	for i := 1; i < len(stream); i++ {
		if stream[i].task != stream[i-1].task {
			shuffled++
		}
	}
	if shuffled < len(stream)/2 {
		t.Errorf("neighbours of different tasks: only %d of %d", shuffled, len(stream))
	}
}

func TestResumeIsTheSameRun(t *testing.T) {
	whole := newTrainer(t, t.TempDir(), nil)
	if _, err := whole.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	want := hashParameters(whole.model)

	out := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	first := newTrainer(t, out, func(c *Config) {
		c.Progress = func(p Progress) {
			if p.Step == 5 { // no multiple of CheckpointEvery
				cancel()
			}
		}
	})
	if _, err := first.Run(ctx); !errors.Is(err, ErrInterrupted) {
		t.Fatalf("interrupted run returned %v", err)
	}
	second := newTrainer(t, out, nil)
	result, err := second.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if got := hashParameters(second.model); got != want {
		t.Errorf("weights %s after a resume, %s without", got, want)
	}
	for i, n := range whole.Sampled {
		if result.Sampled[i] != n {
			t.Errorf("%s: %d examples sampled, %d without a resume", whole.tasks[i].Name, result.Sampled[i], n)
		}
	}
	log, err := os.ReadFile(filepath.Join(out, "metrics.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(log, []byte("\n")); n != 14 {
		t.Errorf("metrics.jsonl has %d lines after 14 steps", n)
	}
	for _, name := range []string{"report.html", "model/config.json", "model/model.safetensors", "model/vocab.json", "model/merges.txt"} {
		if _, err := os.Stat(filepath.Join(out, name)); err != nil {
			t.Error(err)
		}
	}
}

func TestThreadsDoNotChangeTheBits(t *testing.T) {
	for _, change := range []func(*Config){nil, func(c *Config) {
		c.Batches, c.Accumulate, c.R3F = batchHomogeneous, 2, R3F{Lambda: 1, Noise: "normal", SpectralNorm: true}
	}} {
		var want string
		for _, procs := range []int{1, 2, 5} {
			old := runtime.GOMAXPROCS(procs)
			tr := newTrainer(t, "", change)
			runTo(t, tr, 4)
			runtime.GOMAXPROCS(old)
			got := hashParameters(tr.model)
			if want == "" {
				want = got
			}
			if got != want {
				t.Errorf("GOMAXPROCS %d gives weights %s, 1 gives %s", procs, got, want)
			}
		}
	}
}

func TestBadOutFolders(t *testing.T) {
	run := func(out string, change func(*Config)) error {
		_, err := newTrainer(t, out, change).Run(context.Background())
		return err
	}
	out := t.TempDir()
	if err := run(out, nil); err != nil {
		t.Fatal(err)
	}
	checkpoint := filepath.Join(out, "checkpoints", "step-000014")
	before := hashFile(t, filepath.Join(checkpoint, "model.safetensors"))

	err := run(out, func(c *Config) { c.LR = 1e-3; c.Seed = 4 })
	mustName(t, "another run's folder", err, out, "learning rate is 0.002 there, 0.001 here", "seed")
	if hashFile(t, filepath.Join(checkpoint, "model.safetensors")) != before {
		t.Error("another run changed the checkpoint")
	}

	other := t.TempDir()
	if err := os.WriteFile(filepath.Join(other, "metrics.jsonl"), []byte("mine\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	mustName(t, "a folder with foreign files", run(other, nil), other, "metrics.jsonl")
}

func mustName(t *testing.T, what string, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error", what)
		return
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("%s: error %q does not name %q", what, err, p)
		}
	}
}

func hashFile(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestSavedModelLoads(t *testing.T) {
	out := t.TempDir()
	tr := newTrainer(t, out, nil)
	if _, err := tr.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	m, err := transformer.Load(filepath.Join(out, "model"))
	if err != nil {
		t.Fatal(err)
	}
	e, tok := m.Encoder, m.Tokenizer
	if tok.VocabSize() != tr.tok.VocabSize() {
		t.Errorf("tokenizer of %d tokens, was %d", tok.VocabSize(), tr.tok.VocabSize())
	}
	if got, want := hashParameters(e), hashParameters(tr.model.Encoder); got != want {
		t.Errorf("weights %s, were %s", got, want)
	}
	for i, p := range nn.Parameters(e) {
		if p.Name != nn.Parameters(tr.model.Encoder)[i].Name {
			t.Errorf("parameter %d is %s", i, p.Name)
		}
	}
}

func TestChoiceAmongOneCostsNothing(t *testing.T) {
	m, _, cfg := small(t, "")
	lonely := &task.Task{Name: "lonely", Family: task.Commonsense, Metric: "accuracy", Examples: map[string][]task.Example{
		"train": {{Context: "a", Choices: []string{"b"}, Where: "here"}},
		"dev":   {{Context: "a", Choices: []string{"b"}, Where: "here"}},
	}}
	cfg.Steps = 2
	tr, err := New(m, []*task.Task{lonely}, cfg)
	if err != nil {
		t.Fatal(err)
	}
	r, err := tr.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if r.Choiceless != 2 {
		t.Errorf("%d examples without a choice counted, want 2", r.Choiceless)
	}
}
