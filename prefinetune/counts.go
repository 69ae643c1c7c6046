package prefinetune

import (
	"math"
	"sort"

	"github.com/muppet-go/muppet/prefinetune/task"
)

// TaskCount is what is known of a task before training: what a dry run shows.
type TaskCount struct {
	Task       *task.Task
	Train, Dev int   // examples; of questions that may have no answer, in training, windows of their passages
	Dropped    int   // training examples whose answer fits no window
	Labels     []int // training examples of each class, or of each position of the right candidate
	Truncated  int   // training examples of which the model does not see all text
	Tokens     int   // of all training examples
	Length     Quantiles
	Share      float64 // of the examples that training will draw

	// Rows of either split that are left out, see Config.BadRows, and what is wrong with the
	// first of them.
	BadRows  int
	FirstBad []string
}

// Quantiles are of the lengths, in tokens, of a task's training sequences.
type Quantiles struct{ Median, P90, P99, Max int }

type taskCount struct {
	TaskCount
	lengths []int
}

// label counts what a training example asks for.
func (c *taskCount) label(at int) {
	for at >= len(c.Labels) {
		c.Labels = append(c.Labels, 0)
	}
	if at >= 0 {
		c.Labels[at]++
	}
}

// bad counts a row that is left out.
func (c *taskCount) bad(err error) {
	const most = 3
	c.BadRows++
	if len(c.FirstBad) < most {
		c.FirstBad = append(c.FirstBad, err.Error())
	}
}

func (c *taskCount) add(e *example) {
	c.Train++
	c.Tokens += e.tokens()
	if e.truncated {
		c.Truncated++
	}
	for _, s := range e.sequences {
		c.lengths = append(c.lengths, len(s.IDs))
	}
}

// Counts describes the tasks as they will be learned: a dry run's result.
func (t *Trainer) Counts() []TaskCount {
	counts := make([]TaskCount, len(t.counts))
	for i, c := range t.counts {
		sort.Ints(c.lengths)
		at := func(q float64) int {
			if len(c.lengths) == 0 {
				return 0
			}
			return c.lengths[int(math.Ceil(q*float64(len(c.lengths))))-1]
		}
		c.Length = Quantiles{at(0.5), at(0.9), at(0.99), at(1)}
		c.Share = t.shares[i]
		counts[i] = c.TaskCount
	}
	return counts
}
