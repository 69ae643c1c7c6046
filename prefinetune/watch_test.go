package prefinetune

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

func TestScalars(t *testing.T) {
	for line, want := range map[string]string{
		`{"step":7,"loss":0.5,"skipped":["x"],"tasks":{"b/c":{"loss":1},"a":{"epochs":2,"loss":3}},"cosines":{"x":1}}`: "7 [{train/loss 0.5} {epochs/a 2} {loss/a 3} {loss/b/c 1}]",
		`{"step":8,"eval":{"aggregate":0.5,"best":true,"tasks":{"a":0.25}}}`:                                           "8 [{evaluation/aggregate 0.5} {score/a 0.25}]",
	} {
		step, values, err := scalars([]byte(line))
		if got := fmt.Sprint(step, " ", values); got != want || err != nil {
			t.Errorf("%s: %s, want %s (%v)", line, got, want, err)
		}
	}
	if _, _, err := scalars([]byte("{")); err == nil {
		t.Error("no error for half a line")
	}
}

// TestTensorBoard has an event file with every step once, after a resume and after the folder
// was removed.
func TestTensorBoard(t *testing.T) {
	out := filepath.Join(t.TempDir(), "run")
	on := func(c *Config) { c.TensorBoard = true }
	first := newTrainer(t, out, on)
	if err := first.open(); err != nil {
		t.Fatal(err)
	}
	train := func(tr *Trainer, to int) {
		t.Helper()
		for tr.step < to {
			line, err := tr.trainStep()
			if err == nil {
				err = tr.record(&logLine{stepLine: *line})
			}
			if err == nil {
				err = tr.folder.after(tr.step, false, tr.save)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	train(first, 5) // two steps beyond the checkpoint
	first.folder.close()
	second := newTrainer(t, out, on)
	if err := second.open(); err != nil || second.step != 3 {
		t.Fatal(second.step, err)
	}
	train(second, 8)
	if err := os.RemoveAll(out); err != nil {
		t.Fatal(err)
	}
	train(second, 14)
	if err := second.folder.after(14, true, second.save); err != nil {
		t.Fatal(err)
	}
	second.folder.close()
	check := func() {
		t.Helper()
		files, err := filepath.Glob(filepath.Join(out, "tensorboard", "*"))
		if err != nil || len(files) != 1 {
			t.Fatalf("event files %q, %v", files, err)
		}
		data, err := os.ReadFile(files[0])
		if err != nil {
			t.Fatal(err)
		}
		// The package of the writer reads events as such; here the tag's number is enough.
		if n := bytes.Count(data, []byte("train/lr")); n != 14 {
			t.Errorf("%d events of 14 steps", n)
		}
	}
	check()
	if _, err := newTrainer(t, out, on).Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	check()
}
