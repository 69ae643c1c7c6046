package task

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// write makes the files, given as name and content in turn, in a new folder.
func write(t testing.TB, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	for i := 0; i < len(files); i += 2 {
		path := filepath.Join(dir, files[i])
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(files[i+1]), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// taskFile is a task file whose fields the tests replace.
const taskFile = `name: T
family: classification
source: https://example.org
labels: [no, yes]
files: {train: train, dev: dev}
format: text
example: '{text: ., label: "yes"}'
`

// edit replaces a line of taskFile, or with an empty key appends.
func edit(changes ...string) string {
	lines := strings.SplitAfter(taskFile, "\n")
	for i := 0; i < len(changes); i += 2 {
		done := false
		for j, line := range lines {
			if changes[i] != "" && strings.HasPrefix(line, changes[i]+":") {
				lines[j], done = changes[i+1], true
			}
		}
		if !done {
			lines = append(lines, changes[i+1])
		}
	}
	return strings.Join(lines, "")
}

// read loads a task file beside the file train, and reads its train split.
func read(t *testing.T, taskFile, train string) ([]Example, error) {
	t.Helper()
	dir := write(t, "t.yaml", taskFile, "train", train, "dev", train)
	tasks, err := Load(dir, filepath.Join(dir, "t.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return tasks[0].Read("train")
}

func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", parts)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q does not say %q", err, part)
		}
	}
}

func TestLoad(t *testing.T) {
	dir := write(t,
		"b.yaml", edit("name", "name: B\n"),
		"a.yaml", edit("name", "name: A\n", "", "default: false\n", "", "why: a double\n", "", "metric: f1\n"),
		"notes.txt", "not a task")
	tasks, err := Load("data", dir)
	if err != nil {
		t.Fatal(err)
	}
	want := []*Task{
		{Name: "A", Family: Classification, Source: "https://example.org", Labels: []string{"no", "yes"},
			Metric: "f1", Why: "a double", Path: filepath.Join(dir, "a.yaml")},
		{Name: "B", Family: Classification, Source: "https://example.org", Labels: []string{"no", "yes"},
			Metric: "accuracy", Default: true, Path: filepath.Join(dir, "b.yaml")},
	}
	for _, w := range want {
		content, err := os.ReadFile(w.Path)
		if err != nil {
			t.Fatal(err)
		}
		w.SHA256 = fmt.Sprintf("%x", sha256.Sum256(content))
	}
	if diff := cmp.Diff(want, tasks, cmpopts.IgnoreUnexported(Task{})); diff != "" {
		t.Error(diff)
	}
	fromFS, err := LoadFS(os.DirFS(dir), "data")
	if err != nil {
		t.Fatal(err)
	}
	if len(fromFS) != 2 || fromFS[0].Path != "a.yaml" {
		t.Errorf("LoadFS: %d tasks, the first of %s", len(fromFS), fromFS[0].Path)
	}

	_, err = Load("data", dir, filepath.Join(dir, "b.yaml"))
	wantError(t, err, "b.yaml", "both name their task B")
	_, err = Load("data", filepath.Join(dir, "none.yaml"))
	wantError(t, err, "none.yaml")
	_, err = Load("data", t.TempDir())
	wantError(t, err, "no task files")
	big := write(t, "big.yaml", strings.Repeat("#", maxTaskFile+1))
	_, err = Load("data", big)
	wantError(t, err, "big.yaml", "longer than")
}

func TestBadTaskFiles(t *testing.T) {
	for _, c := range []struct {
		name, file string
		want       []string
	}{
		{"syntax", "name: [\n", []string{"t.yaml:1: YAML"}},
		{"duplicate key", edit("", "name: U\n"), []string{"t.yaml:8", "name"}},
		{"not a mapping", "- a\n", []string{"t.yaml:1", "mapping"}},
		{"empty", "", []string{"t.yaml", "mapping"}},
		{"two documents", taskFile + "---\n" + taskFile, []string{"t.yaml", "one YAML mapping"}},
		{"not UTF-8", "name: \xff\n", []string{"t.yaml", "UTF-8"}},
		{"unknown field", edit("", "colour: red\n"), []string{"t.yaml:8: unknown field colour"}},
		{"regression without a range", edit("family", "family: regression\n", "labels", ""), []string{"t.yaml:1: range: regression needs one"}},
		{"no answer of another family", edit("", "no_answer: true\n"), []string{"t.yaml:8: no_answer: belongs to mrc alone"}},
		{"layouts of nothing", edit("", "layouts: []\n"), []string{"t.yaml:8: layouts: must be a list"}},
		{"a layout that is text", edit("", "layouts:\n- jsonl\n"), []string{"t.yaml:9: layouts: must be a mapping"}},
		{"a layout without files", edit("", "layouts:\n- {format: text}\n"), []string{"t.yaml:9: layouts: missing field files"}},
		{"a layout without a format", edit("", "layouts:\n- files: {train: a, dev: b}\n"), []string{"t.yaml:9: layouts: missing field format"}},
		{"a layout with a name", edit("", "layouts:\n- files: {train: a, dev: b}\n  format: text\n  name: U\n"), []string{"t.yaml:11: layouts: unknown field name"}},
		{"a layout's format", edit("", "layouts:\n- files: {train: a, dev: b}\n  format: xml\n"), []string{`t.yaml:10: format: "xml" is none of`}},
		{"a layout's example", edit("", "layouts:\n- files: {train: a, dev: b}\n  format: text\n  example: '{'\n"), []string{"t.yaml:11: example: jq"}},
		{"a second layout", edit("", "layouts:\n- {files: {train: a, dev: b}, format: text}\n- {files: {train: a}, format: text}\n"), []string{"t.yaml:10: files: missing split dev"}},
		{"a * among other signs", edit("files", "files: {train: 'a[1]*', dev: dev}\n"), []string{"t.yaml:5: files.train:", "beside no other signs"}},
		{"a * in parallel files", edit("files", "files: {train: {a: 'x*', b: y}, dev: {a: x, b: y}}\n"), []string{"t.yaml:5: files.train:", "one file of a split"}},
		{"range of another family", edit("", "range: [0, 5]\n"), []string{"t.yaml:1: range: regression needs one, and no other"}},
		{"range of one", edit("family", "family: regression\n", "labels", "range: [3]\n"), []string{"t.yaml:4: range: must be a list of two numbers"}},
		{"range of words", edit("family", "family: regression\n", "labels", "range: [low, high]\n"), []string{"t.yaml:4: range: must be a list of two numbers"}},
		{"endless range", edit("family", "family: regression\n", "labels", "range: [0, inf]\n"), []string{"t.yaml:4: range: must be a list of two numbers"}},
		{"range upside down", edit("family", "family: regression\n", "labels", "range: [5, 0.5]\n"), []string{"t.yaml:4: range: 5 must be less than 0.5"}},
		{"labels of a regression", edit("family", "family: regression\n", "", "range: [0, 5]\n"), []string{"t.yaml:1: labels: classification needs them"}},
		{"metric of another family", edit("", "metric: pearson\n"), []string{"t.yaml:8: metric: \"pearson\" is none of accuracy"}},
		{"missing field", edit("source", ""), []string{"t.yaml:1: missing field source"}},
		{"empty field", edit("source", "source: ''\n"), []string{"t.yaml:3: source: is empty"}},
		{"null field", edit("source", "source:\n"), []string{"t.yaml:3: source: must be plain text"}},
		{"alias", edit("name", "name: &a T\n", "source", "source: *a\n"), []string{"t.yaml:1: name: must be plain text"}},
		{"family", edit("family", "family: guessing\n"), []string{"t.yaml:2: family", `"guessing"`, "classification"}},
		{"no labels", edit("labels", ""), []string{"t.yaml:1: labels"}},
		{"one label", edit("labels", "labels: [yes]\n"), []string{"labels: one label"}},
		{"label twice", edit("labels", "labels: [no, yes, no]\n"), []string{"t.yaml:4: labels", `"no" appears twice`}},
		{"labels of ranking", edit("family", "family: commonsense\n"), []string{"labels: classification needs them"}},
		{"metric", edit("", "metric: em_f1\n"), []string{"t.yaml:8: metric", `"em_f1"`}},
		{"f1 of three", edit("labels", "labels: [a, b, c]\n", "", "metric: f1\n"), []string{"metric: f1"}},
		{"default without why", edit("", "default: false\n"), []string{"why"}},
		{"why without default", edit("", "why: because\n"), []string{"why"}},
		{"default", edit("", "default: perhaps\n"), []string{"t.yaml:8: default: must be true or false"}},
		{"split", edit("files", "files: {train: a, dev: b, test: c}\n"), []string{"t.yaml:5: files: unknown split test"}},
		{"no split", edit("files", "files: {train: a}\n"), []string{"t.yaml:5: files: missing split dev"}},
		{"files", edit("files", "files: train\n"), []string{"t.yaml:5: files: must be a mapping"}},
		{"file outside", edit("files", "files: {train: ../a, dev: b}\n"), []string{"t.yaml:5: files.train", "../a"}},
		{"absolute file", edit("files", "files: {train: /etc/passwd, dev: b}\n"), []string{"t.yaml:5: files.train", "/etc/passwd"}},
		{"parallel names", edit("files", "files: {train: {a: x, b: y}, dev: {a: x, c: y}}\n"), []string{"t.yaml:5: files.dev", "same names"}},
		{"format", edit("format", "format: xml\n"), []string{"t.yaml:6: format", `"xml"`, "tsv, csv, json, jsonl, text, document, parquet"}},
		{"json without records", edit("format", "format: json\n"), []string{"records"}},
		{"records without json", edit("", "records: .[]\n"), []string{"t.yaml:8: records"}},
		{"columns of text", edit("", "columns: [a]\n"), []string{"t.yaml:8: columns"}},
		{"header of text", edit("", "header: true\n"), []string{"t.yaml:8: header"}},
		{"format of no file", edit("format", "format: {train: text}\n"), []string{"t.yaml:5: files.train", "names that format has"}},
		{"encoding", edit("", "encoding: utf-16\n"), []string{"t.yaml:8: encoding", `"utf-16"`}},
		{"header", edit("format", "format: tsv\n", "", "header: {train: true, test: false}\n"), []string{"t.yaml:8: header: unknown split test"}},
		{"jq syntax", edit("example", "example: '{text: .'\n"), []string{"t.yaml:7: example: jq"}},
		{"jq function", edit("example", "example: nothing(.)\n"), []string{"t.yaml:7: example: jq", "nothing"}},
		{"jq syntax below", edit("example", "example: |\n  {\n    text: .,\n    label: )\n  }\n"), []string{"t.yaml:10: example: jq"}},
		{"jq input", edit("example", "example: input\n"), []string{"t.yaml:7: example: jq", "input"}},
		{"jq module", edit("example", "example: 'import \"a\" as a; .'\n"), []string{"t.yaml:7: example: jq", "module"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := write(t, "t.yaml", c.file)
			_, err := Load(dir, dir)
			wantError(t, err, c.want...)
		})
	}
}

func TestJQReachesNothing(t *testing.T) {
	t.Setenv("MUPPET_SECRET", "secret")
	got, err := read(t, edit("example", `example: '{text: ([env, $ENV] | tojson), label: "no"}'`+"\n"), "x\n")
	if err != nil {
		t.Fatal(err)
	}
	if got[0].Text != "[{},{}]" {
		t.Errorf("jq sees the environment: %s", got[0].Text)
	}
}

func TestJQBounds(t *testing.T) {
	defer func(d time.Duration) { timeLimit = d }(timeLimit)
	timeLimit = 50 * time.Millisecond
	for _, loop := range []string{`def f: f; f`, `last(range(infinite))`, `until(false; .)`} {
		_, err := read(t, edit("example", "example: '"+loop+"'\n"), "x\n")
		wantError(t, err, "train:1: example", "took longer than 50ms")
	}
	timeLimit = 10 * time.Second
	_, err := read(t, edit("example", `example: '{text: "a", label: "no"} | range(200000) as $i | .'`+"\n"), "x\n")
	wantError(t, err, "train:1: example", "more than 100000")
}

func TestLabels(t *testing.T) {
	file := edit("labels", "labels: [1, true, 2.5, Yes, '00']\n", "format", "format: jsonl\n", "example", "example: '{text: \"a\", label: .}'\n")
	got, err := read(t, file, "1\ntrue\n2.5\n\"Yes\"\n\"00\"\n\"1\"\n")
	if err != nil {
		t.Fatal(err)
	}
	var labels []int
	for _, e := range got {
		labels = append(labels, e.Label)
	}
	if diff := cmp.Diff([]int{0, 1, 2, 3, 4, 0}, labels); diff != "" {
		t.Error(diff)
	}
}

func TestSchemas(t *testing.T) {
	for _, c := range []struct {
		family, record string
		want           Example
	}{
		{"classification", `{"text": "a", "label": "no"}`, Example{Text: "a", Label: 0}},
		{"classification", `{"text": "a", "text2": "b", "label": "yes"}`, Example{Text: "a", Text2: "b", Label: 1}},
		{"commonsense", `{"context": "a", "choices": ["x", "y"], "answer": 1}`, Example{Context: "a", Choices: []string{"x", "y"}, Answer: 1}},
		{"commonsense", `{"context": "a", "choices": ["x"], "answer": 0}`, Example{Context: "a", Choices: []string{"x"}}},
		{"mrc", `{"question": "q", "passage": "é😀 b b", "answers": [{"text": "b", "start": 3}, {"text": "b", "start": 5}]}`,
			Example{Question: "q", Passage: "é😀 b b", Answers: []Answer{{"b", 7}, {"b", 9}}}},
		{"summarisation", `{"source": "a", "target": "b"}`, Example{Source: "a", Target: "b"}},
	} {
		got, err := read(t, schemaFile(c.family), c.record)
		if err != nil {
			t.Errorf("%s: %v", c.record, err)
			continue
		}
		if diff := cmp.Diff([]Example{c.want}, got, cmpopts.IgnoreFields(Example{}, "Where")); diff != "" {
			t.Errorf("%s: %s", c.record, diff)
		}
		if !strings.HasSuffix(got[0].Where, "train:1") {
			t.Errorf("%s: Where is %s", c.record, got[0].Where)
		}
	}
}

// schemaFile is a task file whose records are examples already.
func schemaFile(family string) string {
	labels := ""
	if family == "classification" {
		labels = "labels: [no, yes]\n"
	}
	if family == "regression" {
		labels = "range: [0, 5]\n"
	}
	return edit("family", "family: "+family+"\n", "labels", labels, "format", "format: jsonl\n", "example", "example: .\n")
}

func TestBadExamples(t *testing.T) {
	for _, c := range []struct{ family, record, want string }{
		{"classification", `7`, "must be an object, not 7"},
		{"classification", `{"label": "no"}`, "missing field text"},
		{"classification", `{"text": "a"}`, "missing field label"},
		{"classification", `{"text": " \n", "label": "no"}`, "text: is empty"},
		{"classification", `{"text": ["a"], "label": "no"}`, "text: must be a string, not [\"a\"]"},
		{"classification", `{"text": "a", "text2": "", "label": "no"}`, "text2: is empty"},
		{"classification", `{"text": "a", "text2": null, "label": "no"}`, "text2: must be a string, not null"},
		{"classification", `{"text": "a", "label": "maybe"}`, `label: "maybe" is none of the 2 declared labels`},
		{"classification", `{"text": "a", "label": true}`, "label: true is none of the 2"},
		{"classification", `{"text": "a", "label": null}`, "label: must be one of the labels, not null"},
		{"classification", `{"text": "a", "label": ["no"]}`, "label: must be one of the labels, not ["},
		{"classification", `{"text": "a", "label": "no", "txet2": "b"}`, "unknown field txet2"},
		{"regression", `{"text": "a"}`, "missing field score"},
		{"regression", `{"text": "a", "score": "2"}`, `score: must be a number, not "2"`},
		{"regression", `{"text": "a", "score": null}`, "score: must be a number, not null"},
		{"regression", `{"text": "a", "score": 5.5}`, "score: 5.5 is not in the range of 0 to 5"},
		{"regression", `{"text": "a", "score": -1}`, "score: -1 is not in the range"},
		{"regression", `{"text": "a", "score": 2, "label": "yes"}`, "unknown field label"},
		{"commonsense", `{"context": "a", "choices": [], "answer": 0}`, "choices: is empty"},
		{"commonsense", `{"context": "a", "choices": "xy", "answer": 0}`, "choices: must be an array"},
		{"commonsense", `{"context": "a", "choices": ["x", ""], "answer": 0}`, "choices[1]: is empty"},
		{"commonsense", `{"context": "a", "choices": ["x", "y"], "answer": 2}`, "answer: 2 is no index below 2"},
		{"commonsense", `{"context": "a", "choices": ["x", "y"], "answer": -1}`, "answer: -1 is no index below 2"},
		{"commonsense", `{"context": "a", "choices": ["x", "y"], "answer": 0.5}`, "answer: 0.5 is no index"},
		{"commonsense", `{"context": "a", "choices": ["x", "y"], "answer": 1e300}`, "answer: 1e+300 is no index"},
		{"commonsense", `{"context": "a", "choices": ["x", "y"], "answer": "1"}`, `answer: "1" is no index`},
		{"commonsense", `{"context": "a", "choices": ["x", "y"], "answer": null}`, "answer: null is no index"},
		{"mrc", `{"question": "q", "passage": "a b", "answers": []}`, "answers: is empty"},
		{"mrc", `{"question": "q", "passage": "a b", "answers": ["b"]}`, "answers[0]: must be an object"},
		{"mrc", `{"question": "q", "passage": "a b", "answers": [{"text": "b"}]}`, "answers[0]: missing field start"},
		{"mrc", `{"question": "q", "passage": "a b", "answers": [{"text": "b", "start": 1}]}`, `answers[0]: the passage has " " at 1, not "b"`},
		{"mrc", `{"question": "q", "passage": "é b", "answers": [{"text": "b", "start": 3}]}`, "answers[0]: start: 3 is no index below 3"},
		{"mrc", `{"question": "q", "passage": "a b", "answers": [{"text": "b c", "start": 2}]}`, "answers[0]: the passage has"},
		{"mrc", `{"question": "q", "passage": "a b", "answers": [{"text": "", "start": 2}]}`, "answers[0]: text: is empty"},
		{"mrc", `{"question": "q", "passage": "a b", "answers": [{"text": "b", "start": 2, "end": 3}]}`, "answers[0]: unknown field end"},
		{"summarisation", `{"source": "a", "target": ""}`, "target: is empty"},
	} {
		_, err := read(t, schemaFile(c.family), "\n"+c.record)
		wantError(t, err, "task T", "train:2: example: "+c.want)
	}
	_, err := read(t, edit("example", "example: empty\n"), "x\n")
	wantError(t, err, "task T", "no examples")
	_, err = read(t, edit("example", "example: error(\"why\")\n"), "x\n")
	wantError(t, err, "task T", "train:1: example", "why")
	_, err = read(t, edit("example", "example: halt\n"), "x\n")
	wantError(t, err, "train:1: example")
}

// TestNoAnswer reads questions without answers, of a task that has them.
func TestNoAnswer(t *testing.T) {
	const record = `{"question": "q", "passage": "a b", "answers": []}` + "\n" + `{"question": "q", "passage": "a b", "answers": [{"text": "b", "start": 2}]}` + "\n"
	got, err := read(t, schemaFile("mrc")+"no_answer: true\n", record)
	if err != nil {
		t.Fatal(err)
	}
	want := []Example{{Question: "q", Passage: "a b"}, {Question: "q", Passage: "a b", Answers: []Answer{{"b", 2}}}}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Example{}, "Where")); diff != "" {
		t.Error(diff)
	}
	for _, bad := range []string{`null`, `{}`, `""`} {
		_, err := read(t, schemaFile("mrc")+"no_answer: true\n", `{"question": "q", "passage": "a", "answers": `+bad+`}`)
		wantError(t, err, "answers: must be an array")
	}
	_, err = read(t, schemaFile("mrc")+"no_answer: false\n", record)
	wantError(t, err, "train:1: example: answers: is empty")
}

func TestReadInMemory(t *testing.T) {
	want := []Example{{Text: "a"}}
	tk := &Task{Name: "G", Family: Classification, Labels: []string{"no", "yes"}, Examples: map[string][]Example{"train": want}}
	got, err := tk.Read("train")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	_, err = tk.Read("dev")
	wantError(t, err, "task G", `"dev"`)
	_, err = (&Task{Name: "E"}).Read("train")
	wantError(t, err, "task E", `no split "train"`)
}

func TestFilesMissing(t *testing.T) {
	dir := write(t, "t.yaml", taskFile, "dev/x", "a folder in place of a file")
	tasks, err := Load(dir, dir)
	if err != nil {
		t.Fatal(err)
	}
	_, err = tasks[0].Read("train")
	wantError(t, err, "task T", "train")
	_, err = tasks[0].Read("dev")
	wantError(t, err, "task T", "dev: not a regular file")
	_, err = tasks[0].Read("test")
	wantError(t, err, `no split "test"`)
}

// TestEachGoesOn has bad records between good ones: each is reported, and the
// others are read.
func TestEachGoesOn(t *testing.T) {
	const example = "example: '{text: .text, label: .label}'\n"
	for _, c := range []struct {
		name, file, train string
		texts             []string
		bad               []string
	}{
		{"jsonl", edit("format", "format: jsonl\n", "example", example),
			"{\"text\": \"a\", \"label\": \"yes\"}\n{\"text\"\n{\"text\": \"b\", \"label\": \"maybe\"}\n{\"text\": \"\xff\"}\n{\"text\": \"c\", \"label\": \"no\"}\n",
			[]string{"a", "c"}, []string{"train:2: unexpected", `train:3: example: label: "maybe"`, "train:4: not valid UTF-8"}},
		{"tsv", edit("format", "format: tsv\n", "example", example),
			"text\tlabel\na\tyes\nb\nc\tno\td\n\tyes\ne\tno\n",
			[]string{"a", "e"}, []string{"train:3: 1 columns", "train:4: 3 columns", "train:5: example: text: is empty"}},
		{"csv", edit("format", "format: csv\n", "example", example),
			"text,label\na,yes\nb\nc\xff,no\n\"d\"x,no\n\"e\n\",no\nf\"f,no\ng,no\n\"h,no",
			[]string{"a", "e\n", "g"}, []string{"train:3: 1 columns", "train:4: not valid UTF-8", `train:5: line 5, column 3: extraneous`, "train:8: line 8, column 2: bare", "train:10: line 10, column"}},
		{"half a record's examples", edit("example", "example: 'split(\" \")[] | {text: ., label: \"yes\"}'\n"),
			"a b\nc  d\ne\n", []string{"a", "b", "e"}, []string{"train:2: example: text: is empty"}},
		{"parallel", edit("files", "files: {train: {a: train, b: train}, dev: {a: dev, b: dev}}\n", "format", "format: {a: text, b: jsonl}\n", "example", "example: '{text: .a, label: .b.label}'\n"),
			"{\"label\": \"yes\"}\n{\n{\"label\": \"no\"}\n",
			[]string{`{"label": "yes"}`, `{"label": "no"}`}, []string{"train:2: unexpected"}},
	} {
		dir := write(t, "t.yaml", c.file, "train", c.train, "dev", c.train)
		tasks, err := Load(dir, filepath.Join(dir, "t.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		var texts, bad []string
		err = tasks[0].Each("train", func(e Example) error {
			texts = append(texts, e.Text)
			return nil
		}, func(err error) error {
			bad = append(bad, err.Error())
			return nil
		})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if diff := cmp.Diff(c.texts, texts); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
		if len(bad) != len(c.bad) {
			t.Fatalf("%s: bad records %q, want %q", c.name, bad, c.bad)
		}
		for i := range bad {
			if !strings.Contains(bad[i], c.bad[i]) {
				t.Errorf("%s: %q, want %q", c.name, bad[i], c.bad[i])
			}
		}
		if _, err := tasks[0].Read("train"); err == nil || err.Error() != bad[0] {
			t.Errorf("%s: Read says %v, want %s", c.name, err, bad[0])
		}
	}
}

// TestEachEnds has errors after which there is nothing to read.
func TestEachEnds(t *testing.T) {
	defer func(d time.Duration) { timeLimit = d }(timeLimit)
	timeLimit = 50 * time.Millisecond
	for name, file := range map[string]string{
		"endless program":    edit("example", "example: 'def f: f; f'\n"),
		"open quote":         edit("format", "format: csv\n", "", "columns: [t]\n", "", "header: false\n"),
		"column named twice": edit("format", "format: csv\n"),
		"header not UTF-8":   edit("format", "format: tsv\n"),
		"quote in a header":  edit("format", "format: csv\n"),
	} {
		first := map[string]string{"column named twice": "a,a", "header not UTF-8": "\xff", "quote in a header": "a\"b"}[name]
		dir := write(t, "t.yaml", file, "train", first+"\na\nb\n\"c\nd\n", "dev", "a\n")
		tasks, err := Load(dir, filepath.Join(dir, "t.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		bad := 0
		err = tasks[0].Each("train", func(Example) error { return nil }, func(error) error { bad++; return nil })
		if err == nil || bad > 2 {
			t.Errorf("%s: %d bad records, then %v", name, bad, err)
		}
	}
}

// TestLayouts reads a task in each of its forms, in the order of the task file.
func TestLayouts(t *testing.T) {
	const file = taskFile + `layouts:
  - files: {train: part-*.jsonl, dev: held/*.jsonl}
    format: jsonl
    example: '{text: .t, label: "no"}'
  - {files: {train: all.tsv, dev: all.tsv}, format: tsv}
`
	dir := write(t, "t.yaml", file)
	tasks, err := Load(dir, dir)
	if err != nil {
		t.Fatal(err)
	}
	tk := tasks[0]
	put := func(name, content string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	check := func(want ...string) {
		t.Helper()
		var got []string
		err := tk.Each("train", func(e Example) error {
			got = append(got, e.Text+" "+filepath.Base(e.Where))
			return nil
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	if files := tk.Files("train"); len(files) != 1 || files[0] != filepath.Join(dir, "train") {
		t.Errorf("without files it wants %q", files)
	}
	_, err = tk.Read("train")
	wantError(t, err, "task T", filepath.Join(dir, "train"))
	put("all.tsv", "t\na\n")
	check("a all.tsv:2") // by the example of the layout before
	put("part-10.jsonl", `{"t": "d"}`+"\n")
	check("a all.tsv:2") // held/*.jsonl matches nothing
	put("held/x.jsonl", `{"t": "b"}`+"\n")
	put("part-01.jsonl", `{"t": "c"}`+"\n")
	check("c part-01.jsonl:1", "d part-10.jsonl:1")
	if files := tk.Files("train"); len(files) != 2 || files[1] != filepath.Join(dir, "part-10.jsonl") {
		t.Errorf("files %q", files)
	}
	put("part-10.jsonl", `{"t": ""}`+"\n")
	_, err = tk.Read("train")
	wantError(t, err, "part-10.jsonl:1: example: text: is empty")
	put("part-10.jsonl", `{"t": "f"}`+"\n")
	put("train", "e\n")
	check("c part-01.jsonl:1", "f part-10.jsonl:1") // dev is not there
	put("dev", "e\n")
	check("e train:1")
}
