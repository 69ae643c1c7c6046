package ops_test

import (
	"fmt"
	"slices"
	"sort"

	"github.com/muppet-go/muppet/ops"
)

// gatherSamples are of the operations with indices of elements, and of those that
// give such indices.
func gatherSamples() (all []sample) {
	table := func(x *tensor, shape []int, v []int32) *tensor { return ops.Reshape(ints(x, v...), shape...) }
	for _, c := range []struct {
		shape []int
		axis  int
		at    []int // shape of the index
		index []int32
	}{
		{[]int{3}, 0, []int{4}, []int32{2, 0, 2, 1}}, {[]int{3, 2}, 0, []int{2, 2}, []int32{2, 0, 0, 0}}, {[]int{2, 3}, 1, []int{2, 2}, []int32{2, 1, 0, 0}},
		{[]int{2, 3}, -1, []int{1, 4}, []int32{2, 2, 2, 0}}, {[]int{2, 3, 2}, 1, []int{2, 1, 2}, []int32{0, 1, 2, 0}}, {[]int{3, 2, 2}, -3, []int{2, 1, 2}, []int32{0, 2, 2, 1}},
		{[]int{2, 3}, 1, []int{0, 3}, []int32{}}, {[]int{0, 3}, 1, []int{0, 2}, []int32{}}, {[]int{1, 1}, 0, []int{3, 1}, []int32{0, 0, 0}},
	} {
		axis := (c.axis + len(c.shape)) % len(c.shape)
		index := array{c.at, make([]float64, len(c.index))}
		for i, v := range c.index {
			index.v[i] = float64(v)
		}
		all = append(all,
			sample{op: "Gather", name: fmt.Sprint(c), inputs: []input{normal(c.shape...)},
				f: func(in ...*tensor) *tensor { return ops.Gather(in[0], c.axis, table(in[0], c.at, c.index)) },
				plain: func(in ...array) array {
					return fill(c.at, func(at []int) float64 { return in[0].element(named(index, axis, at)) })
				}},
			sample{op: "ScatterAdd", name: fmt.Sprint(c), inputs: []input{normal(c.shape...), normal(larger(c.at)...)},
				f: func(in ...*tensor) *tensor {
					return ops.ScatterAdd(in[0], c.axis, table(in[0], c.at, c.index), in[1])
				},
				plain: func(in ...array) array {
					return fill(c.shape, func(to []int) float64 {
						s := in[0].element(to)
						each(c.at, func(at []int) {
							if slices.Equal(named(index, axis, at), to) {
								s += in[1].element(at)
							}
						})
						return s
					})
				}})
	}
	for _, c := range []struct {
		n, size int
		at      []int
		ids     []int32
	}{
		{4, 3, []int{5}, []int32{3, 0, 3, 1, 3}}, {3, 2, []int{2, 3}, []int32{0, 1, 2, 2, 2, 0}}, {2, 2, []int{}, []int32{1}}, {2, 2, []int{2, 0}, []int32{}}, {1, 1, []int{1, 1, 1}, []int32{0}}, {2, 0, []int{2}, []int32{0, 1}},
	} {
		all = append(all,
			sample{op: "Embedding", name: fmt.Sprint(c), inputs: []input{normal(c.n, c.size)},
				f: func(in ...*tensor) *tensor { return ops.Embedding(in[0], table(in[0], c.at, c.ids)) },
				plain: func(in ...array) array {
					y := array{append(slices.Clone(c.at), c.size), nil}
					for _, id := range c.ids {
						y.v = append(y.v, in[0].v[int(id)*c.size:][:c.size]...)
					}
					return y
				}},
			sample{op: "OneHot", name: fmt.Sprint(c), inputs: []input{normal(c.n)}, flat: true,
				f: func(in ...*tensor) *tensor { return ops.OneHot(table(in[0], c.at, c.ids), c.n) },
				plain: func(in ...array) array {
					y := zeros(append(slices.Clone(c.at), c.n)...)
					for i, id := range c.ids {
						y.v[i*c.n+int(id)] = 1
					}
					return y
				}})
	}
	for _, c := range []struct {
		shape   []int
		axis, k int
	}{{[]int{5}, 0, 2}, {[]int{3, 4}, 1, 3}, {[]int{3, 4}, 0, 2}, {[]int{2, 3, 2}, -2, 3}, {[]int{2, 3}, -1, 0}, {[]int{0, 3}, 1, 1}, {[]int{1}, 0, 1}, {[]int{2, 0}, 1, 0}} {
		axis := (c.axis + len(c.shape)) % len(c.shape)
		for _, descending := range []bool{false, true} {
			sorted := func(x array, k int, places bool) array {
				shape := slices.Clone(x.shape)
				shape[axis] = k
				return fill(shape, func(at []int) float64 {
					n := at[axis]
					from := slices.Clone(at)
					get := func(i int) float64 {
						from[axis] = i
						return x.element(from)
					}
					order := make([]int, x.shape[axis])
					for i := range order {
						order[i] = i
					}
					sort.SliceStable(order, func(i, j int) bool {
						if descending {
							i, j = j, i
						}
						return get(order[i]) < get(order[j])
					})
					if places {
						return float64(order[n])
					}
					return get(order[n])
				})
			}
			name := fmt.Sprint(c, " descending ", descending)
			all = append(all,
				sample{op: "Sort", name: name, inputs: []input{normal(c.shape...)},
					f:     func(in ...*tensor) *tensor { values, _ := ops.Sort(in[0], c.axis, descending); return values },
					plain: func(in ...array) array { return sorted(in[0], c.shape[axis], false) }},
				sample{op: "Sort", name: name + " indices", inputs: []input{normal(c.shape...)}, flat: true,
					f:     func(in ...*tensor) *tensor { _, indices := ops.Sort(in[0], c.axis, descending); return indices },
					plain: func(in ...array) array { return sorted(in[0], c.shape[axis], true) }})
			if descending {
				all = append(all,
					sample{op: "TopK", name: name, inputs: []input{normal(c.shape...)},
						f:     func(in ...*tensor) *tensor { values, _ := ops.TopK(in[0], c.k, c.axis); return values },
						plain: func(in ...array) array { return sorted(in[0], c.k, false) }},
					sample{op: "TopK", name: name + " indices", inputs: []input{normal(c.shape...)}, flat: true,
						f:     func(in ...*tensor) *tensor { _, indices := ops.TopK(in[0], c.k, c.axis); return indices },
						plain: func(in ...array) array { return sorted(in[0], c.k, true) }})
			}
		}
	}
	return all
}

// element is get without broadcasting.
func (a array) element(at []int) float64 {
	i := 0
	for k, d := range a.shape {
		i = i*d + at[k]
	}
	return a.v[i]
}

// named returns at with what index has there in the place of an axis.
func named(index array, axis int, at []int) []int {
	to := slices.Clone(at)
	to[axis] = int(index.element(at))
	return to
}

// larger returns a shape with one more along the last axis.
func larger(shape []int) []int {
	shape = slices.Clone(shape)
	shape[len(shape)-1]++
	return shape
}

// productSamples are of matrix products that broadcast, and of vectors.
func productSamples() (all []sample) {
	for _, c := range [][2][]int{
		{{3}, {3}}, {{0}, {0}}, {{1}, {1}}, {{3}, {3, 2}}, {{2, 3}, {3}}, {{3}, {2, 3, 2}}, {{2, 2, 3}, {3}}, {{2, 3}, {2, 3, 2}}, {{1, 2, 3}, {2, 3, 1}},
		{{2, 1, 1, 2}, {3, 2, 2}}, {{2, 1, 2, 2}, {1, 3, 2, 1}}, {{1, 2, 1}, {1, 2}}, {{0, 2, 3}, {3, 2}}, {{1, 2, 3}, {0, 3, 2}}, {{2, 1, 2, 2}, {0, 2, 1}}, {{2, 3}, {0, 3, 2}}, {{2, 2, 0}, {2, 0, 2}},
	} {
		all = append(all, sample{op: "MatMul", name: fmt.Sprint("broadcast ", c), inputs: []input{normal(c[0]...), normal(c[1]...)},
			f: func(in ...*tensor) *tensor { return ops.MatMul(in[0], in[1]) },
			plain: func(in ...array) array {
				a, b := in[0], in[1]
				if len(a.shape) == 1 {
					a.shape = []int{1, a.shape[0]}
				}
				if len(b.shape) == 1 {
					b.shape = []int{b.shape[0], 1}
				}
				m, k, n := a.shape[len(a.shape)-2], a.shape[len(a.shape)-1], b.shape[len(b.shape)-1]
				lead := elementwise(func(...float64) float64 { return 0 })(zeros(a.shape[:len(a.shape)-2]...), zeros(b.shape[:len(b.shape)-2]...)).shape
				y := fill(append(slices.Clone(lead), m, n), func(at []int) float64 {
					s := 0.0
					for i := range k {
						left, right := slices.Clone(at), slices.Clone(at)
						left[len(at)-1], right[len(at)-2] = i, i
						s += a.get(left...) * b.get(right...)
					}
					return s
				})
				y.shape = slices.Clone(lead)
				if len(in[0].shape) > 1 {
					y.shape = append(y.shape, m)
				}
				if len(in[1].shape) > 1 {
					y.shape = append(y.shape, n)
				}
				return y
			}})
	}
	return all
}
