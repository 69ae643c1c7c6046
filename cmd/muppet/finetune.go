package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"

	"github.com/muppet-go/muppet/prefinetune"
	"github.com/muppet-go/muppet/prefinetune/report"
	"github.com/muppet-go/muppet/prefinetune/task"
)

const finetuneUsage = `usage: muppet finetune -init RUN|MODEL -task TASK -out DIR [flags]

Fine-tunes a model on a task, or on several at once, and scores it on dev. It begins with
what a run of muppet prefinetune or muppet finetune left in its folder, RUN, whose heads it
keeps for tasks of the same name (ranking and reading tasks share theirs), or with MODEL.
TASK is the name of a task of the catalog, a task file, or, without -data, the name of a task
that comes with the program. The settings are those of RoBERTa on GLUE: small models and
small sets want a higher -lr and more -epochs.

  muppet finetune -init runs/embedded -task care -lr 5e-4 -epochs 30 -seeds 3 -out runs/care
  muppet finetune -init FacebookAI/roberta-base -task RTE -data DIR -out runs/rte

DIR gets what muppet prefinetune writes: model, heads, checkpoints, report. With several
seeds there is a folder of each, seed-N, and seeds.json with their scores. Ctrl-C writes a
checkpoint; the same command resumes.

` + modelUsage

type finetuneFlags struct {
	listen         string
	cfg            prefinetune.Config
	tasks          paths
	data           string
	init, revision string
	heads          string
	seeds          int
	seed           uint64
}

func parseFinetune(args []string, stdout io.Writer) (*finetuneFlags, error) {
	f := &finetuneFlags{cfg: prefinetune.FinetuneConfig(), heads: "keep"}
	usual := f.cfg
	set := flag.NewFlagSet("muppet finetune", flag.ContinueOnError)
	set.StringVar(&f.init, "init", "", "the `run` or model to begin with")
	set.StringVar(&f.revision, "revision", "", "branch, tag or `commit` of a model that is fetched (default main)")
	set.Var(&f.tasks, "task", "`name` of a task, or its file; may be repeated")
	set.StringVar(&f.data, "data", "", "`folder` that the task files' paths start from")
	set.StringVar(&f.cfg.Out, "out", "", "`folder` for checkpoints, metrics, model, heads and report")
	set.Var(&choice{&f.heads, []string{"keep", "drop"}}, "heads", "what becomes of the heads of a run: `keep` or drop")
	set.IntVar(&f.seeds, "seeds", 1, "`number` of runs, with as many seeds")
	set.Uint64Var(&f.seed, "seed", 1, "the first seed, which decides fresh heads, order of the examples and dropout")
	set.Float64Var(&f.cfg.Epochs, "epochs", usual.Epochs, "passes over the examples")
	set.IntVar(&f.cfg.Steps, "steps", 0, "updates of the weights, instead of -epochs")
	set.IntVar(&f.cfg.ExamplesPerBatch, "batch", usual.ExamplesPerBatch, "most `examples` of a batch; 0 for as many as -tokens has room for")
	set.IntVar(&f.cfg.TokensPerBatch, "tokens", usual.TokensPerBatch, "most `tokens` of a batch")
	set.IntVar(&f.cfg.Accumulate, "accumulate", 1, "batches whose gradients make one update")
	set.IntVar(&f.cfg.MaxLength, "max-length", usual.MaxLength, "`tokens` of a sequence, longer texts are cut; never more than the model has positions for")
	set.Float64Var(&f.cfg.LR, "lr", usual.LR, "peak learning rate")
	set.IntVar(&f.cfg.WarmUp, "warm-up", 0, "warm-up steps (default 6 % of the steps)")
	set.Float64Var(&f.cfg.WeightDecay, "weight-decay", usual.WeightDecay, "decoupled weight decay")
	set.Float64Var(&f.cfg.ClipNorm, "clip", 0, "scale gradients down to this `norm`; 0 for never")
	set.Float64Var(&f.cfg.R3F.Lambda, "r3f", 0, "weight λ of R3F's divergence between passes with and without noise; 0: no R3F")
	set.BoolVar(&f.cfg.R3F.SpectralNorm, "r4f", false, "normalise the last layer of every head by its largest singular value")
	last := set.Bool("last", false, "keep the last weights, not the best on dev")
	set.IntVar(&f.cfg.Patience, "patience", 0, "stop after so many `epochs` that were not the best; 0 for never")
	folderFlags(set, &f.cfg.CheckpointEvery, &f.cfg.KeepLast, &f.cfg.TensorBoard, &f.listen)
	if done, err := parse(set, finetuneUsage, args, 0, stdout); done || err != nil {
		return nil, err
	}
	given := map[string]bool{}
	set.Visit(func(g *flag.Flag) { given[g.Name] = true })
	f.cfg.KeepBest = !*last
	if given["steps"] && !given["epochs"] {
		f.cfg.Epochs = 0
	}
	if err := f.check(given); err != nil {
		return nil, fmt.Errorf("finetune: %w\n%w", err, errUsage)
	}
	if given["warm-up"] && f.cfg.WarmUp == 0 {
		f.cfg.WarmUp = -1 // none; to the trainer, zero is the default
	}
	for _, v := range []*float64{&f.cfg.WeightDecay, &f.cfg.ClipNorm} {
		if *v == 0 {
			*v = -1
		}
	}
	return f, nil
}

func (f *finetuneFlags) check(given map[string]bool) error {
	switch {
	case f.init == "":
		return fmt.Errorf("from which model? -init says so")
	case len(f.tasks) == 0:
		return fmt.Errorf("on which task? -task says so")
	case f.cfg.Out == "":
		return fmt.Errorf("where to? -out says so")
	case given["steps"] && given["epochs"]:
		return fmt.Errorf("-steps and -epochs both say how long")
	case f.cfg.Patience > 0 && !f.cfg.KeepBest:
		return fmt.Errorf("-patience waits for better weights, and -last does not keep them")
	}
	for _, n := range []struct {
		name               string
		value, least, most int
	}{
		{"seeds", f.seeds, 1, 1000}, {"batch", f.cfg.ExamplesPerBatch, 0, 1e6}, {"tokens", f.cfg.TokensPerBatch, 16, 1e6}, {"accumulate", f.cfg.Accumulate, 1, 1e6},
		{"max-length", f.cfg.MaxLength, 16, 1e6}, {"warm-up", f.cfg.WarmUp, 0, 1e9}, {"patience", f.cfg.Patience, 0, 1e6},
	} {
		if n.value < n.least || n.value > n.most {
			return fmt.Errorf("-%s %d: want %d to %d", n.name, n.value, n.least, n.most)
		}
	}
	for _, n := range []struct {
		name  string
		value int
	}{{"steps", f.cfg.Steps}, {"checkpoint-every", f.cfg.CheckpointEvery}, {"keep-last", f.cfg.KeepLast}} {
		if given[n.name] && (n.value < 1 || n.value > 1e9) {
			return fmt.Errorf("-%s %d: want 1 to %d", n.name, n.value, int(1e9))
		}
	}
	for _, x := range []struct {
		name        string
		value       float64
		least, most float64
	}{
		{"epochs", f.cfg.Epochs, 0.001, 1e6}, {"lr", f.cfg.LR, 1e-12, 1e3}, {"weight-decay", f.cfg.WeightDecay, 0, 1e3},
		{"clip", f.cfg.ClipNorm, 0, 1e9}, {"r3f", f.cfg.R3F.Lambda, 0, 1e6},
	} {
		if !(x.value >= x.least && x.value <= x.most) && !(x.name == "epochs" && f.cfg.Epochs == 0 && given["steps"]) { // not so for NaN
			return fmt.Errorf("-%s %g: want %g to %g", x.name, x.value, x.least, x.most)
		}
	}
	return nil
}

func finetuneCommand(ctx context.Context, args []string, std stdio) error {
	f, err := parseFinetune(args, std.out)
	if f == nil {
		return err
	}
	tasks, err := tasksFor(f.tasks, f.data)
	if err != nil {
		return fmt.Errorf("finetune: %w", err)
	}
	dir := f.init
	if !isRun(dir) {
		if dir, err = findModel(ctx, dir, f.revision, std.err); err != nil {
			return fmt.Errorf("finetune: -init: %w", err)
		}
	}
	m, heads, err := startFrom(dir, f.heads == "keep", tasks)
	if err != nil {
		return fmt.Errorf("finetune: -init: %w", err)
	}
	f.cfg.MaxLength = min(f.cfg.MaxLength, m.Config.MaxLength(), f.cfg.TokensPerBatch)
	show := newProgress(std.out)
	stop, err := watch(f.listen, show)
	if err != nil {
		return err
	}
	defer stop()
	f.cfg.Progress, f.cfg.Warn = show.step, show.line
	seeds := make([]uint64, f.seeds)
	for i := range seeds {
		seeds[i] = f.seed + uint64(i)
	}
	fmt.Fprintf(std.out, "from %s: %s, %s\n", f.init, m.Architecture(), sizeOf(m.Config))
	results, err := prefinetune.Finetune(ctx, m, heads, tasks, f.cfg, seeds, func(t *prefinetune.Trainer, seed uint64, kept []string) {
		show.end()
		fmt.Fprintf(std.out, "\nseed %d; heads kept: %s\n", seed, listed(kept))
		for _, c := range t.Counts() {
			fmt.Fprintf(std.out, "%s: %d training examples, %d dev\n", c.Task.Name, c.Train, c.Dev)
		}
	})
	show.end()
	if err != nil {
		return err
	}
	return f.finish(tasks, seeds, results, std.out)
}

// A seedScores is what seeds.json says of a task.
type seedScores struct {
	Task   string             `json:"task"`
	Metric string             `json:"metric"`
	Dev    int                `json:"dev"`                          // examples
	Mean   float64            `json:"mean"`                         // over the seeds
	StdDev *float64           `json:"standard_deviation,omitempty"` // of a sample; not of one seed
	Scores map[string]float64 `json:"scores"`                       // by seed
}

// finish prints and writes the scores.
func (f *finetuneFlags) finish(tasks []*task.Task, seeds []uint64, results []*prefinetune.Result, w io.Writer) error {
	fmt.Fprintln(w)
	list := table{left: map[int]bool{0: true, 1: true}}
	head := []string{"task", "metric", "dev", "majority", "bag of words", "mean", "± s.d."}
	for _, s := range seeds {
		head = append(head, fmt.Sprintf("seed %d", s))
	}
	list.row(head...)
	var all []seedScores
	for i, t := range tasks {
		s := seedScores{Task: t.Name, Metric: t.Metric, Scores: map[string]float64{}}
		var base report.Score
		var scores []float64
		for k, r := range results {
			base = r.Scores[i]
			s.Dev = base.N
			s.Scores[fmt.Sprint(seeds[k])] = base.Ours
			scores = append(scores, base.Ours)
		}
		var sd string
		s.Mean, s.StdDev = meanAndSpread(scores)
		if sd = "-"; s.StdDev != nil {
			sd = fmt.Sprintf("%.4f", *s.StdDev)
		}
		row := []string{t.Name, t.Metric, fmt.Sprint(s.Dev), fmt.Sprintf("%.4f", base.Majority), fmt.Sprintf("%.4f", base.BagOfWords), fmt.Sprintf("%.4f", s.Mean), sd}
		for _, v := range scores {
			row = append(row, fmt.Sprintf("%.4f", v))
		}
		list.row(row...)
		all = append(all, s)
	}
	list.write(w)
	fmt.Fprintln(w, "\nWritten:")
	for _, r := range results {
		for _, p := range r.Paths {
			fmt.Fprintln(w, " ", p)
		}
	}
	if len(seeds) == 1 {
		return nil
	}
	path := filepath.Join(f.cfg.Out, "seeds.json")
	data, err := json.MarshalIndent(all, "", "  ")
	if err == nil {
		err = os.WriteFile(path, append(data, '\n'), 0o644)
	}
	if err != nil {
		return fmt.Errorf("finetune: %w", err)
	}
	_, err = fmt.Fprintln(w, " ", path)
	return err
}

// meanAndSpread returns the mean of values and their standard deviation, of a sample; nil
// if there is but one.
func meanAndSpread(values []float64) (mean float64, sd *float64) {
	n := float64(len(values))
	for _, v := range values {
		mean += v / n
	}
	if len(values) < 2 {
		return mean, nil
	}
	sum := 0.0
	for _, v := range values {
		sum += (v - mean) * (v - mean)
	}
	sum = math.Sqrt(sum / (n - 1))
	return mean, &sum
}
