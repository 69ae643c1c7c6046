package prefinetune

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/muppet-go/muppet/prefinetune/metrics"
	"github.com/muppet-go/muppet/prefinetune/task"
)

func TestConfusionAndSamples(t *testing.T) {
	var dev []task.Example
	var p metrics.Predictions
	for i := range 12 {
		dev = append(dev, task.Example{Text: "t", Label: i % 2, Where: fmt.Sprint("f:", i)})
		p.Index = append(p.Index, i%3%2)
	}
	tk := &task.Task{Name: "x", Family: task.Classification, Labels: []string{"no", "yes"}}
	c := confusion(tk, dev, p)
	if got := fmt.Sprint(c.Counts); got != "[[4 2] [4 2]]" {
		t.Errorf("confusion %s", got)
	}
	s := samples(tk, dev, p)
	right := 0
	for _, shown := range s.Shown {
		if shown.Right {
			right++
		}
		if shown.Right != (shown.Want == shown.Got) {
			t.Errorf("%+v", shown)
		}
	}
	if s.Wrong != 6 || s.Of != 12 || len(s.Shown) != 6 || right != 3 {
		t.Errorf("%d of %d wrong, %d shown, %d of them right", s.Wrong, s.Of, len(s.Shown), right)
	}

	for _, c := range []struct {
		family task.Family
		e      task.Example
		p      metrics.Predictions
		got    string
		right  bool
		wrong  int
	}{
		{task.Commonsense, task.Example{Context: "c", Choices: []string{"a", "b"}, Answer: 1}, metrics.Predictions{Index: []int{1}}, "1: b", true, 0},
		{task.MRC, task.Example{Question: "q", Passage: "The cat.", Answers: []task.Answer{{Text: "The cat"}}}, metrics.Predictions{Text: []string{"cat"}}, "cat", true, 0},
		{task.MRC, task.Example{Question: "q", Passage: "p"}, metrics.Predictions{Text: []string{""}}, "none", true, 0},
		{task.MRC, task.Example{Question: "q", Passage: "p"}, metrics.Predictions{Text: []string{"p"}}, "p", false, 1},
		{task.Regression, task.Example{Text: "t", Score: 2}, metrics.Predictions{Value: []float64{1.5}}, "1.5", false, -1},
		{task.Summarisation, task.Example{Source: "s", Target: "t"}, metrics.Predictions{Text: []string{"u"}}, "u", false, -1},
	} {
		s := samples(&task.Task{Family: c.family}, []task.Example{c.e}, c.p)
		if s.Shown[0].Got != c.got || s.Shown[0].Right != c.right || s.Wrong != c.wrong || len(s.Shown[0].Fields) == 0 {
			t.Errorf("%s: %+v", c.family, s)
		}
	}
}

// TestDataGoneAtTheEnd takes the data away while the last step is made, and breaks a line of the
// log: the model is written, and the report has what there is.
func TestDataGoneAtTheEnd(t *testing.T) {
	dir := opinions(t, "opinions", 60)
	out := t.TempDir()
	m, _, cfg := small(t, out)
	cfg.Steps = 3
	var said []string
	warnings(&said)(&cfg)
	cfg.Progress = func(p Progress) {
		if p.Step == 3 {
			edit(t, filepath.Join(out, "metrics.jsonl"), `{"step":2,`, `{"step":2;`)
			os.Remove(filepath.Join(dir, "train.jsonl"))
		}
	}
	tr, err := New(m, loadTasks(t, dir), cfg)
	if err != nil {
		t.Fatal(err)
	}
	r, err := tr.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	hasWarning(t, "baselines", said, "no baselines", "train.jsonl")
	hasWarning(t, "overlaps", said, "both trained on and evaluated on")
	hasWarning(t, "curves", said, "metrics.jsonl:2")
	if len(r.Report.Loss.Values) != 2 || len(r.Report.Confusions) != 1 || len(r.Report.Samples) != 1 {
		t.Errorf("%d losses, %d confusions, %d samples", len(r.Report.Loss.Values), len(r.Report.Confusions), len(r.Report.Samples))
	}
	page, err := os.ReadFile(filepath.Join(out, "report.html"))
	if err != nil || !strings.Contains(string(page), "Confusion") {
		t.Errorf("the report: %v", err)
	}
}

// TestReportSaysWhatIsInBoth has dev examples that are also trained on: those of opinions are.
func TestReportSaysWhatIsInBoth(t *testing.T) {
	m, _, cfg := small(t, "")
	cfg.Steps = 1
	tr, err := New(m, loadTasks(t, opinions(t, "opinions", 60)), cfg)
	if err != nil {
		t.Fatal(err)
	}
	r, err := tr.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if o := r.Report.Overlaps; len(o) != 1 || o[0].Dev != "opinions" || o[0].Examples != 10 || o[0].Of != 10 {
		t.Errorf("overlaps %+v", o)
	}
}
