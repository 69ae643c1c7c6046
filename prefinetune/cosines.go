package prefinetune

import (
	"math"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/nn"
	"github.com/muppet-go/muppet/ops"
	"github.com/muppet-go/muppet/prefinetune/report"
)

// cosines are those of the angles between the tasks' gradients of the shared weights, of one
// update. Tasks without a gradient are left out.
type cosines struct {
	Tasks  []string    `json:"tasks"`
	Matrix [][]float64 `json:"matrix"`
}

// gradientMemory bounds, in bytes, the gradients that are held at a time to be compared. Four may
// be in any case: as many as weights, gradient and Adam's moments take in training.
const gradientMemory = 1 << 30

// cosines measures the gradients of the tasks in an update: of each task's own loss, as
// scaled by log n, over its examples, with respect to the shared weights (the encoder's, or
// BART's; not the heads'). Nothing of the run changes by it. There is no dropout, so
// that a task's gradient does not depend on what else is in the batch, and each task's
// examples are packed by themselves: all tasks together cost about one step more. Where
// memory does not hold all gradients, a block of them is compared with the others, which are
// computed again for each block.
func (t *Trainer) cosines(batches [][]*example, memory int) *cosines {
	byTask := make([][][]*example, len(t.tasks)) // batches of each
	for _, b := range batches {
		own := map[int][]*example{}
		for _, e := range b {
			own[e.task] = append(own[e.task], e)
		}
		for i, examples := range own {
			byTask[i] = append(byTask[i], examples)
		}
	}
	var present []int
	for i, b := range byTask {
		if b != nil {
			present = append(present, i)
		}
	}
	shared, bytes := t.model.shared(), 0
	for _, p := range shared {
		bytes += 4 * p.Tensor.Len()
	}
	n := len(present)
	gram := make([][]float64, n)
	for i := range gram {
		gram[i] = make([]float64, n)
	}
	block := make([]*autograd.Gradients, min(n, max(4, memory/bytes)-1))
	for k := range block {
		block[k] = autograd.NewGradients()
	}
	other := autograd.NewGradients()
	for from := 0; from < n; from += len(block) {
		for j := from; j < n; j++ {
			g := other
			if j-from < len(block) {
				g = block[j-from]
			}
			t.gradient(g, byTask[present[j]])
			for i := from; i < min(from+len(block), j+1); i++ {
				gram[i][j] = t.dot(shared, block[i-from], g)
				gram[j][i] = gram[i][j]
			}
		}
	}
	return t.normalise(present, gram)
}

// gradient computes that of one task's mean loss over its batches.
func (t *Trainer) gradient(g *autograd.Gradients, batches [][]*example) {
	g.Reset()
	var packs []*packed
	for _, examples := range batches {
		packs = append(packs, t.model.pack(t.tasks, examples))
	}
	Config{Scaling: t.cfg.Scaling}.weigh(t.tasks, packs...)
	for _, p := range packs {
		autograd.Backward(t.model.loss(t.scope, t.tasks, p, nil, nil).total, g)
		t.scope.Reset()
	}
}

// dot returns the product of two gradients.
func (t *Trainer) dot(params []*nn.Parameter, a, b *autograd.Gradients) (sum float64) {
	for _, p := range params {
		x, y := a.Get(p.Tensor), b.Get(p.Tensor)
		if x == nil || y == nil {
			continue
		}
		sum += ops.Sum(ops.Mul(t.scope.Of(x), t.scope.Of(y))).Item()
		t.scope.Reset()
	}
	return sum
}

// normalise makes cosines of products.
func (t *Trainer) normalise(present []int, gram [][]float64) *cosines {
	c := &cosines{}
	var kept []int
	for i := range present {
		if v := gram[i][i]; v > 0 && v <= math.MaxFloat64 {
			kept = append(kept, i)
		}
	}
	for _, i := range kept {
		c.Tasks = append(c.Tasks, t.tasks[present[i]].Name)
		row := make([]float64, 0, len(kept))
		for _, j := range kept {
			v := gram[i][j] / math.Sqrt(gram[i][i]) / math.Sqrt(gram[j][j])
			if i == j {
				v = 1
			}
			row = append(row, math.Round(1e6*min(max(v, -1), 1))/1e6)
		}
		c.Matrix = append(c.Matrix, row)
	}
	return c
}

// noCosines returns those of a report before the first measurement.
func noCosines(tasks []string) *report.Cosines {
	r := &report.Cosines{Tasks: tasks}
	for range tasks {
		r.Mean, r.Count = append(r.Mean, make([]float64, len(tasks))), append(r.Count, make([]int, len(tasks)))
	}
	return r
}

// add takes a measurement into the means of a report.
func (c *cosines) add(r *report.Cosines) {
	index := map[string]int{}
	for i, name := range r.Tasks {
		index[name] = i
	}
	r.Measurements++
	for i, a := range c.Tasks {
		for j, b := range c.Tasks {
			k, l := index[a], index[b]
			r.Count[k][l]++
			r.Mean[k][l] += (c.Matrix[i][j] - r.Mean[k][l]) / float64(r.Count[k][l])
		}
	}
}

// shared returns the parameters that all tasks use.
func (m *Model) shared() []*nn.Parameter {
	if m.Bart != nil {
		return nn.Parameters(m.Bart)
	}
	return nn.Parameters(m.Encoder)
}
