// Package report writes what a run did as one HTML page: the mix of tasks asked
// for and realised, every task's dev score beside its baselines, loss curves in
// total and per task, learning rate, speed, and the few-shot comparison. The page
// needs no network, no scripts and no other file; it is legible in light and dark.
//
// A [Report] is plain data. Whoever trains fills it; names of tasks may be hostile
// and are escaped. Empty parts are left out of the page.
package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

// A Report is all that the page shows.
type Report struct {
	Name     string
	Summary  []string  // sentences: what came out
	Config   []Setting // what was asked for
	Mix      []Mix     // one row a task
	Dev      []Score   // one row a task
	Pretrain Curve     // loss of the language-model pre-training that came before
	Loss     Curve     // the total over the steps
	Unscaled bool      // losses are not divided by log n, so that uniform predictions do not cost 1
	TaskLoss []Curve   // one curve a task, named after it
	Grad     Curve     // norm of all parameters' gradient
	TaskGrad []Curve   // norm of a task's gradient at the encoder's output, one curve a task
	KL       Curve     // R3F's divergence
	Rate     Curve     // learning rate
	Speed    Curve     // tokens per second
	Weight   []Curve   // factor of a task's loss where that is learned, one curve a task

	// Evaluations on the way: the aggregate that decides which weights are kept, and every
	// task's metric. Best is the step of the highest aggregate, 0 for none.
	Aggregate Curve
	TaskScore []Curve
	Best      int

	Confusions []Confusion // of classification tasks
	Samples    []Samples
	Bad        []BadRow
	Overlaps   []Overlap

	Cosines *Cosines // of the tasks' gradients; nil where they were not measured
	FewShot []FewShot
}

// A Setting is a line of the configuration.
type Setting struct{ Name, Value string }

// A Mix tells how much of the training a task made up.
type Mix struct {
	Task, Family string
	Rows         int     // training examples that the task has
	Asked        float64 // share of the examples asked for, in [0, 1]
	Realised     float64 // share of the examples seen, in [0, 1]
	Epochs       float64 // passes over the task's examples
}

// A Score is a task's result on its dev split. NaN stands for a value there is not.
type Score struct {
	Task, Family, Metric string
	N                    int // dev examples
	Majority, BagOfWords float64
	Ours, StdErr         float64 // standard error of Ours
}

// BeatsMajority reports whether the score is above the majority's by more than
// two standard errors.
func (s Score) BeatsMajority() bool { return s.Ours-2*s.StdErr > s.Majority }

// A Curve is a value over training steps. A NaN is a gap.
type Curve struct {
	Name   string
	Steps  []int // ascending, as many as Values
	Values []float64
}

//go:embed report.html
var page string

var tmpl = template.Must(template.New("report").Funcs(template.FuncMap{
	"percent": percent,
	"thousands": func(n int) string {
		return thousands(float64(n))
	},
	"epochs":   epochs,
	"bar":      bar,
	"strip":    strip,
	"beaten":   beaten,
	"compare":  Compare,
	"signed":   signed,
	"bars":     bars,
	"loss":     func(c Curve, width, height int) template.HTML { return chart(c, width, height, true, true) },
	"noisy":    func(c Curve, width, height int) template.HTML { return chart(c, width, height, true, false) },
	"exact":    func(c Curve, width, height int) template.HTML { return chart(c, width, height, false, false) },
	"last":     last,
	"at":       at,
	"heatMap":  heatMap,
	"matrix":   Confusion.matrix,
	"mistakes": Confusion.mistakes,
	"excerpt":  excerpt,
}).Parse(page))

// WriteHTML writes the page. It panics if a curve has not one value for each step.
func (r *Report) WriteHTML(w io.Writer) error {
	for _, c := range slices.Concat([]Curve{r.Pretrain, r.Loss, r.Rate, r.Speed, r.Grad, r.KL, r.Aggregate}, r.TaskLoss, r.TaskGrad, r.Weight, r.TaskScore) {
		if len(c.Steps) != len(c.Values) {
			panic(fmt.Sprintf("report: curve %q has %d steps and %d values", c.Name, len(c.Steps), len(c.Values)))
		}
	}
	return tmpl.Execute(w, r)
}

// HTML returns the page: what a notebook shows.
func (r *Report) HTML() string {
	var b strings.Builder
	if err := r.WriteHTML(&b); err != nil {
		panic("report: " + err.Error()) // a builder does not fail
	}
	return b.String()
}

// beaten counts the scores that beat the majority's.
func beaten(dev []Score) (n int) {
	for _, s := range dev {
		if s.BeatsMajority() {
			n++
		}
	}
	return n
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// percent prints a share with one decimal; the unit stands in the table's head.
func percent(v float64) string {
	if !finite(v) {
		return "–"
	}
	return strings.Replace(strconv.FormatFloat(100*v, 'f', 1, 64), "-", "−", 1)
}

// epochs prints a number of passes.
func epochs(v float64) string {
	if !finite(v) {
		return "–"
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

// thousands separates the digits of a whole number by thin spaces.
func thousands(v float64) string {
	s := strconv.FormatFloat(math.Abs(v), 'f', 0, 64)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "\u2009" + s[i:]
	}
	if v < 0 {
		s = "−" + s
	}
	return s
}

// last tells where a curve ended, smoothed.
func last(c Curve) string {
	s := smooth(c.Values)
	for i := len(s) - 1; i >= 0; i-- {
		if finite(s[i]) {
			return number(s[i])
		}
	}
	return "–"
}

// at tells a curve's value at a step.
func at(c Curve, step int) string {
	if i := slices.Index(c.Steps, step); i >= 0 {
		return number(c.Values[i])
	}
	return "–"
}
