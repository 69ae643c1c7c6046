package autograd_test

import (
	"math"
	"testing"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/ops"
)

// A counter counts the buffers that the default device is asked for.
type counter struct {
	device.Device
	allocs int
}

func (c *counter) Alloc(t device.DType, n int) device.Buffer {
	c.allocs++
	return c.Device.Alloc(t, n)
}

func newCounter() *counter { return &counter{Device: device.Default()} }

func TestStale(t *testing.T) {
	scope := autograd.NewScope()
	x := scope.New([]float64{1, 2})
	equal(t, "x", x, 1, 2)
	var inside *tensor
	y := scope.Frame(func() *tensor {
		inside = ops.Add(x, x)
		return ops.Add(inside, x)
	})
	panics(t, func() { inside.Float64s() }, "Tensor[2] float64 is used after its memory went back")
	panics(t, func() { ops.Neg(inside) }, "is used after")
	equal(t, "result of the frame", y, 3, 6)
	equal(t, "made before the frame", x, 1, 2)
	kept := autograd.Keep(y)
	scope.Reset()
	panics(t, func() { x.Float64s() }, "is used after")
	panics(t, func() { y.Item() }, "Item of Tensor[2]")
	panics(t, func() { autograd.Keep(y) }, "is used after")
	if want := "Tensor[2] float64 (memory went back to its scope)"; y.String() != want {
		t.Errorf("String of a stale tensor: %q", y.String())
	}
	equal(t, "what Keep kept", kept, 3, 6)
	if kept.Scope() != nil {
		t.Error("what Keep kept is still in the scope")
	}
}

func TestFrameResults(t *testing.T) {
	scope := autograd.NewScope()
	x := scope.Of(leaf(1, 2, 3, 4))
	view := scope.Frame(func() *tensor { return ops.Reshape(ops.Slice(ops.Exp(x.Detach()), 0, 1, 3), 2, 1) })
	near(t, "a view as result", view, math.Exp(2), math.Exp(3))
	equal(t, "the input as result", scope.Frame(func() *tensor { return x }), 1, 2, 3, 4)
	if scope.Frame(func() *tensor { return nil }) != nil {
		t.Error("no result became one")
	}
	panics(t, func() { scope.Frame(func() *tensor { scope.Reset(); return nil }) }, "Reset inside a Frame")
}

// TestFrameSaves has a frame keep what Backward needs until it has run.
func TestFrameSaves(t *testing.T) {
	scope, grads := autograd.NewScope(), autograd.NewGradients()
	x := leaf(0.5)
	var saved, not *tensor
	y := scope.Frame(func() *tensor {
		not = ops.Add(scope.Of(x), x)
		saved = ops.Scale(not, 0.5)
		return ops.Exp(saved)
	})
	panics(t, func() { not.Float64s() }, "is used after")
	equal(t, "what exp saved", saved, 0.5)
	autograd.Backward(y, grads)
	panics(t, func() { saved.Float64s() }, "is used after")
	near(t, "gradient", grads.Get(x), math.Exp(0.5))
}

// TestFrameMemory runs many layers in frames: inference needs the buffers of one
// layer and a result for each, and what training saved is there for the next round.
func TestFrameMemory(t *testing.T) {
	dev := newCounter()
	x := autograd.NewOn(dev, make([]float64, 1000))
	w := autograd.NewOn(dev, []float64{0.1}).RequireGrad()
	run := func(scope *autograd.Scope, layers int) *tensor {
		h := scope.Of(x)
		for range layers {
			h = scope.Frame(func() *tensor { return ops.Tanh(ops.Mul(ops.Sin(ops.Mul(h, w)), h)) })
		}
		return h
	}
	count := func(f func()) int {
		before := dev.allocs
		f()
		return dev.allocs - before
	}
	scope := autograd.NewScope().NoGrad()
	if n := count(func() { run(scope, 50) }); n > 50+4 {
		t.Errorf("inference through 50 layers took %d buffers", n)
	}

	scope, grads := autograd.NewScope(), autograd.NewGradients()
	step := func() { autograd.Backward(ops.Sum(run(scope, 20)), grads) }
	first := count(step)
	if first < 40 {
		t.Errorf("training took %d buffers for 20 layers: what did it save?", first)
	}
	// No Reset: the next step lives on what the backward pass gave back, but for the
	// results of the frames.
	if second := count(step); second > 25 {
		t.Errorf("the second step took %d new buffers after %d in the first", second, first)
	}
}

// TestSteadyState trains a perceptron: once warm, a step asks the device for nothing.
func TestSteadyState(t *testing.T) {
	dev := newCounter()
	param := func(seed float64, shape ...int) *tensor {
		n := 1
		for _, d := range shape {
			n *= d
		}
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(math.Sin(seed + 7*float64(i)))
		}
		return ops.Reshape(autograd.NewOn(dev, v), shape...).RequireGrad()
	}
	x, labels := param(0, 16, 8).Detach(), autograd.NewOn(dev, make([]int32, 16))
	params := []*tensor{param(1, 32, 8), param(2, 32), param(3, 32), param(4, 32), param(5, 4, 32), param(6, 4)}
	scope, grads := autograd.NewScope(), autograd.NewGradients()
	var losses []float64
	var warm int
	for step := range 8 {
		if step == 3 {
			warm = dev.allocs
		}
		hidden := scope.Frame(func() *tensor {
			h := ops.Linear(scope.Of(x), params[0], nil)
			return ops.LayerNorm(ops.BiasGELU(h, params[1]), params[2], params[3], 1e-5)
		})
		loss := ops.CrossEntropy(ops.Linear(hidden, params[4], params[5]), labels)
		autograd.Backward(loss, grads)
		for _, p := range params {
			g := grads.Get(p)
			next := ops.Sub(scope.Of(p.Detach()), ops.Scale(scope.Of(g), 0.1))
			autograd.Mutate(func(dst ...device.Slice) {
				dev.Strided(dst[0], 0, []int{1}, next.Slice(), 0, []int{1}, []int{p.Len()})
			}, p)
		}
		losses = append(losses, loss.Item())
		grads.Reset()
		scope.Reset()
	}
	if n := dev.allocs - warm; n > 0 {
		t.Errorf("5 warm steps asked for %d buffers", n)
	}
	if losses[7] > losses[0]/2 {
		t.Errorf("losses %v do not fall", losses)
	}
}

func TestScopesOfResults(t *testing.T) {
	outer := autograd.NewScope()
	inner := outer.Sub()
	w := leaf(2)
	a, b := outer.Of(w), inner.Of(w)
	for _, c := range []struct {
		name string
		got  *tensor
		want *autograd.Scope
	}{
		{"parameter", ops.Mul(w, w), nil}, {"outer and parameter", ops.Mul(a, w), outer}, {"parameter and outer", ops.Mul(w, a), outer},
		{"outer and inner", ops.Mul(a, b), inner}, {"inner and outer", ops.Mul(b, a), inner}, {"outer.Of(inner)", outer.Of(b), inner},
	} {
		if c.got.Scope() != c.want {
			t.Errorf("%s: in the wrong scope", c.name)
		}
	}
	other := autograd.NewScope().Of(w)
	panics(t, func() { ops.Mul(a, other) }, "unrelated scopes")
	panics(t, func() { outer.Of(other) }, "Of: tensors of unrelated scopes: Tensor[1] float64")
	panics(t, func() { ops.Mul(outer.Sub().Of(w), b) }, "unrelated scopes")

	x, y := ops.Add(a, a), ops.Add(b, b)
	inner.Reset()
	equal(t, "of the outer scope", x, 4)
	panics(t, func() { y.Float64s() }, "is used after")
	inner.NoGrad()
	if ops.Mul(inner.Of(w), w).RequiresGrad() || inner.Sub().NoGrad() == nil || ops.Mul(inner.Sub().Of(w), w).RequiresGrad() {
		t.Error("NoGrad recorded")
	}
	if !ops.Mul(outer.Of(w), w).RequiresGrad() {
		t.Error("NoGrad of an inner scope stopped the outer one from recording")
	}
}

func TestOf(t *testing.T) {
	scope, grads := autograd.NewScope(), autograd.NewGradients()
	w := leaf(3)
	in := scope.Of(scope.Of(w))
	autograd.Backward(ops.Mul(in, ops.Mul(w, scope.Of(w))), grads)
	equal(t, "gradient of the leaf", grads.Get(w), 27)
	equal(t, "gradient by the header in the scope", grads.Get(in), 27)
	equal(t, "Grad by the leaf", autograd.Grad([]*tensor{ops.Mul(in, in)}, []*tensor{w}, nil, false)[0], 6)
	h := scope.Sub().Of(ops.Mul(in, in))
	equal(t, "through a result", autograd.Grad([]*tensor{ops.Mul(h, h)}, []*tensor{w}, nil, false)[0], 4*27)

	ops.Mul(in, in).Backward()
	equal(t, "method Grad", w.Grad(), 6)
	equal(t, "method Grad in the scope", in.Grad(), 6)
	in.ZeroGrad()
	if w.Grad() != nil {
		t.Error("ZeroGrad through the scope did nothing")
	}
}

func TestNilScope(t *testing.T) {
	var scope *autograd.Scope
	x := scope.New([]float64{2})
	y := scope.Frame(func() *tensor { return ops.Mul(scope.Of(x), scope.Sub().Of(x)) })
	scope.Reset()
	equal(t, "result", y, 4)
	panics(t, func() { scope.NoGrad() }, "NoGrad of a nil Scope")
}

// TestGradInScope gives gradients without a scope to a graph that has one: what the
// pass makes still goes back.
func TestGradInScope(t *testing.T) {
	dev := newCounter()
	scope := autograd.NewScope()
	x := autograd.NewOn(dev, []float64{1, 2}).RequireGrad()
	v := autograd.NewOn(dev, []float64{1, 1})
	chain := func() *tensor {
		y := scope.Of(x)
		for range 30 {
			y = ops.Sin(y)
		}
		for range 30 { // these save nothing that would bring the scope in
			y = ops.Neg(y)
		}
		return y
	}
	y := chain()
	before := dev.allocs
	g := autograd.Grad([]*tensor{y}, []*tensor{x}, []*tensor{v}, false)[0]
	if n := dev.allocs - before; n > 4 {
		t.Errorf("the pass took %d buffers", n)
	}
	again := autograd.Grad([]*tensor{chain()}, []*tensor{x}, []*tensor{v}, false)[0]
	equal(t, "gradient", again, g.Float64s()...)
	var inside *tensor
	scope.Frame(func() *tensor {
		inside = autograd.Grad([]*tensor{chain()}, []*tensor{x}, []*tensor{v}, false)[0]
		return nil
	})
	panics(t, func() { inside.Float64s() }, "is used after")
	equal(t, "gradient", g, again.Float64s()...)
	scope.Reset()
	panics(t, func() { g.Float64s() }, "is used after")
}
