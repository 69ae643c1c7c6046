// The race detector makes objects of its own.

//go:build !race

package transformer

import (
	"runtime"
	"runtime/metrics"
	"strings"
	"testing"
	"time"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/nn"
	"github.com/muppet-go/muppet/ops"
	"github.com/muppet-go/muppet/optim"
)

// block trains one layer: what it needs is in units of T·d, the tokens times the
// hidden size.
type block struct {
	tokens, hidden int
	layer          *Layer
	config         Config
	segments       *device.Segments
	x              *autograd.Tensor
	scope          *autograd.Scope
	grads          *autograd.Gradients
	steps          int
}

func newBlock(tokens, hidden int) *block {
	c := NewConfig(300, 1, hidden)
	layer := NewEncoder(c, autograd.NewKey(1)).Layers[0]
	return &block{
		tokens: tokens, hidden: hidden, layer: layer, config: c, segments: device.UniformSegments(8, tokens/8),
		x:     nn.Normal(autograd.NewKey(2), 0, 1, tokens, hidden),
		scope: autograd.NewScope(), grads: autograd.NewGradients(),
	}
}

// gradients does everything but the optimiser's step, and returns the loss.
func (b *block) gradients() *autograd.Tensor {
	b.steps++
	key := autograd.NewKey(3).FoldInt(b.steps)
	y := b.scope.Frame(func() *autograd.Tensor { return b.layer.forward(b.scope.Of(b.x), b.segments, b.config, &key) })
	loss := b.scope.Frame(func() *autograd.Tensor { return ops.Mean(ops.Mul(y, b.x.Detach())) })
	autograd.Backward(loss, b.grads)
	return loss
}

// TestTrainingMemory compares what a step takes from the device with what must exist
// at once. That is most while the product before the last norm is differentiated:
//
//	saved by the forward pass: queries, keys and values 3, context 1, input and
//	result of the first norm 2, input and result of GELU 4 + 4        14
//	the block's input and result                                       2
//	gradients of the second norm's input, of the product, of GELU      6
//
// in units of T·d, with the gradients of the parameters, and of the input, which comes
// last. The input of the second norm is no longer needed, and dropout and the norms'
// normalised values are computed again instead of saved.
func TestTrainingMemory(t *testing.T) {
	needsFused(t)
	b := newBlock(2048, 64)
	before := memory.total()
	b.gradients()
	taken := memory.total() - before + b.x.Len()
	parameters := 0
	for _, p := range nn.Parameters(b.layer) {
		parameters += p.Tensor.Len()
	}
	need := (14+2+6)*b.tokens*b.hidden + parameters + b.x.Len()
	if share := float64(taken) / float64(need); share < 1 || share > 1.1 {
		t.Errorf("a step takes %d elements, %.3f of the %d that must be alive", taken, share, need)
	}
}

// TestWarmStep: a warm step asks the device for nothing, and the garbage collector has
// next to nothing to do, as the documentation of package autograd says.
func TestWarmStep(t *testing.T) {
	needsFused(t)
	b := newBlock(512, 64)
	t.Run("block", func(t *testing.T) { testWarmStep(t, b.scope, b.grads, nn.Parameters(b.layer), b.gradients) })

	mlp := nn.NewMLP([]int{784, 512, 10}, ops.ReLU, autograd.NewKey(4))
	x, labels := nn.Normal(autograd.NewKey(5), 0, 1, 256, 784).Detach(), autograd.New(make([]int32, 256))
	scope, grads := autograd.NewScope(), autograd.NewGradients()
	t.Run("MLP", func(t *testing.T) {
		testWarmStep(t, scope, grads, nn.Parameters(&mlp), func() *autograd.Tensor {
			loss := ops.CrossEntropy(mlp.Forward(scope.Of(x)), labels)
			autograd.Backward(loss, grads)
			return loss
		})
	})
}

// testWarmStep trains with the gradients that a step leaves in grads.
func testWarmStep(t *testing.T, scope *autograd.Scope, grads *autograd.Gradients, parameters []*nn.Parameter, gradients func() *autograd.Tensor) {
	optimiser := optim.NewAdamW(parameters, optim.AdamWConfig{LR: 1e-3})
	calls := 0
	step := func() {
		loss := gradients()
		if calls == 0 { // of operations, forward and backward, and of the optimiser
			calls = 2*strings.Count(loss.Graph().DOT(), "rounded") + len(parameters)
		}
		optimiser.Step(grads)
		scope.Reset()
	}
	for range 3 {
		step()
	}
	window, windows := 1500*time.Millisecond, 5 // long, for the collections at both ends to count for little
	if testing.Short() {
		window, windows = 0, 1
	}
	// The time is that of the clock: beside other programs, a collector that waits for
	// its turn seems to work. The quietest window says what the steps need.
	least := 1.0
	for range windows {
		var before, after runtime.MemStats
		taken, start, steps := memory.total(), collectorTime(), 0
		runtime.ReadMemStats(&before)
		for began := time.Now(); steps < 50 || time.Since(began) < window; steps++ {
			step()
		}
		runtime.ReadMemStats(&after)
		if n := memory.total() - taken; n > 0 {
			t.Errorf("%d warm steps took %d elements from the device", steps, n)
		}
		perCall := func(n uint64) float64 { return float64(n) / float64(steps*calls) }
		objects := perCall(after.Mallocs - before.Mallocs)
		end := collectorTime()
		share := (end[0] - start[0]) / (end[1] - start[1])
		t.Logf("%d calls a step, %.1f objects and %.0f bytes each; the garbage collector took %.3f %% of the time",
			calls, objects, perCall(after.TotalAlloc-before.TotalAlloc), 100*share)
		if objects >= 10 {
			t.Errorf("a warm step makes %.1f objects for each of its %d calls, want fewer than 10", objects, calls)
		}
		if least = min(least, share); least <= 0.005 {
			break
		}
	}
	if least > 0.005 && !testing.Short() {
		t.Errorf("the garbage collector took %.2f %% of the time, want at most 0.5 %%", 100*least)
	}
}

// collectorTime collects garbage, which brings the account up to date, and returns the
// processor's seconds for that since the program began, but for those that nothing else
// wanted, and all.
func collectorTime() [2]float64 {
	runtime.GC()
	samples := []metrics.Sample{
		{Name: "/cpu/classes/gc/total:cpu-seconds"},
		{Name: "/cpu/classes/gc/mark/idle:cpu-seconds"},
		{Name: "/cpu/classes/total:cpu-seconds"},
	}
	metrics.Read(samples)
	return [2]float64{samples[0].Value.Float64() - samples[1].Value.Float64(), samples[2].Value.Float64()}
}
