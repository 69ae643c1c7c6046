package task

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// A fieldMap is a record with named fields.
type fieldMap = map[string]any

type readCase struct {
	name  string
	s     source
	in    string
	want  []any
	where []string
	err   string // part of the error, if there is one
}

var readCases = []readCase{
	{name: "text", s: source{format: "text"}, in: "a\n\n\tb \n", want: []any{"a", "", "\tb "}, where: []string{"f:1", "f:2", "f:3"}},
	{name: "no final newline", s: source{format: "text"}, in: "a\nb", want: []any{"a", "b"}},
	{name: "CRLF", s: source{format: "text"}, in: "a\r\nb\r\n", want: []any{"a", "b"}},
	{name: "byte order mark", s: source{format: "text"}, in: "\uFEFFa\n", want: []any{"a"}},
	{name: "line separators of Unicode", s: source{format: "text"}, in: "a\u2028b\u0085c\n", want: []any{"a\u2028b\u0085c"}},
	{name: "latin-1", s: source{format: "text", latin1: true}, in: "caf\xe9 \xa3\n", want: []any{"café £"}},
	{name: "not UTF-8", s: source{format: "text"}, in: "a\ncaf\xe9\n", want: []any{"a"}, err: "f:2: not valid UTF-8; if the file is ISO 8859-1, declare `encoding: latin-1`"},
	{name: "long line", s: source{format: "text", maxBytes: 1 << 17}, in: strings.Repeat("x", 1<<17) + "\n", want: []any{strings.Repeat("x", 1<<17)}},
	{name: "too long a line", s: source{format: "text", maxBytes: 1 << 16}, in: "a\n" + strings.Repeat("x", 1<<18), want: []any{"a"}, err: "f:2: line longer than 65536 bytes"},

	{name: "document", s: source{format: "document"}, in: "\uFEFFa\n\n\tb \n", want: []any{"a\n\n\tb \n"}, where: []string{"f"}},
	{name: "document, latin-1", s: source{format: "document", latin1: true}, in: "\xe9\n", want: []any{"é\n"}},
	{name: "empty document", s: source{format: "document"}, in: "", want: nil},
	{name: "document that is not UTF-8", s: source{format: "document"}, in: "caf\xe9", want: nil, err: "f: not valid UTF-8"},
	{name: "long document", s: source{format: "document", maxBytes: 1 << 16}, in: strings.Repeat("x", 1<<18), want: nil, err: "f: longer than 65536 bytes"},

	{name: "jsonl", s: source{format: "jsonl"}, in: "{\"a\": [1, null]}\n\n\r\ntrue\n", want: []any{fieldMap{"a": []any{1.0, nil}}, true}, where: []string{"f:1", "f:4"}},
	{name: "jsonl, latin-1", s: source{format: "jsonl", latin1: true}, in: "\"\xe9\"\n", want: []any{"é"}},
	{name: "jsonl, not UTF-8", s: source{format: "jsonl"}, in: "\"\xe9\"\n", err: "f:1: not valid UTF-8"},
	{name: "jsonl, broken", s: source{format: "jsonl"}, in: "1\n{\"a\":\n", want: []any{1.0}, err: "f:2: unexpected end of JSON input"},
	{name: "jsonl, two values", s: source{format: "jsonl"}, in: "1 2\n", err: "f:1: invalid character '2'"},
	{name: "jsonl, too deep", s: source{format: "jsonl"}, in: strings.Repeat("[", 1<<16), err: "exceeded max depth"},

	{name: "json", s: source{format: "json"}, in: `{"data": [7, {"b": 8}]}`, want: []any{7.0, fieldMap{"b": 8.0}}, where: []string{"f: record 1", "f: record 2"}},
	{name: "json, broken", s: source{format: "json"}, in: "{\n\"a\": x}", err: "f: line 2: invalid character 'x'"},
	{name: "json, records fail", s: source{format: "json"}, in: "[1]", err: "f: records: expected an object but got: array ([1])"},
	{name: "json, not UTF-8", s: source{format: "json"}, in: "[\"\xff\"]", err: "f: not valid UTF-8"},

	{name: "tsv", s: source{format: "tsv", header: true}, in: "a\tb\n\"1\t2\"\n\n\t\n", want: []any{fieldMap{"a": `"1`, "b": `2"`}, fieldMap{"a": "", "b": ""}}},
	{name: "tsv, blank fields", s: source{format: "tsv", header: true}, in: "a\tb\n1\t\n", want: []any{fieldMap{"a": "1", "b": ""}}, where: []string{"f:2"}},
	{name: "tsv without header", s: source{format: "tsv"}, in: "1\t2\n3\n", want: []any{[]any{"1", "2"}, []any{"3"}}},
	{name: "tsv with named columns", s: source{format: "tsv", columns: []string{"x", "y"}}, in: "1\t2\n", want: []any{fieldMap{"x": "1", "y": "2"}}, where: []string{"f:1"}},
	{name: "tsv with header and named columns", s: source{format: "tsv", header: true, columns: []string{"x", "y"}}, in: "a\tb\n1\t2\n", want: []any{fieldMap{"x": "1", "y": "2"}}, where: []string{"f:2"}},
	{name: "tsv with BOM and CRLF", s: source{format: "tsv", header: true}, in: "\uFEFFa\tb\r\n1\t2\r\n", want: []any{fieldMap{"a": "1", "b": "2"}}},
	{name: "tsv, too few columns", s: source{format: "tsv", header: true}, in: "a\tb\n1\n", err: "f:2: 1 columns where 2 are declared"},
	{name: "tsv, column twice", s: source{format: "tsv", header: true}, in: "a\ta\n1\t2\n", err: `f:1: header names column "a" twice`},
	{name: "tsv, not UTF-8", s: source{format: "tsv"}, in: "a\t\xff\n", err: "f:1: not valid UTF-8"},
	{name: "tsv, latin-1", s: source{format: "tsv", latin1: true}, in: "a\t\xff\n", want: []any{[]any{"a", "ÿ"}}},

	{name: "csv", s: source{format: "csv", header: true}, in: "a,b\r\n\"1\n\"\"x\"\"\",2\r\n\n3,\"4,5\"\n",
		want: []any{fieldMap{"a": "1\n\"x\"", "b": "2"}, fieldMap{"a": "3", "b": "4,5"}}, where: []string{"f:2", "f:5"}},
	{name: "csv without header", s: source{format: "csv"}, in: "1,2\n3\n", want: []any{[]any{"1", "2"}, []any{"3"}}},
	{name: "csv, latin-1", s: source{format: "csv", latin1: true}, in: "\"\xe9\",2\n", want: []any{[]any{"é", "2"}}},
	{name: "csv, not UTF-8", s: source{format: "csv"}, in: "\"a\nb\",\"\xe9\"\n", err: "f:2: not valid UTF-8"},
	{name: "csv, too many columns", s: source{format: "csv", header: true}, in: "a\n\"1\n\"\n1,2\n", want: []any{fieldMap{"a": "1\n"}}, err: "f:4: 2 columns where 1 are declared"},
	{name: "csv, bare quote", s: source{format: "csv"}, in: "1\n\"a\nb\" c\n", want: []any{[]any{"1"}}, err: "f:2: line 3, column"},
	{name: "csv, open quote", s: source{format: "csv"}, in: "1\n\"a\n\n", want: []any{[]any{"1"}}, err: "f:2: line"},
	{name: "csv, too long", s: source{format: "csv", maxBytes: 1 << 16}, in: "1\n\"" + strings.Repeat("x\n", 1<<17), want: []any{[]any{"1"}}, err: "f: the record after line 1 is longer than 65536 bytes"},
	{name: "csv, long in all", s: source{format: "csv", maxBytes: 100}, in: strings.Repeat("0123456789\n", 50), want: repeat([]any{"0123456789"}, 50)},
	{name: "csv, only blank", s: source{format: "csv"}, in: "\n\n"},
	{name: "nothing", s: source{format: "tsv", header: true}, in: ""},
}

func repeat(v any, n int) []any {
	all := make([]any, n)
	for i := range all {
		all[i] = v
	}
	return all
}

// readAll reads the records of in, which it calls f.
func readAll(t testing.TB, s source, in io.Reader) (values []any, places []string, err error) {
	t.Helper()
	s.path = "f"
	if s.maxBytes == 0 {
		s.maxBytes = maxLine
	}
	if s.format == "json" {
		if s.records, err = compile(".data[]"); err != nil {
			t.Fatal(err)
		}
	}
	r := s.read(in)
	for {
		value, where, err := r.next()
		if err == io.EOF {
			return values, places, nil
		}
		if err != nil {
			return values, places, err
		}
		values, places = append(values, value), append(places, where)
	}
}

func TestReaders(t *testing.T) {
	for _, c := range readCases {
		t.Run(c.name, func(t *testing.T) {
			for _, in := range []io.Reader{strings.NewReader(c.in), iotest.HalfReader(strings.NewReader(c.in))} {
				values, places, err := readAll(t, c.s, in)
				if c.err != "" {
					wantError(t, err, c.err)
				} else if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(c.want, values); diff != "" {
					t.Error(diff)
				}
				if diff := cmp.Diff(c.where, places); c.where != nil && diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

func TestReadersFailingFile(t *testing.T) {
	for _, format := range formats[:len(formats)-1] { // parquet is read from its end: internal/parquet has tests of its own
		in := io.MultiReader(strings.NewReader("[]\n[]"), iotest.ErrReader(io.ErrUnexpectedEOF))
		_, _, err := readAll(t, source{format: format}, in)
		wantError(t, err, "f", io.ErrUnexpectedEOF.Error())
	}
}

func TestParallelFiles(t *testing.T) {
	load := func(a, b string) *Task {
		dir := write(t, "t.yaml", `name: P
family: classification
source: https://example.org
labels: [no, yes]
files:
  train: {item: a.jsonl, label: b.txt}
  dev: {item: a.jsonl, label: b.txt}
format: {item: jsonl, label: text}
example: '{text: .item.t, label}'
`, "a.jsonl", a, "b.txt", b)
		tasks, err := Load(dir, dir)
		if err != nil {
			t.Fatal(err)
		}
		return tasks[0]
	}
	got, err := load(`{"t": "x"}`+"\n"+`{"t": "y"}`, "yes\nno\n").Read("dev")
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0].Text != "x" || got[0].Label != 1 || got[1].Text != "y" || got[1].Label != 0 {
		t.Errorf("parallel files read as %v", got)
	}
	_, err = load(`{"t": "x"}`, "yes\nno\n").Read("train")
	wantError(t, err, "b.txt:2: goes on where its parallel file has ended (", "a.jsonl:2)")
	_, err = load(`{"t": "x"}`+"\n"+`{"t": "y"}`, "yes\n").Read("train")
	wantError(t, err, "a.jsonl:2: goes on", "b.txt:2)")
	_, err = load(`{"t": "x"}`, "\xff\n").Read("train")
	wantError(t, err, "b.txt:1: not valid UTF-8")
}

func TestHeaderPerSplit(t *testing.T) {
	dir := write(t, "t.yaml", edit("format", "format: tsv\n", "", "header: {train: true, dev: false}\n", "", "columns: [t]\n", "example", "example: '{text: .t, label: \"no\"}'\n"),
		"train", "h\nx\n", "dev", "y\n")
	tasks, err := Load(dir, dir)
	if err != nil {
		t.Fatal(err)
	}
	for split, want := range map[string]string{"train": "x", "dev": "y"} {
		got, err := tasks[0].Read(split)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != 1 || got[0].Text != want {
			t.Errorf("%s: %v", split, got)
		}
	}
}

// TestOneInAMillion has a malformed row at the end of a large file. It is named, and
// reading takes no more memory for the rows before it.
func TestOneInAMillion(t *testing.T) {
	for _, c := range []struct {
		format         string
		rows           int
		head, row, bad string
		want           string
	}{
		{"jsonl", 1_000_000, "", `{"t": "a text"}`, `{"t": 7}`, "train:1000000: example: text: must be a string, not 7"},
		{"tsv", 100_000, "t\tu\n", "a text\tb", "a text", "train:100001: 1 columns where 2 are declared"},
	} {
		rows, format := c.rows, c.format
		if testing.Short() && rows > 100_000 {
			continue
		}
		data := c.head + strings.Repeat(c.row+"\n", rows-1) + c.bad + "\n" + c.row + "\n"
		dir := write(t, "t.yaml", edit("format", "format: "+format+"\n", "example", "example: '{text: .t, label: \"no\"}'\n"), "train", data, "dev", data[:100])
		tasks, err := Load(dir, dir)
		if err != nil {
			t.Fatal(err)
		}
		var bad []error
		good, most := 0, uint64(0)
		err = tasks[0].Each("train", func(Example) error {
			if good++; good%(rows/10) == 0 {
				runtime.GC()
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				most = max(most, m.HeapAlloc)
			}
			return nil
		}, func(err error) error {
			bad = append(bad, err)
			return nil
		})
		if err != nil || good != rows || len(bad) != 1 {
			t.Fatalf("%s: %d examples, %d bad records, %v", format, good, len(bad), err)
		}
		wantError(t, bad[0], c.want)
		if limit := uint64(len(data)) + 16<<20; most > limit { // the test itself holds the data
			t.Errorf("%s: %d bytes in use while reading, want at most %d", format, most, limit)
		}
		runtime.KeepAlive(data)
	}
}

// FuzzReaders requires that any bytes give records or an error, with text that
// is valid UTF-8, and that a reader goes on behind what is one record's error.
func FuzzReaders(f *testing.F) {
	for _, c := range readCases {
		if len(c.in) < 1<<12 {
			f.Add([]byte(c.in), c.s.latin1, c.s.header)
		}
	}
	f.Fuzz(func(t *testing.T, in []byte, latin1, header bool) {
		for _, format := range formats[:len(formats)-1] { // parquet is read from its end: internal/parquet has tests of its own
			values, places, _ := readAll(t, source{format: format, latin1: latin1, header: header, maxBytes: 1 << 12}, bytes.NewReader(in))
			if len(values) > len(in) {
				t.Errorf("%s: %d records of %d bytes", format, len(values), len(in))
			}
			for i, v := range values {
				if places[i] == "" {
					t.Errorf("%s: a record has no place", format)
				}
				checkUTF8(t, v)
			}
			s := source{path: "f", format: format, latin1: latin1, header: header, maxBytes: 1 << 12}
			s.records, _ = compile(".data[]")
			for r, n := s.read(bytes.NewReader(in)), 0; ; n++ {
				_, _, err := r.next()
				var one badRecord
				if err != nil && !errors.As(err, &one) {
					break
				}
				if n > len(in) {
					t.Fatalf("%s: more than %d records, good and bad, of %d bytes", format, n, len(in))
				}
			}
		}
	})
}

func checkUTF8(t *testing.T, v any) {
	switch v := v.(type) {
	case string:
		if strings.ToValidUTF8(v, "") != v {
			t.Errorf("not UTF-8: %q", v)
		}
	case []any:
		for _, e := range v {
			checkUTF8(t, e)
		}
	case map[string]any:
		for key, e := range v {
			checkUTF8(t, key)
			checkUTF8(t, e)
		}
	}
}

// FuzzTaskFile requires that any bytes give a task or an error that names the file.
func FuzzTaskFile(f *testing.F) {
	f.Add([]byte(taskFile))
	f.Add([]byte(edit("format", "format: json\n", "", "records: .[]\n", "", "header: {train: true}\n")))
	f.Add([]byte(edit("", "layouts:\n- files: {train: a*, dev: b}\n  format: jsonl\n  example: .\n- {files: {train: a, dev: b}, format: tsv, columns: [x]}\n")))
	f.Add([]byte(edit("family", "family: regression\n", "labels", "range: [-1, 2.5]\n")))
	f.Add([]byte("a: &a [*a, *a]\n<<: *a\n"))
	f.Add([]byte("? [a]\n: !!binary x\n--- |\n"))
	f.Add([]byte(strings.Repeat("[", 1<<10)))
	f.Fuzz(func(t *testing.T, src []byte) {
		if len(src) > maxTaskFile {
			return
		}
		task, err := parse("f.yaml", src, "data")
		if err != nil && !strings.HasPrefix(err.Error(), "f.yaml") {
			t.Errorf("error names no file: %v", err)
		}
		if err == nil && (task.Name == "" || len(task.layouts) == 0) {
			t.Errorf("half a task: %+v", task)
		}
	})
}

func TestParquet(t *testing.T) {
	testdata := filepath.Join("..", "..", "internal", "parquet", "testdata")
	good, err := os.ReadFile(filepath.Join(testdata, "datasets.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := os.ReadFile(filepath.Join(testdata, "plain.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	file := edit("format", "format: parquet\n", "example", "example: 'select(.answers.answer_start[0] == 37) | {text: .question, text2: .answers.text[0], label: (if .id > 1e7 then \"yes\" else \"no\" end)}'\n")
	examples, err := read(t, file, string(good))
	if err != nil {
		t.Fatal(err)
	}
	want := Example{Text: "Où est-ce ?", Text2: "a", Label: 1}
	if len(examples) != 1 || !strings.HasSuffix(examples[0].Where, "train: record 38") {
		t.Fatalf("examples %+v", examples)
	}
	if diff := cmp.Diff(want, examples[0], cmpopts.IgnoreFields(Example{}, "Where")); diff != "" {
		t.Error(diff)
	}
	_, err = read(t, file, string(good[:len(good)-1]))
	wantError(t, err, "train: ", "does not end in PAR1")
	file = edit("format", "format: parquet\n", "example", "example: '{text: \"row \\(.id)\", label: \"yes\"}'\n")
	_, err = read(t, file, strings.ReplaceAll(string(plain), "note 4", "note\xff4"))
	wantError(t, err, "train: record 5: .note: not valid UTF-8")
}
