package transformer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/internal/file"
	"github.com/muppet-go/muppet/nn"
	"github.com/muppet-go/muppet/transformer/tokenizer"
)

// Save writes the model and its tokenizer as a folder that Hugging Face's
// from_pretrained loads: config.json, model.safetensors, the tokenizer's files, and of a model
// that generates generation_config.json. Each file appears whole or not at all.
func (m *Model) Save(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("transformer: %w", err)
	}
	if err := nn.Save(filepath.Join(dir, "model.safetensors"), m); err != nil {
		return err
	}
	if m.Tokenizer != nil {
		if err := m.Tokenizer.Save(dir); err != nil {
			return err
		}
	}
	if m.LM != nil {
		if err := saveJSON(filepath.Join(dir, generationFile), m.Generation.file(m.Config)); err != nil {
			return err
		}
	}
	c := m.Config
	c.Architectures = []string{m.Architecture()}
	// The configuration comes last: a new folder that has it is complete.
	return saveJSON(filepath.Join(dir, "config.json"), c)
}

// saveJSON writes a file of one value.
func saveJSON(path string, value any) error {
	data, err := json.MarshalIndent(value, "", "  ")
	if err == nil {
		err = file.Replace(path, func(w io.Writer) error {
			_, err := w.Write(append(data, '\n'))
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("transformer: %w", err)
	}
	return nil
}

// Load reads a model and its tokenizer from a folder in Hugging Face's layout, with the
// head that its architecture names.
func Load(dir string) (*Model, error) {
	c, err := LoadConfig(dir)
	if err != nil {
		return nil, err
	}
	return load(dir, c, headOf(c), false)
}

// LoadFor reads a model for a head of the caller's choice, whatever the checkpoint was
// made for. Labels name the classes of a classification; without any they are the
// configuration's. A head that the checkpoint lacks, or has for another task or other
// labels in another shape, begins fresh; the model's Fresh lists its tensors. A
// tensor of the encoder, or of BART's halves, that is missing or misshapen is an error that names it.
func LoadFor(dir string, head Head, labels ...string) (*Model, error) {
	c, err := LoadConfig(dir)
	if err != nil {
		return nil, err
	}
	if head != Bare && !slices.Contains(headsOf(c), head) {
		return nil, fmt.Errorf("transformer: %s: no head %q for model_type %q: want one of %q", dir, head, c.ModelType, headsOf(c))
	}
	if len(labels) > 0 {
		c.setLabels(labels)
	}
	return load(dir, c, head, len(labels) > 0 || head != headOf(c))
}

// load reads a model; for another task than the checkpoint's it takes a head of another
// shape for none.
func load(dir string, c Config, head Head, other bool) (*Model, error) {
	tok, err := loadTokenizer(dir, c)
	if err != nil {
		return nil, err
	}
	base := c.ModelType
	if base == "bart" {
		base = "model"
	}
	w, err := openWeights(dir, base)
	if err != nil {
		return nil, err
	}
	defer w.Close()
	if err := w.fits(c); err != nil {
		return nil, err
	}
	m := blank(c, head)
	m.Tokenizer = tok
	if m.LM != nil {
		if m.Generation, err = loadGeneration(dir, c); err != nil {
			return nil, err
		}
	}
	if _, ok := w.find("pooler.dense.weight"); ok && head == Bare && m.Encoder != nil {
		m.addPooler()
	}
	headless := map[string]bool{} // names of the tensors that are not the head's
	name, body := m.base()
	if head == Bare {
		name = ""
	}
	for _, e := range nn.StateDict(map[string]any{name: body}) {
		headless[e.Name] = true
	}
	var problems []string
	type read struct {
		from string
		into *autograd.Tensor
	}
	var reads []read
	for _, e := range nn.StateDict(m) {
		stored, ok := w.find(e.Name)
		if !ok {
			m.Fresh = append(m.Fresh, e.Name)
			if headless[e.Name] {
				problems = append(problems, "missing "+e.Name)
			}
			continue
		}
		if shape := w.shape(stored); !slices.Equal(shape, e.Tensor.Shape()) {
			m.Fresh = append(m.Fresh, e.Name)
			if headless[e.Name] || !other {
				problems = append(problems, fmt.Sprintf("%s has shape %v, config.json asks for %v", stored, shape, e.Tensor.Shape()))
			}
			continue
		}
		reads = append(reads, read{stored, e.Tensor})
	}
	if problems != nil {
		return nil, fmt.Errorf("transformer: %s: %s", w.path, listed(problems))
	}
	for _, r := range reads {
		if err := w.read(r.from, r.into); err != nil {
			return nil, err
		}
	}
	m.Unused = w.unused()
	return m, nil
}

// blank returns a model to be filled, of which only the head is drawn: drawing weights takes
// longer than reading them.
func blank(c Config, head Head) *Model {
	zeros := c
	zeros.InitializerRange = 0
	if c.ModelType == "bart" {
		b := NewBart(zeros, device.Key{})
		b.Config = c
		return NewBartModel(b, head, autograd.NewKey(0))
	}
	e := NewEncoder(zeros, device.Key{})
	e.Config = c
	return NewModel(e, head, autograd.NewKey(0))
}

func (m *Model) addPooler() {
	m.Pooler = &Pooler{nn.NewNormalLinear(m.Config.HiddenSize, m.Config.HiddenSize, 0, device.Key{})}
	m.Modules = m.modules()
}

// listed joins the first of many messages.
func listed(problems []string) string {
	const shown = 10
	if n := len(problems); n > shown {
		problems = append(problems[:shown:shown], fmt.Sprintf("and %d more", n-shown))
	}
	return strings.Join(problems, "; ")
}

// loadTokenizer reads the folder's tokenizer, nil if it has no file of one.
func loadTokenizer(dir string, c Config) (*tokenizer.Tokenizer, error) {
	if !slices.ContainsFunc([]string{"tokenizer.json", "vocab.json", "merges.txt", "vocab.txt"}, func(name string) bool {
		_, err := os.Stat(filepath.Join(dir, name))
		return !errors.Is(err, os.ErrNotExist)
	}) {
		return nil, nil
	}
	tok, err := tokenizer.Load(dir)
	if err != nil {
		return nil, err
	}
	if tok.VocabSize() > c.VocabSize {
		return nil, fmt.Errorf("transformer: %s: the tokenizer has %d tokens, more than vocab_size %d",
			filepath.Join(dir, "config.json"), tok.VocabSize(), c.VocabSize)
	}
	pair := tok.PostProcess(tokenizer.Options{}, tok.Encode("a"), tok.Encode("b"))
	if most := slices.Max(append(pair.Types, 0)); c.ModelType != "bart" && int(most) >= c.TypeVocabSize {
		return nil, fmt.Errorf("transformer: %s: the tokenizer gives tokens of a pair the type %d, type_vocab_size is %d",
			filepath.Join(dir, "config.json"), most, c.TypeVocabSize)
	}
	return tok, nil
}
