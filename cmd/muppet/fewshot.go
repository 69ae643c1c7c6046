package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/muppet-go/muppet/prefinetune"
	"github.com/muppet-go/muppet/prefinetune/report"
	"github.com/muppet-go/muppet/prefinetune/suite"
	"github.com/muppet-go/muppet/transformer"
)

// fewShot compares two starts on the held-out tasks and the controls, and adds the outcome to
// the report. Every seed draws training and dev examples of its own, so that the spread
// over seeds is all there is of chance. A pre-finetuned model goes on with its heads where
// they are shared, for ranking and spans; all other heads begin fresh.
func (f *prefinetuneFlags) fewShot(ctx context.Context, before, after *transformer.Model, r *prefinetune.Result, show *progress) error {
	if f.fewShotSeeds == 0 {
		return prefinetune.WriteReport(filepath.Join(f.cfg.Out, "report.html"), r.Report)
	}
	saved, err := prefinetune.Load(f.cfg.Out)
	if err != nil {
		return err
	}
	starts := []prefinetune.Start{{Name: "language model", Model: before}, {Name: "pre-finetuned", Model: after, Heads: saved}}
	switch {
	case f.init != "":
		starts[0].Name = "as given"
	case !f.hasLanguage():
		starts[0].Name = "random weights"
	}
	cfg := prefinetune.Config{Steps: f.fewShotSteps, TokensPerBatch: 1024, MaxLength: min(f.cfg.MaxLength, 512), LR: 1e-3}
	show.line(fmt.Sprintf("\nFew-shot fine-tuning from both starts on tasks they have not seen; seeds: %d", f.fewShotSeeds))
	controls := map[string]bool{}
	runs := 0
	for i := range f.fewShotSeeds {
		seed := f.cfg.Seed*1000 + uint64(i)
		tasks := suite.HeldOut(seed, f.families()...)
		for _, t := range suite.Controls(seed) {
			controls[t.Name] = true
			tasks = append(tasks, t)
		}
		for _, t := range tasks {
			scores, err := prefinetune.FewShot(ctx, starts, t, cfg, []uint64{seed})
			if errors.Is(err, prefinetune.ErrInterrupted) {
				show.end()
				return fmt.Errorf("%w; pre-finetuning is complete in %s, the same command repeats the fine-tuning", err, f.cfg.Out)
			}
			if err != nil {
				return err
			}
			for _, s := range scores {
				s.Control = controls[t.Name]
				r.Report.FewShot = append(r.Report.FewShot, s)
			}
			runs += len(scores)
			show.count("fine-tuned", runs, len(tasks)*len(starts)*f.fewShotSeeds)
		}
	}
	show.end()
	outcome := report.Compare(r.Report.FewShot)
	printFewShot(show.w, outcome)
	words := verdict(outcome)
	r.Report.Summary = append(r.Report.Summary, words...)
	for _, s := range words {
		fmt.Fprintln(show.w, s)
	}
	return prefinetune.WriteReport(filepath.Join(f.cfg.Out, "report.html"), r.Report)
}

// verdict says in words which start won where.
func verdict(outcome []report.Comparison) (sentences []string) {
	lists := map[string][]string{}
	say := func(format, list string, more ...any) {
		if len(lists[list]) > 0 {
			sentences = append(sentences, fmt.Sprintf(format, append([]any{strings.Join(lists[list], ", ")}, more...)...))
		}
	}
	for _, c := range outcome {
		list := "even"
		switch {
		case len(c.A.Runs) == 1:
			list = "once"
		case c.Clear && c.Difference > 0:
			list = "gain"
		case c.Clear:
			list = "loss"
		}
		if c.Control {
			list += " control"
		}
		lists[list] = append(lists[list], fmt.Sprintf("%s (%+.3f)", c.Task, c.Difference))
	}
	a, b := outcome[0].A.Name, outcome[0].B.Name
	say("The %[2]s start is better on %[1]s.", "gain", b)
	say("The %[2]s start is better on %[1]s: there pre-finetuning did harm.", "loss", a)
	say("On %s the starts differ by no more than chance.", "even")
	say("On the control tasks, %s, they differ by no more than chance, as it should be: nothing can be gained there.", "even control")
	for _, list := range []string{"gain control", "loss control"} {
		say("They differ on %s, a control where knowledge of the world cannot help: that part of a difference is due to something else.", list)
	}
	say("One seed says nothing of chance: the starts differ on %s.", "once")
	say("One seed says nothing of chance: the starts differ on the control tasks %s.", "once control")
	return sentences
}
