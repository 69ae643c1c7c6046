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
	owner   []int     // example that each choice belongs to
	share   []float64 // of each choice in its example: a half for the two of a span
	score   []float64 // factor of each choice's cross entropy in its example's loss: share/log n
	part    []float32 // of each choice in what an update takes the mean of, before scaling
	weights []float32 // of each choice's cross entropy in the update's loss: score and mean
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
	return p
}

// choose adds a choice among n members.
func (p *packed) choose(example, n, target int, share float64) {
	p.lengths = append(p.lengths, n)
	p.targets = append(p.targets, int32(target))
	p.owner = append(p.owner, example)
	p.share = append(p.share, share)
}

// weigh gives every choice its weight in the loss of an update, of which these are the
// batches. A choice among one teaches nothing and costs 0.
func (c Config) weigh(tasks []*task.Task, batches ...*packed) {
	total, counts := 0, map[int]int{}
	for _, p := range batches {
		total += len(p.examples)
		for _, e := range p.examples {
			counts[e.task]++
		}
	}
	for _, p := range batches {
		p.score = make([]float64, len(p.lengths))
		p.part, p.weights = make([]float32, len(p.lengths)), make([]float32, len(p.lengths))
		for i, n := range p.lengths {
			index := p.examples[p.owner[i]].task
			if n > 1 {
				p.score[i] = p.share[i]
				if c.Scaling != "none" {
					p.score[i] /= math.Log(float64(n))
				}
			}
			part := 1 / float64(total)
			if c.Mean == "tasks" {
				part = 1 / float64(len(counts)*counts[index])
			}
			if w, ok := c.LossWeights[tasks[index].Name]; ok {
				part *= w
			}
			p.part[i], p.weights[i] = float32(p.share[i]*part), float32(p.score[i]*part)
		}
	}
}

// scores runs the model and returns the hidden states and the scores of all choices, one
// after the other. A key turns dropout on; words, if given, changes the word embeddings.
func (m *Model) scores(scope *autograd.Scope, tasks []*task.Task, p *packed, dropout *device.Key, words func(*autograd.Tensor) *autograd.Tensor) (hidden, scores *autograd.Tensor) {
	hidden = m.Encoder.EncodeWords(scope, p.batch, words, dropout)
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
		add(m.normalised(scope, m.Classifiers[name]).Forward(hidden, h.rows, head("classifier."+name)))
	}
	if p.ranking != nil {
		add(m.normalised(scope, m.Ranking).Forward(hidden, p.ranking, head("ranking")))
	}
	if p.passage != nil {
		span := m.Span
		if m.spectral {
			span = &transformer.SpanHead{Outputs: spectral(scope, span.Outputs)}
		}
		add(span.Forward(hidden, p.passage))
	}
	return hidden, ops.Concat(0, parts...)
}

// losses are what a training pass over a batch gives.
type losses struct {
	total  *autograd.Tensor // what is minimised
	task   *autograd.Tensor // of that the weighted cross entropies
	each   *autograd.Tensor // unweighted, of every choice
	kl     *autograd.Tensor // R3F's divergence, of every choice; nil without
	hidden *autograd.Tensor // the encoder's output, without noise
}

// loss returns the losses of a batch that has been weighed. A second pass is R3F's.
func (m *Model) loss(scope *autograd.Scope, tasks []*task.Task, p *packed, dropout *device.Key, second *secondPass) losses {
	hidden, scores := m.scores(scope, tasks, p, dropout, nil)
	segs := device.NewSegments(p.lengths...)
	l := losses{hidden: hidden, each: ops.SegmentCrossEntropy(scores, scope.New(p.targets), segs)}
	l.task = ops.Sum(ops.Mul(l.each, scope.New(p.weights)))
	l.total = l.task
	if second != nil {
		_, noised := m.scores(scope, tasks, p, second.dropout, second.words)
		l.kl = symmetricKL(scores, noised, segs)
		l.total = ops.Add(l.task, ops.Scale(ops.Sum(ops.Mul(l.kl, scope.New(p.part))), second.lambda))
	}
	return l
}

// choiceless counts the examples with nothing to choose among.
func (p *packed) choiceless() int {
	seen := map[int]bool{}
	for i, n := range p.lengths {
		if n <= 1 {
			seen[p.owner[i]] = true
		}
	}
	return len(seen)
}
