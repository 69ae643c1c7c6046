package safetensors_test

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/muppet-go/muppet/nn/safetensors"
)

func Example() {
	dir, err := os.MkdirTemp("", "safetensors")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "model.safetensors")
	err = safetensors.Write(path, []safetensors.Tensor{
		safetensors.Float32("fc1.weight", []float32{1, 2, 3, 4, 5, 6}, 2, 3),
		safetensors.Float32("fc1.bias", []float32{0.5, -0.5}, 2),
	}, map[string]string{"format": "pt"})
	if err != nil {
		fmt.Println(err)
		return
	}

	f, err := safetensors.Open(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer f.Close()
	for _, name := range f.Names() {
		info, _ := f.Info(name)
		values, _, err := f.ReadFloat32(name)
		fmt.Println(info, values, err)
	}
	// Output:
	// fc1.bias F32[2] [0.5 -0.5] <nil>
	// fc1.weight F32[2 3] [1 2 3 4 5 6] <nil>
}
