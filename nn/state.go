package nn

import (
	"fmt"
	"slices"
	"strings"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/nn/safetensors"
)

// Save writes the model's parameters and buffers to a safetensors file under their
// state-dict names. The file appears under its name only when all of it is on disk.
func Save(path string, model any) error { return SaveEntries(path, StateDict(model)) }

// Load reads the model's parameters and buffers from a safetensors file. It changes
// nothing unless the file has every one of them in its shape, and nothing else; the
// error lists by name what is missing, misshapen or unknown. The num_batches_tracked that
// PyTorch has beside the running estimates of a batch norm is passed over: nothing depends
// on it at a fixed momentum, and PyTorch does not miss it in what Save writes.
func Load(path string, model any) error { return LoadEntries(path, StateDict(model)) }

// SaveEntries is Save for tensors of the caller's choice.
func SaveEntries(path string, entries []Entry) error {
	tensors := make([]safetensors.Tensor, len(entries))
	for i, e := range entries {
		tensors[i] = hostTensor(e)
	}
	return safetensors.Write(path, tensors, map[string]string{"format": "pt"})
}

func hostTensor(e Entry) safetensors.Tensor {
	t := e.Tensor
	switch t.DType() {
	case device.Float64:
		return safetensors.Float64(e.Name, t.Float64s(), t.Shape()...)
	case device.Int32:
		return safetensors.Int32(e.Name, t.Int32s(), t.Shape()...)
	}
	return safetensors.Float32(e.Name, t.Float32s(), t.Shape()...)
}

// LoadEntries is Load for tensors of the caller's choice.
func LoadEntries(path string, entries []Entry) error {
	f, err := safetensors.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var problems []string
	unknown := map[string]bool{}
	for _, name := range f.Names() {
		unknown[name] = true
	}
	for _, e := range entries {
		info, ok := f.Info(e.Name)
		switch {
		case !ok:
			problems = append(problems, "missing "+e.Name)
		case !slices.Equal(info.Shape, e.Tensor.Shape()):
			problems = append(problems, fmt.Sprintf("%s has shape %v, want %v", e.Name, info.Shape, e.Tensor.Shape()))
		}
		delete(unknown, e.Name)
	}
	for _, e := range entries {
		if owner, ok := strings.CutSuffix(e.Name, "running_mean"); ok {
			delete(unknown, owner+"num_batches_tracked")
		}
	}
	for _, name := range f.Names() {
		if unknown[name] {
			problems = append(problems, "unknown "+name)
		}
	}
	if problems != nil {
		const shown = 10
		if n := len(problems); n > shown {
			problems = append(problems[:shown], fmt.Sprintf("and %d more", n-shown))
		}
		return fmt.Errorf("nn: %s does not fit the model: %s", path, strings.Join(problems, "; "))
	}
	data := make([]any, len(entries))
	for i, e := range entries { // read all before changing any
		if data[i], err = read(f, e); err != nil {
			return err
		}
	}
	for i, e := range entries {
		autograd.Mutate(func(dst ...device.Slice) { e.Tensor.Device().Write(dst[0], data[i]) }, e.Tensor)
	}
	return nil
}

func read(f *safetensors.File, e Entry) (data any, err error) {
	switch e.Tensor.DType() {
	case device.Float64:
		data, _, err = f.ReadFloat64(e.Name)
	case device.Int32:
		data, _, err = f.ReadInt32(e.Name)
	default:
		data, _, err = f.ReadFloat32(e.Name)
	}
	return data, err
}
