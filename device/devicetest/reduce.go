package devicetest

import (
	"fmt"
	"math"
	"sort"

	"github.com/muppet-go/muppet/device"
)

// reductionShapes are [outer, n, inner].
var reductionShapes = [][3]int{
	{0, 0, 0}, {0, 3, 4}, {2, 3, 0}, {2, 0, 3}, {1, 1, 1}, {1, 7, 1}, {5, 1, 1}, {4, 1, 9}, {7, 13, 5}, {33, 65, 1}, {1, 65, 33},
	{5000, 3, 1}, {3, 5000, 1}, {1, 5000, 3}, {1, 3, 5000}, {3, 5, 1000}, {30, 70, 7}, {1, 70000, 1}, {1, 9000, 2},
}

// along visits the positions of every column of an [outer, n, inner] array.
func along(outer, n, inner int, visit func(column int, at []int)) {
	for o := range outer {
		for i := range inner {
			at := make([]int, n)
			for k := range at {
				at[k] = (o*n+k)*inner + i
			}
			visit(o*inner+i, at)
		}
	}
}

func testReduce(s *suite) {
	ops := map[device.ReduceOp]string{device.ReduceSum: "sum", device.ReduceMax: "max", device.ReduceMin: "min", device.ReduceArgMax: "argmax"}
	for op, name := range ops {
		for _, t := range floats {
			for _, shape := range reductionShapes {
				for _, kind := range []string{"normal", "ties", "special"} {
					outer, n, inner := shape[0], shape[1], shape[2]
					if op == device.ReduceArgMax && n == 0 && outer*inner > 0 || kind != "normal" && outer*n*inner == 0 {
						continue
					}
					s.check(fmt.Sprint(name, " ", t, shape, kind), func(s *suite) { s.reduce(op, t, outer, n, inner, kind) })
				}
			}
		}
	}
}

// sample returns numbers of a kind: normal ones; a few different ones; or some
// with infinities and NaN among them.
func (s *suite) sample(t device.DType, n int, kind string) []float64 {
	x := s.normal(t, n)
	for i := range x {
		switch {
		case kind == "ties":
			x[i] = math.Trunc(2 * x[i])
		case kind == "special" && s.rng.IntN(10) == 0:
			x[i] = special[s.rng.IntN(5)] // zeros, infinities, NaN
		}
	}
	return x
}

func (s *suite) reduce(op device.ReduceOp, t device.DType, outer, n, inner int, kind string) {
	x := s.sample(t, outer*n*inner, kind)
	result := t
	if op == device.ReduceArgMax {
		result = device.Int32
	}
	src, out := s.array(t, x), s.out(result, outer*inner)
	s.run(func() { s.d.Reduce(op, out.Slice, src.Slice, outer, n, inner) }, out)
	want, tolerance := make([]float64, outer*inner), make([]float64, outer*inner)
	along(outer, n, inner, func(c int, at []int) {
		var sum, magnitude float64
		smallest, largest, first := math.Inf(1), math.Inf(-1), 0
		for k, i := range at {
			sum += x[i]
			magnitude += math.Abs(x[i])
			smallest, largest = min(smallest, x[i]), max(largest, x[i])
			if best := x[at[first]]; !math.IsNaN(best) && (x[i] > best || math.IsNaN(x[i])) {
				first = k
			}
		}
		switch op {
		case device.ReduceSum:
			want[c], tolerance[c] = sum, sumTolerance(t, n, magnitude)
		case device.ReduceMax:
			want[c] = largest
		case device.ReduceMin:
			want[c] = smallest
		case device.ReduceArgMax:
			want[c] = float64(first)
		}
	})
	s.within("Reduce", out, want, func(i int) float64 { return tolerance[i] })
}

func testCumSum(s *suite) {
	for _, t := range floats {
		for _, shape := range reductionShapes {
			for _, kind := range []string{"normal", "special"} {
				s.check(fmt.Sprint(t, shape, kind), func(s *suite) {
					outer, n, inner := shape[0], shape[1], shape[2]
					x := s.sample(t, outer*n*inner, kind)
					src, out := s.array(t, x), s.out(t, len(x))
					s.run(func() { s.d.CumSum(out.Slice, src.Slice, outer, n, inner) }, out)
					want, tolerance := make([]float64, len(x)), make([]float64, len(x))
					along(outer, n, inner, func(_ int, at []int) {
						var sum, magnitude float64
						for k, i := range at {
							sum += x[i]
							magnitude += math.Abs(x[i])
							want[i], tolerance[i] = sum, sumTolerance(t, k+1, magnitude)
						}
					})
					s.within("CumSum", out, want, func(i int) float64 { return tolerance[i] })
				})
			}
		}
	}
}

func testSort(s *suite) {
	for _, t := range floats {
		for _, shape := range [][2]int{{0, 5}, {5, 0}, {1, 1}, {3, 1}, {1, 2}, {7, 13}, {500, 3}, {3, 5000}, {1, 20000}} {
			for _, kind := range []string{"normal", "ties", "special"} {
				for _, descending := range []bool{false, true} {
					s.check(fmt.Sprint(t, shape, kind, descending), func(s *suite) {
						rows, n := shape[0], shape[1]
						x := s.sample(t, rows*n, kind)
						src, values, indices := s.array(t, x), s.out(t, rows*n), s.out(device.Int32, rows*n)
						s.run(func() { s.d.Sort(values.Slice, indices.Slice, src.Slice, rows, n, descending) }, values, indices)
						sorted, order := make([]float64, rows*n), make([]float64, rows*n)
						for r := range rows {
							row := x[r*n:][:n]
							for i, from := range sortOrder(row, descending) {
								sorted[r*n+i], order[r*n+i] = row[from], float64(from)
							}
						}
						s.exact("values", values, sorted)
						s.exact("indices", indices, order)
					})
				}
			}
		}
	}
}

// sortOrder returns the positions of a row's elements in order.
func sortOrder(row []float64, descending bool) []int {
	rank := func(x float64) float64 { // NaN above everything; equal numbers equal
		if math.IsNaN(x) {
			return 1
		}
		return 0
	}
	order := make([]int, len(row))
	for i := range order {
		order[i] = i
	}
	before := func(a, b float64) bool {
		if rank(a) != rank(b) {
			return rank(a) < rank(b)
		}
		return a < b
	}
	sort.SliceStable(order, func(i, j int) bool {
		a, b := row[order[i]], row[order[j]]
		if descending {
			a, b = b, a
		}
		return before(a, b)
	})
	return order
}
