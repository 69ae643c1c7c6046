package prefinetune

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestAhead takes updates that are prepared ahead, with a seek now and then: they are those
// of a sampler that is asked in turn, and the position is that of what was taken.
func TestAhead(t *testing.T) {
	plain, other := newTrainer(t, "", nil), newTrainer(t, "", nil)
	places := func(_ int, examples [][]*example) (where []string) {
		for _, picked := range examples {
			for _, e := range picked {
				where = append(where, e.where)
			}
		}
		return where
	}
	a := newAhead(other.sampler, places)
	var positions []cursor
	for step := 1; step <= 60; step++ {
		positions = append(positions, plain.sampler.Cursor)
		if a.at != plain.sampler.Cursor {
			t.Fatalf("step %d: ahead is at %+v, the sampler at %+v", step, a.at, plain.sampler.Cursor)
		}
		if got, want := a.next(step, step == 60), places(0, plain.sampler.update()); !slices.Equal(got, want) {
			t.Fatalf("step %d: %q, want %q", step, got, want)
		}
		if step == 30 {
			plain.sampler.seek(positions[7])
			a.seek(positions[7])
		}
	}
	if a.coming != nil {
		t.Error("something is prepared for after the last step")
	}
	bad := newAhead(other.sampler, func(int, [][]*example) int { panic("of the caller's making") })
	defer func() {
		if r := recover(); r != "of the caller's making" {
			t.Errorf("recovered %v", r)
		}
	}()
	bad.next(1, false)
}

// TestNothingIsLeftRunning counts goroutines after a run that ends, one that is interrupted
// and one that fails.
func TestNothingIsLeftRunning(t *testing.T) {
	newTrainer(t, "", nil).Run(context.Background()) // whatever is started once for all
	before := runtime.NumGoroutine()
	ctx, cancel := context.WithCancel(context.Background())
	for what, change := range map[string]func(*Config){
		"a run":        nil,
		"an interrupt": func(c *Config) { c.Progress = func(Progress) { cancel() } },
		"an error":     func(c *Config) { c.LR, c.WarmUp = 1e30, -1 },
	} {
		_, err := newTrainer(t, t.TempDir(), change).Run(ctx)
		if (err != nil) != (change != nil) {
			t.Errorf("%s: %v", what, err)
		}
		if errors.Is(err, ErrInterrupted) {
			ctx = context.Background()
		}
		for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before && time.Now().Before(deadline); {
			time.Sleep(time.Millisecond)
		}
		if n := runtime.NumGoroutine(); n > before {
			stacks := make([]byte, 1<<16)
			t.Errorf("%s leaves %d goroutines running:\n%s", what, n-before, stacks[:runtime.Stack(stacks, true)])
		}
	}
	cancel()
}

// TestWaitIsReported has a log that says how long a step waited for its batches.
func TestWaitIsReported(t *testing.T) {
	out, _ := finished(t)
	log, err := os.ReadFile(filepath.Join(out, "metrics.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(strings.TrimSpace(string(log)), "\n") {
		var l struct {
			Wait *float64 `json:"wait_ms"`
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil || l.Wait == nil || *l.Wait < 0 {
			t.Fatalf("line %d: %s (%v)", i+1, line, err)
		}
	}
}
