// The race detector has pools forget what they are given.

//go:build !race

package autograd_test

import (
	"testing"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/ops"
)

// TestObjects: the garbage collector is left the header of a result and that of its
// memory, the record and its rule.
func TestObjects(t *testing.T) {
	if device.Default().Name() != "cpu" {
		t.Skipf("device %s makes objects of its own", device.Default().Name())
	}
	const chain = 100
	x := autograd.New(make([]float32, 8)).RequireGrad()
	scope := autograd.NewScope()
	objects := testing.AllocsPerRun(50, func() {
		y := scope.Of(x)
		for range chain {
			y = ops.Add(y, x)
		}
		scope.Reset()
	}) / chain
	if objects > 4.1 {
		t.Errorf("an addition makes %.2f objects, want 4", objects)
	}
}
