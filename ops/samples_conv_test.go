package ops_test

import (
	"fmt"
	"math"
	"slices"

	"github.com/muppet-go/muppet/ops"
)

func convSamples() (all []sample) {
	for _, c := range []struct {
		x, w []int
		bias bool
		cfg  ops.ConvConfig
	}{
		{[]int{2, 3, 5}, []int{2, 3, 3}, true, ops.ConvConfig{}},
		{[]int{1, 1, 1}, []int{1, 1, 1}, false, ops.ConvConfig{}},
		{[]int{1, 2, 6}, []int{2, 2, 2}, false, ops.ConvConfig{Stride: []int{2}, Padding: []int{1}, Dilation: []int{3}}},
		{[]int{2, 4, 3}, []int{2, 2, 2}, true, ops.ConvConfig{Groups: 2}},
		{[]int{1, 3, 4}, []int{3, 1, 2}, true, ops.ConvConfig{Groups: 3, Padding: []int{2}}},
		{[]int{0, 2, 3}, []int{1, 2, 2}, true, ops.ConvConfig{}},
		{[]int{1, 2, 3, 4}, []int{2, 2, 2, 3}, true, ops.ConvConfig{}},
		{[]int{2, 1, 3, 3}, []int{2, 1, 3, 3}, true, ops.ConvConfig{Padding: []int{1}}},
		{[]int{2, 2, 3, 2}, []int{2, 2, 1, 1}, false, ops.ConvConfig{}},
		{[]int{1, 2, 5, 4}, []int{2, 1, 2, 2}, true, ops.ConvConfig{Stride: []int{2, 1}, Padding: []int{0, 1}, Dilation: []int{1, 2}, Groups: 2}},
		{[]int{2, 2, 4, 3}, []int{2, 1, 3, 1}, false, ops.ConvConfig{Stride: []int{3, 2}, Padding: []int{2, 0}, Groups: 2}},
		{[]int{1, 1, 5, 5}, []int{1, 1, 2, 2}, false, ops.ConvConfig{Stride: []int{3}}}, // the last row and column in no window
	} {
		f, op := ops.Conv1d, "Conv1d"
		if len(c.x) == 4 {
			f, op = ops.Conv2d, "Conv2d"
		}
		inputs := []input{normal(c.x...), normal(c.w...)}
		if c.bias {
			inputs = append(inputs, normal(c.w[0]))
		}
		all = append(all, sample{op: op, name: fmt.Sprint(c), inputs: inputs,
			f: func(in ...*tensor) *tensor {
				if c.bias {
					return f(in[0], in[1], in[2], c.cfg)
				}
				return f(in[0], in[1], nil, c.cfg)
			},
			plain: func(in ...array) array {
				var bias []float64
				if c.bias {
					bias = in[2].v
				}
				return convolution(in[0], in[1], bias, c.cfg)
			}})
	}
	return all
}

// setting returns element i of a setting for all axes.
func setting(v []int, i, otherwise int) int {
	if v == nil {
		return otherwise
	}
	return v[min(i, len(v)-1)]
}

// spatial returns the sizes of a result of windows.
func spatial(x, kernel []int, stride, padding, dilation func(i int) int) (sizes []int) {
	for i, k := range kernel {
		n := 0
		for start := -padding(i); start+dilation(i)*(k-1) < x[2+i]+padding(i); start += stride(i) {
			n++
		}
		sizes = append(sizes, n)
	}
	return sizes
}

func convolution(x, w array, bias []float64, cfg ops.ConvConfig) array {
	stride := func(i int) int { return setting(cfg.Stride, i, 1) }
	padding := func(i int) int { return setting(cfg.Padding, i, 0) }
	dilation := func(i int) int { return setting(cfg.Dilation, i, 1) }
	perGroup := w.shape[0] / max(cfg.Groups, 1)
	return fill(slices.Concat([]int{x.shape[0], w.shape[0]}, spatial(x.shape, w.shape[2:], stride, padding, dilation)), func(at []int) float64 {
		s := 0.0
		if bias != nil {
			s = bias[at[1]]
		}
		each(w.shape[1:], func(tap []int) {
			from := []int{at[0], at[1]/perGroup*w.shape[1] + tap[0]}
			for i, k := range tap[1:] {
				from = append(from, at[2+i]*stride(i)-padding(i)+k*dilation(i))
			}
			if inside(from, x.shape) {
				s += x.element(from) * w.element(append([]int{at[1]}, tap...))
			}
		})
		return s
	})
}

func inside(at, shape []int) bool {
	for i, d := range shape {
		if at[i] < 0 || at[i] >= d {
			return false
		}
	}
	return true
}

func poolSamples() (all []sample) {
	for _, c := range []struct {
		x   []int
		cfg ops.PoolConfig
	}{
		{[]int{2, 2, 5}, ops.PoolConfig{Kernel: []int{2}}}, {[]int{1, 1, 1}, ops.PoolConfig{Kernel: []int{1}}},
		{[]int{1, 2, 5}, ops.PoolConfig{Kernel: []int{3}, Stride: []int{1}, Padding: []int{1}}}, {[]int{0, 1, 2}, ops.PoolConfig{Kernel: []int{2}}},
		{[]int{2, 0, 2}, ops.PoolConfig{Kernel: []int{1}}},
		{[]int{1, 2, 4, 4}, ops.PoolConfig{Kernel: []int{2}}}, {[]int{2, 1, 3, 5}, ops.PoolConfig{Kernel: []int{2, 3}, Stride: []int{1, 2}, Padding: []int{1, 0}}},
		{[]int{1, 1, 5, 3}, ops.PoolConfig{Kernel: []int{3, 2}, Stride: []int{2}, Padding: []int{1}}}, {[]int{1, 1, 2, 2}, ops.PoolConfig{Kernel: []int{2}}},
	} {
		largest, average, dims := ops.MaxPool1d, ops.AvgPool1d, 1
		if len(c.x) == 4 {
			largest, average, dims = ops.MaxPool2d, ops.AvgPool2d, 2
		}
		kernel := []int{}
		for i := range dims {
			kernel = append(kernel, setting(c.cfg.Kernel, i, 0))
		}
		stride := func(i int) int { return setting(c.cfg.Stride, i, kernel[i]) }
		padding := func(i int) int { return setting(c.cfg.Padding, i, 0) }
		// over combines what the windows see; padding is left out.
		over := func(combine func(seen []float64) float64) func(in ...array) array {
			return func(in ...array) array {
				return fill(slices.Concat(c.x[:2], spatial(c.x, kernel, stride, padding, func(int) int { return 1 })), func(at []int) float64 {
					var seen []float64
					each(kernel, func(tap []int) {
						from := slices.Clone(at)
						for i, k := range tap {
							from[2+i] = at[2+i]*stride(i) - padding(i) + k
						}
						if inside(from, c.x) {
							seen = append(seen, in[0].element(from))
						}
					})
					return combine(seen)
				})
			}
		}
		all = append(all,
			sample{op: fmt.Sprintf("MaxPool%dd", dims), name: fmt.Sprint(c), inputs: []input{normal(c.x...)},
				f:     func(in ...*tensor) *tensor { return largest(in[0], c.cfg) },
				plain: over(func(seen []float64) float64 { return slices.Max(append(seen, math.Inf(-1))) })},
			sample{op: fmt.Sprintf("AvgPool%dd", dims), name: fmt.Sprint(c), inputs: []input{normal(c.x...)},
				f:     func(in ...*tensor) *tensor { return average(in[0], c.cfg) },
				plain: over(func(seen []float64) float64 { return sum(seen) / float64(numel(kernel)) })})
	}
	return all
}
