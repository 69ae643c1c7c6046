package prefinetune

import (
	"strings"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/prefinetune/metrics"
	"github.com/muppet-go/muppet/prefinetune/task"
	"github.com/muppet-go/muppet/transformer/tokenizer"
)

// longestAnswer is the most tokens that a predicted span may have.
const longestAnswer = 30

// predict returns the model's choice for every example, which are all of one task, in
// order.
func (m *Model) predict(scope *autograd.Scope, tasks []*task.Task, encoded []*example, texts []task.Example, budget int) metrics.Predictions {
	var out metrics.Predictions
	all := func(e *example) []tokenizer.Encoding { return e.sequences }
	for from := 0; from < len(encoded); {
		to, used := from, 0
		for to < len(encoded) {
			n := 0
			for _, s := range encoded[to].sequences {
				n += len(s.IDs)
			}
			if to > from && used+n > budget {
				break
			}
			used += n
			to++
		}
		p := pack(tasks, encoded[from:to], all)
		_, scores := m.scores(scope, tasks, p, nil, nil)
		p.decode(tasks, scores.Float32s(), texts[from:to], &out)
		scope.Reset()
		from = to
	}
	return out
}

// decode appends the best choices of a batch of one task.
func (p *packed) decode(tasks []*task.Task, scores []float32, texts []task.Example, out *metrics.Predictions) {
	if tasks[p.examples[0].task].Family != task.MRC {
		at := 0
		for _, n := range p.lengths {
			out.Index = append(out.Index, argmax(scores[at:at+n]))
			at += n
		}
		return
	}
	starts, ends := scores[:len(scores)/2], scores[len(scores)/2:]
	at := 0
	for i, e := range p.examples {
		best, answer := float32(0), ""
		for j, w := range e.spans {
			first, last, score := bestSpan(starts[at:at+w.count], ends[at:at+w.count])
			if first >= 0 && (j == 0 || score > best) {
				best = score
				answer = strings.TrimSpace(texts[i].Passage[w.offsets[first].Start:w.offsets[last].End])
			}
			at += w.count
		}
		out.Text = append(out.Text, answer)
	}
}

func argmax(v []float32) int {
	best := 0
	for i := range v {
		if v[i] > v[best] {
			best = i
		}
	}
	return best
}

// bestSpan returns the span of at most longestAnswer tokens whose start and end scores
// have the largest sum; first is -1 if there are no tokens.
func bestSpan(starts, ends []float32) (first, last int, score float32) {
	first = -1
	for i := range starts {
		for j := i; j < min(i+longestAnswer, len(ends)); j++ {
			if s := starts[i] + ends[j]; first < 0 || s > score {
				first, last, score = i, j, s
			}
		}
	}
	return first, last, score
}
