package ops_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"testing"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/ops"
)

// notInPyTorch lists operations without stored results, and why.
var notInPyTorch = map[string]string{
	"Dropout":    "its mask is drawn from our generator",
	"DropoutAdd": "its mask is drawn from our generator",
}

// TestPyTorch compares values and gradients with those that PyTorch gave for samples
// of every operation, which testdata/pytorch.py wrote. With MUPPET_SAMPLES it writes
// the samples for that to the file of this name.
func TestPyTorch(t *testing.T) {
	if path := os.Getenv("MUPPET_SAMPLES"); path != "" {
		writeSamples(t, path)
		return
	}
	text, err := os.ReadFile("testdata/pytorch.json")
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	compared := map[string]int{}
	for _, s := range samples() {
		raw, ok := all[s.op+"/"+s.name]
		if !ok {
			continue
		}
		delete(all, s.op+"/"+s.name)
		compared[s.op]++
		t.Run(s.op+"/"+s.name, func(t *testing.T) {
			var want struct {
				Value     []float64
				Gradients [][]float64
			}
			if err := json.Unmarshal(raw, &want); err != nil {
				t.Fatal(err)
			}
			in := s.tensors(device.Default(), device.Float64)
			y := s.f(in...)
			near(t, "value", y.Float64s(), want.Value, 1e-9)
			if s.flat || want.Gradients == nil {
				return
			}
			w := make([]float64, y.Len())
			for i := range w {
				w[i] = math.Cos(float64(i))
			}
			weights := ops.Reshape(autograd.NewOn(y.Device(), w), y.Shape()...)
			for i, g := range autograd.Grad([]*tensor{y}, in, []*tensor{weights}, false) {
				if want.Gradients[i] == nil {
					continue // PyTorch has none
				}
				got := make([]float64, in[i].Len())
				if g != nil {
					got = g.Float64s()
				}
				near(t, fmt.Sprint("gradient of input ", i), got, want.Gradients[i], 1e-9)
			}
		})
	}
	for _, s := range samples() {
		if compared[s.op] == 0 && notInPyTorch[s.op] == "" {
			t.Errorf("%s has no results in testdata/pytorch.json", s.op)
			compared[s.op] = 1
		}
	}
	delete(all, "torch")
	for name := range all {
		t.Errorf("testdata/pytorch.json has results of %s, which is no sample", name)
	}
}

func writeSamples(t *testing.T, path string) {
	type values struct {
		Shape  []int     `json:"shape"`
		Values []float64 `json:"values"`
	}
	var all []any
	for _, s := range samples() {
		inputs := []values{}
		for _, a := range s.values() {
			inputs = append(inputs, values{append([]int{}, a.shape...), append([]float64{}, a.v...)})
		}
		all = append(all, map[string]any{"op": s.op, "name": s.name, "torch": s.torch, "inputs": inputs})
	}
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
}
