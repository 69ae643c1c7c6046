package torchfile

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/muppet-go/muppet/nn/safetensors"
)

func same(a, b float64) bool {
	return math.Float64bits(a) == math.Float64bits(b) || math.IsNaN(a) && math.IsNaN(b)
}

// number decodes an element of any type.
func number(d safetensors.DType, b []byte) float64 {
	if decode := d.Float32(); decode != nil && d != safetensors.F64 {
		return float64(decode(b))
	}
	v := binary.LittleEndian.Uint64(append(slices.Clone(b), make([]byte, 8)...))
	unused := 64 - 8*d.Size()
	switch d {
	case safetensors.F64:
		return math.Float64frombits(v)
	case safetensors.I64, safetensors.I32, safetensors.I16, safetensors.I8:
		return float64(int64(v<<unused) >> unused)
	}
	return float64(v)
}

// The files were written by PyTorch and by Hugging Face's library; see testdata/make.py.
func TestReference(t *testing.T) {
	want, err := safetensors.Open("testdata/odd.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer want.Close()
	dtypes := map[string]safetensors.DType{"double": "F64", "half": "F16", "brain": "BF16", "long": "I64", "int": "I32",
		"short": "I16", "char": "I8", "byte": "U8", "flag": "BOOL", "u16": "U16", "u32": "U32", "u64": "U64", "f8": "F8_E4M3"}
	for _, path := range []string{"testdata/odd.bin", "testdata/protocol4.bin", "testdata/protocol5.bin"} {
		f, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		names := f.Names()
		if names[0] != "contiguous" || names[len(names)-1] != "odd \"näme\"\n" {
			t.Errorf("%s: names %q", path, names)
		}
		slices.Sort(names)
		sorted := slices.Sorted(slices.Values(want.Names()))
		if !slices.Equal(names, sorted) {
			t.Fatalf("%s: names %q, want %q", path, names, sorted)
		}
		for _, name := range names {
			info, _ := f.Info(name)
			dtype := dtypes[name]
			if dtype == "" {
				dtype = "F32"
			}
			values, shape, err := want.ReadFloat64(name)
			if err != nil {
				t.Fatal(err)
			}
			if info.Name != name || info.DType != dtype || !slices.Equal(info.Shape, shape) {
				t.Fatalf("%s: %v, want %s%v", path, info, dtype, shape)
			}
			got := make([]float64, len(values))
			if err := f.tensors[name].read(f.r, 0, len(got), func(i int, b []byte) { got[i] = number(dtype, b) }); err != nil {
				t.Fatal(err)
			}
			if dtype == "F8_E4M3" {
				continue // of which number knows nothing
			}
			if !slices.EqualFunc(got, values, same) {
				t.Errorf("%s: %s is %v, want %v", path, name, got, values)
			}
			// Every piece is the same part of the whole.
			for from := range len(values) + 1 {
				for to := from; to <= len(values); to++ {
					part := make([]float32, to-from)
					err := f.ReadFloat32At(name, part, from)
					if dtype.Float32() == nil {
						if err == nil || !strings.Contains(err.Error(), "cannot be read as float32") {
							t.Errorf("%s: %s: error %v", path, name, err)
						}
					} else if err != nil || !slices.EqualFunc(part, values[from:to],
						func(a float32, b float64) bool { return same(float64(a), float64(float32(b))) }) {
						t.Fatalf("%s: %s from %d to %d is %v, %v, want %v", path, name, from, to, part, err, values[from:to])
					}
				}
			}
		}
	}
}

// A tensor larger than what is read at a time, contiguous, transposed and strided.
func TestLarge(t *testing.T) {
	const rows, columns = 300, 700 // 840,000 bytes
	data := make([]byte, 4*rows*columns)
	for i := range rows * columns {
		binary.LittleEndian.PutUint32(data[4*i:], math.Float32bits(float32(i)))
	}
	for name, c := range map[string]struct {
		size, stride string
		at           func(i, j int) int
	}{
		"contiguous": {ints(rows, columns), ints(columns, 1), func(i, j int) int { return i*columns + j }},
		"transposed": {ints(columns, rows), ints(1, columns), func(i, j int) int { return j*columns + i }},
		"near":       {ints(rows, columns/7), ints(columns, 7), func(i, j int) int { return i*columns + 7*j }},
		"far":        {ints(rows, columns/70), ints(columns, 70), func(i, j int) int { return i*columns + 70*j }},
	} {
		content := archiveOf(t, tensorOf(rows*columns, "K\x00", c.size, c.stride), data)
		f, err := newFile(name, bytes.NewReader(content), int64(len(content)))
		if err != nil {
			t.Fatal(err)
		}
		info, _ := f.Info("w")
		whole := make([]float32, info.Len())
		const piece = 65_000
		for from := 0; from < len(whole); from += piece {
			if err := f.ReadFloat32At("w", whole[from:min(len(whole), from+piece)], from); err != nil {
				t.Fatal(err)
			}
		}
		for i := range whole {
			if want := float32(c.at(i/info.Shape[1], i%info.Shape[1])); whole[i] != want {
				t.Fatalf("%s: element %d is %v, want %v", name, i, whole[i], want)
			}
		}
	}
}

func TestErrors(t *testing.T) {
	for path, want := range map[string]string{
		"legacy.bin":      "testdata/legacy.bin: is in the format from before PyTorch 1.6, which is not read: load it in PyTorch and save it again",
		"evil.bin":        `testdata/evil.bin: data.pkl: byte 177: "posix.system" is refused: only tensors are read, and nothing in a file is run`,
		"odd.safetensors": "testdata/odd.safetensors: is no zip archive, as torch.save writes",
		"none.bin":        "none.bin: no such file",
	} {
		if _, err := Open(filepath.Join("testdata", path)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	f, err := Open("testdata/odd.bin")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, c := range []struct {
		name   string
		n, at  int
		wanted string
	}{
		{"none", 1, 0, `tensor "none": not in the file`},
		{"scalar", 2, 0, `tensor "scalar": elements 0 to 2 of 1`},
		{"scalar", 1, 1, `tensor "scalar": elements 1 to 2 of 1`},
		{"scalar", 1, -1, `tensor "scalar": elements -1 to 0 of 1`},
		{"long", 1, 0, `tensor "long": I64 cannot be read as float32`},
	} {
		if err := f.ReadFloat32At(c.name, make([]float32, c.n), c.at); err == nil || !strings.Contains(err.Error(), "testdata/odd.bin: "+c.wanted) {
			t.Errorf("error %v, want %s", err, c.wanted)
		}
	}
	if _, ok := f.Info("none"); ok {
		t.Error("Info of a tensor that is none")
	}
	if f.String() != fmt.Sprintf("testdata/odd.bin: %d tensors", len(f.Names())) {
		t.Error(f)
	}
}

// A file that became shorter after it was opened.
func TestTruncated(t *testing.T) {
	content := archiveOf(t, tensorOf(6, "K\x00", ints(2, 3), ints(3, 1)), make([]byte, 24))
	path := filepath.Join(t.TempDir(), "x.bin")
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := os.Truncate(path, 100); err != nil {
		t.Fatal(err)
	}
	if err := f.ReadFloat32At("w", make([]float32, 6), 0); err == nil || !strings.Contains(err.Error(), `x.bin: tensor "w": `) {
		t.Errorf("error %v", err)
	}
}
