package prefinetune

import (
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/nn"
	"github.com/muppet-go/muppet/ops"
)

// TestR3FMatchesPyTorch compares loss, divergences and gradients with testdata/r3f.py, whose
// noise is a formula.
func TestR3FMatchesPyTorch(t *testing.T) {
	type result struct {
		Loss      float64
		KL        []float64
		Gradients map[string][2]float64
	}
	var want struct {
		Examples    int
		Lambda, Eps float64
		R3F, R4F    result
	}
	data, err := os.ReadFile("testdata/r3f.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	_, m, tasks, examples := loadCurve(t)
	p := weighed(m, tasks, examples[:want.Examples]...)
	second := &secondPass{lambda: want.Lambda, words: func(words *autograd.Tensor) *autograd.Tensor {
		noise := make([]float32, words.Len())
		for i := range noise {
			row, col := i/words.Dim(1), i%words.Dim(1)
			noise[i] = float32(want.Eps * math.Sin(float64(7*row+3*col+1)))
		}
		return ops.Add(words, words.Scope().New(noise, words.Shape()...))
	}}
	for _, c := range []struct {
		name     string
		spectral bool
		want     result
	}{{"R3F", false, want.R3F}, {"R4F", true, want.R4F}} {
		m.spectral = c.spectral
		grads := autograd.NewGradients()
		l := m.loss(autograd.NewScope(), tasks, p, nil, second)
		got, kl := l.total.Item(), l.kl.Float64s()
		autograd.Backward(l.total, grads)
		worst := math.Abs(got-c.want.Loss) / c.want.Loss
		if worst > 1e-5 {
			t.Errorf("%s: loss %.8f, PyTorch has %.8f", c.name, got, c.want.Loss)
		}
		if len(kl) != len(c.want.KL) {
			t.Fatalf("%s: %d divergences, PyTorch has %d", c.name, len(kl), len(c.want.KL))
		}
		for i, v := range kl {
			if math.Abs(v-c.want.KL[i]) > 1e-4*c.want.KL[i]+1e-8 {
				t.Errorf("%s: divergence %d is %.4g, PyTorch has %.4g", c.name, i, v, c.want.KL[i])
			}
		}
		compared := 0
		for name, g := range namedGradients(m, grads) {
			w, ok := c.want.Gradients[name]
			square, product := 0.0, 0.0
			for i, v := range g {
				square += v * v
				product += v * math.Cos(float64(i))
			}
			if !ok { // not in the graph, or zero but for rounding
				if square > 1e-10 {
					t.Errorf("%s: gradient of %s, PyTorch has none", c.name, name)
				}
				continue
			}
			compared++
			if norm := math.Sqrt(w[0]); math.Abs(math.Sqrt(square)-norm) > 1e-4*norm+1e-6 || math.Abs(product-w[1]) > 1e-4*norm*math.Sqrt(float64(len(g)))+1e-5 {
				t.Errorf("%s: gradient of %s has norm %.6g and product %.6g, PyTorch %.6g and %.6g", c.name, name, math.Sqrt(square), product, norm, w[1])
			}
		}
		if compared != len(c.want.Gradients) || compared < 40 {
			t.Errorf("%s: compared %d gradients of %d", c.name, compared, len(c.want.Gradients))
		}
	}
}

// namedGradients returns gradients by the names of the state dict, which has queries, keys and
// values apart.
func namedGradients(m *Model, grads *autograd.Gradients) map[string][]float64 {
	all := map[string][]float64{}
	for _, p := range nn.Parameters(m) {
		g := grads.Get(p.Tensor)
		if g == nil {
			continue
		}
		values := g.Float64s()
		names := strings.Split(p.Name, "|")
		for i, name := range names {
			all[name] = values[i*len(values)/len(names) : (i+1)*len(values)/len(names)]
		}
	}
	return all
}

// TestSymmetricKL checks values and derivatives in float64, on segments of several
// lengths, one of them empty.
func TestSymmetricKL(t *testing.T) {
	segs := device.NewSegments(3, 1, 0, 2)
	x := autograd.New([]float64{0.3, -1, 2, 5, 0.1, 0.4}, 6).RequireGrad()
	y := autograd.New([]float64{1.3, -0.2, 0.5, 4, -2, 1.5}, 6).RequireGrad()
	f := func(in ...*autograd.Tensor) *autograd.Tensor { return symmetricKL(in[0], in[1], segs) }
	got := f(x, y).Float64s()
	for s, v := range got {
		softmax := func(t *autograd.Tensor) []float64 {
			p, sum := t.Float64s()[segs.Start(s):segs.Start(s)+segs.Len(s)], 0.0
			for i := range p {
				p[i] = math.Exp(p[i])
				sum += p[i]
			}
			for i := range p {
				p[i] /= sum
			}
			return p
		}
		want, p, q := 0.0, softmax(x), softmax(y)
		for i := range p {
			want += p[i]*math.Log(p[i]/q[i]) + q[i]*math.Log(q[i]/p[i])
		}
		if math.Abs(v-want) > 1e-12 {
			t.Errorf("segment %d: %g, want %g", s, v, want)
		}
	}
	if err := autograd.GradCheck(f, x, y); err != nil {
		t.Error(err)
	}
}

// TestSpectral checks the norm that comes out, and the derivative in float64.
func TestSpectral(t *testing.T) {
	w := []float64{1, 2, -0.5, 0.3, 0.2, 1, 1.5, -2, 0.7, 0.1, -0.4, 0.6}
	bias := autograd.New([]float64{0, 0, 0}, 3)
	f := func(in ...*autograd.Tensor) *autograd.Tensor {
		return spectral(nil, &nn.Linear{Weight: in[0], Bias: bias}).Weight
	}
	x := autograd.New(w, 3, 4).RequireGrad()
	v := f(x).Float64s()
	top := 0.0 // the largest ‖Wᵀu‖ over a grid of unit vectors u
	for i := range 400 {
		for j := range 400 {
			a, b := math.Pi*float64(i)/400, math.Pi*float64(j)/400
			u := []float64{math.Sin(a) * math.Cos(b), math.Sin(a) * math.Sin(b), math.Cos(a)}
			sum := 0.0
			for c := range 4 {
				d := u[0]*v[c] + u[1]*v[4+c] + u[2]*v[8+c]
				sum += d * d
			}
			top = math.Max(top, math.Sqrt(sum))
		}
	}
	if math.Abs(top-1) > 1e-3 {
		t.Errorf("largest singular value %g, want 1", top)
	}
	if err := autograd.GradCheck(f, x); err != nil {
		t.Error(err)
	}
	zero := &nn.Linear{Weight: nn.Constant(0, 2, 3), Bias: nn.Constant(0, 2)}
	if spectral(nil, zero) != zero {
		t.Error("weights of zeros were divided")
	}
}

// TestNoise checks the distributions, and that a key decides.
func TestNoise(t *testing.T) {
	words := autograd.Zeros(400, 50)
	for name, kurtosis := range map[string]float64{"uniform": 9.0 / 5, "normal": 3} {
		r := R3F{Eps: 0.5, Noise: name}
		v := r.noised(&packed{}, words, autograd.NewKey(1)).Float64s()
		var mean, square, fourth, most float64
		for _, x := range v {
			mean += x / float64(len(v))
			square += x * x / float64(len(v))
			fourth += x * x * x * x / float64(len(v))
			most = math.Max(most, math.Abs(x))
		}
		want := 0.25
		if name == "uniform" {
			want /= 3
			if most > 0.5 || most < 0.499 {
				t.Errorf("uniform noise reaches %g", most)
			}
		}
		if math.Abs(mean) > 0.015 || math.Abs(square/want-1) > 0.04 || math.Abs(fourth/(square*square)-kurtosis) > 0.2 {
			t.Errorf("%s: mean %g, mean square %g (want %g), kurtosis %g (want %g)", name, mean, square, want, fourth/(square*square), kurtosis)
		}
		again, other := r.noised(&packed{}, words, autograd.NewKey(1)).Float64s(), r.noised(&packed{}, words, autograd.NewKey(2)).Float64s()
		if again[17] != v[17] || other[17] == v[17] {
			t.Errorf("%s: %g, again %g, by another key %g", name, v[17], again[17], other[17])
		}
	}
}

// TestR3FMasks: without noise the divergence of two passes with the same masks is 0, of two
// with different ones it is not.
func TestR3FMasks(t *testing.T) {
	for _, different := range []bool{false, true} {
		tr := newTrainer(t, "", func(c *Config) {
			c.R3F = R3F{Lambda: 1, Eps: 1e-30, DifferentMasks: different}
		})
		line, err := tr.trainStep()
		if err != nil {
			t.Fatal(err)
		}
		if (line.KL > 0) != different {
			t.Errorf("different masks %v: divergence %g", different, line.KL)
		}
	}
}

// TestR3FLowersTheDivergence trains with and without the divergence in the loss, and measures it
// in both, on the same noise.
func TestR3FLowersTheDivergence(t *testing.T) {
	if testing.Short() {
		t.Skip("trains twice, 300 steps each")
	}
	divergence := func(lambda float64) (kl, loss float64) {
		tr := newTrainer(t, "", func(c *Config) {
			c.Steps = 300
			c.R3F = R3F{Lambda: lambda, Eps: 0.1}
		})
		const last = 40
		for tr.step < tr.cfg.Steps {
			line, err := tr.trainStep()
			if err != nil {
				t.Fatal(err)
			}
			if tr.step > tr.cfg.Steps-last {
				kl += line.KL / last
				loss += line.Loss / last
			}
		}
		return kl, loss
	}
	without, plain := divergence(1e-12) // measured, and of no effect
	with, regular := divergence(3)
	t.Logf("divergence %.4g (loss %.3f) with R3F, %.4g (loss %.3f) without", with, regular, without, plain)
	if !(with < without/2) {
		t.Errorf("divergence %g with R3F, %g without", with, without)
	}
}
