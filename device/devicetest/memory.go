package devicetest

import (
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/muppet-go/muppet/device"
)

// lengths of vectors: none, one, odd, around powers of two, and more than a block.
var lengths = []int{0, 1, 7, 64, 65, 1023, 70001}

func testBuffers(s *suite) {
	if s.d.Name() == "" {
		s.Error("the device has no name")
	}
	for _, t := range allTypes {
		for _, n := range lengths {
			b := s.d.Alloc(t, n)
			if b.DType() != t || b.Len() != n {
				s.Errorf("Alloc(%v, %d) gave %d elements of %v", t, n, b.Len(), b.DType())
			}
			s.d.Free(b)
		}
	}
	s.raises("Alloc of more than there is", func() { s.d.Alloc(device.Float32, math.MaxInt/2) })
	s.d.Sync()
}

func testWriteRead(s *suite) {
	for _, t := range allTypes {
		for _, n := range lengths {
			s.check(fmt.Sprint(t, n), func(s *suite) {
				values := make([]float64, n)
				for i := range values {
					values[i] = float64(s.rng.IntN(200) - 100)
				}
				out := s.out(t, n)
				s.run(func() {
					src := toHost(t, values)
					s.d.Write(out.Slice, src)
					scribble(src) // the caller may change src after the return
				}, out)
				s.exact("Write and Read", out, values)
				part := toHost(t, make([]float64, n/2))
				s.d.Read(part, out.Sub(n-n/2, n/2))
				if at := differ(part, toHost(t, values[n-n/2:])); at >= 0 {
					s.Errorf("Read of the last %d elements: element %d is wrong", n/2, at)
				}
			})
		}
	}
	s.check("bits", func(s *suite) {
		bits := []float32{math.Float32frombits(0x7fc12345), math.Float32frombits(0xffc00001), math.Float32frombits(1)}
		out := s.out(device.Float32, len(bits))
		s.run(func() { s.d.Write(out.Slice, bits) }, out)
		if at := differ(bits, cut(out.after, out.Offset, out.Offset+out.Len)); at >= 0 {
			s.Errorf("Write and Read change the bits of element %d", at)
		}
	})
}

// scribble overwrites a host slice.
func scribble(host any) {
	switch x := host.(type) {
	case []float32:
		clear(x)
	case []float64:
		clear(x)
	case []int32:
		clear(x)
	case []uint16:
		clear(x)
	}
}

func testFill(s *suite) {
	for _, t := range allTypes {
		for _, n := range lengths {
			for _, value := range []float64{0, math.Pi, -3.7, 1e5, 1e30, math.Inf(-1), math.NaN()} {
				if t == device.Int32 && !(math.Abs(value) < 1e6) {
					continue
				}
				s.check(fmt.Sprint(t, n, value), func(s *suite) {
					out := s.out(t, n)
					s.run(func() { s.d.Fill(out.Slice, value) }, out)
					s.exact("Fill", out, slices.Repeat([]float64{value}, n))
				})
			}
		}
	}
}

func testIota(s *suite) {
	for _, t := range allTypes {
		for _, n := range lengths {
			for _, step := range []float64{1, -3, 0.1} {
				s.check(fmt.Sprint(t, n, step), func(s *suite) {
					const start = 7
					want := make([]float64, n)
					for i := range want {
						want[i] = start + float64(i)*step
					}
					out := s.out(t, n)
					s.run(func() { s.d.Iota(out.Slice, start, step) }, out)
					if t == device.Float64 { // which a fused multiplication and addition may round once
						s.within("Iota", out, want, func(i int) float64 { return 2 * ulp(t, want[i]) })
					} else {
						s.exact("Iota", out, want)
					}
				})
			}
		}
	}
}

func testCast(s *suite) {
	for _, from := range allTypes {
		for _, to := range allTypes {
			for _, n := range lengths {
				s.check(fmt.Sprint(from, "to", to, n), func(s *suite) {
					values := s.castable(from, to, n)
					src, out := s.array(from, values), s.out(to, n)
					s.run(func() { s.d.Cast(out.Slice, src.Slice) }, out)
					s.exact("Cast", out, values)
				})
			}
		}
	}
}

// castable returns n numbers of type from that have a value in type to: first
// the hard ones.
func (s *suite) castable(from, to device.DType, n int) []float64 {
	hard := []float64{0, 1, -1, 2.5, -2.5, 0.99999, -0.99999, math.MaxInt32, math.MinInt32, 1<<24 + 1, -(1<<24 + 3), 1<<30 + 1<<5 + 1}
	if from != device.Int32 && to != device.Int32 {
		hard = append(hard, special...)
		hard = append(hard,
			1+0x1p-8, 1+0x1p-7+0x1p-8, 1+3*0x1p-8, // halfway between two bfloat16
			1+0x1p-8+0x1p-40, 1+0x1p-8-0x1p-40, -(1 + 0x1p-8 + 0x1p-50), // halfway after rounding to float32 only
			1+0x1p-24, 1+3*0x1p-24, 1+0x1p-24+0x1p-50, // halfway between two float32
			0x1.ffp127, 0x1.fep127, 0x1.fffffefp127, 0x1.ffffffp127, // the largest, and infinite after rounding
			0x1p-133, 0x1p-134, 0x1.8p-134, 0x1p-149, 0x1p-150, 0x1.8p-150) // the smallest
	}
	var values []float64
	for _, x := range hard {
		if x = round(from, x); to != device.Int32 || x >= math.MinInt32 && x <= math.MaxInt32 {
			values = append(values, x)
		}
	}
	for len(values) < n {
		values = append(values, round(from, 1000*s.rng.NormFloat64()))
	}
	return values[:n]
}

func testStrided(s *suite) {
	type copies struct {
		name                 string
		dst, src             int // elements
		dstOff, srcOff       int
		dstStride, srcStride []int
		shape                []int
	}
	cases := []copies{
		{"one element", 1, 1, 0, 0, nil, nil, nil},
		{"one of many", 9, 5, 8, 4, nil, nil, nil},
		{"nothing", 4, 0, 0, 0, []int{4, 1}, []int{1, 1}, []int{0, 4}},
		{"copy", 1001, 1001, 0, 0, []int{1}, []int{1}, []int{1001}},
		{"flip", 77, 77, 0, 76, []int{1}, []int{-1}, []int{77}},
		{"expand rows", 300, 30, 0, 0, []int{30, 1}, []int{0, 1}, []int{10, 30}},
		{"expand columns", 300, 10, 0, 0, []int{30, 1}, []int{1, 0}, []int{10, 30}},
		{"transpose", 217 * 131, 217 * 131, 0, 0, []int{131, 1}, []int{1, 217}, []int{217, 131}},
		{"transpose tall", 5000 * 3, 5000 * 3, 0, 0, []int{3, 1}, []int{1, 5000}, []int{5000, 3}},
		{"transpose by dst", 63 * 65, 63 * 65, 0, 0, []int{1, 63}, []int{65, 1}, []int{63, 65}},
		{"columns into a wider table", 50 * 9, 50 * 4, 3, 0, []int{9, 1}, []int{4, 1}, []int{50, 4}},
		{"columns of a wider table", 50 * 4, 50 * 9, 0, 5, []int{4, 1}, []int{9, 1}, []int{50, 4}},
		{"every third", 40, 118, 0, 0, []int{1}, []int{3}, []int{40}},
		{"to every third, backwards", 118, 40, 117, 0, []int{-3}, []int{1}, []int{40}},
		{"heads", 7 * 5 * 4 * 6, 7 * 5 * 4 * 6, 0, 0, []int{4 * 5 * 6, 5 * 6, 6, 1}, []int{5 * 4 * 6, 6, 4 * 6, 1}, []int{7, 4, 5, 6}},
		{"reverse axes", 3 * 4 * 5 * 2, 3 * 4 * 5 * 2, 0, 0, []int{40, 10, 2, 1}, []int{1, 3, 12, 60}, []int{3, 4, 5, 2}},
		{"flip two axes of three", 60, 60, 0, 59 - 4, []int{20, 5, 1}, []int{-20, -5, 1}, []int{3, 4, 5}},
		{"windows of two by two", 12 * 2400, 12 * 2400, 0, 0, []int{2400, 1200, 600, 30, 1}, []int{2400, 60, 1, 120, 2}, []int{12, 2, 2, 20, 30}},
		{"long", 100000, 100000, 0, 0, []int{100, 10, 1}, []int{1, 1000, 10000}, []int{1000, 10, 10}},
	}
	for _, t := range allTypes {
		for _, c := range cases {
			s.check(fmt.Sprint(t, " ", c.name), func(s *suite) {
				values := make([]float64, c.src)
				for i := range values {
					values[i] = round(t, float64(i%120+1))
				}
				src, out := s.array(t, values), s.out(t, c.dst)
				want := out.values()
				size := 1
				for _, n := range c.shape {
					size *= n
				}
				for k := range size {
					i, j, rest := c.dstOff, c.srcOff, k
					for axis := len(c.shape) - 1; axis >= 0; axis-- {
						at := rest % c.shape[axis]
						rest /= c.shape[axis]
						i += at * c.dstStride[axis]
						j += at * c.srcStride[axis]
					}
					want[i] = values[j]
				}
				s.run(func() {
					dstStride, srcStride, shape := slices.Clone(c.dstStride), slices.Clone(c.srcStride), slices.Clone(c.shape)
					s.d.Strided(out.Slice, c.dstOff, dstStride, src.Slice, c.srcOff, srcStride, shape)
					clear(dstStride)
					clear(srcStride)
					clear(shape)
				}, out)
				s.exact("Strided", out, want)
			})
		}
	}
}

func testGather(s *suite) {
	for _, t := range allTypes {
		for _, c := range []struct{ rows, n, w int }{
			{0, 0, 3}, {5, 0, 3}, {1, 1, 1}, {7, 20, 1}, {5, 13, 7}, {100, 5000, 3}, {3, 20, 768}, {5000, 5000, 8},
		} {
			s.check(fmt.Sprint(t, c), func(s *suite) {
				table, index := s.table(t, c.rows, c.w), s.index(c.n, c.rows)
				out := s.out(t, c.n*c.w)
				var want []float64
				rows := table.values()
				for _, row := range index.values() {
					want = append(want, rows[int(row)*c.w:][:c.w]...)
				}
				s.run(func() { s.d.Gather(out.Slice, table.Slice, index.Slice, c.w) }, out)
				s.exact("Gather", out, want)
			})
		}
	}
	for _, bad := range []float64{-1, 5, math.MaxInt32, math.MinInt32} {
		s.check(fmt.Sprint("index ", bad), func(s *suite) {
			table, out := s.table(device.Float32, 5, 3), s.out(device.Float32, 6)
			index := s.array(device.Int32, []float64{2, bad})
			s.raises("Gather", func() { s.d.Gather(out.Slice, table.Slice, index.Slice, 3) })
			s.run(func() { s.d.Fill(out.Slice, 1) }, out) // the device still works
			s.exact("Fill", out, []float64{1, 1, 1, 1, 1, 1})
		})
	}
}

func testScatterAdd(s *suite) {
	for _, t := range floats {
		for _, c := range []struct{ rows, n, w int }{
			{0, 0, 3}, {5, 0, 3}, {1, 1, 1}, {1, 3000, 1}, {7, 20, 1}, {5, 13, 7}, {10, 5000, 3}, {3, 20, 768}, {5000, 5000, 8}, {3, 40, 768}, {2000, 60, 400},
		} {
			s.check(fmt.Sprint(t, c), func(s *suite) {
				out := s.table(t, c.rows, c.w)
				src, index := s.array(t, s.normal(t, c.n*c.w)), s.index(c.n, c.rows)
				want, rows := out.values(), src.values()
				for i, row := range index.values() {
					for j := range c.w {
						at := int(row)*c.w + j
						want[at] = round(t, want[at]+rows[i*c.w+j])
					}
				}
				s.run(func() { s.d.ScatterAdd(out.Slice, src.Slice, index.Slice, c.w) }, out)
				s.exact("ScatterAdd", out, want)
			})
		}
	}
	s.check("bad index", func(s *suite) {
		out, src := s.table(device.Float32, 5, 3), s.table(device.Float32, 2, 3)
		index := s.array(device.Int32, []float64{2, 5})
		s.raises("ScatterAdd", func() { s.d.ScatterAdd(out.Slice, src.Slice, index.Slice, 3) })
	})
}

func (s *suite) table(t device.DType, rows, w int) *array {
	return s.array(t, s.normal(t, rows*w))
}

// index returns n rows below the given number, many of them twice.
func (s *suite) index(n, rows int) *array {
	index := make([]float64, n)
	for i := range index {
		index[i] = float64(s.rng.IntN(rows))
		if i > 0 && i%3 == 0 {
			index[i] = index[i-1]
		}
	}
	return s.array(device.Int32, index)
}

// testConcurrent uses the device from several goroutines.
func testConcurrent(s *suite) {
	const n = 20000
	var wait sync.WaitGroup
	results := make([][]float32, 8)
	for g := range results {
		wait.Add(1)
		go func() {
			defer wait.Done()
			a, b, sum := s.d.Alloc(device.Float32, n), s.d.Alloc(device.Float32, n), s.d.Alloc(device.Float32, 1)
			from, to, total := device.Slice{Buffer: a, Len: n}, device.Slice{Buffer: b, Len: n}, device.Slice{Buffer: sum, Len: 1}
			results[g] = make([]float32, 1)
			for range 5 {
				s.d.Iota(from, float64(g), 0)
				s.d.Pointwise(double, &device.Args{Rows: 1, Cols: n, In: []device.Operand{{Slice: from}}, Out: []device.Slice{to}})
				s.d.Reduce(device.ReduceSum, total, to, 1, n, 1)
				s.d.Read(results[g], total)
			}
			s.d.Free(a)
			s.d.Free(b)
			s.d.Free(sum)
		}()
	}
	wait.Wait()
	for g, got := range results {
		if got[0] != float32(2*g*n) {
			s.Errorf("goroutine %d got %v, want %v", g, got[0], 2*g*n)
		}
	}
}

var double = device.NewProgram("double", 1, func(b *device.Builder, x ...device.Value) []device.Value {
	return []device.Value{b.Add(x[0], x[0])}
})
