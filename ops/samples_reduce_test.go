package ops_test

import (
	"fmt"
	"math"
	"slices"

	"github.com/muppet-go/muppet/ops"
)

// norm is the p-norm for finite p.
func norm(p float64) func(v []float64) float64 {
	return func(v []float64) float64 {
		s := 0.0
		for _, x := range v {
			s += math.Pow(math.Abs(x), p)
		}
		return math.Pow(s, 1/p)
	}
}

func variance(correction int) func(v []float64) float64 {
	return func(v []float64) float64 {
		mu, s := mean(v), 0.0
		for _, x := range v {
			s += (x - mu) * (x - mu)
		}
		return s / float64(len(v)-correction)
	}
}

func highest(v []float64) float64 {
	m := 0.0
	for _, x := range v {
		m = max(m, math.Abs(x))
	}
	return m
}

func lowest(v []float64) float64 {
	m := math.Inf(1)
	for _, x := range v {
		m = min(m, math.Abs(x))
	}
	return m
}

func reductionSamples() (all []sample) {
	type reduction struct {
		op, kind string
		f        func(x *tensor, axes ...int) *tensor
		plain    func(v []float64) float64
		input    func(...int) input
	}
	reductions := []reduction{
		{"Var", "", func(x *tensor, axes ...int) *tensor { return ops.Var(x, 0, axes...) }, variance(0), normal},
		{"Max", "", ops.Max, slices.Max[[]float64], normal},
		{"Min", "", ops.Min, slices.Min[[]float64], normal},
		{"LogSumExp", "", ops.LogSumExp, logSumExp, normal},
		{"Norm", " inf", func(x *tensor, axes ...int) *tensor { return ops.Norm(x, math.Inf(1), axes...) }, highest, normal},
		{"Norm", " -inf", func(x *tensor, axes ...int) *tensor { return ops.Norm(x, math.Inf(-1), axes...) }, lowest, normal},
	}
	for _, p := range []float64{1, 2, 3, 1.5, 0.5, -1} {
		reductions = append(reductions, reduction{"Norm", fmt.Sprint(" ", p),
			func(x *tensor, axes ...int) *tensor { return ops.Norm(x, p, axes...) }, norm(p), positive})
	}
	for _, r := range reductions {
		for _, c := range []struct {
			shape, axes []int
		}{
			{[]int{2, 3}, nil}, {[]int{2, 3}, []int{0}}, {[]int{2, 3}, []int{-1}}, {[]int{2, 3, 4}, []int{0, 2}}, {[]int{2, 3, 4}, []int{1, 2}},
			{[]int{}, nil}, {[]int{1}, nil}, {[]int{2, 1, 3}, []int{2, 0}}, {[]int{0, 3}, []int{1}}, {[]int{7}, []int{0}},
		} {
			all = append(all, sample{op: r.op, name: fmt.Sprint(c, r.kind), inputs: []input{r.input(c.shape...)},
				f:     func(in ...*tensor) *tensor { return r.f(in[0], c.axes...) },
				plain: func(in ...array) array { return reduce(in[0], c.axes, r.plain) }})
		}
	}
	for _, axes := range [][]int{nil, {0}, {1, 2}} {
		all = append(all, sample{op: "Var", name: fmt.Sprint("unbiased ", axes), inputs: []input{normal(3, 2, 3)},
			f:     func(in ...*tensor) *tensor { return ops.Var(in[0], 1, axes...) },
			plain: func(in ...array) array { return reduce(in[0], axes, variance(1)) }})
	}
	for _, c := range []struct {
		shape []int
		axis  int
	}{{[]int{2, 3}, 1}, {[]int{2, 3}, 0}, {[]int{2, 3, 2}, -2}, {[]int{5}, 0}, {[]int{1}, 0}, {[]int{3, 1}, 1}, {[]int{0, 2}, 1}, {[]int{0}, 0}, {[]int{2, 0}, 1}} {
		axis := (c.axis + len(c.shape)) % len(c.shape)
		all = append(all,
			sample{op: "CumSum", name: fmt.Sprint(c), inputs: []input{normal(c.shape...)},
				f: func(in ...*tensor) *tensor { return ops.CumSum(in[0], c.axis) },
				plain: func(in ...array) array {
					return fill(c.shape, func(at []int) float64 {
						s := 0.0
						for ; at[axis] >= 0; at[axis]-- {
							s += in[0].get(at...)
						}
						return s
					})
				}},
			sample{op: "LogSoftmax", name: fmt.Sprint(c), inputs: []input{normal(c.shape...)},
				f: func(in ...*tensor) *tensor { return ops.LogSoftmax(in[0], c.axis) },
				plain: func(in ...array) array {
					return elementwise(func(x ...float64) float64 { return math.Log(x[0]) })(softmax(in[0], axis))
				}},
		)
		if c.shape[axis] > 0 {
			all = append(all, sample{op: "ArgMin", name: fmt.Sprint(c), inputs: []input{normal(c.shape...)}, flat: true,
				f: func(in ...*tensor) *tensor { return ops.ArgMin(in[0], c.axis) },
				plain: func(in ...array) array {
					return reduce(in[0], []int{c.axis}, func(v []float64) float64 { return float64(slices.Index(v, slices.Min(v))) })
				}})
		}
	}
	return all
}
