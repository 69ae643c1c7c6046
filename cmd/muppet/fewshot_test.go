package main

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/muppet-go/muppet/prefinetune/report"
)

// TestVerdict has a gain, a loss and neither, of held-out tasks and of controls.
func TestVerdict(t *testing.T) {
	var runs []report.FewShot
	add := func(task string, control bool, a, b []float64) {
		for i := range a {
			runs = append(runs, report.FewShot{Task: task, Start: "early", Seed: uint64(i), Score: a[i], Control: control},
				report.FewShot{Task: task, Start: "late", Seed: uint64(i), Score: b[i], Control: control})
		}
	}
	said := func() string { return strings.Join(verdict(report.Compare(runs)), "\n") }
	add("up", false, []float64{0.5, 0.52, 0.51}, []float64{0.8, 0.82, 0.805})
	add("down", false, []float64{0.8, 0.82, 0.805}, []float64{0.5, 0.52, 0.51})
	add("same", false, []float64{0.5, 0.6, 0.7}, []float64{0.6, 0.6, 0.6})
	add("lot", true, []float64{0.5, 0.6, 0.4}, []float64{0.5, 0.5, 0.53})
	want := `The late start is better on up (+0.298).
The early start is better on down (-0.298): there pre-finetuning did harm.
On same (+0.000) the starts differ by no more than chance.
On the control tasks, lot (+0.010), they differ by no more than chance, as it should be: nothing can be gained there.`
	if got := said(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	runs = nil
	add("lot", true, []float64{0.5, 0.51, 0.52}, []float64{0.6, 0.61, 0.622})
	add("other", true, []float64{0.5, 0.51, 0.52}, []float64{0.4, 0.41, 0.422})
	if got := said(); strings.Count(got, "a control where knowledge of the world cannot help") != 2 || strings.Contains(got, "better") {
		t.Errorf("of controls that differ it says\n%s", got)
	}
	var table bytes.Buffer
	printFewShot(&table, report.Compare(runs))
	if !strings.Contains(table.String(), "* control") {
		t.Errorf("no marks in\n%s", &table)
	}
	runs = nil
	add("up", false, []float64{0.5}, []float64{0.8})
	add("lot", true, []float64{0.5}, []float64{0.5})
	if got := said(); strings.Count(got, "One seed says nothing of chance") != 2 {
		t.Errorf("of one seed it says\n%s", got)
	}
}

// Without the language model, and from a model that is given, the starts have other names.
func TestStarts(t *testing.T) {
	out := t.TempDir()
	status, printed, errs := muppet(context.Background(), quick(out, "-pretrain-steps", "0")...)
	want(t, "no language model", status, 0, printed+errs, "random weights")
	if strings.Contains(printed, "perplexity") {
		t.Errorf("a language model was trained:\n%s", printed)
	}
	status, printed, errs = muppet(context.Background(), "prefinetune", "-init", out+"/model", "-steps", "2", "-few-shot-seeds", "1", "-few-shot-steps", "2", "-out", t.TempDir())
	want(t, "a given model", status, 0, printed+errs, "as given")
}
