package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/muppet-go/muppet/prefinetune"
	"github.com/muppet-go/muppet/prefinetune/suite"
	"github.com/muppet-go/muppet/prefinetune/task"
)

// with runs a command with a standard input.
func with(input string, args ...string) (status int, stdout, stderr string) {
	var out, errs bytes.Buffer
	status = run(context.Background(), args, strings.NewReader(input), &out, &errs)
	return status, out.String(), errs.String()
}

// TestUse goes the way of README: language modelling, pre-finetuning, fine-tuning, scores,
// answers, export.
func TestUse(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	ok := func(input string, args ...string) string {
		t.Helper()
		status, out, stderr := with(input, args...)
		if status != 0 {
			t.Fatalf("muppet %s: status %d\n%s%s", strings.Join(args, " "), status, out, stderr)
		}
		return out
	}
	ok("", "pretrain", "-layers", "1", "-hidden", "32", "-steps", "5", "-out", in("language"))
	ok("", "prefinetune", "-init", in("language/model"), "-steps", "5", "-tokens", "512", "-few-shot-seeds", "0", "-lr", "1e-3", "-out", in("pre"))

	out := ok("", "finetune", "-init", in("pre"), "-task", "care", "-task", "topic", "-epochs", "1", "-lr", "1e-3", "-seeds", "2", "-out", in("fine"))
	if !strings.Contains(out, "heads kept: topic\n") || strings.Count(out, "\ncare: 64 training examples") != 2 {
		t.Errorf("fine-tuning said\n%s", out)
	}
	var seeds []seedScores
	data, err := os.ReadFile(in("fine/seeds.json"))
	if err == nil {
		err = json.Unmarshal(data, &seeds)
	}
	if err != nil || len(seeds) != 2 || seeds[0].Task != "care" || len(seeds[1].Scores) != 2 || seeds[0].StdDev == nil {
		t.Errorf("seeds.json: %+v, %v", seeds, err)
	}
	if out := ok("", "finetune", "-init", in("pre"), "-heads", "drop", "-task", "topic", "-steps", "2", "-last", "-out", in("dropped")); !strings.Contains(out, "heads kept: none") {
		t.Errorf("dropped heads:\n%s", out)
	}

	again := func(more ...string) []string {
		return append([]string{"prefinetune", "-init", in("pre"), "-steps", "2", "-tokens", "512", "-few-shot-seeds", "0", "-lr", "1e-3", "-out", t.TempDir()}, more...)
	}
	if out := ok("", again()...); !strings.Contains(out, "heads kept: topic, ") {
		t.Errorf("pre-finetuning from a run:\n%s", out)
	}
	if out := ok("", again("-heads", "drop")...); strings.Contains(out, "heads kept") {
		t.Errorf("pre-finetuning from a run without its heads:\n%s", out)
	}

	// The scores of what was saved are those that the run told.
	var told, evaluated prefinetune.Evaluation
	for _, line := range strings.Split(strings.TrimSpace(ok("", "eval", "-model", in("fine/seed-2"), "-json")), "\n") {
		var e prefinetune.Evaluation
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		for _, s := range seeds {
			if s.Task == e.Task && s.Scores["2"] != e.Measures[0].Value {
				t.Errorf("%s: evaluated %g, told %g", s.Task, e.Measures[0].Value, s.Scores["2"])
			}
		}
		told = e
	}
	if told.Task == "" {
		t.Fatal("nothing was evaluated")
	}
	ok("", "export", "-model", in("fine/seed-2"), "-task", told.Task, "-out", in("hf"))
	if err := json.Unmarshal([]byte(ok("", "eval", "-model", in("hf"), "-task", told.Task, "-json")), &evaluated); err != nil || fmt.Sprint(evaluated) != fmt.Sprint(told) {
		t.Errorf("the export scores %+v, the run %+v (%v)", evaluated, told, err)
	}
	if out := ok("", "eval", "-model", in("pre"), "-task", "reading", "-split", "dev"); !strings.Contains(out, "exact_match") {
		t.Errorf("reading scores\n%s", out)
	}

	// Answers come in order, whatever the batches, with what was asked for.
	var lines []string
	held := suite.HeldOut(1)[0]
	for i, e := range held.Examples["dev"][:7] {
		line, err := json.Marshal(map[string]any{"text": e.Text, "id": i, "label": 3})
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, string(line))
	}
	input := strings.Join(lines, "\n") + "\n"
	answers := ok(input, "predict", "-model", in("fine/seed-2"), "-task", "care")
	probabilities := regexp.MustCompile(`"probabilities".*`) // their last decimals depend on the batch
	short := func(s string) string { return probabilities.ReplaceAllString(s, "") }
	if one := ok(input, "predict", "-model", in("fine/seed-2"), "-task", "care", "-batch", "1"); short(one) != short(answers) {
		t.Errorf("one by one:\n%s\nat once:\n%s", one, answers)
	}
	for i, line := range strings.Split(strings.TrimSpace(answers), "\n") {
		var a struct {
			ID            int
			Label         string
			Probabilities map[string]float64
		}
		if err := json.Unmarshal([]byte(line), &a); err != nil || a.ID != i || !slices.Contains(held.Labels, a.Label) {
			t.Errorf("answer %d: %s (%v)", i, line, err)
		}
		sum := 0.0
		for _, p := range a.Probabilities {
			sum += p
			if p > a.Probabilities[a.Label] {
				t.Errorf("answer %d is not the likeliest: %s", i, line)
			}
		}
		if math.Abs(sum-1) > 1e-5 {
			t.Errorf("answer %d: probabilities add up to %g", i, sum)
		}
	}
	for name, c := range map[string]struct{ input, want string }{
		"home":    {`{"context": "The brask lives in", "choices": ["the marsh", "the wood"]}`, `"answer":`},
		"reading": {`{"question": "Where?", "passage": "“Ä” is in the marsh."}`, `"start":`},
		"care":    {"{\"text\": \"<b>\"}", `"label":`},
	} {
		model := in("pre")
		if name == "care" {
			model = in("fine/seed-1")
		}
		if out := ok(c.input, "predict", "-model", model, "-task", name); !strings.Contains(out, c.want) {
			t.Errorf("%s answers %s", name, out)
		}
	}
	if out := ok("See to the brask.\n", "predict", "-model", in("hf"), "-text"); told.Task != "reading" && !strings.Contains(out, `"text":"See to the brask."`) {
		t.Errorf("text answers %s", out)
	}

	for _, c := range []struct {
		args   []string
		input  string
		status int
		want   string
	}{
		{[]string{"finetune", "-task", "care", "-out", in("x")}, "", 2, "from which model?"},
		{[]string{"finetune", "-init", in("pre"), "-out", in("x")}, "", 2, "on which task?"},
		{[]string{"finetune", "-init", in("pre"), "-task", "care"}, "", 2, "where to?"},
		{[]string{"finetune", "-init", in("pre"), "-task", "care", "-out", in("x"), "-lr", "NaN"}, "", 2, "-lr NaN"},
		{[]string{"finetune", "-init", in("pre"), "-task", "care", "-out", in("x"), "-steps", "3", "-epochs", "3"}, "", 2, "both say how long"},
		{[]string{"finetune", "-init", in("pre"), "-task", "none", "-out", in("x")}, "", 1, `no task "none" comes with the program; there are topic`},
		{[]string{"finetune", "-init", in("absent"), "-task", "care", "-out", in("x")}, "", 1, "absent"},
		{[]string{"eval", "-model", in("language/model")}, "", 1, "no head for a task"},
		{[]string{"eval", "-model", in("fine/seed-1"), "-task", "sentiment"}, "", 1, "no head for task \"sentiment\"; want one of care, topic"},
		{[]string{"eval", "-model", in("pre"), "-task", "topic", "-split", "test"}, "", 1, "test"},
		{[]string{"predict", "-model", in("pre")}, "", 2, "for which task?"},
		{[]string{"predict", "-model", in("pre"), "-task", "home", "-text"}, "", 2, "one text is not enough"},
		{[]string{"predict", "-model", in("fine/seed-1"), "-task", "care"}, "{\"text\": \"a\"}\n{\"txt\": \"b\"}\n", 1, "line 2: field txt: task care has text, text2"},
		{[]string{"predict", "-model", in("fine/seed-1"), "-task", "care"}, "\n", 1, "line 1: not a JSON object"},
		{[]string{"export", "-model", in("fine/seed-1"), "-task", "care", "-out", in("hf")}, "", 1, "not empty"},
	} {
		if status, _, stderr := with(c.input, c.args...); status != c.status || !strings.Contains(stderr, c.want) {
			t.Errorf("muppet %v: status %d, %s", c.args, status, stderr)
		}
	}
}

func TestTasksFor(t *testing.T) {
	got, err := tasksFor([]string{"rte", filepath.Join("..", "..", "prefinetune", "catalog", "cola.yaml")}, t.TempDir())
	if err != nil || len(got) != 2 || got[0].Name != "RTE" || got[1].Name != "CoLA" {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := tasksFor([]string{"rte", "nil"}, t.TempDir()); err == nil || !strings.Contains(err.Error(), `no task "nil" in the catalog`) {
		t.Error(err)
	}
	m, _, err := startFrom(t.TempDir(), true, []*task.Task{})
	if err == nil {
		t.Errorf("an empty folder has the model %v", m)
	}
}
