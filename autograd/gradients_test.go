package autograd_test

import (
	"runtime"
	"testing"
	"weak"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/ops"
)

// bothWays runs a test with tensors in a scope, where Gradients may take a gradient's
// memory instead of copying, and without one.
func bothWays(t *testing.T, test func(t *testing.T, scope *autograd.Scope)) {
	t.Run("scope", func(t *testing.T) { test(t, autograd.NewScope()) })
	t.Run("no scope", func(t *testing.T) { test(t, nil) })
}

func TestGradients(t *testing.T) {
	bothWays(t, func(t *testing.T, scope *autograd.Scope) {
		x, grads := leaf(1, 2), autograd.NewGradients()
		backward := func(s float64) {
			autograd.Backward(ops.Sum(ops.Scale(ops.Mul(scope.Of(x), x), s)), grads)
			scope.Reset()
		}
		if grads.Get(x) != nil {
			t.Error("a gradient before Backward")
		}
		for range 3 {
			backward(1)
			equal(t, "first", grads.Get(x), 2, 4)
			backward(10)
			equal(t, "first and second", grads.Get(x), 22, 44)
			grads.Reset()
			if grads.Get(x) != nil {
				t.Error("a gradient after Reset")
			}
		}
	})
}

// TestSharedGradient sends one gradient to two leaves, as it is and as a view. What is
// then added to one must not change the other.
func TestSharedGradient(t *testing.T) {
	bothWays(t, func(t *testing.T, scope *autograd.Scope) {
		a, b, c := leaf(1, 2), leaf(3, 4), leaf(5, 6, 7, 8)
		grads := autograd.NewGradients()
		sum := ops.Add(ops.Add(scope.Of(a), b), ops.Slice(ops.Reshape(ops.Reshape(c, 2, 2), 4), 0, 1, 3))
		autograd.Backward(ops.Sum(ops.Mul(sum, sum)), grads)
		autograd.Backward(ops.Sum(ops.Scale(scope.Of(a), 100)), grads)
		autograd.Backward(ops.Sum(ops.Reshape(ops.Reshape(scope.Of(c), 2, 2), 4)), grads)
		scope.Reset()
		equal(t, "gradient of a", grads.Get(a), 20+100, 26+100)
		equal(t, "gradient of b", grads.Get(b), 20, 26)
		equal(t, "gradient of c", grads.Get(c), 1, 21, 27, 1)

		// Here the rule itself makes one gradient for both.
		grads.Reset()
		autograd.Backward(ops.Sum(ops.BiasGELU(scope.Of(a), b)), grads)
		equal(t, "gradient of b", grads.Get(b), grads.Get(a).Float64s()...)
		autograd.Backward(ops.Sum(scope.Of(a)), grads)
		near(t, "gradient of a", ops.Sub(grads.Get(a), grads.Get(b)), 1, 1)
	})
}

// slope is a rule whose gradient is a tensor that it keeps.
type slope struct{ d *tensor }

func (slope) Name() string                                   { return "slope" }
func (s slope) Backward(*autograd.Call, []*tensor) []*tensor { return []*tensor{s.d} }

// TestKeptGradient has a rule return memory of its own, which is not there to be taken.
func TestKeptGradient(t *testing.T) {
	scope, grads := autograd.NewScope(), autograd.NewGradients()
	x, d := leaf(1, 2), scope.New([]float64{3, 4})
	for _, want := range []float64{3, 6} {
		y := ops.Scale(scope.Of(x.Detach()), 1)
		autograd.Apply(slope{d}, []*tensor{y}, []*tensor{x}, nil)
		autograd.Backward(ops.Sum(y), grads)
		equal(t, "gradient", grads.Get(x), want, want/3*4)
		equal(t, "what the rule keeps", d, 3, 4)
	}
}

// TestRetainedGoes: Gradients does not keep the results of past steps alive.
func TestRetainedGoes(t *testing.T) {
	x, grads := leaf(1), autograd.NewGradients()
	h := ops.Exp(x).RetainGrad()
	gone := weak.Make(h)
	autograd.Backward(ops.Sum(h), grads)
	grads.Reset()
	runtime.GC()
	if gone.Value() != nil {
		t.Error("Reset keeps a retained result")
	}
	runtime.KeepAlive(grads)
}

// TestTakenMemory goes on computing after Gradients took the memory of gradients:
// nothing may write there.
func TestTakenMemory(t *testing.T) {
	scope, grads := autograd.NewScope(), autograd.NewGradients()
	x, y := leaf(1, 2, 3), leaf(4, 5, 6)
	for step := range 4 {
		grads.Reset()
		h := ops.Mul(ops.Mul(scope.Of(x), x), y)
		autograd.Backward(ops.Sum(ops.Add(ops.Mul(h, y), ops.Mul(x, ops.Mul(y, h)))), grads)
		for range 5 { // takes what the pass gave back, and fills it
			ops.Scale(scope.New([]float64{-1, -2, -3}), float64(step))
		}
		// h·y + x·y·h = x²y² + x³y²
		var wantX, wantY []float64
		for i := range 3 {
			a, b := float64(i+1), float64(i+4)
			wantX = append(wantX, 2*a*b*b+3*a*a*b*b)
			wantY = append(wantY, 2*a*a*b+2*a*a*a*b)
		}
		equal(t, "gradient of x", grads.Get(x), wantX...)
		equal(t, "gradient of y", grads.Get(y), wantY...)
		scope.Reset()
		equal(t, "gradient of x after Reset", grads.Get(x), wantX...)
	}
}
