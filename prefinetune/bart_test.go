package prefinetune

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/nn"
	"github.com/muppet-go/muppet/ops"
	"github.com/muppet-go/muppet/optim"
	"github.com/muppet-go/muppet/prefinetune/suite"
	"github.com/muppet-go/muppet/prefinetune/task"
	"github.com/muppet-go/muppet/transformer"
	"github.com/muppet-go/muppet/transformer/tokenizer"
)

// bartCurve is what testdata/bart.py stored: steps of a mix of all families in PyTorch.
type bartCurve struct {
	Config                              transformer.Config
	Classes                             map[string]int
	Decay, Clip, Smoothing, Lambda, Eps float64
	Examples                            []struct {
		Task         string
		Sequences    [][]int32
		Labels       []int32
		Target       int
		First, Count int
		Start, End   int
	}
	Steps []struct {
		Examples           []int
		LR, Loss, KL, Norm float64
	}
}

func loadBartCurve(t *testing.T) (*bartCurve, *Model, []*task.Task, []*example) {
	t.Helper()
	data, err := os.ReadFile("testdata/bart.json")
	if err != nil {
		t.Fatal(err)
	}
	var c bartCurve
	if err := json.Unmarshal(data, &c); err != nil {
		t.Fatal(err)
	}
	tasks := []*task.Task{
		{Name: "two", Family: task.Classification, Labels: make([]string, c.Classes["two"])},
		{Name: "write", Family: task.Summarisation},
		{Name: "five", Family: task.Classification, Labels: make([]string, c.Classes["five"])},
		{Name: "rank", Family: task.Commonsense},
		{Name: "span", Family: task.MRC},
	}
	examples := make([]*example, len(c.Examples))
	for i, e := range c.Examples {
		index := slices.IndexFunc(tasks, func(t *task.Task) bool { return t.Name == e.Task })
		examples[i] = &example{task: index, target: e.Target, labels: e.Labels, decoded: e.Labels == nil}
		for _, ids := range e.Sequences {
			examples[i].sequences = append(examples[i].sequences, tokenizer.Encoding{IDs: ids})
		}
		if e.Task == "span" {
			examples[i].spans = []window{{first: e.First, count: e.Count, start: e.Start, end: e.End}}
		}
	}
	m := NewModel(bareBart(c.Config, nil), tasks, autograd.NewKey(2))
	m.smoothing = c.Smoothing
	if err := nn.Load("testdata/bart.safetensors", m); err != nil {
		t.Fatal(err)
	}
	return &c, m, tasks, examples
}

func bareBart(c transformer.Config, tok *tokenizer.Tokenizer) *transformer.Model {
	m := transformer.NewBartModel(transformer.NewBart(c, autograd.NewKey(5)), transformer.Bare, device.Key{})
	m.Tokenizer = tok
	return m
}

// TestBartMatchesPyTorch compares a run on all families, with label smoothing and R3F, with
// testdata/bart.py step by step.
func TestBartMatchesPyTorch(t *testing.T) {
	c, m, tasks, examples := loadBartCurve(t)
	opt := optim.NewAdamW(nn.Parameters(m), optim.AdamWConfig{Beta1: 0.9, Beta2: 0.98, Eps: 1e-6, WeightDecay: c.Decay})
	opt.ClipNorm = c.Clip
	scope, grads := autograd.NewScope(), autograd.NewGradients()
	second := &secondPass{lambda: c.Lambda, words: func(words *autograd.Tensor) *autograd.Tensor {
		noise := make([]float32, words.Len())
		for i := range noise {
			row, col := i/words.Dim(1), i%words.Dim(1)
			noise[i] = float32(c.Eps * math.Sin(float64(7*row+3*col+1)))
		}
		return ops.Add(words, words.Scope().New(noise, words.Shape()...))
	}}
	worst := 0.0
	for i, s := range c.Steps {
		var picked []*example
		for _, j := range s.Examples {
			picked = append(picked, examples[j])
		}
		p := weighed(m, tasks, picked...)
		l := m.loss(scope, tasks, p, nil, second)
		kl := 0.0
		for i, v := range l.kl.Float32s() {
			kl += float64(v) * float64(p.part[i])
		}
		loss := l.task.Item()
		autograd.Backward(l.total, grads)
		opt.LR = s.LR
		norm := opt.Step(grads)
		scope.Reset()
		for _, v := range []struct {
			name      string
			got, want float64
		}{{"loss", loss, s.Loss}, {"divergence", kl, s.KL}, {"gradient norm", norm, s.Norm}} {
			off := math.Abs(v.got-v.want) / v.want
			worst = math.Max(worst, off)
			if off > 2e-4 {
				t.Fatalf("step %d: %s %.8f, PyTorch has %.8f", i+1, v.name, v.got, v.want)
			}
		}
	}
	t.Logf("largest relative difference of loss, divergence and norm in %d steps: %.2g", len(c.Steps), worst)
}

// smallBart is small for an encoder-decoder, which also has something to summarise.
func smallBart(t testing.TB, out string) (*transformer.Model, []*task.Task, Config) {
	t.Helper()
	m, tasks, cfg := small(t, out)
	tok := m.Tokenizer
	c := transformer.NewBartConfig(tok.VocabSize(), 1, 32)
	c.PadTokenID, c.BOSTokenID, c.EOSTokenID, c.DecoderStartTokenID = int(tok.Pad()), int(tok.BOS()), int(tok.EOS()), int(tok.EOS())
	c.NumAttentionHeads, c.DecoderAttentionHeads = 2, 2
	return bareBart(c, tok), append(tasks, shortened()), cfg
}

// shortened is a summarisation: the first words of a text from the suite.
func shortened() *task.Task {
	tk := &task.Task{Name: "short", Family: task.Summarisation, Metric: "rouge", Examples: map[string][]task.Example{}}
	for i, text := range suite.Corpus(1)[:240] {
		words := strings.Fields(text)
		e := task.Example{Source: text, Target: strings.Join(words[:1+min(i%3, len(words)-1)], " "), Where: "here"}
		split := "train"
		if i%20 == 0 {
			split = "dev"
		}
		tk.Examples[split] = append(tk.Examples[split], e)
	}
	return tk
}

func newBartTrainer(t testing.TB, out string, change func(*Config)) *Trainer {
	t.Helper()
	m, tasks, cfg := smallBart(t, out)
	if change != nil {
		change(&cfg)
	}
	tr, err := New(m, tasks, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// TestUniformPredictionsCostOneInBart has smoothed labels by default; all scores but the written
// tokens' are zero with their head, those with the word embeddings.
func TestUniformPredictionsCostOneInBart(t *testing.T) {
	for _, smoothing := range []float64{0, -1} {
		tr := newBartTrainer(t, "", func(c *Config) { c.LabelSmoothing = smoothing })
		if want := math.Max(0, 0.1+smoothing); tr.model.smoothing != want {
			t.Errorf("label smoothing %g, want %g", tr.model.smoothing, want)
		}
		words := tr.model.Bart.Shared.Weight
		autograd.Mutate(func(dst ...device.Slice) { words.Device().Fill(dst[0], 0) }, words)
		uniformCost(t, tr)
	}
}

// TestBartRun trains, is interrupted, resumes to the same bits, and saves a model that writes what
// the trainer's did.
func TestBartRun(t *testing.T) {
	steps := func(c *Config) { c.Steps, c.R3F = 6, R3F{Lambda: 0.5} }
	whole := newBartTrainer(t, t.TempDir(), steps)
	result, err := whole.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	first := newBartTrainer(t, out, func(c *Config) {
		steps(c)
		c.Progress = func(p Progress) {
			if p.Step == 4 {
				cancel()
			}
		}
	})
	if _, err := first.Run(ctx); err == nil {
		t.Fatal("not interrupted")
	}
	second := newBartTrainer(t, out, steps)
	if _, err := second.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	if a, b := hashParameters(whole.model), hashParameters(second.model); a != b {
		t.Errorf("weights %s after a resume, %s without", b, a)
	}
	last := len(whole.tasks) - 1
	if s := result.Scores[last]; s.Task != "short" || s.Metric != "rouge" || s.N != 12 || s.Majority == 0 || s.BagOfWords == 0 {
		t.Errorf("score of the summarisation: %+v", s)
	}
	texts, p, err := second.Evaluate(context.Background(), last)
	if err != nil || len(p.Text) != len(texts) || len(p.Index) != 0 {
		t.Fatalf("%d texts for %d examples, %v", len(p.Text), len(texts), err)
	}
	m, err := transformer.Load(out + "/model")
	if err != nil {
		t.Fatal(err)
	}
	g := second.model.generation(second.longest(last))
	if g.NumBeams != 4 || g.MaxLength > 30 {
		t.Errorf("settings %+v", g)
	}
	for i, e := range texts {
		again, err := m.GenerateTexts(context.Background(), g, e.Source)
		if err != nil || strings.TrimSpace(again[0]) != p.Text[i] {
			t.Errorf("%q becomes %q, in training %q, %v", e.Source, again, p.Text[i], err)
		}
	}
	ctx, cancel = context.WithCancel(context.Background())
	cancel()
	if _, _, err := second.Evaluate(ctx, last); err == nil {
		t.Error("a context that has ended does not stop the evaluation")
	}
}

// TestLearnsToSummarise is on texts whose summary is their first words.
func TestLearnsToSummarise(t *testing.T) {
	if testing.Short() {
		t.Skip("trains 800 steps")
	}
	m, _, cfg := smallBart(t, "")
	m.Bart.Config.HiddenDropout = 0
	cfg.Steps, cfg.LR = 800, 3e-3
	tr, err := New(m, []*task.Task{shortened()}, cfg)
	if err != nil {
		t.Fatal(err)
	}
	r, err := tr.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if s := r.Scores[0]; s.Ours < s.BagOfWords || s.Ours < 0.3 {
		t.Errorf("ROUGE %.3f, the first words of a text have %.3f, its frequent words %.3f", s.Ours, s.Majority, s.BagOfWords)
	}
}

func TestLongSummariesAreCut(t *testing.T) {
	m, _, cfg := smallBart(t, "")
	cfg.MaxLength = 16
	tk := &task.Task{Name: "long", Family: task.Summarisation, Examples: map[string][]task.Example{
		"train": {{Source: "a brask", Target: strings.Repeat("a brask lives here and ", 9)}, {Source: "a brask", Target: "a"}},
		"dev":   {{Source: "a", Target: "a"}},
	}}
	tr, err := New(m, []*task.Task{tk}, cfg)
	if err != nil {
		t.Fatal(err)
	}
	c := tr.Counts()[0]
	if c.Truncated != 1 || len(tr.train[0].labels) != 16 || c.Tokens != tr.train[0].tokens()+tr.train[1].tokens() {
		t.Errorf("%d cut, %d tokens to be written, %d in all", c.Truncated, len(tr.train[0].labels), c.Tokens)
	}
	if e := tr.train[1]; e.tokens() != len(e.sequences[0].IDs)+len(e.labels) {
		t.Errorf("an example of %d and %d tokens counts %d", len(e.sequences[0].IDs), len(e.labels), e.tokens())
	}
	if last := tr.train[0].labels[15]; last != m.Tokenizer.EOS() {
		t.Errorf("a summary that is cut ends with token %d", last)
	}
}

// TestBartTokens: both halves read what is not a summarisation, and need room for it.
func TestBartTokens(t *testing.T) {
	tr := newBartTrainer(t, "", func(c *Config) { c.R3F.Lambda = 1 })
	for range 5 {
		p := tr.model.pack(tr.tasks, tr.sampler.batch())
		tokens := 0
		for _, e := range p.examples {
			tokens += e.tokens()
		}
		if n := p.batch.Tokens() + p.target.Tokens(); n != tokens || n > tr.cfg.TokensPerBatch {
			t.Errorf("a batch of %d tokens, by its examples %d, with room for %d", n, tokens, tr.cfg.TokensPerBatch)
		}
	}
	m, tasks, cfg := smallBart(t, "")
	cfg.MaxLength, cfg.TokensPerBatch = 200, 300
	_, err := New(m, tasks, cfg)
	mustName(t, "no room for two halves", err, "200", "16 to 150")
	wrong := *m
	wrong.Config.EOSTokenID = int(m.Tokenizer.Pad())
	_, err = New(&wrong, tasks, cfg)
	mustName(t, "another </s>", err, "eos_token_id")
	m, _, cfg = small(t, "")
	_, err = New(m, tasks, cfg)
	mustName(t, "an encoder that is to write", err, "task short", "needs an encoder-decoder")
}

// TestNoiseByFamily: the sources of summaries get normal noise, all else uniform, and a choice of
// one is for both.
func TestNoiseByFamily(t *testing.T) {
	tr := newBartTrainer(t, "", nil)
	var p *packed
	for p == nil || p.written == nil {
		p = tr.model.pack(tr.tasks, tr.sampler.batch())
	}
	words := autograd.Zeros(p.batch.Tokens(), 64)
	key := autograd.NewKey(1)
	noise := map[string][]float64{}
	for _, name := range []string{"", "uniform", "normal"} {
		noise[name] = R3F{Eps: 0.5, Noise: name}.noised(p, words, key).Float64s()
	}
	var square, count [2]float64
	for i, source := range p.sources() {
		kind := int(source)
		most := 0.0
		for _, x := range noise[""][64*i : 64*(i+1)] {
			square[kind], count[kind] = square[kind]+x*x, count[kind]+1
			most = math.Max(most, math.Abs(x))
		}
		if (most > 0.5) != (source == 1) {
			t.Errorf("row %d, of a source %v: noise up to %.3f", i, source == 1, most)
		}
	}
	for kind, want := range []float64{0.25 / 3, 0.25} {
		if got := square[kind] / count[kind]; math.Abs(got-want) > 0.1*want {
			t.Errorf("noise of mean square %.3f, want %.3f", got, want)
		}
	}
	if slices.Equal(noise["uniform"], noise["normal"]) {
		t.Error("uniform and normal noise are the same")
	}
}
