// The race detector needs memory of its own.

//go:build linux && !race

package transformer

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/nn/safetensors"
)

// TestLoadPeak loads a checkpoint of RoBERTa-base's size, half a gigabyte, in a process of its own, and encodes
// with it: the most memory that the process ever has may be no more than a quarter above the file's size.
func TestLoadPeak(t *testing.T) {
	if dir := os.Getenv("MUPPET_TEST_LOAD"); dir != "" {
		m, err := Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Printf("loaded %d\n", highWater(t))
		if got := m.Encode(autograd.NewScope().NoGrad(), Pack(make([]int32, 128), make([]int32, 20))).Shape(); got[0] != 148 {
			t.Fatal(got)
		}
		fmt.Printf("encoded %d\n", highWater(t))
		return
	}
	if testing.Short() {
		t.Skip("writes and loads half a gigabyte")
	}
	dir := t.TempDir()
	c := NewConfig(50265, 12, 768)
	c.Architectures = []string{"RobertaModel"}
	size := writeModel(t, dir, c)
	run := exec.Command(os.Args[0], "-test.run=^TestLoadPeak$")
	run.Env = append(os.Environ(), "MUPPET_TEST_LOAD="+dir, "MUPPET_DEVICE=cpu")
	out, err := run.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, name := range []string{"loaded", "encoded"} {
		_, after, ok := strings.Cut(string(out), name+" ")
		peak, err := strconv.Atoi(strings.Fields(after + " ?")[0])
		if !ok || err != nil {
			t.Fatalf("%s: %v in\n%s", name, err, out)
		}
		share := float64(peak) / float64(size)
		t.Logf("%s: %d MB, %.3f of the file's %d MB", name, peak>>20, share, size>>20)
		if share > 1.25 {
			t.Errorf("%s: %.3f of the file's size, want at most 1.25", name, share)
		}
	}
}

// highWater returns the most bytes of memory that the process has had.
func highWater(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kB, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return kB << 10
}

// writeModel writes a RoBERTa whose tensors all begin with the same values, and returns the size of the file.
func writeModel(t *testing.T, dir string, c Config) int {
	t.Helper()
	if err := saveJSON(filepath.Join(dir, "config.json"), c); err != nil {
		t.Fatal(err)
	}
	d, inner := c.HiddenSize, c.IntermediateSize
	values := make([]float32, c.VocabSize*d)
	for i := range values {
		values[i] = float32(i%4099)/4099*0.08 - 0.04
	}
	var tensors []safetensors.Tensor
	add := func(name string, shape ...int) {
		n := 1
		for _, s := range shape {
			n *= s
		}
		tensors = append(tensors, safetensors.Float32(name, values[:n], shape...))
	}
	linear := func(name string, out, in int) { add(name+".weight", out, in); add(name+".bias", out) }
	norm := func(name string) { add(name+".weight", d); add(name+".bias", d) }
	add("embeddings.word_embeddings.weight", c.VocabSize, d)
	add("embeddings.position_embeddings.weight", c.MaxPositionEmbeddings, d)
	add("embeddings.token_type_embeddings.weight", c.TypeVocabSize, d)
	norm("embeddings.LayerNorm")
	for i := range c.NumHiddenLayers {
		l := fmt.Sprintf("encoder.layer.%d.", i)
		for _, name := range []string{"query", "key", "value"} {
			linear(l+"attention.self."+name, d, d)
		}
		linear(l+"attention.output.dense", d, d)
		norm(l + "attention.output.LayerNorm")
		linear(l+"intermediate.dense", inner, d)
		linear(l+"output.dense", d, inner)
		norm(l + "output.LayerNorm")
	}
	path := filepath.Join(dir, "model.safetensors")
	if err := safetensors.Write(path, tensors, nil); err != nil {
		t.Fatal(err)
	}
	stat, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return int(stat.Size())
}
