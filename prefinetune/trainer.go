package prefinetune

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/nn"
	"github.com/muppet-go/muppet/ops"
	"github.com/muppet-go/muppet/optim"
	"github.com/muppet-go/muppet/prefinetune/metrics"
	"github.com/muppet-go/muppet/prefinetune/task"
	"github.com/muppet-go/muppet/transformer"
	"github.com/muppet-go/muppet/transformer/tokenizer"
)

// Config has the settings of a run. The zero value of a field means its default.
type Config struct {
	Steps          int     `json:"steps"`            // updates; default 1000
	TokensPerBatch int     `json:"tokens_per_batch"` // upper bound; default 4096
	MaxLength      int     `json:"max_length"`       // tokens of a sequence; default: what the encoder has positions for
	LR             float64 `json:"lr"`               // peak learning rate; default 5e-4
	WarmUp         int     `json:"warm_up"`          // steps; default 6 % of Steps; negative for none
	WeightDecay    float64 `json:"weight_decay"`     // default 0.01; negative for none
	ClipNorm       float64 `json:"clip_norm"`        // default 1; negative for none
	Seed           uint64  `json:"seed"`

	Out             string         `json:"-"` // folder of checkpoints, metrics and model; empty to keep nothing
	CheckpointEvery int            `json:"-"` // steps; default a tenth of Steps, at least 50
	Progress        func(Progress) `json:"-"` // told about every step
	Warn            func(string)   `json:"-"` // told what a person should know
}

// validate refuses what no run can be made with. Zero stands for a default.
func (c Config) validate() error {
	const most = 1_000_000_000
	for _, n := range []struct {
		name         string
		value, least int
	}{
		{"Steps", c.Steps, 0}, {"TokensPerBatch", c.TokensPerBatch, 0}, {"MaxLength", c.MaxLength, 0},
		{"CheckpointEvery", c.CheckpointEvery, 0}, {"WarmUp", c.WarmUp, -most},
	} {
		if n.value < n.least || n.value > most {
			return fmt.Errorf("prefinetune: %s is %d; want %d to %d", n.name, n.value, n.least, most)
		}
	}
	for _, x := range []struct {
		name  string
		value float64
	}{{"LR", c.LR}, {"WeightDecay", c.WeightDecay}, {"ClipNorm", c.ClipNorm}} {
		if math.IsNaN(x.value) || math.IsInf(x.value, 0) {
			return fmt.Errorf("prefinetune: %s is %g; want a finite number", x.name, x.value)
		}
	}
	if c.LR < 0 {
		return fmt.Errorf("prefinetune: LR is %g; want a positive number", c.LR)
	}
	return nil
}

func (c Config) withDefaults() Config {
	setInt := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	set := func(v *float64, d float64) {
		if *v == 0 {
			*v = d
		}
		*v = math.Max(*v, 0)
	}
	setInt(&c.Steps, 1000)
	setInt(&c.TokensPerBatch, 4096)
	setInt(&c.WarmUp, max(1, c.Steps*6/100))
	c.WarmUp = max(c.WarmUp, 0)
	setInt(&c.CheckpointEvery, max(50, c.Steps/10))
	set(&c.LR, 5e-4)
	set(&c.WeightDecay, 0.01)
	set(&c.ClipNorm, 1)
	if c.Progress == nil {
		c.Progress = func(Progress) {}
	}
	if c.Warn == nil {
		c.Warn = func(string) {}
	}
	return c
}

// Progress is what a step tells.
type Progress struct {
	Step, Steps     int
	Loss            float64 // of this step's batch
	LR, GradNorm    float64
	TokensPerSecond float64 // since the start or the last resume
	Remaining       time.Duration
}

// A Trainer pre-finetunes an encoder.
type Trainer struct {
	cfg     Config
	tasks   []*task.Task
	tok     *tokenizer.Tokenizer
	model   *Model
	train   []*example
	dev     []devSet
	counts  []taskCount
	opt     *optim.Optimizer
	lr      optim.PolynomialDecay
	sampler *sampler
	key     device.Key
	scope   *autograd.Scope
	grads   *autograd.Gradients
	log     *metricsLog

	step       int
	saved      int   // step of the last checkpoint
	sampled    []int // examples seen of each task
	choiceless int   // examples seen that had nothing to choose among
}

type devSet struct {
	texts   []task.Example
	encoded []*example
}

// New reads and encodes the tasks' examples and gives the encoder the heads they need.
// Errors name the file and line of what cannot be used.
func New(encoder *transformer.Encoder, tok *tokenizer.Tokenizer, tasks []*task.Task, cfg Config) (*Trainer, error) {
	if len(tasks) == 0 {
		return nil, errors.New("prefinetune: no tasks to learn from")
	}
	names := map[string]bool{}
	for _, tk := range tasks {
		if names[tk.Name] { // heads and metrics go by the name
			return nil, fmt.Errorf("prefinetune: two tasks are named %s", tk.Name)
		}
		names[tk.Name] = true
	}
	if tok.VocabSize() > encoder.Config.VocabSize {
		return nil, fmt.Errorf("prefinetune: the tokenizer has %d tokens, the encoder's vocab_size is %d", tok.VocabSize(), encoder.Config.VocabSize)
	}
	if cfg.MaxLength == 0 {
		cfg.MaxLength = min(encoder.Config.MaxLength(), 512)
	}
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	if cfg.MaxLength < 16 || cfg.MaxLength > encoder.Config.MaxLength() || cfg.MaxLength > cfg.TokensPerBatch {
		return nil, fmt.Errorf("prefinetune: sequences of at most %d tokens; want 16 to %d, what the encoder has positions for and a batch has room for",
			cfg.MaxLength, min(encoder.Config.MaxLength(), cfg.TokensPerBatch))
	}
	t := &Trainer{
		cfg: cfg, tasks: tasks, tok: tok, key: autograd.NewKey(cfg.Seed),
		scope: autograd.NewScope(), grads: autograd.NewGradients(), sampled: make([]int, len(tasks)),
		lr: optim.PolynomialDecay{Peak: cfg.LR, WarmUp: cfg.WarmUp, Total: cfg.Steps + 1},
	}
	if err := t.encode(); err != nil {
		return nil, err
	}
	t.model = NewModel(encoder, tasks, t.key.Fold("heads"))
	t.opt = optim.NewAdamW(nn.Parameters(t.model), optim.AdamWConfig{
		Beta1: 0.9, Beta2: 0.98, Eps: 1e-6, WeightDecay: cfg.WeightDecay,
	})
	t.opt.ClipNorm = cfg.ClipNorm
	t.sampler = newSampler(t.train, t.key.Fold("order"))
	return t, nil
}

// Model returns the encoder and heads being trained.
func (t *Trainer) Model() *Model { return t.model }

// encode reads every task.
func (t *Trainer) encode() error {
	enc := &encoder{tok: t.tok, maxLength: t.cfg.MaxLength, budget: t.cfg.TokensPerBatch}
	for i, tk := range t.tasks {
		if tk.Family == task.Summarisation {
			return fmt.Errorf("prefinetune: task %s: summarisation needs an encoder-decoder", tk.Name)
		}
		train, err := tk.Read("train")
		if err != nil {
			return err
		}
		texts, err := tk.Read("dev")
		if err != nil {
			return err
		}
		count := newTaskCount(tk, train, texts)
		for _, ex := range train {
			e, err := enc.encode(i, tk, ex)
			if err != nil {
				return err
			}
			if e.spans != nil && e.target < 0 { // no window holds the whole answer
				count.Dropped++
				continue
			}
			count.add(e)
			t.train = append(t.train, e)
		}
		set := devSet{texts: texts}
		for _, ex := range texts {
			e, err := enc.encode(i, tk, ex)
			if err != nil {
				return err
			}
			set.encoded = append(set.encoded, e)
		}
		t.dev = append(t.dev, set)
		t.counts = append(t.counts, count)
	}
	if len(t.train) == 0 {
		return errors.New("prefinetune: the tasks have no example that can be learned from")
	}
	return nil
}

// ErrInterrupted says that the context ended a run. A run with an Out folder has
// written a checkpoint; the same call goes on from there.
var ErrInterrupted = errors.New("interrupted")

// Run trains, from the newest checkpoint in the Out folder if it holds one of this very
// run, and evaluates every task at the end. If ctx ends it writes a checkpoint and
// returns an error that wraps ErrInterrupted.
func (t *Trainer) Run(ctx context.Context) (*Result, error) {
	if t.cfg.Out != "" {
		if err := t.open(); err != nil {
			return nil, err
		}
		defer t.log.close()
	}
	began, tokens, first := time.Now(), 0, t.step
	for t.step < t.cfg.Steps {
		if ctx.Err() != nil {
			return nil, t.interrupted()
		}
		line, err := t.trainStep()
		if err != nil {
			return nil, err
		}
		tokens += line.Tokens
		elapsed := time.Since(began)
		line.TokensPerSecond = math.Round(float64(tokens) / elapsed.Seconds())
		if err := t.log.write(line); err != nil {
			return nil, fmt.Errorf("prefinetune: metrics: %w", err)
		}
		t.cfg.Progress(Progress{
			Step: t.step, Steps: t.cfg.Steps, Loss: line.Loss, LR: line.LR, GradNorm: line.GradNorm,
			TokensPerSecond: line.TokensPerSecond,
			Remaining:       elapsed / time.Duration(t.step-first) * time.Duration(t.cfg.Steps-t.step),
		})
		if t.cfg.Out != "" && (t.step%t.cfg.CheckpointEvery == 0 || t.step == t.cfg.Steps) {
			if err := t.save(); err != nil {
				return nil, fmt.Errorf("prefinetune: checkpoint: %w", err)
			}
		}
	}
	return t.finish(ctx, time.Since(began))
}

// open prepares the Out folder and restores the newest checkpoint.
func (t *Trainer) open() error {
	if err := os.MkdirAll(t.cfg.Out, 0o755); err != nil {
		return fmt.Errorf("prefinetune: %w", err)
	}
	if err := t.claim(); err != nil {
		return err
	}
	log, err := openMetrics(filepath.Join(t.cfg.Out, "metrics.jsonl"))
	if err != nil {
		return fmt.Errorf("prefinetune: %w", err)
	}
	t.log = log
	warning, err := t.restore()
	if err != nil {
		return errors.Join(err, log.close())
	}
	if warning != "" {
		t.cfg.Warn(warning)
	}
	switch {
	case t.step == t.cfg.Steps:
		t.cfg.Warn(fmt.Sprintf("%s holds this run, complete at step %d: nothing left to train", t.cfg.Out, t.step))
		return nil
	case t.step > 0:
		t.cfg.Warn(fmt.Sprintf("resuming at step %d of %d", t.step, t.cfg.Steps))
		return nil
	}
	if err := log.truncate(0); err != nil {
		return errors.Join(err, log.close())
	}
	return nil
}

func (t *Trainer) interrupted() error {
	if t.cfg.Out == "" {
		return fmt.Errorf("prefinetune: %w at step %d", ErrInterrupted, t.step)
	}
	if t.saved != t.step || t.step == 0 {
		if err := t.save(); err != nil {
			return fmt.Errorf("prefinetune: checkpoint on interrupt: %w", err)
		}
	}
	return fmt.Errorf("prefinetune: %w at step %d; a checkpoint is in %s, the same command resumes", ErrInterrupted, t.step, t.cfg.Out)
}

// stepLine is a line of metrics.jsonl.
type stepLine struct {
	Step            int                 `json:"step"`
	Loss            float64             `json:"loss"` // mean over examples of loss/log n
	LR              float64             `json:"lr"`
	GradNorm        float64             `json:"grad_norm"` // before clipping
	Examples        int                 `json:"examples"`
	Tokens          int                 `json:"tokens"`
	TokensPerSecond float64             `json:"tokens_per_second"`
	Tasks           map[string]taskLine `json:"tasks"`
}

// taskLine is what one task contributed to a step.
type taskLine struct {
	Examples int     `json:"examples"`
	Loss     float64 `json:"loss"`      // mean over its examples of loss/log n
	GradNorm float64 `json:"grad_norm"` // of the loss at its rows of the encoder's output
}

// trainStep makes one update.
func (t *Trainer) trainStep() (*stepLine, error) {
	picked := t.sampler.batch(t.cfg.TokensPerBatch)
	p := pack(t.tasks, picked, (*example).training)
	t.step++
	dropout := t.key.Fold("dropout").FoldInt(t.step)
	var line *stepLine
	err := autograd.Try(func() {
		loss, each, hidden := t.model.loss(t.scope, t.tasks, p, &dropout)
		hidden.RetainGrad()
		autograd.Backward(loss, t.grads)
		line = t.describe(p, loss, each, t.grads.Get(hidden))
		t.opt.LR = line.LR
		line.GradNorm = t.opt.Step(t.grads)
		t.scope.Reset()
	})
	if err != nil {
		return nil, fmt.Errorf("prefinetune: step %d: %w", t.step, err)
	}
	if math.IsNaN(line.Loss) || math.IsInf(line.GradNorm, 0) || math.IsNaN(line.GradNorm) {
		return nil, fmt.Errorf("prefinetune: step %d: loss %g, gradient norm %g: the run has diverged; a lower learning rate than %g may help", t.step, line.Loss, line.GradNorm, t.cfg.LR)
	}
	for _, e := range picked {
		t.sampled[e.task]++
	}
	return line, nil
}

// describe reads off what a step did, before the parameters change.
func (t *Trainer) describe(p *packed, loss, each, hiddenGrad *autograd.Tensor) *stepLine {
	line := &stepLine{
		Step: t.step, Loss: loss.Item(), LR: t.lr.At(t.step), Examples: len(p.examples), Tokens: p.batch.Tokens(),
		Tasks: map[string]taskLine{},
	}
	g := t.scope.Of(hiddenGrad)
	squares := ops.Sum(ops.Mul(g, g), 1).Float32s()
	norms := make([]float64, len(t.tasks))
	for i, e := range p.examples {
		for _, s := range squares[p.rows[i].start:p.rows[i].end] {
			norms[e.task] += float64(s)
		}
	}
	sums, counts := p.byTask(each.Float32s())
	for i, n := range counts {
		line.Tasks[t.tasks[i].Name] = taskLine{Examples: n, Loss: sums[i] / float64(n), GradNorm: math.Sqrt(norms[i])}
	}
	seen := map[int]bool{}
	for i, s := range p.score {
		if s == 0 && !seen[p.owner[i]] {
			seen[p.owner[i]] = true
			t.choiceless++
		}
	}
	return line
}

// Evaluate returns the model's predictions for the dev examples of task i.
func (t *Trainer) Evaluate(i int) (texts []task.Example, p metrics.Predictions) {
	scope := autograd.NewScope().NoGrad()
	return t.dev[i].texts, t.model.predict(scope, t.tasks, t.dev[i].encoded, t.dev[i].texts, t.cfg.TokensPerBatch)
}
