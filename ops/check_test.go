package ops_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
	_ "github.com/muppet-go/muppet/device/reference"
	"github.com/muppet-go/muppet/ops"
)

// values draws the sample's inputs, the same ones every time.
func (s *sample) values() []array {
	h := fnv.New64a()
	fmt.Fprint(h, s.op, s.name)
	rng := rand.New(rand.NewPCG(h.Sum64(), 1))
	var all []array
	for _, in := range s.inputs {
		a := zeros(in.shape...)
		for i := range a.v {
			a.v[i] = in.low + (in.high-in.low)*rng.Float64()
		}
		all = append(all, a)
	}
	return all
}

// tensors returns the sample's inputs as tensors that require gradients.
func (s *sample) tensors(dev device.Device, dtype device.DType) []*tensor {
	var all []*tensor
	for _, a := range s.values() {
		all = append(all, upload(dev, dtype, a).RequireGrad())
	}
	return all
}

func upload(dev device.Device, dtype device.DType, a array) *tensor {
	if dtype == device.Float64 {
		return ops.Reshape(autograd.NewOn(dev, a.v), a.shape...)
	}
	single := make([]float32, len(a.v))
	for i, v := range a.v {
		single[i] = float32(v)
	}
	return ops.Reshape(autograd.NewOn(dev, single), a.shape...)
}

// forEach runs a test for every sample, or for every one with gradients.
func forEach(t *testing.T, withGradients bool, test func(t *testing.T, s *sample)) {
	for _, s := range samples() {
		if !withGradients || !s.flat {
			t.Run(s.op+"/"+s.name, func(t *testing.T) {
				t.Parallel()
				test(t, &s)
			})
		}
	}
}

func deviceNamed(t *testing.T, name string) device.Device {
	t.Helper()
	d, err := device.ByName(name)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestEveryOperation looks for exported functions that have no sample.
func TestEveryOperation(t *testing.T) {
	sampled := map[string]bool{}
	for _, s := range samples() {
		sampled[s.op] = true
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	exported := map[string]bool{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.IsExported() {
				exported[f.Name.Name] = true
			}
		}
	}
	for name := range exported {
		if !sampled[name] {
			t.Errorf("ops.%s has no sample in samples_test.go", name)
		}
	}
	for name := range sampled {
		if !exported[name] {
			t.Errorf("samples of ops.%s, which does not exist", name)
		}
	}
	if len(exported) < 40 {
		t.Errorf("found only %d operations", len(exported))
	}
}

// TestValues compares with plain loops, in both float types.
func TestValues(t *testing.T) {
	forEach(t, false, func(t *testing.T, s *sample) {
		want := s.plain(s.values()...)
		for _, dtype := range []device.DType{device.Float64, device.Float32} {
			y := s.f(s.tensors(device.Default(), dtype)...)
			if !slices.Equal(y.Shape(), want.shape) {
				t.Fatalf("shape %v, want %v", y.Shape(), want.shape)
			}
			near(t, fmt.Sprint(dtype), y.Float64s(), want.v, tolerance(dtype))
		}
	})
}

func tolerance(dtype device.DType) float64 {
	if dtype == device.Float64 {
		return 1e-12
	}
	return 1e-5
}

// near fails unless all differences are small next to the largest value.
func near(t *testing.T, what string, got, want []float64, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d elements, want %d", what, len(got), len(want))
	}
	scale := 1.0
	for _, v := range want {
		scale = max(scale, math.Abs(v))
	}
	for i := range want {
		if !(math.Abs(got[i]-want[i]) <= tolerance*scale) {
			t.Fatalf("%s: element %d is %.9g, want %.9g", what, i, got[i], want[i])
		}
	}
}

func TestGradCheck(t *testing.T) {
	forEach(t, true, func(t *testing.T, s *sample) {
		in := s.tensors(device.Default(), device.Float64)
		if err := autograd.GradCheck(s.f, in...); err != nil {
			t.Error(err)
		}
	})
}

func TestGradGradCheck(t *testing.T) {
	forEach(t, true, func(t *testing.T, s *sample) {
		in := s.tensors(device.Default(), device.Float64)
		if err := autograd.GradGradCheck(s.f, in...); err != nil {
			t.Error(err)
		}
	})
}

// TestPlantedErrors makes each gradient of each sample wrong by a hundredth, which
// the checks must see.
func TestPlantedErrors(t *testing.T) {
	forEach(t, true, func(t *testing.T, s *sample) {
		in := s.tensors(device.Default(), device.Float64)
		for i := range in {
			wrong := func(in ...*tensor) *tensor {
				in = slices.Clone(in)
				in[i] = plant(in[i])
				return s.f(in...)
			}
			if !influences(s, i) {
				continue
			}
			if autograd.GradCheck(wrong, in...) == nil {
				t.Errorf("GradCheck accepts a wrong gradient of input %d", i)
			}
		}
	})
}

// influences reports whether the plain loops say that input i changes the result.
func influences(s *sample, i int) bool {
	in := s.values()
	before := s.plain(in...)
	for k := range in[i].v {
		in[i].v[k] += 0.1
		if !slices.Equal(before.v, s.plain(in...).v) {
			return true
		}
		in[i].v[k] -= 0.1
	}
	return false
}

// plant is the identity with a wrong gradient.
func plant(x *tensor) *tensor {
	y := autograd.View(x, 0, x.Shape()...)
	autograd.Apply(planted{}, []*tensor{y}, []*tensor{x}, nil)
	return y
}

type planted struct{}

func (planted) Name() string { return "planted" }
func (planted) Backward(_ *autograd.Call, g []*tensor) []*tensor {
	return []*tensor{ops.Scale(g[0], 1.01)}
}

// TestDependentInputs makes all inputs functions of one of them: f(a, g(a)). What
// reaches an input through another must be counted once.
func TestDependentInputs(t *testing.T) {
	forEach(t, true, func(t *testing.T, s *sample) {
		if len(s.inputs) < 2 {
			t.Skip("one input")
		}
		in := s.tensors(device.Default(), device.Float64)
		for i := range in {
			f := func(one ...*tensor) *tensor {
				all := make([]*tensor, len(in))
				for k := range in {
					all[k] = one[0]
					if k != i {
						all[k] = ops.Add(in[k].Detach(), squares(one[0], in[k].Shape()))
					}
				}
				return s.f(all...)
			}
			if err := autograd.GradCheck(f, in[i]); err != nil {
				t.Errorf("all from input %d: %v", i, err)
			}
			if err := autograd.GradGradCheck(f, in[i]); err != nil {
				t.Errorf("all from input %d: %v", i, err)
			}
		}
	})
}

// squares returns a·a in the given shape, or its mean where that has another.
func squares(a *tensor, shape []int) *tensor {
	square := ops.Mul(a, a)
	if slices.Equal(a.Shape(), shape) {
		return square
	}
	return ops.Expand(ops.Mean(square), shape...)
}

// derivatives returns the result of a sample, its gradients as a training step has
// them (fused), as a graph has them (composed), and the gradients of those.
func derivatives(s *sample, in []*tensor) (names []string, all [][]float64) {
	keep := func(name string, t *tensor) {
		names, all = append(names, name), append(all, t.Float64s())
	}
	wave := func(like *tensor, phase float64) *tensor {
		a := zeros(like.Shape()...)
		for i := range a.v {
			a.v[i] = math.Cos(float64(3*i) + phase)
		}
		return upload(like.Device(), like.DType(), a)
	}
	y := s.f(in...)
	keep("result", y)
	if s.flat {
		return names, all
	}
	v := []*tensor{wave(y, 1)}
	var fused []*tensor
	if y.RequiresGrad() {
		fused = autograd.Grad([]*tensor{y}, in, v, false)
	}
	for i, g := range fused {
		if g == nil {
			g = ops.Scale(in[i].Detach(), 0)
		}
		keep(fmt.Sprint("gradient ", i), g)
	}
	y = s.f(in...)
	composed := autograd.Grad([]*tensor{y}, in, v, true)
	var firsts, waves []*tensor
	for i, g := range composed {
		if g == nil {
			g = ops.Scale(in[i].Detach(), 0)
		}
		keep(fmt.Sprint("composed gradient ", i), g)
		if g.RequiresGrad() {
			firsts, waves = append(firsts, g), append(waves, wave(g, 2))
		}
	}
	for i, g := range autograd.Grad(firsts, in, waves, false) {
		if g == nil {
			g = ops.Scale(in[i].Detach(), 0)
		}
		keep(fmt.Sprint("second gradient ", i), g)
	}
	return names, all
}

// TestFusedAgainstComposed compares the gradients of fused kernels with those that
// have a graph.
func TestFusedAgainstComposed(t *testing.T) {
	forEach(t, true, func(t *testing.T, s *sample) {
		_, all := derivatives(s, s.tensors(device.Default(), device.Float64))
		n := len(s.inputs)
		for i := range n {
			near(t, fmt.Sprint("gradient ", i), all[1+i], all[1+n+i], 1e-11)
		}
	})
}

// TestDevices compares the default device of every program with the reference:
// results, gradients and second gradients.
func TestDevices(t *testing.T) {
	cpu, reference := deviceNamed(t, "cpu"), deviceNamed(t, "reference")
	forEach(t, false, func(t *testing.T, s *sample) {
		for _, dtype := range []device.DType{device.Float64, device.Float32} {
			names, got := derivatives(s, s.tensors(cpu, dtype))
			_, want := derivatives(s, s.tensors(reference, dtype))
			for i, name := range names {
				near(t, fmt.Sprint(dtype, " ", name), got[i], want[i], 50*tolerance(dtype))
			}
		}
	})
}

// TestFloat32 compares with float64, gradients included.
func TestFloat32(t *testing.T) {
	forEach(t, true, func(t *testing.T, s *sample) {
		names, got := derivatives(s, s.tensors(device.Default(), device.Float32))
		_, want := derivatives(s, s.tensors(device.Default(), device.Float64))
		for i, name := range names {
			near(t, name, got[i], want[i], 50*tolerance(device.Float32))
		}
	})
}

// TestScope runs every sample in scopes that are reset and frames that end, where
// memory that is used too late would be noticed.
func TestScope(t *testing.T) {
	forEach(t, true, func(t *testing.T, s *sample) {
		scope, grads := autograd.NewScope(), autograd.NewGradients()
		leaves := s.tensors(device.Default(), device.Float64)
		_, want := derivatives(s, leaves)
		for range 2 {
			in := make([]*tensor, len(leaves))
			for i, x := range leaves {
				in[i] = scope.Of(x)
			}
			loss := scope.Frame(func() *tensor {
				y := scope.Frame(func() *tensor { return s.f(in...) })
				near(t, "result", y.Float64s(), want[0], 1e-12)
				a := zeros(y.Shape()...)
				for i := range a.v {
					a.v[i] = math.Cos(float64(3*i) + 1)
				}
				return ops.Sum(ops.Mul(y, upload(y.Device(), y.DType(), a)))
			})
			autograd.Backward(loss, grads)
			scope.Reset()
			for i, x := range leaves {
				if g := grads.Get(x); g != nil {
					near(t, fmt.Sprint("gradient ", i), g.Float64s(), want[1+i], 1e-11)
				} else if slices.ContainsFunc(want[1+i], func(v float64) bool { return v != 0 }) {
					t.Errorf("no gradient of input %d", i)
				}
			}
			grads.Reset()
		}
	})
}

// TestSummary counts what the tests above check, for -v to print.
func TestSummary(t *testing.T) {
	operations, differentiable, derivatives, wrong, dependent := map[string]bool{}, 0, 0, 0, 0
	all := samples()
	for _, s := range all {
		operations[s.op] = true
		if s.flat {
			continue
		}
		differentiable++
		derivatives += len(s.inputs)
		if len(s.inputs) > 1 {
			dependent += len(s.inputs)
		}
		for i := range s.inputs {
			if influences(&s, i) {
				wrong++
			}
		}
	}
	t.Logf("%d operations, %d samples, %d of them with gradients: %d derivatives of first order and as many of second, %d planted errors, %d cases of dependent inputs, on cpu and reference",
		len(operations), len(all), differentiable, derivatives, wrong, dependent)
	if wrong < derivatives/2 {
		t.Error("most inputs influence nothing: the samples are too small")
	}
}
