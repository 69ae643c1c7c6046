package prefinetune

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/nn"
	"github.com/muppet-go/muppet/optim"
	"github.com/muppet-go/muppet/prefinetune/task"
	"github.com/muppet-go/muppet/transformer"
	"github.com/muppet-go/muppet/transformer/tokenizer"
)

// curve is what testdata/curve.py stored: 50 steps of a heterogeneous mix in PyTorch.
type curve struct {
	Config   transformer.Config
	Classes  map[string]int
	Decay    float64
	Clip     float64
	Examples []struct {
		Task         string
		Sequences    [][]int32
		Target       int
		First, Count int
		Start, End   int
	}
	Steps []struct {
		Examples       []int
		LR, Loss, Norm float64
	}
}

// loadCurve returns the stored run with the model it began from.
func loadCurve(t *testing.T) (*curve, *Model, []*task.Task, []*example) {
	t.Helper()
	data, err := os.ReadFile("testdata/curve.json")
	if err != nil {
		t.Fatal(err)
	}
	var c curve
	if err := json.Unmarshal(data, &c); err != nil {
		t.Fatal(err)
	}
	tasks := []*task.Task{
		{Name: "two", Family: task.Classification, Labels: make([]string, c.Classes["two"])},
		{Name: "five", Family: task.Classification, Labels: make([]string, c.Classes["five"])},
		{Name: "rank", Family: task.Commonsense},
		{Name: "span", Family: task.MRC},
	}
	index := map[string]int{}
	for i, tk := range tasks {
		index[tk.Name] = i
	}
	examples := make([]*example, len(c.Examples))
	for i, e := range c.Examples {
		examples[i] = &example{task: index[e.Task], target: e.Target}
		for _, ids := range e.Sequences {
			examples[i].sequences = append(examples[i].sequences, tokenizer.Encoding{IDs: ids})
		}
		if e.Task == "span" {
			examples[i].spans = []window{{first: e.First, count: e.Count, start: e.Start, end: e.End}}
		}
	}
	m := NewModel(bare(c.Config, nil), tasks, autograd.NewKey(2))
	if err := nn.Load("testdata/curve.safetensors", m); err != nil {
		t.Fatal(err)
	}
	return &c, m, tasks, examples
}

// weighed packs examples for a step by the paper's recipe.
func weighed(m *Model, tasks []*task.Task, examples ...*example) *packed {
	p := m.pack(tasks, examples)
	Config{}.withDefaults().weigh(tasks, p)
	return p
}

func TestLossCurveMatchesPyTorch(t *testing.T) {
	c, m, tasks, examples := loadCurve(t)
	opt := optim.NewAdamW(nn.Parameters(m), optim.AdamWConfig{Beta1: 0.9, Beta2: 0.98, Eps: 1e-6, WeightDecay: c.Decay})
	opt.ClipNorm = c.Clip
	scope, grads := autograd.NewScope(), autograd.NewGradients()
	worst := 0.0
	for i, s := range c.Steps {
		var picked []*example
		for _, j := range s.Examples {
			picked = append(picked, examples[j])
		}
		loss := m.loss(scope, tasks, weighed(m, tasks, picked...), nil, nil).total
		autograd.Backward(loss, grads)
		got := loss.Item()
		opt.LR = s.LR
		norm := opt.Step(grads)
		scope.Reset()
		off := math.Abs(got-s.Loss) / s.Loss
		worst = math.Max(worst, off)
		if off > 1e-3 {
			t.Fatalf("step %d: loss %.7f, PyTorch has %.7f", i+1, got, s.Loss)
		}
		if math.Abs(norm-s.Norm) > 5e-3*s.Norm {
			t.Fatalf("step %d: gradient norm %.6f, PyTorch has %.6f", i+1, norm, s.Norm)
		}
	}
	t.Logf("largest relative difference of the loss in %d steps: %.2g", len(c.Steps), worst)
}

// TestPackedIsOneAtATime compares a packed heterogeneous batch with its examples one by
// one: losses, and gradients of all parameters.
func TestPackedIsOneAtATime(t *testing.T) {
	_, m, tasks, examples := loadCurve(t)
	examples = examples[:16]
	scope := autograd.NewScope()
	together, single := autograd.NewGradients(), autograd.NewGradients()
	l := m.loss(scope, tasks, weighed(m, tasks, examples...), nil, nil)
	loss, each := l.total, l.each
	autograd.Backward(loss, together)
	want := 0.0
	for _, e := range examples {
		loss := m.loss(scope, tasks, weighed(m, tasks, e), nil, nil).total
		want += loss.Item()
		autograd.Backward(loss, single)
	}
	n := float64(len(examples))
	if got := loss.Item(); math.Abs(got-want/n) > 1e-5 {
		t.Errorf("packed loss %.8f, mean of single ones %.8f", got, want/n)
	}
	if each.Len() < len(examples) {
		t.Errorf("%d choices for %d examples", each.Len(), len(examples))
	}
	for _, p := range nn.Parameters(m) {
		a, b := together.Get(p.Tensor), single.Get(p.Tensor)
		if a == nil || b == nil {
			if a != b {
				t.Errorf("%s: one of the gradients is missing", p.Name)
			}
			continue
		}
		x, y := a.Float64s(), b.Float64s()
		scale, diff := 1e-6, 0.0
		for i := range x {
			scale = math.Max(scale, math.Abs(x[i]))
			diff = math.Max(diff, math.Abs(x[i]-y[i]/n))
		}
		if diff > 1e-4*scale+1e-7 { // a gradient may be zero but for rounding
			t.Errorf("%s: gradients differ by %g of %g", p.Name, diff, scale)
		}
	}
}
