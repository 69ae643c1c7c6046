// Package metrics scores predictions. Names, conventions and degenerate cases are
// scikit-learn's: what is undefined counts 0.
//
// [Accuracy], [F1], [MacroF1] and [MatthewsCorrcoef] compare class indices;
// [ExactMatch] and [TokenF1] compare answers as text, as the evaluation script of
// SQuAD v1.1 does, and [Rouge] summaries, as the package rouge-score does; [Pearson]
// and [Spearman] compare numbers. [Score] picks the metric that speaks for a task, for a model's
// predictions and for a baseline's alike, and says how far chance could have moved it.
package metrics

import (
	"fmt"
	"math"
	"slices"
)

// Accuracy returns the share of the predictions that are right, in [0, 1].
// It panics, as do all metrics of this package, if the lengths differ.
func Accuracy(yTrue, yPred []int) float64 { return newConfusion("Accuracy", yTrue, yPred).accuracy() }

// F1 returns 2·TP/(2·TP + FP + FN) of the class positive, in [0, 1].
func F1(yTrue, yPred []int, positive int) float64 {
	return newConfusion("F1", yTrue, yPred).f1(positive)
}

// MacroF1 returns the mean F1 of the classes that occur in yTrue or yPred, in [0, 1].
func MacroF1(yTrue, yPred []int) float64 { return newConfusion("MacroF1", yTrue, yPred).macroF1() }

// MatthewsCorrcoef returns the Matthews correlation coefficient, in [−1, 1]. For
// more than two classes it is the R_K statistic (Gorodkin, 2004):
//
//	(c·n − Σ t_k·p_k) / √((n² − Σ p_k²)·(n² − Σ t_k²))
//
// with n rows, c of them right, and class k true t_k and predicted p_k times.
func MatthewsCorrcoef(yTrue, yPred []int) float64 {
	return newConfusion("MatthewsCorrcoef", yTrue, yPred).matthews()
}

// StandardError returns the binomial standard error √(p·(1−p)/n) of a share p of
// n independent rows; 0 for no rows.
func StandardError(p float64, n int) float64 {
	if n <= 0 {
		return 0
	}
	return math.Sqrt(p * (1 - p) / float64(n))
}

// A confusion counts the pairs of a true and a predicted class: all that the
// metrics over classes depend on.
type confusion struct {
	n          int
	pairs      map[[2]int]int // {true, predicted}
	true, pred map[int]int
	classes    []int // sorted, so that sums do not depend on a map's order
}

func newConfusion(name string, yTrue, yPred []int) *confusion {
	if len(yTrue) != len(yPred) {
		panic(fmt.Sprintf("metrics: %s of %d true and %d predicted classes", name, len(yTrue), len(yPred)))
	}
	c := &confusion{pairs: map[[2]int]int{}, true: map[int]int{}, pred: map[int]int{}}
	for i, t := range yTrue {
		c.add(t, yPred[i], 1)
	}
	for k := range c.true {
		c.classes = append(c.classes, k)
	}
	for k := range c.pred {
		if c.true[k] == 0 {
			c.classes = append(c.classes, k)
		}
	}
	slices.Sort(c.classes)
	return c
}

// add counts a pair k times; k = −1 takes it away again.
func (c *confusion) add(t, p, k int) {
	c.n += k
	c.pairs[[2]int{t, p}] += k
	c.true[t] += k
	c.pred[p] += k
}

// ratio is a/b, or 0 where that is undefined.
func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

func (c *confusion) right() (n int) {
	for _, k := range c.classes {
		n += c.pairs[[2]int{k, k}]
	}
	return n
}

func (c *confusion) accuracy() float64 { return ratio(float64(c.right()), float64(c.n)) }

func (c *confusion) f1(positive int) float64 {
	tp := c.pairs[[2]int{positive, positive}]
	return ratio(float64(2*tp), float64(c.true[positive]+c.pred[positive]))
}

func (c *confusion) macroF1() float64 {
	sum, n := 0.0, 0.0
	for _, k := range c.classes {
		if c.true[k]+c.pred[k] > 0 {
			sum += c.f1(k)
			n++
		}
	}
	return ratio(sum, n)
}

func (c *confusion) matthews() float64 {
	var tp, tt, pp float64 // whole numbers below 2⁵³: exact
	for _, k := range c.classes {
		t, p := float64(c.true[k]), float64(c.pred[k])
		tp += t * p
		tt += t * t
		pp += p * p
	}
	n := float64(c.n)
	return ratio(float64(c.right())*n-tp, math.Sqrt(n*n-pp)*math.Sqrt(n*n-tt))
}

// jackknife returns the standard error of a metric from its values with one row
// left out (Efron & Stein, 1981): √((n−1)/n · Σ (v_i − mean)²). Rows with the same
// pair of classes give the same value, so that this costs one metric a distinct pair.
func (c *confusion) jackknife(metric func() float64) float64 {
	n := float64(c.n)
	if c.n < 2 {
		return 0
	}
	type left struct{ value, rows float64 }
	var values []left
	mean := 0.0
	for _, t := range c.classes {
		for _, p := range c.classes {
			if k := c.pairs[[2]int{t, p}]; k > 0 {
				c.add(t, p, -1)
				v := metric()
				c.add(t, p, 1)
				values = append(values, left{v, float64(k)})
				mean += v * float64(k) / n
			}
		}
	}
	sum := 0.0
	for _, v := range values {
		sum += v.rows * (v.value - mean) * (v.value - mean)
	}
	return math.Sqrt((n - 1) / n * sum)
}
