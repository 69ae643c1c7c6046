package ops_test

import (
	"fmt"
	"math"
	"slices"

	"github.com/muppet-go/muppet/ops"
)

func fraction(shape ...int) input { return input{shape, 0.05, 0.95} }

func lossSamples() (all []sample) {
	for _, c := range []struct {
		op, kind string
		f        func(x, y *tensor) *tensor
		plain    func(x, y float64) float64
		x, y     func(...int) input
	}{
		{"MSELoss", "", ops.MSELoss, func(x, y float64) float64 { return (x - y) * (x - y) }, normal, normal},
		{"L1Loss", "", ops.L1Loss, func(x, y float64) float64 { return math.Abs(x - y) }, normal, normal},
		{"HuberLoss", "", func(x, y *tensor) *tensor { return ops.HuberLoss(x, y, 0.9) }, huber(0.9), normal, normal},
		{"HuberLoss", " within", func(x, y *tensor) *tensor { return ops.HuberLoss(x, y, 10) }, huber(10), normal, normal},
		{"BCEWithLogits", "", ops.BCEWithLogits, bce, normal, fraction},
		{"BCEWithLogits", " large", ops.BCEWithLogits, bce, func(shape ...int) input { return input{shape, -20, 20} }, fraction},
	} {
		for _, shape := range [][]int{{}, {1}, {7}, {2, 3}, {1, 1, 1}, {3, 1, 5}} {
			all = append(all, sample{
				op: c.op, name: fmt.Sprint(shape, c.kind), inputs: []input{c.x(shape...), c.y(shape...)},
				f: func(in ...*tensor) *tensor { return c.f(in[0], in[1]) },
				plain: func(in ...array) array {
					return reduce(elementwise(func(x ...float64) float64 { return c.plain(x[0], x[1]) })(in...), nil, mean)
				},
			})
		}
	}
	for _, shape := range [][]int{{}, {1}, {7}, {2, 3}, {3, 1, 5}, {2, 0}} {
		all = append(all, sample{op: "KLDiv", name: fmt.Sprint(shape), inputs: []input{normal(shape...), fraction(shape...)},
			f: func(in ...*tensor) *tensor { return ops.KLDiv(in[0], in[1]) },
			plain: func(in ...array) array {
				total := 0.0
				for i, q := range in[1].v {
					total += q * (math.Log(q) - in[0].v[i])
				}
				if len(shape) > 0 {
					total /= float64(shape[0])
				}
				return array{nil, []float64{total}}
			}})
	}
	for _, c := range []struct {
		x, y []int
		axis int
	}{{[]int{5}, []int{5}, 0}, {[]int{2, 3}, []int{2, 3}, 1}, {[]int{2, 3}, []int{2, 3}, 0}, {[]int{4, 1, 3}, []int{2, 3}, -1}, {[]int{3, 2}, []int{1, 2}, 1},
		{[]int{1, 2}, []int{4, 2}, 1}, {[]int{0, 3}, []int{0, 3}, 1}, {[]int{2, 0}, []int{2, 0}, 1}} {
		for _, eps := range []float64{1e-8, 1.7} { // below and around the norms
			all = append(all, sample{op: "CosineSimilarity", name: fmt.Sprint(c, eps), inputs: []input{normal(c.x...), normal(c.y...)},
				f: func(in ...*tensor) *tensor { return ops.CosineSimilarity(in[0], in[1], c.axis, eps) },
				plain: func(in ...array) array {
					both := elementwise(func(x ...float64) float64 { return x[0] * x[1] })(in...)
					first := elementwise(func(x ...float64) float64 { return x[0] + 0*x[1] })(in...)
					second := elementwise(func(x ...float64) float64 { return 0*x[0] + x[1] })(in...)
					size := func(v []float64) float64 { return max(norm(2)(v), eps) }
					axes := []int{c.axis}
					return elementwise(func(x ...float64) float64 { return x[0] / (x[1] * x[2]) })(
						reduce(both, axes, sum), reduce(first, axes, size), reduce(second, axes, size))
				}})
		}
	}
	all = append(all, normalisationSamples()...)
	return append(all, classSamples()...)
}

func huber(delta float64) func(x, y float64) float64 {
	return func(x, y float64) float64 {
		if d := math.Abs(x - y); d > delta {
			return delta * (d - delta/2)
		}
		return (x - y) * (x - y) / 2
	}
}

func bce(x, t float64) float64 {
	return max(x, 0) - x*t + math.Log1p(math.Exp(-math.Abs(x)))
}

func classSamples() (all []sample) {
	for _, labels := range [][]int32{{2}, {3, 0, 1}, {0, -1, 3, 3, 1}, {-100, 2}} {
		n := len(labels)
		for _, smoothing := range []float64{0, 0.1, 1} {
			for _, weighted := range []bool{false, true} {
				inputs := []input{normal(n, 4)}
				if weighted {
					inputs = append(inputs, positive(4))
				}
				all = append(all, sample{op: "CrossEntropyWith", name: fmt.Sprint(labels, smoothing, weighted), inputs: inputs,
					f: func(in ...*tensor) *tensor {
						cfg := ops.CrossEntropyConfig{LabelSmoothing: smoothing}
						if weighted {
							cfg.Weight = in[1]
						}
						return ops.CrossEntropyWith(in[0], ints(in[0], labels...), cfg)
					},
					plain: func(in ...array) array {
						weights := array{[]int{4}, []float64{1, 1, 1, 1}}
						if weighted {
							weights = in[1]
						}
						return classLoss(in[0], weights, labels, smoothing)
					}})
			}
		}
		all = append(all,
			sample{op: "CrossEntropy", name: fmt.Sprint(labels), inputs: []input{normal(n, 4)},
				f:     func(in ...*tensor) *tensor { return ops.CrossEntropy(in[0], ints(in[0], labels...)) },
				plain: func(in ...array) array { return classLoss(in[0], array{[]int{4}, []float64{1, 1, 1, 1}}, labels, 0) }},
			sample{op: "NLLLoss", name: fmt.Sprint(labels), inputs: []input{normal(n, 4)},
				f: func(in ...*tensor) *tensor { return ops.NLLLoss(in[0], ints(in[0], labels...)) },
				plain: func(in ...array) array {
					var costs []float64
					for i, y := range labels {
						if y >= 0 {
							costs = append(costs, -in[0].get(i, int(y)))
						}
					}
					return array{nil, []float64{mean(costs)}}
				}},
		)
	}
	return all
}

// classLoss is cross entropy with a weight for each class and smoothed labels.
func classLoss(logits, weights array, labels []int32, smoothing float64) array {
	total, count := 0.0, 0.0
	classes := len(weights.v)
	for i, y := range labels {
		if y < 0 {
			continue
		}
		row := slices.Clone(logits.v[i*classes:][:classes])
		for c, w := range weights.v {
			target := smoothing / float64(classes)
			if c == int(y) {
				target += 1 - smoothing
			}
			total += target * w * (logSumExp(row) - row[c])
		}
		count += weights.v[y]
	}
	return array{nil, []float64{total / count}}
}

func normalisationSamples() (all []sample) {
	const eps = 1e-2
	for _, shape := range [][]int{{3, 4}, {5}, {2, 1, 3}, {0, 3}, {1, 9}, {1}} {
		last := len(shape) - 1
		all = append(all, sample{op: "RMSNorm", name: fmt.Sprint(shape), inputs: []input{normal(shape...), normal(shape[last])},
			f: func(in ...*tensor) *tensor { return ops.RMSNorm(in[0], in[1], eps) },
			plain: func(in ...array) array {
				return fill(shape, func(at []int) float64 {
					s, other := 0.0, slices.Clone(at)
					for other[last] = range shape[last] {
						s += in[0].get(other...) * in[0].get(other...)
					}
					return in[0].get(at...) / math.Sqrt(s/float64(shape[last])+eps) * in[1].get(at...)
				})
			}})
	}
	for _, shape := range [][]int{{3, 4}, {1, 2}, {2, 3, 2}, {2, 2, 1, 3}, {0, 3}, {5, 1}, {2, 0}} {
		axes := []int{0}
		for i := 2; i < len(shape); i++ {
			axes = append(axes, i)
		}
		inputs := []input{normal(shape...), normal(shape[1]), normal(shape[1])}
		all = append(all, sample{op: "BatchNorm", name: fmt.Sprint(shape), inputs: inputs,
			f: func(in ...*tensor) *tensor {
				y, _, _ := ops.BatchNorm(in[0], in[1], in[2], eps)
				return y
			},
			plain: func(in ...array) array {
				mu, square := reduce(in[0], axes, mean), reduce(in[0], axes, variance(0))
				return fill(shape, func(at []int) float64 {
					c := at[1]
					return (in[0].get(at...)-mu.v[c])/math.Sqrt(square.v[c]+eps)*in[1].v[c] + in[2].v[c]
				})
			}})
		if numel(shape) == 0 { // the mean of nothing is NaN
			continue
		}
		all = append(all, sample{op: "BatchNorm", name: fmt.Sprint(shape, " statistics"), inputs: inputs[:1],
			f: func(in ...*tensor) *tensor {
				ones := upload(in[0].Device(), in[0].DType(), fill(shape[1:2], func([]int) float64 { return 1 }))
				_, mean, variance := ops.BatchNorm(in[0], ones, ones, eps)
				return ops.Concat(0, mean, variance)
			},
			plain: func(in ...array) array {
				mu, square := reduce(in[0], axes, mean), reduce(in[0], axes, variance(0))
				return array{[]int{2 * shape[1]}, append(mu.v, square.v...)}
			}})
	}
	return all
}
