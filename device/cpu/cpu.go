// Package cpu is the device that computes on the host's processors with the
// kernels of package simd.
//
// Buffers are Go slices, so that the garbage collector knows them, and every
// operation is done when its method returns: Sync has nothing to wait for.
//
// The heart is Pointwise. A program is compiled once for each way in which its
// operands are broadcast (plan.go) into steps that are one vector kernel each;
// these run over blocks of about a thousand elements (pointwise.go), so that
// everything between the first read and the last write of an element stays in
// the first-level cache.
//
// Long operations are split between processors by package parallel. How they are
// split, and so every bit of a result, depends on shapes alone.
//
// Importing the package registers the device "cpu".
package cpu

import (
	"fmt"

	"github.com/muppet-go/muppet/device"
)

func init() { device.Register("cpu", func() device.Device { return New() }) }

// A Device computes on the host. It implements device.Device and all fused
// operations of package device.
type Device struct{}

var (
	_ device.Device                = (*Device)(nil)
	_ device.LayerNormer           = (*Device)(nil)
	_ device.Attender              = (*Device)(nil)
	_ device.SegmentCrossEntropier = (*Device)(nil)
)

// New returns the host as a device. All of them are the same.
func New() *Device { return &Device{} }

// Name returns "cpu".
func (d *Device) Name() string { return "cpu" }

// Sync does nothing: operations are done when they return.
func (d *Device) Sync() {}

// misuse raises a mistake of the caller.
func misuse(op, format string, args ...any) {
	panic(fmt.Sprintf("cpu: %s: %s", op, fmt.Sprintf(format, args...)))
}

// fail raises what the device cannot do.
func fail(op, format string, args ...any) {
	panic(&device.Error{Device: "cpu", Op: op, Err: fmt.Errorf(format, args...)})
}

// grain is how many elements a goroutine should take at least: less costs more to
// hand over than to do.
const grain = 1 << 14

// rowsPerTask returns how many rows of the given width make a task.
func rowsPerTask(width int) int { return max(1, grain/max(1, width)) }

// sizes checks that no size is negative.
func sizes(op string, n ...int) {
	for _, size := range n {
		if size < 0 {
			misuse(op, "negative sizes %v", append([]int(nil), n...))
		}
	}
}
