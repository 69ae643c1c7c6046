package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/muppet-go/muppet/nn"
	"github.com/muppet-go/muppet/nn/safetensors"
	"github.com/muppet-go/muppet/transformer"
)

const infoUsage = `usage: muppet info MODEL

Says what a model is and what its files have, and reads them all: where it ends
without an error, the model can be used.

` + modelUsage

func infoCommand(ctx context.Context, args []string, std stdio) error {
	set := flag.NewFlagSet("muppet info", flag.ContinueOnError)
	revision := set.String("revision", "", "branch, tag or `commit` of a model that is fetched (default main)")
	if done, err := parse(set, infoUsage, args, 1, std.out); done || err != nil {
		return err
	}
	if set.NArg() == 0 {
		return fmt.Errorf("info: which model?\n%w", errUsage)
	}
	dir, err := findModel(ctx, set.Arg(0), *revision, std.err)
	if err != nil {
		return fmt.Errorf("info: %w", err)
	}
	c, err := transformer.LoadConfig(dir)
	if err != nil {
		return err
	}
	tensors, err := transformer.Tensors(dir)
	if err != nil {
		return err
	}
	show := func(what, format string, args ...any) {
		fmt.Fprintf(std.out, "%-13s"+format+"\n", append([]any{what}, args...)...)
	}
	show("folder", "%s", dir)
	show("architecture", "%s", strings.Join(c.Architectures, ", "))
	show("size", "%s", sizeOf(c))
	show("tensors", "%s", summary(tensors))
	m, err := transformer.Load(dir) // what is known by now helps to understand its errors
	if err != nil {
		return err
	}
	describe(std.out, m)
	return ctx.Err()
}

// sizeOf describes the layers of a model.
func sizeOf(c transformer.Config) string {
	layers := fmt.Sprintf("%d layers", c.NumHiddenLayers)
	if c.ModelType == "bart" {
		layers = fmt.Sprintf("%d and %d layers", c.NumHiddenLayers, c.DecoderLayers)
	}
	return fmt.Sprintf("%s: %s of %d, vocabulary of %d, up to %d tokens", c.ModelType, layers, c.HiddenSize, c.VocabSize, c.MaxLength())
}

// summary counts tensors of each type.
func summary(tensors []safetensors.Info) string {
	count := map[safetensors.DType]int{}
	bytes := 0
	for _, t := range tensors {
		count[t.DType]++
		bytes += t.Len() * t.DType.Size()
	}
	var parts []string
	for _, d := range slices.Sorted(maps.Keys(count)) {
		parts = append(parts, fmt.Sprintf("%d of %s", count[d], d))
	}
	return fmt.Sprintf("%s, %.1f MB", strings.Join(parts, ", "), float64(bytes)/1e6)
}

// describe prints what became of a checkpoint.
func describe(w io.Writer, m *transformer.Model) {
	parameters := 0
	for _, p := range nn.Parameters(m) {
		parameters += p.Tensor.Len()
	}
	fmt.Fprintf(w, "%-13s%s with %d parameters\n", "model", m.Architecture(), parameters)
	fmt.Fprintf(w, "%-13s%s\n", "fresh", listed(m.Fresh))
	fmt.Fprintf(w, "%-13s%s\n", "unused", listed(m.Unused))
	if m.Head == transformer.SequenceClassification || m.Head == transformer.TokenClassification {
		fmt.Fprintf(w, "%-13s%s\n", "labels", listed(m.Config.Labels()))
	}
	tokenizer := "none that can be read"
	if m.Tokenizer != nil {
		tokenizer = m.Tokenizer.String()
	}
	fmt.Fprintf(w, "%-13s%s\n", "tokenizer", tokenizer)
}
