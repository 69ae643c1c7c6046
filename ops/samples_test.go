package ops_test

import (
	"fmt"
	"math"
	"slices"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/ops"
)

type tensor = autograd.Tensor

// A sample is an operation with inputs to check it on. Everything that the suite
// checks of an operation follows from its samples.
type sample struct {
	op     string // the operation's exported name
	name   string // what is special about this sample
	inputs []input
	f      func(in ...*tensor) *tensor
	plain  func(in ...array) array // the same as plain loops
	torch  string                  // the same in PyTorch, of inputs x[0], x[1]; if it is not in testdata/pytorch.py
	flat   bool                    // has no gradients
}

// registered are samples that stand beside their operation's other tests.
var registered []sample

// register adds samples to the table.
func register(s ...sample) {
	registered = append(registered, s...)
}

// An input is drawn uniformly from [low, high).
type input struct {
	shape     []int
	low, high float64
}

func normal(shape ...int) input   { return input{shape, -2, 2} }
func positive(shape ...int) input { return input{shape, 0.5, 2} }

// ints returns an index vector on the device and in the scope of like.
func ints(like *tensor, v ...int32) *tensor {
	return autograd.NewOn(like.Device(), v)
}

var key = device.NewKey(5)

func samples() []sample {
	all := slices.Clone(registered)
	all = append(all, unarySamples()...)
	all = append(all, binarySamples()...)
	all = append(all, pointwiseSamples()...)
	all = append(all, shapeSamples()...)
	all = append(all, layoutSamples()...)
	all = append(all, reduceSamples()...)
	all = append(all, matmulSamples()...)
	all = append(all, indexSamples()...)
	all = append(all, gatherSamples()...)
	all = append(all, productSamples()...)
	all = append(all, einsumSamples()...)
	all = append(all, convSamples()...)
	all = append(all, poolSamples()...)
	all = append(all, normSamples()...)
	all = append(all, attentionSamples()...)
	all = append(all, crossEntropySamples()...)
	all = append(all, elementwiseSamples()...)
	all = append(all, reductionSamples()...)
	all = append(all, lossSamples()...)
	return all
}

// Shapes of elementwise operations: no dimensions, empty, one element, odd sizes.
var shapes = [][]int{{}, {0}, {1}, {7}, {2, 3}, {1, 1, 1}, {2, 0, 3}, {3, 1, 5}}

func unarySamples() (all []sample) {
	for _, c := range []struct {
		op    string
		f     func(*tensor) *tensor
		plain func(float64) float64
		input func(...int) input
	}{
		{"Neg", ops.Neg, func(x float64) float64 { return -x }, normal},
		{"Abs", ops.Abs, math.Abs, normal},
		{"Sqrt", ops.Sqrt, math.Sqrt, positive},
		{"Exp", ops.Exp, math.Exp, normal},
		{"Log", ops.Log, math.Log, positive},
		{"Tanh", ops.Tanh, math.Tanh, normal},
		{"Erf", ops.Erf, math.Erf, normal},
		{"Sin", ops.Sin, math.Sin, normal},
		{"Cos", ops.Cos, math.Cos, normal},
		{"ReLU", ops.ReLU, func(x float64) float64 { return max(x, 0) }, normal},
		{"Sigmoid", ops.Sigmoid, func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }, normal},
		{"GELU", ops.GELU, gelu, normal},
		{"Scale", func(x *tensor) *tensor { return ops.Scale(x, -1.7) }, func(x float64) float64 { return -1.7 * x }, normal},
	} {
		for _, shape := range shapes {
			all = append(all, sample{
				op: c.op, name: fmt.Sprint(shape), inputs: []input{c.input(shape...)},
				f:     func(in ...*tensor) *tensor { return c.f(in[0]) },
				plain: elementwise(func(x ...float64) float64 { return c.plain(x[0]) }),
			})
		}
	}
	return all
}

// Pairs of shapes that broadcast: equal, row, column, scalar, middle, both operands.
var pairs = [][2][]int{
	{{2, 3}, {2, 3}}, {{}, {}}, {{0}, {0}}, {{0, 3}, {3}}, {{1}, {0}}, {{3}, {2, 3}}, {{2, 3}, {3}}, {{2, 3}, {2, 1}}, {{2, 1}, {2, 3}},
	{{2, 3}, {}}, {{}, {2, 3}}, {{2, 3}, {1}}, {{1, 1}, {3}}, {{2, 3, 2}, {2, 1, 2}}, {{2, 3, 2}, {3, 1}}, {{2, 1}, {1, 3}}, {{2, 1, 2}, {3, 1}},
}

func binarySamples() (all []sample) {
	for _, c := range []struct {
		op    string
		f     func(x, y *tensor) *tensor
		plain func(x, y float64) float64
		input func(...int) input
	}{
		{"Add", ops.Add, func(x, y float64) float64 { return x + y }, normal},
		{"Sub", ops.Sub, func(x, y float64) float64 { return x - y }, normal},
		{"Mul", ops.Mul, func(x, y float64) float64 { return x * y }, normal},
		{"Div", ops.Div, func(x, y float64) float64 { return x / y }, positive},
		{"Maximum", ops.Maximum, func(x, y float64) float64 { return max(x, y) }, normal},
		{"Minimum", ops.Minimum, func(x, y float64) float64 { return min(x, y) }, normal},
		{"Pow", ops.Pow, math.Pow, positive},
		{"BiasGELU", ops.BiasGELU, func(x, y float64) float64 { return gelu(x + y) }, normal},
	} {
		for _, pair := range pairs {
			all = append(all, sample{
				op: c.op, name: fmt.Sprint(pair), inputs: []input{c.input(pair[0]...), c.input(pair[1]...)},
				f:     func(in ...*tensor) *tensor { return c.f(in[0], in[1]) },
				plain: elementwise(func(x ...float64) float64 { return c.plain(x[0], x[1]) }),
			})
		}
	}
	return all
}

func pointwiseSamples() (all []sample) {
	mish := ops.Pointwise("mish", func(b *device.Builder, in ...device.Value) device.Value {
		return b.Mul(in[0], b.Tanh(b.Log(b.Add(b.Const(1), b.Exp(in[0])))))
	})
	blend := ops.Pointwise("blend", func(b *device.Builder, in ...device.Value) device.Value {
		return b.Add(b.Mul(in[0], in[1]), b.Mul(in[2], b.Mul(in[2], in[0])))
	})
	all = append(all,
		sample{op: "Pointwise", name: "mish", inputs: []input{normal(2, 3)}, f: mish,
			plain: elementwise(func(x ...float64) float64 { return x[0] * math.Tanh(math.Log(1+math.Exp(x[0]))) })},
		sample{op: "Pointwise", name: "blend", inputs: []input{normal(2, 1, 3), normal(2, 2, 1), normal(3)}, f: blend,
			plain: elementwise(func(x ...float64) float64 { return x[0]*x[1] + x[2]*x[2]*x[0] })},
	)
	for _, p := range []float64{0, 0.4} {
		all = append(all,
			sample{op: "Dropout", name: fmt.Sprint(p), inputs: []input{normal(3, 5)},
				f: func(in ...*tensor) *tensor { return ops.Dropout(in[0], p, key) },
				plain: func(in ...array) array {
					y := zeros(3, 5)
					for i, f := range dropped(key, 15, p) {
						y.v[i] = in[0].v[i] * f
					}
					return y
				}},
			sample{op: "DropoutAdd", name: fmt.Sprint(p), inputs: []input{normal(3, 5), normal(5), normal(3, 5)},
				f: func(in ...*tensor) *tensor { return ops.DropoutAdd(in[0], in[1], in[2], p, key) },
				plain: func(in ...array) array {
					y := zeros(3, 5)
					for i, f := range dropped(key, 15, p) {
						y.v[i] = (in[0].v[i]+in[1].v[i%5])*f + in[2].v[i]
					}
					return y
				}},
		)
	}
	return all
}

func shapeSamples() (all []sample) {
	for _, c := range [][2][]int{{{2, 3}, {3, 2}}, {{2, 3}, {6}}, {{2, 3}, {-1, 1}}, {{1}, {}}, {{}, {1, 1}}, {{0, 3}, {0}}, {{2, 3}, {2, 3}}, {{0, 3}, {-1, 3}}} {
		all = append(all, sample{op: "Reshape", name: fmt.Sprint(c), inputs: []input{normal(c[0]...)},
			f: func(in ...*tensor) *tensor { return ops.Reshape(in[0], c[1]...) },
			plain: func(in ...array) array {
				shape := slices.Clone(c[1])
				if i := slices.Index(shape, -1); i >= 0 {
					shape[i] = 1
					shape[i] = len(in[0].v) / numel(shape)
				}
				return array{shape, in[0].v}
			}})
	}
	for _, c := range [][2][]int{{{2, 3}, {1, 0}}, {{2, 3, 4}, {2, 0, 1}}, {{5}, {0}}, {{}, {}}, {{2, 0}, {1, 0}}, {{1, 3, 1, 2}, {3, 2, 1, 0}}} {
		all = append(all, sample{op: "Permute", name: fmt.Sprint(c), inputs: []input{normal(c[0]...)},
			f: func(in ...*tensor) *tensor { return ops.Permute(in[0], c[1]...) },
			plain: func(in ...array) array {
				shape := make([]int, len(c[1]))
				for i, o := range c[1] {
					shape[i] = c[0][o]
				}
				return fill(shape, func(at []int) float64 {
					from := make([]int, len(at))
					for i, o := range c[1] {
						from[o] = at[i]
					}
					return in[0].get(from...)
				})
			}})
	}
	all = append(all,
		sample{op: "Transpose", name: "last", inputs: []input{normal(2, 3, 2)},
			f:     func(in ...*tensor) *tensor { return ops.Transpose(in[0], -1, 1) },
			plain: func(in ...array) array { return transpose(in[0], 2, 1) }},
		sample{op: "Transpose", name: "itself", inputs: []input{normal(2, 3)},
			f:     func(in ...*tensor) *tensor { return ops.Transpose(in[0], 0, 0) },
			plain: func(in ...array) array { return in[0] }},
	)
	for _, c := range []struct {
		shape            []int
		axis, start, end int
	}{{[]int{5}, 0, 1, 4}, {[]int{4, 3}, 0, 2, 4}, {[]int{4, 3}, 1, 0, 2}, {[]int{4, 3}, -1, 1, 1}, {[]int{2, 4, 3}, 1, 1, 3}, {[]int{2, 3}, 0, 0, 0}, {[]int{2, 3}, 0, 0, 2}} {
		all = append(all, sample{op: "Slice", name: fmt.Sprint(c), inputs: []input{normal(c.shape...)},
			f: func(in ...*tensor) *tensor { return ops.Slice(in[0], c.axis, c.start, c.end) },
			plain: func(in ...array) array {
				shape, axis := slices.Clone(c.shape), (c.axis+len(c.shape))%len(c.shape)
				shape[axis] = c.end - c.start
				return fill(shape, func(at []int) float64 {
					at[axis] += c.start
					return in[0].get(at...)
				})
			}})
	}
	for _, c := range []struct {
		axis  int
		parts []input
	}{
		{0, []input{normal(2, 3), normal(1, 3), normal(0, 3)}}, {-1, []input{normal(2, 1), normal(2, 3)}},
		{1, []input{normal(2, 1, 3), normal(2, 2, 3), normal(2, 1, 3)}}, {0, []input{normal(3)}},
	} {
		all = append(all, sample{op: "Concat", name: fmt.Sprint(c), inputs: c.parts,
			f: func(in ...*tensor) *tensor { return ops.Concat(c.axis, in...) },
			plain: func(in ...array) array {
				shape := slices.Clone(in[0].shape)
				axis := (c.axis + len(shape)) % len(shape)
				shape[axis] = 0
				for _, a := range in {
					shape[axis] += a.shape[axis]
				}
				return fill(shape, func(at []int) float64 {
					part := 0
					for at[axis] >= in[part].shape[axis] {
						at[axis] -= in[part].shape[axis]
						part++
					}
					return in[part].get(at...)
				})
			}})
	}
	for _, c := range [][2][]int{{{3}, {2, 3}}, {{2, 1}, {2, 3}}, {{}, {2, 2}}, {{2, 1, 2}, {2, 3, 2}}, {{2, 3}, {2, 3}}, {{1}, {0}}, {{1, 1}, {1, 1, 1}}} {
		all = append(all, sample{op: "Expand", name: fmt.Sprint(c), inputs: []input{normal(c[0]...)},
			f: func(in ...*tensor) *tensor { return ops.Expand(in[0], c[1]...) },
			plain: func(in ...array) array {
				return fill(c[1], func(at []int) float64 { return in[0].get(at...) })
			}})
	}
	return all
}

func reduceSamples() (all []sample) {
	for _, c := range []struct {
		shape, axes []int
	}{
		{[]int{2, 3}, nil}, {[]int{2, 3}, []int{0}}, {[]int{2, 3}, []int{-1}}, {[]int{2, 3, 4}, []int{0, 2}}, {[]int{2, 3, 4}, []int{1, 2}},
		{[]int{}, nil}, {[]int{1, 1}, []int{1}}, {[]int{2, 1, 3}, []int{2, 0}}, {[]int{0, 3}, []int{1}}, {[]int{5}, []int{0}},
	} {
		all = append(all,
			sample{op: "Sum", name: fmt.Sprint(c), inputs: []input{normal(c.shape...)},
				f:     func(in ...*tensor) *tensor { return ops.Sum(in[0], c.axes...) },
				plain: func(in ...array) array { return reduce(in[0], c.axes, sum) }},
			sample{op: "Mean", name: fmt.Sprint(c), inputs: []input{normal(c.shape...)},
				f:     func(in ...*tensor) *tensor { return ops.Mean(in[0], c.axes...) },
				plain: func(in ...array) array { return reduce(in[0], c.axes, mean) }},
		)
	}
	all = append(all, sample{op: "Sum", name: "of nothing", inputs: []input{normal(0, 3)},
		f:     func(in ...*tensor) *tensor { return ops.Sum(in[0], 0) },
		plain: func(in ...array) array { return zeros(3) }})
	for _, c := range []struct {
		shape []int
		axis  int
	}{{[]int{2, 3}, 1}, {[]int{2, 3}, 0}, {[]int{2, 3, 2}, -2}, {[]int{4}, 0}, {[]int{3, 1}, 1}, {[]int{0, 2}, 1}} {
		all = append(all,
			sample{op: "Max", name: fmt.Sprint(c), inputs: []input{normal(c.shape...)}, flat: true,
				f:     func(in ...*tensor) *tensor { return ops.Max(in[0], c.axis) },
				plain: func(in ...array) array { return reduce(in[0], []int{c.axis}, slices.Max[[]float64]) }},
			sample{op: "ArgMax", name: fmt.Sprint(c), inputs: []input{normal(c.shape...)}, flat: true,
				f:     func(in ...*tensor) *tensor { return ops.ArgMax(in[0], c.axis) },
				plain: func(in ...array) array { return reduce(in[0], []int{c.axis}, argMax) }},
			sample{op: "LogSumExp", name: fmt.Sprint(c), inputs: []input{normal(c.shape...)},
				f:     func(in ...*tensor) *tensor { return ops.LogSumExp(in[0], c.axis) },
				plain: func(in ...array) array { return reduce(in[0], []int{c.axis}, logSumExp) }},
			sample{op: "Softmax", name: fmt.Sprint(c), inputs: []input{normal(c.shape...)},
				f:     func(in ...*tensor) *tensor { return ops.Softmax(in[0], c.axis) },
				plain: func(in ...array) array { return softmax(in[0], (c.axis+len(c.shape))%len(c.shape)) }},
		)
	}
	return all
}

func matmulSamples() (all []sample) {
	for _, c := range [][2][]int{
		{{2, 3}, {3, 4}}, {{1, 1}, {1, 1}}, {{2, 0}, {0, 3}}, {{0, 2}, {2, 3}}, {{2, 2, 3}, {3, 2}}, {{2, 2, 3}, {2, 3, 2}}, {{2, 1, 2, 3}, {2, 1, 3, 1}}, {{1, 5}, {5, 1}},
	} {
		all = append(all, sample{op: "MatMul", name: fmt.Sprint(c), inputs: []input{normal(c[0]...), normal(c[1]...)},
			f:     func(in ...*tensor) *tensor { return ops.MatMul(in[0], in[1]) },
			plain: func(in ...array) array { return matmul(in[0], in[1]) }})
	}
	linear := func(in ...array) array {
		y := matmul(in[0], transpose(in[1], 0, 1))
		if len(in) == 3 {
			y = elementwise(func(x ...float64) float64 { return x[0] + x[1] })(y, in[2])
		}
		return y
	}
	return append(all,
		sample{op: "Linear", name: "bias", inputs: []input{normal(3, 2), normal(4, 2), normal(4)},
			f: func(in ...*tensor) *tensor { return ops.Linear(in[0], in[1], in[2]) }, plain: linear},
		sample{op: "Linear", name: "no bias", inputs: []input{normal(2, 1, 3), normal(2, 3)},
			f: func(in ...*tensor) *tensor { return ops.Linear(in[0], in[1], nil) }, plain: linear},
	)
}

func indexSamples() (all []sample) {
	for _, c := range []struct {
		shape []int
		index []int32
	}{{[]int{4, 3}, []int32{2, 0, 2, 3, 2}}, {[]int{3}, []int32{1, 1}}, {[]int{2, 2, 2}, []int32{1}}, {[]int{3, 2}, []int32{}}, {[]int{2, 0}, []int32{1, 0, 1}}} {
		all = append(all, sample{op: "IndexSelect", name: fmt.Sprint(c), inputs: []input{normal(c.shape...)},
			f: func(in ...*tensor) *tensor { return ops.IndexSelect(in[0], ints(in[0], c.index...)) },
			plain: func(in ...array) array {
				shape := slices.Clone(c.shape)
				shape[0] = len(c.index)
				return fill(shape, func(at []int) float64 {
					at[0] = int(c.index[at[0]])
					return in[0].get(at...)
				})
			}})
	}
	for _, c := range []struct {
		shape []int
		index []int32
		n     int
	}{{[]int{4, 2}, []int32{2, 0, 2, 1}, 3}, {[]int{3}, []int32{4, 4, 0}, 6}, {[]int{0, 2}, []int32{}, 2}, {[]int{2, 0}, []int32{0, 0}, 1}, {[]int{1, 2, 2}, []int32{1}, 2}} {
		all = append(all, sample{op: "IndexAdd", name: fmt.Sprint(c), inputs: []input{normal(c.shape...)},
			f: func(in ...*tensor) *tensor { return ops.IndexAdd(in[0], ints(in[0], c.index...), c.n) },
			plain: func(in ...array) array {
				shape := slices.Clone(c.shape)
				shape[0] = c.n
				return fill(shape, func(at []int) float64 {
					s, row := 0.0, at[0]
					for i, to := range c.index {
						if int(to) == row {
							at[0] = i
							s += in[0].get(at...)
						}
					}
					return s
				})
			}})
	}
	return all
}

func normSamples() (all []sample) {
	for _, shape := range [][]int{{3, 4}, {5}, {2, 1, 3}, {0, 3}, {1, 9}} {
		n := shape[len(shape)-1]
		all = append(all, sample{op: "LayerNorm", name: fmt.Sprint(shape), inputs: []input{normal(shape...), normal(n), normal(n)},
			f:     func(in ...*tensor) *tensor { return ops.LayerNorm(in[0], in[1], in[2], 1e-2) },
			plain: layerNorm(1e-2)})
	}
	return all
}

func attentionSamples() (all []sample) {
	segments := device.NewSegments
	for _, c := range []struct {
		name   string
		segs   *device.Segments
		heads  int
		width  int
		causal bool
		p      float64
	}{
		{"ragged", segments(3, 0, 1, 2), 2, 4, false, 0},
		{"causal", segments(3, 0, 1, 2), 2, 4, true, 0},
		{"odd width", segments(2, 3), 1, 3, true, 0},
		{"dropout", segments(1, 3, 2), 2, 4, false, 0.3},
		{"causal dropout", segments(4, 1), 2, 2, true, 0.3},
		{"length one", segments(1), 1, 1, true, 0},
		{"empty", segments(0, 0), 2, 4, false, 0},
		{"no segments", segments(), 1, 2, false, 0.5},
	} {
		cfg := ops.AttentionConfig{Heads: c.heads, Causal: c.causal, Dropout: c.p, Key: key}
		all = append(all, sample{op: "SelfAttention", name: c.name, inputs: []input{normal(c.segs.Total(), 3*c.width)},
			f: func(in ...*tensor) *tensor { return ops.SelfAttention(in[0], c.segs, cfg) },
			plain: func(in ...array) array {
				return attention(in[0], in[0], c.heads, c.width, 0, c.width, 2*c.width, c.segs, c.segs, c.causal, c.p, key)
			}})
	}
	for _, c := range []struct {
		name          string
		queries, keys *device.Segments
		causal        bool
		p             float64
	}{
		{"more keys", segments(1, 2, 1), segments(3, 2, 1), false, 0},
		{"more keys causal", segments(1, 2), segments(3, 3), true, 0},
		{"more queries", segments(3, 1), segments(1, 2), false, 0},
		{"more queries causal", segments(3, 2), segments(1, 2), true, 0.3},
		{"dropout", segments(2, 1), segments(3, 2), false, 0.3},
		{"no queries", segments(0, 2), segments(2, 1), false, 0},
		{"no keys", segments(2, 1), segments(0, 3), false, 0},
		{"no queries at all", segments(0), segments(2), false, 0},
		{"no keys causal", segments(2, 1), segments(0, 3), true, 0},
		{"keys apart", segments(1, 2, 1), device.SegmentsAt(9, []int{1, 4, 6}, []int{2, 2, 0}), false, 0},
	} {
		cfg := ops.AttentionConfig{Heads: 2, Causal: c.causal, Dropout: c.p, Key: key}
		all = append(all, sample{op: "CrossAttention", name: c.name, inputs: []input{normal(c.queries.Total(), 4), normal(c.keys.Total(), 8)},
			f: func(in ...*tensor) *tensor { return ops.CrossAttention(in[0], in[1], c.queries, c.keys, cfg) },
			plain: func(in ...array) array {
				return attention(in[0], in[1], 2, 4, 0, 0, 4, c.queries, c.keys, c.causal, c.p, key)
			}})
	}
	return all
}

func crossEntropySamples() (all []sample) {
	for _, c := range []struct {
		name   string
		shape  []int
		segs   *device.Segments
		target []int32
	}{
		{"ragged", []int{6}, device.NewSegments(3, 0, 1, 2), []int32{1, 0, 0, 1}},
		{"ignored", []int{6}, device.NewSegments(3, 3), []int32{-1, 2}},
		{"all ignored", []int{3}, device.NewSegments(3), []int32{-1}},
		{"empty last", []int{2}, device.NewSegments(2, 0), []int32{1, 0}},
		{"uniform", []int{2, 3}, device.UniformSegments(2, 3), []int32{2, 0}},
		{"nothing", []int{0}, device.NewSegments(), []int32{}},
	} {
		all = append(all, sample{op: "SegmentCrossEntropy", name: c.name, inputs: []input{normal(c.shape...)},
			f: func(in ...*tensor) *tensor {
				return ops.SegmentCrossEntropy(in[0], ints(in[0], c.target...), c.segs)
			},
			plain: func(in ...array) array { return crossEntropy(in[0].v, c.target, c.segs) }})
	}
	return append(all, sample{op: "CrossEntropy", inputs: []input{normal(3, 4)},
		f: func(in ...*tensor) *tensor { return ops.CrossEntropy(in[0], ints(in[0], 3, 0, 2)) },
		plain: func(in ...array) array {
			return array{nil, []float64{mean(crossEntropy(in[0].v, []int32{3, 0, 2}, device.UniformSegments(3, 4)).v)}}
		}})
}
