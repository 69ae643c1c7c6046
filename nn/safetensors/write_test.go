package safetensors

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestWriteAndRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model.safetensors")
	long := make([]float32, 3*chunkSize/4+5) // several chunks and a bit
	for i := range long {
		long[i] = float32(i) * 0.37
	}
	nan := math.Float32frombits(0x7fc12345)
	tensors := []Tensor{
		{"bytes", U8, []int{3}, func(w io.Writer) error { _, err := w.Write([]byte{1, 2, 3}); return err }},
		Int32("ids", []int32{-1, 0, math.MaxInt32}, 3),
		Float32("long", long, len(long)),
		Float32("<odd> \"name\"\n\u2028é", []float32{nan, float32(math.Inf(-1))}, 1, 2, 1),
		Float64("double", []float64{math.Pi, math.SmallestNonzeroFloat64}, 2),
		Int64("big", []int64{math.MinInt64}),
		Float32("empty", nil, 0, 7),
	}
	metadata := map[string]string{"format": "pt", "ключ": "\"<&>\""}
	if err := Write(path, tensors, metadata); err != nil {
		t.Fatal(err)
	}
	f := open(t, path)
	if !maps.Equal(f.Metadata(), metadata) {
		t.Errorf("metadata %v, want %v", f.Metadata(), metadata)
	}
	if want := []string{"big", "double", tensors[3].Name, "empty", "ids", "long", "bytes"}; !slices.Equal(f.Names(), want) {
		t.Errorf("names %q, want %q", f.Names(), want)
	}
	for _, want := range tensors {
		info, _ := f.Info(want.Name)
		if info.DType != want.DType || !slices.Equal(info.Shape, want.Shape) {
			t.Errorf("%v, want %s%v", info, want.DType, want.Shape)
		}
		var b bytes.Buffer
		if err := want.Data(&b); err != nil {
			t.Fatal(err)
		}
		r, err := f.Reader(want.Name)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, b.Bytes()) {
			t.Errorf("%s: other bytes than were written (%v)", want.Name, err)
		}
	}
	if got, _, err := f.ReadFloat32("long"); err != nil || !slices.Equal(got, long) {
		t.Errorf("long: %d values that differ, %v", len(got), err)
	}
	if got, _, err := f.ReadFloat32(tensors[3].Name); err != nil || math.Float32bits(got[0]) != 0x7fc12345 {
		t.Errorf("NaN came back as %v, %v", got, err)
	}
	if got, _, err := f.ReadInt32("ids"); err != nil || !slices.Equal(got, []int32{-1, 0, math.MaxInt32}) {
		t.Errorf("ids: %v, %v", got, err)
	}

	// The order of the arguments does not matter, and the data is aligned.
	first, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(tensors)
	if err := Write(path, tensors, metadata); err != nil {
		t.Fatal(err)
	}
	second, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, second) {
		t.Error("the same tensors in another order make another file")
	}
	if n := binary.LittleEndian.Uint64(first); n%8 != 0 {
		t.Errorf("the header takes %d bytes", n)
	}
}

func TestWriteNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model.safetensors")
	if err := Write(path, nil, nil); err != nil {
		t.Fatal(err)
	}
	if f := open(t, path); len(f.Names()) != 0 || f.Metadata() != nil {
		t.Errorf("%v, metadata %v", f, f.Metadata())
	}
}

// A write that fails leaves the old file as it was, and no other.
func TestWriteFails(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "model.safetensors")
	if err := os.WriteFile(path, []byte("old"), 0o666); err != nil {
		t.Fatal(err)
	}
	lost := errors.New("device lost")
	for want, data := range map[string]func(w io.Writer) error{
		"device lost":        func(w io.Writer) error { return lost },
		"Data wrote 3 bytes": func(w io.Writer) error { _, err := w.Write(make([]byte, 3)); return err },
		"Data wrote 5 bytes": func(w io.Writer) error { _, err := w.Write(make([]byte, 5)); return err },
	} {
		err := Write(path, []Tensor{{"x", F32, []int{1}, data}}, nil)
		if err == nil || !strings.Contains(err.Error(), path+`: tensor "x": `+want) {
			t.Errorf("error %v, want %s", err, want)
		}
		if want == lost.Error() && !errors.Is(err, lost) {
			t.Error("the cause is lost")
		}
	}
	if content, err := os.ReadFile(path); err != nil || string(content) != "old" {
		t.Errorf("the old file is %q, %v", content, err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
	if err := Write(filepath.Join(dir, "none", "x"), nil, nil); err == nil {
		t.Error("wrote into a missing folder")
	}
}

func TestPanics(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model.safetensors")
	x := Float32("x", []float32{1}, 1)
	for want, do := range map[string]func(){
		`safetensors: tensor "x": 1 values for shape [2]`:              func() { Float32("x", []float32{1}, 2) },
		`safetensors: tensor "x": shape [-1 -1]: negative dimension`:   func() { Int32("x", []int32{1}, -1, -1) },
		`safetensors: Write: tensor "x": the name is taken`:            func() { Write(path, []Tensor{x, x}, nil) },
		`safetensors: Write: tensor "__metadata__": the name is taken`: func() { Write(path, []Tensor{Float32("__metadata__", nil, 0)}, nil) },
		`safetensors: Write: name "\xff" is not UTF-8`:                 func() { Write(path, []Tensor{Float32("\xff", nil, 0)}, nil) },
		`safetensors: tensor "x": unknown dtype "F31"`:                 func() { Write(path, []Tensor{{"x", "F31", nil, nil}}, nil) },
	} {
		func() {
			defer func() {
				if got := recover(); got != want {
					t.Errorf("panic %v, want %s", got, want)
				}
			}()
			do()
		}()
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Error("a file was written all the same")
	}
}

func BenchmarkReadFloat32(b *testing.B) {
	path := filepath.Join(b.TempDir(), "model.safetensors")
	if err := Write(path, []Tensor{Float32("x", make([]float32, 1<<22), 1<<22)}, nil); err != nil {
		b.Fatal(err)
	}
	f := open(b, path)
	b.SetBytes(4 << 22)
	for b.Loop() {
		if _, _, err := f.ReadFloat32("x"); err != nil {
			b.Fatal(err)
		}
	}
}
