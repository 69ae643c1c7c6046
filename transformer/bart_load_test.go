package transformer

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/nn"
	"github.com/muppet-go/muppet/nn/safetensors"
)

// copyBart returns a copy of a folder that testdata/bart.py made.
func copyBart(t *testing.T, name string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "bart", name))); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestBartConfigErrors(t *testing.T) {
	type fields = map[string]any
	for _, c := range []struct {
		fields fields
		want   string
	}{
		{fields{"d_model": nil}, "d_model is 0"},
		{fields{"d_model": int64(1) << 40}, "d_model is 1099511627776"},
		{fields{"d_model": "12"}, "d_model"},
		{fields{"encoder_layers": nil}, "encoder_layers is 0"},
		{fields{"decoder_layers": nil}, "decoder_layers is 0"},
		{fields{"decoder_layers": 1 << 20}, "decoder_layers is 1048576"},
		{fields{"encoder_attention_heads": 5}, "d_model 12 does not divide into encoder_attention_heads 5"},
		{fields{"decoder_attention_heads": 5}, "d_model 12 does not divide into decoder_attention_heads 5"},
		{fields{"decoder_attention_heads": 0}, "decoder_attention_heads is 0"},
		{fields{"encoder_ffn_dim": -1}, "encoder_ffn_dim is -1"},
		{fields{"decoder_ffn_dim": 1 << 30}, "decoder_ffn_dim is 1073741824"},
		{fields{"vocab_size": nil}, "vocab_size is 0"},
		{fields{"max_position_embeddings": nil}, "max_position_embeddings is 0"},
		{fields{"activation_function": "tanh"}, `activation_function "tanh"`},
		{fields{"dropout": 1}, "dropout is 1"},
		{fields{"attention_dropout": -0.5}, "attention_dropout is -0.5"},
		{fields{"activation_dropout": 2}, "activation_dropout is 2"},
		{fields{"classifier_dropout": 1}, "classifier_dropout is 1"},
		{fields{"init_std": -1}, "init_std is -1"},
		{fields{"decoder_start_token_id": 37}, "decoder_start_token_id is 37"},
		{fields{"eos_token_id": []int{2, 3}}, "eos_token_id"},
		{fields{"eos_token_id": 1 << 30}, "eos_token_id is 1073741824"},
		{fields{"bos_token_id": -1}, "bos_token_id is -1"},
		{fields{"tie_word_embeddings": false}, "tie_word_embeddings is false"},
		{fields{"normalize_before": true}, "normalize_before"},
		{fields{"add_final_layer_norm": true}, "add_final_layer_norm"},
		{fields{"normalize_embedding": false}, "normalize_embedding is false"},
		{fields{"static_position_embeddings": true}, "static_position_embeddings is true"},
		{fields{"encoder_layerdrop": 0.1}, "encoder_layerdrop is 0.1"},
		{fields{"is_decoder": true}, "is_decoder"},
		{fields{"id2label": map[string]string{"1": "a"}}, "no class 0"},
	} {
		dir := copyBart(t, "deep")
		edit(t, dir, c.fields)
		_, err := Load(dir)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), filepath.Join(dir, "config.json")) {
			t.Errorf("%v: error is %v, want the file and %q", c.fields, err, c.want)
		}
	}
}

func TestGenerationConfigErrors(t *testing.T) {
	for content, want := range map[string]string{
		`{"max_length": 17}`:                "max_length is 17, want 2 to 16",
		`{"max_length": 1e3}`:               "max_length",
		`{"num_beams": -1}`:                 "num_beams is -1",
		`{"num_beams": 1000000000}`:         "num_beams is 1000000000",
		`{"num_beams": 2,"do_sample":true}`: "do_sample is true",
		`{"early_stopping": "always"}`:      `early_stopping is "always"`,
		`{"temperature": -1}`:               "temperature is -1",
		`{"forced_eos_token_id": 37}`:       "forced_eos_token_id is 37",
		`{"eos_token_id": 3}`:               "eos_token_id is 3, in config.json 2",
		`{"decoder_start_token_id": 0}`:     "decoder_start_token_id is 0, in config.json 2",
		`{"max_length": `:                   "unexpected end",
	} {
		dir := copyBart(t, "deep")
		path := filepath.Join(dir, generationFile)
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: error is %v, want the file and %q", content, err, want)
		}
	}
}

// TestGenerationConfigPlaces reads what older releases keep in config.json.
func TestGenerationConfigPlaces(t *testing.T) {
	dir := copyBart(t, "deep")
	if err := os.Remove(filepath.Join(dir, generationFile)); err != nil {
		t.Fatal(err)
	}
	edit(t, dir, map[string]any{"num_beams": 4, "length_penalty": 2, "early_stopping": true, "max_length": 14, "forced_bos_token_id": 0})
	m, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	g := m.Generation
	if g.NumBeams != 4 || g.LengthPenalty != 2 || g.EarlyStopping != EarlyStoppingTrue || g.MaxLength != 14 || or(g.ForcedBOSTokenID, 9) != 0 ||
		or(g.ForcedEOSTokenID, 9) != 2 || g.TopK != 50 {
		t.Errorf("settings %+v", g)
	}
	if m, err = Load(copyBart(t, "odd")); err != nil || m.Generation.ForcedEOSTokenID != nil || m.Generation.EarlyStopping != EarlyStoppingFalse {
		t.Errorf("settings %+v, %v", m.Generation, err)
	}
}

// TestBartLayouts reads word embeddings from any of the places that are tied to them, weights of
// another class, and reports what is wrong with others by name.
func TestBartLayouts(t *testing.T) {
	source, err := safetensors.Open(filepath.Join("testdata", "bart", "odd", "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	own, err := Load(filepath.Join("testdata", "bart", "odd"))
	if err != nil {
		t.Fatal(err)
	}
	const shared, out, fc1 = "model.shared.weight", "lm_head.weight", "model.decoder.layers.2.fc1.weight"
	const inEncoder, inDecoder = "model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight"
	for _, c := range []struct {
		name    string
		without []string
		shapes  map[string][]int
		rename  func(string) string
		fresh   []string
		want    []string // of the error
	}{
		{name: "all"},
		{name: "shared alone", without: []string{out, inEncoder, inDecoder}},
		{name: "output alone", without: []string{shared, inEncoder, inDecoder}},
		{name: "encoder's alone", without: []string{shared, out, inDecoder}},
		{name: "decoder's alone", without: []string{shared, out, inEncoder}},
		{name: "no prefix", rename: func(n string) string { return strings.TrimPrefix(n, "model.") }},
		{name: "no constant", without: []string{"final_logits_bias"}, fresh: []string{"final_logits_bias"}},
		{name: "no words", without: []string{shared, out, inEncoder, inDecoder}, want: []string{"missing shared.weight"}},
		{name: "no positions", without: []string{"model.decoder.embed_positions.weight"}, want: []string{"missing decoder.embed_positions.weight"}},
		{name: "no bias", without: []string{"model.encoder.layers.0.self_attn.k_proj.bias"}, want: []string{"missing model.encoder.layers.0.self_attn.k_proj.bias"}},
		{name: "words misshapen", shapes: map[string][]int{shared: {10, 37}}, want: []string{shared + " has shape [10 37], config.json asks for [37 10]"}},
		{name: "network misshapen", shapes: map[string][]int{fc1: {18, 10}}, want: []string{fc1 + " has shape [18 10], config.json asks for [17 10]"}},
		{name: "norm misshapen", shapes: map[string][]int{"model.encoder.layernorm_embedding.bias": {10, 1}}, want: []string{"layernorm_embedding.bias has shape [10 1]"}},
		{name: "constant misshapen", shapes: map[string][]int{"final_logits_bias": {37}}, want: []string{"final_logits_bias has shape [37], config.json asks for [1 37]"}},
	} {
		dir := copyBart(t, "odd")
		var entries []nn.Entry
		for _, name := range source.Names() {
			if slices.Contains(c.without, name) {
				continue
			}
			data, shape, err := source.ReadFloat32(name)
			if err != nil {
				t.Fatal(err)
			}
			entry := nn.Entry{Name: name, Tensor: autograd.New(data, shape...)}
			if shape, ok := c.shapes[name]; ok {
				entry.Tensor = autograd.Zeros(shape...)
			}
			if c.rename != nil {
				entry.Name = c.rename(name)
			}
			entries = append(entries, entry)
		}
		if err := nn.SaveEntries(filepath.Join(dir, "model.safetensors"), append(entries, nn.Entry{Name: "stranger", Tensor: autograd.Zeros(1)})); err != nil {
			t.Fatal(err)
		}
		m, err := Load(dir)
		if c.want != nil {
			for _, want := range append(c.want, filepath.Join(dir, "model.safetensors")) {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%s: error %v does not say %q", c.name, err, want)
				}
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if !slices.Equal(m.Fresh, c.fresh) || !slices.Equal(m.Unused, []string{"stranger"}) {
			t.Errorf("%s: fresh %q, unused %q", c.name, m.Fresh, m.Unused)
		}
		was, is := nn.StateDict(own.Bart), nn.StateDict(m.Bart)
		for i, e := range was {
			if !slices.Equal(e.Tensor.Float32s(), is[i].Tensor.Float32s()) {
				t.Errorf("%s: %s differs", c.name, e.Name)
			}
		}
	}
}

// TestBartLoadFor gives every checkpoint every head.
func TestBartLoadFor(t *testing.T) {
	for name := range bartClasses {
		c := loadBart(t, name)
		for _, head := range append([]Head{Bare}, bartHeads...) {
			m, err := LoadFor(c.dir, head)
			if err != nil {
				t.Fatalf("%s for %q: %v", name, head, err)
			}
			was, is := nn.StateDict(c.model.Bart), nn.StateDict(m.Bart)
			for i, e := range was {
				if !slices.Equal(e.Tensor.Float32s(), is[i].Tensor.Float32s()) {
					t.Errorf("%s for %q: %s differs", name, head, e.Name)
				}
			}
			if fresh := head != Bare && head != c.model.Head; fresh != (m.Fresh != nil) {
				t.Errorf("%s for %q: fresh %q", name, head, m.Fresh)
			}
		}
		m, err := LoadFor(c.dir, SequenceClassification, "a", "b", "c", "d")
		if err != nil || m.Classifier.OutProj.Weight.Dim(0) != 4 || m.Config.Label2ID["d"] != 3 {
			t.Errorf("%s: %v, labels %v", name, err, m.Config.Label2ID)
		}
		if _, err := LoadFor(c.dir, MaskedLM); err == nil || !strings.Contains(err.Error(), `no head "MaskedLM" for model_type "bart"`) {
			t.Errorf("%s: error is %v", name, err)
		}
	}
}
