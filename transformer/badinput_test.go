package transformer

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/muppet-go/muppet/autograd"
)

// TestConfigContents reads what is no configuration at all.
func TestConfigContents(t *testing.T) {
	for content, want := range map[string]string{
		"":                                    "unexpected end",
		"null":                                `model_type ""`,
		"[]":                                  "array",
		"3":                                   "number",
		"\ufeff{}":                            "invalid character",
		`{"model_type": ["bert"]}`:            "model_type",
		`{"model_type": "bert"} {}`:           "after top-level value",
		strings.Repeat(`{"a":`, 20000):        "max depth",
		strings.Repeat(" ", maxConfig+1):      "larger than 1048576 bytes",
		`{"model_type": "bert", "vocab_size"`: "unexpected end",
	} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "config.json"), content)
		if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), filepath.Join(dir, "config.json")) {
			t.Errorf("%.40q: error is %.300v, want the file and %q", content, err, want)
		}
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "config.json"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), "config.json: not a regular file") {
		t.Errorf("a folder: error is %v", err)
	}
}

// TestConfigAbsurd has fields that are each possible and ask for what no model of the size can be, or for more memory than
// the weights justify.
func TestConfigAbsurd(t *testing.T) {
	type fields = map[string]any
	many := map[string]string{}
	for i := range 1 << 15 {
		many[fmt.Sprint(i)] = "x"
	}
	for _, c := range []struct {
		fields fields
		want   string
	}{
		{fields{"num_attention_heads": 1 << 16}, "num_attention_heads 65536"},
		{fields{"intermediate_size": 1 << 24}, "intermediate.dense.weight has shape [10 8], config.json asks for [16777216 8]"},
		{fields{"vocab_size": 1 << 24}, "word_embeddings.weight has shape [19 8]"},
		{fields{"max_position_embeddings": 1 << 24}, "position_embeddings.weight has shape [9 8]"},
		{fields{"type_vocab_size": 1 << 24}, "token_type_embeddings.weight has shape [2 8]"},
		{fields{"hidden_size": 1 << 16, "num_hidden_layers": 1 << 10, "num_attention_heads": 1}, "config.json asks for [19 65536]"},
		{fields{"num_hidden_layers": 0, "id2label": many}, "classifier.weight has shape [3 8], config.json asks for [32768 8]"},
		{fields{"id2label": map[string]string{"0": "a", "2": "b"}}, "no class 1"},
		{fields{"id2label": map[string]string{"00": "a"}}, "no class 0"},
		{fields{"id2label": []string{"a"}}, "id2label"},
		{fields{"label2id": map[string]string{"a": "0"}}, "label2id"},
		{fields{"architectures": "BertModel"}, "architectures"},
		{fields{"hidden_dropout_prob": "0.1"}, "hidden_dropout_prob"},
		{fields{"classifier_dropout": 1}, "classifier_dropout is 1"},
		{fields{"layer_norm_eps": json.Number("1e999")}, "1e999"},
		{fields{"num_attention_heads": 2.5}, "num_attention_heads"},
	} {
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(classifier)); err != nil {
			t.Fatal(err)
		}
		edit(t, dir, c.fields)
		before := memory.total()
		_, err := Load(dir)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%.80v: error is %v, want the folder and %q", c.fields, err, c.want)
		}
		if taken := memory.total() - before; taken > 1<<20 {
			t.Errorf("%.80v: took %d elements for a model that the file does not have", c.fields, taken)
		}
	}
}

// TestWeightsCut cuts files of weights before they are opened, and while they are read.
func TestWeightsCut(t *testing.T) {
	for _, c := range []struct{ folder, file, tensor string }{
		{classifier, "model.safetensors", "bert.encoder.layer.1.output.dense.weight"},
		{"testdata/bin/one", "pytorch_model.bin", "bert.encoder.layer.1.output.dense.weight"},
	} {
		copied := func() (dir, path string, size int64) {
			dir = t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(c.folder)); err != nil {
				t.Fatal(err)
			}
			path = filepath.Join(dir, c.file)
			stat, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			return dir, path, stat.Size()
		}
		_, _, size := copied()
		for _, left := range []int64{0, 1, 7, 8, 9, size / 3, size / 2, size - 1} {
			dir, path, _ := copied()
			if err := os.Truncate(path, left); err != nil {
				t.Fatal(err)
			}
			if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), path) {
				t.Errorf("%s of %d bytes: error is %v", c.file, left, err)
			}
		}
		dir, path, _ := copied()
		w, err := openWeights(dir, "bert")
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		into := autograd.Zeros(w.shape(c.tensor)...)
		if err := w.read(c.tensor, into); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(path, 100); err != nil {
			t.Fatal(err)
		}
		if err := w.read(c.tensor, into); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), c.tensor) {
			t.Errorf("cut while open: error is %v, want %s and %s", err, path, c.tensor)
		}
	}
}

// TestPanicsOfBatches has batches that a model cannot read: a caller's mistakes.
func TestPanicsOfBatches(t *testing.T) {
	encoder, bart := loadModel(t, classifier), loadModel(t, filepath.Join("testdata", "bart", "deep"))
	long := func(m *Model) []int32 { return make([]int32, m.Config.MaxLength()+1) }
	good := Pack([]int32{4, 5, 2})
	for name, c := range map[string]struct {
		call func()
		want string
	}{
		"too long":        {func() { encoder.Encode(nil, Pack(long(encoder))) }, "sequence of 10 tokens for an encoder of 9"},
		"BART, too long":  {func() { bart.Bart.Encode(nil, Pack(long(bart)), nil) }, "sequence of 17 tokens"},
		"target too long": {func() { bart.Bart.Decode(Pack(long(bart)), bart.Bart.Encode(nil, good, nil), good.Segments, nil) }, "sequence of 17 tokens"},
		"a target too many": {func() {
			bart.Bart.Decode(Pack([]int32{2}, []int32{2}), bart.Bart.Encode(nil, good, nil), good.Segments, nil)
		}, "Decode: targets"},
		"no such token":       {func() { encoder.Encode(nil, Pack([]int32{4, 19})).Float32s() }, "19"},
		"a negative token":    {func() { encoder.Encode(nil, Pack([]int32{-1})).Float32s() }, "-1"},
		"BART, no such token": {func() { bart.Bart.Encode(nil, Pack([]int32{37}), nil).Float32s() }, "37"},
	} {
		func() {
			defer func() {
				if r := recover(); r == nil || !strings.Contains(fmt.Sprint(r), c.want) {
					t.Errorf("%s: panic is %v, want %q", name, r, c.want)
				}
			}()
			c.call()
		}()
	}
}

func loadModel(t *testing.T, dir string) *Model {
	t.Helper()
	m, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// FuzzConfig reads configurations, and settings of generation where older releases have them. What is accepted is
// written as something that is read as the same.
func FuzzConfig(f *testing.F) {
	for _, pattern := range []string{"testdata/*/config.json", "testdata/*/*/config.json", "testdata/*/*/generation_config.json"} {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) == 0 {
			f.Fatal(pattern, err)
		}
		for _, path := range paths {
			data, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Add([]byte(`{"model_type": "bart", "vocab_size": 9, "d_model": 4, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 1,
		"decoder_attention_heads": 1, "encoder_ffn_dim": 1, "decoder_ffn_dim": 1, "max_position_embeddings": 1, "num_beams": 3, "early_stopping": "never"}`))
	bart := NewBartConfig(37, 1, 8)
	f.Fuzz(func(t *testing.T, data []byte) {
		if g, err := parseGeneration(generationFile, data, bart); err == nil {
			written, err := json.Marshal(g.file(bart))
			if err != nil {
				t.Fatal(err)
			}
			again, err := parseGeneration(generationFile, written, bart)
			if rewritten, _ := json.Marshal(again.file(bart)); err != nil || string(rewritten) != string(written) {
				t.Fatalf("%s became %s (%v)", written, rewritten, err)
			}
		}
		c, err := parseConfig("config.json", data)
		if err != nil {
			return
		}
		if c.MaxLength() < 1 || len(c.Labels()) == 0 || c.HiddenSize%c.NumAttentionHeads != 0 {
			t.Fatalf("%+v", c)
		}
		headOf(c)
		written, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		again, err := parseConfig("config.json", written)
		if rewritten, _ := json.Marshal(again); err != nil || string(rewritten) != string(written) {
			t.Fatalf("%s became %s (%v)", written, rewritten, err)
		}
	})
}

// FuzzIndex reads indexes of weights beside the files of a real one.
func FuzzIndex(f *testing.F) {
	const dir = "testdata/bin/several"
	data, err := os.ReadFile(filepath.Join(dir, "pytorch_model.bin.index.json"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	const shard = "pytorch_model-00001-of-00003.bin"
	for _, name := range []string{shard, "./" + shard, "../several/" + shard, "/dev/zero", "config.json", ".", "", "x/../" + shard, "CON"} {
		index, err := json.Marshal(map[string]any{"metadata": map[string]int{"total_size": 3}, "weight_map": map[string]string{"classifier.bias": name, "y": shard}})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(index)
	}
	f.Add([]byte(`{"weight_map": {}}`))
	f.Add([]byte(`{"weight_map": ["x"]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		w := &weights{path: "index", base: "bert.", where: map[string]tensorFile{}, used: map[string]bool{}}
		defer w.Close()
		if err := w.addShards(dir, data); err != nil {
			return
		}
		var index struct {
			WeightMap map[string]string `json:"weight_map"`
		}
		if err := json.Unmarshal(data, &index); err != nil || len(index.WeightMap) == 0 {
			t.Fatalf("%q was taken for an index (%v)", data, err)
		}
		for tensor, name := range index.WeightMap {
			if _, ok := w.find(tensor); !ok || !filepath.IsLocal(name) {
				t.Fatalf("tensor %q of %q", tensor, name)
			}
		}
	})
}
