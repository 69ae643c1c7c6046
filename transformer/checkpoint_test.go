package transformer

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/nn"
	"github.com/muppet-go/muppet/transformer/tokenizer"
)

func newSaved(t *testing.T) (string, *Encoder, *tokenizer.Tokenizer) {
	t.Helper()
	tok, err := tokenizer.Train(slices.Values([]string{"low low lower lowest"}), tokenizer.TrainConfig{VocabSize: 265})
	if err != nil {
		t.Fatal(err)
	}
	c := NewConfig(tok.VocabSize()+1, 2, 8)
	c.NumAttentionHeads, c.MaxPositionEmbeddings = 2, 20
	e := NewEncoder(c, autograd.NewKey(1))
	dir := filepath.Join(t.TempDir(), "new", "model")
	m := NewModel(e, Bare, autograd.NewKey(2))
	m.Tokenizer = tok
	if err := m.Save(dir); err != nil {
		t.Fatal(err)
	}
	return dir, e, tok
}

// BERT's tokenizer is found by any of its files, and its pairs have two token types.
func TestLoadBERTTokenizer(t *testing.T) {
	tok, err := tokenizer.TrainWordPiece(slices.Values([]string{"low low lower lowest"}), tokenizer.TrainConfig{VocabSize: 40})
	if err != nil {
		t.Fatal(err)
	}
	c := NewConfig(tok.VocabSize(), 1, 8)
	c.ModelType, c.TypeVocabSize, c.NumAttentionHeads, c.MaxPositionEmbeddings, c.PadTokenID = "bert", 2, 2, 20, 0
	m := NewModel(NewEncoder(c, autograd.NewKey(1)), Bare, autograd.NewKey(2))
	m.Tokenizer = tok
	dir := t.TempDir()
	if err := m.Save(dir); err != nil {
		t.Fatal(err)
	}
	for _, gone := range []string{"", "tokenizer.json"} {
		if gone != "" {
			if err := os.Remove(filepath.Join(dir, gone)); err != nil {
				t.Fatal(err)
			}
		}
		m, err := Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		e := m.Tokenizer.EncodeBatch(tokenizer.Options{MaxLength: 20}, []string{"lower", "low"}, []string{"lowest", "Low low"})
		b := PackEncodings(e...)
		if want := slices.Concat(e[0].Types, e[1].Types); !slices.Equal(b.Types, want) || slices.Max(want) != 1 || len(want) != b.Tokens() {
			t.Errorf("types %v, want %v", b.Types, want)
		}
		m.Encode(autograd.NewScope().NoGrad(), b)
		if ids := m.sequence("low"); ids[0] != tok.BOS() || ids[len(ids)-1] != tok.EOS() {
			t.Errorf("%v does not stand between [CLS] and [SEP]", ids)
		}
	}
	edit(t, dir, map[string]any{"type_vocab_size": 1})
	if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), "config.json: the tokenizer gives tokens of a pair the type 1, type_vocab_size is 1") {
		t.Errorf("error %v", err)
	}
}

func sameWeights(a, b *Encoder) bool {
	x, y := nn.Parameters(a), nn.Parameters(b)
	for i := range x {
		if x[i].Name != y[i].Name || !slices.Equal(x[i].Tensor.Float32s(), y[i].Tensor.Float32s()) {
			return false
		}
	}
	return len(x) == len(y)
}

func TestSaveLoad(t *testing.T) {
	dir, e, tok := newSaved(t)
	m2, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	e2, tok2 := m2.Encoder, m2.Tokenizer
	if !sameWeights(e, e2) {
		t.Error("weights differ")
	}
	if m2.Config.Architectures[0] != "RobertaModel" {
		t.Errorf("architectures %q", m2.Config.Architectures)
	}
	e2.Config.Architectures = e.Config.Architectures
	if a, _ := json.Marshal(e.Config); !bytes.Contains(a, []byte(`"hidden_size":8`)) {
		t.Errorf("configuration %s", a)
	} else if b, _ := json.Marshal(e2.Config); !bytes.Equal(a, b) {
		t.Errorf("configuration %s became %s", a, b)
	}
	const text = "the lowest low"
	if !slices.Equal(tok.Encode(text).IDs, tok2.Encode(text).IDs) {
		t.Error("tokens differ")
	}
	again := filepath.Join(t.TempDir(), "again")
	if err := m2.Save(again); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) < 4 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		a, err1 := os.ReadFile(filepath.Join(dir, f.Name()))
		b, err2 := os.ReadFile(filepath.Join(again, f.Name()))
		if err1 != nil || err2 != nil || !bytes.Equal(a, b) {
			t.Errorf("%s differs when saved again (%v, %v)", f.Name(), err1, err2)
		}
	}
}

// TestLoadOtherLayouts reads an encoder out of files that Hugging Face's classes write:
// RobertaModel without the prefix, others with heads.
func TestLoadOtherLayouts(t *testing.T) {
	dir, e, _ := newSaved(t)
	path := filepath.Join(dir, "model.safetensors")
	pooler := nn.NewLinear(8, 8, autograd.NewKey(2))
	for name, model := range map[string]any{
		"RobertaModel": &struct {
			Encoder *Encoder   `name:""`
			Pooler  *nn.Linear `name:"pooler.dense"`
		}{e, pooler},
		"RobertaForMaskedLM": &struct {
			Encoder *Encoder      `name:"roberta"`
			Head    *MaskedLMHead `name:"lm_head"`
		}{e, NewMaskedLMHead(e.Config, autograd.NewKey(3))},
	} {
		if err := nn.Save(path, model); err != nil {
			t.Fatal(err)
		}
		m, err := LoadFor(dir, Bare)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if !sameWeights(e, m.Encoder) {
			t.Errorf("%s: weights differ", name)
		} else if (m.Pooler != nil) != (name == "RobertaModel") || (m.Unused != nil) != (name == "RobertaForMaskedLM") {
			t.Errorf("%s: pooler %v, unused %q", name, m.Pooler, m.Unused)
		}
	}
}

// edit changes fields of config.json; nil deletes one.
func edit(t *testing.T, dir string, fields map[string]any) {
	t.Helper()
	path := filepath.Join(dir, "config.json")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]any
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	for k, v := range fields {
		if all[k] = v; v == nil {
			delete(all, k)
		}
	}
	if data, err = json.Marshal(all); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestLoadConfigErrors(t *testing.T) {
	type fields = map[string]any
	for _, c := range []struct {
		fields fields
		want   string
	}{
		{fields{"model_type": "t5"}, `model_type "t5"`},
		{fields{"model_type": nil}, `model_type ""`},
		{fields{"hidden_act": "tanh"}, `hidden_act "tanh"`},
		{fields{"num_attention_heads": 3}, "num_attention_heads 3"},
		{fields{"num_attention_heads": 0}, "num_attention_heads is 0"},
		{fields{"hidden_size": nil}, "hidden_size is 0"},
		{fields{"hidden_size": int64(1) << 40}, "hidden_size is 1099511627776"},
		{fields{"hidden_size": "8"}, "hidden_size"},
		{fields{"vocab_size": -1}, "vocab_size is -1"},
		{fields{"vocab_size": int64(1) << 62}, "vocab_size is 4611686018427387904"},
		{fields{"num_hidden_layers": -1}, "num_hidden_layers is -1"},
		{fields{"num_hidden_layers": 1 << 20}, "num_hidden_layers is 1048576"},
		{fields{"intermediate_size": 1 << 30}, "intermediate_size is 1073741824"},
		{fields{"type_vocab_size": 1 << 30}, "type_vocab_size is 1073741824"},
		{fields{"max_position_embeddings": 1 << 30}, "max_position_embeddings is 1073741824"},
		{fields{"max_position_embeddings": 2}, "max_position_embeddings 2"},
		{fields{"pad_token_id": -9}, "pad_token_id is -9"},
		{fields{"pad_token_id": 300}, "pad_token_id is 300"},
		{fields{"hidden_dropout_prob": 1}, "hidden_dropout_prob is 1"},
		{fields{"attention_probs_dropout_prob": -0.5}, "attention_probs_dropout_prob is -0.5"},
		{fields{"layer_norm_eps": -1}, "layer_norm_eps is -1"},
		{fields{"initializer_range": -1}, "initializer_range is -1"},
		{fields{"is_decoder": true}, "is_decoder"},
		{fields{"position_embedding_type": "relative_key"}, `position_embedding_type "relative_key"`},
	} {
		dir, _, _ := newSaved(t)
		edit(t, dir, c.fields)
		for _, load := range []func(string) error{
			func(dir string) error { _, err := LoadConfig(dir); return err },
			func(dir string) error { _, err := Load(dir); return err },
		} {
			err := load(dir)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), filepath.Join(dir, "config.json")) {
				t.Errorf("%v: error is %v, want the file and %q", c.fields, err, c.want)
			}
		}
	}
}

func TestLoadConfigIgnoresOtherFields(t *testing.T) {
	dir, e, _ := newSaved(t)
	edit(t, dir, map[string]any{"classifier_dropout": nil, "id2label": map[string]string{"0": "LABEL_0"}, "is_decoder": false,
		"position_embedding_type": "absolute", "transformers_version": "5", "use_cache": true, "dtype": "float32", "type_vocab_size": nil})
	c, err := LoadConfig(dir)
	if err != nil {
		t.Fatal(err)
	}
	if c.HiddenSize != e.Config.HiddenSize || c.TypeVocabSize != 1 {
		t.Errorf("configuration %+v", c)
	}
}

func TestLoadErrors(t *testing.T) {
	const words, up = "embeddings.word_embeddings.weight", "encoder.layer.1.intermediate.dense.weight"
	remove := func(files ...string) func(t *testing.T, dir string, e *Encoder) {
		return func(t *testing.T, dir string, _ *Encoder) {
			for _, file := range files {
				if err := os.Remove(filepath.Join(dir, file)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	// without saves the weights again, one tensor left out or in another shape.
	without := func(name string, shape ...int) func(t *testing.T, dir string, e *Encoder) {
		return func(t *testing.T, dir string, e *Encoder) {
			var entries []nn.Entry
			for _, entry := range nn.StateDict(e) {
				if entry.Name != name {
					entries = append(entries, entry)
				} else if shape != nil {
					entries = append(entries, nn.Entry{Name: name, Tensor: autograd.Zeros(shape...)})
				}
			}
			if err := nn.SaveEntries(filepath.Join(dir, "model.safetensors"), entries); err != nil {
				t.Fatal(err)
			}
		}
	}
	const query, bias = "encoder.layer.0.attention.self.query.weight", "encoder.layer.1.attention.self.value.bias"
	for name, c := range map[string]struct {
		spoil func(t *testing.T, dir string, e *Encoder)
		want  []string
	}{
		"no config":     {remove("config.json"), []string{"config.json"}},
		"no weights":    {remove("model.safetensors"), []string{"model.safetensors"}},
		"no vocabulary": {remove("tokenizer.json", "vocab.json"), []string{"vocab.json"}},
		"an unknown tokenizer": {func(t *testing.T, dir string, _ *Encoder) {
			if err := os.WriteFile(filepath.Join(dir, "tokenizer.json"), []byte(`{"model": {"type": "Lattice"}}`), 0o644); err != nil {
				t.Fatal(err)
			}
		}, []string{"tokenizer.json", "Lattice"}},
		"no merges": {remove("tokenizer.json", "merges.txt"), []string{"merges.txt"}},
		"bad JSON": {func(t *testing.T, dir string, _ *Encoder) {
			if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(`{"model_type": `), 0o644); err != nil {
				t.Fatal(err)
			}
		}, []string{"config.json", "unexpected end"}},
		"no words":         {without(words), []string{"model.safetensors", "missing " + words}},
		"words misshapen":  {without(words, 8, 266), []string{"model.safetensors", words + " has shape [8 266]", "[266 8]"}},
		"no query":         {without(query), []string{"model.safetensors", "missing " + query}},
		"no value bias":    {without(bias), []string{"model.safetensors", "missing " + bias}},
		"bias misshapen":   {without(bias, 8, 1), []string{"model.safetensors", bias + " has shape [8 1]", "[8]"}},
		"network too wide": {without(up, 33, 8), []string{"model.safetensors", up + " has shape [33 8]"}},
		"too many layers": {func(t *testing.T, dir string, _ *Encoder) { edit(t, dir, map[string]any{"num_hidden_layers": 3}) },
			[]string{"model.safetensors", "missing encoder.layer.2."}},
		"small vocabulary": {func(t *testing.T, dir string, _ *Encoder) { edit(t, dir, map[string]any{"vocab_size": 264}) },
			[]string{"config.json", "vocab_size 264", "tokenizer has 265 tokens"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir, e, _ := newSaved(t)
			c.spoil(t, dir, e)
			_, err := Load(dir)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range append(c.want, dir) {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
		})
	}
}

func TestEncodePanicsWhenTooLong(t *testing.T) {
	_, e, _ := newSaved(t)
	longest := e.Config.MaxLength()
	e.Encode(nil, Pack(make([]int32, longest)), nil)
	defer func() {
		if r, _ := recover().(string); !strings.Contains(r, "sequence of 19 tokens for an encoder of 18") {
			t.Errorf("panic is %q", r)
		}
	}()
	e.Encode(nil, Pack(make([]int32, 2), make([]int32, longest+1)), nil)
}

func TestHeadsDivideAnyWidth(t *testing.T) {
	for hidden, want := range map[int]int{8: 1, 16: 1, 96: 3, 100: 4, 101: 1, 128: 4, 200: 8, 256: 4, 300: 5, 768: 12, 1024: 16} {
		c := NewConfig(10, 1, hidden)
		if err := c.Validate(); err != nil {
			t.Errorf("width %d: %v", hidden, err)
		}
		if c.NumAttentionHeads != want {
			t.Errorf("width %d: %d heads, want %d", hidden, c.NumAttentionHeads, want)
		}
	}
}
