package transformer

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/nn"
	"github.com/muppet-go/muppet/nn/safetensors"
	"github.com/muppet-go/muppet/transformer/tokenizer"
)

// stored is how an encoder lies in a checkpoint: under the name of its model.
type stored struct {
	Encoder *Encoder `name:"roberta"`
}

// Save writes an encoder and its tokenizer as a folder that Hugging Face's
// RobertaModel.from_pretrained loads: config.json, model.safetensors, vocab.json,
// merges.txt. Each file appears whole or not at all.
func Save(dir string, e *Encoder, tok *tokenizer.Tokenizer) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("transformer: %w", err)
	}
	if err := nn.Save(filepath.Join(dir, "model.safetensors"), &stored{e}); err != nil {
		return err
	}
	if err := tok.Save(dir); err != nil {
		return err
	}
	c := e.Config
	c.Architectures = []string{"RobertaModel"}
	data, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return fmt.Errorf("transformer: %w", err)
	}
	// The configuration comes last: a folder that has it is complete.
	path := filepath.Join(dir, "config.json")
	if err := os.WriteFile(path+".writing", append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("transformer: %w", err)
	}
	if err := os.Rename(path+".writing", path); err != nil {
		return fmt.Errorf("transformer: %w", err)
	}
	return nil
}

// Load reads an encoder and its tokenizer from a folder in Hugging Face's layout. Heads
// and the pooler that the file may hold besides the encoder are left aside; a tensor of
// the encoder that is missing or misshapen is an error that names it.
func Load(dir string) (*Encoder, *tokenizer.Tokenizer, error) {
	c, err := LoadConfig(dir)
	if err != nil {
		return nil, nil, err
	}
	tok, err := tokenizer.Load(dir)
	if err != nil {
		return nil, nil, err
	}
	if tok.VocabSize() > c.VocabSize {
		return nil, nil, fmt.Errorf("transformer: %s: the tokenizer has %d tokens, config.json says vocab_size %d", dir, tok.VocabSize(), c.VocabSize)
	}
	path := filepath.Join(dir, "model.safetensors")
	f, err := safetensors.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	if err := fits(f, c); err != nil {
		return nil, nil, fmt.Errorf("transformer: %s: %w", path, err)
	}
	e := NewEncoder(c, device.Key{})
	for _, entry := range nn.StateDict(&stored{e}) {
		values, shape, err := f.ReadFloat32(entry.Name)
		if err != nil {
			return nil, nil, err
		}
		if fmt.Sprint(shape) != fmt.Sprint(entry.Tensor.Shape()) {
			return nil, nil, fmt.Errorf("transformer: %s: %s has shape %v, config.json asks for %v", path, entry.Name, shape, entry.Tensor.Shape())
		}
		autograd.Mutate(func(dst ...device.Slice) { entry.Tensor.Device().Write(dst[0], values) }, entry.Tensor)
	}
	return e, tok, nil
}

// fits checks, before memory is taken for what a configuration promises, that the file
// has the tensors that decide its size.
func fits(f *safetensors.File, c Config) error {
	const words = "roberta.embeddings.word_embeddings.weight"
	info, ok := f.Info(words)
	if !ok {
		return fmt.Errorf("missing %s", words)
	}
	if want := []int{c.VocabSize, c.HiddenSize}; fmt.Sprint(info.Shape) != fmt.Sprint(want) {
		return fmt.Errorf("%s has shape %v, config.json asks for %v", words, info.Shape, want)
	}
	if c.NumHiddenLayers > 0 {
		last := fmt.Sprintf("roberta.encoder.layer.%d.intermediate.dense.weight", c.NumHiddenLayers-1)
		info, ok := f.Info(last)
		if !ok {
			return fmt.Errorf("missing %s", last)
		}
		if want := []int{c.IntermediateSize, c.HiddenSize}; fmt.Sprint(info.Shape) != fmt.Sprint(want) {
			return fmt.Errorf("%s has shape %v, config.json asks for %v", last, info.Shape, want)
		}
	}
	return nil
}
