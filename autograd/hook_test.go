package autograd_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/ops"
)

func TestHooks(t *testing.T) {
	for _, scope := range []*autograd.Scope{nil, autograd.NewScope()} {
		x := leaf(2, 3)
		h := ops.Mul(scope.Of(x), x).RetainGrad()
		var seen []string
		see := func(what string, scale float64) func(*tensor) *tensor {
			return func(g *tensor) *tensor {
				seen = append(seen, fmt.Sprint(what, g.Float64s()))
				if scale == 1 {
					return nil
				}
				return ops.Scale(g, scale)
			}
		}
		defer x.RegisterHook(see("x", 1))()
		h.RegisterHook(see("first", 10))
		h.RegisterHook(see("second", 2))
		remove := h.RegisterHook(see("removed", 0))
		remove()
		scope.Of(x).RegisterHook(see("x again", 0.5))
		grads := autograd.NewGradients()
		autograd.Backward(ops.Sum(ops.Add(h, ops.Add(h, scope.Of(x)))), grads)
		// The gradient of h is 2, times 20; that of x is 40·2x + 1, halved.
		want := "[first[2 2] second[20 20] x[161 241] x again[161 241]]"
		if fmt.Sprint(seen) != want {
			t.Errorf("hooks saw %v, want %v", seen, want)
		}
		equal(t, "gradient of h", grads.Get(h), 40, 40)
		equal(t, "gradient of x", grads.Get(x), 80.5, 120.5)
	}
}

// TestHooksInGrad: targets see what hooks made, and a hook's work has a graph.
func TestHooksInGrad(t *testing.T) {
	x := leaf(0.5)
	h := ops.Sin(x)
	h.RegisterHook(func(g *tensor) *tensor { return ops.Mul(g, h) })
	x.RegisterHook(func(g *tensor) *tensor { return ops.Mul(g, g) })
	g := autograd.Grad([]*tensor{ops.Sum(h)}, []*tensor{x, h}, nil, true)
	s, c := math.Sincos(0.5)
	near(t, "gradient of h", g[1], s)
	near(t, "gradient of x", g[0], s*s*c*c)
	x2 := autograd.Grad([]*tensor{ops.Sum(g[1])}, []*tensor{h}, nil, true)[0] // ∂(1·h)/∂h, through the hook on h again
	near(t, "gradient of the gradient", x2, s)

	double := func(in ...*tensor) *tensor {
		y := ops.Exp(in[0])
		y.RegisterHook(func(g *tensor) *tensor { return ops.Scale(g, 1) })
		return ops.Mul(y, y)
	}
	if err := autograd.GradGradCheck(double, leaf(0.3, -0.2)); err != nil {
		t.Error(err)
	}
}

// TestHookMemory: what hooks make goes back like everything else.
func TestHookMemory(t *testing.T) {
	dev, scope, grads := newCounter(), autograd.NewScope(), autograd.NewGradients()
	x := autograd.NewOn(dev, make([]float64, 1000)).RequireGrad()
	warm := 0
	for step := range 4 {
		h := scope.Of(x)
		for range 10 {
			h = ops.Add(h, x)
			h.RegisterHook(func(g *tensor) *tensor { return ops.Scale(ops.Scale(g, 2), 0.5) })
		}
		before := dev.allocs
		autograd.Backward(ops.Sum(h), grads)
		if n := dev.allocs - before; step == 0 && n > 10 {
			t.Errorf("a backward pass through ten hooks took %d buffers", n)
		}
		equal(t, "gradient", ops.Slice(grads.Get(x), 0, 0, 2), 11, 11)
		grads.Reset()
		scope.Reset()
		if step == 1 {
			warm = dev.allocs
		}
	}
	if dev.allocs > warm {
		t.Errorf("%d new buffers in warm steps", dev.allocs-warm)
	}
}

func TestHookPanics(t *testing.T) {
	panics(t, func() { leaf(1).Detach().RegisterHook(nil) }, "RegisterHook of Tensor[1] float64", "not require")
	x := leaf(1, 2)
	x.RegisterHook(func(*tensor) *tensor { return leaf(1) })
	panics(t, ops.Sum(x).Backward, "hook of gradient Tensor[2] float64 returned Tensor[1] float64")
}

// A hook that reverses gradients, as in domain-adversarial training.
func ExampleTensor_RegisterHook() {
	x := autograd.New([]float64{1, 2}).RequireGrad()
	h := ops.Mul(x, x)
	h.RegisterHook(func(grad *autograd.Tensor) *autograd.Tensor { return ops.Neg(grad) })
	g := autograd.Grad([]*autograd.Tensor{ops.Sum(h)}, []*autograd.Tensor{x}, nil, true)[0]
	fmt.Println(g)
	fmt.Println(autograd.Grad([]*autograd.Tensor{ops.Sum(g)}, []*autograd.Tensor{x}, nil, false)[0])
	// Output:
	// Tensor[2] float64 [-2 -4]
	// Tensor[2] float64 [-2 -2]
}
