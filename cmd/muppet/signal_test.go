//go:build unix

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain makes the test's binary the program itself where it is told to: signals and the
// end of a process need a process.
func TestMain(m *testing.M) {
	if os.Getenv("MUPPET_TEST_MAIN") != "" {
		main()
	}
	os.Exit(m.Run())
}

// process returns the program as a process of its own that is not started yet.
func process(procs int, args ...string) (cmd *exec.Cmd, output *bytes.Buffer) {
	cmd = exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), "MUPPET_TEST_MAIN=1", fmt.Sprintf("GOMAXPROCS=%d", procs))
	output = &bytes.Buffer{}
	cmd.Stdout, cmd.Stderr = output, output
	return cmd, output
}

// brief is a run that writes a checkpoint every other step, of the language model, too.
func brief(out string, pretrain, steps int) []string {
	return []string{"prefinetune", "-steps", strconv.Itoa(steps), "-checkpoint-every", "2", "-pretrain-steps", strconv.Itoa(pretrain), "-layers", "1", "-hidden", "32", "-tokens", "256", "-vocab", "300", "-few-shot-seeds", "0", "-out", out}
}

// TestKilled kills the program at random moments, whatever it does, and starts it again at
// another GOMAXPROCS, until it is done: weights, moments and log are those of a run that
// nobody disturbed. MUPPET_TEST_KILLS says how often, by default 10 times.
func TestKilled(t *testing.T) {
	kills := 10
	if s := os.Getenv("MUPPET_TEST_KILLS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			t.Fatalf("MUPPET_TEST_KILLS is %q; want a positive number", s)
		}
		kills = n
	}
	steps := 6 * kills
	whole, out := filepath.Join(t.TempDir(), "whole"), filepath.Join(t.TempDir(), "out")
	cmd, output := process(2, brief(whole, 2*kills, steps)...)
	began := time.Now()
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	took := time.Since(began)

	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for killed := 0; killed < kills; {
		cmd, output := process(1+killed%3, brief(out, 2*kills, steps)...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- cmd.Wait() }()
		select {
		case <-time.After(time.Duration(r.Int64N(int64(took / 3)))): // a third: so that there is something left to kill
			cmd.Process.Kill()
			<-done
			killed++
		case err := <-done:
			if err != nil {
				t.Fatalf("%v\n%s", err, output)
			}
			if err := os.RemoveAll(out); err != nil { // done before it was killed often enough
				t.Fatal(err)
			}
		}
	}
	cmd, output = process(2, brief(out, 2*kills, steps)...)
	if err := cmd.Run(); err != nil {
		t.Fatalf("after %d kills: %v\n%s", kills, err, output)
	}
	last := fmt.Sprintf("checkpoints/step-%06d", steps)
	for _, name := range []string{last + "/model.safetensors", last + "/optimizer.safetensors", "model/model.safetensors"} {
		want, err := os.ReadFile(filepath.Join(whole, name))
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(out, name))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("after %d kills %s is not that of an undisturbed run (%v)", kills, name, err)
		}
	}
	log, err := os.Open(filepath.Join(out, "metrics.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	n := 0
	for lines := bufio.NewScanner(log); lines.Scan(); {
		var l struct{ Step int }
		if n++; json.Unmarshal(lines.Bytes(), &l) != nil || l.Step != n {
			t.Fatalf("line %d of metrics.jsonl: %s", n, lines.Text())
		}
	}
	if n != steps {
		t.Errorf("%d lines in metrics.jsonl after %d steps", n, steps)
	}
}

// TestSignals interrupts the program: it writes a checkpoint and ends well, and a second signal
// ends it at once.
func TestSignals(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		out := filepath.Join(t.TempDir(), "run")
		args := brief(out, 0, 1_000_000)
		args[4] = "1000000" // no checkpoint but the one at the end
		cmd, output := process(2, args...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		waitFor(t, func() bool {
			log, _ := os.ReadFile(filepath.Join(out, "metrics.jsonl"))
			return bytes.Count(log, []byte("\n")) > 3
		})
		if err := cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v: %v", s, err)
		}
		for _, part := range []string{"interrupted at step", "a checkpoint is in " + out, "the same command resumes"} {
			if !strings.Contains(output.String(), part) {
				t.Errorf("%v: the program does not say %q:\n%s", s, part, output)
			}
		}
		if found, _ := filepath.Glob(filepath.Join(out, "checkpoints/step-*/SHA256SUMS")); len(found) != 1 {
			t.Errorf("%v: checkpoints %q", s, found)
		}
	}

	// An update of a second or more, to be interrupted in.
	out := filepath.Join(t.TempDir(), "run")
	cmd, output := process(2, "prefinetune", "-pretrain-steps", "0", "-layers", "4", "-hidden", "384", "-tokens", "16384", "-few-shot-seeds", "0", "-out", out)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool {
		_, err := os.Stat(filepath.Join(out, "metrics.jsonl"))
		return err == nil
	})
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond) // the program has to see the first before the second
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	cmd.Wait()
	if status := cmd.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != syscall.SIGINT {
		t.Errorf("after a second signal the program ended with %v:\n%s", cmd.ProcessState, output)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("after a second signal the program went on for %v", took)
	}
}

func waitFor(t *testing.T, ready func() bool) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); !ready(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain")
		}
	}
}
