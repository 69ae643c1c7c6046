package prefinetune

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/muppet-go/muppet/prefinetune/task"
	"github.com/muppet-go/muppet/transformer/tokenizer"
)

// opinions writes a dataset with a task file and returns its folder.
func opinions(t *testing.T, name string, rows int) string {
	t.Helper()
	dir := t.TempDir()
	put := func(file, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put("task.yaml", "name: "+name+"\n"+`family: classification
source: made up
labels: [bad, good]
files: {train: train.jsonl, dev: dev.jsonl}
format: jsonl
example: '{text: .text, label: .label}'
`)
	var text strings.Builder
	for i := range rows {
		fmt.Fprintf(&text, "{\"text\": \"day %d of %s\", \"label\": %q}\n", i, name, []string{"bad", "good"}[i%2])
	}
	put("train.jsonl", text.String())
	put("dev.jsonl", text.String()[:strings.Index(text.String(), "day 10")-10])
	return dir
}

func loadTasks(t *testing.T, dirs ...string) (tasks []*task.Task) {
	t.Helper()
	for _, dir := range dirs {
		found, err := task.Load(dir, dir)
		if err != nil {
			t.Fatal(err)
		}
		tasks = append(tasks, found...)
	}
	return tasks
}

// edit changes a file of a dataset.
func edit(t *testing.T, path string, old, new string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(data), old) {
		t.Fatalf("%s does not have %q", path, old)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(data), old, new, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestBadRows(t *testing.T) {
	dir := opinions(t, "opinions", 200)
	train := filepath.Join(dir, "train.jsonl")
	edit(t, train, `{"text": "day 150 of`, `{"text": "day 150 of" of`)
	edit(t, train, `{"text": "day 7 of opinions"`, `{"text": ""`)
	edit(t, filepath.Join(dir, "dev.jsonl"), `"good"`, `"great"`)
	run := func(policy string) (*Trainer, []string, error) {
		m, _, cfg := small(t, "")
		var said []string
		cfg.BadRows, cfg.Steps = policy, 1
		warnings(&said)(&cfg)
		tr, err := New(m, loadTasks(t, dir), cfg)
		if err == nil {
			_, err = tr.Run(context.Background())
		}
		return tr, said, err
	}
	_, _, err := run("stop")
	mustName(t, "stop", err, "task opinions", train+":8", "text: is empty")
	tr, said, err := run("skip")
	if err != nil {
		t.Fatal(err)
	}
	c := tr.Counts()[0]
	if c.Train != 198 || c.Dev != 9 || c.BadRows != 3 || !slices.Equal(c.Labels, []int{99, 99}) {
		t.Errorf("%d training and %d dev examples, %d bad rows, labels %v", c.Train, c.Dev, c.BadRows, c.Labels)
	}
	for i, want := range []string{":8: example: text: is empty", ":151: invalid character", "dev.jsonl:2: example: label: \"great\""} {
		if !strings.Contains(c.FirstBad[i], want) {
			t.Errorf("bad row %d is %q, want %q", i, c.FirstBad[i], want)
		}
	}
	hasWarning(t, "skip", said, "task opinions: 3 bad rows are left out", train+":8")
	if err := os.WriteFile(train, []byte("{\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, _, err = run("skip")
	mustName(t, "nothing but bad rows", err, "no examples", "1 bad rows", train+":1")
	if err := os.Remove(train); err != nil {
		t.Fatal(err)
	}
	_, _, err = run("skip")
	mustName(t, "no file", err, train)
}

// TestReadingOnAnyCores reads several tasks at once: examples, their order and which error is
// told of do not depend on the number of cores.
func TestReadingOnAnyCores(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	var dirs []string
	for i := range 5 {
		dirs = append(dirs, opinions(t, fmt.Sprintf("task%d", i), 300+100*i))
	}
	var want identity
	for i, procs := range []int{1, 2, 7} {
		runtime.GOMAXPROCS(procs)
		m, _, cfg := small(t, "")
		tr, err := New(m, loadTasks(t, dirs...), cfg)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			want = tr.identity()
		}
		if d := tr.identity().compare(want); d != nil {
			t.Errorf("on %d cores: %q", procs, d)
		}
	}
	edit(t, filepath.Join(dirs[1], "train.jsonl"), `"day 399 `, `" `)
	edit(t, filepath.Join(dirs[1], "train.jsonl"), `"day 390 of task1"`, `7`)
	edit(t, filepath.Join(dirs[3], "train.jsonl"), `"day 0 of task3"`, `7`)
	edit(t, filepath.Join(dirs[4], "train.jsonl"), `"day 0 of task4"`, `7`)
	for range 10 {
		m, _, cfg := small(t, "")
		_, err := New(m, loadTasks(t, dirs...), cfg)
		mustName(t, "errors in three tasks", err, "task task1", "train.jsonl:391")
	}
}

// TestResumeNamesWhatChanged changes the data, a task file and the tokenizer under a run.
func TestResumeNamesWhatChanged(t *testing.T) {
	dirs := []string{opinions(t, "ours", 40), opinions(t, "theirs", 60)}
	out := t.TempDir()
	tok, err := tokenizer.Train(slices.Values([]string{"a day of opinions"}), tokenizer.TrainConfig{VocabSize: 300})
	if err != nil {
		t.Fatal(err)
	}
	other := tok
	run := func() error {
		m, _, cfg := small(t, out)
		if other != nil {
			m.Tokenizer = other
		}
		cfg.Steps = 2
		tr, err := New(m, loadTasks(t, dirs...), cfg)
		if err == nil {
			_, err = tr.Run(context.Background())
		}
		return err
	}
	if err := run(); err != nil {
		t.Fatal(err)
	}
	before := checkpointBytes(t, out)
	change := func(what, file, old, new string, names ...string) {
		t.Helper()
		saved, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		edit(t, file, old, new)
		err = run()
		mustName(t, what, err, append(names, out, "holds another run")...)
		if err != nil && strings.Contains(err.Error(), "task ours") {
			t.Errorf("%s: %q names a task that did not change", what, err)
		}
		if err := os.WriteFile(file, saved, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	train := filepath.Join(dirs[1], "train.jsonl")
	change("a text", train, "day 30", "days 30", "task theirs: its train examples changed: 60 rows of SHA-256", "there, 60 rows of", "here")
	change("a row less", train, `{"text": "day 59 of theirs", "label": "good"}`+"\n", "", "task theirs: its train examples changed: 60 rows", "there, 59 rows")
	change("a label", filepath.Join(dirs[1], "dev.jsonl"), "good", "bad", "task theirs: its dev examples changed: 10 rows")
	change("the task file", filepath.Join(dirs[1], "task.yaml"), "made up", "made down", "task theirs: its task file changed", filepath.Join(dirs[1], "task.yaml"))
	other = nil
	mustName(t, "the tokenizer", run(), "the tokenizer changed: SHA-256 ", tok.SHA256()[:12]+"… there")
	other = tok
	if string(checkpointBytes(t, out)) != string(before) {
		t.Error("a run that was refused changed the folder")
	}
	if err := run(); err != nil {
		t.Errorf("all as it was: %v", err)
	}
}
