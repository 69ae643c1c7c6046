package nn

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/nn/safetensors"
)

func batch(shape ...int) *autograd.Tensor {
	return autograd.New([]float32{1, 2, 3, -4, 5, 6, 0, 8}, shape...)
}

// TestNorms are the outputs and running estimates of PyTorch's layers.
func TestNorms(t *testing.T) {
	rms := &RMSNorm{autograd.New([]float32{2, 0.5}), 1e-6}
	near(t, "RMSNorm", rms.Forward(batch(4, 2)), []int{4, 2},
		1.26491082, 0.63245541, 1.69705617, -0.56568539, 1.81071496, 0.54321444, 0, 0.70710677)

	l := NewBatchNorm(2)
	l.Weight, l.Bias = autograd.New([]float32{1.5, -1}).RequireGrad(), autograd.New([]float32{0.5, 0}).RequireGrad()
	near(t, "BatchNorm", l.ForwardTrain(batch(4, 2), autograd.Key{}), []int{4, 2},
		-0.47641546, 0.21821782, 1.08584929, 1.52752483, 2.6481142, -0.65465355, -1.25754786, -1.09108925)
	near(t, "running mean", l.RunningMean, []int{2}, 0.225, 0.3)
	near(t, "running variance", l.RunningVar, []int{2}, 1.39166665, 3.70000005)
	near(t, "BatchNorm of 3 axes", l.ForwardTrain(batch(2, 2, 2), autograd.Key{}), []int{2, 2, 2},
		-1.31901503, -0.59140909, -0.28536499, 1.31267905, 1.59140897, 2.31901503, 0.39951101, -1.42682505)
	near(t, "running mean", l.RunningMean, []int{2}, 0.5525, 0.445)
	near(t, "running variance", l.RunningVar, []int{2}, 1.81916654, 5.88833332)
	for range 2 { // inference changes nothing
		near(t, "inference", l.Forward(batch(4, 2)), []int{4, 2},
			0.99767619, -0.64081669, 3.2219274, 1.83178782, 5.44617891, -2.28921986, -0.11444943, -3.11342120)
	}
	near(t, "inference of 3 axes", l.Forward(batch(2, 2, 2)), []int{2, 2, 2},
		0.99767619, 2.10980177, -1.05291748, 1.83178782, 5.44617891, 6.55830431, 0.18338484, -3.1134212)
	near(t, "inference of nothing", l.Forward(autograd.Zeros(0, 2)), []int{0, 2})
}

// TestBatchNormGradients: of the layer in both modes, and ForwardTrain's are not disturbed by
// the running estimates that it changes.
func TestBatchNormGradients(t *testing.T) {
	two := func(a, b float64) *autograd.Tensor { return autograd.New([]float64{a, b}).RequireGrad() }
	l := &BatchNorm{Eps: 1e-2, Momentum: 0.1, RunningMean: two(0.5, -1).Detach(), RunningVar: two(2, 3).Detach()}
	x := autograd.New([]float64{1, 2, 3, -4, 5, 6}, 3, 2).RequireGrad()
	for name, f := range map[string]func(x *autograd.Tensor) *autograd.Tensor{"training": func(x *autograd.Tensor) *autograd.Tensor { return l.ForwardTrain(x, autograd.Key{}) }, "inference": l.Forward} {
		f := func(in ...*autograd.Tensor) *autograd.Tensor {
			l.Weight, l.Bias = in[1], in[2]
			return f(in[0])
		}
		if err := autograd.GradCheck(f, x, two(1.5, -1), two(0, 2)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := autograd.GradGradCheck(f, x, two(1.5, -1), two(0, 2)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBatchNormPanics(t *testing.T) {
	l := NewBatchNorm(2)
	for _, c := range []struct {
		f    func()
		want string
	}{
		{func() { l.ForwardTrain(autograd.Zeros(1, 2), autograd.Key{}) }, "nn: BatchNorm: shape [1 2] has 1 elements a channel"},
		{func() { l.ForwardTrain(autograd.Zeros(0, 2), autograd.Key{}) }, "nn: BatchNorm: shape [0 2] has 0 elements a channel"},
		{func() { l.ForwardTrain(autograd.Zeros(2, 3), autograd.Key{}) }, "ops: BatchNorm: [2 3] float32"},
		{func() { l.Forward(autograd.Zeros(2, 3)) }, "nn: BatchNorm: shape [2 3], want 2 channels"},
		{func() { l.Forward(autograd.Zeros(2)) }, "nn: BatchNorm: shape [2], want 2 channels"},
	} {
		func() {
			defer func() {
				if r := fmt.Sprint(recover()); !strings.Contains(r, c.want) {
					t.Errorf("panic %q, want %q in it", r, c.want)
				}
			}()
			c.f()
		}()
	}
	near(t, "running mean after panics", l.RunningMean, []int{2}, 0, 0)
}

// TestBuffers: what a tag calls a buffer is saved and loaded, but not trained.
func TestBuffers(t *testing.T) {
	type model struct {
		Norm  *BatchNorm         `name:"norm"`
		Table []*autograd.Tensor `name:"table,buffer"`
		Out   *autograd.Tensor   `name:"out"`
	}
	newModel := func() *model {
		return &model{NewBatchNorm(2), []*autograd.Tensor{autograd.New([]float32{7})}, Constant(1, 1)}
	}
	m := newModel()
	var parameters, dict []string
	for _, p := range Parameters(m) {
		parameters = append(parameters, p.Name)
	}
	for _, e := range StateDict(m) {
		dict = append(dict, e.Name)
	}
	if want := []string{"norm.weight", "norm.bias", "out"}; !slices.Equal(parameters, want) {
		t.Errorf("parameters %v, want %v", parameters, want)
	}
	if want := []string{"norm.weight", "norm.bias", "norm.running_mean", "norm.running_var", "table.0", "out"}; !slices.Equal(dict, want) {
		t.Errorf("state dict %v, want %v", dict, want)
	}

	m.Norm.ForwardTrain(batch(4, 2), autograd.Key{})
	path := filepath.Join(t.TempDir(), "model")
	if err := Save(path, m); err != nil {
		t.Fatal(err)
	}
	loaded := newModel()
	if err := Load(path, loaded); err != nil {
		t.Fatal(err)
	}
	near(t, "loaded mean", loaded.Norm.RunningMean, []int{2}, 0.225, 0.3)
	near(t, "loaded variance", loaded.Norm.RunningVar, []int{2}, m.Norm.RunningVar.Float64s()...)
}

// TestBatchNormFromPyTorch: a count of batches is no part of the layer, and of nothing else.
func TestBatchNormFromPyTorch(t *testing.T) {
	two := func(name string, a, b float32) safetensors.Tensor {
		return safetensors.Float32(name, []float32{a, b}, 2)
	}
	file := func(count string) string {
		path := filepath.Join(t.TempDir(), "model")
		if err := safetensors.Write(path, []safetensors.Tensor{two("0.weight", 1, 2), two("0.bias", 3, 4), two("0.running_mean", 5, 6),
			two("0.running_var", 7, 8), safetensors.Int64(count, []int64{12})}, nil); err != nil {
			t.Fatal(err)
		}
		return path
	}
	l := NewBatchNorm(2)
	if err := Load(file("0.num_batches_tracked"), Sequential{l}); err != nil {
		t.Fatal(err)
	}
	near(t, "loaded variance", l.RunningVar, []int{2}, 7, 8)
	for _, name := range []string{"num_batches_tracked", "1.num_batches_tracked"} {
		if err := Load(file(name), Sequential{l}); err == nil || !strings.Contains(err.Error(), "unknown "+name) {
			t.Errorf("loading %s: error %v", name, err)
		}
	}
}

// TestBatchNormInSequence: training reaches it through the layers around it.
func TestBatchNormInSequence(t *testing.T) {
	l := NewBatchNorm(2)
	s := Sequential{Sequential{l}, Dropout{0.5}}
	s.Forward(batch(4, 2))
	near(t, "running mean", l.RunningMean, []int{2}, 0, 0)
	s.ForwardTrain(batch(4, 2), autograd.NewKey(1))
	if m := l.RunningMean.Float32s(); m[0] == 0 && m[1] == 0 {
		t.Error("training did not move the running mean")
	}
}
