package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/transformer"
)

const generateUsage = `usage: muppet generate -model MODEL [flags] < texts

Reads a text a line from the standard input and writes, a line each, JSON objects with
the text and what a BART made of it, a summary, say. What a flag does not say is as in the
model's generation_config.json. A text longer than the model has positions for is cut.

` + modelUsage

func generateCommand(ctx context.Context, args []string, std stdio) error {
	set := flag.NewFlagSet("muppet generate", flag.ContinueOnError)
	model := set.String("model", "", "the `model` to generate with")
	revision := set.String("revision", "", "branch, tag or `commit` of a model that is fetched (default main)")
	batch := set.Int("batch", 8, "texts to read before any is answered; 1 for a conversation")
	var g transformer.GenerationConfig
	set.IntVar(&g.MaxLength, "max-length", 0, "most `tokens`, the first and last special ones among them")
	set.IntVar(&g.MinLength, "min-length", 0, "fewest `tokens`")
	set.IntVar(&g.NumBeams, "beams", 0, "`number` of beams of the search; 1 for none")
	set.Float64Var(&g.LengthPenalty, "length-penalty", 0, "beams are ranked by log-probability / length^`penalty`")
	set.IntVar(&g.NoRepeatNGramSize, "no-repeat-ngram", 0, "no run of so many `tokens` twice; 0 for any")
	set.BoolVar(&g.DoSample, "sample", false, "draw tokens instead of taking the likeliest; without beams")
	set.Float64Var(&g.Temperature, "temperature", 0, "with -sample: divides the scores by this `number`")
	set.IntVar(&g.TopK, "top-k", 0, "with -sample: draw among the `k` likeliest; 0 for all")
	set.Float64Var(&g.TopP, "top-p", 0, "with -sample: draw among the fewest whose probabilities reach `p`; 1 for all")
	seed := set.Uint64("seed", 1, "with -sample: decides what is drawn")
	if done, err := parse(set, generateUsage, args, 0, std.out); done || err != nil {
		return err
	}
	if *batch < 1 || *batch > maxBatch {
		return fmt.Errorf("generate: -batch %d: want 1 to %d\n%w", *batch, maxBatch, errUsage)
	}
	dir, err := findModel(ctx, *model, *revision, std.err)
	if err != nil {
		return fmt.Errorf("generate: %w", err)
	}
	m, err := transformer.LoadFor(dir, transformer.ConditionalGeneration)
	if err != nil {
		return err
	}
	if m.Tokenizer == nil {
		return fmt.Errorf("generate: %s has no tokenizer that can be read", dir)
	}
	sample := g.DoSample
	if g = m.Generation; sample {
		g.NumBeams = 1
	}
	if err := set.Parse(args); err != nil { // once more, over the model's settings
		return err
	}
	set.Visit(func(f *flag.Flag) {
		switch f.Name {
		case "temperature", "top-k", "top-p", "seed":
			if !g.DoSample {
				err = fmt.Errorf("-%s says how to draw, and nothing is drawn without -sample", f.Name)
			}
		}
	})
	if err == nil {
		err = g.Validate(m.Config)
	}
	if err != nil {
		return fmt.Errorf("generate: %w\n%w", err, errUsage)
	}
	w := json.NewEncoder(std.out)
	w.SetEscapeHTML(false)
	done := 0
	err = batches(ctx, std.in, *batch, func(texts []string) error {
		g.Key = autograd.NewKey(*seed).FoldInt(done)
		done += len(texts)
		written, err := m.GenerateTexts(ctx, g, texts...)
		if err != nil {
			return err
		}
		for i, text := range written {
			if err := w.Encode(struct {
				Text      string `json:"text"`
				Generated string `json:"generated"`
			}{texts[i], text}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("generate: %w", err)
	}
	return nil
}
