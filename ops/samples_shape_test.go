package ops_test

import (
	"fmt"
	"slices"

	"github.com/muppet-go/muppet/ops"
)

// layoutSamples are of the operations that move elements.
func layoutSamples() (all []sample) {
	one := func(op string, name any, shape []int, f func(x *tensor) *tensor, plain func(x array) array) {
		all = append(all, sample{op: op, name: fmt.Sprint(name), inputs: []input{normal(shape...)},
			f:     func(in ...*tensor) *tensor { return f(in[0]) },
			plain: func(in ...array) array { return plain(in[0]) }})
	}
	for _, c := range []struct{ shape, axes, want []int }{
		{[]int{2, 1, 3, 1}, nil, []int{2, 3}}, {[]int{2, 1, 3, 1}, []int{-1}, []int{2, 1, 3}}, {[]int{1, 2, 1}, []int{2, 1, 0}, []int{2}},
		{[]int{1, 1}, nil, []int{}}, {[]int{}, nil, []int{}}, {[]int{0, 1}, []int{1}, []int{0}},
	} {
		one("Squeeze", c, c.shape, func(x *tensor) *tensor { return ops.Squeeze(x, c.axes...) },
			func(x array) array { return array{c.want, x.v} })
	}
	for _, c := range []struct {
		shape []int
		axis  int
		want  []int
	}{
		{[]int{}, 0, []int{1}}, {[]int{}, -1, []int{1}}, {[]int{2, 3}, 0, []int{1, 2, 3}}, {[]int{2, 3}, 2, []int{2, 3, 1}},
		{[]int{2, 3}, -1, []int{2, 3, 1}}, {[]int{2, 3}, -3, []int{1, 2, 3}}, {[]int{0}, 1, []int{0, 1}},
	} {
		one("Unsqueeze", c, c.shape, func(x *tensor) *tensor { return ops.Unsqueeze(x, c.axis) },
			func(x array) array { return array{c.want, x.v} })
	}
	one("Permute", "negative", []int{2, 3, 4}, func(x *tensor) *tensor { return ops.Permute(x, -1, 1, -3) },
		func(x array) array { return transpose(x, 0, 2) })
	for _, c := range []struct{ axis, start, end, from, to int }{{0, -3, -1, 1, 3}, {1, -2, 3, 1, 3}, {-1, 0, -2, 0, 1}} {
		one("Slice", fmt.Sprint("negative", c), []int{4, 3}, func(x *tensor) *tensor { return ops.Slice(x, c.axis, c.start, c.end) },
			func(x array) array {
				axis, shape := (c.axis+2)%2, []int{4, 3}
				shape[axis] = c.to - c.from
				return fill(shape, func(at []int) float64 {
					at[axis] += c.from
					return x.get(at...)
				})
			})
	}
	for _, c := range []struct {
		shape, sizes []int
		axis         int
	}{
		{[]int{5, 2}, []int{2, 0, 3}, 0}, {[]int{2, 4, 2}, []int{3, 1}, 1}, {[]int{2, 4}, []int{1, 1, 2}, -1}, {[]int{0}, []int{0, 0}, 0}, {[]int{1}, []int{1}, 0},
	} {
		axis := (c.axis + len(c.shape)) % len(c.shape)
		one("Split", c, c.shape, func(x *tensor) *tensor {
			parts := ops.Split(x, c.axis, c.sizes...)
			slices.Reverse(parts)
			return ops.Concat(c.axis, parts...)
		}, func(x array) array {
			return fill(c.shape, func(at []int) float64 {
				start, end := 0, c.shape[axis] // of the part that holds the element: the last one is first
				for k := len(c.sizes) - 1; ; k-- {
					start = end - c.sizes[k]
					if at[axis] < c.sizes[k] {
						break
					}
					at[axis] -= c.sizes[k]
					end = start
				}
				at[axis] += start
				return x.get(at...)
			})
		})
	}
	for _, c := range []struct {
		shape  []int
		value  float64
		widths [][2]int
	}{
		{[]int{2, 3}, 0, [][2]int{{1, 0}, {2, 1}}}, {[]int{3}, -1.5, [][2]int{{0, 2}}}, {[]int{2, 1, 2}, 7, [][2]int{{0, 0}, {1, 1}, {0, 0}}},
		{[]int{}, 1, nil}, {[]int{0, 2}, 3, [][2]int{{1, 1}, {0, 1}}}, {[]int{2, 2}, 1, [][2]int{{0, 0}, {0, 0}}},
	} {
		one("Pad", c, c.shape, func(x *tensor) *tensor { return ops.Pad(x, c.value, c.widths...) },
			func(x array) array {
				shape := slices.Clone(c.shape)
				for i, w := range c.widths {
					shape[i] += w[0] + w[1]
				}
				return fill(shape, func(at []int) float64 {
					for i := range at {
						if at[i] -= c.widths[i][0]; at[i] < 0 || at[i] >= c.shape[i] {
							return c.value
						}
					}
					return x.get(at...)
				})
			})
	}
	for _, c := range []struct{ shape, axes []int }{
		{[]int{5}, []int{0}}, {[]int{2, 3}, []int{-1}}, {[]int{2, 3}, []int{0, 1}}, {[]int{2, 3, 2}, []int{1}}, {[]int{}, nil}, {[]int{2, 2}, nil}, {[]int{0, 3}, []int{0, 1}}, {[]int{1, 1}, []int{0}},
	} {
		one("Flip", c, c.shape, func(x *tensor) *tensor { return ops.Flip(x, c.axes...) },
			func(x array) array {
				return fill(c.shape, func(at []int) float64 {
					for _, axis := range c.axes {
						axis = (axis + len(at)) % len(at)
						at[axis] = c.shape[axis] - 1 - at[axis]
					}
					return x.get(at...)
				})
			})
	}
	for _, c := range []struct{ shape, counts []int }{
		{[]int{2}, []int{3}}, {[]int{2, 3}, []int{2, 2}}, {[]int{2, 3}, []int{2, 1, 2}}, {[]int{}, []int{3}}, {[]int{}, nil}, {[]int{2}, []int{0}}, {[]int{0, 2}, []int{2, 2}}, {[]int{1}, []int{1, 1}},
	} {
		one("Repeat", c, c.shape, func(x *tensor) *tensor { return ops.Repeat(x, c.counts...) },
			func(x array) array {
				shape, lead := slices.Clone(c.counts), len(c.counts)-len(c.shape)
				for i, d := range c.shape {
					shape[lead+i] *= d
				}
				return fill(shape, func(at []int) float64 {
					for i, d := range c.shape {
						at[lead+i] %= d
					}
					return x.get(at[lead:]...)
				})
			})
	}
	for _, c := range []struct {
		shape    []int
		diagonal int
	}{
		{[]int{3, 3}, 0}, {[]int{3, 4}, 1}, {[]int{4, 2}, -1}, {[]int{2, 3, 3}, 0}, {[]int{2, 1, 2, 3}, -1}, {[]int{1, 1}, -1}, {[]int{0, 3}, 0}, {[]int{2, 3}, 9}, {[]int{2, 3}, -9},
	} {
		keep := func(inside func(column, edge int) bool) func(x array) array {
			return func(x array) array {
				return fill(c.shape, func(at []int) float64 {
					if n := len(at); !inside(at[n-1], at[n-2]+c.diagonal) {
						return 0
					}
					return x.get(at...)
				})
			}
		}
		one("Tril", c, c.shape, func(x *tensor) *tensor { return ops.Tril(x, c.diagonal) }, keep(func(column, edge int) bool { return column <= edge }))
		one("Triu", c, c.shape, func(x *tensor) *tensor { return ops.Triu(x, c.diagonal) }, keep(func(column, edge int) bool { return column >= edge }))
	}
	for _, c := range []struct {
		axis, n int
		shape   []int
	}{{0, 2, []int{3}}, {-1, 3, []int{2, 2}}, {1, 2, []int{2, 3}}, {-3, 2, []int{2, 1}}, {0, 2, []int{}}, {1, 1, []int{2}}, {0, 2, []int{0}}} {
		all = append(all, sample{op: "Stack", name: fmt.Sprint(c), inputs: slices.Repeat([]input{normal(c.shape...)}, c.n),
			f: func(in ...*tensor) *tensor { return ops.Stack(c.axis, in...) },
			plain: func(in ...array) array {
				axis := (c.axis + len(c.shape) + 1) % (len(c.shape) + 1)
				return fill(slices.Insert(slices.Clone(c.shape), axis, c.n), func(at []int) float64 {
					return in[at[axis]].get(slices.Delete(slices.Clone(at), axis, axis+1)...)
				})
			}})
	}
	return all
}
