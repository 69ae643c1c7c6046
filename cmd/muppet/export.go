package main

import (
	"context"
	"flag"
	"fmt"
	"os"
)

const exportUsage = `usage: muppet export -model RUN [-task NAME] -out DIR

Writes the model of a run with one of its tasks' heads as a folder that Hugging Face's
programs load: RobertaForSequenceClassification with the labels as id2label,
RobertaForMultipleChoice, RobertaForQuestionAnswering, and the same of BERT and BART, or
BartForConditionalGeneration. BART, which has no class for multiple choice, ranks by a
BartForSequenceClassification of one output. muppet eval and muppet predict read such a folder,
too.

`

func exportCommand(ctx context.Context, args []string, std stdio) error {
	set := flag.NewFlagSet("muppet export", flag.ContinueOnError)
	model := set.String("model", "", "the `folder` of the run")
	name := set.String("task", "", "`name` of the task whose head is exported (default: the only one)")
	out := set.String("out", "", "the `folder` to write, new or empty")
	if done, err := parse(set, exportUsage, args, 0, std.out); done || err != nil {
		return err
	}
	switch {
	case *model == "":
		return fmt.Errorf("export: which model? -model says so\n%w", errUsage)
	case *out == "":
		return fmt.Errorf("export: where to? -out says so\n%w", errUsage)
	}
	if files, err := os.ReadDir(*out); err == nil && len(files) > 0 {
		return fmt.Errorf("export: -out %s: the folder is not empty", *out)
	}
	s, t, err := savedTask(*model, *name)
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	m, err := s.Export(t)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := m.Save(*out); err != nil {
		return err
	}
	describe(std.out, m)
	_, err = fmt.Fprintf(std.out, "%-13s%s\n", "written", *out)
	return err
}
