package main

import (
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/muppet-go/muppet/prefinetune"
	"github.com/muppet-go/muppet/prefinetune/report"
	"github.com/muppet-go/muppet/prefinetune/task"
)

// isTerminal reports whether w is a terminal, where a progress line may be redrawn.
func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// table is text in columns: numbers to the right, the columns named in left to the left.
type table struct {
	left map[int]bool
	rows [][]string
}

func (t *table) row(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) write(w io.Writer) {
	widths := make([]int, len(t.rows[0]))
	for _, row := range t.rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range t.rows {
		var line strings.Builder
		for i, cell := range row {
			space := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if t.left[i] {
				line.WriteString(cell + space + "  ")
			} else {
				line.WriteString(space + cell + "  ")
			}
		}
		fmt.Fprintln(w, strings.TrimRight(line.String(), " "))
	}
}

// progress shows how far a run is: on a terminal one line that is redrawn, elsewhere a
// plain line now and then.
type progress struct {
	w       io.Writer
	redraw  bool
	last    time.Time
	pending bool                                // the redrawn line has not been ended
	loss    float64                             // running mean
	tasks   map[string]prefinetune.TaskProgress // the last of each, with running means of the losses

	also func(prefinetune.Progress) // is told the same; nil for nobody
}

func newProgress(w io.Writer) *progress { return &progress{w: w, redraw: isTerminal(w)} }

func (p *progress) step(s prefinetune.Progress) {
	const decay = 0.95
	if !math.IsNaN(s.Loss) { // of a step that was skipped
		if p.loss == 0 {
			p.loss = s.Loss
		}
		p.loss = decay*p.loss + (1-decay)*s.Loss
	}
	if p.also != nil {
		p.also(s)
	}
	p.byTask(s, decay)
	every := 10 * time.Second
	if p.redraw {
		every = 200 * time.Millisecond
	}
	if time.Since(p.last) < every && s.Step != s.Steps {
		return
	}
	p.last = time.Now()
	line := fmt.Sprintf("step %*d/%d  loss %.3f  %6.0f tokens/s  %s left", len(fmt.Sprint(s.Steps)), s.Step, s.Steps, p.loss, s.TokensPerSecond, s.Remaining.Round(time.Second))
	if p.redraw {
		fmt.Fprintf(p.w, "\r\x1b[K%s", line)
		p.pending = true
	} else {
		fmt.Fprintln(p.w, line)
	}
}

// count shows how many of several parts are done.
func (p *progress) count(what string, done, of int) {
	if p.redraw {
		fmt.Fprintf(p.w, "\r\x1b[K%s %d/%d", what, done, of)
		p.pending = true
	}
}

// byTask shows every tenth of a run where each of several tasks is.
func (p *progress) byTask(s prefinetune.Progress, decay float64) {
	if p.tasks == nil || s.Step == 1 {
		p.tasks = map[string]prefinetune.TaskProgress{}
	}
	for _, t := range s.Tasks {
		if last, ok := p.tasks[t.Name]; ok {
			t.Loss = decay*last.Loss + (1-decay)*t.Loss
		}
		p.tasks[t.Name] = t
	}
	const least = 100 // steps of a run for which it is worth it
	if tenth := s.Step * 10 / s.Steps; s.Steps < least || len(p.tasks) < 2 || s.Step == s.Steps || tenth == (s.Step-1)*10/s.Steps {
		return
	}
	const width = 110
	line := fmt.Sprintf("step %d, loss and epochs by task:", s.Step)
	for _, name := range slices.Sorted(maps.Keys(p.tasks)) {
		t := p.tasks[name]
		word := fmt.Sprintf("  %s %.3f %.2f", name, t.Loss, t.Epochs)
		if utf8.RuneCountInString(line)+utf8.RuneCountInString(word) > width {
			p.line(line)
			line = ""
		}
		line += word
	}
	p.line(line)
}

// line prints a message of its own.
func (p *progress) line(s string) {
	p.feed()
	fmt.Fprintln(p.w, s)
}

// end ends a stage of the run.
func (p *progress) end() {
	p.feed()
	p.last, p.loss = time.Time{}, 0
}

// feed ends the redrawn line.
func (p *progress) feed() {
	if p.pending {
		fmt.Fprintln(p.w)
		p.pending = false
	}
}

// printCounts shows the tasks to be learned; a dry run shows all that is known of them.
func printCounts(w io.Writer, counts []prefinetune.TaskCount, cfg prefinetune.Config, all bool) {
	examples, tokens := 0, 0
	for _, c := range counts {
		examples += c.Train
		tokens += c.Tokens
	}
	perStep := float64(cfg.TokensPerBatch*cfg.Accumulate) * float64(examples) / float64(max(tokens, 1))
	fmt.Fprintf(w, "%d tasks, %d training examples, %d tokens; %d steps of at most %d tokens are about %.1f epochs\n",
		len(counts), examples, tokens, cfg.Steps, cfg.TokensPerBatch*cfg.Accumulate, perStep*float64(cfg.Steps)/float64(max(examples, 1)))
	if !all {
		return
	}
	t := table{left: map[int]bool{0: true, 1: true, 12: true}}
	t.row("task", "family", "train", "dev", "share", "median", "p90", "p99", "longest", "truncated", "dropped", "bad rows", "labels")
	for _, c := range counts {
		labels := strings.Trim(fmt.Sprint(c.Labels), "[]")
		if len(c.Labels) == 0 {
			labels = "-"
		} else if len(c.Labels) > 8 {
			labels = fmt.Sprintf("%s and %d more", strings.Trim(fmt.Sprint(c.Labels[:6]), "[]"), len(c.Labels)-6)
		}
		t.row(c.Task.Name, string(c.Task.Family), fmt.Sprint(c.Train), fmt.Sprint(c.Dev), fmt.Sprintf("%.2f%%", 100*c.Share),
			fmt.Sprint(c.Length.Median), fmt.Sprint(c.Length.P90), fmt.Sprint(c.Length.P99), fmt.Sprint(c.Length.Max),
			fmt.Sprint(c.Truncated), fmt.Sprint(c.Dropped), fmt.Sprint(c.BadRows), labels)
	}
	t.write(w)
	fmt.Fprint(w, `
train, dev         examples of each split
share              of the examples to be sampled
median ... longest tokens of a training sequence
truncated          training examples of which part is not seen at once
dropped            training examples whose answer fits no window
bad rows           records of either split that are left out: see -bad-rows
labels             training examples of each label, or with the right choice in each place
`)
	for _, c := range counts {
		for _, bad := range c.FirstBad {
			fmt.Fprintf(w, "a bad row: %s\n", bad)
		}
	}
	fmt.Fprint(w, `A dry run: nothing was trained, nothing written.
`)
}

// printOverlaps shows which tasks are evaluated on what is trained on.
func printOverlaps(w io.Writer, overlaps []task.Overlap) {
	if len(overlaps) == 0 {
		fmt.Fprintln(w, "\nNo text of a dev split is in a train split.")
		return
	}
	fmt.Fprintln(w, "\nExamples of dev splits with a text that is also in a train split, of whatever label:")
	t := table{left: map[int]bool{0: true, 1: true}}
	t.row("evaluated", "trained on", "examples", "of")
	for _, o := range overlaps {
		t.row(o.Dev.Name, o.Train.Name, fmt.Sprint(o.Examples), fmt.Sprint(o.Of))
	}
	t.write(w)
	fmt.Fprintln(w, "Some of them:")
	for _, o := range overlaps {
		for _, seen := range o.Seen {
			fmt.Fprintln(w, " ", seen)
		}
	}
}

// printScores shows every task's dev score beside the baselines'.
func printScores(w io.Writer, r *prefinetune.Result) {
	fmt.Fprintf(w, "\nScores after %d steps (%s in this call, %s tokens/s in training, %s of waiting for data)\n",
		r.Steps, r.Elapsed.Round(time.Second), lately("%.0f", []report.Curve{r.Report.Speed}, 0), r.Waited.Round(time.Millisecond))
	t := table{left: map[int]bool{0: true, 1: true, 8: true, 14: true}}
	t.row("task", "family", "seen", "asked", "realised", "epochs", "loss", "gradient", "metric", "dev", "majority", "bag of words", "ours", "± s.e.", "")
	beaten := 0
	for i, s := range r.Scores {
		mark := ""
		if s.BeatsMajority() {
			mark = "*"
			beaten++
		}
		mix := r.Report.Mix[i]
		t.row(s.Task, s.Family, fmt.Sprint(r.Sampled[i]), fmt.Sprintf("%.1f%%", 100*mix.Asked), fmt.Sprintf("%.1f%%", 100*mix.Realised),
			fmt.Sprintf("%.2f", mix.Epochs), lately("%.3f", r.Report.TaskLoss, i), lately("%.1e", r.Report.TaskGrad, i), s.Metric, fmt.Sprint(s.N),
			score(s.Majority), score(s.BagOfWords), score(s.Ours), score(s.StdErr), mark)
	}
	t.write(w)
	fmt.Fprintf(w, "seen: training examples sampled; asked, realised: share of all, as it should be and as it was;\n"+
		"loss, gradient: of the last tenth of the task's updates the mean, and that of the norm at the encoder's output; dev: examples scored; s.e.: standard error of ours\n"+
		"* better than the majority baseline by more than two standard errors: %d of %d tasks\n", beaten, len(r.Scores))
	for _, sentence := range r.Report.Summary[1:] {
		fmt.Fprintln(w, sentence)
	}
	if c := r.Report.Cosines; c != nil {
		fmt.Fprintf(w, "How the tasks pull at the shared weights, by the cosines of their gradients: %s\n", c.Sentence())
	}
	if r.Skipped > 0 {
		fmt.Fprintf(w, "%d steps were skipped: loss or gradient was not finite\n", r.Skipped)
	}
	if r.Choiceless > 0 {
		fmt.Fprintf(w, "%d sampled examples had nothing to choose among and cost 0\n", r.Choiceless)
	}
}

// lately prints the mean of the last tenth of one of the curves, if there is any.
func lately(format string, curves []report.Curve, i int) string {
	if i >= len(curves) || len(curves[i].Values) == 0 {
		return "-"
	}
	last := curves[i].Values[len(curves[i].Values)*9/10:]
	sum := 0.0
	for _, v := range last {
		sum += v
	}
	return fmt.Sprintf(format, sum/float64(len(last)))
}

// printFewShot shows what came of fine-tuning from two starts.
func printFewShot(w io.Writer, outcome []report.Comparison) {
	t := table{left: map[int]bool{0: true, 7: true}}
	t.row("task", outcome[0].A.Name, "±", outcome[0].B.Name, "±", "difference", "± s.e.", "")
	for _, c := range outcome {
		mark := ""
		if c.Clear {
			mark = "*"
		}
		if c.Control {
			mark = strings.TrimSpace(mark + " control")
		}
		t.row(c.Task, score(c.A.Mean), score(c.A.Spread), score(c.B.Mean), score(c.B.Spread), fmt.Sprintf("%+.3f", c.Difference), score(c.StdErr), mark)
	}
	t.write(w)
	fmt.Fprintln(w, "±: standard deviation over the seeds, each with examples of its own; s.e.: standard error of the mean difference\n"+
		"* by chance alone such a difference comes less than once in a hundred times")
}

func score(v float64) string { return fmt.Sprintf("%.3f", v) }
