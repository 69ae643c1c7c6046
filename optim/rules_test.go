package optim

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/nn"
)

// oracle is what testdata/optimisers.py wrote.
type oracle struct {
	Decay        float64
	Start        map[string][]float32
	Grads        []map[string][]float32
	Trajectories map[string][]map[string][]float64
	Schedules    map[string][]float64
}

func loadOracle(t *testing.T) *oracle {
	t.Helper()
	data, err := os.ReadFile("testdata/optimisers.json")
	if err != nil {
		t.Fatal(err)
	}
	var o oracle
	if err := json.Unmarshal(data, &o); err != nil {
		t.Fatal(err)
	}
	return &o
}

// optimisers are those of testdata/optimisers.py, by name.
var optimisers = map[string]func(p []*nn.Parameter, decay float64) *Optimizer{
	"SGD": func(p []*nn.Parameter, decay float64) *Optimizer {
		return NewSGD(p, SGDConfig{LR: 0.1, WeightDecay: decay})
	},
	"SGD with momentum": func(p []*nn.Parameter, decay float64) *Optimizer {
		return NewSGD(p, SGDConfig{LR: 0.1, Momentum: 0.9, Dampening: 0.3, WeightDecay: decay})
	},
	"SGD with Nesterov momentum": func(p []*nn.Parameter, decay float64) *Optimizer {
		return NewSGD(p, SGDConfig{LR: 0.1, Momentum: 0.8, Nesterov: true, WeightDecay: decay})
	},
	"Adam": func(p []*nn.Parameter, decay float64) *Optimizer {
		return NewAdam(p, AdamConfig{LR: 0.1, Beta1: 0.8, Beta2: 0.95, Eps: 1e-6, WeightDecay: decay})
	},
	"AdamW of fairseq": func(p []*nn.Parameter, decay float64) *Optimizer {
		return NewAdamW(p, AdamWConfig{LR: 0.1, Beta1: 0.8, Beta2: 0.95, Eps: 0.03, EpsHat: true, WeightDecay: decay})
	},
	"Adagrad": func(p []*nn.Parameter, decay float64) *Optimizer {
		return NewAdagrad(p, AdagradConfig{LR: 0.1, LRDecay: 0.2, WeightDecay: decay})
	},
	"RMSProp": func(p []*nn.Parameter, decay float64) *Optimizer {
		return NewRMSProp(p, RMSPropConfig{LR: 0.1, Alpha: 0.9, WeightDecay: decay})
	},
	"RMSProp, centered": func(p []*nn.Parameter, decay float64) *Optimizer {
		return NewRMSProp(p, RMSPropConfig{LR: 0.1, Alpha: 0.9, Eps: 1e-3, Centered: true, WeightDecay: decay})
	},
	"RMSProp with momentum": func(p []*nn.Parameter, decay float64) *Optimizer {
		return NewRMSProp(p, RMSPropConfig{LR: 0.1, Alpha: 0.9, Momentum: 0.7, WeightDecay: decay})
	},
	"RMSProp, centered with momentum": func(p []*nn.Parameter, decay float64) *Optimizer {
		return NewRMSProp(p, RMSPropConfig{LR: 0.1, Alpha: 0.9, Eps: 1e-3, Centered: true, Momentum: 0.7, WeightDecay: decay})
	},
	"LAMB": func(p []*nn.Parameter, decay float64) *Optimizer {
		return NewLAMB(p, LAMBConfig{LR: 0.1, Beta1: 0.8, Beta2: 0.95, WeightDecay: decay})
	},
	"Lion": func(p []*nn.Parameter, decay float64) *Optimizer {
		return NewLion(p, LionConfig{LR: 0.05, WeightDecay: decay})
	},
}

// slowBias returns the parameters, of which the bias learns at a tenth of the rate.
func slowBias(m *model) []*nn.Parameter {
	params := nn.Parameters(m)
	params[1].LRScale = 0.1
	return params
}

// TestTrajectories compares every weight after every step. Steps of float32 differ by a
// few units in the last place; RMSProp divides by a difference that can be small.
func TestTrajectories(t *testing.T) {
	o := loadOracle(t)
	if len(o.Trajectories) != len(optimisers) {
		t.Errorf("%d trajectories for %d optimisers", len(o.Trajectories), len(optimisers))
	}
	for name, start := range optimisers {
		t.Run(name, func(t *testing.T) {
			m := newModel(o.Start)
			opt, grads := start(slowBias(m), o.Decay), autograd.NewGradients()
			for i, want := range o.Trajectories[name] {
				m.backward(grads, o.Grads[i])
				opt.Step(grads)
				for _, p := range nn.Parameters(m) {
					for j, v := range p.Tensor.Float64s() {
						if w := want[p.Name][j]; math.Abs(v-w) > 5e-6*(1+math.Abs(w)) {
							t.Fatalf("step %d: %s[%d] is %.8f, want %.8f", i, p.Name, j, v, w)
						}
					}
				}
			}
		})
	}
}

// TestRulesResume stops each optimiser half-way, restores its state in another, and goes
// on to the same bits; a warm step takes no memory.
func TestRulesResume(t *testing.T) {
	o := loadOracle(t)
	for name, start := range optimisers {
		t.Run(name, func(t *testing.T) {
			m := newModel(o.Start)
			opt, grads := start(slowBias(m), o.Decay), autograd.NewGradients()
			for _, g := range o.Grads[:4] {
				m.backward(grads, g)
				opt.Step(grads)
			}
			m2 := newModel(o.Start)
			opt2 := start(slowBias(m2), o.Decay)
			for i, p := range nn.Parameters(m2) {
				move(p.Tensor, nn.Parameters(m)[i].Tensor)
			}
			tensors, steps := opt.State()
			tensors2, _ := opt2.State()
			for i, e := range tensors {
				if e.Name != tensors2[i].Name {
					t.Fatalf("states %q and %q", e.Name, tensors2[i].Name)
				}
				move(tensors2[i].Tensor, e.Tensor)
			}
			if err := opt2.SetSteps(steps); err != nil {
				t.Fatal(err)
			}
			for _, g := range o.Grads[4:] {
				for _, x := range []struct {
					m *model
					o *Optimizer
				}{{m, opt}, {m2, opt2}} {
					x.m.backward(grads, g)
					before := counter.allocs.Load()
					x.o.Step(grads)
					if n := counter.allocs.Load() - before; x.o == opt && n > 0 {
						t.Errorf("a warm step took %d buffers", n)
					}
				}
			}
			if !slices.Equal(m.values(), m2.values()) {
				t.Error("a restored optimiser goes on differently")
			}
		})
	}
}

func TestNesterovNeedsMomentum(t *testing.T) {
	for _, cfg := range []SGDConfig{{Nesterov: true}, {Nesterov: true, Momentum: 0.9, Dampening: 0.1}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%+v was accepted", cfg)
				}
			}()
			NewSGD(nil, cfg)
		}()
	}
}

// TestLAMBFromZero: a weight of zeros takes a plain step of Adam.
func TestLAMBFromZero(t *testing.T) {
	m := newModel(map[string][]float32{"weight": make([]float32, 12), "bias": make([]float32, 5), "scale": {0}})
	opt, grads := NewLAMB(nn.Parameters(m), LAMBConfig{LR: 0.1}), autograd.NewGradients()
	m.backward(grads, map[string][]float32{"scale": {3}})
	opt.Step(grads)
	if got := m.Scale.Item(); math.Abs(got+0.1) > 1e-6 {
		t.Errorf("moved to %v, want -0.1", got)
	}
}

func TestFrozen(t *testing.T) {
	o := loadOracle(t)
	m := newModel(o.Start)
	params := nn.Parameters(m)
	params[0].Freeze()
	params[2].DecayScale = 2
	opt, grads := NewSGD(params, SGDConfig{LR: 1, WeightDecay: 0.25}), autograd.NewGradients()
	before := m.values()
	scale := m.Scale.Item()
	m.backward(grads, map[string][]float32{"bias": o.Grads[1]["bias"], "scale": {0}})
	opt.Step(grads)
	if after := m.values(); !slices.Equal(after[:12], before[:12]) || slices.Equal(after[12:], before[12:]) {
		t.Error("a frozen parameter moved, or the others did not")
	}
	if got := m.Scale.Item(); math.Abs(got-scale*0.5) > 1e-6 {
		t.Errorf("twice the decay made %v of %v", got, scale)
	}
	if tensors, steps := opt.State(); len(steps) != 2 || len(tensors) != 0 {
		t.Errorf("state %v, steps %v", tensors, steps)
	}
	m.Weight.RequireGrad()
	m.backward(grads, o.Grads[1])
	defer func() {
		if r := recover(); r == nil || !strings.Contains(fmt.Sprint(r), `parameter "weight" has a gradient, but was frozen`) {
			t.Errorf("recovered %v", r)
		}
	}()
	opt.Step(grads)
}

func TestClipValue(t *testing.T) {
	m := newModel(loadOracle(t).Start)
	opt, grads := NewSGD(nn.Parameters(m), SGDConfig{LR: 1}), autograd.NewGradients()
	before := m.Bias.Float64s()
	opt.ClipValue = 0.5
	m.backward(grads, map[string][]float32{"bias": {-3, -0.25, 0, 0.5, 7}})
	if norm := opt.Step(grads); math.Abs(norm-math.Sqrt(3*0.25+0.0625)) > 1e-6 {
		t.Errorf("norm %v is not that of the clipped values", norm)
	}
	for i, want := range []float64{0.5, 0.25, 0, -0.5, -0.5} {
		if got := m.Bias.Float64s()[i] - before[i]; math.Abs(got-want) > 1e-6 {
			t.Errorf("element %d moved by %v, want %v", i, got, want)
		}
	}
}

func TestEMA(t *testing.T) {
	o := loadOracle(t)
	m := newModel(o.Start)
	params := nn.Parameters(m)
	ema := NewEMA(params, 0.75)
	want := make([]float64, len(m.values()))
	for i, v := range m.values() {
		want[i] = float64(v)
	}
	opt, grads := NewSGD(params, SGDConfig{LR: 0.3}), autograd.NewGradients()
	for _, g := range o.Grads {
		m.backward(grads, g)
		opt.Step(grads)
		ema.Update()
		for i, v := range m.values() {
			want[i] = 0.75*want[i] + 0.25*float64(v)
		}
	}
	trained := m.values()
	ema.Swap()
	for i, v := range m.values() {
		if math.Abs(float64(v)-want[i]) > 1e-6 {
			t.Errorf("average %d is %v, want %v", i, v, want[i])
		}
	}
	if slices.Equal(m.values(), trained) {
		t.Error("Swap did nothing")
	}
	ema.Swap()
	if !slices.Equal(m.values(), trained) {
		t.Error("a second Swap does not restore the parameters")
	}
}

// TestSchedulesMatchPyTorch compares with PyTorch's, which count from 0.
func TestSchedulesMatchPyTorch(t *testing.T) {
	o := loadOracle(t)
	for name, s := range map[string]Schedule{
		"OneCycle":                 OneCycle{Peak: 0.5, Total: 21},
		"OneCycle, other settings": OneCycle{Peak: 0.5, Total: 21, Rise: 0.5, Div: 10, FinalDiv: 100},
	} {
		for i, want := range o.Schedules[name] {
			if got := s.At(i + 1); math.Abs(got-want) > 1e-9 {
				t.Errorf("%s: step %d has %v, want %v", name, i+1, got, want)
			}
		}
	}
	cosine := Cosine{Peak: 0.5, End: 0.1, Total: 20}
	for i, want := range o.Schedules["Cosine"] {
		if got := cosine.At(i); math.Abs(got-want) > 1e-9 {
			t.Errorf("Cosine: step %d has %v, want %v", i, got, want)
		}
	}
	if len(o.Schedules["Cosine"]) != 20 || len(o.Schedules["OneCycle"]) != 20 {
		t.Error("schedules are missing")
	}
}

func TestSchedules(t *testing.T) {
	for _, c := range []struct {
		s    Schedule
		step int
		want float64
	}{
		{Constant{LR: 2}, 1, 2}, {Constant{LR: 2, WarmUp: 4}, 1, 0.5}, {Constant{LR: 2, WarmUp: 4}, 4, 2}, {Constant{LR: 2, WarmUp: 4}, 99, 2},
		{Cosine{Peak: 1, WarmUp: 4, Total: 8}, 2, 0.5}, {Cosine{Peak: 1, WarmUp: 4, Total: 8}, 6, 0.5}, {Cosine{Peak: 1, End: 0.25, Total: 8}, 9, 0.25},
		{OneCycle{Peak: 1, Total: 10}, 0, 1. / 25}, {OneCycle{Peak: 1, Total: 10}, 11, 1. / 25 / 1e4}, {OneCycle{Peak: 1, Total: 10, Rise: 0.5}, 5, 1},
		{OneCycle{Peak: 1, Total: 1}, 1, 1. / 25 / 1e4},
	} {
		if got := c.s.At(c.step); !(math.Abs(got-c.want) < 1e-12) {
			t.Errorf("%+v at %d: %v, want %v", c.s, c.step, got, c.want)
		}
	}
}
