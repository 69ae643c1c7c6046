package transformer

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/internal/file"
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
// merges.txt. Each file appears whole or not at all. A pooler, which RobertaModel makes
// anew unless it is told add_pooling_layer=False, is not part of it.
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
	// The configuration comes last: a new folder that has it is complete.
	path := filepath.Join(dir, "config.json")
	if err := file.Replace(path, func(w io.Writer) error {
		_, err := w.Write(append(data, '\n'))
		return err
	}); err != nil {
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
		return nil, nil, fmt.Errorf("transformer: %s: the tokenizer has %d tokens, more than vocab_size %d",
			filepath.Join(dir, "config.json"), tok.VocabSize(), c.VocabSize)
	}
	path := filepath.Join(dir, "model.safetensors")
	f, err := safetensors.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	prefix := "roberta."
	if _, ok := f.Info("embeddings.word_embeddings.weight"); ok {
		prefix = "" // saved as a RobertaModel, without a head
	}
	if err := fits(f, prefix, c); err != nil {
		return nil, nil, fmt.Errorf("transformer: %s: %w", path, err)
	}
	e := NewEncoder(c, device.Key{})
	for _, entry := range nn.StateDict(e) {
		if err := hasShape(f, prefix+entry.Name, entry.Tensor.Shape()...); err != nil {
			return nil, nil, fmt.Errorf("transformer: %s: %w", path, err)
		}
		values, _, err := f.ReadFloat32(prefix + entry.Name)
		if err != nil {
			return nil, nil, err
		}
		autograd.Mutate(func(dst ...device.Slice) { entry.Tensor.Device().Write(dst[0], values) }, entry.Tensor)
	}
	return e, tok, nil
}

// fits checks, before memory is taken for what a configuration promises, that the file
// has the tensors that decide how much.
func fits(f *safetensors.File, prefix string, c Config) error {
	embeddings := map[string]int{"word": c.VocabSize, "position": c.MaxPositionEmbeddings, "token_type": c.TypeVocabSize}
	for _, name := range []string{"word", "position", "token_type"} {
		if err := hasShape(f, prefix+"embeddings."+name+"_embeddings.weight", embeddings[name], c.HiddenSize); err != nil {
			return err
		}
	}
	for i := range c.NumHiddenLayers {
		layer := fmt.Sprintf("%sencoder.layer.%d.", prefix, i)
		if err := hasShape(f, layer+"attention.self.query.weight", c.HiddenSize, c.HiddenSize); err != nil {
			return err
		}
		if err := hasShape(f, layer+"intermediate.dense.weight", c.IntermediateSize, c.HiddenSize); err != nil {
			return err
		}
	}
	return nil
}

func hasShape(f *safetensors.File, name string, want ...int) error {
	info, ok := f.Info(name)
	if !ok {
		return fmt.Errorf("missing %s", name)
	}
	if !slices.Equal(info.Shape, want) {
		return fmt.Errorf("%s has shape %v, config.json asks for %v", name, info.Shape, want)
	}
	return nil
}
