package prefinetune

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/nn"
	"github.com/muppet-go/muppet/ops"
	"github.com/muppet-go/muppet/optim"
	"github.com/muppet-go/muppet/prefinetune/report"
	"github.com/muppet-go/muppet/transformer"
)

// PretrainConfig has the settings of Pretrain. The zero value of a field means its default.
type PretrainConfig struct {
	Steps          int     `json:"steps"`            // updates; default 1000
	TokensPerBatch int     `json:"tokens_per_batch"` // of the texts, upper bound; default 4096
	Accumulate     int     `json:"accumulate"`       // batches whose gradients make one update; default 1
	MaxLength      int     `json:"max_length"`       // tokens of a sequence; default: what the model has positions for, up to 512
	LR             float64 `json:"lr"`               // peak learning rate; default 5e-4
	WarmUp         int     `json:"warm_up"`          // steps; default 6 % of Steps; negative for none
	WeightDecay    float64 `json:"weight_decay"`     // default 0.01; negative for none
	ClipNorm       float64 `json:"clip_norm"`        // default 1; negative for none
	Seed           uint64  `json:"seed"`

	// Documents ends a sequence with its text, however short. By default texts follow one
	// another, with </s> between them, and are cut into sequences of MaxLength tokens
	// (RoBERTa's FULL-SENTENCES; the other is its DOC-SENTENCES). For texts of a sentence that
	// have nothing to do with each other the difference is large: after 1000 steps on the
	// embedded world the perplexity is 3 with Documents and 100 without (muppet pretrain
	// -documents=false).
	Documents bool `json:"documents"`

	Masked float64 `json:"masked"` // share of the tokens to be predicted; default 0.15, BART 0.3
	Span   float64 `json:"span"`   // BART: mean length of a masked span in tokens; default 3

	// HeldOut is the share of the texts, by tokens, that the model is not trained on but
	// measured by; default 0.05, though no more than 100 000 tokens; negative for none.
	HeldOut float64 `json:"held_out"`

	Out             string         `json:"-"` // folder of checkpoints, metrics and model; empty to keep nothing
	CheckpointEvery int            `json:"-"` // steps; default a tenth of Steps, at least 50
	KeepLast        int            `json:"-"` // checkpoints; default 2
	TensorBoard     bool           `json:"-"` // also write event files for TensorBoard
	Progress        func(Progress) `json:"-"` // told about every step
	Warn            func(string)   `json:"-"` // told what a person should know
}

// PretrainResult is what pre-training came to.
type PretrainResult struct {
	Model     *transformer.Model // with its language-model head
	Steps     int
	Elapsed   time.Duration // of this call
	Sequences int           // that were trained on
	Tokens    int           // of these
	HeldOut   int           // tokens of the held-out texts that are predicted; 0 if there are none

	// Perplexity is exp of the mean cross entropy of those tokens, and Before what it was at
	// the start; NaN without held-out texts. That of a masked-language model counts the
	// chosen tokens alone, BART's all tokens of the text.
	Perplexity, Before float64

	Loss  report.Curve // of all steps; empty without an Out folder
	Paths []string     // what was written
}

// Pretrain trains a model on plain texts to restore what is taken from them.
//
// A RoBERTa or BERT learns masked-language modelling: 15 % of the tokens are chosen anew
// each time (Liu et al., arXiv 1907.11692), of which 80 % become <mask>, 10 % another token
// and 10 % stay; the model is asked for the chosen ones, and only these go through the
// product with the vocabulary. It uses the model's MaskedLM head, or gives it one.
//
// A BART learns text infilling (Lewis et al., arXiv 1910.13461): spans whose lengths are
// from a Poisson distribution of mean 3 and that hold 30 % of the tokens become one <mask>
// each, one of length 0 an additional <mask>, and the decoder writes the whole text. The
// paper's last model also has its sentences permuted; this one has not.
//
// The weights of m change in place. The loss of an update is the mean over its predicted
// tokens. With an Out folder the same call goes on from the last checkpoint, to the same
// bits, and writes the model as a Hugging Face folder. If ctx ends Pretrain returns an
// error that wraps ErrInterrupted.
func Pretrain(ctx context.Context, m *transformer.Model, texts []string, cfg PretrainConfig) (*PretrainResult, error) {
	p, err := newPretrainer(m, texts, cfg)
	if err != nil {
		return nil, err
	}
	return p.run(ctx)
}

// defaults checks a configuration for a model and returns it with nothing left open.
func (c PretrainConfig) defaults(m transformer.Config) (PretrainConfig, error) {
	common := Config{
		Steps: c.Steps, TokensPerBatch: c.TokensPerBatch, Accumulate: c.Accumulate, MaxLength: c.MaxLength, LR: c.LR, WarmUp: c.WarmUp,
		WeightDecay: c.WeightDecay, ClipNorm: c.ClipNorm, CheckpointEvery: c.CheckpointEvery, KeepLast: c.KeepLast, Progress: c.Progress, Warn: c.Warn,
	}
	if err := common.validate(nil); err != nil {
		return c, err
	}
	common = common.withDefaults()
	c.Steps, c.TokensPerBatch, c.Accumulate, c.LR, c.WarmUp = common.Steps, common.TokensPerBatch, common.Accumulate, common.LR, common.WarmUp
	c.WeightDecay, c.ClipNorm, c.CheckpointEvery, c.KeepLast, c.Progress, c.Warn = common.WeightDecay, common.ClipNorm, common.CheckpointEvery, common.KeepLast, common.Progress, common.Warn
	if c.MaxLength == 0 {
		c.MaxLength = min(m.MaxLength(), 512, c.TokensPerBatch)
	}
	if most := min(m.MaxLength(), c.TokensPerBatch); c.MaxLength < 8 || c.MaxLength > most {
		return c, fmt.Errorf("prefinetune: sequences of at most %d tokens; want 8 to %d, what the model has positions for and a batch has room for", c.MaxLength, most)
	}
	for _, x := range []struct {
		name              string
		value             *float64
		usual, least, top float64
	}{
		{"Masked", &c.Masked, map[bool]float64{false: 0.15, true: 0.3}[m.ModelType == "bart"], 0.001, 0.9},
		{"Span", &c.Span, 3, 1, 100},
		{"HeldOut", &c.HeldOut, 0.05, -1, 0.9},
	} {
		if *x.value == 0 {
			*x.value = x.usual
		}
		if !(*x.value >= x.least && *x.value <= x.top) {
			return c, fmt.Errorf("prefinetune: %s is %g; want %g to %g", x.name, *x.value, x.least, x.top)
		}
	}
	return c, nil
}

// A pretrainer is a run of Pretrain.
type pretrainer struct {
	cfg     PretrainConfig
	model   *transformer.Model
	noise   noiser
	train   []*example
	heldOut []*example
	opt     *optim.Optimizer
	lr      optim.PolynomialDecay
	sampler *sampler
	ahead   *ahead[[]*noised]
	key     device.Key
	scope   *autograd.Scope
	grads   *autograd.Gradients
	folder  *folder // nil without an Out folder

	step   int
	before float64
}

// pretrainLine is a line of metrics.jsonl.
type pretrainLine struct {
	Step            int     `json:"step"`
	Loss            float64 `json:"loss"` // mean over the predicted tokens
	LR              float64 `json:"lr"`
	GradNorm        float64 `json:"grad_norm"` // before clipping
	Tokens          int     `json:"tokens"`    // of the texts
	Predicted       int     `json:"predicted"` // tokens the model was asked for
	TokensPerSecond float64 `json:"tokens_per_second"`
}

func newPretrainer(m *transformer.Model, texts []string, cfg PretrainConfig) (*pretrainer, error) {
	cfg, err := cfg.defaults(m.Config)
	if err != nil {
		return nil, err
	}
	p := &pretrainer{
		cfg: cfg, key: autograd.NewKey(cfg.Seed), scope: autograd.NewScope(), grads: autograd.NewGradients(),
		lr: optim.PolynomialDecay{Peak: cfg.LR, WarmUp: cfg.WarmUp, Total: cfg.Steps + 1}, before: math.NaN(),
	}
	if p.noise, err = newNoiser(m, cfg); err != nil {
		return nil, err
	}
	if p.train, p.heldOut, err = sequences(m.Tokenizer, texts, cfg, p.key.Fold("held out")); err != nil {
		return nil, err
	}
	p.model = languageModel(m, p.key.Fold("head"))
	p.sampler = newSampler(p.train, 1, nil, Config{Batches: heterogeneous, TokensPerBatch: cfg.TokensPerBatch, Accumulate: cfg.Accumulate}, p.key.Fold("order"))
	p.ahead = newAhead(p.sampler, func(step int, examples [][]*example) (batches []*noised) {
		for i, picked := range examples {
			batches = append(batches, p.noise.noised(picked, p.key.Fold("noise").FoldInt(step).FoldInt(i)))
		}
		return batches
	})
	p.opt = optim.NewAdamW(nn.Parameters(p.model), optim.AdamWConfig{Beta1: 0.9, Beta2: 0.98, Eps: 1e-6, EpsHat: true, WeightDecay: cfg.WeightDecay})
	p.opt.ClipNorm = cfg.ClipNorm
	return p, nil
}

// languageModel returns m with the head that predicts tokens.
func languageModel(m *transformer.Model, key device.Key) *transformer.Model {
	switch {
	case m.MaskedLM != nil || m.LM != nil:
		return m
	case m.Bart != nil:
		lm := transformer.NewBartModel(m.Bart, transformer.ConditionalGeneration, key)
		lm.Tokenizer = m.Tokenizer
		return lm
	}
	lm := transformer.NewModel(m.Encoder, transformer.MaskedLM, key)
	lm.Tokenizer = m.Tokenizer
	return lm
}

func (p *pretrainer) run(ctx context.Context) (*PretrainResult, error) {
	if p.cfg.Out != "" {
		if err := p.open(); err != nil {
			return nil, err
		}
		defer p.folder.close()
	}
	if p.step == 0 {
		p.before = p.perplexity()
	}
	defer p.ahead.rest()
	began, tokens, first := time.Now(), 0, p.step
	for p.step < p.cfg.Steps {
		if ctx.Err() != nil {
			return nil, p.folder.interrupted(p.step, p.save)
		}
		line, err := p.trainStep()
		if err != nil {
			return nil, err
		}
		tokens += line.Tokens
		elapsed := time.Since(began)
		line.TokensPerSecond = math.Round(float64(tokens) / elapsed.Seconds())
		if err := p.folder.record(p.step, line); err != nil {
			return nil, err
		}
		p.cfg.Progress(Progress{
			Step: p.step, Steps: p.cfg.Steps, Loss: line.Loss, LR: line.LR, GradNorm: line.GradNorm, TokensPerSecond: line.TokensPerSecond,
			Remaining: elapsed / time.Duration(p.step-first) * time.Duration(p.cfg.Steps-p.step),
		})
		if err := p.folder.after(p.step, p.step == p.cfg.Steps, p.save); err != nil {
			return nil, err
		}
	}
	r := &PretrainResult{
		Model: p.model, Steps: p.step, Elapsed: time.Since(began), Sequences: len(p.train),
		Before: p.before, Perplexity: p.perplexity(),
	}
	for _, e := range p.train {
		r.Tokens += e.tokens()
	}
	for _, b := range p.heldOutBatches() {
		r.HeldOut += len(b.targets)
	}
	if p.cfg.Out == "" {
		return r, nil
	}
	if err := p.curve(&r.Loss); err != nil {
		return nil, fmt.Errorf("prefinetune: %w", err)
	}
	model := filepath.Join(p.cfg.Out, "model")
	if err := p.model.Save(model); err != nil {
		return nil, err
	}
	r.Paths = []string{filepath.Join(p.cfg.Out, "metrics.jsonl"), filepath.Join(p.cfg.Out, checkpointsDir), model}
	return r, nil
}

// curve reads the losses from metrics.jsonl, which, unlike memory, has the steps of before a
// resume.
func (p *pretrainer) curve(c *report.Curve) error {
	f, err := os.Open(filepath.Join(p.cfg.Out, "metrics.jsonl"))
	if err != nil {
		return err
	}
	defer f.Close()
	lines := json.NewDecoder(f)
	for {
		var l pretrainLine
		if err := lines.Decode(&l); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("%s: %w", f.Name(), err)
		}
		c.Steps, c.Values = append(c.Steps, l.Step), append(c.Values, l.Loss)
	}
}

// trainStep makes one update.
func (p *pretrainer) trainStep() (*pretrainLine, error) {
	p.step++
	line := &pretrainLine{Step: p.step, LR: p.lr.At(p.step)}
	batches := p.ahead.next(p.step, p.step == p.cfg.Steps)
	for _, b := range batches {
		line.Tokens += b.tokens
		line.Predicted += len(b.targets)
	}
	err := autograd.Try(func() {
		for i, b := range batches {
			dropout := p.key.Fold("dropout").FoldInt(p.step).FoldInt(i)
			loss := ops.Scale(ops.Sum(b.losses(p.scope, p.model, &dropout)), 1/float64(line.Predicted))
			autograd.Backward(loss, p.grads)
			line.Loss += loss.Item()
			p.scope.Reset()
		}
		p.opt.LR = line.LR
		line.GradNorm = p.opt.Step(p.grads)
	})
	if err != nil {
		return nil, fmt.Errorf("prefinetune: step %d: %w", p.step, err)
	}
	if sum := line.Loss + line.GradNorm; math.IsNaN(sum) || math.IsInf(sum, 0) {
		return nil, fmt.Errorf("prefinetune: step %d: loss %g, norm of the gradient %g: the run has diverged; a lower learning rate than %g may help",
			p.step, line.Loss, line.GradNorm, p.cfg.LR)
	}
	return line, nil
}

// heldOutBatches returns the held-out texts, always with the same noise.
func (p *pretrainer) heldOutBatches() (batches []*noised) {
	for from, used := 0, 0; from < len(p.heldOut); used = 0 {
		to := from
		for to < len(p.heldOut) && (to == from || used+p.heldOut[to].tokens() <= p.cfg.TokensPerBatch) {
			used += p.heldOut[to].tokens()
			to++
		}
		batches = append(batches, p.noise.noised(p.heldOut[from:to], autograd.NewKey(0).Fold("held out").FoldInt(len(batches))))
		from = to
	}
	return batches
}

// perplexity measures the model on the held-out texts.
func (p *pretrainer) perplexity() float64 {
	scope := autograd.NewScope().NoGrad()
	sum, n := 0.0, 0
	for _, b := range p.heldOutBatches() {
		for _, v := range b.losses(scope, p.model, nil).Float32s() {
			sum += float64(v)
			n++
		}
		scope.Reset()
	}
	return math.Exp(sum / float64(n)) // NaN of none
}
