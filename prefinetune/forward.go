package prefinetune

import (
	"math"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/ops"
	"github.com/muppet-go/muppet/prefinetune/task"
	"github.com/muppet-go/muppet/transformer"
	"github.com/muppet-go/muppet/transformer/tokenizer"
)

// packed is a heterogeneous batch: the sequences of its examples end to end, and for
// every choice that is to be made (a class, a candidate, the start or the end of
// an answer) where its scores come from.
type packed struct {
	batch    *transformer.Batch
	examples []*example
	rows     []span // of each example in the batch

	heads   []headRows // classification tasks in the order of their index
	ranking []int32    // first rows of all candidates
	passage []int32    // rows of all passages

	lengths []int     // members of each choice's segment, in the order of the scores
	targets []int32   // right member of each
	weights []float32 // of each choice's loss in the batch's loss: 1/(examples·log n)
	owner   []int     // example that each choice belongs to
	score   []float64 // 1/log n, halved for the two choices of a span
}

type span struct{ start, end int }

// headRows are the rows that a classification task's head reads.
type headRows struct {
	task int
	rows []int32
}

// pack lays out examples with the given sequences of each (those of training, or all).
func pack(tasks []*task.Task, examples []*example, sequences func(*example) []tokenizer.Encoding) *packed {
	p := &packed{examples: examples}
	var all []tokenizer.Encoding
	at := 0
	first := make([][]int32, len(examples)) // row at which each sequence of an example begins
	for i, e := range examples {
		start := at
		for _, s := range sequences(e) {
			first[i] = append(first[i], int32(at))
			all = append(all, s)
			at += len(s.IDs)
		}
		p.rows = append(p.rows, span{start, at})
	}
	p.batch = transformer.PackEncodings(all...)

	for index, t := range tasks {
		if t.Family != task.Classification {
			continue
		}
		var rows []int32
		for i, e := range examples {
			if e.task == index {
				rows = append(rows, first[i][0])
				p.choose(i, len(t.Labels), e.target, 1)
			}
		}
		if rows != nil {
			p.heads = append(p.heads, headRows{index, rows})
		}
	}
	for i, e := range examples {
		if tasks[e.task].Family == task.Commonsense {
			p.ranking = append(p.ranking, first[i]...)
			p.choose(i, len(first[i]), e.target, 1)
		}
	}
	for _, end := range []bool{false, true} {
		for i, e := range examples {
			if tasks[e.task].Family != task.MRC {
				continue
			}
			windows := e.spans
			if len(first[i]) != len(windows) { // training: the one with the answer
				windows = windows[e.target : e.target+1]
			}
			for j, w := range windows {
				target := e.start
				if end {
					target = e.end
				}
				if len(windows) > 1 && j != e.target {
					target = -1
				}
				p.choose(i, w.count, target, 0.5)
				for k := 0; k < w.count && !end; k++ {
					p.passage = append(p.passage, first[i][j]+int32(w.first+k))
				}
			}
		}
	}
	p.weights = make([]float32, len(p.score))
	for i, s := range p.score {
		p.weights[i] = float32(s / float64(len(examples)))
	}
	return p
}

// choose adds a choice among n members. A choice among one teaches nothing and costs 0.
func (p *packed) choose(example, n, target int, share float64) {
	score := 0.0
	if n > 1 {
		score = share / math.Log(float64(n))
	}
	p.lengths = append(p.lengths, n)
	p.targets = append(p.targets, int32(target))
	p.owner = append(p.owner, example)
	p.score = append(p.score, score)
}

// scores runs the model and returns the hidden states and the scores of all choices, one
// after the other. A key turns dropout on.
func (m *Model) scores(scope *autograd.Scope, tasks []*task.Task, p *packed, dropout *device.Key) (hidden, scores *autograd.Tensor) {
	hidden = m.Encoder.Encode(scope, p.batch, dropout)
	var parts []*autograd.Tensor
	add := func(t *autograd.Tensor) { parts = append(parts, ops.Reshape(t, t.Len())) }
	head := func(name string) *device.Key {
		if dropout == nil {
			return nil
		}
		k := dropout.Fold("head").Fold(name)
		return &k
	}
	for _, h := range p.heads {
		name := tasks[h.task].Name
		add(m.Classifiers[name].Forward(hidden, h.rows, head("classifier."+name)))
	}
	if p.ranking != nil {
		add(m.Ranking.Forward(hidden, p.ranking, head("ranking")))
	}
	if p.passage != nil {
		add(m.Span.Forward(hidden, p.passage))
	}
	return hidden, ops.Concat(0, parts...)
}

// loss returns the batch's loss, the mean over its examples of their scaled losses, and
// the unscaled loss of every choice.
func (m *Model) loss(scope *autograd.Scope, tasks []*task.Task, p *packed, dropout *device.Key) (loss, each, hidden *autograd.Tensor) {
	hidden, scores := m.scores(scope, tasks, p, dropout)
	each = ops.SegmentCrossEntropy(scores, scope.New(p.targets), device.NewSegments(p.lengths...))
	return ops.Sum(ops.Mul(each, scope.New(p.weights))), each, hidden
}

// byTask sums the scaled losses of a batch's choices, given unscaled, by task.
func (p *packed) byTask(each []float32) (loss map[int]float64, examples map[int]int) {
	loss, examples = map[int]float64{}, map[int]int{}
	for _, e := range p.examples {
		examples[e.task]++
	}
	for i, l := range each {
		loss[p.examples[p.owner[i]].task] += p.score[i] * float64(l)
	}
	return loss, examples
}
