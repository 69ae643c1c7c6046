package ops_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/ops"
)

// TestLossExtremes gives values and both gradients where logarithms and exponentials are
// at their ends.
func TestLossExtremes(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	small := math.Exp(-40)
	huber := func(x, y *tensor) *tensor { return ops.HuberLoss(x, y, 2) }
	cosine := func(x, y *tensor) *tensor { return ops.CosineSimilarity(x, y, 0, 1e-8) }
	type two = []float64
	for _, c := range []struct {
		name                string
		f                   func(x, y *tensor) *tensor
		x, y                []float64
		want                float64
		gradient, gradientY []float64
	}{
		{"MSELoss of nothing", ops.MSELoss, two{}, two{}, nan, nil, nil},
		{"L1Loss", ops.L1Loss, two{3, 3}, two{3, 5}, 1, two{0, -0.5}, two{0, 0.5}},
		{"HuberLoss", huber, two{5, 3, 1e200, 1}, two{3, 3, 0, 0}, 5e199, two{0.5, 0, 0.5, 0.25}, two{-0.5, 0, -0.5, -0.25}},
		{"BCEWithLogits right", ops.BCEWithLogits, two{40, -40}, two{1, 0}, small, two{0, small / 2}, two{-20, 20}},
		{"BCEWithLogits wrong", ops.BCEWithLogits, two{-1e4, 1e4}, two{1, 0}, 1e4, two{-0.5, 0.5}, two{5e3, -5e3}},
		{"BCEWithLogits at 0", ops.BCEWithLogits, two{0, 0}, two{1, 0}, math.Ln2, two{-0.25, 0.25}, two{0, 0}},
		{"KLDiv", ops.KLDiv, two{-inf, math.Log(0.5)}, two{0, 1}, math.Ln2 / 2, two{0, -0.5}, two{0, (1 + math.Ln2) / 2}},
		{"KLDiv impossible", ops.KLDiv, two{-inf, 0}, two{0.5, 0.5}, inf, two{-0.25, -0.25}, nil},
		{"CosineSimilarity of 0", cosine, two{0, 0}, two{3, 4}, 0, two{0.6e8, 0.8e8}, two{0, 0}},
		{"CosineSimilarity", cosine, two{3, 4}, two{-3, -4}, -1, nil, nil},
	} {
		x, y := autograd.New(c.x).RequireGrad(), autograd.New(c.y).RequireGrad()
		z := c.f(x, y)
		same(t, c.name, z.Float64s(), []float64{c.want})
		z.Backward()
		if c.gradient != nil {
			same(t, c.name+" gradient", x.Grad().Float64s(), c.gradient)
		}
		if c.gradientY != nil {
			same(t, c.name+" second gradient", y.Grad().Float64s(), c.gradientY)
		}
	}
}

// TestCrossEntropyValues are PyTorch's results for one batch.
func TestCrossEntropyValues(t *testing.T) {
	logits := autograd.New([]float64{1, 2, 3, 0.5, -1, 0, 2, 0, 1, 0, 0, 3}, 4, 3)
	labels := autograd.New([]int32{2, 0, -1, 1})
	weight := autograd.New([]float64{1, 2, 0.5})
	for _, c := range []struct {
		cfg  ops.CrossEntropyConfig
		want float64
	}{
		{ops.CrossEntropyConfig{}, 1.3688865087340234},
		{ops.CrossEntropyConfig{Weight: weight}, 1.9993655715430976},
		{ops.CrossEntropyConfig{LabelSmoothing: 0.1}, 1.3911087309562455},
		{ops.CrossEntropyConfig{Weight: weight, LabelSmoothing: 0.1}, 1.991079570024095},
	} {
		same(t, fmt.Sprint(c.cfg), ops.CrossEntropyWith(logits, labels, c.cfg).Float64s(), []float64{c.want})
	}
	same(t, "NLLLoss", ops.NLLLoss(ops.LogSoftmax(logits, 1), labels).Float64s(), []float64{1.3688865087340234})
}

// TestIgnoredRows: what an ignored row holds, even NaN, reaches neither the loss nor the
// gradients of other rows.
func TestIgnoredRows(t *testing.T) {
	nan := math.NaN()
	for name, f := range map[string]func(x, labels *tensor) *tensor{
		"CrossEntropy": ops.CrossEntropy,
		"NLLLoss":      ops.NLLLoss,
		"smoothed": func(x, labels *tensor) *tensor {
			return ops.CrossEntropyWith(x, labels, ops.CrossEntropyConfig{LabelSmoothing: 0.2})
		},
	} {
		all := autograd.New([]float64{nan, 1, 2, 3}, 2, 2).RequireGrad()
		one := autograd.New([]float64{2, 3}, 1, 2).RequireGrad()
		got, want := f(all, ints(all, -1, 0)), f(one, ints(one, 0))
		same(t, name, got.Float64s(), want.Float64s())
		got.Backward()
		want.Backward()
		same(t, name+" gradient", all.Grad().Float64s()[2:], one.Grad().Float64s())
		if name == "NLLLoss" { // the others multiply a softmax of NaN by a gradient of 0
			same(t, name+" gradient of the ignored", all.Grad().Float64s()[:2], []float64{0, 0})
		}
		same(t, name+", all ignored", f(one, ints(one, -1)).Float64s(), []float64{nan})
		same(t, name+", no rows", f(autograd.NewOn(one.Device(), []float64{}, 0, 2), ints(one)).Float64s(), []float64{nan})
	}
}

// TestLabelOutside: a label beyond the classes is an error in every row, on every device.
func TestLabelOutside(t *testing.T) {
	for _, name := range []string{"cpu", "reference"} {
		dev := deviceNamed(t, name)
		x, weight := autograd.NewOn(dev, []float32{1, 2, 3, 4}, 2, 2), autograd.NewOn(dev, []float32{1, 1})
		for i, f := range []func(labels *tensor) *tensor{
			func(labels *tensor) *tensor { return ops.CrossEntropy(x, labels) },
			func(labels *tensor) *tensor {
				return ops.CrossEntropyWith(x, labels, ops.CrossEntropyConfig{Weight: weight})
			},
			func(labels *tensor) *tensor { return ops.NLLLoss(x, labels) },
		} {
			for _, labels := range [][]int32{{2, 0}, {0, 2}, {math.MaxInt32, 0}} {
				if autograd.Try(func() { f(ints(x, labels...)).Float64s() }) == nil {
					t.Errorf("%s, loss %d: no error for %v", name, i, labels)
				}
			}
		}
	}
}

func TestLossPanics(t *testing.T) {
	f := func(shape ...int) *tensor { return autograd.Zeros(shape...) }
	i := func(v ...int32) *tensor { return autograd.New(v) }
	with := func(cfg ops.CrossEntropyConfig) func() {
		return func() { ops.CrossEntropyWith(f(2, 3), i(0, 1), cfg) }
	}
	for _, c := range []struct {
		f    func()
		want string
	}{
		{func() { ops.MSELoss(f(3), f(3, 1)) }, "ops: MSELoss: [3] float32, [3 1] float32, want one shape"},
		{func() { ops.L1Loss(f(3), f(1)) }, "ops: L1Loss: [3] float32, [1] float32"},
		{func() { ops.HuberLoss(f(3), f(2), 1) }, "ops: HuberLoss: [3] float32, [2] float32"},
		{func() { ops.HuberLoss(f(3), f(3), 0) }, "ops: HuberLoss: delta 0"},
		{func() { ops.HuberLoss(f(3), f(3), math.NaN()) }, "ops: HuberLoss: delta NaN"},
		{func() { ops.BCEWithLogits(f(2, 1), f(2)) }, "ops: BCEWithLogits: [2 1] float32"},
		{func() { ops.KLDiv(f(2, 3), f(3)) }, "ops: KLDiv: [2 3] float32, [3] float32"},
		{func() { ops.CosineSimilarity(f(2, 3), f(2), 1, 1e-8) }, "ops: CosineSimilarity: cannot broadcast"},
		{func() { ops.CosineSimilarity(f(3), f(3), 1, 1e-8) }, "ops: CosineSimilarity: no axis 1"},
		{func() { ops.NLLLoss(f(2, 3), i(0)) }, "ops: NLLLoss: scores and labels [2 3] float32, [1] int32"},
		{func() { ops.NLLLoss(f(2, 3), f(2)) }, "ops: NLLLoss: scores and labels [2 3] float32, [2] float32"},
		{func() { ops.CrossEntropy(f(2), i(0, 0)) }, "ops: CrossEntropy: scores and labels [2] float32"},
		{with(ops.CrossEntropyConfig{Weight: f(2)}), "ops: CrossEntropy: logits and weights [2 3] float32, [2] float32"},
		{with(ops.CrossEntropyConfig{Weight: i(1, 2, 3)}), "ops: CrossEntropy: logits and weights [2 3] float32, [3] int32"},
		{with(ops.CrossEntropyConfig{LabelSmoothing: 1.5}), "ops: CrossEntropy: label smoothing 1.5"},
	} {
		wantPanic(t, c.want, c.f)
	}
}
