package transformer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/internal/file"
	"github.com/muppet-go/muppet/nn/safetensors"
	"github.com/muppet-go/muppet/transformer/torchfile"
)

// weights are a checkpoint's tensors, from one file or several.
type weights struct {
	path  string // of the file, or of the index of several
	base  string // what the names of the tensors of a model without its head begin with, or may
	where map[string]tensorFile
	files []tensorFile
	used  map[string]bool
	piece []float32 // of a tensor on its way
}

// A tensorFile is a file of tensors, as [safetensors.File] is.
type tensorFile interface {
	Names() []string
	Info(name string) (safetensors.Info, bool)
	ReadFloat32At(name string, dst []float32, offset int) error
	Close() error
}

// openWeights opens the first that a folder has of model.safetensors, the files that
// model.safetensors.index.json lists, pytorch_model.bin and the files of its index.
func openWeights(dir, base string) (*weights, error) {
	w := &weights{base: base + ".", where: map[string]tensorFile{}, used: map[string]bool{}}
	for _, name := range []string{"model.safetensors", "pytorch_model.bin"} {
		w.path = filepath.Join(dir, name)
		f, err := openTensors(w.path)
		if err == nil {
			w.add(f)
			return w, nil
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		w.path += ".index.json"
		data, err := file.Read(w.path, maxIndex)
		if err == nil {
			if err := w.addShards(dir, data); err != nil {
				w.Close()
				return nil, err
			}
			return w, nil
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("transformer: %w", err)
		}
	}
	return nil, fmt.Errorf("transformer: %s has no model.safetensors, no pytorch_model.bin and no index of either: %w", dir, fs.ErrNotExist)
}

// Tensors describes the tensors in the files of weights that Load would read in a folder, by name.
func Tensors(dir string) ([]safetensors.Info, error) {
	w, err := openWeights(dir, "")
	if err != nil {
		return nil, err
	}
	defer w.Close()
	var infos []safetensors.Info
	for _, name := range slices.Sorted(maps.Keys(w.where)) {
		info, _ := w.where[name].Info(name)
		infos = append(infos, info)
	}
	return infos, nil
}

// openTensors opens a file in the format that its name tells.
func openTensors(path string) (tensorFile, error) {
	if filepath.Ext(path) == ".bin" {
		return torchfile.Open(path)
	}
	return safetensors.Open(path)
}

// maxIndex is more than any index has, in bytes.
const maxIndex = 64 << 20

// addShards opens the files of an index, of which each must have the tensors said.
func (w *weights) addShards(dir string, data []byte) error {
	var index struct {
		WeightMap map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(data, &index); err != nil {
		return fmt.Errorf("transformer: %s: %w", w.path, err)
	}
	if len(index.WeightMap) == 0 {
		return fmt.Errorf("transformer: %s: weight_map is empty", w.path)
	}
	opened := map[string]tensorFile{}
	for tensor, name := range index.WeightMap {
		if opened[name] == nil {
			if !filepath.IsLocal(name) {
				return fmt.Errorf("transformer: %s: weight_map: %q is outside the folder", w.path, name)
			}
			f, err := openTensors(filepath.Join(dir, name))
			if err != nil {
				return err
			}
			opened[name] = f
			w.add(f)
		}
		if _, ok := opened[name].Info(tensor); !ok {
			return fmt.Errorf("transformer: %s: weight_map: %s has no tensor %q", w.path, name, tensor)
		}
	}
	return nil
}

func (w *weights) add(f tensorFile) {
	w.files = append(w.files, f)
	for _, name := range f.Names() {
		w.where[name] = f
	}
}

// Close closes the files.
func (w *weights) Close() {
	for _, f := range w.files {
		f.Close()
	}
}

// find returns the name under which the checkpoint has a tensor of the model: its own;
// with or without the base's, for a checkpoint with a head may be read without one and
// the other way round; gamma and beta for a norm's, from older releases; one of the tensors
// that BART's word embeddings are tied to.
func (w *weights) find(name string) (string, bool) {
	names := []string{name, w.base + name}
	if short, ok := strings.CutPrefix(name, w.base); ok {
		names[1] = short
	}
	if strings.HasSuffix(name, "shared.weight") {
		for _, t := range tiedBart {
			names = append(names, w.base+t, t)
		}
	}
	for _, n := range names {
		if w.where[n] != nil {
			return n, true
		}
		old := strings.NewReplacer("LayerNorm.weight", "LayerNorm.gamma", "LayerNorm.bias", "LayerNorm.beta").Replace(n)
		if w.where[old] != nil {
			return old, true
		}
	}
	return "", false
}

func (w *weights) shape(stored string) []int {
	info, _ := w.where[stored].Info(stored)
	return info.Shape
}

// read copies a tensor of the checkpoint, piece by piece, so that no second copy of the
// model is ever in memory.
func (w *weights) read(stored string, into *autograd.Tensor) error {
	w.used[stored] = true
	if w.piece == nil {
		w.piece = make([]float32, 1<<18)
	}
	for at := 0; at < into.Len(); at += len(w.piece) {
		piece := w.piece[:min(len(w.piece), into.Len()-at)]
		if err := w.where[stored].ReadFloat32At(stored, piece, at); err != nil {
			return err
		}
		part := autograd.View(into, at, len(piece))
		autograd.Mutate(func(dst ...device.Slice) { part.Device().Write(dst[0], piece) }, part)
	}
	return nil
}

// tiedBart are names of shared.weight in BART's other places.
var tiedBart = []string{"encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "lm_head.weight"}

// unused lists what was not read, but for what every checkpoint of the kind has besides:
// position ids, which count upwards, the masked-language-model head's product, which
// is the word embeddings, what BART's are tied to, and fairseq's versions.
func (w *weights) unused() []string {
	var names []string
	for name := range w.where {
		tied := strings.HasSuffix(name, "embeddings.position_ids") ||
			strings.HasPrefix(name, "lm_head.decoder.") || strings.HasPrefix(name, "cls.predictions.decoder.") ||
			slices.ContainsFunc(tiedBart, func(t string) bool { return strings.TrimPrefix(name, w.base) == t }) ||
			strings.HasSuffix(name, "encoder.version") || strings.HasSuffix(name, "decoder.version")
		if !w.used[name] && !tied {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// fits checks, before memory is taken for what a configuration promises, that the
// checkpoint has the tensors that decide how much.
func (w *weights) fits(c Config) error {
	type tensor struct {
		name  string
		shape []int
	}
	var tensors []tensor
	add := func(name string, shape ...int) { tensors = append(tensors, tensor{name, shape}) }
	d := c.HiddenSize
	if c.ModelType == "bart" {
		add("shared.weight", c.VocabSize, d)
		stack := func(name string, layers, inner int) {
			add(name+".embed_positions.weight", c.positionRows(), d)
			for i := range layers {
				add(fmt.Sprintf("%s.layers.%d.self_attn.q_proj.weight", name, i), d, d)
				add(fmt.Sprintf("%s.layers.%d.fc1.weight", name, i), inner, d)
			}
		}
		stack("encoder", c.NumHiddenLayers, c.IntermediateSize)
		stack("decoder", c.DecoderLayers, c.DecoderFFNDim)
	} else {
		add("embeddings.word_embeddings.weight", c.VocabSize, d)
		add("embeddings.position_embeddings.weight", c.MaxPositionEmbeddings, d)
		add("embeddings.token_type_embeddings.weight", c.TypeVocabSize, d)
		for i := range c.NumHiddenLayers {
			add(fmt.Sprintf("encoder.layer.%d.attention.self.query.weight", i), d, d)
			add(fmt.Sprintf("encoder.layer.%d.intermediate.dense.weight", i), c.IntermediateSize, d)
		}
	}
	var problems []string
	for _, t := range tensors {
		stored, ok := w.find(w.base + t.name)
		if !ok {
			problems = append(problems, "missing "+t.name)
		} else if shape := w.shape(stored); !slices.Equal(shape, t.shape) {
			problems = append(problems, fmt.Sprintf("%s has shape %v, config.json asks for %v", stored, shape, t.shape))
		}
	}
	if problems != nil {
		return fmt.Errorf("transformer: %s: %s", w.path, listed(problems))
	}
	return nil
}
