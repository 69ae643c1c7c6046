package ops

import (
	"fmt"
	"slices"

	"github.com/muppet-go/muppet/autograd"
)

// ConvConfig says where a convolution's windows lie. Stride, Padding and Dilation
// have a number for each spatial axis, or one for all of them.
type ConvConfig struct {
	Stride   []int // steps between windows; nil means 1
	Padding  []int // zeros on either side of an axis; nil means 0
	Dilation []int // steps between the elements of a window; nil means 1
	Groups   int   // blocks of channels that do not mix; 0 means 1
}

// Conv1d returns the cross-correlation of x [n, c, length] with w [out, c/groups, k],
// plus bias [out] or nil: [n, out, l] with
// l = (length + 2·padding - dilation·(k-1) - 1)/stride + 1, rounded down.
//
// Memory: the windows are copied out for a matrix product, n·c·k·l elements that stay
// until the backward pass. That takes n·c·k·(length + 2·padding) elements more for the
// gradient of x, and n times those of w for the gradient of w.
func Conv1d(x, w, bias *Tensor, cfg ConvConfig) *Tensor { return conv("Conv1d", 1, x, w, bias, cfg) }

// Conv2d returns the cross-correlation of x [n, c, h, w] with w [out, c/groups, kh, kw],
// plus bias [out] or nil: [n, out, oh, ow], the size of both spatial axes
// as Conv1d's. So is the memory, with kh·kw for k and areas for lengths.
func Conv2d(x, w, bias *Tensor, cfg ConvConfig) *Tensor { return conv("Conv2d", 2, x, w, bias, cfg) }

func conv(name string, dims int, x, w, bias *Tensor, cfg ConvConfig) *Tensor {
	fail := func(format string, args ...any) {
		in := list(x, w)
		if bias != nil {
			in = append(in, bias)
		}
		panic(fmt.Sprintf("ops: %s: %s: ", name, shapes(in)) + fmt.Sprintf(format, args...))
	}
	if len(x.Shape()) != dims+2 || len(w.Shape()) != dims+2 {
		fail("want %d axes", dims+2)
	}
	groups := cfg.Groups
	if groups == 0 {
		groups = 1
	}
	n, c, out := x.Dim(0), x.Dim(1), w.Dim(0)
	if groups < 0 || c != groups*w.Dim(1) || out%groups != 0 {
		fail("channels do not fit in %d groups", groups)
	}
	if x.DType() != w.DType() || !x.DType().IsFloat() {
		fail("want floats of one type")
	}
	if bias != nil && !slices.Equal(bias.Shape(), []int{out}) {
		fail("want a bias of shape [%d]", out)
	}
	kernel := w.Shape()[2:]
	u := windows(name, x, kernel, cfg.Stride, cfg.Padding, cfg.Dilation, 0)
	spatial := u.Shape()[2+dims:]
	taps, places := product(kernel), product(spatial)
	y := MatMul(Reshape(w, groups, out/groups, w.Dim(1)*taps), Reshape(u, n, groups, w.Dim(1)*taps, places))
	if bias != nil {
		y = Add(Reshape(y, n, out, places), Reshape(bias, out, 1))
	}
	return Reshape(y, append([]int{n, out}, spatial...)...)
}

// windows returns the windows of x [n, c, s...], padded with a value: [n, c, k..., o...]
// with axes for the places in a window, then axes for the windows.
func windows(name string, x *Tensor, kernel, stride, padding, dilation []int, value float64) *Tensor {
	fail := func() {
		panic(fmt.Sprintf("ops: %s: no windows of %v with stride %v, padding %v, dilation %v in %s", name, kernel, stride, padding, dilation, shapes(list(x))))
	}
	dims := len(kernel)
	steps, pads, gaps := perAxis(dims, stride, 1), perAxis(dims, padding, 0), perAxis(dims, dilation, 1)
	if len(steps) != dims || len(pads) != dims || len(gaps) != dims {
		fail()
	}
	widths := make([][2]int, 2+dims)
	shape := slices.Concat(x.Shape()[:2], kernel)
	for i, k := range kernel {
		room := x.Dim(2+i) + 2*pads[i] - gaps[i]*(k-1) - 1
		if k < 1 || steps[i] < 1 || pads[i] < 0 || gaps[i] < 1 || room < 0 {
			fail()
		}
		widths[2+i] = [2]int{pads[i], pads[i]}
		shape = append(shape, room/steps[i]+1)
	}
	if slices.Max(pads) > 0 {
		x = Pad(x, value, widths...)
	}
	strides := rowMajor(x.Shape())
	for i, gap := range gaps {
		strides = append(strides, steps[i]*strides[2+i])
		strides[2+i] *= gap
	}
	return unfold(x, shape, strides)
}

// perAxis returns a setting for every axis: as given, one number for all, or a default.
func perAxis(dims int, v []int, otherwise int) []int {
	switch len(v) {
	case 0:
		return slices.Repeat([]int{otherwise}, dims)
	case 1:
		return slices.Repeat(v, dims)
	}
	return v
}

// unfold copies windows of x [n, c, s...], found with strides, into shape
// [n, c, k..., o...].
func unfold(x *Tensor, shape, strides []int) *Tensor {
	y := autograd.Make(x.DType(), shape, x)
	y.Device().Strided(y.Slice(), 0, rowMajor(shape), x.Slice(), 0, strides, shape)
	autograd.Apply(unfoldRule{strides}, list(y), list(x), nil)
	return y
}

type unfoldRule struct{ strides []int }

func (unfoldRule) Name() string { return "unfold" }

// Windows overlap, but the elements at one place of all windows do not: for each
// place, they go into a copy of x of its own, and the copies are summed.
func (r unfoldRule) Backward(c *autograd.Call, g []*Tensor) []*Tensor {
	shape, x := g[0].Shape(), c.Inputs[0].Shape()
	kernel := shape[2:len(x)]
	copies := whole(slices.Concat(kernel, x))
	apart := copies.strides
	copies.strides = slices.Clone(r.strides)
	for i := range kernel {
		copies.strides[2+i] += apart[i]
	}
	return list(sumTo(copyBlock("fold", g[0], whole(shape), copies, shape, 0), x))
}
