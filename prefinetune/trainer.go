package prefinetune

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/nn"
	"github.com/muppet-go/muppet/optim"
	"github.com/muppet-go/muppet/prefinetune/metrics"
	"github.com/muppet-go/muppet/prefinetune/task"
	"github.com/muppet-go/muppet/transformer"
	"github.com/muppet-go/muppet/transformer/tokenizer"
)

// A Trainer pre-finetunes a model.
type Trainer struct {
	cfg     Config
	tasks   []*task.Task
	tok     *tokenizer.Tokenizer
	model   *Model
	train   []*example
	dev     []devSet
	counts  []taskCount
	data    [][2]dataset // of each task: train and dev
	opt     *optim.Optimizer
	lr      optim.PolynomialDecay
	sampler *sampler
	ahead   *ahead[[]*packed]
	shares  []float64 // of the examples, asked for of each task
	key     device.Key
	scope   *autograd.Scope
	grads   *autograd.Gradients
	folder  *folder // nil without an Out folder

	majority []*float64  // baseline's score on what is evaluated on the way, by task
	best     [][]float32 // best parameters of a run without a folder
	drawn    *curves     // of a run without a folder

	step int
	tally
}

// tally is what a run has counted so far; a checkpoint has it.
type tally struct {
	Sampled      []int `json:"sampled"`        // examples seen of each task
	Choiceless   int   `json:"choiceless"`     // of these, examples with nothing to choose among
	Skipped      int   `json:"skipped"`        // steps without an update, see Config.NonFinite
	SkippedInRow int   `json:"skipped_in_row"` // of these, the last ones

	Balance   balance   `json:"balance"` // of GradNorm
	Selection selection `json:"selection"`
}

// fits reports whether it may be that of a run of so many tasks.
func (t *tally) fits(tasks int, c Config) bool {
	return len(t.Sampled) == tasks && (c.Scaling != gradNorm || t.Balance.fits(tasks))
}

type devSet struct {
	texts   []task.Example
	encoded []*example
}

// New reads and encodes the tasks' examples, by the model's tokenizer, and gives the model the
// heads they need. Run changes the model's weights in place. Errors name the file and
// line of what cannot be used.
func New(m *transformer.Model, tasks []*task.Task, cfg Config) (*Trainer, error) {
	tok, c := m.Tokenizer, m.Config
	if tok == nil {
		return nil, errors.New("prefinetune: the model has no tokenizer")
	}
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
	if tok.VocabSize() > c.VocabSize {
		return nil, fmt.Errorf("prefinetune: the tokenizer has %d tokens, the model's vocab_size is %d", tok.VocabSize(), c.VocabSize)
	}
	if ids := tok.PostProcess(tokenizer.Options{}, tok.Encode("a")).IDs; m.Bart != nil && !slices.Contains(ids, int32(c.EOSTokenID)) {
		return nil, fmt.Errorf("prefinetune: the tokenizer makes tokens %v of a text; want one that is the model's eos_token_id %d", ids, c.EOSTokenID)
	}
	if cfg.MaxLength == 0 {
		cfg.MaxLength = min(c.MaxLength(), 512)
	}
	if err := cfg.validate(tasks); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	room := cfg.TokensPerBatch
	if m.Bart != nil {
		room /= 2 // two halves read
	} else if cfg.R3F.Noise == "" {
		cfg.R3F.Noise = "uniform"
	}
	if cfg.MaxLength < 16 || cfg.MaxLength > c.MaxLength() || cfg.MaxLength > room {
		return nil, fmt.Errorf("prefinetune: sequences of at most %d tokens; want 16 to %d, what the model has positions for and a batch has room for",
			cfg.MaxLength, min(c.MaxLength(), room))
	}
	t := &Trainer{
		cfg: cfg, tasks: tasks, tok: tok, key: autograd.NewKey(cfg.Seed),
		scope: autograd.NewScope(), grads: autograd.NewGradients(), tally: tally{Sampled: make([]int, len(tasks))},
	}
	if err := t.encode(&encoder{tok: tok, maxLength: cfg.MaxLength, budget: cfg.TokensPerBatch, decoder: m.Bart != nil}); err != nil {
		return nil, err
	}
	weights, err := t.weights()
	if err != nil {
		return nil, err
	}
	t.sampler = newSampler(t.train, len(tasks), weights, cfg, t.key.Fold("order"))
	if cfg.Epochs > 0 {
		cfg = cfg.scheduled(newSampler(t.train, len(tasks), weights, cfg, t.key.Fold("order")).updates(cfg.Epochs))
		t.cfg = cfg
	}
	t.lr = optim.PolynomialDecay{Peak: cfg.LR, WarmUp: cfg.WarmUp, Total: cfg.Steps + 1}
	t.shares = t.sampler.shares(weights)
	t.model = NewModel(m, tasks, t.key.Fold("heads"))
	t.standardise()
	t.model.smoothing = cfg.LabelSmoothing
	t.model.spectral = cfg.R3F.SpectralNorm
	t.ahead = newAhead(t.sampler, func(_ int, examples [][]*example) (batches []*packed) {
		for _, picked := range examples {
			batches = append(batches, t.model.pack(t.tasks, picked))
		}
		return batches
	})
	switch cfg.Scaling {
	case uncertainty:
		t.model.LogVariances = newLogVariances(tasks)
	case gradNorm:
		t.Balance = newBalance(len(tasks))
	}
	if cfg.EvaluateEvery > 0 && !t.hasDev() {
		return nil, errors.New("prefinetune: EvaluateEvery is set, and no task that counts has dev examples")
	}
	params := nn.Parameters(t.model)
	for _, p := range params {
		if strings.HasPrefix(p.Name, "log_variances.") {
			p.LRScale = cfg.ScalingRate
		}
	}
	t.opt = optim.NewAdamW(params, optim.AdamWConfig{
		Beta1: 0.9, Beta2: cfg.Beta2, Eps: cfg.AdamEps, EpsHat: true, WeightDecay: cfg.WeightDecay,
	})
	t.opt.ClipNorm = cfg.ClipNorm
	return t, nil
}

// Model returns what is being trained.
func (t *Trainer) Model() *Model { return t.model }

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
		defer t.folder.close()
	}
	defer t.ahead.rest()
	began, tokens, first := time.Now(), 0, t.step
	var evaluating time.Duration // no time for tokens
	for {
		if t.evaluationDue() {
			at := time.Now()
			if err := t.evaluateAll(ctx); err != nil {
				if ctx.Err() != nil {
					return nil, t.folder.interrupted(t.step, t.save)
				}
				return nil, err
			}
			evaluating += time.Since(at)
		}
		if err := t.folder.after(t.step, t.ended(), t.save); err != nil {
			return nil, err
		}
		if t.ended() {
			return t.finish(ctx, time.Since(began))
		}
		if ctx.Err() != nil {
			return nil, t.folder.interrupted(t.step, t.save)
		}
		line, err := t.trainStep()
		if err != nil {
			return nil, err
		}
		tokens += line.Tokens
		elapsed := time.Since(began)
		line.TokensPerSecond = math.Round(float64(tokens) / (elapsed - evaluating).Seconds())
		if err := t.record(&logLine{stepLine: *line}); err != nil {
			return nil, err
		}
		loss := line.Loss
		if line.Skipped != nil {
			loss = math.NaN()
			t.cfg.Warn(fmt.Sprintf("step %d skipped: %s", t.step, strings.Join(line.Skipped, "; ")))
		}
		t.cfg.Progress(Progress{
			Step: t.step, Steps: t.cfg.Steps, Loss: loss, LR: line.LR, GradNorm: line.GradNorm,
			TokensPerSecond: line.TokensPerSecond,
			Remaining:       elapsed / time.Duration(t.step-first) * time.Duration(t.cfg.Steps-t.step),
			Waited:          time.Duration(line.WaitMS * float64(time.Millisecond)), Tasks: t.taskProgress(line),
		})
	}
}

// taskProgress returns what a line says of tasks, in the order of the tasks.
func (t *Trainer) taskProgress(line *stepLine) (tasks []TaskProgress) {
	for _, tk := range t.tasks {
		if l, ok := line.Tasks[tk.Name]; ok {
			tasks = append(tasks, TaskProgress{tk.Name, l.Examples, l.Loss, l.GradNorm, l.Epochs})
		}
	}
	return tasks
}

// ended reports whether there is nothing left to train.
func (t *Trainer) ended() bool { return t.step >= t.cfg.Steps || t.impatient() }

// open prepares the Out folder and restores the newest checkpoint.
func (t *Trainer) open() error {
	mine := t.identity()
	var its identity
	t.folder = &folder{path: t.cfg.Out, keep: t.cfg.KeepLast, every: t.cfg.CheckpointEvery, steps: t.cfg.Steps, warn: t.cfg.Warn, tensorboard: t.cfg.TensorBoard, identity: mine}
	if err := t.folder.open(&its, func() []string { return mine.compare(its) }); err != nil {
		return err
	}
	err := t.restore()
	if err == nil {
		err = t.folder.board()
	}
	if err != nil {
		return errors.Join(err, t.folder.close())
	}
	return nil
}

// runState is what a checkpoint keeps of a Trainer besides tensors.
type runState struct {
	Sampler cursor `json:"sampler"`
	tally
}

// save writes a checkpoint.
func (t *Trainer) save() error {
	return t.folder.save(t.step, t.model, t.opt, runState{t.ahead.at, t.tally})
}

// restore goes back to the newest checkpoint, if there is one.
func (t *Trainer) restore() error {
	var s runState
	step, found, err := t.folder.restore(t.model, t.opt, func(data []byte) (err error) {
		s, err = t.readState(data)
		return err
	})
	if found {
		t.step, t.tally = step, s.tally
		t.ahead.seek(s.Sampler)
		if t.impatient() {
			t.cfg.Warn(fmt.Sprintf("the run had stopped early, at step %d: nothing left to train", t.step))
		}
	}
	return err
}

// readState reads what save kept, and refuses what is not of this run.
func (t *Trainer) readState(data []byte) (s runState, err error) {
	if err := json.Unmarshal(data, &s); err != nil {
		return s, err
	}
	if !s.fits(len(t.tasks), t.cfg) || !t.sampler.seekable(s.Sampler) {
		return s, fmt.Errorf("%d tasks, sampler at %+v", len(s.Sampled), s.Sampler)
	}
	return s, nil
}

// Evaluate returns the model's predictions for the dev examples of task i. The error is
// the context's.
func (t *Trainer) Evaluate(ctx context.Context, i int) (texts []task.Example, p metrics.Predictions, err error) {
	p, err = t.predict(ctx, i, t.dev[i])
	return t.dev[i].texts, p, err
}

// predict returns the predictions for examples of task i.
func (t *Trainer) predict(ctx context.Context, i int, dev devSet) (metrics.Predictions, error) {
	predictions, err := t.model.predict(ctx, t.tasks, dev.encoded, dev.texts, t.cfg.TokensPerBatch, t.model.generation(t.longest(i)))
	return answers(t.tasks[i].Family, predictions), err
}

// longest returns the tokens of the longest text that task i has the model write in training.
func (t *Trainer) longest(i int) (n int) {
	for _, e := range t.train {
		if e.task == i {
			n = max(n, len(e.labels))
		}
	}
	return n
}
