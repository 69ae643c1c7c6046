package prefinetune

import (
	"context"
	"math"
	"strings"
	"unicode"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/prefinetune/metrics"
	"github.com/muppet-go/muppet/prefinetune/task"
	"github.com/muppet-go/muppet/transformer"
	"github.com/muppet-go/muppet/transformer/tokenizer"
)

// longestAnswer is the most tokens that a predicted span may have.
const longestAnswer = 30

// A Prediction is what a model makes of an example.
type Prediction struct {
	Index         int       // the likeliest class or candidate
	Probabilities []float64 // of all classes or candidates
	Score         float64   // of a regression
	Text          string    // the answer found in a passage, empty if there is none, or what was written
	Start         int       // byte of the passage that the answer begins at
	Probability   float64   // of the answer's first and last token together, among all of the passage
}

// answers returns predictions as the metrics of a family take them.
func answers(f task.Family, predictions []Prediction) (m metrics.Predictions) {
	for _, p := range predictions {
		switch f {
		case task.MRC, task.Summarisation:
			m.Text = append(m.Text, p.Text)
		case task.Regression:
			m.Value = append(m.Value, p.Score)
		default:
			m.Index = append(m.Index, p.Index)
		}
	}
	return m
}

// predict returns the model's choice for every example, which are all of one task, in
// order, or what it writes of each, with the given settings. It returns the context's error if
// that ends first.
func (m *Model) predict(ctx context.Context, tasks []*task.Task, encoded []*example, texts []task.Example, budget int, g transformer.GenerationConfig) ([]Prediction, error) {
	var out []Prediction
	scope := autograd.NewScope().NoGrad()
	for from := 0; from < len(encoded); {
		to, used := from, 0
		for to < len(encoded) {
			n := encoded[to].tokens()
			if to > from && used+n > budget {
				break
			}
			used += n
			to++
		}
		if err := ctx.Err(); err != nil {
			return out, err
		}
		if tasks[encoded[from].task].Family == task.Summarisation {
			written, err := m.write(ctx, encoded[from:to], g)
			if err != nil {
				return out, err
			}
			for _, text := range written {
				out = append(out, Prediction{Text: text})
			}
		} else {
			p := m.pack(tasks, encoded[from:to])
			out = append(out, m.decode(tasks, p, m.scores(scope, tasks, p, nil, nil), texts[from:to])...)
			scope.Reset()
		}
		from = to
	}
	return out, nil
}

// write returns what the model writes of the examples' sources.
func (m *Model) write(ctx context.Context, examples []*example, g transformer.GenerationConfig) ([]string, error) {
	sources := make([]tokenizer.Encoding, len(examples))
	for i, e := range examples {
		sources[i] = e.sequences[0]
	}
	sequences, err := m.base.Generate(ctx, transformer.PackEncodings(sources...), g)
	texts := make([]string, len(sequences))
	for i, ids := range sequences {
		texts[i] = strings.TrimSpace(m.base.Tokenizer.Decode(ids))
	}
	return texts, err
}

// generation returns the settings of Generate for a task: the checkpoint's, but, where it says
// no more than Hugging Face's defaults do, with 4 beams and up to the length, in tokens, of the
// longest summary in training.
func (m *Model) generation(longest int) transformer.GenerationConfig {
	g, absent := m.base.Generation, transformer.NewGenerationConfig(m.base.Config)
	if g.NumBeams == absent.NumBeams && !g.DoSample {
		g.NumBeams = 4
	}
	if g.MaxLength == absent.MaxLength {
		g.MaxLength = min(max(longest+1, 2), m.base.Config.MaxLength()) // and decoder_start_token_id
	}
	return g
}

// decode returns the best choices of a batch of one task.
func (m *Model) decode(tasks []*task.Task, p *packed, o outputs, texts []task.Example) (out []Prediction) {
	t := tasks[p.examples[0].task]
	if t.Family == task.Regression {
		for _, score := range m.Regressors[t.Name].scores(o.numbers.Float32s()) {
			out = append(out, Prediction{Score: score})
		}
		return out
	}
	scores, at := o.scores.Float32s(), 0
	if t.Family != task.MRC {
		for _, n := range p.lengths {
			of := scores[at : at+n]
			best := argmax(of)
			probabilities := make([]float64, n)
			norm := logSumExp(of)
			for i, v := range of {
				probabilities[i] = math.Exp(float64(v) - norm)
			}
			out = append(out, Prediction{Index: best, Probabilities: probabilities})
			at += n
		}
		return out
	}
	starts, ends := scores[:len(scores)/2], scores[len(scores)/2:]
	for i, e := range p.examples {
		begin, best, none := at, math.Inf(-1), math.Inf(1)
		var answer Prediction
		for _, w := range e.spans {
			if w.none { // as Hugging Face has it, every window must say so
				none = math.Min(none, float64(starts[at])+float64(ends[at]))
				at++
			}
			first, last, score := bestSpan(starts[at:at+w.count], ends[at:at+w.count])
			if first >= 0 && score > best {
				best = score
				from, to := w.offsets[first].Start, w.offsets[last].End
				text := strings.TrimLeftFunc(texts[i].Passage[from:to], unicode.IsSpace)
				answer.Text, answer.Start = strings.TrimSpace(text), to-len(text)
			}
			at += w.count
		}
		if none > best && e.spans[0].none {
			best, answer = none, Prediction{}
		}
		if at > begin {
			answer.Probability = math.Exp(best - logSumExp(starts[begin:at]) - logSumExp(ends[begin:at]))
		}
		out = append(out, answer)
	}
	return out
}

// logSumExp returns log Σ exp(v).
func logSumExp(v []float32) float64 {
	top := v[argmax(v)]
	sum := 0.0
	for _, x := range v {
		sum += math.Exp(float64(x - top))
	}
	return float64(top) + math.Log(sum)
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
func bestSpan(starts, ends []float32) (first, last int, score float64) {
	first = -1
	for i := range starts {
		for j := i; j < min(i+longestAnswer, len(ends)); j++ {
			if s := float64(starts[i]) + float64(ends[j]); first < 0 || s > score {
				first, last, score = i, j, s
			}
		}
	}
	return first, last, score
}
