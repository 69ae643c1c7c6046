package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"time"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/prefinetune"
	"github.com/muppet-go/muppet/prefinetune/suite"
	"github.com/muppet-go/muppet/transformer"
	"github.com/muppet-go/muppet/transformer/tokenizer"
)

const pretrainUsage = `usage: muppet pretrain [flags] [FILE...]

Trains a RoBERTa to restore tokens that are masked in plain text, or a BART to write texts
of which spans are masked. FILE is a text file in UTF-8, or a folder with .txt files; without
any it is the text of the small world that comes with the program. What is read is kept in
memory, four bytes a token. A twentieth of the texts, no more than 100000 tokens, is held out:
the perplexity on it is shown.

  muppet pretrain -out runs/language                         the embedded world
  muppet pretrain -layers 4 -hidden 256 -out DIR corpus      a fresh model, of all .txt files below corpus
  muppet pretrain -init MODEL -out DIR corpus                a model goes on learning

DIR/model is a folder in Hugging Face's layout, to be pre-finetuned with
muppet prefinetune -init DIR/model. Ctrl-C writes a checkpoint; the same command resumes.
Where a default depends on the texts, the first is for the embedded ones.

`

type pretrainFlags struct {
	listen                string
	cfg                   prefinetune.PretrainConfig
	kind, init, tokenizer string
	split                 string
	layers, hidden, vocab int
	dropout               float64
	embedded              bool
}

func parsePretrain(args []string, stdout io.Writer) (f *pretrainFlags, files []string, err error) {
	f = &pretrainFlags{}
	set := flag.NewFlagSet("muppet pretrain", flag.ContinueOnError)
	set.StringVar(&f.cfg.Out, "out", filepath.Join("runs", "pretrain"), "`folder` for checkpoints, metrics and model")
	f.split = "paragraph"
	set.Var(&choice{&f.split, []string{"line", "paragraph", "file"}}, "split", "what a text is: a line, the lines between blank ones, a file: `one` of line, paragraph, file")
	set.StringVar(&f.init, "init", "", "start from the model in this Hugging Face `folder` (default: a fresh one)")
	f.kind = "roberta"
	set.Var(&choice{&f.kind, []string{"roberta", "bart"}}, "type", "what a fresh model is: `one` of roberta, bart")
	set.StringVar(&f.tokenizer, "tokenizer", "", "of a fresh model: take the tokenizer in this `folder` (default: one trained on the texts)")
	set.IntVar(&f.layers, "layers", 2, "layers of a fresh model, in encoder and decoder each")
	set.IntVar(&f.hidden, "hidden", 0, "hidden size of a fresh model (default 96, 128)")
	set.IntVar(&f.vocab, "vocab", 0, "tokens of a fresh tokenizer (default 800, 8000)")
	set.Float64Var(&f.dropout, "dropout", 0, "probability of dropout in a fresh model (default 0, 0.1)")
	set.IntVar(&f.cfg.Steps, "steps", 1000, "updates of the weights")
	set.IntVar(&f.cfg.TokensPerBatch, "tokens", 0, "upper bound on the `tokens` of a batch (default 1024, 4096)")
	set.IntVar(&f.cfg.Accumulate, "accumulate", 1, "batches whose gradients make one update")
	set.IntVar(&f.cfg.MaxLength, "max-length", 0, "`tokens` of a sequence (default 128, or 512; never more than the model has positions for)")
	set.BoolVar(&f.cfg.Documents, "documents", false, "end a sequence with its text, instead of filling it up with the texts that follow (default true for the embedded texts, which are sentences)")
	set.Float64Var(&f.cfg.Masked, "masked", 0, "`share` of the tokens that are masked (default 0.15, of BART 0.3)")
	set.Float64Var(&f.cfg.Span, "span", 3, "BART: mean length of a masked span in `tokens`")
	set.Float64Var(&f.cfg.HeldOut, "held-out", 0.05, "`share` of the texts to measure by; 0 for none")
	set.Float64Var(&f.cfg.LR, "lr", 0, "peak learning rate (default 2e-3, 5e-4, or 1e-4 with -init)")
	set.IntVar(&f.cfg.WarmUp, "warm-up", 0, "warm-up steps (default 6 % of the steps)")
	set.Float64Var(&f.cfg.WeightDecay, "weight-decay", 0.01, "decoupled weight decay")
	folderFlags(set, &f.cfg.CheckpointEvery, &f.cfg.KeepLast, &f.cfg.TensorBoard, &f.listen)
	set.Uint64Var(&f.cfg.Seed, "seed", 1, "decides initial weights, masks, order and dropout")
	if done, err := parse(set, pretrainUsage, args, math.MaxInt, stdout); done || err != nil {
		return nil, nil, err
	}
	f.embedded = set.NArg() == 0
	given := map[string]bool{}
	set.Visit(func(g *flag.Flag) { given[g.Name] = true })
	if err := f.check(given); err != nil {
		return nil, nil, fmt.Errorf("pretrain: %w\n%w", err, errUsage)
	}
	f.fill(given)
	return f, set.Args(), nil
}

func (f *pretrainFlags) check(given map[string]bool) error {
	for _, n := range []struct {
		name               string
		value, least, most int
	}{
		{"layers", f.layers, 1, 1000}, {"hidden", f.hidden, 1, 1 << 14}, {"vocab", f.vocab, 1, 1 << 20}, {"steps", f.cfg.Steps, 1, 1e9},
		{"tokens", f.cfg.TokensPerBatch, 16, 1e6}, {"accumulate", f.cfg.Accumulate, 1, 1e6}, {"max-length", f.cfg.MaxLength, 8, 1e6},
		{"warm-up", f.cfg.WarmUp, 0, 1e9}, {"checkpoint-every", f.cfg.CheckpointEvery, 1, 1e9}, {"keep-last", f.cfg.KeepLast, 1, 1e9},
	} {
		if given[n.name] && (n.value < n.least || n.value > n.most) {
			return fmt.Errorf("-%s %d: want %d to %d", n.name, n.value, n.least, n.most)
		}
	}
	for _, x := range []struct {
		name               string
		value, least, most float64
	}{
		{"dropout", f.dropout, 0, 0.99}, {"masked", f.cfg.Masked, 0.001, 0.9}, {"span", f.cfg.Span, 1, 100}, {"held-out", f.cfg.HeldOut, 0, 0.9},
		{"lr", f.cfg.LR, math.SmallestNonzeroFloat64, 1e3}, {"weight-decay", f.cfg.WeightDecay, 0, 1e3},
	} {
		if given[x.name] && !(x.value >= x.least && x.value <= x.most) { // not so for NaN
			return fmt.Errorf("-%s %g: want %g to %g", x.name, x.value, x.least, x.most)
		}
	}
	for _, name := range []string{"type", "tokenizer", "layers", "hidden", "vocab", "dropout"} {
		if f.init != "" && given[name] {
			return fmt.Errorf("-%s describes a fresh model, and -init says to use another", name)
		}
	}
	if f.tokenizer != "" && given["vocab"] {
		return fmt.Errorf("-vocab describes a fresh tokenizer, and -tokenizer says to use another")
	}
	return nil
}

// fill sets what the flags left open.
func (f *pretrainFlags) fill(given map[string]bool) {
	if given["warm-up"] && f.cfg.WarmUp == 0 {
		f.cfg.WarmUp = -1 // none; to Pretrain, zero is the default
	}
	if f.cfg.WeightDecay == 0 {
		f.cfg.WeightDecay = -1
	}
	if f.cfg.HeldOut == 0 {
		f.cfg.HeldOut = -1
	}
	pick := func(v *int, embedded, files int) {
		if *v == 0 {
			*v = files
			if f.embedded {
				*v = embedded
			}
		}
	}
	if !given["documents"] {
		f.cfg.Documents = f.embedded
	}
	pick(&f.hidden, 96, 128)
	pick(&f.vocab, 800, 8000)
	pick(&f.cfg.TokensPerBatch, 1024, 4096)
	if !given["max-length"] {
		pick(&f.cfg.MaxLength, 128, 512)
		f.cfg.MaxLength = min(f.cfg.MaxLength, f.cfg.TokensPerBatch)
	}
	if !given["dropout"] && !f.embedded {
		f.dropout = 0.1
	}
	if f.cfg.LR == 0 {
		f.cfg.LR = 5e-4
		if f.embedded {
			f.cfg.LR = 2e-3
		}
		if f.init != "" {
			f.cfg.LR = 1e-4
		}
	}
}

func pretrainCommand(ctx context.Context, args []string, stdout io.Writer) error {
	f, files, err := parsePretrain(args, stdout)
	if f == nil {
		return err
	}
	texts := suite.Corpus(f.cfg.Seed)
	if !f.embedded {
		if texts, err = prefinetune.ReadTexts(f.split, files...); err != nil {
			return err
		}
	}
	m, err := f.model(texts, stdout)
	if err != nil {
		return err
	}
	if ctx.Err() != nil {
		return fmt.Errorf("pretrain: %w before the first step", prefinetune.ErrInterrupted)
	}
	show := newProgress(stdout)
	stop, err := watch(f.listen, show)
	if err != nil {
		return err
	}
	defer stop()
	f.cfg.Progress, f.cfg.Warn = show.step, show.line
	fmt.Fprintf(stdout, "%d texts\n", len(texts))
	r, err := prefinetune.Pretrain(ctx, m, texts, f.cfg)
	show.end()
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "\n%s after %d steps (%s in this call), trained on %d sequences of %d tokens\n",
		r.Model.Architecture(), r.Steps, r.Elapsed.Round(time.Second), r.Sequences, r.Tokens)
	if r.HeldOut > 0 {
		fmt.Fprintf(stdout, "perplexity %.1f, at the start %.1f, of %d tokens in held-out texts\n", r.Perplexity, r.Before, r.HeldOut)
	}
	fmt.Fprintln(stdout, "\nWritten:")
	for _, p := range r.Paths {
		fmt.Fprintln(stdout, " ", p)
	}
	return nil
}

// model returns what is to be trained.
func (f *pretrainFlags) model(texts []string, w io.Writer) (*transformer.Model, error) {
	if f.init != "" {
		m, err := transformer.Load(f.init)
		if err != nil {
			return nil, fmt.Errorf("-init: %w", err)
		}
		if m.Tokenizer == nil {
			return nil, fmt.Errorf("-init: %s has no tokenizer: no tokenizer.json, vocab.json or vocab.txt", f.init)
		}
		f.cfg.MaxLength = min(f.cfg.MaxLength, m.Config.MaxLength())
		return m, nil
	}
	var tok *tokenizer.Tokenizer
	var err error
	if f.tokenizer != "" {
		tok, err = tokenizer.Load(f.tokenizer)
	} else {
		tok, err = tokenizer.Train(slices.Values(texts), tokenizer.TrainConfig{VocabSize: f.vocab})
	}
	if err != nil {
		return nil, fmt.Errorf("pretrain: tokenizer: %w", err)
	}
	return freshModel(fresh{f.kind, f.layers, f.hidden, f.cfg.MaxLength, f.dropout, f.cfg.Seed}, tok, w)
}

// fresh describes a model that has learnt nothing.
type fresh struct {
	kind           string // roberta or bart
	layers, hidden int
	maxLength      int
	dropout        float64
	seed           uint64
}

// freshModel returns a model for a tokenizer, with the head that predicts tokens.
func freshModel(f fresh, tok *tokenizer.Tokenizer, w io.Writer) (*transformer.Model, error) {
	const mostParameters int64 = 1 << 31
	if n := int64(f.hidden) * (28*int64(f.layers)*int64(f.hidden) + int64(tok.VocabSize())); n > mostParameters {
		return nil, fmt.Errorf("-layers %d -hidden %d: with %d tokens up to %d parameters; at most %d are allowed", f.layers, f.hidden, tok.VocabSize(), n, mostParameters)
	}
	key := autograd.NewKey(f.seed)
	c := transformer.NewConfig(tok.VocabSize(), f.layers, f.hidden)
	if f.kind == "bart" {
		c = transformer.NewBartConfig(tok.VocabSize(), f.layers, f.hidden)
	}
	c.PadTokenID, c.BOSTokenID, c.EOSTokenID = max(0, int(tok.Pad())), int(tok.BOS()), int(tok.EOS())
	c.HiddenDropout, c.AttentionDropout = f.dropout, f.dropout
	c.MaxPositionEmbeddings = f.maxLength + c.PadTokenID + 1
	if f.kind == "bart" {
		c.MaxPositionEmbeddings, c.DecoderStartTokenID = f.maxLength, c.EOSTokenID
	}
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("-layers %d -hidden %d: %w", f.layers, f.hidden, err)
	}
	var m *transformer.Model
	if f.kind == "bart" {
		m = transformer.NewBartModel(transformer.NewBart(c, key.Fold("model")), transformer.ConditionalGeneration, key.Fold("head"))
	} else {
		m = transformer.NewModel(transformer.NewEncoder(c, key.Fold("model")), transformer.MaskedLM, key.Fold("head"))
	}
	m.Tokenizer = tok
	fmt.Fprintf(w, "fresh model: %s, %s\n", sizeOf(c), tok)
	return m, nil
}
