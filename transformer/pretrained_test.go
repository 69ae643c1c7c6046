package transformer

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/nn/safetensors"
)

// TestPretrained compares what a pretrained model computes with what Hugging Face does: the model is all-MiniLM-L6-v2 in
// the folder that MUPPET_PRETRAINED names, which .ci/run fetches; see testdata/minilm.py.
func TestPretrained(t *testing.T) {
	dir := os.Getenv("MUPPET_PRETRAINED")
	if dir == "" {
		t.Skip("no all-MiniLM-L6-v2: MUPPET_PRETRAINED names no folder")
	}
	var stored struct {
		Texts     []string
		Sequences [][]int32
	}
	data, err := os.ReadFile(filepath.Join("testdata", "minilm", "batch.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &stored); err != nil {
		t.Fatal(err)
	}
	p := &parity{}
	if p.expected, err = safetensors.Open(filepath.Join("testdata", "minilm", "expected.safetensors")); err != nil {
		t.Fatal(err)
	}
	defer p.expected.Close()
	m, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if m.Fresh != nil || m.Unused != nil || m.Architecture() != "BertModel" || m.Pooler == nil {
		t.Errorf("%s with pooler %v, fresh %q, unused %q", m.Architecture(), m.Pooler, m.Fresh, m.Unused)
	}
	b, d := Pack(stored.Sequences...), m.Config.HiddenSize
	scope := autograd.NewScope().NoGrad()
	hidden := m.Encode(scope, b)
	p.compare(t, "hidden", hidden, 1e-4, 0)
	means := Mean(hidden, b).Float32s()
	var embeddings []float32
	for i := range stored.Sequences {
		embeddings = append(embeddings, unit(means[i*d:(i+1)*d])...)
	}
	p.compare(t, "embeddings", autograd.New(embeddings), 1e-4, 0)
	if m.Tokenizer == nil {
		t.Log("the texts' tokens are stored ones: the folder's tokenizer cannot be read")
		return
	}
	fromTexts, err := m.Embed(context.Background(), stored.Texts...)
	if err != nil {
		t.Fatal(err)
	}
	p.compare(t, "embeddings", autograd.New(slices.Concat(fromTexts...)), 1e-4, 0)
}
