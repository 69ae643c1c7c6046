package metrics

import (
	"fmt"
	"math"

	"github.com/muppet-go/muppet/prefinetune/task"
)

// Predictions are the answers to a list of examples, one each: class indices for
// classification, indices of the chosen candidates for commonsense, numbers for
// regression, texts for reading (mrc) and summarisation.
type Predictions struct {
	Index []int
	Value []float64
	Text  []string
}

// Score returns the value of the task's metric and its standard error:
//
//	accuracy  the share of right answers; binomial standard error
//	f1        F1 of class 1 (scikit-learn's pos_label=1); jackknife
//	macro_f1  mean F1 of the classes; jackknife
//	matthews  Matthews correlation coefficient; jackknife
//	pearson   Pearson's r; (1-r²)/√(n-3), Fisher's
//	spearman  Spearman's ρ; (1-ρ²)·√(1+ρ²/2)/√(n-3) (Bonett & Wright, 2000)
//	pearson_spearman  mean of the two, as GLUE averages them; mean of their errors,
//	          which is an upper bound
//	em_f1     mean over the examples of (exact match + token F1)/2, as SuperGLUE
//	          averages the two; standard error of that mean
//	rouge     mean over the examples of (ROUGE-1 + ROUGE-2 + ROUGE-L)/3, stemmed;
//	          standard error of that mean
//
// It panics for another metric and if the predictions are not one for each example.
func Score(t *task.Task, examples []task.Example, p Predictions) (value, stderr float64) {
	if t.Metric == "em_f1" || t.Metric == "rouge" {
		return scoreText(t, examples, p.Text)
	}
	if t.Family == task.Regression {
		return scoreValues(t, examples, p.Value)
	}
	if len(p.Index) != len(examples) {
		panic(fmt.Sprintf("metrics: Score of %s: %d predictions for %d examples", t.Name, len(p.Index), len(examples)))
	}
	yTrue := make([]int, len(examples))
	for i, e := range examples {
		yTrue[i] = e.Label
		if t.Family == task.Commonsense {
			yTrue[i] = e.Answer
		}
	}
	c := newConfusion("Score", yTrue, p.Index)
	var metric func() float64
	switch t.Metric {
	case "accuracy":
		a := c.accuracy()
		return a, StandardError(a, c.n)
	case "f1":
		metric = func() float64 { return c.f1(1) }
	case "macro_f1":
		metric = c.macroF1
	case "matthews":
		metric = c.matthews
	default:
		panic(fmt.Sprintf("metrics: Score of %s: no metric %q", t.Name, t.Metric))
	}
	return metric(), c.jackknife(metric)
}

func scoreValues(t *task.Task, examples []task.Example, values []float64) (value, stderr float64) {
	if len(values) != len(examples) {
		panic(fmt.Sprintf("metrics: Score of %s: %d predictions for %d examples", t.Name, len(values), len(examples)))
	}
	yTrue := make([]float64, len(examples))
	for i, e := range examples {
		yTrue[i] = e.Score
	}
	root := math.Sqrt(max(1, float64(len(examples)-3)))
	r, rho := Pearson(yTrue, values), Spearman(yTrue, values)
	errR, errRho := (1-r*r)/root, (1-rho*rho)*math.Sqrt(1+rho*rho/2)/root
	switch t.Metric {
	case "pearson":
		return r, errR
	case "spearman":
		return rho, errRho
	case "pearson_spearman":
		return (r + rho) / 2, (errR + errRho) / 2
	}
	panic(fmt.Sprintf("metrics: Score of %s: no metric %q", t.Name, t.Metric))
}

func scoreText(t *task.Task, examples []task.Example, texts []string) (value, stderr float64) {
	if len(texts) != len(examples) {
		panic(fmt.Sprintf("metrics: Score of %s: %d predictions for %d examples", t.Name, len(texts), len(examples)))
	}
	n := float64(len(examples))
	scores := make([]float64, len(examples))
	for i, e := range examples {
		if t.Metric == "rouge" {
			r := Rouge(texts[i], e.Target, true)
			scores[i] = (r.Rouge1 + r.Rouge2 + r.RougeL) / 3
		} else {
			golds := make([]string, len(e.Answers))
			for k, a := range e.Answers {
				golds[k] = a.Text
			}
			scores[i] = (ExactMatch(texts[i], golds) + TokenF1(texts[i], golds)) / 2
		}
		value += scores[i]
	}
	value = ratio(value, n)
	if n < 2 {
		return value, 0
	}
	sum := 0.0
	for _, s := range scores {
		sum += (s - value) * (s - value)
	}
	return value, math.Sqrt(sum / (n - 1) / n)
}
