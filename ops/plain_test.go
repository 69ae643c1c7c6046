package ops_test

import (
	"math"
	"math/bits"
	"slices"

	"github.com/muppet-go/muppet/device"
)

// The operations once more, as plain loops over float64.

// An array is a tensor on the host.
type array struct {
	shape []int
	v     []float64
}

func zeros(shape ...int) array { return array{shape, make([]float64, numel(shape))} }

func numel(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// each calls visit with every index vector below shape, in row-major order.
func each(shape []int, visit func(at []int)) {
	for i := range numel(shape) {
		at := make([]int, len(shape))
		for k := len(shape) - 1; k >= 0; k-- {
			at[k] = i % shape[k]
			i /= shape[k]
		}
		visit(at)
	}
}

// get returns the element at an index vector, broadcasting as NumPy does.
func (a array) get(at ...int) float64 {
	i := 0
	for k, d := range a.shape {
		i *= d
		if d != 1 {
			i += at[len(at)-len(a.shape)+k]
		}
	}
	return a.v[i]
}

// fill sets every element of an array of the given shape.
func fill(shape []int, f func(at []int) float64) array {
	y := array{shape: shape, v: []float64{}}
	each(shape, func(at []int) { y.v = append(y.v, f(at)) })
	return y
}

func elementwise(f func(x ...float64) float64) func(in ...array) array {
	return func(in ...array) array {
		var shape []int
		for _, a := range in {
			for len(shape) < len(a.shape) {
				shape = append([]int{1}, shape...)
			}
			for k, d := range a.shape {
				if at := len(shape) - len(a.shape) + k; shape[at] == 1 {
					shape[at] = d
				}
			}
		}
		return fill(shape, func(at []int) float64 {
			x := make([]float64, len(in))
			for i, a := range in {
				x[i] = a.get(at...)
			}
			return f(x...)
		})
	}
}

func gelu(x float64) float64 { return x * 0.5 * math.Erfc(-x/math.Sqrt2) }

// reduce combines x along axes, which disappear.
func reduce(x array, axes []int, f func(v []float64) float64) array {
	keep := func(k int) bool {
		return len(axes) > 0 && !slices.Contains(axes, k) && !slices.Contains(axes, k-len(x.shape))
	}
	shape := []int{}
	for k, d := range x.shape {
		if keep(k) {
			shape = append(shape, d)
		}
	}
	groups := make([][]float64, numel(shape))
	each(x.shape, func(at []int) {
		g := 0
		for k, i := range at {
			if keep(k) {
				g = g*x.shape[k] + i
			}
		}
		groups[g] = append(groups[g], x.get(at...))
	})
	y := array{shape, make([]float64, len(groups))}
	for g, v := range groups {
		y.v[g] = f(v)
	}
	return y
}

func sum(v []float64) float64 {
	s := 0.0
	for _, x := range v {
		s += x
	}
	return s
}

func mean(v []float64) float64 { return sum(v) / float64(len(v)) }

func logSumExp(v []float64) float64 {
	s := 0.0
	for _, x := range v {
		s += math.Exp(x)
	}
	return math.Log(s)
}

func argMax(v []float64) float64 { return float64(slices.Index(v, slices.Max(v))) }

func softmax(x array, axis int) array {
	return fill(x.shape, func(at []int) float64 {
		s, other := 0.0, slices.Clone(at)
		for i := range x.shape[axis] {
			other[axis] = i
			s += math.Exp(x.get(other...))
		}
		return math.Exp(x.get(at...)) / s
	})
}

func matmul(a, b array) array {
	n := len(a.shape)
	shape := append(slices.Clone(a.shape[:n-1]), b.shape[len(b.shape)-1])
	return fill(shape, func(at []int) float64 {
		s := 0.0
		left, right := slices.Clone(at), slices.Clone(at)
		for k := range a.shape[n-1] {
			left[n-1], right[n-2] = k, k
			s += a.get(left...) * b.get(right[n-len(b.shape):]...)
		}
		return s
	})
}

func transpose(x array, i, j int) array {
	shape := slices.Clone(x.shape)
	shape[i], shape[j] = shape[j], shape[i]
	return fill(shape, func(at []int) float64 {
		from := slices.Clone(at)
		from[i], from[j] = from[j], from[i]
		return x.get(from...)
	})
}

func layerNorm(eps float64) func(in ...array) array {
	return func(in ...array) array {
		x, last := in[0], len(in[0].shape)-1
		return fill(x.shape, func(at []int) float64 {
			row, other := make([]float64, x.shape[last]), slices.Clone(at)
			for i := range row {
				other[last] = i
				row[i] = x.get(other...)
			}
			mu, variance := mean(row), 0.0
			for _, v := range row {
				variance += (v - mu) * (v - mu) / float64(len(row))
			}
			return (x.get(at...)-mu)/math.Sqrt(variance+eps)*in[1].get(at...) + in[2].get(at...)
		})
	}
}

// crossEntropy is of flat logits in segments.
func crossEntropy(logits []float64, target []int32, segs *device.Segments) array {
	loss := zeros(segs.Count())
	for s, want := range target {
		if part := logits[segs.Start(s):][:segs.Len(s)]; len(part) > 0 && want >= 0 {
			loss.v[s] = logSumExp(part) - part[want]
		}
	}
	return loss
}

// attention is of queries, keys and values in columns of q and kv: [rows, stride].
func attention(q, kv array, heads, width, qAt, kAt, vAt int, queries, keys *device.Segments, causal bool, p float64, key device.Key) array {
	dim := width / heads
	out := zeros(queries.Total(), width)
	for s := range queries.Count() {
		nq, nk := queries.Len(s), keys.Len(s)
		drop := dropped(key.FoldInt(s), heads*nq*nk, p)
		for h := range heads {
			for i := range nq {
				var weights []float64
				total := 0.0
				for j := range nk {
					score := 0.0
					for c := range dim {
						score += q.get(queries.Start(s)+i, qAt+h*dim+c) * kv.get(keys.Start(s)+j, kAt+h*dim+c)
					}
					w := math.Exp(score / math.Sqrt(float64(dim)))
					if causal && j > i+nk-nq {
						w = 0
					}
					total += w
					weights = append(weights, w)
				}
				for j, w := range weights {
					if w == 0 {
						continue
					}
					for c := range dim {
						out.v[(queries.Start(s)+i)*width+h*dim+c] += w / total * drop[(h*nq+i)*nk+j] * kv.get(keys.Start(s)+j, vAt+h*dim+c)
					}
				}
			}
		}
	}
	return out
}

// dropped returns the factors that dropout multiplies by, from Philox4x32-10.
func dropped(key device.Key, n int, p float64) []float64 {
	factors := make([]float64, n)
	for i := range factors {
		c := [4]uint32{uint32(i / 4), 0, uint32(key.Hi), uint32(key.Hi >> 32)}
		k := [2]uint32{uint32(key.Lo), uint32(key.Lo >> 32)}
		for range 10 {
			hi0, lo0 := bits.Mul32(0xd2511f53, c[0])
			hi1, lo1 := bits.Mul32(0xcd9e8d57, c[2])
			c = [4]uint32{hi1 ^ c[1] ^ k[0], lo1, hi0 ^ c[3] ^ k[1], lo0}
			k[0] += 0x9e3779b9
			k[1] += 0xbb67ae85
		}
		if float64(c[i%4]>>8)/(1<<24) >= p {
			factors[i] = 1 / (1 - p)
		}
	}
	return factors
}
