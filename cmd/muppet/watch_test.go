package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"testing"
)

// asking is an output that asks for the run's metrics when it shows the last step.
type asking struct {
	bytes.Buffer
	answer string
}

var address = regexp.MustCompile(`http://127\.0\.0\.1:\d+/`)

func (a *asking) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte("step 4/4")) {
		if resp, err := http.Get(address.FindString(a.String()) + "metrics"); err == nil {
			body, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			a.answer = string(body)
		}
	}
	return a.Buffer.Write(p)
}

func TestWatch(t *testing.T) {
	out := filepath.Join(t.TempDir(), "run")
	stdout, stderr := &asking{}, &bytes.Buffer{}
	status := run(context.Background(), quick(out, "-listen", ":0", "-tensorboard"), nil, stdout, stderr)
	want(t, "watched", status, 0, stdout.String()+stderr.String(), "Scores after 4 steps", filepath.Join(out, "tensorboard"))
	want(t, "metrics", 0, 0, stdout.answer, "\nmuppet_step 4\n", "\nmuppet_steps 4\n", "\nmuppet_task_loss{task=")
	if found, _ := filepath.Glob(filepath.Join(out, "tensorboard", "events.out.tfevents.*")); len(found) != 1 {
		t.Errorf("event files %q", found)
	}
	if resp, err := http.Get(address.FindString(stdout.String())); err == nil {
		resp.Body.Close()
		t.Error("the page outlives the run")
	}
	status, _, errs := muppet(context.Background(), quick(filepath.Join(t.TempDir(), "run"), "-listen", "6060")...)
	want(t, "no address", status, 1, errs, "-listen", `"6060"`, "want HOST:PORT")
}
