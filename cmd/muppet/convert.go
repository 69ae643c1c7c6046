package main

import (
	"context"
	"flag"
	"fmt"
	"os"

	"github.com/muppet-go/muppet/transformer"
)

const convertUsage = `usage: muppet convert -model MODEL -out DIR [flags]

Writes a model as a folder that Hugging Face's programs load, with config.json,
model.safetensors in float32, and the tokenizer. The weights may come from
pytorch_model.bin, and from several files. Without -head the model keeps its head;
one that it lacks begins fresh, with weights that are to be trained.

` + modelUsage

func convertCommand(ctx context.Context, args []string, std stdio) error {
	set := flag.NewFlagSet("muppet convert", flag.ContinueOnError)
	model := set.String("model", "", "the `model` to convert")
	revision := set.String("revision", "", "branch, tag or `commit` of a model that is fetched (default main)")
	out := set.String("out", "", "the `folder` to write, new or empty")
	head := set.String("head", "", "another `head`: MaskedLM, SequenceClassification, MultipleChoice, QuestionAnswering, TokenClassification or ConditionalGeneration; none for the bare model")
	if done, err := parse(set, convertUsage, args, 0, std.out); done || err != nil {
		return err
	}
	if *out == "" {
		return fmt.Errorf("convert: where to? -out says so\n%w", errUsage)
	}
	if files, err := os.ReadDir(*out); err == nil && len(files) > 0 {
		return fmt.Errorf("convert: -out %s: the folder is not empty", *out)
	}
	dir, err := findModel(ctx, *model, *revision, std.err)
	if err != nil {
		return fmt.Errorf("convert: %w", err)
	}
	var m *transformer.Model
	switch *head {
	case "":
		m, err = transformer.Load(dir)
	case "none":
		m, err = transformer.LoadFor(dir, transformer.Bare)
	default:
		m, err = transformer.LoadFor(dir, transformer.Head(*head))
	}
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
