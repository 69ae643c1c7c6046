package optim

import (
	"encoding/json"
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

type trajectory struct {
	Decay, Clip float64
	Start       map[string][]float32
	Steps       []struct {
		LR     float64
		Grads  map[string][]float32
		Norm   float64
		Params map[string][]float64
	}
}

func load(t *testing.T) (*trajectory, *model, *Optimizer) {
	t.Helper()
	data, err := os.ReadFile("testdata/adamw.json")
	if err != nil {
		t.Fatal(err)
	}
	var tr trajectory
	if err := json.Unmarshal(data, &tr); err != nil {
		t.Fatal(err)
	}
	m := newModel(tr.Start)
	opt := NewAdamW(nn.Parameters(m), AdamWConfig{Beta1: 0.8, Beta2: 0.95, Eps: 1e-6, WeightDecay: tr.Decay})
	opt.ClipNorm = tr.Clip
	return &tr, m, opt
}

func TestAdamWMatchesPyTorch(t *testing.T) {
	tr, m, opt := load(t)
	grads := autograd.NewGradients()
	clipped := 0
	for i, s := range tr.Steps {
		m.backward(grads, s.Grads)
		opt.LR = s.LR
		if norm := opt.Step(grads); math.Abs(norm-s.Norm) > 1e-5*s.Norm {
			t.Errorf("step %d: norm %.7f, PyTorch has %.7f", i, norm, s.Norm)
		}
		if s.Norm > tr.Clip {
			clipped++
		}
		for _, p := range nn.Parameters(m) {
			for j, v := range p.Tensor.Float64s() {
				if want := s.Params[p.Name][j]; math.Abs(v-want) > 3e-6 {
					t.Errorf("step %d: %s[%d] is %.8f, PyTorch has %.8f", i, p.Name, j, v, want)
				}
			}
			if grads.Get(p.Tensor) != nil {
				t.Errorf("step %d: %s still has a gradient", i, p.Name)
			}
		}
	}
	if clipped == 0 || clipped == len(tr.Steps) {
		t.Errorf("%d of %d steps are clipped: the data do not test both", clipped, len(tr.Steps))
	}
}

// TestStateRoundTrip stops in the middle, restores everything in a new model and
// optimiser, and goes on to the same bits.
func TestStateRoundTrip(t *testing.T) {
	tr, m, opt := load(t)
	grads := autograd.NewGradients()
	half := len(tr.Steps) / 2
	step := func(m *model, opt *Optimizer, i int) {
		m.backward(grads, tr.Steps[i].Grads)
		opt.LR = tr.Steps[i].LR
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
	_, m2, opt2 := load(t)
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
	for i := half; i < len(tr.Steps); i++ {
		step(m, opt, i)
		step(m2, opt2, i)
	}
	if !slices.Equal(m.values(), m2.values()) {
		t.Error("a restored optimiser goes on differently")
	}
	if slices.Equal(m.values()[:12], tr.Start["weight"]) {
		t.Error("nothing was trained")
	}
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
	tr, m, opt := load(t)
	grads := autograd.NewGradients()
	for i := range 4 {
		m.backward(grads, tr.Steps[1].Grads)
		before := counter.allocs.Load()
		opt.Step(grads)
		n := counter.allocs.Load() - before
		if i > 0 && n != 0 {
			t.Errorf("step %d allocated %d buffers", i, n)
		}
	}
	if counter.allocs.Load() == 0 {
		t.Error("the counter does not count")
	}
}
