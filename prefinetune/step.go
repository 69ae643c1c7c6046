package prefinetune

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/ops"
)

// stepLine is a line of metrics.jsonl.
type stepLine struct {
	Step            int                 `json:"step"`
	Loss            float64             `json:"loss"`         // as Config says; without R3F's part
	KL              float64             `json:"kl,omitempty"` // R3F's divergence, its mean over examples
	LR              float64             `json:"lr"`
	GradNorm        float64             `json:"grad_norm"` // before clipping
	Examples        int                 `json:"examples"`
	Tokens          int                 `json:"tokens"`
	TokensPerSecond float64             `json:"tokens_per_second"`
	WaitMS          float64             `json:"wait_ms"` // milliseconds without work, until its batches were ready
	Tasks           map[string]taskLine `json:"tasks"`
	Cosines         *cosines            `json:"cosines,omitempty"` // see Config.CosinesEvery
	Skipped         []string            `json:"skipped,omitempty"` // what was not finite; then there was no update and no loss
}

// taskLine is what one task contributed to a step.
type taskLine struct {
	Examples int     `json:"examples"`
	Loss     float64 `json:"loss"`             // mean over its examples of the scaled loss, without LossWeights
	GradNorm float64 `json:"grad_norm"`        // of the loss at its rows of the encoder's output
	Epochs   float64 `json:"epochs"`           // passes over its examples so far
	Weight   float64 `json:"weight,omitempty"` // learned factor of the loss, after the step
}

// mostSkipped is how many steps in a row may be skipped: a run whose parameters are beyond
// help would skip all that are left.
const mostSkipped = 10

// trainStep makes one update.
func (t *Trainer) trainStep() (*stepLine, error) {
	t.step++
	waited := t.ahead.waited
	batches := t.ahead.next(t.step, t.step >= t.cfg.Steps)
	waited = t.ahead.waited - waited
	t.cfg.weigh(t.tasks, batches...)
	if t.cfg.Scaling == gradNorm {
		t.Balance.weigh(batches)
	}
	u := newUpdate(t)
	u.line.WaitMS = float64(waited.Microseconds()) / 1000
	err := autograd.Try(func() {
		if n := t.cfg.CosinesEvery; n > 0 && t.step%n == 0 {
			var examples [][]*example
			for _, p := range batches {
				examples = append(examples, p.examples)
			}
			u.line.Cosines = t.cosines(examples, gradientMemory)
		}
		for i, p := range batches {
			u.batch(i, p)
		}
		if u.bad == nil {
			t.opt.LR = u.line.LR
			u.line.GradNorm = t.opt.Step(t.grads)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("prefinetune: step %d: %w", t.step, err)
	}
	if norm := u.line.GradNorm; u.bad != nil || math.IsNaN(norm) || math.IsInf(norm, 0) {
		return u.notFinite()
	}
	t.SkippedInRow = 0
	for _, p := range batches {
		for _, e := range p.examples {
			t.Sampled[e.task]++
		}
		t.Choiceless += p.choiceless()
	}
	if t.cfg.Scaling == gradNorm {
		u.rebalance()
	}
	return u.done(), nil
}

// An update is a step in the making.
type update struct {
	*Trainer
	line    *stepLine
	sums    []float64 // of the scaled losses, by task
	squares []float64 // of the gradient at the encoder's output, by task
	counts  []int     // examples, by task
	parts   []float64 // of an example in the update's mean, by task
	bad     []*example
}

func newUpdate(t *Trainer) *update {
	n := len(t.tasks)
	return &update{
		Trainer: t, line: &stepLine{Step: t.step, LR: t.lr.At(t.step)},
		sums: make([]float64, n), squares: make([]float64, n), counts: make([]int, n), parts: make([]float64, n),
	}
}

// batch adds the gradients of one of the update's batches, and takes down its losses.
func (u *update) batch(i int, p *packed) {
	dropout := u.key.Fold("dropout").FoldInt(u.step)
	if i > 0 {
		dropout = dropout.Fold("accumulate").FoldInt(i)
	}
	second := u.cfg.R3F.second(p, &dropout, u.key.Fold("r3f").FoldInt(u.step).FoldInt(i))
	l := u.model.loss(u.scope, u.tasks, p, &dropout, second)
	l.hidden.RetainGrad()
	autograd.Backward(l.total, u.grads)
	u.line.Loss += l.task.Item()
	u.line.Examples += len(p.examples)
	for _, e := range p.examples {
		u.line.Tokens += e.tokens()
	}

	wrong := map[int]bool{}
	for i, v := range l.each.Float32s() {
		index := p.examples[p.owner[i]].task
		u.sums[index] += p.score[i] * float64(v)
		u.parts[index] = float64(p.part[i]) / p.share[i]
		if !finite(v) {
			wrong[p.owner[i]] = true
		}
	}
	if l.kl != nil {
		for i, v := range l.kl.Float32s() {
			u.line.KL += p.share[i] * float64(v)
			if !finite(v) {
				wrong[p.owner[i]] = true
			}
		}
	}
	g := u.scope.Of(u.grads.Get(l.hidden))
	squares := ops.Sum(ops.Mul(g, g), 1).Float32s()
	for i, e := range p.examples {
		u.counts[e.task]++
		for _, s := range squares[p.rows[i].start:p.rows[i].end] {
			u.squares[e.task] += float64(s)
			if !finite(s) {
				wrong[i] = true
			}
		}
		if wrong[i] {
			u.bad = append(u.bad, e)
		}
	}
	u.scope.Reset()
}

func finite(v float32) bool { return v-v == 0 }

// done fills in what is known when all batches are through.
func (u *update) done() *stepLine {
	u.line.KL /= float64(u.line.Examples)
	u.line.Tasks = map[string]taskLine{}
	for i, n := range u.counts {
		if n > 0 {
			u.line.Tasks[u.tasks[i].Name] = taskLine{
				Examples: n, Loss: u.sums[i] / float64(n), GradNorm: math.Sqrt(u.squares[i]),
				Epochs: float64(u.Sampled[i]) / float64(u.Trainer.counts[i].Train),
				Weight: u.learnedWeight(i),
			}
		}
	}
	return u.line
}

// learnedWeight returns the factor of a task's loss; 0 if there are none.
func (t *Trainer) learnedWeight(i int) float64 {
	switch t.cfg.Scaling {
	case uncertainty:
		return math.Exp(-t.model.LogVariances[t.tasks[i].Name].Item())
	case gradNorm:
		return t.Balance.weight(i)
	}
	return 0
}

// rebalance changes the weights of the update's tasks by GradNorm.
func (u *update) rebalance() {
	var present []int
	for i, n := range u.counts {
		if n > 0 && u.parts[i] > 0 { // a weight of 0 in LossWeights leaves no gradient
			u.Balance.observe(i, u.sums[i]/float64(n), math.Sqrt(u.squares[i]/float64(n))/u.parts[i])
			present = append(present, i)
		}
	}
	u.Balance.step(present, u.cfg.ScalingRate, u.cfg.Alpha)
}

// notFinite follows the policy for a loss or gradient that is NaN or infinite. The
// parameters have not changed.
func (u *update) notFinite() (*stepLine, error) {
	u.grads.Reset()
	what := u.blame()
	if u.cfg.NonFinite == "skip" {
		u.Skipped++
		u.SkippedInRow++
		if u.SkippedInRow <= mostSkipped {
			return &stepLine{Step: u.step, LR: u.line.LR, Examples: u.line.Examples, Tokens: u.line.Tokens, WaitMS: u.line.WaitMS, Skipped: what}, nil
		}
		what = append(what, fmt.Sprintf("%d steps in a row were skipped", u.SkippedInRow))
	}
	return nil, fmt.Errorf("prefinetune: step %d: loss or gradient is not finite (%s): the run has diverged; a lower learning rate than %g may help",
		u.step, strings.Join(what, "; "), u.cfg.LR)
}

// blame names the examples, by task, whose loss or gradient is not finite.
func (u *update) blame() (what []string) {
	const most = 3 // of a task
	for i, t := range u.tasks {
		var where []string
		for _, e := range u.bad {
			if e.task == i && !slices.Contains(where, e.where) {
				where = append(where, e.where)
			}
		}
		if n := len(where); n > most {
			where = append(where[:most:most], fmt.Sprintf("%d more", n-most))
		}
		if where != nil {
			what = append(what, fmt.Sprintf("task %s: %s", t.Name, strings.Join(where, ", ")))
		}
	}
	if what == nil {
		what = []string{"every example's loss is finite, and so is its gradient at the encoder's output"}
	}
	return what
}
