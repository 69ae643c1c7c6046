// Package baseline holds what a model must beat before its score means anything:
// [Majority], which does not read the examples, and [BagOfWords], which reads them
// as a set of words. Both are deterministic, learn from the training examples
// alone, and are scored by metrics.Score like the model's own predictions.
package baseline

import (
	"math"
	"strings"
	"unicode"

	"github.com/muppet-go/muppet/prefinetune/metrics"
	"github.com/muppet-go/muppet/prefinetune/task"
)

// Majority predicts
//
//	classification  the most frequent label of train
//	regression      the mean score of train
//	commonsense     the most frequent answer's index among the training examples
//	                with as many candidates
//	mrc             the first n words of the passage, n the most frequent length
//	                of an answer in train, or no answer if that is what most questions
//	                there have
//	summarisation   the first n words of the source, n the median length of a target
//	                in train
//
// Of equals it takes the least. It panics for a family that has no baseline.
func Majority(t *task.Task, train, dev []task.Example) metrics.Predictions {
	var p metrics.Predictions
	switch t.Family {
	case task.Classification:
		count := map[int]int{}
		for _, e := range train {
			count[e.Label]++
		}
		label := mode(count, 0)
		for range dev {
			p.Index = append(p.Index, label)
		}
	case task.Regression:
		mean := 0.0
		for i, e := range train {
			mean += (e.Score - mean) / float64(i+1)
		}
		for range dev {
			p.Value = append(p.Value, mean)
		}
	case task.Commonsense:
		count := map[int]map[int]int{} // by number of candidates
		for _, e := range train {
			n := len(e.Choices)
			if count[n] == nil {
				count[n] = map[int]int{}
			}
			count[n][e.Answer]++
		}
		for _, e := range dev {
			p.Index = append(p.Index, mode(count[len(e.Choices)], 0))
		}
	case task.MRC:
		n, none := answerLength(train), 0
		for _, e := range train {
			if len(e.Answers) == 0 {
				none++
			}
		}
		for _, e := range dev {
			text := ""
			if 2*none <= len(train) {
				text = span(e.Passage, fields(e.Passage), 0, n)
			}
			p.Text = append(p.Text, text)
		}
	case task.Summarisation:
		n := summaryLength(train)
		for _, e := range dev {
			p.Text = append(p.Text, span(e.Source, fields(e.Source), 0, n))
		}
	default:
		panic("baseline: Majority of family " + string(t.Family))
	}
	return p
}

// BagOfWords predicts
//
//	classification  by multinomial logistic regression on the unigrams and bigrams
//	                of each text, and on how many words of the second are in the first
//	regression      by ridge regression on the same
//	commonsense     by conditional logistic regression (McFadden, 1974) on the
//	                unigrams and bigrams of each candidate and on how many of its
//	                words are in the context
//	mrc             the span of the most frequent answer length in train whose
//	                surroundings share the most words with the question, in the
//	                manner of MCTest's sliding window (Richardson et al., 2013);
//	                this one learns nothing else from train
//	summarisation   the span of the median target's length whose words are most often
//	                repeated in the targets of train
//
// Words are lower-cased. At most 20000 rows of train are used, evenly spaced. It
// panics for a family that has no baseline.
func BagOfWords(t *task.Task, train, dev []task.Example) metrics.Predictions {
	if t.Family == task.MRC {
		var p metrics.Predictions
		n := answerLength(train)
		for _, e := range dev {
			p.Text = append(p.Text, slidingWindow(e.Question, e.Passage, n))
		}
		return p
	}
	if t.Family == task.Summarisation {
		var p metrics.Predictions
		n, x := summaryLength(train), newExtractor(train)
		for _, e := range dev {
			p.Text = append(p.Text, x.best(e.Source, n))
		}
		return p
	}
	if t.Family != task.Classification && t.Family != task.Regression && t.Family != task.Commonsense {
		panic("baseline: BagOfWords of family " + string(t.Family))
	}
	v := &vocabulary{index: map[string]int{}, classes: 1}
	if t.Family == task.Classification {
		v.classes = len(t.Labels)
	}
	var rows []row
	step := max(1, (len(train)+mostRows-1)/mostRows)
	for i := 0; i < len(train); i += step {
		rows = append(rows, v.row(t, train[i], true))
	}
	if t.Family == task.Regression {
		return ridge(t, v, rows, train, step, dev)
	}
	m := fit(rows, len(v.index)*v.classes)
	p := metrics.Predictions{Index: make([]int, len(dev))}
	for i, e := range dev {
		p.Index[i] = m.predict(v.row(t, e, false))
	}
	return p
}

// mostRows bounds the training examples that a baseline learns from.
const mostRows = 20000

// mode returns the least of the most frequent values, or none if there are no values.
func mode(count map[int]int, none int) int {
	best, most := none, 0
	for v, n := range count {
		if n > most || n == most && v < best {
			best, most = v, n
		}
	}
	return best
}

// answerLength returns the most frequent number of words of an example's first answer.
func answerLength(train []task.Example) int {
	count := map[int]int{}
	for _, e := range train {
		if len(e.Answers) > 0 {
			count[len(strings.Fields(e.Answers[0].Text))]++
		}
	}
	return max(1, mode(count, 1))
}

// words returns the runs of letters and digits of a text, in lower case.
func words(text string) []string {
	return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsNumber(r)
	})
}

// fields returns the byte offsets [start, end) of a text's words between spaces.
func fields(text string) [][2]int {
	var f [][2]int
	start := -1
	for i, r := range text {
		switch space := unicode.IsSpace(r); {
		case space && start >= 0:
			f = append(f, [2]int{start, i})
			start = -1
		case !space && start < 0:
			start = i
		}
	}
	if start >= 0 {
		f = append(f, [2]int{start, len(text)})
	}
	return f
}

// span returns n fields of a text from the i-th, without punctuation around them.
func span(text string, f [][2]int, i, n int) string {
	if i >= len(f) {
		return ""
	}
	return strings.TrimFunc(text[f[i][0]:f[min(i+n, len(f))-1][1]], unicode.IsPunct)
}

// slidingWindow scores every span of n words by the question's words around it:
// each counts log(1 + 1/its frequency in the passage), divided by its distance. A
// question's word inside the span counts against it: what is asked for is seldom
// what is said. Of equals the first wins.
func slidingWindow(question, passage string, n int) string {
	const window = 15 // words on either side
	f := fields(passage)
	n = min(n, len(f))
	asked := map[string]bool{}
	for _, w := range words(question) {
		asked[w] = true
	}
	word := make([]string, len(f))
	count := map[string]float64{}
	for i, b := range f {
		word[i] = strings.Join(words(passage[b[0]:b[1]]), " ")
		count[word[i]]++
	}
	weight := make([]float64, len(f))
	sum := make([]float64, len(f)+1) // of the weights before i
	for i, w := range word {
		if asked[w] {
			weight[i] = math.Log(1 + 1/count[w])
		}
		sum[i+1] = sum[i] + weight[i]
	}
	best, at := math.Inf(-1), 0
	for i := 0; i+n <= len(f); i++ {
		score := sum[i] - sum[i+n]
		for d := 1; d <= window; d++ {
			if i-d >= 0 {
				score += weight[i-d] / float64(d)
			}
			if j := i + n - 1 + d; j < len(f) {
				score += weight[j] / float64(d)
			}
		}
		if score > best {
			best, at = score, i
		}
	}
	return span(passage, f, at, n)
}
