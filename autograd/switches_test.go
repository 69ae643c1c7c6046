package autograd

import "testing"

type nothingRule struct{}

func (nothingRule) Name() string                            { return "nothing" }
func (nothingRule) Backward(_ *Call, g []*Tensor) []*Tensor { return g }

// BenchmarkSwitches measures what tracing, anomaly detection, hooks and retained
// gradients cost while there are none, in an operation that does nothing: forward and
// backward with all their questions, and without. The difference is what they cost, to
// be compared with BenchmarkOverhead.
//
//	go test -bench 'Switches|Overhead' ./autograd
func BenchmarkSwitches(b *testing.B) {
	scope := NewScope()
	x := scope.Of(New([]float32{1}).RequireGrad())
	y := View(x, 0, 1)
	Apply(nothingRule{}, []*Tensor{y}, []*Tensor{x}, nil)
	p, n := &pass{scope: scope}, y.node
	grads := []*Tensor{x}
	b.Run("asked", func(b *testing.B) {
		for b.Loop() {
			scope.tracing().forward(n.rule, grads, n.inputs)
			if s := y.scope; s != nil && s.anomaly {
				checkForward(n.rule, grads, n.inputs, "")
			}
			if hooks := n.hooks[0]; len(hooks) > 0 {
				p.hooked(hooks, x)
			}
			if t := n.retain[0]; t != nil {
				b.Fatal("retained")
			}
			results := scope.tracing().backward(n, grads, func() []*Tensor { return n.rule.Backward(nil, grads) })
			if n.site != "" {
				n.checkBackward(results, grads)
			}
		}
	})
	b.Run("not asked", func(b *testing.B) {
		for b.Loop() {
			n.rule.Backward(nil, grads)
		}
	})
}
