package monitor

import (
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/muppet-go/muppet/prefinetune"
)

func listen(t *testing.T) *Server {
	t.Helper()
	s, err := Listen(":0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func get(t *testing.T, s *Server, path, host string) (status int, contentType, body string) {
	t.Helper()
	r, err := http.NewRequest("GET", "http://"+s.Addr()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if host != "" {
		r.Host = host
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	all, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header.Get("Content-Type"), string(all)
}

// What Prometheus's text format allows in a line.
var (
	comment = regexp.MustCompile(`^# (HELP [a-zA-Z_:][a-zA-Z0-9_:]* [^\n]+|TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge))$`)
	sample  = regexp.MustCompile(`^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{[a-zA-Z_][a-zA-Z0-9_]*="([^"\\\n]|\\\\|\\"|\\n)*"\})? (NaN|[+-]Inf|-?[0-9.]+(e[+-][0-9]+)?)$`)
)

func TestMetrics(t *testing.T) {
	s := listen(t)
	step := func(step int, loss float64, tasks ...prefinetune.TaskProgress) {
		s.Progress(prefinetune.Progress{Step: step, Steps: 50, Loss: loss, LR: 1e-7, TokensPerSecond: 1234, Remaining: time.Minute, Waited: 250 * time.Millisecond, Tasks: tasks})
	}
	hostile := "a \"b\"\\\n</td>"
	step(41, 0.5, prefinetune.TaskProgress{Name: "b", Examples: 3, Loss: 0.25, Epochs: 1.5}, prefinetune.TaskProgress{Name: hostile, Examples: 1, Loss: 7})
	step(42, math.NaN(), prefinetune.TaskProgress{Name: "b", Examples: 4, Loss: 0.75, Epochs: 2})
	status, contentType, body := get(t, s, "/metrics", "")
	if status != 200 || contentType != "text/plain; version=0.0.4; charset=utf-8" {
		t.Errorf("status %d, %s", status, contentType)
	}
	if !strings.HasSuffix(body, "\n") {
		t.Error("the last line does not end")
	}
	types := map[string]bool{}
	for _, line := range strings.Split(strings.TrimSuffix(body, "\n"), "\n") {
		if m := comment.FindStringSubmatch(line); m != nil {
			if m[2] != "" && types[m[2]] {
				t.Errorf("%s has two types", m[2])
			}
			types[m[2]] = true
			continue
		}
		if m := sample.FindStringSubmatch(line); m == nil || !types[m[1]] {
			t.Errorf("not a sample of a family that was declared: %q", line)
		}
	}
	for _, want := range []string{
		"muppet_step 42\n", "muppet_steps 50\n", "muppet_loss NaN\n", "muppet_learning_rate 1e-07\n", "muppet_wait_seconds_total 0.5\n", "muppet_remaining_seconds 60\n",
		"muppet_task_loss{task=\"b\"} 0.75\n", "muppet_task_examples_total{task=\"b\"} 7\n", `muppet_task_loss{task="a \"b\"\\\n</td>"} 7` + "\n", "go_goroutines ",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("%q is not in\n%s", want, body)
		}
	}
	status, contentType, body = get(t, s, "/", "")
	if status != 200 || !strings.HasPrefix(contentType, "text/html") || !strings.Contains(body, "Step 42 of 50") || strings.Contains(body, "\"b\"\\\n</td>") || !strings.Contains(body, "&lt;/td&gt;") {
		t.Errorf("the page, status %d, %s:\n%s", status, contentType, body)
	}
}

// TestAnotherRun has a run after another in the same program.
func TestAnotherRun(t *testing.T) {
	s := listen(t)
	s.Progress(prefinetune.Progress{Step: 9, Steps: 9, Waited: time.Second, Tasks: []prefinetune.TaskProgress{{Name: "old", Examples: 3}}})
	s.Progress(prefinetune.Progress{Step: 1, Steps: 5, Tasks: []prefinetune.TaskProgress{{Name: "new", Examples: 1}}})
	_, _, body := get(t, s, "/metrics", "")
	for _, want := range []string{"muppet_step 1\n", "muppet_wait_seconds_total 0\n", "muppet_task_examples_total{task=\"new\"} 1\n"} {
		if !strings.Contains(body, want) || strings.Contains(body, "old") {
			t.Errorf("%q is not in\n%s", want, body)
		}
	}
}

func TestPages(t *testing.T) {
	s := listen(t)
	for path, want := range map[string]int{"/": 200, "/metrics": 200, "/debug/pprof/": 200, "/debug/pprof/goroutine?debug=1": 200, "/nothing": 404} {
		if status, _, _ := get(t, s, path, ""); status != want {
			t.Errorf("%s: status %d, want %d", path, status, want)
		}
	}
	_, port, _ := net.SplitHostPort(s.Addr())
	for host, want := range map[string]int{"localhost:" + port: 200, "[::1]:" + port: 200, "evil.example:" + port: 403, "evil.example": 403, "10.0.0.1": 403} {
		if status, _, _ := get(t, s, "/metrics", host); status != want {
			t.Errorf("asked as %s: status %d, want %d", host, status, want)
		}
	}
}

func TestListen(t *testing.T) {
	for _, address := range []string{"", "6060", "localhost", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:70000", "::1:80:1", "nowhere.invalid:0"} {
		if s, err := Listen(address); err == nil {
			t.Errorf("%q is an address: %s", address, s.Addr())
			s.Close()
		}
	}
	s := listen(t)
	if host, _, _ := net.SplitHostPort(s.Addr()); host != "127.0.0.1" || !s.Loopback() {
		t.Errorf("without a host the server is at %s", s.Addr())
	}
	if _, err := Listen(s.Addr()); err == nil || !strings.Contains(err.Error(), s.Addr()) {
		t.Errorf("an address in use: %v", err)
	}
	all, err := Listen("0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer all.Close()
	if all.Loopback() {
		t.Errorf("%s is for this machine alone", all.Addr())
	}
}

func TestClose(t *testing.T) {
	before := runtime.NumGoroutine()
	s, err := Listen("localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	address := s.Addr()
	get(t, s, "/", "")
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if c, err := net.Dial("tcp", address); err == nil {
		c.Close()
		t.Error("somebody still listens")
	}
	for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines more than before", runtime.NumGoroutine()-before)
		}
	}
	if err := s.Close(); err != nil && !errors.Is(err, http.ErrServerClosed) {
		t.Error(err)
	}
}
