package autograd_test

import (
	"runtime"
	"slices"
	"testing"
	"weak"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/ops"
)

func TestString(t *testing.T) {
	long := make([]float32, 20)
	for _, c := range []struct {
		x    *tensor
		want string
	}{
		{autograd.New([]float32{1, 2.5, 1.0 / 3}), "Tensor[3] float32 [1 2.5 0.333333]"},
		{autograd.New([]float64{1, 2, 3, 4}, 2, 2), "Tensor[2 2] float64 [1 2 3 4]"},
		{autograd.New([]int32{12345678, -1}), "Tensor[2] int32 [12345678 -1]"},
		{autograd.New([]uint16{0x3f80}), "Tensor[1] bfloat16"},
		{autograd.Scalar(7), "Tensor[] float32 [7]"},
		{autograd.Zeros(0, 3), "Tensor[0 3] float32 []"},
		{autograd.New(long, 4, 5), "Tensor[4 5] float32 [0 0 0 0 0 0 0 0 0 0 0 0 …]"},
	} {
		if got := c.x.String(); got != c.want {
			t.Errorf("String: %q, want %q", got, c.want)
		}
	}
}

func TestTensor(t *testing.T) {
	data := []int32{1, 2, 3, 4, 5, 6}
	x := autograd.New(data, 2, 3)
	data[0] = 100
	if x.Dim(0) != 2 || x.Dim(-1) != 3 || x.Len() != 6 || x.DType() != device.Int32 || x.Scope() != nil || x.Device() != device.Default() {
		t.Errorf("%v: dimensions, type, scope or device", x)
	}
	if got := x.Int32s(); !slices.Equal(got, []int32{1, 2, 3, 4, 5, 6}) {
		t.Errorf("elements %v", got)
	}
	x.Int32s()[0] = 100 // a copy
	equal(t, "elements", x, 1, 2, 3, 4, 5, 6)
	equal(t, "a view", autograd.View(autograd.View(x, 1, 5), 2, 2), 4, 5)
	if x.RequiresGrad() {
		t.Error("integers require gradients")
	}
	if got := autograd.New([]int32{-3}).Item(); got != -3 {
		t.Errorf("Item %v", got)
	}
	if got := autograd.Full(device.Float64, 2.5, 2).Float64s(); !slices.Equal(got, []float64{2.5, 2.5}) {
		t.Errorf("Full %v", got)
	}
	if got := autograd.New([]float32{0.5}).Float32s(); got[0] != 0.5 {
		t.Errorf("Float32s %v", got)
	}
	y := leaf(1)
	if d := ops.Mul(y, y).Detach(); d.RequiresGrad() || d.Item() != 1 {
		t.Error("Detach kept the history")
	}
	equal(t, "Sum", autograd.Sum(y, y), 2)
}

// TestDetachForgets: what a detached tensor was made of can be collected, though they
// share memory.
func TestDetachForgets(t *testing.T) {
	x := leaf(1)
	middle := ops.Exp(x)
	gone := weak.Make(middle)
	d := ops.Exp(middle).Detach()
	runtime.GC()
	if gone.Value() != nil {
		t.Error("Detach keeps the history alive")
	}
	runtime.KeepAlive(d)
}

func TestTensorPanics(t *testing.T) {
	x := autograd.New([]float64{1, 2})
	reference, err := device.ByName("reference")
	if err != nil {
		t.Fatal(err)
	}
	cpu, err := device.ByName("cpu")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		f    func()
		want string
	}{
		{func() { autograd.New([]float64{1, 2}, 3) }, "New: 2 elements for shape [3]"},
		{func() { autograd.New([]float64{1, 2}, -1, -2) }, "negative dimension in shape [-1 -2]"},
		{func() { autograd.New([]int{1}) }, "cannot make a tensor of []int"},
		{func() { autograd.New([]int32{1}).RequireGrad() }, "RequireGrad: Tensor[1] int32 has no gradients"},
		{func() { leaf(1).Float32s() }, "reading Tensor[1] float64 as float32"},
		{func() { autograd.New([]uint16{1}).Float64s() }, "Float64s of Tensor[1] bfloat16"},
		{func() { x.Item() }, "Item of Tensor[2] float64"},
		{func() { x.Dim(1) }, "in shape [2]"},
		{func() { x.Dim(-2) }, "in shape [2]"},
		{func() { autograd.View(x, 1, 2) }, "View: 2 elements from 1 of Tensor[2] float64"},
		{func() { autograd.Sum(x, leaf(1)) }, "Sum of Tensor[2] float64 and Tensor[1] float64"},
		{func() { ops.Neg(leaf(1)).RequireGrad() }, "is a result; use RetainGrad"},
		{func() { ops.Add(autograd.NewOn(cpu, []float32{1}), autograd.NewOn(reference, []float32{1})) }, "different devices: cpu and reference"},
	} {
		panics(t, c.f, "autograd: ", c.want)
	}
}
