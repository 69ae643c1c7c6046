package metrics

import (
	"fmt"
	"math"
	"slices"
)

// Pearson returns Pearson's correlation coefficient r, in [−1, 1], as scipy's pearsonr;
// 0 where it is undefined, because one side is constant or has fewer than two values.
func Pearson(yTrue, yPred []float64) float64 {
	if len(yTrue) != len(yPred) {
		panic(fmt.Sprintf("metrics: Pearson of %d true and %d predicted values", len(yTrue), len(yPred)))
	}
	meanT, meanP := mean(yTrue), mean(yPred)
	var tp, tt, pp float64
	for i, t := range yTrue {
		t, p := t-meanT, yPred[i]-meanP
		tp += t * p
		tt += t * t
		pp += p * p
	}
	return max(-1, min(1, ratio(tp, math.Sqrt(tt)*math.Sqrt(pp))))
}

// Spearman returns Spearman's rank correlation, in [−1, 1], as scipy's spearmanr: the
// Pearson correlation of the ranks, equal values sharing the mean of theirs.
func Spearman(yTrue, yPred []float64) float64 { return Pearson(ranks(yTrue), ranks(yPred)) }

func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return ratio(sum, float64(len(values)))
}

func ranks(values []float64) []float64 {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		switch {
		case values[a] < values[b]:
			return -1
		case values[a] > values[b]:
			return 1
		}
		return 0
	})
	out := make([]float64, len(values))
	for from := 0; from < len(order); {
		to := from + 1
		for to < len(order) && values[order[to]] == values[order[from]] {
			to++
		}
		for _, i := range order[from:to] {
			out[i] = float64(from+to+1) / 2 // ranks from+1 to to
		}
		from = to
	}
	return out
}
