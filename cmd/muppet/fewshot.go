package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"

	"github.com/muppet-go/muppet/prefinetune"
	"github.com/muppet-go/muppet/prefinetune/report"
	"github.com/muppet-go/muppet/prefinetune/suite"
	"github.com/muppet-go/muppet/prefinetune/task"
)

// fewShot compares two starts on the held-out tasks and adds the outcome to the report.
func (f *prefinetuneFlags) fewShot(ctx context.Context, starts []prefinetune.Start, r *prefinetune.Result, w io.Writer) error {
	seeds := make([]uint64, f.fewShotSeeds)
	for i := range seeds {
		seeds[i] = uint64(i + 1)
	}
	cfg := prefinetune.Config{Steps: 120, TokensPerBatch: 512, MaxLength: min(f.cfg.MaxLength, 512), LR: 5e-4}
	fmt.Fprintf(w, "\nFew-shot fine-tuning on tasks it has not seen; seeds: %d\n", len(seeds))
	for _, held := range suite.HeldOut(f.cfg.Seed) {
		fmt.Fprintf(w, "%s, %s: %d training examples, %d dev\n", held.Name, held.Description, len(held.Examples["train"]), len(held.Examples["dev"]))
		scores, err := prefinetune.FewShot(ctx, starts, held, cfg, seeds)
		if errors.Is(err, prefinetune.ErrInterrupted) {
			return fmt.Errorf("%w; pre-finetuning is complete in %s, the same command repeats the fine-tuning", err, f.cfg.Out)
		}
		if err != nil {
			return err
		}
		outcome := report.ByStart(scores)
		for _, s := range outcome {
			fmt.Fprintf(w, "  start %-14s %s %.3f", s.Name, held.Metric, s.Mean)
			if len(seeds) > 1 {
				fmt.Fprintf(w, " ± %.3f (standard deviation over seeds)", s.Spread)
			}
			fmt.Fprintln(w)
		}
		sentence := verdict(held, outcome[0], outcome[1])
		fmt.Fprintln(w, " ", sentence)
		r.Report.FewShot = append(r.Report.FewShot, scores...)
		r.Report.Summary = append(r.Report.Summary, sentence)
	}
	return prefinetune.WriteReport(filepath.Join(f.cfg.Out, "report.html"), r.Report)
}

// verdict says in words which start won.
func verdict(held *task.Task, plain, tuned report.Start) string {
	gain := tuned.Mean - plain.Mean
	switch noise := math.Hypot(plain.Spread, tuned.Spread); {
	case len(plain.Runs) == 1:
		return fmt.Sprintf("The two starts differ by %+.3f on %s; one seed says nothing of the spread.", gain, held.Name)
	case math.Abs(gain) <= noise:
		return fmt.Sprintf("The two starts differ by %+.3f on %s, which is within the spread over seeds.", gain, held.Name)
	case gain < 0:
		return fmt.Sprintf("The plain start is better by %.3f on %s.", -gain, held.Name)
	}
	return fmt.Sprintf("The pre-finetuned start is better by %.3f on %s.", gain, held.Name)
}
