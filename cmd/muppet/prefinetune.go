package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/prefinetune"
	"github.com/muppet-go/muppet/prefinetune/catalog"
	"github.com/muppet-go/muppet/prefinetune/suite"
	"github.com/muppet-go/muppet/prefinetune/task"
	"github.com/muppet-go/muppet/transformer"
	"github.com/muppet-go/muppet/transformer/tokenizer"
)

type prefinetuneFlags struct {
	tasks        paths
	data         string
	all          bool
	dryRun       bool
	init         string
	layers       int
	hidden       int
	vocab        int
	fewShotSeeds int
	cfg          prefinetune.Config
}

// paths is a flag that may be given several times.
type paths []string

func (p *paths) String() string { return strings.Join(*p, ",") }

func (p *paths) Set(v string) error {
	*p = append(*p, v)
	return nil
}

func parsePrefinetune(args []string, stderr io.Writer) (*prefinetuneFlags, error) {
	f := &prefinetuneFlags{}
	set := flag.NewFlagSet("muppet prefinetune", flag.ContinueOnError)
	set.SetOutput(stderr)
	set.Var(&f.tasks, "tasks", "task `file` or folder of task files; may be repeated (default: embedded tasks, or, with -data, the catalog)")
	set.StringVar(&f.data, "data", "", "`folder` that the task files' paths start from")
	set.BoolVar(&f.all, "all", false, "train also on tasks that are left out of the default mix")
	set.BoolVar(&f.dryRun, "dry-run", false, "read everything, show what would be trained on, and stop")
	set.StringVar(&f.cfg.Out, "out", "", "`folder` for checkpoints, metrics, model and report (default runs/embedded without -data, runs/tasks with it)")
	set.StringVar(&f.init, "init", "", "start from the encoder and tokenizer in this Hugging Face `folder` (default: fresh ones)")
	set.IntVar(&f.layers, "layers", 0, "layers of a fresh encoder (default 2 embedded, 4 with -data)")
	set.IntVar(&f.hidden, "hidden", 0, "hidden size of a fresh encoder (default 128 embedded, 256 with -data)")
	set.IntVar(&f.vocab, "vocab", 0, "tokens of a fresh tokenizer (default 800 embedded, 8000 with -data)")
	set.IntVar(&f.cfg.Steps, "steps", 0, "updates (default 600 embedded, 1000 with -data)")
	set.IntVar(&f.cfg.TokensPerBatch, "tokens", 0, "upper bound on the tokens of a batch (default 2048 embedded, 4096 with -data)")
	set.IntVar(&f.cfg.MaxLength, "max-length", 0, "tokens of a sequence, longer texts are cut (default 128 embedded, 256 with -data)")
	set.Float64Var(&f.cfg.LR, "lr", 0, "peak learning rate (default 1e-3 for a fresh encoder, 1e-5 with -init)")
	set.IntVar(&f.cfg.WarmUp, "warm-up", 0, "warm-up steps (default 6 % of the steps)")
	set.Float64Var(&f.cfg.WeightDecay, "weight-decay", 0, "decoupled weight decay (default 0.01)")
	set.IntVar(&f.cfg.CheckpointEvery, "checkpoint-every", 0, "steps between checkpoints (default a tenth of the run, at least 50)")
	set.IntVar(&f.fewShotSeeds, "few-shot-seeds", 5, "seeds of the few-shot comparison at the end of the embedded run")
	seed := set.Uint64("seed", 1, "decides initial weights, order of the examples and dropout")
	if err := set.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil, err
		}
		return nil, errUsage
	}
	if set.NArg() > 0 {
		return nil, fmt.Errorf("prefinetune: unexpected argument %q", set.Arg(0))
	}
	f.cfg.Seed = *seed
	f.fill()
	return f, nil
}

// embedded reports whether the run is on the tasks that come with the program.
func (f *prefinetuneFlags) embedded() bool { return f.data == "" && len(f.tasks) == 0 }

// fill sets what the flags left open.
func (f *prefinetuneFlags) fill() {
	pick := func(v *int, embedded, real int) {
		if *v == 0 {
			*v = real
			if f.embedded() {
				*v = embedded
			}
		}
	}
	pick(&f.layers, 2, 4)
	pick(&f.hidden, 128, 256)
	pick(&f.vocab, 800, 8000)
	pick(&f.cfg.Steps, 600, 1000)
	pick(&f.cfg.TokensPerBatch, 2048, 4096)
	pick(&f.cfg.MaxLength, 128, 256)
	if f.cfg.LR == 0 {
		f.cfg.LR = 1e-3
		if f.init != "" {
			f.cfg.LR = 1e-5
		}
	}
	if f.cfg.Out == "" {
		f.cfg.Out = filepath.Join("runs", "tasks")
		if f.embedded() {
			f.cfg.Out = filepath.Join("runs", "embedded")
		}
	}
}

func prefinetuneCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	f, err := parsePrefinetune(args, stderr)
	if err != nil {
		return err
	}
	tasks, err := f.load(stdout)
	if err != nil {
		return err
	}
	encoder, tok, err := f.encoder(tasks, stdout)
	if err != nil {
		return err
	}
	show := newProgress(stdout)
	f.cfg.Progress = show.step
	f.cfg.Warn = show.line
	trainer, err := prefinetune.New(encoder, tok, tasks, f.cfg)
	if err != nil {
		return err
	}
	printCounts(stdout, trainer.Counts(), f.cfg, f.dryRun)
	if f.dryRun {
		return nil
	}
	var plain prefinetune.Start
	if f.embedded() {
		plain = prefinetune.Start{Name: "plain", Encoder: prefinetune.CopyEncoder(encoder)}
	}
	result, err := trainer.Run(ctx)
	show.end()
	if err != nil {
		return err
	}
	printScores(stdout, result)
	if f.embedded() && f.fewShotSeeds > 0 {
		starts := []prefinetune.Start{plain, {Name: "pre-finetuned", Encoder: encoder}}
		if err := f.fewShot(ctx, starts, tok, result, stdout); err != nil {
			return err
		}
	}
	fmt.Fprintln(stdout, "\nWritten:")
	for _, p := range result.Paths {
		fmt.Fprintln(stdout, " ", p)
	}
	return nil
}

// load returns the tasks to train on, with a word on those left out.
func (f *prefinetuneFlags) load(w io.Writer) ([]*task.Task, error) {
	if f.embedded() {
		return suite.Tasks(f.cfg.Seed), nil
	}
	var all []*task.Task
	var err error
	if len(f.tasks) == 0 {
		all, err = task.LoadFS(catalog.FS, f.data)
	} else {
		all, err = task.Load(f.data, f.tasks...)
	}
	if err != nil {
		return nil, err
	}
	var tasks []*task.Task
	for _, t := range all {
		switch {
		case t.Family == task.Summarisation:
			fmt.Fprintf(w, "left out: %s (summarisation needs an encoder-decoder)\n", t.Name)
		case !t.Default && !f.all:
			fmt.Fprintf(w, "left out: %s (%s; -all includes it)\n", t.Name, t.Why)
		default:
			tasks = append(tasks, t)
		}
	}
	return tasks, nil
}

// encoder returns the encoder to start from with its tokenizer.
func (f *prefinetuneFlags) encoder(tasks []*task.Task, w io.Writer) (*transformer.Encoder, *tokenizer.Tokenizer, error) {
	if f.init != "" {
		return transformer.Load(f.init)
	}
	texts, err := f.corpus(tasks)
	if err != nil {
		return nil, nil, err
	}
	tok, err := tokenizer.Train(func(yield func(string) bool) {
		for _, t := range texts {
			if !yield(t) {
				return
			}
		}
	}, tokenizer.TrainConfig{VocabSize: f.vocab})
	if err != nil {
		return nil, nil, err
	}
	c := transformer.NewConfig(tok.VocabSize(), f.layers, f.hidden)
	c.PadTokenID, c.BOSTokenID, c.EOSTokenID = int(tok.Pad()), int(tok.BOS()), int(tok.EOS())
	c.MaxPositionEmbeddings = f.cfg.MaxLength + c.PadTokenID + 1
	if err := c.Validate(); err != nil {
		return nil, nil, fmt.Errorf("prefinetune: %w", err)
	}
	fmt.Fprintf(w, "fresh encoder: %d layers of %d, vocabulary of %d tokens trained on the tasks' texts\n", f.layers, f.hidden, tok.VocabSize())
	return transformer.NewEncoder(c, autograd.NewKey(f.cfg.Seed).Fold("encoder")), tok, nil
}

// corpus returns the texts that a fresh tokenizer is trained on: those of the training
// examples.
func (f *prefinetuneFlags) corpus(tasks []*task.Task) ([]string, error) {
	if f.embedded() {
		return suite.Corpus(f.cfg.Seed), nil
	}
	var texts []string
	for _, t := range tasks {
		examples, err := t.Read("train")
		if err != nil {
			return nil, err
		}
		last := ""
		for _, e := range examples {
			long := e.Context + e.Passage // many examples may share one
			if long == last {
				long = ""
			} else {
				last = long
			}
			for _, s := range append([]string{e.Text, e.Text2, e.Question, long}, e.Choices...) {
				if s != "" {
					texts = append(texts, s)
				}
			}
		}
	}
	return texts, nil
}

// fewShot compares the starts on the held-out task and adds the outcome to the report.
func (f *prefinetuneFlags) fewShot(ctx context.Context, starts []prefinetune.Start, tok *tokenizer.Tokenizer, r *prefinetune.Result, w io.Writer) error {
	held := suite.HeldOut(f.cfg.Seed)
	seeds := make([]uint64, f.fewShotSeeds)
	for i := range seeds {
		seeds[i] = uint64(i + 1)
	}
	train, err := held.Read("train")
	if err != nil {
		return err
	}
	dev, err := held.Read("dev")
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "\nFew-shot fine-tuning on %s, a task it has not seen: %d training examples, %d dev, %d seeds\n", held.Name, len(train), len(dev), len(seeds))
	cfg := prefinetune.Config{Steps: 60, TokensPerBatch: 512, MaxLength: f.cfg.MaxLength, LR: 5e-4}
	scores, err := prefinetune.FewShot(ctx, starts, tok, held, cfg, seeds)
	if err != nil {
		return err
	}
	mean, spread := map[string]float64{}, map[string]float64{}
	for _, s := range scores {
		mean[s.Start] += s.Score / float64(len(seeds))
	}
	for _, s := range scores {
		spread[s.Start] += (s.Score - mean[s.Start]) * (s.Score - mean[s.Start])
	}
	for _, s := range starts {
		spread[s.Name] = math.Sqrt(spread[s.Name] / float64(max(1, len(seeds)-1)))
		fmt.Fprintf(w, "  from the %-14s start: %s %.3f ± %.3f (standard deviation over seeds)\n", s.Name, held.Metric, mean[s.Name], spread[s.Name])
	}
	gain := mean[starts[1].Name] - mean[starts[0].Name]
	verdict := fmt.Sprintf("The pre-finetuned start is better by %.3f on %s.", gain, held.Name)
	switch noise := math.Hypot(spread[starts[0].Name], spread[starts[1].Name]); {
	case math.Abs(gain) <= noise:
		verdict = fmt.Sprintf("The two starts differ by %+.3f on %s, which is within the spread over seeds.", gain, held.Name)
	case gain < 0:
		verdict = fmt.Sprintf("The plain start is better by %.3f on %s.", -gain, held.Name)
	}
	fmt.Fprintln(w, verdict)
	r.Report.FewShot = scores
	r.Report.Summary = append(r.Report.Summary, verdict)
	return prefinetune.WriteReport(filepath.Join(f.cfg.Out, "report.html"), r.Report)
}

// isTerminal reports whether w is a terminal, where a progress line may be redrawn.
func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && terminal(int(file.Fd()))
}
