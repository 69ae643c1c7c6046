package baseline

import (
	"math"
	"math/rand/v2"
	"strconv"

	"github.com/muppet-go/muppet/prefinetune/task"
)

// A row is a choice among candidates. The score of candidate c is the sum of the
// weights at features[c] + offset(c). In classification all candidates share their
// features and each class has its own weight (feature·classes + class); in
// commonsense each candidate has its features and all share the weights.
type row struct {
	features [][]int
	offset   int // candidate c adds c·offset: 1 for classes, 0 for candidates
	answer   int
}

// A vocabulary numbers the features of the training rows; dev rows ignore others.
type vocabulary struct {
	index   map[string]int
	classes int
}

func (v *vocabulary) row(t *task.Task, e task.Example, learn bool) row {
	if t.Family == task.Classification || t.Family == task.Regression {
		names := append(grams("1 ", words(e.Text)), "bias")
		if e.Text2 != "" {
			second := words(e.Text2)
			names = append(names, grams("2 ", second)...)
			names = append(names, overlap(words(e.Text), second))
		}
		shared := v.features(names, learn)
		r := row{features: make([][]int, v.classes), offset: 1, answer: e.Label}
		for c := range r.features {
			r.features[c] = shared
		}
		return r
	}
	r := row{features: make([][]int, len(e.Choices)), answer: e.Answer}
	context := words(e.Context)
	for c, choice := range e.Choices {
		w := words(choice)
		r.features[c] = v.features(append(grams("c ", w), overlap(context, w)), learn)
	}
	return r
}

// features returns the weights' positions of distinct names.
func (v *vocabulary) features(names []string, learn bool) []int {
	seen := make(map[int]bool, len(names))
	f := make([]int, 0, len(names))
	for _, name := range names {
		i, ok := v.index[name]
		if !ok {
			if !learn {
				continue
			}
			i = len(v.index)
			v.index[name] = i
		}
		if !seen[i] {
			seen[i] = true
			f = append(f, i*v.classes)
		}
	}
	return f
}

// grams returns the unigrams and bigrams of words, each after the name of its space.
func grams(space string, words []string) []string {
	names := make([]string, 0, 2*len(words))
	for i, w := range words {
		names = append(names, space+w)
		if i > 0 {
			names = append(names, space+words[i-1]+" "+w)
		}
	}
	return names
}

// overlap names the share of the second text's words that are in the first, in fifths.
func overlap(first, second []string) string {
	in := make(map[string]bool, len(first))
	for _, w := range first {
		in[w] = true
	}
	n := 0
	for _, w := range second {
		if in[w] {
			n++
		}
	}
	return "overlap " + strconv.Itoa(5*n/max(1, len(second)))
}

// weights are a fitted model.
type weights []float64

// fit minimises the mean over the rows of
//
//	−log softmax(scores)[answer] + λ/2 · Σ w², over the weights that the row uses
//
// by AdaGrad (Duchi et al., 2011), one row at a time in a fixed random order: the
// penalty of a weight is in proportion to how often it is used, and a step costs
// no more than its row.
func fit(rows []row, n int) weights {
	const (
		rate   = 0.2
		lambda = 1e-3
		passes = 10
		least  = 20000 // rows seen, where there are few: small sets need more passes
	)
	w := make(weights, n)
	squares := make([]float64, n)
	if len(rows) == 0 {
		return w
	}
	order := make([]int, len(rows))
	for i := range order {
		order[i] = i
	}
	rnd := rand.NewPCG(1, 1)
	for range max(passes, (least+len(rows)-1)/len(rows)) {
		for i := len(order) - 1; i > 0; i-- {
			j := int(rnd.Uint64() % uint64(i+1))
			order[i], order[j] = order[j], order[i]
		}
		for _, i := range order {
			r := rows[i]
			p := softmax(w.scores(r))
			for c, features := range r.features {
				g := p[c]
				if c == r.answer {
					g--
				}
				for _, f := range features {
					f += c * r.offset
					d := g + lambda*w[f]
					squares[f] += d * d
					w[f] -= rate * d / (math.Sqrt(squares[f]) + 1e-8)
				}
			}
		}
	}
	return w
}

func (w weights) scores(r row) []float64 {
	s := make([]float64, len(r.features))
	for c, features := range r.features {
		for _, f := range features {
			s[c] += w[f+c*r.offset]
		}
	}
	return s
}

// predict returns the candidate with the highest score, of equals the first.
func (w weights) predict(r row) int {
	best := 0
	s := w.scores(r)
	for c := range s {
		if s[c] > s[best] {
			best = c
		}
	}
	return best
}

// softmax overwrites scores with their softmax.
func softmax(s []float64) []float64 {
	top, sum := math.Inf(-1), 0.0
	for _, v := range s {
		top = max(top, v)
	}
	for i := range s {
		s[i] = math.Exp(s[i] - top)
		sum += s[i]
	}
	for i := range s {
		s[i] /= sum
	}
	return s
}
