package prefinetune

import (
	"math"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/ops"
	"github.com/muppet-go/muppet/prefinetune/task"
)

// Values of Config.Scaling.
const (
	logN        = "log n"
	unscaled    = "none"
	uncertainty = "uncertainty"
	gradNorm    = "gradnorm"
)

// newLogVariances returns the parameter s of every task, 0.
func newLogVariances(tasks []*task.Task) map[string]*autograd.Tensor {
	s := map[string]*autograd.Tensor{}
	for _, t := range tasks {
		s[t.Name] = autograd.New([]float32{0}, 1).RequireGrad()
	}
	return s
}

// uncertain returns the loss of a batch with the weights of Kendall, Gal and Cipolla (arXiv
// 1705.07115): with s_t the logarithm of task t's variance, a choice that costs l and has the
// weight w in the batch costs
//
//	w·(exp(-s_t)·l + s_t)
//
// which is twice the paper's form for a regression, taken for all families. At its least exp(s_t) is
// the task's mean loss. A task that guesses evenly, with its loss of 1 by log n, keeps s_t = 0.
// Where there is nothing to choose, at no cost, there is no s_t either. Each is l [choices].
func (m *Model) uncertain(tasks []*task.Task, p *packed, each *autograd.Tensor) *autograd.Tensor {
	var present []*autograd.Tensor
	slot := map[int]int32{}
	of, scaled, counted := make([]int32, len(p.lengths)), make([]float64, len(p.lengths)), make([]float64, len(p.lengths))
	for i, owner := range p.owner {
		index := p.examples[owner].task
		if _, ok := slot[index]; !ok {
			slot[index] = int32(len(present))
			present = append(present, each.Scope().Of(m.LogVariances[tasks[index].Name]))
		}
		of[i], scaled[i] = slot[index], float64(p.weights[i])
		if p.divisor(i) > 0 {
			counted[i] = float64(p.part[i])
		}
	}
	s := ops.IndexSelect(ops.Concat(0, present...), each.Scope().New(of))
	cost := ops.Mul(ops.Mul(each, ops.Exp(ops.Neg(s))), constant(each, scaled, len(scaled)))
	return ops.Sum(ops.Add(cost, ops.Mul(s, constant(each, counted, len(counted)))))
}

// balance is the state of GradNorm (Chen et al., arXiv 1711.02257), which keeps the tasks'
// weights w_t such that the norm of task t's gradient is
//
//	w_t·g_t = G·r_t^α,  r_t = L_t / mean of the L,  G = Σ w·g / Σ r^α
//
// so that no task drowns another and one that is behind learns faster. With log n a task's
// first loss is 1, which the paper recommends in place of the measured one. Four things are
// simpler than in the paper. Its G is the mean of the w·g, which not all tasks can have
// at once unless α is 0 or 1. The gradient is that of the loss at the encoder's output (what the
// shared weights receive; with R3F its part is in it), which a step has anyway: g_t is its
// root mean square over the task's examples, whatever their number. L_t and g_t are running
// means, as not every task is in every batch. And a step is
//
//	log w_t ← log w_t + log(G·r_t^α / (w_t·g_t)), which is first brought into ±ScalingRate,
//
// for the tasks in the batch: it has the sign of the paper's gradient, the size that Adam, by
// which the paper trains the weights, gives all steps, and positive weights. Then
// the weights are scaled to the mean 1, over the tasks that have been seen.
type balance struct {
	LogWeights []float64 `json:"log_weights,omitempty"`
	Loss       []float64 `json:"loss,omitempty"` // running mean of L_t
	Grad       []float64 `json:"grad,omitempty"` // of g_t
	Seen       []int     `json:"seen,omitempty"` // updates that had the task
}

// balanceHorizon is over about how many of its updates a task's running means go.
const balanceHorizon = 20

// leastLogWeight keeps a weight at which float32 still has a gradient to measure.
const leastLogWeight = -20

func newBalance(tasks int) balance {
	return balance{make([]float64, tasks), make([]float64, tasks), make([]float64, tasks), make([]int, tasks)}
}

// weigh puts the weights into the batches of an update.
func (b *balance) weigh(batches []*packed) {
	for _, p := range batches {
		for i, owner := range p.owner {
			p.weights[i] *= float32(b.weight(p.examples[owner].task))
		}
	}
}

func (b *balance) weight(task int) float64 { return math.Exp(b.LogWeights[task]) }

// observe takes in what an update measured of a task: its loss, and its gradient's norm with
// the weight it had.
func (b *balance) observe(task int, loss, norm float64) {
	b.Seen[task]++
	n := float64(min(b.Seen[task], balanceHorizon))
	b.Loss[task] += (loss - b.Loss[task]) / n
	b.Grad[task] += (norm/b.weight(task) - b.Grad[task]) / n
}

// step changes the weights of the tasks that are present, after they were observed, by a factor
// of at most exp(most).
func (b *balance) step(present []int, most, alpha float64) {
	norms, losses, seen := 0.0, 0.0, 0.0
	for t, n := range b.Seen {
		if n > 0 {
			norms += b.weight(t) * b.Grad[t]
			losses += b.Loss[t]
			seen++
		}
	}
	if !(norms > 0 && losses > 0) { // nothing to learn, nothing to balance
		return
	}
	rate := func(t int) float64 { return math.Pow(b.Loss[t]*seen/losses, alpha) }
	rates := 0.0
	for t, n := range b.Seen {
		if n > 0 {
			rates += rate(t)
		}
	}
	for _, t := range present {
		if norm := b.weight(t) * b.Grad[t]; norm > 0 {
			want := norms * rate(t) / rates
			b.LogWeights[t] = max(b.LogWeights[t]+min(max(math.Log(want/norm), -most), most), leastLogWeight)
		}
	}
	mean := 0.0
	for t, n := range b.Seen {
		if n > 0 {
			mean += b.weight(t) / seen
		}
	}
	for t, n := range b.Seen {
		if n > 0 {
			b.LogWeights[t] -= math.Log(mean)
		}
	}
}

// fits reports whether the state may be one of so many tasks.
func (b *balance) fits(tasks int) bool {
	return len(b.LogWeights) == tasks && len(b.Loss) == tasks && len(b.Grad) == tasks && len(b.Seen) == tasks
}
