package prefinetune

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/muppet-go/muppet/prefinetune/task"
	"github.com/muppet-go/muppet/transformer"
)

// TestBadData puts a bad dataset into the way of a run that has checkpoints: New says
// which file, line and field, and the checkpoints stay.
func TestBadData(t *testing.T) {
	const spec = `name: opinions
family: classification
source: made up
labels: [bad, good]
files: {train: train.jsonl, dev: dev.jsonl}
format: jsonl
example: '{text: .text, label: .label}'
`
	const rows = `{"text": "a bright day", "label": "good"}` + "\n" + `{"text": "a dull day", "label": "bad"}` + "\n"
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out := t.TempDir()
	// run starts, or resumes, the run in out with the dataset as it is now.
	run := func() error {
		tasks, err := task.Load(dir, filepath.Join(dir, "task.yaml"))
		if err != nil {
			return err
		}
		m, _, cfg := small(t, out)
		cfg.Steps, cfg.CheckpointEvery = 4, 2
		tr, err := New(m, tasks, cfg)
		if err != nil {
			return err
		}
		_, err = tr.Run(context.Background())
		return err
	}
	good := func() {
		write("task.yaml", spec)
		write("train.jsonl", strings.Repeat(rows, 10))
		write("dev.jsonl", rows)
	}
	good()
	if err := run(); err != nil {
		t.Fatal(err)
	}
	before := checkpointBytes(t, out)

	for _, c := range []struct {
		what, file, text string
		names            []string
	}{
		{"wrong shape from jq", "task.yaml", strings.Replace(spec, "text: .text", "text: [.text]", 1), []string{"opinions", "train.jsonl:1", "text: must be a string"}},
		{"no object from jq", "task.yaml", strings.Replace(spec, "{text: .text, label: .label}", ".text", 1), []string{"train.jsonl:1", "must be an object"}},
		{"field the schema does not have", "task.yaml", strings.Replace(spec, "label: .label}", "label: .label, more: 1}", 1), []string{"train.jsonl:1", "unknown field more"}},
		{"broken jq", "task.yaml", strings.Replace(spec, ".label}", ".label", 1), []string{"task.yaml:7", "example"}},
		{"broken YAML", "task.yaml", spec + "labels: [a", []string{"task.yaml:"}},
		{"undeclared label", "train.jsonl", rows + `{"text": "a day", "label": "neutral"}`, []string{"train.jsonl:3", "label", "neutral"}},
		{"broken record", "train.jsonl", rows + "\n{\"text\": ", []string{"train.jsonl:4"}},
		{"empty training data", "train.jsonl", "", []string{"opinions", "train.jsonl", "no examples"}},
		{"empty dev data", "dev.jsonl", "\n", []string{"opinions", "dev.jsonl", "no examples"}},
		{"blank text", "dev.jsonl", `{"text": " ", "label": "bad"}`, []string{"dev.jsonl:1", "text: is empty"}},
		{"invalid UTF-8", "train.jsonl", rows + "{\"text\": \"caf\xe9\", \"label\": \"good\"}\n", []string{"train.jsonl:3", "UTF-8"}},
		{"invalid UTF-8 in the task file", "task.yaml", spec + "description: caf\xe9\n", []string{"task.yaml", "UTF-8"}},
		{"other data than the checkpoints'", "train.jsonl", rows, []string{out, "holds another run", "examples"}},
	} {
		write(c.file, c.text)
		mustName(t, c.what, run(), c.names...)
		good()
	}
	if err := os.Remove(filepath.Join(dir, "dev.jsonl")); err != nil {
		t.Fatal(err)
	}
	mustName(t, "missing file", run(), "opinions", filepath.Join(dir, "dev.jsonl"))
	good()

	if !bytes.Equal(checkpointBytes(t, out), before) {
		t.Error("bad data changed a checkpoint")
	}
	if err := run(); err != nil {
		t.Errorf("the run after all this: %v", err)
	}
}

// checkpointBytes returns names and contents of a run's checkpoints and model.
func checkpointBytes(t *testing.T, out string) []byte {
	t.Helper()
	var all bytes.Buffer
	err := filepath.WalkDir(out, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		all.WriteString(path)
		all.Write(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.Bytes()
}

func TestBadStart(t *testing.T) {
	m, _, _ := small(t, "")
	// load saves a good encoder, spoils the folder and loads it.
	load := func(spoil func(dir string)) error {
		dir := t.TempDir()
		if err := m.Save(dir); err != nil {
			t.Fatal(err)
		}
		if spoil != nil {
			spoil(dir)
		}
		_, err := transformer.Load(dir)
		return err
	}
	if err := load(nil); err != nil {
		t.Fatal(err)
	}
	edit := func(name string, change func([]byte) []byte) func(string) {
		return func(dir string) {
			path := filepath.Join(dir, name)
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, change(data), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	remove := func(names ...string) func(string) {
		return func(dir string) {
			for _, name := range names {
				if err := os.Remove(filepath.Join(dir, name)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	replace := func(from, to string) func([]byte) []byte {
		return func(b []byte) []byte {
			if !bytes.Contains(b, []byte(from)) {
				t.Fatalf("%q is not in\n%s", from, b)
			}
			return bytes.Replace(b, []byte(from), []byte(to), 1)
		}
	}
	for _, c := range []struct {
		what  string
		spoil func(string)
		names []string
	}{
		{"header longer than the file", edit("model.safetensors", func(b []byte) []byte {
			binary.LittleEndian.PutUint64(b, uint64(len(b)))
			return b
		}), []string{"model.safetensors", "header"}},
		{"header longer than any memory", edit("model.safetensors", func(b []byte) []byte {
			binary.LittleEndian.PutUint64(b, math.MaxUint64)
			return b
		}), []string{"model.safetensors", "header"}},
		{"truncated weights", edit("model.safetensors", func(b []byte) []byte { return b[:len(b)-10] }), []string{"model.safetensors"}},
		{"no configuration", remove("config.json"), []string{"config.json"}},
		{"no weights", remove("model.safetensors"), []string{"model.safetensors"}},
		{"no vocabulary", remove("tokenizer.json", "vocab.json"), []string{"vocab.json"}},
		{"another model type", edit("config.json", replace(`"roberta"`, `"t5"`)), []string{"config.json", "model_type", "t5"}},
		{"a configuration without end", edit("config.json", func(b []byte) []byte { return append(b, make([]byte, 2<<20)...) }), []string{"config.json: larger than"}},
		{"another width", edit("config.json", replace(`"hidden_size": 32`, `"hidden_size": 64`)), []string{"model.safetensors", "word_embeddings", "[500 32]", "[500 64]"}},
		{"no room for the tokenizer", edit("config.json", replace(`"vocab_size": 500`, `"vocab_size": 400`)), []string{"config.json", "vocab_size", "400", "500 tokens"}},
	} {
		mustName(t, c.what, load(c.spoil), c.names...)
	}
}

func TestNewRefuses(t *testing.T) {
	m, tasks, good := small(t, "")
	narrow := m.Config
	narrow.VocabSize = 400
	mute := *m
	mute.Tokenizer = nil
	for _, c := range []struct {
		what   string
		model  *transformer.Model
		tasks  []*task.Task
		change func(*Config)
		names  []string
	}{
		{"no tasks", m, nil, nil, []string{"no tasks"}},
		{"one name twice", m, append(tasks[:2:2], tasks[1]), nil, []string{"two tasks are named " + tasks[1].Name}},
		{"too small a vocabulary", bare(narrow, m.Tokenizer), tasks, nil, []string{"500 tokens", "vocab_size", "400"}},
		{"no tokenizer", &mute, tasks, nil, []string{"no tokenizer"}},
		{"longer than the positions", m, tasks, func(c *Config) { c.MaxLength = 513 }, []string{"513", "512"}},
		{"longer than a batch", m, tasks, func(c *Config) { c.MaxLength = 400; c.TokensPerBatch = 300 }, []string{"400", "300"}},
		{"short sequences", m, tasks, func(c *Config) { c.MaxLength = 3 }, []string{"at most 3 tokens"}},
		{"negative length", m, tasks, func(c *Config) { c.MaxLength = -1 }, []string{"MaxLength is -1"}},
		{"negative steps", m, tasks, func(c *Config) { c.Steps = -5 }, []string{"Steps is -5"}},
		{"endless steps", m, tasks, func(c *Config) { c.Steps = math.MaxInt }, []string{"Steps is "}},
		{"negative budget", m, tasks, func(c *Config) { c.TokensPerBatch = -1 }, []string{"TokensPerBatch is -1"}},
		{"negative interval", m, tasks, func(c *Config) { c.CheckpointEvery = -1 }, []string{"CheckpointEvery is -1"}},
		{"no number", m, tasks, func(c *Config) { c.LR = math.NaN() }, []string{"LR is NaN"}},
		{"infinite rate", m, tasks, func(c *Config) { c.LR = math.Inf(1) }, []string{"LR is +Inf"}},
		{"negative rate", m, tasks, func(c *Config) { c.LR = -1 }, []string{"LR is -1"}},
		{"two lengths", m, tasks, func(c *Config) { c.Epochs = 2 }, []string{"Epochs 2; want one"}},
		{"no decay", m, tasks, func(c *Config) { c.WeightDecay = math.NaN() }, []string{"WeightDecay is NaN"}},
		{"no clipping", m, tasks, func(c *Config) { c.ClipNorm = math.Inf(-1) }, []string{"ClipNorm is -Inf"}},
	} {
		cfg := good
		if c.change != nil {
			c.change(&cfg)
		}
		_, err := New(c.model, c.tasks, cfg)
		mustName(t, c.what, err, c.names...)
	}
}

func TestOutFolderThatCannotBe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("precious"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{file, filepath.Join(file, "below")} {
		_, err := newTrainer(t, out, nil).Run(context.Background())
		mustName(t, "out is no folder", err, file)
	}
	if hashFile(t, file) != "precious" {
		t.Error("the file in the way was written to")
	}
}

// TestOutFolderInUse starts a run in a folder that another has open, and one whose
// metrics were lost.
func TestOutFolderInUse(t *testing.T) {
	out := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	first := newTrainer(t, out, func(c *Config) {
		c.Progress = func(Progress) {
			_, err := newTrainer(t, out, nil).Run(context.Background())
			mustName(t, "two runs in a folder", err, "metrics.jsonl", "in use")
			cancel()
		}
	})
	if _, err := first.Run(ctx); !errors.Is(err, ErrInterrupted) {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(out, "metrics.jsonl"), 3); err != nil {
		t.Fatal(err)
	}
	before := checkpointBytes(t, out)
	_, err := newTrainer(t, out, nil).Run(context.Background())
	mustName(t, "metrics lost", err, "metrics.jsonl has 3 bytes", "put the file back")
	if !bytes.Equal(checkpointBytes(t, out), before) {
		t.Error("the checkpoint changed")
	}
}

// TestDivergence asks for a learning rate that ends in NaN: an error, and no checkpoint
// of that step.
func TestDivergence(t *testing.T) {
	out := t.TempDir()
	tr := newTrainer(t, out, func(c *Config) { c.LR = 1e30; c.CheckpointEvery = 1; c.WarmUp = -1 })
	_, err := tr.Run(context.Background())
	mustName(t, "divergence", err, "diverged", "learning rate than 1e+30")
	names, err := tr.folder.checkpoints()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if name == fmt.Sprintf("step-%06d", tr.step) {
			t.Errorf("checkpoint %s of the step that diverged", name)
		}
	}
}
