package autograd_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
	_ "github.com/muppet-go/muppet/device/reference"
	"github.com/muppet-go/muppet/ops"
)

type tensor = autograd.Tensor

func leaf(v ...float64) *tensor { return autograd.New(v).RequireGrad() }

// equal fails unless t has exactly these elements.
func equal(t *testing.T, what string, got *tensor, want ...float64) {
	t.Helper()
	if got == nil {
		t.Errorf("%s is nil, want %v", what, want)
	} else if v := got.Float64s(); !slices.Equal(v, want) {
		t.Errorf("%s is %v, want %v", what, v, want)
	}
}

func near(t *testing.T, what string, got *tensor, want ...float64) {
	t.Helper()
	if got == nil {
		t.Fatalf("%s is nil, want %v", what, want)
	}
	for i, v := range got.Float64s() {
		if len(want) != got.Len() || !(math.Abs(v-want[i]) <= 1e-12*max(1, math.Abs(want[i]))) {
			t.Fatalf("%s is %v, want %v", what, got.Float64s(), want)
		}
	}
}

// panics fails unless f panics with a message that has all the parts.
func panics(t *testing.T, f func(), parts ...string) {
	t.Helper()
	defer func() {
		t.Helper()
		message := fmt.Sprint(recover())
		for _, part := range parts {
			if !strings.Contains(message, part) {
				t.Errorf("panic %q, want %q in it", message, part)
			}
		}
	}()
	f()
}

func TestFanOut(t *testing.T) {
	x := leaf(2, 3)
	ops.Sum(ops.Add(ops.Add(ops.Mul(x, x), x), ops.Mul(ops.Mul(x, x), x))).Backward()
	equal(t, "gradient", x.Grad(), 4+1+12, 6+1+27)
}

func TestDiamond(t *testing.T) {
	x := leaf(0.5)
	a := ops.Mul(x, x)
	ops.Sum(ops.Mul(ops.Sin(a), ops.Exp(a))).Backward()
	near(t, "gradient", x.Grad(), math.Exp(0.25)*(math.Sin(0.25)+math.Cos(0.25)))

	// Every level doubles the number of paths: each node must be visited once.
	y := leaf(1)
	z := y
	for range 60 {
		z = ops.Add(z, z)
	}
	ops.Sum(z).Backward()
	equal(t, "gradient", y.Grad(), 1<<60)
}

// TestOrder adds numbers whose sum depends on the order: the one that the graph
// gives, last use first.
func TestOrder(t *testing.T) {
	for range 20 {
		x := autograd.New([]float32{1}).RequireGrad()
		first, second, third := ops.Scale(x, 1), ops.Scale(x, 1e8), ops.Scale(x, -1e8)
		ops.Sum(ops.Add(ops.Add(first, second), third)).Backward()
		equal(t, "gradient", x.Grad(), 1)
		x.ZeroGrad()
		ops.Sum(ops.Add(ops.Add(third, second), first)).Backward()
		equal(t, "gradient", x.Grad(), 0)
	}
}

func TestBackwardMethod(t *testing.T) {
	x := leaf(1, 2)
	if x.Grad() != nil {
		t.Error("a gradient before Backward")
	}
	ops.Sum(ops.Mul(x, x)).Backward()
	ops.Sum(x).Backward()
	equal(t, "gradients of two calls", x.Grad(), 3, 5)
	x.ZeroGrad()
	if x.Grad() != nil {
		t.Error("a gradient after ZeroGrad")
	}
	y := leaf(5)
	y.Backward()
	equal(t, "gradient of a leaf with respect to itself", y.Grad(), 1)
}

func TestBackwardPanics(t *testing.T) {
	x := leaf(1, 2)
	y := ops.Sum(ops.Mul(x, x))
	y.Backward()
	panics(t, y.Backward, "autograd: mul:", "second time")
	panics(t, func() { ops.Mul(x, x).Backward() }, "Backward of Tensor[2] float64", "one element")
	panics(t, func() { ops.Sum(x.Detach()).Backward() }, "does not depend")
	panics(t, func() { autograd.Grad([]*tensor{ops.Sum(x)}, []*tensor{x.Detach()}, nil, false) }, "Grad with respect to", "not require")
	panics(t, func() { autograd.Grad([]*tensor{x}, []*tensor{x}, nil, false) }, "one element")
	panics(t, func() { autograd.Grad([]*tensor{x}, []*tensor{x}, []*tensor{leaf(1)}, false) }, "gradient Tensor[1] float64 of output Tensor[2] float64")
	panics(t, func() { autograd.Grad([]*tensor{x}, []*tensor{x}, []*tensor{x, x}, false) }, "1 outputs, 2 gradOutputs")
	panics(t, func() { ops.Sum(apply(wrongShape{}, 1, x)[0]).Backward() }, "gradient Tensor[1] float64 arrived at Tensor[2] float64 of leaf")
	panics(t, func() { ops.Sum(apply(wrongCount{}, 1, x)[0]).Backward() }, "wrong_count: rule returned 0 gradients for 1 inputs")
}

// apply records an operation whose results are copies of x.
func apply(rule autograd.Rule, outputs int, x *tensor) []*tensor {
	var out []*tensor
	for range outputs {
		out = append(out, ops.Scale(x.Detach(), 1))
	}
	autograd.Apply(rule, out, []*tensor{x}, nil)
	return out
}

type wrongShape struct{}

func (wrongShape) Name() string { return "wrong_shape" }
func (wrongShape) Backward(_ *autograd.Call, g []*tensor) []*tensor {
	return []*tensor{ops.Reshape(ops.Sum(g[0]), 1)}
}

type wrongCount struct{}

func (wrongCount) Name() string                                 { return "wrong_count" }
func (wrongCount) Backward(*autograd.Call, []*tensor) []*tensor { return nil }

func TestMutate(t *testing.T) {
	set := func(v float64, x *tensor) {
		autograd.Mutate(func(dst ...device.Slice) { x.Device().Fill(dst[0], v) }, x)
	}
	x := leaf(1, 2)
	y := ops.Sum(ops.Exp(x))
	set(0, autograd.View(x, 1, 1)) // a view shares the version
	panics(t, y.Backward, "autograd: exp: saved Tensor[2] float64 was changed by Mutate", "version 1, saved at 0")
	equal(t, "x", x, 1, 0)

	z := ops.Sum(ops.Add(x, x)) // saves nothing
	set(3, x)
	z.Backward()
	equal(t, "gradient", x.Grad(), 2, 2)
	panics(t, func() { set(0, ops.Exp(x)) }, "Mutate", "result of exp")
}

func TestGradOfLeafAndResult(t *testing.T) {
	x, other := leaf(2), leaf(7)
	h := ops.Mul(x, x)
	y := ops.Mul(ops.Mul(h, h), h)
	g := autograd.Grad([]*tensor{y}, []*tensor{h, x, other, y, h}, nil, false)
	near(t, "∂y/∂h", g[0], 48)
	near(t, "∂y/∂x", g[1], 6*32)
	if g[2] != nil {
		t.Errorf("∂y/∂other is %v, want nil", g[2])
	}
	near(t, "∂y/∂y", g[3], 1)
	near(t, "∂y/∂h again", g[4], 48)
	if x.Grad() != nil {
		t.Error("the function Grad left a gradient in the tensor")
	}

	a, b := ops.Exp(x), ops.Sin(x)
	g = autograd.Grad([]*tensor{a, b, x}, []*tensor{x}, []*tensor{leaf(3), leaf(5), leaf(7)}, false)
	near(t, "several outputs", g[0], 3*math.Exp(2)+5*math.Cos(2)+7)
}

func TestHigherOrder(t *testing.T) {
	x := leaf(2, -1)
	square := ops.Mul(x, x)
	y := ops.Add(ops.Mul(square, square), x) // x⁴ + x
	for order, want := range [][]float64{{4*8 + 1, -4 + 1}, {12 * 4, 12}, {24 * 2, -24}, {24, 24}} {
		g := autograd.Grad([]*tensor{ops.Sum(y)}, []*tensor{x}, nil, true)[0]
		equal(t, fmt.Sprint("derivative ", order+1), g, want...)
		y = g
	}
	if autograd.Grad([]*tensor{y}, []*tensor{x}, []*tensor{y}, true)[0] != nil && y.RequiresGrad() {
		equal(t, "derivative 5", autograd.Grad([]*tensor{ops.Sum(y)}, []*tensor{x}, nil, true)[0], 0, 0)
	}

	// A gradient inside a loss: the first pass keeps the graph, Backward releases it.
	w := leaf(3)
	z := ops.Mul(ops.Mul(w, w), w)
	g := autograd.Grad([]*tensor{z}, []*tensor{w}, nil, true)[0]
	ops.Sum(ops.Add(ops.Mul(g, g), z)).Backward()
	near(t, "gradient of (3w²)² + w³", w.Grad(), 36*27+27)
}

func TestRetainGrad(t *testing.T) {
	x := leaf(2)
	h := ops.Mul(x, x).RetainGrad()
	y := ops.Mul(h, h)
	grads := autograd.NewGradients()
	autograd.Backward(y, grads)
	equal(t, "gradient of h", grads.Get(h), 8)
	equal(t, "gradient of x", grads.Get(x), 32)
	if h.Grad() != nil {
		t.Error("a gradient that went to Gradients is in the tensor too")
	}
	grads.Reset()
	if grads.Get(h) != nil {
		t.Error("Reset kept the gradient of a result")
	}

	h = ops.Mul(x, x).RetainGrad()
	ops.Mul(h, h).Backward()
	equal(t, "gradient of h", h.Grad(), 8)
}

// sinCos has two results; either gradient may be missing.
type sinCos struct{}

func (sinCos) Name() string { return "sincos" }
func (sinCos) Backward(c *autograd.Call, g []*tensor) []*tensor {
	sin, cos := c.Saved[0], c.Saved[1]
	var parts []*tensor
	if g[0] != nil {
		parts = append(parts, ops.Mul(g[0], cos))
	}
	if g[1] != nil {
		parts = append(parts, ops.Neg(ops.Mul(g[1], sin)))
	}
	if len(parts) == 2 {
		return []*tensor{ops.Add(parts[0], parts[1])}
	}
	return parts
}

func TestSeveralResults(t *testing.T) {
	x := leaf(0.3)
	both := func() (sin, cos *tensor) {
		sin, cos = ops.Sin(x.Detach()), ops.Cos(x.Detach())
		autograd.Apply(sinCos{}, []*tensor{sin, cos}, []*tensor{x}, []*tensor{sin, cos})
		return sin, cos
	}
	grad := func(y *tensor) *tensor { return autograd.Grad([]*tensor{y}, []*tensor{x}, nil, true)[0] }
	sin, cos := both()
	near(t, "of sin", grad(sin), math.Cos(0.3))
	near(t, "of cos", grad(cos), -math.Sin(0.3))
	near(t, "of both", grad(ops.Mul(sin, cos)), math.Cos(0.6))
	near(t, "second", grad(grad(ops.Mul(sin, cos))), -2*math.Sin(0.6))
	near(t, "with respect to a result", autograd.Grad([]*tensor{ops.Mul(sin, cos)}, []*tensor{cos}, nil, false)[0], math.Sin(0.3))
}

// product is a fused x·y.
type product struct{ fused *int }

func (product) Name() string { return "product" }
func (p product) Backward(c *autograd.Call, g []*tensor) []*tensor {
	*p.fused++
	return []*tensor{ops.Mul(g[0], c.Saved[1].Detach()), ops.Mul(g[0], c.Saved[0].Detach())}
}
func (product) Compose(_ *autograd.Call, in []*tensor) []*tensor {
	return []*tensor{ops.Mul(in[0], in[1])}
}

func fusedProduct(fused *int, x, y *tensor) *tensor {
	z := ops.Mul(x.Detach(), y.Detach())
	autograd.Apply(product{fused}, []*tensor{z}, []*tensor{x, y}, []*tensor{x, y})
	return z
}

func TestComposite(t *testing.T) {
	fused := 0
	x := leaf(0.7)
	// Inputs that depend on one another must be counted once: tanh(a·a²).
	f := func(in ...*tensor) *tensor { return ops.Tanh(fusedProduct(&fused, in[0], ops.Mul(in[0], in[0]))) }
	if err := autograd.GradCheck(f, x); err != nil {
		t.Error(err)
	}
	if fused == 0 {
		t.Error("GradCheck did not run the fused gradient")
	}
	if err := autograd.GradGradCheck(f, x); err != nil {
		t.Error(err)
	}
	fused = 0
	y := f(x)
	for range 3 {
		y = autograd.Grad([]*tensor{y}, []*tensor{x}, nil, true)[0]
	}
	if fused != 0 {
		t.Error("a gradient with a graph came from the fused code")
	}

	// The gradient of one input depends on the other, which was not asked for.
	a, b := leaf(2), leaf(3)
	half := ops.Scale(b, 0.5)
	g := autograd.Grad([]*tensor{fusedProduct(&fused, a, half)}, []*tensor{a}, nil, true)[0]
	near(t, "∂²/∂a∂b", autograd.Grad([]*tensor{g}, []*tensor{b}, nil, false)[0], 0.5)
}

func TestGradCheckCatches(t *testing.T) {
	x := leaf(1, 2)
	wrong := func(in ...*tensor) *tensor { return apply(wrongFactor{}, 1, in[0])[0] }
	err := autograd.GradCheck(wrong, x)
	if err == nil || !strings.Contains(err.Error(), "element [0] of the result Tensor[2] float64 with respect to element [0] of input 0 Tensor[2] float64 is 1.01, finite differences say 1") {
		t.Errorf("GradCheck of a wrong rule: %v", err)
	}
	if err := autograd.GradCheck(ops.Pointwise("id", func(_ *device.Builder, in ...device.Value) device.Value { return in[0] }),
		autograd.New([]float32{1}).RequireGrad()); err == nil || !strings.Contains(err.Error(), "need float64") {
		t.Errorf("GradCheck in float32: %v", err)
	}
	if err := autograd.GradCheck(func(in ...*tensor) *tensor { return in[0] }, x); err != nil {
		t.Errorf("GradCheck of the identity: %v", err)
	}
	if err := autograd.GradCheck(func(in ...*tensor) *tensor { return in[1] }, x, leaf(3)); err != nil {
		t.Errorf("GradCheck with respect to what does not matter: %v", err)
	}
}

// TestGradCheckNamesWorst: of several wrong entries the error has the worst, and GradGradCheck
// finds a fault that first derivatives do not have.
func TestGradCheckNamesWorst(t *testing.T) {
	uneven := func(in ...*tensor) *tensor { return apply(wrongFactors{}, 1, in[0])[0] }
	err := autograd.GradCheck(uneven, autograd.New([]float64{1, 2, 3, 4}, 2, 2).RequireGrad())
	if err == nil || !strings.Contains(err.Error(), "element [1 0] of the result Tensor[2 2] float64 with respect to element [1 0] of input 0 Tensor[2 2] float64 is 0.8, finite differences say 1") {
		t.Errorf("GradCheck of a wrong rule: %v", err)
	}
	forgetful := func(in ...*tensor) *tensor {
		y := ops.Mul(in[0].Detach(), in[0].Detach())
		autograd.Apply(forgetsHistory{}, []*tensor{y}, []*tensor{in[0]}, []*tensor{in[0]})
		return y
	}
	if err := autograd.GradCheck(forgetful, leaf(1, 2)); err != nil {
		t.Error(err)
	}
	err = autograd.GradGradCheck(forgetful, leaf(1, 2))
	if err == nil || !strings.Contains(err.Error(), "second order, input 0") || !strings.Contains(err.Error(), "is 0, finite differences say") {
		t.Errorf("GradGradCheck of a rule that forgets history: %v", err)
	}
}

type wrongFactors struct{}

func (wrongFactors) Name() string { return "wrong_factors" }
func (wrongFactors) Backward(_ *autograd.Call, g []*tensor) []*tensor {
	return []*tensor{ops.Mul(g[0], autograd.New([]float64{1, 1.01, 0.8, 1.1}, 2, 2))}
}

type forgetsHistory struct{}

func (forgetsHistory) Name() string { return "forgets_history" }
func (forgetsHistory) Backward(c *autograd.Call, g []*tensor) []*tensor {
	return []*tensor{ops.Mul(g[0], ops.Scale(c.Saved[0].Detach(), 2))}
}

type wrongFactor struct{}

func (wrongFactor) Name() string { return "wrong_factor" }
func (wrongFactor) Backward(_ *autograd.Call, g []*tensor) []*tensor {
	return []*tensor{ops.Scale(g[0], 1.01)}
}

// TestDeepGraph has no stack to overflow and no quadratic step, which would take
// minutes.
func TestDeepGraph(t *testing.T) {
	const depth = 100_000
	start := time.Now()
	x := leaf(1)
	y := x
	for range depth {
		y = ops.Add(y, x)
	}
	ops.Sum(y).Backward()
	equal(t, "gradient", x.Grad(), depth+1)
	scope := autograd.NewScope()
	z := scope.Of(x)
	for range depth / 4 {
		z = scope.Frame(func() *tensor { return ops.Scale(z, 1) })
	}
	g := autograd.Grad([]*tensor{z}, []*tensor{x}, nil, false)[0]
	equal(t, "gradient", g, 1)
	if d := time.Since(start); d > 2*time.Minute {
		t.Errorf("took %v", d)
	}
}

// TestDeepComposites: differentiating a composite does not walk the graph behind its
// inputs, which would be quadratic here.
func TestDeepComposites(t *testing.T) {
	const depth = 30_000
	start, fused := time.Now(), 0
	x, one := leaf(1), leaf(1).Detach()
	y := x
	for range depth {
		y = fusedProduct(&fused, y, one)
	}
	equal(t, "gradient", autograd.Grad([]*tensor{y}, []*tensor{x}, nil, true)[0], 1)
	if d := time.Since(start); d > time.Minute {
		t.Errorf("took %v", d)
	}
}

func TestTry(t *testing.T) {
	err := autograd.Try(func() { ops.IndexSelect(leaf(1, 2), autograd.New([]int32{2})).Float64s() })
	var e *device.Error
	if !errors.As(err, &e) || !strings.Contains(err.Error(), "index 2") {
		t.Errorf("out-of-range gather: error %v", err)
	}
	if err := autograd.Try(func() {}); err != nil {
		t.Errorf("Try of nothing: %v", err)
	}
	panics(t, func() { _ = autograd.Try(func() { panic("other") }) }, "other")
}

// TestGoroutines shares parameters between goroutines with scopes and Gradients of
// their own; the race detector watches.
func TestGoroutines(t *testing.T) {
	w := leaf(1, 2, 3)
	var all sync.WaitGroup
	for k := range 6 {
		all.Add(1)
		go func() {
			defer all.Done()
			scope, grads := autograd.NewScope(), autograd.NewGradients()
			x := leaf(float64(k+1), 0, 1)
			for range 50 {
				h := scope.Frame(func() *tensor { return ops.Mul(w, scope.Of(x)) })
				h = scope.Checkpoint(func(in ...*tensor) *tensor { return ops.Exp(in[0]) }, h)
				autograd.Backward(ops.Sum(h), grads)
				a := float64(k + 1)
				if g := grads.Get(w).Float64s(); math.Abs(g[0]-a*math.Exp(a)) > 1e-12*math.Exp(a) || g[1] != 0 || math.Abs(g[2]-math.Exp(3)) > 1e-12 {
					t.Errorf("gradient %v", g)
				}
				grads.Reset()
				scope.Reset()
			}
		}()
	}
	all.Wait()
}
