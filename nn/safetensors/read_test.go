package safetensors

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func open(t testing.TB, path string) *File {
	t.Helper()
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// same compares bit by bit, except that one NaN is as good as another.
func same(a, b float64) bool {
	return math.Float64bits(a) == math.Float64bits(b) || math.IsNaN(a) && math.IsNaN(b)
}

// The file was written by Hugging Face's library; see testdata/make.py.
func TestReference(t *testing.T) {
	f := open(t, "testdata/reference.safetensors")
	if m := f.Metadata(); len(m) != 2 || m["format"] != "pt" || m["note"] != "ünïcode" {
		t.Errorf("metadata %v", m)
	}
	zero, inf := math.Copysign(0, -1), math.Inf(1)
	special := []float64{0, zero, 1, -2.5, 65504, 0x1p-14, 0x1p-24, -0x3p-24, inf, -inf, math.NaN(), 1.0 / 3}
	as := func(change int, third, first float64) []float64 {
		s := slices.Clone(special)
		s[11] = third
		s[change] = first
		return s
	}
	floats := map[string]struct {
		shape  []int
		values []float64
	}{
		"weight":         {[]int{2, 3}, []float64{0, .25, .5, .75, 1, 1.25}},
		"double":         {[]int{12}, special},
		"half":           {[]int{12}, as(0, 0x5.55p-4, 0)},
		"brain":          {[]int{12}, as(4, 0x0.ABp-1, 65536)},
		"scalar":         {[]int{}, []float64{42}},
		"empty":          {[]int{3, 0, 2}, nil},
		"odd \"näme\"\n": {[]int{1}, []float64{1.5}},
	}
	for name, want := range floats {
		got, shape, err := f.ReadFloat64(name)
		if err != nil || !slices.Equal(shape, want.shape) || !slices.EqualFunc(got, want.values, same) {
			t.Errorf("ReadFloat64(%q) = %v, %v, %v; want %v, %v", name, got, shape, err, want.values, want.shape)
		}
		single, shape, err := f.ReadFloat32(name)
		if err != nil || !slices.Equal(shape, want.shape) ||
			!slices.EqualFunc(single, want.values, func(a float32, b float64) bool { return same(float64(a), float64(float32(b))) }) {
			t.Errorf("ReadFloat32(%q) = %v, %v, %v; want %v, %v", name, single, shape, err, want.values, want.shape)
		}
		if info, ok := f.Info(name); !ok || info.Name != name || info.Len() != len(want.values) {
			t.Errorf("Info(%q) = %v, %v", name, info, ok)
		}
	}
	ints := map[string][]int32{
		"long":  {-1, math.MaxInt32, math.MinInt32, 7},
		"int":   {-5, 5},
		"short": {-300, 300},
		"char":  {-128, 127},
		"byte":  {0, 255},
		"flag":  {1, 0, 1},
	}
	for name, want := range ints {
		if got, _, err := f.ReadInt32(name); err != nil || !slices.Equal(got, want) {
			t.Errorf("ReadInt32(%q) = %v, %v; want %v", name, got, err, want)
		}
	}
	if n := len(f.Names()); n != len(floats)+len(ints)+1 {
		t.Errorf("%d names: %q", n, f.Names())
	}
	if r, err := f.Reader("short"); err != nil {
		t.Error(err)
	} else if b, err := io.ReadAll(r); err != nil || !bytes.Equal(b, []byte{0xd4, 0xfe, 0x2c, 0x01}) {
		t.Errorf("Reader(short) reads % x, %v", b, err)
	}

	for _, c := range []struct {
		read func() error
		want string
	}{
		{func() error { _, _, err := f.ReadInt32("beyond"); return err }, `tensor "beyond": element 0: 2147483648 does not fit an int32`},
		{func() error { _, _, err := f.ReadInt32("half"); return err }, `tensor "half": F16 cannot be read as int32`},
		{func() error { _, _, err := f.ReadFloat32("long"); return err }, `tensor "long": I64 cannot be read as float32`},
		{func() error { _, _, err := f.ReadFloat64("long"); return err }, `tensor "long": I64 cannot be read as float`},
		{func() error { _, _, err := f.ReadFloat32("none"); return err }, `tensor "none": not in the file`},
		{func() error { _, err := f.Reader("none"); return err }, `tensor "none": not in the file`},
	} {
		if err := c.read(); err == nil || !strings.Contains(err.Error(), "testdata/reference.safetensors: "+c.want) {
			t.Errorf("error %v, want %s", err, c.want)
		}
	}
}

// All 65536 halves, against the definition of the format.
func TestFloat16(t *testing.T) {
	for h := range 1 << 16 {
		exponent, fraction := h>>10&0x1f, float64(h&0x3ff)
		var want float64
		switch {
		case exponent == 0:
			want = math.Ldexp(fraction, -24)
		case exponent < 31:
			want = math.Ldexp(1024+fraction, exponent-25)
		case fraction == 0:
			want = math.Inf(1)
		default:
			want = math.NaN()
		}
		if h>>15 == 1 {
			want = math.Copysign(want, -1)
		}
		got := float16(uint16(h))
		if !same(float64(got), want) || math.Signbit(float64(got)) != (h>>15 == 1) {
			t.Fatalf("float16(%#04x) = %g, want %g", h, got, want)
		}
	}
}

// file puts a header and some data together.
func rawFile(header string, data int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), make([]byte, data)...)
}

func one(dtype, shape, offsets string) string {
	return fmt.Sprintf(`{"x":{"dtype":%q,"shape":%s,"data_offsets":%s}}`, dtype, shape, offsets)
}

var hostile = []struct {
	name    string
	content []byte
	want    string
}{
	{"empty", nil, "0 bytes are too short"},
	{"seven bytes", make([]byte, 7), "7 bytes are too short"},
	{"no header", make([]byte, 8), "JSON ends early"},
	{"header longer than the file", binary.LittleEndian.AppendUint64(nil, 9), "header of 9 bytes in a file that has 0 left"},
	{"header over the limit", binary.LittleEndian.AppendUint64(nil, maxHeader+1), "header of 100000001 bytes, the limit"},
	{"header of 2^64-1", bytes.Repeat([]byte{0xff}, 100), "header of 18446744073709551615 bytes, the limit"},
	{"not UTF-8", rawFile("{\"\xff\":{}}", 0), "not UTF-8"},
	{"not JSON", rawFile("hello", 0), "invalid character"},
	{"an array", rawFile("[]", 0), `"[" where "{" belongs`},
	{"ends early", rawFile(`{"x":{"dtype":"F32"`, 0), `"x": JSON ends early`},
	{"more after it", rawFile("{} {}", 0), "something follows"},
	{"tensor is no object", rawFile(`{"x":1}`, 0), `"x": "1" where "{" belongs`},
	{"deep", rawFile(`{"x":`+strings.Repeat("[", 100000), 0), `"x": "[" where "{" belongs`},
	{"tensor twice", rawFile(`{"x":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"x":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}`, 0), `"x": name occurs twice`},
	{"field twice", rawFile(`{"x":{"dtype":"U8","dtype":"U8"}}`, 0), `"x": "dtype": field occurs twice`},
	{"unknown field", rawFile(`{"x":{"strides":[1]}}`, 0), `"x": "strides": unknown field`},
	{"no dtype", rawFile(`{"x":{"shape":[0],"data_offsets":[0,0]}}`, 0), `"x": "dtype" is missing`},
	{"no shape", rawFile(`{"x":{"dtype":"U8","data_offsets":[0,0]}}`, 0), `"x": "shape" is missing`},
	{"no offsets", rawFile(`{"x":{"dtype":"U8","shape":[0]}}`, 0), `"x": "data_offsets" is missing`},
	{"dtype is a number", rawFile(`{"x":{"dtype":32}}`, 0), `"x": "dtype": "32" where a string belongs`},
	{"unknown dtype", rawFile(one("F31", "[1]", "[0,4]"), 4), `"x": unknown dtype "F31"`},
	{"shape is a number", rawFile(`{"x":{"shape":1}}`, 0), `"x": "shape": "1" where "[" belongs`},
	{"dimension is a string", rawFile(one("F32", `["1"]`, "[0,4]"), 4), `"shape": "1" where a number belongs`},
	{"negative dimension", rawFile(one("F32", "[-1,-1]", "[0,4]"), 4), `"shape": -1 is no integer`},
	{"fractional dimension", rawFile(one("F32", "[1.0]", "[0,4]"), 4), `"shape": 1.0 is no integer`},
	{"dimension of 2^64", rawFile(one("F32", "[18446744073709551616]", "[0,0]"), 0), "is no integer"},
	{"shape overflows to 0", rawFile(one("F32", "[4294967296,4294967296]", "[0,0]"), 0), "size overflows"},
	{"shape overflows in bytes", rawFile(one("F32", "[4611686018427387904]", "[0,0]"), 0), "size overflows"},
	{"huge shape", rawFile(one("F32", "[1000000,1000000]", "[0,4]"), 4), "takes 4000000000000 bytes, data_offsets [0 4] hold 4"},
	{"too many dimensions", rawFile(one("F32", "["+strings.Repeat("1,", 64)+"1]", "[0,4]"), 4), "more than 64 integers"},
	{"one offset", rawFile(one("F32", "[1]", "[4]"), 4), "are no [begin, end]"},
	{"three offsets", rawFile(one("F32", "[1]", "[0,4,8]"), 4), "more than 2 integers"},
	{"offsets reversed", rawFile(one("F32", "[1]", "[4,0]"), 4), "data_offsets [4 0] are no [begin, end]"},
	{"offsets of the wrong size", rawFile(one("F32", "[2]", "[0,4]"), 4), "takes 8 bytes, data_offsets [0 4] hold 4"},
	{"offsets out of range", rawFile(one("F32", "[2]", "[0,8]"), 4), `"x": data_offsets [0, 8] reach beyond the file's 4 bytes`},
	{"offsets beyond", rawFile(one("F32", "[1]", "[4,8]"), 8), `"x": data_offsets [4, 8] leave a hole after 0`},
	{"data left over", rawFile(one("F32", "[1]", "[0,4]"), 5), "the tensors take 4 bytes, the file has 5"},
	{"data without tensors", rawFile("{}", 1), "the tensors take 0 bytes, the file has 1"},
	{"overlap", rawFile(`{"x":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"y":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}}`, 4), `"y": data_offsets [2, 4] overlap`},
	{"same bytes twice", rawFile(`{"x":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"y":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}`, 4), `"y": data_offsets [0, 4] overlap`},
	{"hole", rawFile(`{"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"y":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}}`, 4), `"y": data_offsets [2, 4] leave a hole after 1`},
	{"metadata is a list", rawFile(`{"__metadata__":[]}`, 0), `"__metadata__": "[" where "{" belongs`},
	{"metadata of numbers", rawFile(`{"__metadata__":{"a":1}}`, 0), `"__metadata__": "a": "1" where a string belongs`},
	{"metadata key twice", rawFile(`{"__metadata__":{"a":"","a":""}}`, 0), `"__metadata__": "a": key occurs twice`},
}

func TestOpenRefuses(t *testing.T) {
	for _, c := range hostile {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "model.safetensors")
			if err := os.WriteFile(path, c.content, 0o666); err != nil {
				t.Fatal(err)
			}
			f, err := Open(path)
			if err == nil {
				f.Close()
				t.Fatal("no error")
			}
			if msg := err.Error(); !strings.HasPrefix(msg, "safetensors: "+path+": ") || !strings.Contains(msg, c.want) {
				t.Errorf("error %q, want %q in it", msg, c.want)
			}
		})
	}
	dir := t.TempDir()
	for path, want := range map[string]string{dir: dir + ": not a regular file", filepath.Join(dir, "none"): "no such file"} {
		if _, err := Open(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v", path, err)
		}
	}
}

// A file may shrink while it is open.
func TestTruncatedAfterOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model.safetensors")
	if err := Write(path, []Tensor{Float32("x", make([]float32, 100), 100)}, nil); err != nil {
		t.Fatal(err)
	}
	f := open(t, path)
	if err := os.Truncate(path, 200); err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.ReadFloat32("x"); err == nil || !strings.Contains(err.Error(), path+`: tensor "x": unexpected EOF`) {
		t.Errorf("error %v", err)
	}
}

func FuzzOpen(f *testing.F) {
	for _, c := range hostile {
		f.Add(c.content)
	}
	reference, err := os.ReadFile("testdata/reference.safetensors")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(reference)
	f.Fuzz(func(t *testing.T, content []byte) {
		file, err := newFile("fuzz", bytes.NewReader(content), int64(len(content)))
		if err != nil {
			return
		}
		var total int64
		for _, name := range file.Names() {
			info, ok := file.Info(name)
			if !ok {
				t.Fatalf("%q has no Info", name)
			}
			r, err := file.Reader(name)
			if err != nil {
				t.Fatal(err)
			}
			n, err := io.Copy(io.Discard, r)
			if err != nil || n != int64(info.Len()*info.DType.Size()) {
				t.Fatalf("%v: %d bytes, %v", info, n, err)
			}
			total += n
			switch info.DType {
			case F64, F32, F16, BF16:
				if values, _, err := file.ReadFloat64(name); err != nil || len(values) != info.Len() {
					t.Fatalf("%v: %d values, %v", info, len(values), err)
				}
			case I32, I16, I8, U16, U8, Bool:
				if values, _, err := file.ReadInt32(name); err != nil || len(values) != info.Len() {
					t.Fatalf("%v: %d values, %v", info, len(values), err)
				}
			}
		}
		header := int64(binary.LittleEndian.Uint64(content))
		if 8+header+total != int64(len(content)) {
			t.Fatalf("tensors take %d bytes of %d after a header of %d", total, len(content), header)
		}
	})
}
