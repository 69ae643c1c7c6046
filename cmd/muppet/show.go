package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"golang.org/x/term"

	"github.com/muppet-go/muppet/prefinetune"
)

func terminal(fd int) bool { return term.IsTerminal(fd) }

// progress shows how far a run is: on a terminal one line that is redrawn, elsewhere a
// plain line now and then.
type progress struct {
	w       io.Writer
	redraw  bool
	last    time.Time
	pending bool    // the redrawn line has not been ended
	loss    float64 // running mean
}

func newProgress(w io.Writer) *progress { return &progress{w: w, redraw: isTerminal(w)} }

func (p *progress) step(s prefinetune.Progress) {
	const decay = 0.95
	if p.loss == 0 {
		p.loss = s.Loss
	}
	p.loss = decay*p.loss + (1-decay)*s.Loss
	every := 10 * time.Second
	if p.redraw {
		every = 200 * time.Millisecond
	}
	if time.Since(p.last) < every && s.Step != s.Steps {
		return
	}
	p.last = time.Now()
	line := fmt.Sprintf("step %d/%d  loss %.3f  %.0f tokens/s  %s left", s.Step, s.Steps, p.loss, s.TokensPerSecond, s.Remaining.Round(time.Second))
	if p.redraw {
		fmt.Fprintf(p.w, "\r\x1b[K%s", line)
		p.pending = true
	} else {
		fmt.Fprintln(p.w, line)
	}
}

// line prints a message of its own.
func (p *progress) line(s string) {
	p.end()
	fmt.Fprintln(p.w, s)
}

// end ends the redrawn line.
func (p *progress) end() {
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
	perStep := float64(cfg.TokensPerBatch) * float64(examples) / float64(max(tokens, 1))
	fmt.Fprintf(w, "%d tasks, %d training examples, %d tokens; %d steps of at most %d tokens are about %.1f epochs\n",
		len(counts), examples, tokens, cfg.Steps, cfg.TokensPerBatch, perStep*float64(cfg.Steps)/float64(max(examples, 1)))
	if !all {
		return
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "task\tfamily\ttrain\tdev\tshare\tmedian\tp90\tp99\tlongest\ttruncated\tdropped\tlabels\t")
	for _, c := range counts {
		labels := fmt.Sprint(c.Labels)
		if len(c.Labels) == 0 {
			labels = "-"
		} else if len(c.Labels) > 8 {
			labels = fmt.Sprintf("%v and %d more", c.Labels[:6], len(c.Labels)-6)
		}
		fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%.2f%%\t%d\t%d\t%d\t%d\t%d\t%d\t%s\t\n", c.Task.Name, c.Task.Family, c.Train, c.Dev, 100*c.Share,
			c.Length.Median, c.Length.P90, c.Length.P99, c.Length.Max, c.Truncated, c.Dropped, labels)
	}
	t.Flush()
	fmt.Fprintln(w, "share: of the examples to be sampled; lengths: tokens of a training sequence; truncated: training examples of which\npart is not seen at once; dropped: training examples whose answer fits no window; labels: training examples of each")
}

// printScores shows every task's dev score beside the baselines'.
func printScores(w io.Writer, r *prefinetune.Result) {
	fmt.Fprintf(w, "\n%d steps in %s\n", r.Steps, r.Elapsed.Round(time.Second))
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "task\tfamily\tseen\tmetric\tn\tmajority\tbag of words\tours\t± s.e.\t\t")
	beaten := 0
	for i, s := range r.Scores {
		mark := ""
		if s.BeatsMajority() {
			mark = "*"
			beaten++
		}
		fmt.Fprintf(t, "%s\t%s\t%d\t%s\t%d\t%s\t%s\t%s\t%.3f\t%s\t\n", s.Task, s.Family, r.Sampled[i], s.Metric, s.N,
			score(s.Majority), score(s.BagOfWords), score(s.Ours), s.StdErr, mark)
	}
	t.Flush()
	fmt.Fprintf(w, "* better than the majority baseline by more than two standard errors: %d of %d tasks\n", beaten, len(r.Scores))
	if r.Choiceless > 0 {
		fmt.Fprintf(w, "%d sampled examples had nothing to choose among and cost 0\n", r.Choiceless)
	}
}

func score(v float64) string { return fmt.Sprintf("%.3f", v) }
