package prefinetune

import (
	"math"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/prefinetune/task"
	"github.com/muppet-go/muppet/transformer"
)

// RegressionHead predicts a number, for one task. A regression chooses among no classes: its
// loss would be divided by log 1 = 0. Here it is ((z·σ + μ) - y)²/σ², z being the output of
// the head, y the score, μ and σ the mean and the standard deviation of the scores
// in training. Predicting always the mean costs 1, on average, as guessing evenly does in
// the other families. R3F leaves it alone.
type RegressionHead struct {
	Head *transformer.ClassificationHead `name:""`
	// Scale is μ and σ, float32 [2]. It is saved with the head and not trained.
	Scale *autograd.Tensor `name:"scale,buffer"`
}

func newRegressionHead(c transformer.Config, key device.Key) *RegressionHead {
	return &RegressionHead{transformer.NewClassificationHead(c, 1, key), autograd.New([]float32{0, 1}, 2)}
}

// scores returns the scores that standardised ones stand for.
func (h *RegressionHead) scores(standardised []float32) []float64 {
	scale, values := h.Scale.Float64s(), make([]float64, len(standardised))
	for i, z := range standardised {
		values[i] = float64(z)*scale[1] + scale[0]
	}
	return values
}

// unscaled makes into a copy of the head whose output is the score itself.
func (h *RegressionHead) unscaled(into *transformer.ClassificationHead) {
	copyParameters(into, h.Head)
	scale := h.Scale.Float32s()
	change := func(t *autograd.Tensor, shift float32) {
		values := t.Float32s()
		for i := range values {
			values[i] = values[i]*scale[1] + shift
		}
		autograd.Mutate(func(dst ...device.Slice) { t.Device().Write(dst[0], values) }, t)
	}
	change(into.OutProj.Weight, 0)
	change(into.OutProj.Bias, scale[0])
}

// scaleOf returns the mean and the standard deviation of the training scores of a task; 1
// for the latter if they are all alike.
func scaleOf(index int, examples []*example) [2]float32 {
	var n, mean, squares float64
	for _, e := range examples {
		if e.task == index {
			n++
			delta := e.value - mean
			mean += delta / n
			squares += delta * (e.value - mean)
		}
	}
	if deviation := float32(math.Sqrt(squares / max(n, 1))); deviation > 0 {
		return [2]float32{float32(mean), deviation}
	}
	return [2]float32{float32(mean), 1}
}

// standardise gives the model the scales of the regressions, and the training examples the targets
// of their heads.
func (t *Trainer) standardise() {
	for i, tk := range t.tasks {
		if tk.Family != task.Regression {
			continue
		}
		scale := scaleOf(i, t.train)
		h := t.model.Regressors[tk.Name]
		autograd.Mutate(func(dst ...device.Slice) { h.Scale.Device().Write(dst[0], scale[:]) }, h.Scale)
		for _, e := range t.train {
			if e.task == i {
				e.value = (e.value - float64(scale[0])) / float64(scale[1])
			}
		}
	}
}
