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
// an answer, a token) where its scores come from.
type packed struct {
	batch    *transformer.Batch // what an encoder reads
	target   *transformer.Batch // what a decoder predicts, behind which it lags by one; without a decoder batch
	examples []*example
	rows     []span // of each example in the batch

	// Rows of the target, from whose hidden states scores are made.
	heads   []headRows // classification tasks in the order of their index
	ranking []int32    // of all candidates
	passage []int32    // of all passages, and before one that may have no answer its sequence's first
	written []int32    // of all tokens to be written
	numbers []headRows // regressions in the order of their index

	// Of each choice: first those of the segments of scores, then the written tokens, then
	// the numbers to be predicted, which count as choices of their own kind.
	lengths []int     // members to choose among; 0 for a number
	targets []int32   // right member
	values  []float32 // of the numbers: what they should be
	owner   []int     // example that it belongs to
	share   []float64 // in its example: a half for the two of a span
	score   []float64 // factor of its cost in its example's loss: share/log n
	part    []float32 // in what an update takes the mean of, before scaling
	weights []float32 // of its cost in the update's loss: score and mean
}

type span struct{ start, end int }

// headRows are the rows that a task's own head reads.
type headRows struct {
	task int
	rows []int32
}

// pack lays out examples.
func (m *Model) pack(tasks []*task.Task, examples []*example) *packed {
	p := &packed{examples: examples}
	var all []tokenizer.Encoding
	var targets [][]int32
	begin := make([]int, len(examples)+1) // number of each example's first sequence
	at, writes := 0, false
	for i, e := range examples {
		start := at
		for _, s := range e.sequences {
			all = append(all, s)
			at += len(s.IDs)
			if e.labels != nil {
				targets, writes = append(targets, e.labels), true
			} else {
				targets = append(targets, s.IDs)
			}
		}
		p.rows = append(p.rows, span{start, at})
		begin[i+1] = len(all)
	}
	p.batch = transformer.PackEncodings(all...)
	p.target = p.batch
	if writes {
		p.target = transformer.Pack(targets...)
	}
	first := func(sequence int) int32 { return int32(p.target.Segments.Start(sequence)) }
	summary := m.base.SequenceRows(p.target)

	for index, t := range tasks {
		if t.Family != task.Classification {
			continue
		}
		var rows []int32
		for i, e := range examples {
			if e.task == index {
				rows = append(rows, summary[begin[i]])
				p.choose(i, len(t.Labels), e.target, 1)
			}
		}
		if rows != nil {
			p.heads = append(p.heads, headRows{index, rows})
		}
	}
	for i, e := range examples {
		if tasks[e.task].Family == task.Commonsense {
			candidates := summary[begin[i]:begin[i+1]]
			p.ranking = append(p.ranking, candidates...)
			p.choose(i, len(candidates), e.target, 1)
		}
	}
	for _, end := range []bool{false, true} {
		for i, e := range examples {
			if tasks[e.task].Family != task.MRC {
				continue
			}
			for j, w := range e.spans {
				p.choose(i, w.choices(), w.choice(end), 0.5)
				if end {
					continue
				}
				at := first(begin[i] + j)
				if w.none {
					p.passage = append(p.passage, at)
				}
				for k := range w.count {
					p.passage = append(p.passage, at+int32(w.first+k))
				}
			}
		}
	}
	for i, e := range examples {
		for k, id := range e.labels {
			p.written = append(p.written, first(begin[i])+int32(k))
			p.choose(i, m.base.Config.VocabSize, int(id), 1/float64(len(e.labels)))
		}
	}
	for index, t := range tasks {
		if t.Family != task.Regression {
			continue
		}
		var rows []int32
		for i, e := range examples {
			if e.task == index {
				rows = append(rows, summary[begin[i]])
				p.choose(i, 0, -1, 1)
				p.values = append(p.values, float32(e.value))
			}
		}
		if rows != nil {
			p.numbers = append(p.numbers, headRows{index, rows})
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

// segments counts the choices whose scores are segments.
func (p *packed) segments() int { return len(p.lengths) - len(p.written) - len(p.values) }

// divisor returns what makes an even guess at choice i cost 1: log n of n members, for a number,
// of which an even guess is the mean, 1. It is 0 where there is nothing to choose.
func (p *packed) divisor(i int) float64 {
	switch n := p.lengths[i]; {
	case i >= len(p.lengths)-len(p.values):
		return 1
	case n > 1:
		return math.Log(float64(n))
	}
	return 0
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
		for i := range p.lengths {
			index := p.examples[p.owner[i]].task
			if by := p.divisor(i); by > 0 {
				p.score[i] = p.share[i]
				if c.Scaling != unscaled {
					p.score[i] /= by
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

// outputs are what the model makes of a batch.
type outputs struct {
	states *autograd.Tensor // the encoder's hidden states
	// Nil if there are none:
	scores  *autograd.Tensor // of all segments, one after the other
	tokens  *autograd.Tensor // of the written tokens [n, vocabulary]
	numbers *autograd.Tensor // that are predicted, standardised
}

// scores runs the model. A key turns dropout on; words, if given, changes the word
// embeddings that the encoder reads.
func (m *Model) scores(scope *autograd.Scope, tasks []*task.Task, p *packed, dropout *device.Key, words func(*autograd.Tensor) *autograd.Tensor) (o outputs) {
	var hidden *autograd.Tensor
	if m.Bart != nil {
		o.states = m.Bart.EncodeWords(scope, p.batch, words, dropout)
		hidden = m.Bart.Decode(p.target.ShiftRight(m.Bart.Config), o.states, p.batch.Segments, dropout)
	} else {
		o.states = m.Encoder.EncodeWords(scope, p.batch, words, dropout)
		hidden = o.states
	}
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
	if parts != nil {
		o.scores = ops.Concat(0, parts...)
	}
	parts = nil
	for _, h := range p.numbers {
		name := tasks[h.task].Name
		add(m.normalised(scope, m.Regressors[name].Head).Forward(hidden, h.rows, head("regressor."+name)))
	}
	if parts != nil {
		o.numbers = ops.Concat(0, parts...)
	}
	if p.written != nil {
		o.tokens = m.LM.Forward(ops.IndexSelect(hidden, scope.New(p.written)), m.Bart.Shared)
	}
	return o
}

// losses are what a training pass over a batch gives.
type losses struct {
	total  *autograd.Tensor // what is minimised
	task   *autograd.Tensor // of that the weighted costs
	each   *autograd.Tensor // unweighted, of every choice
	kl     *autograd.Tensor // R3F's divergence, of every choice; nil without
	hidden *autograd.Tensor // the encoder's output, without noise
}

// loss returns the losses of a batch that has been weighed. A second pass is R3F's.
func (m *Model) loss(scope *autograd.Scope, tasks []*task.Task, p *packed, dropout *device.Key, second *secondPass) losses {
	o := m.scores(scope, tasks, p, dropout, nil)
	n := p.segments()
	segs, targets := device.NewSegments(p.lengths[:n]...), scope.New(p.targets[:n])
	l := losses{hidden: o.states}
	l.each = joined(o,
		func() *autograd.Tensor { return ops.SegmentCrossEntropy(o.scores, targets, segs) },
		func() *autograd.Tensor {
			return smoothedCrossEntropy(o.tokens, p.targets[n:n+len(p.written)], m.smoothing)
		},
		func() *autograd.Tensor {
			off := ops.Sub(o.numbers, scope.New(p.values))
			return ops.Mul(off, off)
		})
	if m.LogVariances != nil {
		l.task = m.uncertain(tasks, p, l.each)
	} else {
		l.task = ops.Sum(ops.Mul(l.each, scope.New(p.weights)))
	}
	l.total = l.task
	if second != nil {
		noised := m.scores(scope, tasks, p, second.dropout, second.words)
		l.kl = joined(o,
			func() *autograd.Tensor { return symmetricKL(o.scores, noised.scores, segs) },
			func() *autograd.Tensor { return symmetricRowKL(o.tokens, noised.tokens) },
			func() *autograd.Tensor { return ops.Scale(o.numbers.Detach(), 0) })
		l.total = ops.Add(l.task, ops.Scale(ops.Sum(ops.Mul(l.kl, scope.New(p.part))), second.lambda))
	}
	return l
}

// joined returns one value for each choice, of the three kinds.
func joined(o outputs, scores, tokens, numbers func() *autograd.Tensor) *autograd.Tensor {
	var parts []*autograd.Tensor
	for _, kind := range []struct {
		made  *autograd.Tensor
		value func() *autograd.Tensor
	}{{o.scores, scores}, {o.tokens, tokens}, {o.numbers, numbers}} {
		if kind.made != nil {
			parts = append(parts, kind.value())
		}
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return ops.Concat(0, parts...)
}

// smoothedCrossEntropy returns for each row x of logits [n, V] the cost of its label,
//
//	(1 - ε - ε')·(-log p[label]) + ε'·Σ_v -log p[v],  ε' = ε/(V-1)
//
// which is fairseq's, and the same as -log p[label] + ε'·(V·x[label] - Σ_v x[v]).
func smoothedCrossEntropy(logits *autograd.Tensor, labels []int32, smoothing float64) *autograd.Tensor {
	n, vocabulary := logits.Dim(0), logits.Dim(1)
	target := logits.Scope().New(labels, n)
	cost := ops.SegmentCrossEntropy(logits, target, device.UniformSegments(n, vocabulary))
	if smoothing == 0 {
		return cost
	}
	right := ops.Reshape(ops.Gather(logits, 1, ops.Reshape(target, n, 1)), n)
	spread := ops.Sub(ops.Scale(right, float64(vocabulary)), ops.Sum(logits, 1))
	return ops.Add(cost, ops.Scale(spread, smoothing/float64(vocabulary-1)))
}

// choiceless counts the examples with nothing to choose among.
func (p *packed) choiceless() int {
	seen := map[int]bool{}
	for i := range p.lengths {
		if p.divisor(i) == 0 {
			seen[p.owner[i]] = true
		}
	}
	return len(seen)
}
