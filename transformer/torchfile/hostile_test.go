package torchfile

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
)

// Pieces of pickles.

func text(s string) string {
	return "X" + string(binary.LittleEndian.AppendUint32(nil, uint32(len(s)))) + s
}

func integer64(n int64) string {
	return "\x8a\x08" + string(binary.LittleEndian.AppendUint64(nil, uint64(n)))
}

func ints(values ...int64) string {
	s := "("
	for _, v := range values {
		s += integer64(v)
	}
	return s + "t"
}

func storageOf(dtype, key string, n int64) string {
	return "(" + text("storage") + "ctorch\n" + dtype + "\n" + text(key) + text("cpu") + integer64(n) + "tQ"
}

const rebuild = "ctorch._utils\n_rebuild_tensor_v2\n"

// tensorOf is a state dict of one tensor, w, in storage 0, of n float32.
func tensorOf(n int64, offset, size, stride string) string {
	return stateDict(rebuild + "(" + storageOf("FloatStorage", "0", n) + offset + size + stride + "\x89ccollections\nOrderedDict\n)RtR")
}

func stateDict(value string) string { return "\x80\x02}" + text("w") + value + "s." }

func archiveOf(t testing.TB, program string, data []byte) []byte {
	return zipOf(t, "x/data.pkl", program, "x/byteorder", "little", "x/data/0", string(data))
}

// zipOf has the entries given as names and contents.
func zipOf(t testing.TB, entries ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := 0; i < len(entries); i += 2 {
		e, err := w.CreateHeader(&zip.FileHeader{Name: entries[i], Method: zip.Store})
		if err == nil {
			_, err = e.Write([]byte(entries[i+1]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// programs are refused for the reasons said.
var programs = map[string]string{
	"":                                     "byte 0: the pickle ends early",
	"\x80\x02":                             "byte 2: the pickle ends early",
	"\x80\x01}.":                           "byte 0: pickle protocol 1: want 2 to 5",
	"\x80\x06}.":                           "byte 0: pickle protocol 6: want 2 to 5",
	"\x80\x02.":                            "byte 2: 0 values and 0 marks at the end, 0 bytes after it",
	"\x80\x02}(.":                          "byte 4: 1 values and 1 marks at the end",
	"\x80\x02}}.":                          "2 values",
	"\x80\x02}.}":                          "1 bytes after it",
	"\x80\x02N.":                           "holds <nil>: want a dictionary of tensors",
	"\x80\x02K\x07.":                       "holds 7: want a dictionary of tensors",
	"cos\nsystem\n(X\x02\x00\x00\x00lstR.": `byte 0: "os.system" is refused: only tensors are read, and nothing in a file is run`,
	"c__builtin__\neval\n":                 `"__builtin__.eval" is refused`,
	"\x8c\x08builtins\x8c\x04eval\x93(" + "\x8c\x011tR.": `"builtins.eval" is refused`,
	"ctorch\nload\n": `"torch.load" is refused`,
	"ctorch._utils\n_rebuild_sparse_tensor\n":      `"torch._utils._rebuild_sparse_tensor" is refused`,
	"ctorch\nComplexFloatStorage\n":                `"torch.ComplexFloatStorage" is refused`,
	"ccollections\nOrderedDict":                    "a name without end",
	"c" + strings.Repeat("a", maxString+10) + "\n": "a name without end",
	"(ios\nsystem\n.":                              "byte 1: instruction 0x69 is refused", // INST
	"ccollections\nOrderedDict\n)\x81.":            "instruction 0x81 is refused",         // NEWOBJ
	"(o.":                                          "instruction 0x6f is refused",         // OBJ
	"P1\n.":                                        "instruction 0x50 is refused",         // PERSID
	"\x82\x01.":                                    "instruction 0x82 is refused",         // EXT1
	"K\x07)R.":                                     "REDUCE of int64 and torchfile.tuple", //
	"ccollections\nOrderedDict\nNR.":               "REDUCE of torchfile.function and <nil>",
	"ctorch\nFloatStorage\n)R.":                    "REDUCE of safetensors.DType",
	"ccollections\nOrderedDict\n(K\x01tR.":         "collections.OrderedDict of 1 arguments",
	"K\x01K\x02\x93":                               "STACK_GLOBAL of int64 and int64",
	"K\x01Q":                                       "BINPERSID of int64",
	")Q":                                           "a reference of 0 parts",
	"))b":                                          "BUILD of torchfile.tuple",
	"})b":                                          "BUILD with torchfile.tuple",
	"b":                                            "the stack is empty",
	"R":                                            "the stack is empty",
	"}(R":                                          "the stack is empty",
	"t":                                            "no mark on the stack",
	"}K\x01(s":                                     "the stack is empty",
	"}(K\x01u":                                     "a key without value",
	"NN)s":                                         "SETITEM in <nil>: want a dictionary",
	"}K\x01a":                                      "APPEND to *torchfile.dict",
	"](K\x01ee":                                    "no mark on the stack",
	"q\x00":                                        "the stack is empty",
	"h\x00":                                        "nothing under 0 in the memo",
	"j\xff\xff\xff\xff":                            "nothing under 4294967295 in the memo",
	"\x8a\x09123456789":                            "an integer of 9 bytes",
	"X\xff\xff\xff\x7f":                            "a string of 2147483647 bytes: the limit is 4096",
	"\x8d\x00\x00\x00\x00\x00\x00\x00\x10":         "a string of 1152921504606846976 bytes",
	"X\x05\x00\x00\x00abc":                         "the pickle ends early",
	"\x95\x00\x00\x00":                             "the pickle ends early",
	"G1234":                                        "the pickle ends early",
	strings.Repeat("(", maxStack+1):                "more than 65536 values on the stack",
	strings.Repeat(")", maxStack+1):                "more than 65536 values on the stack",
	")" + strings.Repeat("\x94", maxMemo+1):        "1048576 in the memo",
	rebuild + ")R":                                 "_rebuild_tensor_v2 of 0 arguments",
	rebuild + "(NNNNNNtR":                          "_rebuild_tensor_v2 of <nil>: want a storage with a type",
	"ctorch._utils\n_rebuild_parameter\n)R":        "_rebuild_parameter of 0 arguments",
	"ctorch._utils\n_rebuild_parameter\n(NNNtR":                                    "_rebuild_parameter of <nil>: want a tensor",
	"ctorch._utils\n_rebuild_tensor_v3\n(NNNNNNNtR":                                "_rebuild_tensor_v3 of <nil> and <nil>",
	"ctorch._utils\n_rebuild_tensor_v3\n)R":                                        "_rebuild_tensor_v3 of 0 arguments",
	storageOf("FloatStorage", "1", 6):                                              `no entry "x/data/1"`,
	storageOf("FloatStorage", "../byteorder", 6):                                   `no entry "x/data/../byteorder"`,
	storageOf("FloatStorage", "0", 7):                                              `storage "0": 7 elements of 4 bytes, the entry has 24 bytes`,
	storageOf("FloatStorage", "0", 5):                                              "5 elements of 4 bytes",
	storageOf("FloatStorage", "0", 1<<60):                                          "1152921504606846976",
	storageOf("FloatStorage", "0", 1<<62):                                          "4611686018427387904",
	storageOf("FloatStorage", "0", -1):                                             "a storage of safetensors.DType, string, -1",
	"(" + text("module") + "NNNNtQ":                                                "a reference of 5 parts: want a storage",
	"(" + text("storage") + "NNNNtQ":                                               "a storage of <nil>, <nil>, <nil>",
	tensorOf(6, "N", ints(6), ints(1)):                                             "storage_offset: <nil> is no integer from 0 on",
	tensorOf(6, integer64(-1), ints(6), ints(1)):                                   "storage_offset: -1 is no integer",
	tensorOf(6, integer64(7), ints(0), ints(1)):                                    "storage_offset 7 in a storage of 6 elements",
	tensorOf(6, integer64(1<<62), ints(1), ints(1)):                                "4611686018427387904",
	tensorOf(6, "K\x06", ints(), ints()):                                           "storage_offset 6, size [] and stride [] reach outside a storage of 6",
	tensorOf(6, "K\x01", ints(6), ints(1)):                                         "storage_offset 1, size [6] and stride [1] reach outside",
	tensorOf(6, "K\x00", ints(2, 3), ints(4, 1)):                                   "reach outside a storage of 6",
	tensorOf(6, "K\x00", ints(2, 1<<30), ints(3, 1)):                               "reach outside a storage of 6",
	tensorOf(6, "K\x00", ints(2), ints(1<<30)):                                     "reach outside a storage of 6",
	tensorOf(6, "K\x00", ints(2, 2, 2), ints(3, 3, 3)):                             "reach outside a storage of 6",
	tensorOf(6, "K\x00", ints(-2, -3), ints(3, 1)):                                 "size: -2 is no integer from 0 on",
	tensorOf(6, "K\x00", ints(6), ints(-1)):                                        "stride: -1 is no integer",
	tensorOf(6, "K\x00", ints(6), ints(1, 1)):                                      "size [6] and stride [1 1] differ in length",
	tensorOf(6, "K\x00", "]", ints(1)):                                             "size: *torchfile.list is no tuple of at most 64 integers",
	tensorOf(6, "K\x00", ints(make([]int64, 65)...), ints()):                       "size: torchfile.tuple is no tuple of at most 64",
	tensorOf(6, "K\x00", ints(1<<30, 1<<30), ints(0, 0)):                           "more than eight times as large as the file",
	tensorOf(6, "K\x00", ints(1<<30, 1<<30, 1<<30), ints(0, 0, 0)):                 "more than eight times as large as the file",
	tensorOf(6, "K\x00", ints(1<<20), ints(0)):                                     "more than eight times as large as the file",
	strings.Replace(tensorOf(6, "K\x00", ints(6), ints(1)), text("w"), "K\x05", 1): "a tensor's name is 5: want a string",
	strings.TrimSuffix(stateDict("q\x01")+"", "s.") + "0.":                         "instruction 0x30 is refused", // POP
}

// allocated returns the bytes that a function allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestPrograms(t *testing.T) {
	for program, want := range programs {
		content := archiveOf(t, program, make([]byte, 24))
		var err error
		taken := allocated(func() { _, err = newFile("f", bytes.NewReader(content), int64(len(content))) })
		if err == nil || !strings.HasPrefix(err.Error(), "torchfile: f: data.pkl: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: error %v, want %s", program, err, want)
		}
		if limit := uint64(200*len(content) + 1<<17); taken > limit {
			t.Errorf("%.60q: %d bytes taken for a file of %d", program, taken, len(content))
		}
	}
	// The same tensor twice, and a list that contains itself many times.
	twice := "\x80\x02}" + strings.Repeat(text("w")+strings.TrimSuffix(strings.TrimPrefix(
		tensorOf(6, "K\x00", ints(6), ints(1)), "\x80\x02}"+text("w")), "s.")+"s", 2) + "."
	content := archiveOf(t, twice, make([]byte, 24))
	if _, err := newFile("f", bytes.NewReader(content), int64(len(content))); err == nil || !strings.Contains(err.Error(), `tensor "w" occurs twice`) {
		t.Errorf("error %v", err)
	}
	content = archiveOf(t, "\x80\x02]q\x00"+strings.Repeat("h\x00a", 1000)+".", nil)
	if _, err := newFile("f", bytes.NewReader(content), int64(len(content))); err == nil || !strings.Contains(err.Error(), "holds *torchfile.list") {
		t.Errorf("error %v", err)
	}
}

// archives are refused for the reasons said.
func archives(t testing.TB) map[string][]byte {
	program := tensorOf(6, "K\x00", ints(6), ints(1))
	data := string(make([]byte, 24))
	good := archiveOf(t, program, []byte(data))
	edited := func(edit func(b []byte)) []byte {
		b := bytes.Clone(good)
		edit(b)
		return b
	}
	// entry lies in the list of entries about an entry that holds data.
	entry := func(change func(h *zip.FileHeader)) []byte {
		var b bytes.Buffer
		w := zip.NewWriter(&b)
		p, err := w.CreateHeader(&zip.FileHeader{Name: "x/data.pkl"})
		if err != nil {
			t.Fatal(err)
		}
		p.Write([]byte(program))
		h := &zip.FileHeader{Name: "x/data/0", CompressedSize64: 24, UncompressedSize64: 24}
		change(h)
		e, err := w.CreateRaw(h)
		if err != nil {
			t.Fatal(err)
		}
		e.Write([]byte(data))
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	end := func(b []byte) []byte { return b[bytes.LastIndex(b, []byte("PK\x05\x06")):] }
	directory := func(b []byte) []byte { return b[bytes.LastIndex(b, []byte("PK\x01\x02")):] }
	return map[string][]byte{
		"is no zip archive":                             []byte("PK"),
		"zip: not a valid zip file":                     []byte("PK\x03\x04 and no more"),
		"has no entry archive/data.pkl":                 zipOf(t, "data.pkl", program),
		`entries "x/data.pkl" and "y/data.pkl"`:         zipOf(t, "x/data.pkl", program, "y/data.pkl", program),
		`entry "x/data/0" occurs twice`:                 zipOf(t, "x/data.pkl", program, "x/data/0", data, "x/data/0", data),
		`no entry "x/data/0"`:                           zipOf(t, "x/data.pkl", program, "y/data/0", data),
		`byteorder is "big": only little is read`:       zipOf(t, "x/data.pkl", program, "x/byteorder", "big", "x/data/0", data),
		`entry "x/byteorder": 17 bytes, the limit is`:   zipOf(t, "x/data.pkl", program, "x/byteorder", strings.Repeat("x", 17)),
		`entry "x/data.pkl": 16777217 bytes, the limit`: zipOf(t, "x/data.pkl", string(make([]byte, maxPickle+1))),
		`entry "x/data/0": 1152921504606846976 bytes at`: entry(func(h *zip.FileHeader) {
			h.CompressedSize64, h.UncompressedSize64 = 1<<60, 1<<60
		}),
		`entry "x/data/0": 18446744073709551615 bytes at`: entry(func(h *zip.FileHeader) {
			h.CompressedSize64, h.UncompressedSize64 = 1<<64-1, 1<<64-1
		}),
		`entry "x/data/0" is compressed or encrypted`: entry(func(h *zip.FileHeader) { h.Method = zip.Deflate }),
		`"x/data/0" is compressed or`:                 entry(func(h *zip.FileHeader) { h.UncompressedSize64 = 25 }),
		`x/data/0" is compressed or`:                  entry(func(h *zip.FileHeader) { h.Flags = 1 }),
		`entry "x/data/0": zip: not a valid zip file`: edited(func(b []byte) {
			binary.LittleEndian.PutUint32(directory(b)[42:], 5) // its local header is elsewhere
		}),
		"negative offset": edited(func(b []byte) { binary.LittleEndian.PutUint32(end(b)[16:], 1<<30) }), // the list is elsewhere
	}
}

func TestArchives(t *testing.T) {
	for want, content := range archives(t) {
		var err error
		taken := allocated(func() { _, err = newFile("f", bytes.NewReader(content), int64(len(content))) })
		if err == nil || !strings.HasPrefix(err.Error(), "torchfile: f: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
		if limit := uint64(len(content) + 1<<17); taken > limit {
			t.Errorf("%s: %d bytes taken for a file of %d", want, taken, len(content))
		}
	}
	// A list of entries that is too long.
	var many []string
	for i := range 1 << 16 {
		many = append(many, fmt.Sprintf("x/%0250d", i), "")
	}
	content := zipOf(t, many...)
	_, err := newFile("f", bytes.NewReader(content), int64(len(content)))
	if err == nil || !strings.Contains(err.Error(), "the list of entries takes more than 16777216 bytes") {
		t.Errorf("error %v", err)
	}
}

// use reads all that a file has.
func use(t *testing.T, content []byte) error {
	f, err := newFile("f", bytes.NewReader(content), int64(len(content)))
	if err != nil {
		return err
	}
	total := 0
	for _, name := range f.Names() {
		info, ok := f.Info(name)
		if !ok {
			t.Fatalf("%q has no Info", name)
		}
		n := 0
		if err := f.tensors[name].read(f.r, 0, info.Len(), func(int, []byte) { n++ }); err != nil || n != info.Len() {
			t.Fatalf("%v: %d elements, %v", info, n, err)
		}
		total += n * info.DType.Size()
	}
	if total > 8*len(content)+1<<20 {
		t.Fatalf("%d bytes of tensors in a file of %d", total, len(content))
	}
	return nil
}

func TestCutAndChanged(t *testing.T) {
	content, err := os.ReadFile("testdata/odd.bin")
	if err != nil {
		t.Fatal(err)
	}
	for n := range content {
		if err := use(t, content[:n]); err == nil {
			t.Errorf("the first %d of %d bytes were read", n, len(content))
		}
	}
	for i := range content {
		for _, bit := range []byte{1, 0x80} {
			content[i] ^= bit
			use(t, content) // which may find fault with it or not
			content[i] ^= bit
		}
	}
	if err := use(t, content); err != nil {
		t.Error(err)
	}
}

func FuzzOpen(f *testing.F) {
	for _, content := range archives(f) {
		if len(content) < 1<<16 {
			f.Add(content)
		}
	}
	for _, path := range []string{"testdata/odd.bin", "testdata/protocol4.bin", "testdata/evil.bin", "testdata/legacy.bin"} {
		content, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content)
	}
	f.Fuzz(func(t *testing.T, content []byte) { use(t, content) })
}

func FuzzPickle(f *testing.F) {
	for program := range programs {
		if len(program) < 1<<12 {
			f.Add([]byte(program))
		}
	}
	f.Add([]byte(tensorOf(6, "K\x01", ints(2, 2), ints(1, 2))))
	f.Fuzz(func(t *testing.T, program []byte) { use(t, archiveOf(t, string(program), make([]byte, 24))) })
}
