package prefinetune

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// finished is a folder of a run that is complete, and what its parameters are.
func finished(t *testing.T) (out, parameters string) {
	t.Helper()
	out = t.TempDir()
	tr := newTrainer(t, out, nil)
	if _, err := tr.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	return out, hashParameters(tr.model)
}

func copyFolder(t *testing.T, from string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return to
}

// warnings collects what a run warns of.
func warnings(into *[]string) func(*Config) {
	return func(c *Config) { c.Warn = func(s string) { *into = append(*into, s) } }
}

func hasWarning(t *testing.T, what string, all []string, parts ...string) {
	t.Helper()
	for _, w := range all {
		if !slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(w, p) }) {
			return
		}
	}
	t.Errorf("%s: no warning with %q in %q", what, parts, all)
}

// TestBrokenCheckpoint breaks the newest checkpoint in every way: the run goes back to the one
// before it, says so, and comes to the same weights.
func TestBrokenCheckpoint(t *testing.T) {
	whole, want := finished(t)
	const newest = "checkpoints/step-000014"
	replace := func(name string, change func([]byte) []byte) func(string) error {
		return func(dir string) error {
			path := filepath.Join(dir, name)
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return os.WriteFile(path, change(data), 0o644)
		}
	}
	cut := func(b []byte) []byte { return b[:len(b)-1] }
	flip := func(b []byte) []byte { b[len(b)/2] ^= 4; return b }
	for _, c := range []struct {
		name  string
		spoil func(dir string) error
		says  string
	}{
		{"weights cut", replace("model.safetensors", cut), "model.safetensors is not what was written"},
		{"a bit of the moments", replace("optimizer.safetensors", flip), "optimizer.safetensors is not what was written"},
		{"a bit of the state", replace("state.json", flip), "state.json is not what was written"},
		{"no state", func(dir string) error { return os.Remove(filepath.Join(dir, "state.json")) }, "state.json"},
		{"no sums", func(dir string) error { return os.Remove(filepath.Join(dir, sumsFile)) }, sumsFile},
		{"an empty folder", func(dir string) error { return errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o755)) }, sumsFile},
		{"a file in its place", func(dir string) error { return errors.Join(os.RemoveAll(dir), os.WriteFile(dir, nil, 0o644)) }, sumsFile},
	} {
		out := copyFolder(t, whole)
		if err := c.spoil(filepath.Join(out, newest)); err != nil {
			t.Fatal(err)
		}
		var said []string
		tr := newTrainer(t, out, warnings(&said))
		if err := tr.open(); err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		runTo(t, tr, 14)
		tr.folder.close()
		hasWarning(t, c.name, said, filepath.Join(out, newest), c.says, "goes back to step-000012")
		hasWarning(t, c.name, said, "resuming at step 12 of 14")
		if got := hashParameters(tr.model); got != want {
			t.Errorf("%s: weights %s, want %s", c.name, got, want)
		}
		if _, err := os.Stat(filepath.Join(out, "checkpoints/unreadable-step-000014")); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}

	// Every place in the small files, some in the large ones.
	out := copyFolder(t, whole)
	tr := newTrainer(t, out, nil)
	own := func([]byte) error { return nil }
	dir := filepath.Join(out, newest)
	r := rand.New(rand.NewPCG(1, 2))
	for _, name := range append([]string{sumsFile}, checkpointFiles...) {
		path := filepath.Join(dir, name)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		small := len(data) < 2000
		for i := 0; i < len(data) && (small || i < 20); i++ {
			at, changed := i, bytes.Clone(data)
			if !small {
				at = r.IntN(len(data))
			}
			changed[at] ^= 1 << r.IntN(8)
			for _, broken := range [][]byte{data[:at], changed} {
				if err := os.WriteFile(path, broken, 0o644); err != nil {
					t.Fatal(err)
				}
				if _, err := readCheckpoint(dir, 14, tr.model, tr.opt, own); err == nil && !(name == sumsFile && len(broken) == len(data)-1) { // without its last line break it is as good
					t.Fatalf("%s of %d bytes, changed at %d, was read", name, len(broken), at)
				}
			}
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := readCheckpoint(dir, 14, tr.model, tr.opt, own); err != nil {
		t.Errorf("the checkpoint as it was: %v", err)
	}
}

// TestNoGoodCheckpoint: what was trained for long is not begun again without being asked to.
func TestNoGoodCheckpoint(t *testing.T) {
	out, _ := finished(t)
	for _, step := range []string{"step-000012", "step-000014"} {
		if err := os.Truncate(filepath.Join(out, checkpointsDir, step, "model.safetensors"), 100); err != nil {
			t.Fatal(err)
		}
	}
	before := checkpointBytes(t, out)
	_, err := newTrainer(t, out, nil).Run(context.Background())
	mustName(t, "no good checkpoint", err, "step-000012", "step-000014", "remove "+filepath.Join(out, checkpointsDir))
	if !bytes.Equal(checkpointBytes(t, out), before) {
		t.Error("a run that was refused changed its folder")
	}
	if err := os.RemoveAll(filepath.Join(out, checkpointsDir)); err != nil {
		t.Fatal(err)
	}
	tr := newTrainer(t, out, nil)
	if err := tr.open(); err != nil || tr.step != 0 {
		t.Errorf("without checkpoints: step %d, %v", tr.step, err)
	}
	tr.folder.close()
}

func TestKeepLast(t *testing.T) {
	out := t.TempDir()
	tr := newTrainer(t, out, func(c *Config) { c.KeepLast, c.CheckpointEvery = 3, 2 })
	if _, err := tr.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	names, err := tr.folder.checkpoints()
	if want := []string{"step-000010", "step-000012", "step-000014"}; err != nil || !slices.Equal(names, want) {
		t.Errorf("checkpoints %q, want %q (%v)", names, want, err)
	}
}

// TestFolderGone removes a run's folder while it runs, or puts a file in its place.
func TestFolderGone(t *testing.T) {
	_, want := finished(t)
	out := filepath.Join(t.TempDir(), "a", "b")
	var said []string
	tr := newTrainer(t, out, func(c *Config) {
		warnings(&said)(c)
		c.Progress = func(p Progress) {
			switch p.Step {
			case 4:
				if err := os.RemoveAll(filepath.Dir(out)); err != nil {
					t.Error(err)
				}
			case 7:
				if err := errors.Join(os.RemoveAll(out), os.WriteFile(out, nil, 0o644)); err != nil {
					t.Error(err)
				}
			case 10:
				if err := os.Remove(out); err != nil {
					t.Error(err)
				}
			}
		}
	})
	if _, err := tr.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := hashParameters(tr.model); got != want {
		t.Errorf("weights %s, want %s", got, want)
	}
	hasWarning(t, "folder gone", said, "run.json is no longer there")
	hasWarning(t, "a file in its place", said, "step 9: no checkpoint", "not a directory", "training goes on")
	log, err := os.ReadFile(filepath.Join(out, "metrics.jsonl"))
	if n := bytes.Count(log, []byte("\n")); err != nil || n != 14 || !bytes.HasPrefix(log, []byte(`{"step":1,`)) {
		t.Errorf("metrics.jsonl has %d lines after 14 steps: %v", n, err)
	}
	again := newTrainer(t, out, nil)
	if err := again.open(); err != nil || again.step != 14 || hashParameters(again.model) != want {
		t.Errorf("resumed at step %d with weights %s: %v", again.step, hashParameters(again.model), err)
	}
	again.folder.close()
}

func TestOlderLayout(t *testing.T) {
	out, _ := finished(t)
	path := filepath.Join(out, "run.json")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, bytes.Replace(data, []byte(`"layout": 2`), []byte(`"before": 2`), 1), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = newTrainer(t, out, nil).Run(context.Background())
	mustName(t, "older layout", err, path, "another version of this program", "layout 0", "here 2", "another folder")
}

// FuzzRunState requires that any state of a checkpoint is refused, or one that a run can go on from.
func FuzzRunState(f *testing.F) {
	var trainers []*Trainer
	for _, change := range []func(*Config){nil, func(c *Config) { c.Batches, c.Scaling, c.Temperature = batchHomogeneous, gradNorm, 2 }} {
		tr := newTrainer(f, "", change)
		data, err := json.Marshal(runState{tr.ahead.at, tr.tally})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		f.Add(bytes.Replace(data, []byte(`"next":0`), []byte(`"next":4611686018427387904`), 1))
		f.Add(bytes.Replace(data, []byte(`"epoch":0`), []byte(`"epoch":2147483647`), 1))
		trainers = append(trainers, tr)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, tr := range trainers {
			s, err := tr.readState(data)
			if err != nil {
				continue
			}
			tr.ahead.seek(s.Sampler)
			tr.ahead.next(1, true)
		}
	})
}
