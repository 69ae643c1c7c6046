package ops_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/ops"
)

// TestShapePanics: calls with shapes, axes and settings that do not fit.
func TestShapePanics(t *testing.T) {
	f := func(shape ...int) *tensor { return autograd.Zeros(shape...) }
	i := func(v ...int32) *tensor { return autograd.New(v) }
	double := autograd.New([]float64{1, 2, 3})
	type conv = ops.ConvConfig
	type pool = ops.PoolConfig
	for _, c := range []struct {
		f    func()
		want []string
	}{
		{func() { ops.Reshape(f(2, 3), -2, -3) }, []string{"Reshape", "[2 3]", "[-2 -3]"}},
		{func() { ops.Squeeze(f(1, 3), 2) }, []string{"Squeeze", "axis 2", "[1 3]"}},
		{func() { ops.Squeeze(f(1, 3), 0, -2) }, []string{"Squeeze", "axis 0 twice", "[1 3]"}},
		{func() { ops.Unsqueeze(f(2, 3), 3) }, []string{"Unsqueeze", "axis 3", "[2 3]"}},
		{func() { ops.Unsqueeze(f(2, 3), -4) }, []string{"Unsqueeze", "axis -4"}},
		{func() { ops.Permute(f(2, 3), 0, -3) }, []string{"Permute", "axis -3", "[2 3]"}},
		{func() { ops.Permute(f(2, 3), 1, -1) }, []string{"Permute", "axis 1 twice", "[1 -1]"}},
		{func() { ops.Slice(f(2, 3), 1, -4, 2) }, []string{"Slice", "[-4, 2)", "[2 3]"}},
		{func() { ops.Slice(f(2, 3), 1, 2, -2) }, []string{"Slice", "[2, -2)"}},
		{func() { ops.Split(f(2, 3), 1, 1, 1) }, []string{"Split", "axis 1", "[2 3]", "[1 1]"}},
		{func() { ops.Split(f(2, 3), 1, 4, -1) }, []string{"Split", "[4 -1]"}},
		{func() { ops.Split(f(2, 3), -3, 2) }, []string{"Split", "axis -3"}},
		{func() { ops.Pad(f(2, 3), 0, [2]int{1, 1}) }, []string{"Pad", "[2 3]", "[[1 1]]"}},
		{func() { ops.Pad(f(2), 0, [2]int{-1, 1}) }, []string{"Pad", "[2]", "[[-1 1]]"}},
		{func() { ops.Flip(f(2, 3), 2) }, []string{"Flip", "axis 2"}},
		{func() { ops.Flip(f(2, 3), 1, -1) }, []string{"Flip", "axis 1 twice", "[2 3]"}},
		{func() { ops.Repeat(f(2, 3), 2) }, []string{"Repeat", "[2 3]", "[2]"}},
		{func() { ops.Repeat(f(2), -1) }, []string{"Repeat", "[2]", "[-1]"}},
		{func() { ops.Stack(0) }, []string{"Stack", "nothing"}},
		{func() { ops.Stack(0, f(2), f(3)) }, []string{"Stack", "[2]", "[3]"}},
		{func() { ops.Stack(0, f(3), double) }, []string{"Stack", "float32", "float64"}},
		{func() { ops.Stack(2, f(2), f(2)) }, []string{"Stack", "axis 2", "[2]"}},
		{func() { ops.Tril(f(2), 0) }, []string{"tril", "[2]"}},
		{func() { ops.Triu(ops.Reshape(i(1, 2), 1, 2), 0) }, []string{"triu", "int32"}},
		{func() { ops.Gather(f(2, 3), 0, i(0)) }, []string{"Gather", "axis 0", "[2 3]", "[1]"}},
		{func() { ops.Gather(f(3), 1, i(0)) }, []string{"Gather", "axis 1", "[3]"}},
		{func() { ops.Gather(f(3), 0, f(2)) }, []string{"Gather", "[2] float32"}},
		{func() { ops.Gather(f(2, 1), 0, ops.Reshape(i(0, 0), 1, 2)) }, []string{"Gather", "[2 1]", "[1 2]"}},
		{func() { ops.ScatterAdd(f(3), 0, i(0, 1), f(1)) }, []string{"ScatterAdd", "[3]", "[2]", "[1]"}},
		{func() { ops.ScatterAdd(f(3), 0, i(0, 1), double) }, []string{"ScatterAdd", "[3] float64", "[3] float32"}},
		{func() { ops.Embedding(f(3), i(0)) }, []string{"Embedding", "[3]", "[1]"}},
		{func() { ops.Embedding(f(3, 2), f(1)) }, []string{"Embedding", "[3 2]", "[1] float32"}},
		{func() { ops.OneHot(f(2), 3) }, []string{"OneHot", "[2] float32"}},
		{func() { ops.OneHot(i(0), -1) }, []string{"OneHot", "-1", "[1]"}},
		{func() { ops.Sort(f(2, 3), 2, false) }, []string{"Sort", "axis 2", "[2 3]"}},
		{func() { ops.Sort(i(2, 1), 0, false) }, []string{"Sort", "[2] int32"}},
		{func() { ops.TopK(f(2, 3), 4, 1) }, []string{"TopK", "4", "axis 1", "[2 3]"}},
		{func() { ops.TopK(f(2, 3), -1, 1) }, []string{"TopK", "-1"}},
		{func() { ops.TopK(f(), 1, 0) }, []string{"TopK", "axis 0", "[]"}},
		{func() { ops.MatMul(f(), f(2)) }, []string{"MatMul", "[] float32", "[2]"}},
		{func() { ops.MatMul(f(2), f(3, 2)) }, []string{"MatMul", "[2]", "[3 2]"}},
		{func() { ops.MatMul(f(2, 2, 3), f(3, 3, 2)) }, []string{"MatMul", "[2 2 3]", "[3 3 2]"}},
		{func() { ops.Linear(f(2, 2, 3), f(4, 2), nil) }, []string{"Linear", "[2 2 3]", "[4 2]"}},
		{func() { ops.MatMul(f(3), double) }, []string{"MatMul", "float32", "float64"}},
		{func() { ops.Einsum("ij->i") }, []string{"Einsum", `"ij->i"`, "1 terms for 0 operands"}},
		{func() { ops.Einsum("ij,jk->ik", f(2, 3)) }, []string{`"ij,jk->ik"`, "[2 3]", "2 terms for 1 operands"}},
		{func() { ops.Einsum("ij,jk->ik", f(2, 3), f(2, 2)) }, []string{"[2 3]", "[2 2]", `subscript "j" is 3 and 2`}},
		{func() { ops.Einsum("ii->i", f(2, 3)) }, []string{"[2 3]", `subscript "i" is 2 and 3`}},
		{func() { ops.Einsum("i->j", f(2)) }, []string{`"i->j"`, `subscript "j" of the result is in no operand`}},
		{func() { ops.Einsum("i->ii", f(2)) }, []string{`subscript "i" is twice in the result`}},
		{func() { ops.Einsum("ij->i", f(2)) }, []string{`2 subscripts in "ij"`, "1 axes of operand 0"}},
		{func() { ops.Einsum("i->i", f(2, 2)) }, []string{`1 subscripts in "i"`, "2 axes"}},
		{func() { ops.Einsum("1->1", f(2)) }, []string{`subscript "1" in "1"`}},
		{func() { ops.Einsum("i->i->", f(2)) }, []string{`subscript "-" in "i->"`}},
		{func() { ops.Einsum("...i,...i", f(2, 3), f(4, 3)) }, []string{`subscript "..." is 2 and 4`}},
		{func() { ops.Einsum("i,i", f(3), double) }, []string{"one float type", "float32", "float64"}},
		{func() { ops.Conv1d(f(1, 2, 3, 4), f(1, 2, 3), nil, conv{}) }, []string{"Conv1d", "[1 2 3 4]", "3 axes"}},
		{func() { ops.Conv2d(f(1, 2, 3, 4), f(1, 3, 1, 1), nil, conv{}) }, []string{"Conv2d", "[1 2 3 4]", "[1 3 1 1]", "1 groups"}},
		{func() { ops.Conv2d(f(1, 4, 3, 4), f(3, 2, 1, 1), nil, conv{Groups: 2}) }, []string{"Conv2d", "[3 2 1 1]", "2 groups"}},
		{func() { ops.Conv1d(f(1, 2, 3), f(1, 2, 1), nil, conv{Groups: -1}) }, []string{"Conv1d", "-1 groups"}},
		{func() { ops.Conv1d(f(1, 2, 3), f(4, 2, 1), f(3), conv{}) }, []string{"Conv1d", "[3]", "bias of shape [4]"}},
		{func() { ops.Conv1d(f(1, 1, 3), ops.Reshape(double, 1, 1, 3), nil, conv{}) }, []string{"Conv1d", "float64", "one type"}},
		{func() { ops.Conv1d(f(1, 1, 3), f(1, 1, 4), nil, conv{}) }, []string{"Conv1d", "no windows of [4]", "[1 1 3]"}},
		{func() { ops.Conv1d(f(1, 1, 3), f(1, 1, 2), nil, conv{Stride: []int{-1}}) }, []string{"Conv1d", "stride [-1]"}},
		{func() { ops.Conv1d(f(1, 1, 3), f(1, 1, 2), nil, conv{Dilation: []int{1, 1}}) }, []string{"Conv1d", "dilation [1 1]"}},
		{func() { ops.Conv2d(f(1, 1, 3, 3), f(1, 1, 2, 2), nil, conv{Padding: []int{1, -1}}) }, []string{"Conv2d", "padding [1 -1]"}},
		{func() { ops.MaxPool1d(f(1, 1, 3, 3), pool{Kernel: []int{2}}) }, []string{"MaxPool1d", "[1 1 3 3]"}},
		{func() { ops.MaxPool2d(f(1, 1, 3, 3), pool{}) }, []string{"MaxPool2d", "windows of [0 0]", "[1 1 3 3]"}},
		{func() { ops.AvgPool2d(f(1, 1, 3, 3), pool{Kernel: []int{2}, Padding: []int{2}}) }, []string{"AvgPool2d", "[2]", "padding [2]"}},
		{func() { ops.AvgPool1d(f(1, 1, 3), pool{Kernel: []int{4}}) }, []string{"AvgPool1d", "[4]", "[1 1 3]"}},
	} {
		func() {
			defer func() {
				message := fmt.Sprint(recover())
				for _, part := range append(c.want, "ops: ") {
					if !strings.Contains(message, part) {
						t.Errorf("panic %q, want %q in it", message, part)
					}
				}
			}()
			c.f()
		}()
	}
}

// TestIndexOutside: an index outside is an error that names it, on every device.
func TestIndexOutside(t *testing.T) {
	for _, name := range []string{"cpu", "reference"} {
		dev := deviceNamed(t, name)
		x := autograd.NewOn(dev, []float32{1, 2, 3, 4, 5, 6}, 3, 2)
		index := func(v ...int32) *tensor { return ops.Reshape(ints(x, v...), 1, 2) }
		for _, c := range []struct {
			f    func() *tensor
			want string
		}{
			{func() *tensor { return ops.Gather(x, 0, index(0, 3)) }, "Gather: index 3 at position 1"},
			{func() *tensor { return ops.Gather(x, 1, index(-1, 0)) }, "Gather: index -1 at position 0"},
			{func() *tensor { return ops.ScatterAdd(x, 0, index(0, 3), x) }, "ScatterAdd: index 3 at position 1"},
			{func() *tensor { return ops.OneHot(index(0, 2), 2) }, "OneHot: index 2 at position 1"},
			{func() *tensor { return ops.Embedding(x, index(1, 3)) }, "index 3"},
			{func() *tensor { return ops.Embedding(x, index(-1, 0)) }, "index -1"},
		} {
			err := autograd.Try(func() { c.f().Float64s() })
			var e *device.Error
			if !errors.As(err, &e) || e.Device != dev.Name() || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v, want %q", name, err, c.want)
			}
		}
	}
}

// TestTies: equal elements keep their order, NaN counts as the largest.
func TestTies(t *testing.T) {
	nan := math.NaN()
	x := autograd.New([]float64{2, nan, 1, 2, 1, 2}).RequireGrad()
	for _, c := range []struct {
		sort func() (values, indices *tensor)
		want string
	}{
		{func() (_, _ *tensor) { return ops.Sort(x, 0, false) }, "[1 1 2 2 2 NaN] [2 4 0 3 5 1]"},
		{func() (_, _ *tensor) { return ops.Sort(x, 0, true) }, "[NaN 2 2 2 1 1] [1 0 3 5 2 4]"},
		{func() (_, _ *tensor) { return ops.TopK(x, 3, 0) }, "[NaN 2 2] [1 0 3]"},
	} {
		values, indices := c.sort()
		if got := fmt.Sprint(values.Float64s(), indices.Int32s()); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}

// TestNotMultiplied: what a triangle or a window leaves out may be infinite or NaN.
func TestNotMultiplied(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	x := autograd.New([]float64{1, nan, 3, 4}, 2, 2).RequireGrad()
	y := autograd.New([]float64{-inf, -inf, 5, nan}, 1, 1, 4).RequireGrad()
	for _, c := range []struct {
		name string
		y    *tensor
		want string
	}{
		{"Tril", ops.Tril(x, 0), "[1 0 3 4]"},
		{"Triu", ops.Triu(autograd.New([]float64{1, 2, inf, 4}, 2, 2), 0), "[1 2 0 4]"},
		{"MaxPool1d", ops.MaxPool1d(y, ops.PoolConfig{Kernel: []int{2}}), "[-Inf NaN]"},
	} {
		if got := fmt.Sprint(c.y.Float64s()); got != c.want {
			t.Errorf("%s gives %s, want %s", c.name, got, c.want)
		}
	}
	ops.Sum(ops.Tril(x, 0)).Backward()
	near(t, "gradient of Tril", x.Grad().Float64s(), []float64{1, 0, 1, 1}, 0)
}
