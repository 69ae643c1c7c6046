package prefinetune

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/prefinetune/task"
)

// readLong encodes a question about a passage of many windows, of 32 tokens each.
func readLong(t *testing.T, none bool, passage string, answers ...string) (*example, task.Example) {
	t.Helper()
	tok, err := smallTokenizer()
	if err != nil {
		t.Fatal(err)
	}
	ex := task.Example{Question: "who keeps it?", Passage: passage}
	for _, a := range answers {
		ex.Answers = append(ex.Answers, task.Answer{Text: a, Start: strings.Index(passage, a)})
	}
	enc := &encoder{tok: tok, maxLength: 32, budget: 600}
	e, err := enc.encode(0, &task.Task{Name: "t", Family: task.MRC, NoAnswer: none}, ex)
	if err != nil {
		t.Fatal(err)
	}
	return e, ex
}

const far = "the brask lives far away and "

func TestWindowsCoverLongPassages(t *testing.T) {
	passage := strings.Repeat(far, 20) + "its keeper is Onnel indeed"
	e, ex := readLong(t, false, passage, "Onnel")
	if len(e.sequences) < 3 {
		t.Fatalf("%d windows", len(e.sequences))
	}
	covered, holding := 0, 0
	for i, w := range e.spans {
		if len(e.sequences[i].IDs) > 32 {
			t.Errorf("window %d has %d tokens", i, len(e.sequences[i].IDs))
		}
		if w.offsets[0].Start > covered {
			t.Errorf("window %d begins at byte %d, the one before ends at %d", i, w.offsets[0].Start, covered)
		}
		covered = w.offsets[w.count-1].End
		if w.start < 0 {
			continue
		}
		holding++
		if got := passage[w.offsets[w.start].Start:w.offsets[w.end].End]; strings.TrimSpace(got) != "Onnel" {
			t.Errorf("the answer's tokens are %q", got)
		}
	}
	if covered != len(passage) || holding == 0 {
		t.Errorf("windows end at byte %d of %d, %d hold the answer", covered, len(passage), holding)
	}
	parts := e.training()
	if len(parts) != 1 || parts[0].spans[0].start < 0 || parts[0].tokens() != len(parts[0].sequences[0].IDs) {
		t.Fatalf("trained on %+v", parts)
	}
	if e.tokens() <= parts[0].tokens() || e.spans[0].offsets == nil || ex.Passage != passage {
		t.Error("the example changed")
	}
}

// TestWindowWithContext has an answer that two windows hold, at the end of one: the other is
// trained on.
func TestWindowWithContext(t *testing.T) {
	seen := 0
	for n := range 12 {
		e, _ := readLong(t, false, strings.Repeat("far ", 5+n)+"Onnel"+strings.Repeat(" far", 40), "Onnel")
		best := e.training()[0].spans[0]
		context := func(w window) int { return min(w.start, w.count-1-w.end) }
		for _, w := range e.spans {
			if w.start >= 0 && context(w) != context(best) {
				seen++
				if context(w) > context(best) {
					t.Errorf("trained on a window with a context of %d, another has %d", context(best), context(w))
				}
			}
		}
	}
	if seen == 0 {
		t.Error("no answer was in two windows")
	}
}

func TestAnswersThatWindowsHold(t *testing.T) {
	long := strings.TrimSpace(strings.Repeat(far, 3))
	passage := strings.Repeat(far, 20) + "its keeper is Onnel indeed"
	if e, _ := readLong(t, false, passage, long); len(e.training()) != 0 {
		t.Errorf("an answer longer than a window is trained on: %+v", e.training()[0].spans)
	}
	if e, _ := readLong(t, false, passage, long, "Onnel", "keeper"); len(e.training()) != 1 {
		t.Error("of three answers the second is not found")
	} else if w := e.spans[len(e.spans)-1]; strings.TrimSpace(passage[w.offsets[w.start].Start:w.offsets[w.end].End]) != "Onnel" {
		t.Errorf("the answer is %q", passage[w.offsets[w.start].Start:w.offsets[w.end].End])
	}
	for answer, none := range map[string]bool{"Onnel": false, "": true, long: true} {
		var answers []string
		if answer != "" {
			answers = []string{answer}
		}
		e, _ := readLong(t, true, passage, answers...)
		parts := e.training()
		if len(parts) != len(e.spans) {
			t.Errorf("%d windows of %d are trained on", len(parts), len(e.spans))
		}
		held := 0
		for _, p := range parts {
			w := p.spans[0]
			if w.choices() != w.count+1 || (w.choice(false) == 0) != (w.start < 0) || (w.choice(true) == 0) != (w.end < 0) {
				t.Errorf("window %+v: choices %d and %d of %d", w, w.choice(false), w.choice(true), w.choices())
			}
			if w.start >= 0 {
				held++
			}
		}
		if (held == 0) != none || held == len(parts) {
			t.Errorf("answer %.10q is in %d windows of %d", answer, held, len(parts))
		}
	}
}

// TestAnswersAreExactText decodes scores that favour an answer, or that there is none.
func TestAnswersAreExactText(t *testing.T) {
	m, _, _ := small(t, "")
	passage := strings.Repeat(far, 4) + "its keeper is  “Åse”, indeed. " + strings.Repeat(far, 4)
	tasks := []*task.Task{{Name: "t", Family: task.MRC, NoAnswer: true}}
	e, ex := readLong(t, true, passage, "“Åse”")
	model := NewModel(m, tasks, autograd.NewKey(1))
	p := model.pack(tasks, []*example{e})
	n := len(p.lengths) / 2
	total := 0
	for _, k := range p.lengths[:n] {
		total += k
	}
	if total != len(p.passage) {
		t.Fatalf("%d choices of %d rows", total, len(p.passage))
	}
	for _, c := range []struct {
		saysNone func(window int) float32
		want     string
	}{
		{func(int) float32 { return 0 }, "“Åse”"},
		{func(int) float32 { return 9 }, ""},
		{func(w int) float32 { return float32(9 * min(w, 1)) }, "“Åse”"}, // not the first window
	} {
		scores := make([]float32, 2*total)
		at, found := 0, false
		for i, w := range e.spans {
			scores[at], scores[total+at] = c.saysNone(i), c.saysNone(i)
			if w.start >= 0 && !found {
				scores[at+w.choice(false)], scores[total+at+w.choice(true)] = 5, 5
				found = true
			}
			at += w.choices()
		}
		got := model.decode(tasks, p, outputs{scores: autograd.New(scores, len(scores))}, []task.Example{ex})[0]
		if got.Text != c.want || c.want != "" && got.Start != ex.Answers[0].Start || !(got.Probability > 0 && got.Probability <= 1) {
			t.Errorf("%+v, want %q at %d", got, c.want, ex.Answers[0].Start)
		}
	}
}

// asked is a task of which half the questions have no answer in the passage, which is longer
// than a window.
func asked() *task.Task {
	tk := &task.Task{Name: "asked", Family: task.MRC, NoAnswer: true, Metric: "em_f1", Examples: map[string][]task.Example{}}
	names := []string{"Onnel", "Borlo", "Elka", "Mirre"}
	for i := range 160 {
		who := names[i%4]
		e := task.Example{Question: "where is " + who + "?", Passage: far + who + " is at home " + far, Where: fmt.Sprint(i)}
		if i/4%2 == 0 {
			e.Passage = far + who + " is not here " + far
		} else {
			e.Answers = []task.Answer{{Text: "home", Start: strings.Index(e.Passage, "home")}}
		}
		split := "train"
		if i >= 128 {
			split = "dev"
		}
		tk.Examples[split] = append(tk.Examples[split], e)
	}
	return tk
}

func TestQuestionsWithoutAnswers(t *testing.T) {
	m, tasks, cfg := small(t, t.TempDir())
	cfg.MaxLength, cfg.Steps, cfg.LR = 24, 100, 3e-3
	tr, err := New(m, append(tasks[:1:1], asked()), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if c := tr.Counts()[1]; c.Train <= 128 || c.Dropped != 0 || c.Dev != 32 {
		t.Errorf("%d windows to train on, %d dropped, %d to evaluate", c.Train, c.Dropped, c.Dev)
	}
	uniformCost(t, tr)
	m, _, _ = small(t, "")
	if tr, err = New(m, append(tasks[:1:1], asked()), cfg); err != nil {
		t.Fatal(err)
	}
	r, err := tr.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if s := r.Scores[1]; s.N != 32 || s.Ours < 0.5 {
		t.Errorf("score %+v", s)
	}
	_, p, err := tr.Evaluate(context.Background(), 1)
	if err != nil || !slices.Contains(p.Text, "") || !slices.Contains(p.Text, "home") {
		t.Errorf("answers %q, %v", p.Text, err)
	}
	saved, err := Load(cfg.Out)
	if err != nil {
		t.Fatal(err)
	}
	if own, err := saved.Task("asked"); err != nil || !own.NoAnswer {
		t.Errorf("saved as %+v, %v", own, err)
	}
	e, err := saved.Evaluate(context.Background(), asked(), "dev")
	if err != nil || e.Measures[0].Value != r.Scores[1].Ours {
		t.Errorf("saved, it scores %+v, %v; it was %g", e, err, r.Scores[1].Ours)
	}
}

// TestUnevenCandidates mixes questions with two, three, four and five candidates in a batch: an even
// guess costs 1 whatever their number.
func TestUnevenCandidates(t *testing.T) {
	tk := &task.Task{Name: "uneven", Family: task.Commonsense, Metric: "accuracy", Examples: map[string][]task.Example{}}
	words := strings.Fields("the brask lives far away and its keeper is near")
	for i := range 60 {
		n := 2 + i%4
		e := task.Example{Context: words[i%len(words)], Choices: words[:n], Answer: i / 4 % n, Where: "here"}
		tk.Examples["train"], tk.Examples["dev"] = append(tk.Examples["train"], e), append(tk.Examples["dev"], e)
	}
	m, _, cfg := small(t, "")
	tr, err := New(m, []*task.Task{tk}, cfg)
	if err != nil {
		t.Fatal(err)
	}
	fill(tr.model.Ranking.OutProj.Weight, 0)
	p := tr.model.pack(tr.tasks, tr.sampler.batch())
	tr.cfg.weigh(tr.tasks, p)
	sizes := slices.Compact(slices.Sorted(slices.Values(p.lengths)))
	if !slices.Equal(sizes, []int{2, 3, 4, 5}) {
		t.Fatalf("questions with %v candidates in a batch", sizes)
	}
	l := tr.model.loss(autograd.NewScope(), tr.tasks, p, nil, nil)
	if got := l.task.Item(); got < 1-1e-6 || got > 1+1e-6 {
		t.Errorf("an even guess costs %.8f", got)
	}
	texts, predicted, err := tr.Evaluate(context.Background(), 0)
	if err != nil || len(predicted.Index) != len(texts) {
		t.Fatalf("%d predictions for %d questions, %v", len(predicted.Index), len(texts), err)
	}
	for i, e := range texts {
		if at := predicted.Index[i]; at < 0 || at >= len(e.Choices) {
			t.Errorf("question %d: candidate %d of %d", i, at, len(e.Choices))
		}
	}
}
