package autograd_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/ops"
)

// block is a layer with parameters and a dropout.
func block(w, b *tensor, key autograd.Key) func(in ...*tensor) *tensor {
	return func(in ...*tensor) *tensor {
		h := ops.Linear(in[0], w, b)
		return ops.Dropout(ops.Tanh(ops.Mul(ops.GELU(h), ops.Sin(h))), 0.3, key)
	}
}

func filled(seed float64, shape ...int) *tensor {
	n := 1
	for _, d := range shape {
		n *= d
	}
	v := make([]float64, n)
	for i := range v {
		v[i] = math.Sin(seed + 7*float64(i))
	}
	return autograd.New(v, shape...)
}

// TestCheckpoint compares with the same network without checkpoints, bit by bit.
func TestCheckpoint(t *testing.T) {
	x := filled(0, 5, 4).RequireGrad()
	var w, b []*tensor
	for i := range 4 {
		w, b = append(w, filled(float64(i), 4, 4).RequireGrad()), append(b, filled(2+float64(i), 4).RequireGrad())
	}
	run := func(checkpoint, frames bool) (loss float64, grads *autograd.Gradients) {
		scope := autograd.NewScope()
		grads = autograd.NewGradients()
		h := scope.Of(x)
		for i := range w {
			f := block(w[i], b[i], autograd.NewKey(uint64(i)))
			layer := func() *tensor {
				if checkpoint {
					return scope.Checkpoint(f, h)
				}
				return f(h)
			}
			if frames {
				h = scope.Frame(layer)
			} else {
				h = layer()
			}
		}
		y := ops.Sum(ops.Mul(h, h))
		autograd.Backward(y, grads)
		loss = y.Item()
		scope.Reset()
		return loss, grads
	}
	for _, frames := range []bool{false, true} {
		want, wantGrads := run(false, frames)
		got, gotGrads := run(true, frames)
		if got != want {
			t.Errorf("loss %v, want %v", got, want)
		}
		for i, p := range slices.Concat([]*tensor{x}, w, b) {
			equal(t, fmt.Sprint("gradient ", i), gotGrads.Get(p), wantGrads.Get(p).Float64s()...)
		}
	}
}

func TestCheckpointHigherOrder(t *testing.T) {
	scope := autograd.NewScope()
	nested := func(in ...*tensor) *tensor {
		x, w := in[0], in[1]
		h := ops.Mul(x, w) // an input that depends on another, which is a parameter inside too
		return scope.Checkpoint(func(in ...*tensor) *tensor {
			y := in[0].Scope().Checkpoint(func(in ...*tensor) *tensor { return ops.Exp(ops.Mul(in[0], in[0])) }, in[0])
			return ops.Mul(ops.Mul(y, in[1]), ops.Sin(in[0]))
		}, h, x)
	}
	x, w := leaf(0.3, -0.5), leaf(0.7, 1.1)
	if err := autograd.GradCheck(nested, x, w); err != nil {
		t.Error(err)
	}
	if err := autograd.GradGradCheck(nested, x, w); err != nil {
		t.Error(err)
	}

	// A fused operation, with a dropout.
	segs := device.NewSegments(2, 3)
	attend := func(in ...*tensor) *tensor {
		return scope.Checkpoint(func(in ...*tensor) *tensor {
			return ops.SelfAttention(ops.Scale(in[0], 1.1), segs, ops.AttentionConfig{Heads: 1, Dropout: 0.2, Key: autograd.NewKey(3)})
		}, in[0])
	}
	if err := autograd.GradGradCheck(attend, filled(1, 5, 3).RequireGrad()); err != nil {
		t.Error(err)
	}

	// A parameter inside: f = w³·x, so that ∂²f/∂w² = 6wx, and ∂²f/∂w∂x = 3w².
	f := scope.Checkpoint(func(in ...*tensor) *tensor { return ops.Mul(ops.Mul(ops.Mul(w, w), w), in[0]) }, scope.Of(x))
	g := autograd.Grad([]*tensor{ops.Sum(f)}, []*tensor{w}, nil, true)[0]
	second := autograd.Grad([]*tensor{ops.Sum(g)}, []*tensor{w, x}, nil, false)
	near(t, "∂²/∂w²", second[0], 6*0.7*0.3, 6*1.1*-0.5)
	near(t, "∂²/∂w∂x", second[1], 3*0.7*0.7, 3*1.1*1.1)
}

func TestCheckpointEdges(t *testing.T) {
	scope, grads := autograd.NewScope(), autograd.NewGradients()
	x, index := leaf(1, 2), autograd.New([]int32{1})
	equal(t, "the input itself", scope.Checkpoint(func(in ...*tensor) *tensor { return in[0] }, x), 1, 2)
	y := scope.Checkpoint(func(in ...*tensor) *tensor { return ops.IndexSelect(in[0], in[1]) }, x, index)
	autograd.Backward(ops.Sum(ops.Add(y, scope.Checkpoint(func(in ...*tensor) *tensor { return ops.Reshape(in[0], 2, 1) }, x))), grads)
	equal(t, "gradient", grads.Get(x), 1, 3)
	if scope.Checkpoint(func(in ...*tensor) *tensor { return ops.Exp(in[0]) }, x.Detach()).RequiresGrad() {
		t.Error("a checkpoint of constants requires gradients")
	}
	var none *autograd.Scope
	near(t, "nil scope", none.Checkpoint(func(in ...*tensor) *tensor { return ops.Exp(in[0]) }, x), math.E, math.Exp(2))

	calls := 0
	x.RegisterHook(func(*tensor) *tensor { calls++; return nil })
	autograd.Backward(ops.Sum(scope.Checkpoint(func(in ...*tensor) *tensor { return ops.Mul(in[0], x) }, scope.Of(x))), grads)
	if calls != 1 {
		t.Errorf("the hook of a leaf was called %d times", calls)
	}
	h := ops.Exp(scope.Of(x))
	panics(t, func() { scope.Checkpoint(func(in ...*tensor) *tensor { return ops.Mul(in[0], h) }, scope.Of(x)) },
		"Checkpoint: the function uses Tensor[2] float64, the result of exp outside it")
	w := leaf(1, 2)
	y = ops.Sum(scope.Checkpoint(func(in ...*tensor) *tensor { return ops.Mul(in[0], w) }, scope.Of(x)))
	autograd.Mutate(func(dst ...device.Slice) { w.Device().Fill(dst[0], 3) }, w)
	panics(t, func() { autograd.Backward(y, grads) }, "checkpoint: saved Tensor[2] float64 was changed by Mutate")
}

// TestCheckpointMemory: a chain takes the results of its layers and one layer's
// insides, where it took all insides.
func TestCheckpointMemory(t *testing.T) {
	dev := newCounter()
	x := autograd.NewOn(dev, make([]float64, 1000))
	w := autograd.NewOn(dev, []float64{0.1}).RequireGrad()
	layer := func(in ...*tensor) *tensor {
		h := in[0]
		for range 8 {
			h = ops.Tanh(ops.Mul(h, w))
		}
		return h
	}
	const layers = 10
	step := func(run func(s *autograd.Scope, h *tensor) *tensor) int {
		scope, grads := autograd.NewScope(), autograd.NewGradients()
		before := dev.allocs
		for range 2 {
			h := scope.Of(x)
			for range layers {
				h = run(scope, h)
			}
			autograd.Backward(ops.Sum(h), grads)
			scope.Reset()
		}
		return dev.allocs - before
	}
	all := step(func(s *autograd.Scope, h *tensor) *tensor { return s.Frame(func() *tensor { return layer(h) }) })
	checkpointed := step(func(s *autograd.Scope, h *tensor) *tensor { return s.Checkpoint(layer, h) })
	if all < layers*16 || checkpointed > layers+2*16+10 {
		t.Errorf("%d buffers with checkpoints, %d without", checkpointed, all)
	}

	scope, grads := autograd.NewScope(), autograd.NewGradients()
	for i := range 4 {
		before := dev.allocs
		autograd.Backward(ops.Sum(scope.Checkpoint(layer, scope.Of(x))), grads)
		grads.Reset()
		scope.Reset()
		if n := dev.allocs - before; i > 0 && n > 0 {
			t.Errorf("a warm step asked for %d buffers", n)
		}
	}
}

// Checkpointed layers give the same gradients of any order.
func ExampleScope_Checkpoint() {
	scope := autograd.NewScope()
	x := autograd.New([]float64{0.5, 1}).RequireGrad()
	layer := func(in ...*autograd.Tensor) *autograd.Tensor { return ops.Sin(ops.Exp(ops.Log(in[0]))) }
	y := ops.Sum(scope.Checkpoint(layer, x))
	first := autograd.Grad([]*autograd.Tensor{y}, []*autograd.Tensor{x}, nil, true)[0]
	second := autograd.Grad([]*autograd.Tensor{ops.Sum(first)}, []*autograd.Tensor{x}, nil, false)[0]
	fmt.Printf("%.4f\n%.4f\n", first.Float64s(), second.Float64s())
	// Output:
	// [0.8776 0.5403]
	// [-0.4794 -0.8415]
}
