package prefinetune

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestFullDisk fills the disk under a run: it trains on, without a checkpoint until there is
// room again, and if there is none by the end says so.
func TestFullDisk(t *testing.T) {
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=4m"); err != nil {
		t.Skipf("cannot mount a small disk: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, 0); err != nil {
			t.Error(err)
		}
	})
	ballast := filepath.Join(disk, "ballast")
	fill := func() {
		f, err := os.Create(ballast)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for size := 4096; size > 0; {
			if _, err := f.Write(make([]byte, size)); errors.Is(err, syscall.ENOSPC) {
				size /= 2
			} else if err != nil {
				t.Fatal(err)
			}
		}
	}
	_, want := finished(t)
	for _, empties := range []bool{true, false} {
		out := filepath.Join(disk, "run")
		var said []string
		filled := false
		train := func() (*Trainer, error) {
			tr := newTrainer(t, out, func(c *Config) {
				warnings(&said)(c)
				c.CheckpointEvery = 2
				c.Progress = func(p Progress) {
					if p.Step == 3 && !filled {
						filled = true
						fill()
					}
					if p.Step == 11 && empties {
						os.Remove(ballast)
					}
				}
			})
			_, err := tr.Run(context.Background())
			return tr, err
		}
		tr, err := train()
		hasWarning(t, "no room for a checkpoint", said, "step 10: no checkpoint", "no space left", "next is due in 2 steps")
		hasWarning(t, "no room for metrics", said, "metrics wait in memory", "no space left")
		if !empties {
			mustName(t, "no room at the end", err, "checkpoint", "no space left")
			if err := os.Remove(ballast); err != nil {
				t.Fatal(err)
			}
			for _, pattern := range []string{".writing*", "*/*.tmp", "step-*/*.tmp"} {
				if left, _ := filepath.Glob(filepath.Join(out, checkpointsDir, pattern)); len(left) > 0 {
					t.Errorf("left behind: %q", left)
				}
			}
			said = nil
			tr, err = train()
			hasWarning(t, "after all", said, "resuming at step 2 of 14")
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := hashParameters(tr.model); got != want {
			t.Errorf("weights %s, want %s", got, want)
		}
		log, err := os.ReadFile(filepath.Join(out, "metrics.jsonl"))
		if n := bytes.Count(log, []byte("\n")); err != nil || n != 14 {
			t.Errorf("metrics.jsonl has %d lines after 14 steps: %v", n, err)
		}
		if err := os.RemoveAll(out); err != nil {
			t.Fatal(err)
		}
	}
}
