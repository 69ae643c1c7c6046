package optim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
	_ "github.com/muppet-go/muppet/device/reference"
	"github.com/muppet-go/muppet/nn"
	"github.com/muppet-go/muppet/ops"
)

// counted is the default device of these tests: the one asked for, which counts its
// allocations.
type counted struct {
	device.Device
	allocs atomic.Int64
}

func (c *counted) Alloc(t device.DType, n int) device.Buffer {
	c.allocs.Add(1)
	return c.Device.Alloc(t, n)
}

var counter *counted

func TestMain(m *testing.M) {
	name := os.Getenv("MUPPET_DEVICE")
	if name == "" {
		name = "cpu"
	}
	dev, err := device.ByName(name)
	if err != nil {
		panic(err)
	}
	counter = &counted{Device: dev}
	device.Register("counted", func() device.Device { return counter })
	os.Setenv("MUPPET_DEVICE", "counted")
	os.Exit(m.Run())
}

type model struct {
	Weight *autograd.Tensor `name:"weight"`
	Bias   *autograd.Tensor `name:"bias,nodecay"`
	Scale  *autograd.Tensor `name:"scale"`
}

func newModel(start map[string][]float32) *model {
	return &model{
		Weight: autograd.New(start["weight"], 3, 4).RequireGrad(),
		Bias:   autograd.New(start["bias"], 5).RequireGrad(),
		Scale:  autograd.New(start["scale"], 1).RequireGrad(),
	}
}

// backward gives the parameters the gradients g: those of Σ g·parameter.
func (m *model) backward(grads *autograd.Gradients, g map[string][]float32) {
	for _, p := range nn.Parameters(m) {
		if v, ok := g[p.Name]; ok {
			autograd.Backward(ops.Sum(ops.Mul(p.Tensor, autograd.New(v, p.Tensor.Shape()...))), grads)
		}
	}
}

func (m *model) values() []float32 {
	return slices.Concat(m.Weight.Float32s(), m.Bias.Float32s(), m.Scale.Float32s())
}

// trajectories are what testdata/make.py stored: several optimisers' steps from the
// same start by the same gradients.
type trajectories struct {
	Start map[string][]float32
	Steps []struct {
		Grads map[string][]float32
		Norm  float64
	}
	Cases []*trajectory
}

type trajectory struct {
	Optimizer           string
	Config              json.RawMessage
	LRScale, DecayScale map[string]float64
	Params              []map[string][]float64 // after each step
}

// optimizer returns the optimiser of m that the case describes and its learning rate,
// of which step i has 1/(1+i).
func (c *trajectory) optimizer(t *testing.T, m *model) (Optimizer, float64) {
	t.Helper()
	params := nn.Parameters(m)
	for _, p := range params {
		p.LRScale, p.DecayScale = c.LRScale[p.Name], c.DecayScale[p.Name]
	}
	read := func(cfg any) {
		d := json.NewDecoder(bytes.NewReader(c.Config))
		d.DisallowUnknownFields()
		if err := d.Decode(cfg); err != nil {
			t.Fatal(err)
		}
	}
	switch c.Optimizer {
	case "SGD":
		var cfg SGDConfig
		read(&cfg)
		return NewSGD(params, cfg), cfg.LR
	case "Adam":
		var cfg AdamConfig
		read(&cfg)
		return NewAdam(params, cfg), cfg.LR
	case "AdamW":
		var cfg AdamWConfig
		read(&cfg)
		return NewAdamW(params, cfg), cfg.LR
	case "Adagrad":
		var cfg AdagradConfig
		read(&cfg)
		return NewAdagrad(params, cfg), cfg.LR
	case "RMSProp":
		var cfg RMSPropConfig
		read(&cfg)
		return NewRMSProp(params, cfg), cfg.LR
	case "LAMB":
		var cfg LAMBConfig
		read(&cfg)
		return NewLAMB(params, cfg), cfg.LR
	case "Lion":
		var cfg LionConfig
		read(&cfg)
		return NewLion(params, cfg), cfg.LR
	}
	t.Fatalf("no optimiser %q", c.Optimizer)
	return nil, 0
}

func loadAll(t *testing.T) *trajectories {
	t.Helper()
	data, err := os.ReadFile("testdata/optimizers.json")
	if err != nil {
		t.Fatal(err)
	}
	var all trajectories
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	return &all
}

// forEach runs a test for every stored case.
func forEach(t *testing.T, f func(t *testing.T, all *trajectories, c *trajectory)) {
	all := loadAll(t)
	for _, c := range all.Cases {
		t.Run(c.Optimizer+string(c.Config), func(t *testing.T) { f(t, all, c) })
	}
}

// load returns a model with an AdamW.
func load(t *testing.T) (*trajectories, *model, *AdamW) {
	t.Helper()
	all := loadAll(t)
	m := newModel(all.Start)
	return all, m, NewAdamW(nn.Parameters(m), AdamWConfig{WeightDecay: 0.1})
}

// TestMatchesPyTorch compares every step. The weights are of size 1, to which float32
// rounds within 6e-8; ten such roundings, and the smaller ones of the steps, stay below
// 1e-6.
func TestMatchesPyTorch(t *testing.T) {
	forEach(t, func(t *testing.T, all *trajectories, c *trajectory) {
		m := newModel(all.Start)
		opt, lr := c.optimizer(t, m)
		grads := autograd.NewGradients()
		worst := 0.0
		for i, s := range all.Steps {
			m.backward(grads, s.Grads)
			opt.SetLR(lr / float64(1+i))
			if norm := opt.Step(grads); math.Abs(norm-s.Norm) > 1e-6*s.Norm {
				t.Errorf("step %d: norm %.7f, PyTorch has %.7f", i, norm, s.Norm)
			}
			for _, p := range nn.Parameters(m) {
				for j, v := range p.Tensor.Float64s() {
					off := math.Abs(v - c.Params[i][p.Name][j])
					if worst = max(worst, off); !(off <= 1e-6) {
						t.Errorf("step %d: %s[%d] is %.8f, PyTorch has %.8f", i, p.Name, j, v, c.Params[i][p.Name][j])
					}
				}
				if grads.Get(p.Tensor) != nil {
					t.Errorf("step %d: %s still has a gradient", i, p.Name)
				}
			}
		}
		t.Logf("largest difference %.2g", worst)
	})
}

// TestStateRoundTrip stops in the middle, restores everything in a new model and
// optimiser, and goes on to the same bits.
func TestStateRoundTrip(t *testing.T) {
	forEach(t, func(t *testing.T, all *trajectories, c *trajectory) {
		m, m2 := newModel(all.Start), newModel(all.Start)
		opt, lr := c.optimizer(t, m)
		opt2, _ := c.optimizer(t, m2)
		grads := autograd.NewGradients()
		half := len(all.Steps) / 2
		step := func(m *model, opt Optimizer, i int) {
			m.backward(grads, all.Steps[i].Grads)
			opt.SetLR(lr)
			opt.Step(grads)
		}
		for i := range half {
			step(m, opt, i)
		}
		moments, steps := opt.State()
		if steps["weight"] != half || steps["bias"] >= half {
			t.Errorf("steps are %v", steps)
		}
		dir := t.TempDir()
		if err := nn.Save(filepath.Join(dir, "model"), m); err != nil {
			t.Fatal(err)
		}
		if err := nn.SaveEntries(filepath.Join(dir, "moments"), moments); err != nil {
			t.Fatal(err)
		}
		if err := nn.Load(filepath.Join(dir, "model"), m2); err != nil {
			t.Fatal(err)
		}
		moments2, _ := opt2.State()
		if err := nn.LoadEntries(filepath.Join(dir, "moments"), moments2); err != nil {
			t.Fatal(err)
		}
		if err := opt2.SetSteps(steps); err != nil {
			t.Fatal(err)
		}
		for i := half; i < len(all.Steps); i++ {
			step(m, opt, i)
			step(m2, opt2, i)
		}
		if !slices.Equal(m.values(), m2.values()) {
			t.Error("a restored optimiser goes on differently")
		}
		if slices.Equal(m.values()[:12], all.Start["weight"]) {
			t.Error("nothing was trained")
		}
	})
}

func TestSetStepsError(t *testing.T) {
	_, _, opt := load(t)
	for want, steps := range map[string]map[string]int{
		"state of 1 parameters": {"weight": 3},
		`"bias"`:                {"weight": 3, "scale": 3, "other": 3},
		`"scale"`:               {"weight": 3, "scale": -1, "bias": 3},
	} {
		if err := opt.SetSteps(steps); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("SetSteps(%v): %v, want %q", steps, err, want)
		}
	}
	if _, steps := opt.State(); steps["weight"] != 0 {
		t.Errorf("an error left %v", steps)
	}
}

func TestNonFiniteGradientsChangeNothing(t *testing.T) {
	tr, m, opt := load(t)
	grads := autograd.NewGradients()
	opt.LR = 0.1
	m.backward(grads, tr.Steps[1].Grads)
	opt.Step(grads)
	before := m.values()
	moments, _ := opt.State()
	var kept [][]float32
	for _, e := range moments {
		kept = append(kept, e.Tensor.Float32s())
	}
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		g := map[string][]float32{"weight": tr.Steps[1].Grads["weight"], "scale": {float32(bad)}}
		m.backward(grads, g)
		if norm := opt.Step(grads); !math.IsNaN(norm) && !math.IsInf(norm, 0) {
			t.Errorf("norm of %v is %v", bad, norm)
		}
		if !slices.Equal(m.values(), before) {
			t.Errorf("%v changed the parameters", bad)
		}
		for i, e := range moments {
			if !slices.Equal(e.Tensor.Float32s(), kept[i]) {
				t.Errorf("%v changed %s", bad, e.Name)
			}
		}
		if _, steps := opt.State(); steps["weight"] != 1 {
			t.Errorf("%v counted as a step", bad)
		}
		if grads.Get(m.Scale) != nil {
			t.Errorf("the gradient %v was not reset", bad)
		}
	}
}

func TestNoGradients(t *testing.T) {
	_, m, opt := load(t)
	opt.LR = 1
	before := m.values()
	if norm := opt.Step(autograd.NewGradients()); norm != 0 {
		t.Errorf("norm of no gradients is %v", norm)
	}
	if !slices.Equal(m.values(), before) {
		t.Error("a step without gradients changed the parameters")
	}
}

func TestWarmStepAllocatesNothing(t *testing.T) {
	forEach(t, func(t *testing.T, all *trajectories, c *trajectory) {
		m := newModel(all.Start)
		opt, _ := c.optimizer(t, m)
		grads := autograd.NewGradients()
		for i := range 4 {
			m.backward(grads, all.Steps[1].Grads)
			before := counter.allocs.Load()
			opt.Step(grads)
			n := counter.allocs.Load() - before
			if i > 0 && n != 0 {
				t.Errorf("step %d allocated %d buffers", i, n)
			}
		}
	})
	if counter.allocs.Load() == 0 {
		t.Error("the counter does not count")
	}
}

func TestFreeze(t *testing.T) {
	all, m, opt := load(t)
	grads := autograd.NewGradients()
	opt.LR = 0.1
	step := func(opt Optimizer) {
		x := ops.Add(ops.Sum(ops.Mul(m.Weight, m.Weight)), ops.Sum(ops.Mul(m.Bias, m.Bias)))
		autograd.Backward(x, grads)
		opt.Step(grads)
	}
	bias := nn.Parameters(m)[1]
	bias.Freeze()
	step(opt)
	if !slices.Equal(m.Bias.Float32s(), all.Start["bias"]) || slices.Equal(m.Weight.Float32s(), all.Start["weight"]) {
		t.Error("want the weight changed and the frozen bias left alone")
	}
	if _, steps := opt.State(); steps["bias"] != 0 || steps["weight"] != 1 {
		t.Errorf("steps are %v", steps)
	}
	late := NewAdamW(nn.Parameters(m), AdamWConfig{LR: 0.1})
	if moments, steps := late.State(); len(moments) != 4 || len(steps) != 2 {
		t.Errorf("an optimiser made after freezing has %d moments and steps %v", len(moments), steps)
	}
	bias.Tensor.RequireGrad()
	step(opt)
	if slices.Equal(m.Bias.Float32s(), all.Start["bias"]) {
		t.Error("the bias is still frozen")
	}
	defer func() {
		if r := fmt.Sprint(recover()); !strings.Contains(r, `"bias" has a gradient`) {
			t.Errorf("panic is %q", r)
		}
	}()
	step(late)
}

func TestNesterovPanics(t *testing.T) {
	for _, cfg := range []SGDConfig{{Nesterov: true}, {Nesterov: true, Momentum: 0.9, Dampening: 0.1}} {
		func() {
			defer func() {
				if r := fmt.Sprint(recover()); !strings.HasPrefix(r, "optim: NewSGD:") {
					t.Errorf("%+v: panic is %q", cfg, r)
				}
			}()
			NewSGD(nil, cfg)
		}()
	}
}

// Where the weights are zero LAMB moves by the learning rate alone.
func TestLAMBLeavesZero(t *testing.T) {
	m := &struct {
		W *autograd.Tensor `name:"w"`
	}{nn.Constant(0, 3)}
	opt := NewLAMB(nn.Parameters(m), LAMBConfig{LR: 0.5, Eps: 1e-12})
	grads := autograd.NewGradients()
	autograd.Backward(ops.Sum(ops.Mul(m.W, autograd.New([]float32{2, -3, 0}))), grads)
	opt.Step(grads)
	for i, want := range []float64{-0.5, 0.5, 0} {
		if got := m.W.Float64s()[i]; math.Abs(got-want) > 1e-6 {
			t.Errorf("w[%d] is %g, want %g", i, got, want)
		}
	}
}
