package report

import (
	"fmt"
	"html/template"
	"math"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/gonum/stat/distuv"
)

// A FewShot is the score of one fine-tuning run on a held-out task.
type FewShot struct {
	Task    string
	Start   string // what was fine-tuned: a name for each kind of starting point
	Seed    uint64
	Score   float64
	Control bool // the task is one where no start can have an advantage
}

// A Start is what came of fine-tuning one starting point on one task.
type Start struct {
	Task, Name   string
	Runs         []FewShot // by seed
	Mean, Spread float64   // the spread is the runs' standard deviation; NaN for one run
}

// ByStart groups few-shot runs by task and starting point, in order of appearance.
func ByStart(runs []FewShot) []Start {
	var starts []Start
	for _, f := range runs {
		i := slices.IndexFunc(starts, func(s Start) bool { return s.Task == f.Task && s.Name == f.Start })
		if i < 0 {
			i = len(starts)
			starts = append(starts, Start{Task: f.Task, Name: f.Start})
		}
		starts[i].Runs = append(starts[i].Runs, f)
	}
	for i := range starts {
		s := &starts[i]
		slices.SortStableFunc(s.Runs, func(a, b FewShot) int {
			if a.Seed < b.Seed {
				return -1
			}
			return int(min(a.Seed-b.Seed, 1))
		})
		scores := make([]float64, len(s.Runs))
		for j, f := range s.Runs {
			scores[j] = f.Score
		}
		s.Mean, s.Spread = moments(scores)
	}
	return starts
}

// moments returns the mean and the standard deviation of a sample; the latter is NaN for one
// value.
func moments(values []float64) (mean, spread float64) {
	n := float64(len(values))
	for _, v := range values {
		mean += v / n
	}
	for _, v := range values {
		spread += (v - mean) * (v - mean)
	}
	return mean, math.Sqrt(spread / (n - 1)) // 0/0 for one
}

// A Comparison is what two starting points came to on one task.
type Comparison struct {
	Task    string
	Control bool
	A, B    Start

	// Difference is the mean over the seeds of B's score less A's with the same seed, and
	// StdErr its standard error: NaN for one seed.
	Difference, StdErr float64

	// Clear is whether the difference is one that, if there were none, would come by chance
	// less than once in a hundred times, by Student's t.
	Clear bool
}

// Compare sets the second starting point of every task against the first, in order of
// appearance, over the seeds that both have.
func Compare(runs []FewShot) []Comparison {
	var all []Comparison
	starts := ByStart(runs)
	for i, a := range starts {
		first := slices.IndexFunc(starts, func(s Start) bool { return s.Task == a.Task }) == i
		second := slices.IndexFunc(starts, func(s Start) bool { return s.Task == a.Task && s.Name != a.Name })
		if !first || second < 0 {
			continue
		}
		c := Comparison{Task: a.Task, Control: a.Runs[0].Control, A: a, B: starts[second], StdErr: math.NaN()}
		var gains []float64
		for _, x := range a.Runs {
			for _, y := range c.B.Runs {
				if x.Seed == y.Seed {
					gains = append(gains, y.Score-x.Score)
				}
			}
		}
		n := float64(len(gains))
		mean, spread := moments(gains)
		c.Difference, c.StdErr = mean, spread/math.Sqrt(n)
		if n > 1 {
			t := distuv.StudentsT{Sigma: 1, Nu: n - 1}.Quantile(0.995)
			c.Clear = math.Abs(mean) > t*c.StdErr
		}
		all = append(all, c)
	}
	return all
}

// signed prints a difference of shares with its sign, in percent.
func signed(v float64) string {
	if !finite(v) {
		return "–"
	}
	s := strconv.FormatFloat(100*v, 'f', 1, 64)
	if v >= 0 {
		s = "+" + s
	}
	return strings.Replace(s, "-", "−", 1)
}

// bars draws the means of both starts between 0 and 100 one above the other, the spread of each
// as a whisker and its runs as dots.
func bars(c Comparison) template.HTML {
	const w, h, pad = 340.0, 46.0, 6.0
	x := func(v float64) float64 { return pad + (w-2*pad)*clamp(v) }
	var b strings.Builder
	fmt.Fprintf(&b, `<svg viewBox="0 0 %g %g" width="%g" height="%g" aria-hidden="true">`, w, h, w, h)
	for _, v := range []float64{0, 0.25, 0.5, 0.75, 1} {
		fmt.Fprintf(&b, `<line class="grid" x1="%.1f" x2="%.1f" y1="0" y2="%g"/>`, x(v), x(v), h)
	}
	for i, s := range []Start{c.A, c.B} {
		if !finite(s.Mean) {
			continue
		}
		y, class := 4+20*float64(i), []string{"bar a", "bar b"}[i]
		fmt.Fprintf(&b, `<rect class="%s" x="%.1f" y="%g" width="%.1f" height="18" rx="2"/>`, class, x(0), y, x(s.Mean)-x(0))
		if finite(s.Spread) {
			fmt.Fprintf(&b, `<path class="spread" d="M%.1f %gH%.1fM%.1f %gv8M%.1f %gv8"/>`, x(s.Mean-s.Spread), y+9, x(s.Mean+s.Spread), x(s.Mean-s.Spread), y+5, x(s.Mean+s.Spread), y+5)
		}
		for _, f := range s.Runs {
			if finite(f.Score) {
				fmt.Fprintf(&b, `<circle class="run" cx="%.1f" cy="%g" r="2.2"/>`, x(f.Score), y+9)
			}
		}
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String())
}
