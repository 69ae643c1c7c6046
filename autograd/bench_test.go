package autograd_test

import (
	"testing"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/ops"
)

// BenchmarkOverhead measures what the engine costs beside the arithmetic: additions
// of eight elements, and what the backward pass adds for each.
//
//	go test -bench Overhead -benchmem ./autograd
func BenchmarkOverhead(b *testing.B) {
	const chain = 100
	x := autograd.New(make([]float32, 8)).RequireGrad()
	add := func(x *tensor) *tensor {
		y := x
		for range chain {
			y = ops.Add(y, x)
		}
		return y
	}
	perOp := func(b *testing.B) {
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/chain, "ns/add")
	}
	b.Run("forward", func(b *testing.B) {
		scope := autograd.NewScope()
		for b.Loop() {
			add(scope.Of(x))
			scope.Reset()
		}
		perOp(b)
	})
	b.Run("backward", func(b *testing.B) {
		scope, grads := autograd.NewScope(), autograd.NewGradients()
		for b.Loop() {
			b.StopTimer()
			y := ops.Sum(add(scope.Of(x)))
			b.StartTimer()
			autograd.Backward(y, grads)
			b.StopTimer()
			grads.Reset()
			scope.Reset()
			b.StartTimer()
		}
		perOp(b)
	})
}
