// Package monitor shows a run over HTTP while it trains: a page of its state, the numbers in
// the text format of Prometheus, and Go's profiles.
//
//	/              where the run is, overall and by task
//	/metrics       for Prometheus
//	/debug/pprof/  for go tool pprof
//
// It is for the machine that it runs on: there is no password. A server on a loopback address
// answers only requests that name one, so that no page in a browser can ask it in another name.
package monitor

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"html/template"
	"math"
	"net"
	"net/http"
	"net/http/pprof"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/muppet-go/muppet/prefinetune"
)

// A Server shows a run. Its methods may be called by several goroutines at once.
type Server struct {
	listener net.Listener
	http     http.Server
	served   chan struct{}

	mu     sync.Mutex
	began  time.Time
	steps  int // that were told of
	last   prefinetune.Progress
	waited time.Duration
	tasks  map[string]*task
}

// task is what is known of a task.
type task struct {
	prefinetune.TaskProgress // of its last step, but for Examples, which is of all
	Mean                     float64
}

// Listen serves on an address, HOST:PORT. Without a host that is 127.0.0.1; another machine
// can look only where the address of an interface, or 0.0.0.0 for all, is spelled out. Port 0
// is any that is free.
func Listen(address string) (*Server, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("monitor: address %q: want HOST:PORT, such as 127.0.0.1:6060", address)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return nil, fmt.Errorf("monitor: address %q: want a port from 0 to 65535", address)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, fmt.Errorf("monitor: %w", err)
	}
	s := &Server{listener: listener, served: make(chan struct{}), began: time.Now(), tasks: map[string]*task{}}
	mux := http.NewServeMux()
	mux.HandleFunc("/{$}", s.page)
	mux.HandleFunc("/metrics", s.metrics)
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	s.http = http.Server{Handler: s.guard(mux), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		defer close(s.served)
		s.http.Serve(listener)
	}()
	return s, nil
}

// Addr returns the address that is listened to.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Loopback reports whether this machine alone can reach the server.
func (s *Server) Loopback() bool {
	return s.listener.Addr().(*net.TCPAddr).IP.IsLoopback()
}

// Close stops the server. Requests that it is answering have a second.
func (s *Server) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = s.http.Close() // of somebody who reads a profile for long
	}
	<-s.served
	return err
}

// guard refuses what asks a loopback server by another name.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		ip := net.ParseIP(strings.Trim(host, "[]"))
		if s.Loopback() && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			http.Error(w, "this server is for its own machine", http.StatusForbidden)
			return
		}
		w.Header().Set("X-Content-Type-Options", "nosniff")
		next.ServeHTTP(w, r)
	})
}

// Progress takes in a step.
func (s *Server) Progress(p prefinetune.Progress) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.Step < s.last.Step { // another run: pre-finetuning after a language model, the next seed
		clear(s.tasks)
		s.waited = 0
	}
	s.last = p
	s.steps++
	s.waited += p.Waited
	for _, t := range p.Tasks {
		have := s.tasks[t.Name]
		if have == nil {
			have = &task{Mean: t.Loss}
			s.tasks[t.Name] = have
		}
		const decay = 0.95
		t.Examples += have.Examples
		have.TaskProgress, have.Mean = t, decay*have.Mean+(1-decay)*t.Loss
	}
}

// state is what page and metrics show.
type state struct {
	prefinetune.Progress
	Began  time.Time
	Told   int
	Waited time.Duration
	Tasks  []task
}

func (s *Server) state() state {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := state{Progress: s.last, Began: s.began, Told: s.steps, Waited: s.waited}
	for _, t := range s.tasks {
		now.Tasks = append(now.Tasks, *t)
	}
	sort.Slice(now.Tasks, func(i, j int) bool { return now.Tasks[i].Name < now.Tasks[j].Name })
	return now
}

// metrics writes the numbers in Prometheus's text format, version 0.0.4.
func (s *Server) metrics(w http.ResponseWriter, _ *http.Request) {
	now := s.state()
	var b bytes.Buffer
	family := func(name, kind, help string) {
		fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
	}
	one := func(name, kind, help string, v float64) {
		family(name, kind, help)
		fmt.Fprintf(&b, "%s %s\n", name, number(v))
	}
	one("muppet_start_time_seconds", "gauge", "When the program began to train, in Unix time.", float64(now.Began.UnixMilli())/1000)
	if now.Told > 0 {
		one("muppet_step", "gauge", "Updates made, in this and earlier calls.", float64(now.Step))
		one("muppet_steps", "gauge", "Updates that the run is to make.", float64(now.Steps))
		one("muppet_loss", "gauge", "Loss of the last update.", now.Loss)
		one("muppet_learning_rate", "gauge", "Learning rate of the last update.", now.LR)
		one("muppet_grad_norm", "gauge", "Norm of the last gradient before clipping.", now.GradNorm)
		one("muppet_tokens_per_second", "gauge", "Tokens trained on a second, since the start of this call.", now.TokensPerSecond)
		one("muppet_remaining_seconds", "gauge", "Time that the run will take still.", now.Remaining.Seconds())
		one("muppet_wait_seconds_total", "counter", "Time spent waiting for batches.", now.Waited.Seconds())
	}
	byTask := func(name, kind, help string, value func(task) float64) {
		if len(now.Tasks) == 0 {
			return
		}
		family(name, kind, help)
		for _, t := range now.Tasks {
			fmt.Fprintf(&b, "%s{task=\"%s\"} %s\n", name, escape.Replace(t.Name), number(value(t)))
		}
	}
	byTask("muppet_task_loss", "gauge", "Loss of a task in the last update that had it.", func(t task) float64 { return t.Loss })
	byTask("muppet_task_grad_norm", "gauge", "Norm of a task's gradient at the encoder's output.", func(t task) float64 { return t.GradNorm })
	byTask("muppet_task_epochs", "gauge", "Passes over a task's examples.", func(t task) float64 { return t.Epochs })
	byTask("muppet_task_examples_total", "counter", "Examples of a task trained on in this call.", func(t task) float64 { return float64(t.Examples) })
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	one("go_goroutines", "gauge", "Goroutines that exist.", float64(runtime.NumGoroutine()))
	one("go_memstats_heap_alloc_bytes", "gauge", "Bytes in use on the heap.", float64(m.HeapAlloc))
	one("go_gc_duration_seconds_total", "counter", "Time that the garbage collector stopped the program for.", float64(m.PauseTotalNs)/1e9)
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	w.Write(b.Bytes())
}

// escape is for a label's value.
var escape = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

func number(v float64) string {
	switch {
	case math.IsNaN(v):
		return "NaN"
	case math.IsInf(v, 1):
		return "+Inf"
	case math.IsInf(v, -1):
		return "-Inf"
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"fixed":   func(v float64) string { return strconv.FormatFloat(v, 'f', 3, 64) },
	"short":   func(v float64) string { return strconv.FormatFloat(v, 'g', 3, 64) },
	"seconds": func(d time.Duration) time.Duration { return d.Round(time.Second) },
	"millis":  func(d time.Duration) time.Duration { return d.Round(time.Millisecond) },
}).Parse(pageText))

func (s *Server) page(w http.ResponseWriter, _ *http.Request) {
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, s.state()); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Write(b.Bytes())
}
