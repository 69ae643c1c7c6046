package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"

	"github.com/muppet-go/muppet/transformer"
)

const embedUsage = `usage: muppet embed -model MODEL [flags] < texts

Reads a text a line from the standard input and writes, a line each, JSON objects with
the text and its embedding: the mean of its tokens' hidden states, divided by its length,
as sentence-transformers pools. A text longer than the model has positions for is cut.

` + modelUsage

func embedCommand(ctx context.Context, args []string, std stdio) error {
	set := flag.NewFlagSet("muppet embed", flag.ContinueOnError)
	model := set.String("model", "", "the `model` to embed with")
	revision := set.String("revision", "", "branch, tag or `commit` of a model that is fetched (default main)")
	batch := set.Int("batch", 64, "texts to read before any is answered; 1 for a conversation")
	if done, err := parse(set, embedUsage, args, 0, std.out); done || err != nil {
		return err
	}
	if *batch < 1 || *batch > maxBatch {
		return fmt.Errorf("embed: -batch %d: want 1 to %d\n%w", *batch, maxBatch, errUsage)
	}
	dir, err := findModel(ctx, *model, *revision, std.err)
	if err != nil {
		return fmt.Errorf("embed: %w", err)
	}
	m, err := transformer.LoadFor(dir, transformer.Bare)
	if err != nil {
		return err
	}
	if m.Tokenizer == nil {
		return fmt.Errorf("embed: %s has no tokenizer that can be read", dir)
	}
	w := json.NewEncoder(std.out)
	w.SetEscapeHTML(false)
	err = batches(ctx, std.in, *batch, func(texts []string) error {
		embeddings, err := m.Embed(ctx, texts...)
		if err != nil {
			return err
		}
		for i, e := range embeddings {
			if err := w.Encode(struct {
				Text      string    `json:"text"`
				Embedding []float32 `json:"embedding"`
			}{texts[i], e}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("embed: %w", err)
	}
	return nil
}

// maxBatch is the most lines that are taken in at once.
const maxBatch = 1 << 16
