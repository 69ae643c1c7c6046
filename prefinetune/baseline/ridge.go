package baseline

import (
	"math"

	"github.com/muppet-go/muppet/prefinetune/metrics"
	"github.com/muppet-go/muppet/prefinetune/task"
)

// ridge fits Σ (w·x - y)² + w·w, over all rows, by conjugate gradients, x being 1 for the
// features of a row, and predicts dev. The rows are every step-th of train.
func ridge(t *task.Task, v *vocabulary, rows []row, train []task.Example, step int, dev []task.Example) metrics.Predictions {
	mean := 0.0
	for i := range rows {
		mean += (train[i*step].Score - mean) / float64(i+1)
	}
	n := len(v.index)
	w, residual := make([]float64, n), make([]float64, n)
	for i, r := range rows {
		for _, f := range r.features[0] {
			residual[f] += train[i*step].Score - mean
		}
	}
	direction := append([]float64(nil), residual...)
	square := dot(residual, residual)
	// It converges in far fewer steps than there are features; what is left then does not matter.
	for range 100 {
		if square <= 1e-12 {
			break
		}
		image := append([]float64(nil), direction...) // (XᵀX + 1)·direction
		for _, r := range rows {
			sum := 0.0
			for _, f := range r.features[0] {
				sum += direction[f]
			}
			for _, f := range r.features[0] {
				image[f] += sum
			}
		}
		along := square / dot(direction, image)
		for f := range w {
			w[f] += along * direction[f]
			residual[f] -= along * image[f]
		}
		next := dot(residual, residual)
		for f := range direction {
			direction[f] = residual[f] + next/square*direction[f]
		}
		square = next
	}
	p := metrics.Predictions{Value: make([]float64, len(dev))}
	for i, e := range dev {
		value := mean
		for _, f := range v.row(t, e, false).features[0] {
			value += w[f]
		}
		p.Value[i] = math.Max(t.Range[0], math.Min(t.Range[1], value))
	}
	return p
}

func dot(a, b []float64) (sum float64) {
	for i := range a {
		sum += float64(a[i] * b[i])
	}
	return sum
}
