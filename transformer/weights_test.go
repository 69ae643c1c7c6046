package transformer

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/muppet-go/muppet/nn"
)

const classifier = "testdata/heads/Bert-SequenceClassification"

// PyTorch wrote the same weights as safetensors, in a file and in several; see torchfile/testdata/make.py.
func TestLoadPyTorch(t *testing.T) {
	want, err := Load(classifier)
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{"testdata/bin/one", "testdata/bin/several"} {
		got, err := Load(folder)
		if err != nil {
			t.Fatal(err)
		}
		if got.Fresh != nil || got.Unused != nil {
			t.Errorf("%s: fresh %q, unused %q", folder, got.Fresh, got.Unused)
		}
		a, b := nn.Parameters(got), nn.Parameters(want)
		if len(a) != len(b) {
			t.Fatalf("%s: %d parameters, want %d", folder, len(a), len(b))
		}
		for i := range a {
			if a[i].Name != b[i].Name || !slices.Equal(a[i].Tensor.Float32s(), b[i].Tensor.Float32s()) {
				t.Errorf("%s: %s differs", folder, a[i].Name)
			}
		}
	}
}

// Of several files of weights the first in order counts, even if it cannot be read.
func TestWeightsInOrder(t *testing.T) {
	const (
		config, tensors, index  = "config.json", "model.safetensors", "model.safetensors.index.json"
		bin, binIndex           = "pytorch_model.bin", "pytorch_model.bin.index.json"
		goodConfig, goodTensors = classifier + "/" + config, classifier + "/" + tensors
		goodBin, goodIndex      = "testdata/bin/one/" + bin, "testdata/bin/several/" + binIndex
	)
	for _, c := range []struct {
		files map[string]string
		want  string // in the error
	}{
		{map[string]string{tensors: goodTensors, index: "?", bin: "?", binIndex: "?"}, ""},
		{map[string]string{bin: goodBin, binIndex: "?"}, ""},
		{map[string]string{tensors: "?", bin: goodBin}, "model.safetensors: 1 bytes are too short"},
		{map[string]string{index: "?", bin: goodBin}, "model.safetensors.index.json: invalid character"},
		{map[string]string{index: `{"weight_map": {"x": "shard.safetensors"}}`, bin: goodBin}, "shard.safetensors: no such file"},
		{map[string]string{bin: "?", binIndex: goodIndex}, "pytorch_model.bin: is no zip archive"},
		{map[string]string{binIndex: goodIndex}, "of-00003.bin: no such file"},
		{map[string]string{binIndex: `{"weight_map": {"x": "../x.bin"}}`}, `weight_map: "../x.bin" is outside the folder`},
		{nil, "has no model.safetensors, no pytorch_model.bin"},
	} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, config), goodConfig)
		for name, content := range c.files {
			write(t, filepath.Join(dir, name), content)
		}
		_, err := Load(dir)
		if c.want == "" && err != nil {
			t.Errorf("%v: %v", c.files, err)
		} else if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%v: error %v, want %s", c.files, err, c.want)
		}
	}
}

// write writes a file of the content given, or that of the file of testdata given.
func write(t *testing.T, path, content string) {
	t.Helper()
	data := []byte(content)
	if strings.HasPrefix(content, "testdata/") {
		var err error
		if data, err = os.ReadFile(content); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}
