package cpu

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"
	"weak"

	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/device/devicetest"
)

func TestConformance(t *testing.T) { devicetest.Run(t, New()) }

func TestRegistered(t *testing.T) {
	d, err := device.ByName("cpu")
	if err != nil || d.Name() != "cpu" {
		t.Errorf("ByName gives %v, %v", d, err)
	}
}

func read(d *Device, s device.Slice) []float32 {
	x := make([]float32, s.Len)
	d.Read(x, s)
	return x
}

func TestBuffersAreAlignedAndSkewed(t *testing.T) {
	offsets := map[uintptr]int{}
	for _, n := range []int{1, 3, 1000, 100_000, 3 << 20} {
		for range 16 {
			data := New().Alloc(device.Float32, n).(*buffer).data.([]float32)
			at := uintptr(unsafe.Pointer(&data[0]))
			if at%cacheLine != 0 {
				t.Errorf("a buffer of %d elements begins at %#x", n, at)
			}
			if n == 100_000 {
				offsets[at%page]++
			}
			data[0], data[n-1] = 1, 2 // is memory
		}
	}
	for at, n := range offsets {
		if n > 2 {
			t.Errorf("%d of 16 buffers begin %d bytes into a page", n, at)
		}
	}
}

// raised returns what f panics with.
func raised(f func()) (r any) {
	defer func() { r = recover() }()
	f()
	return nil
}

func TestMisuse(t *testing.T) {
	d := New()
	x, y := random(d, 6), random(d, 6)
	index := device.Slice{Buffer: d.Alloc(device.Int32, 2), Len: 2}
	freed := random(d, 6)
	d.Free(freed.Buffer)
	add := func(rows, cols int, out device.Slice, in ...device.Operand) func() {
		return func() {
			d.Pointwise(addProgram, &device.Args{Rows: rows, Cols: cols, In: in, Out: []device.Slice{out}})
		}
	}
	both := full(x, y)
	for _, c := range []struct {
		f    func()
		want string
	}{
		{func() { d.Alloc(device.Float32, -1) }, "cpu: Alloc: negative sizes [-1]"},
		{func() { d.Free(freed.Buffer) }, "freed"},
		{func() { d.Write(x, make([]float32, 5)) }, "cpu: Write: dst: 6 elements, want 5"},
		{func() { d.Read(make([]float64, 6), x) }, "elements are float32, want float64"},
		{func() { d.Read([]string{}, x) }, "[]string on the host"},
		{func() { d.Fill(device.Slice{Buffer: x.Buffer, Offset: 3, Len: 4}, 0) }, "has 6 elements, the slice is [3, 7)"},
		{func() { d.Fill(device.Slice{}, 0) }, "of another device"},
		{add(2, 2, x, both...), "cpu: Pointwise add: input 0: 6 elements, want 4"},
		{add(2, 3, x, both[0]), "1 inputs, 1 outputs, 0 parameters, 0 keys, want 2, 1, 0, 0"},
		{add(2, 3, index, both...), "output 0: elements are int32"},
		{add(2, 3, freed, both...), "freed"},
		{add(1, 3, x.Sub(1, 3), full(x.Sub(0, 3), y.Sub(0, 3))...), "output 0 overlaps input 0"},
		{add(2, 3, x, both[0], device.Operand{Slice: x.Sub(0, 2), Extent: device.ColumnExtent}), "output 0 overlaps input 1"},
		{func() { d.MatMul(x, y, y, device.MatMul{Batch: 1, M: 2, N: 3, K: 4}) }, "cpu: MatMul: a: 6 elements, want 8"},
		{func() { d.MatMul(x, y, x, device.MatMul{Batch: 1, M: 2, N: 3, K: 3}) }, "want 9"},
		{func() { d.MatMul(x, x, y, device.MatMul{Batch: 1, M: 1, N: 6, K: 1}) }, "a: 6 elements, want 1"},
		{func() { d.Reduce(device.ReduceSum, x, y, 2, 3, 1) }, "cpu: Reduce: dst: 6 elements, want 2"},
		{func() { d.Reduce(device.ReduceArgMax, index, x.Sub(0, 0), 2, 0, 1) }, "maximum of nothing"},
		{func() { d.Strided(x, 1, []int{1}, y, 0, []int{1}, []int{6}) }, "elements [1, 6] of 6 in dst"},
		{func() { d.Strided(x, 0, []int{1}, y, 4, []int{-1}, []int{6}) }, "[-1, 4] of 6 in src"},
		{func() { d.Gather(x, y, index, 4) }, "6 elements are no rows of 4"},
		{func() { d.Cast(x, x) }, "overlaps"},
		{func() {
			segs := device.NewSegments(1)
			d.Attention(x, y, x, y, &device.Attention{Heads: 2, HeadDim: 3, Queries: segs, Keys: segs, QStride: 5, KStride: 12})
		}, "overlaps"},
	} {
		if got, ok := raised(c.f).(string); !ok || !strings.HasPrefix(got, "cpu: ") || !strings.Contains(got, c.want) {
			t.Errorf("panicked with %v, want %q", got, c.want)
		}
	}
}

func TestErrorsComeBeforeWrites(t *testing.T) {
	d := New()
	x := random(d, 12)
	before := read(d, x)
	index := device.Slice{Buffer: d.Alloc(device.Int32, 3), Len: 3}
	loss, lse := random(d, 3), random(d, 3)
	for _, bad := range []int32{-1, 4} {
		d.Write(index, []int32{0, 1, bad})
		for name, f := range map[string]func(){
			"Gather":     func() { d.Gather(x.Sub(0, 9), random(d, 12), index, 3) },
			"ScatterAdd": func() { d.ScatterAdd(x, random(d, 9), index, 3) },
			"SegmentCrossEntropyBackward": func() {
				d.Write(index, []int32{0, 1, 4})
				d.SegmentCrossEntropyBackward(x, loss, lse, random(d, 12), index, device.NewSegments(4, 4, 4))
			},
		} {
			var e *device.Error
			if err, ok := raised(f).(error); !ok || !errors.As(err, &e) || e.Op != name || e.Device != "cpu" {
				t.Errorf("%s with %d: %v, want a *device.Error", name, bad, e)
			}
			if !slices.Equal(read(d, x), before) {
				t.Errorf("%s with %d wrote before it failed", name, bad)
			}
		}
	}
}

func TestSteadyStateDoesNotAllocate(t *testing.T) {
	if raceDetector {
		t.Skip("scratch memory is kept in sync.Pool, which keeps nothing for sure under the race detector")
	}
	d := New()
	const rows, cols = 300, 700
	x, y, bias, out := random(d, rows*cols), random(d, rows*cols), random(d, cols), empty(d, rows*cols)
	pointwise := &device.Args{Rows: rows, Cols: cols, Out: []device.Slice{out},
		In: append(full(x), device.Operand{Slice: bias, Extent: device.RowExtent})}
	dropout := &device.Args{Rows: rows, Cols: cols, In: full(x), Out: []device.Slice{x}, Params: []float64{0.1}, Keys: []device.Key{{Lo: 1}}}
	for name, f := range map[string]func(){
		"Pointwise":         func() { d.Pointwise(biasGELUProgram, pointwise) },
		"Pointwise dropout": func() { d.Pointwise(dropoutProgram, dropout) },
		"MatMul": func() {
			d.MatMul(out.Sub(0, rows*rows), x, y, device.MatMul{Batch: 1, M: rows, N: rows, K: cols, TransB: true})
		},
		"MatMul in bfloat16": func() {
			d.MatMul(out.Sub(0, rows*rows), x, y, device.MatMul{Batch: 1, M: rows, N: rows, K: cols, TransB: true, Precision: device.BF16Operands})
		},
		"MatMul batched": func() {
			d.MatMul(out.Sub(0, 10*30*30), x, y, device.MatMul{Batch: 10, M: 30, N: 30, K: 700, TransB: true, StrideA: 21000, StrideB: 21000})
		},
	} {
		// Every goroutine needs a few runs to have what it works in. What may remain
		// are closures for package parallel.
		least := uint64(math.MaxUint64)
		for range 20 {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			f()
			runtime.ReadMemStats(&after)
			least = min(least, after.TotalAlloc-before.TotalAlloc)
		}
		if most := map[string]uint64{"MatMul in bfloat16": 512, "MatMul batched": 512}[name]; least > most {
			t.Errorf("%s allocates %d bytes, want at most %d", name, least, most)
		}
	}
}

// An element has the same bits whatever block, row or broadcast it is in: what is
// fused depends on the program alone.
// TestLargeTranspose is about a matrix that is written past the caches.
func TestLargeTranspose(t *testing.T) {
	const rows, cols = 1600, 1411
	if 4*rows*cols < beyondCaches {
		t.Fatal("too small")
	}
	d := New()
	values := randomValues(rows * cols)
	x, y := random(d, rows*cols), empty(d, rows*cols)
	d.Write(x, values)
	d.Strided(y, 0, []int{rows, 1}, x, 0, []int{1, cols}, []int{cols, rows})
	for i, v := range read(d, y) {
		if want := values[i%rows*cols+i/rows]; v != want {
			t.Fatalf("element %d is %v, want %v", i, v, want)
		}
	}
}

func TestBitsDoNotDependOnShape(t *testing.T) {
	p := device.NewProgram("blend", 3, func(b *device.Builder, x ...device.Value) []device.Value {
		product := b.Mul(x[0], x[1])
		return []device.Value{b.Add(product, x[2]), b.Add(b.Mul(b.Const(0.3), x[1]), b.Tanh(b.Add(b.Mul(x[1], x[2]), x[0])))}
	})
	d := New()
	const rows, cols = 7, 1500
	x, a, c := random(d, rows*cols), random(d, cols), random(d, rows)
	whole := []device.Slice{empty(d, rows*cols), empty(d, rows*cols)}
	d.Pointwise(p, &device.Args{Rows: rows, Cols: cols, Out: whole,
		In: []device.Operand{{Slice: x}, {Slice: a, Extent: device.RowExtent}, {Slice: c, Extent: device.ColumnExtent}}})
	for _, width := range []int{1, 3, 64, 601} {
		for at := 0; at+width <= rows*cols; at += 997 {
			r, col := at/cols, at%cols
			if col+width > cols {
				continue
			}
			part := []device.Slice{empty(d, width), empty(d, width)}
			d.Pointwise(p, &device.Args{Rows: 1, Cols: width, Out: part,
				In: []device.Operand{{Slice: x.Sub(at, width)}, {Slice: a.Sub(col, width), Extent: device.RowExtent}, {Slice: c.Sub(r, 1), Extent: device.ScalarExtent}}})
			for j := range part {
				if !slices.Equal(read(d, part[j]), read(d, whole[j].Sub(at, width))) {
					t.Fatalf("output %d, elements [%d, %d): other bits alone than in the whole", j, at, at+width)
				}
			}
		}
	}
}

// The shapes are large enough to be split.
func TestBitsDoNotDependOnProcessors(t *testing.T) {
	d := New()
	const rows, cols = 700, 768
	const n = rows * cols
	x, dy, gamma, beta := random(d, n), random(d, n), random(d, cols), random(d, cols)
	row, other := empty(d, rows), empty(d, rows)
	y, dgamma, dbeta := empty(d, n), empty(d, cols), empty(d, cols)
	table := empty(d, 64*cols)
	index := device.Slice{Buffer: d.Alloc(device.Int32, rows), Len: rows}
	at := make([]int32, rows)
	for i := range at {
		at[i] = int32(i * i % 64)
	}
	d.Write(index, at)
	narrow := device.Slice{Buffer: d.Alloc(device.Int32, n/3), Len: n / 3}
	many := make([]int32, n/3)
	for i := range many {
		many[i] = int32(i * 31 % 1000)
	}
	d.Write(narrow, many)
	segs := device.NewSegments(100, 1, 255, 0, 44, 300)
	a := &device.Attention{Heads: 4, HeadDim: 64, Queries: segs, Keys: segs, Scale: 0.125, Causal: true, Dropout: 0.1,
		QStride: cols, KStride: cols, KOffset: 256, VOffset: 512}
	out, lse, dout := empty(d, rows*256), empty(d, 4*rows), random(d, rows*256)
	w, m, v := random(d, n), random(d, n), positive(d, n)
	for _, c := range []struct {
		name string
		run  func()
		outs []device.Slice
	}{
		{"adamw", func() {
			d.Pointwise(adamWProgram, &device.Args{Rows: rows, Cols: cols, Out: []device.Slice{w, m, v}, Params: adamWParams,
				In: append(full(w, x, m, v), device.Operand{Slice: beta.Sub(0, 1), Extent: device.ScalarExtent})})
		}, []device.Slice{w, m, v}},
		{"sum of rows", func() { d.Reduce(device.ReduceSum, row, x, rows, cols, 1) }, []device.Slice{row}},
		{"sum of all", func() { d.Reduce(device.ReduceSum, row.Sub(0, 1), x, 1, n, 1) }, []device.Slice{row}},
		{"sum of columns", func() { d.Reduce(device.ReduceSum, dgamma, x, 1, rows, cols) }, []device.Slice{dgamma}},
		{"layer norm", func() { d.LayerNorm(y, row, other, x, gamma, beta, rows, cols, 1e-5) }, []device.Slice{y, row, other}},
		{"layer norm backward", func() { d.LayerNormBackward(y, dgamma, dbeta, dy, x, gamma, row, other, rows, cols) }, []device.Slice{y, dgamma, dbeta}},
		{"scatter-add", func() { d.ScatterAdd(table, x, index, cols) }, []device.Slice{table}},
		{"scatter-add of narrow rows", func() { d.ScatterAdd(table.Sub(0, 3000), x, narrow, 3) }, []device.Slice{table}},
		{"attention", func() { d.Attention(out, lse, x, x, a) }, []device.Slice{out, lse}},
		{"attention backward", func() { d.AttentionBackward(y, y, dout, out, lse, x, x, a) }, []device.Slice{y}},
		{"matmul", func() {
			d.MatMul(table.Sub(0, 64*64), x.Sub(0, 64*cols), dy.Sub(0, 64*cols), device.MatMul{Batch: 1, M: 64, N: 64, K: cols, TransB: true})
		}, []device.Slice{table}},
	} {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
		var start, want [][]float32
		for _, s := range c.outs {
			start = append(start, read(d, s))
		}
		for _, procs := range []int{1, 2, 3, 8} {
			runtime.GOMAXPROCS(procs)
			for i, s := range c.outs {
				d.Write(s, start[i])
			}
			c.run()
			for i, s := range c.outs {
				got := read(d, s)
				if procs == 1 {
					want = append(want, got)
				} else if !slices.EqualFunc(got, want[i], func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) }) {
					t.Errorf("%s: output %d has other bits with GOMAXPROCS=%d", c.name, i, procs)
				}
			}
		}
	}
}

// Long segments are done in blocks of few queries.
func TestLongAttention(t *testing.T) {
	d := New()
	const n, dim = 3000, 8
	segs := device.NewSegments(n)
	a := &device.Attention{Heads: 1, HeadDim: dim, Queries: segs, Keys: segs, Scale: 0.3, Causal: true, QStride: 3 * dim, KStride: 3 * dim, KOffset: dim, VOffset: 2 * dim}
	x, out, lse := random(d, n*3*dim), empty(d, n*dim), empty(d, n)
	d.Attention(out, lse, x, x, a)
	host, got := read(d, x), read(d, out)
	for i := 0; i < n; i += 271 {
		var sum float64
		var want [dim]float64
		for j := range i + 1 {
			var score float64
			for c := range dim {
				score += float64(host[i*3*dim+c]) * float64(host[j*3*dim+dim+c])
			}
			w := math.Exp(a.Scale * score)
			sum += w
			for c := range dim {
				want[c] += w * float64(host[j*3*dim+2*dim+c])
			}
		}
		for c := range dim {
			if got := float64(got[i*dim+c]); math.Abs(got-want[c]/sum) > 1e-4 {
				t.Fatalf("query %d, column %d: %v, want %v", i, c, got, want[c]/sum)
			}
		}
	}
	if rows := queryRows(1 << 20); rows*(1<<20) > 1<<24 {
		t.Errorf("%d queries in a block with a million keys", rows)
	}
}

func TestPlansAreForgottenWithTheirProgram(t *testing.T) {
	d := New()
	x := random(d, 10)
	key := func() weak.Pointer[device.Program] {
		p := device.NewProgram("passing", 1, func(b *device.Builder, x ...device.Value) []device.Value { return []device.Value{b.Exp(x[0])} })
		d.Pointwise(p, &device.Args{Rows: 2, Cols: 5, In: full(x), Out: []device.Slice{x}})
		return weak.Make(p)
	}()
	if _, ok := plans.Load(key); !ok && key.Value() != nil {
		t.Fatal("no plan was kept")
	}
	for range 50 {
		runtime.GC()
		if _, ok := plans.Load(key); !ok {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("the plan outlives its program")
}

// What a program costs is the number of its steps.
func TestStepsOfPlans(t *testing.T) {
	gate := device.NewProgram("gate", 1, func(b *device.Builder, x ...device.Value) values {
		return values{b.Mul(b.Mul(b.Const(0.5), x[0]), b.Add(b.Const(1), b.Tanh(b.Mul(x[0], b.Const(0.7)))))}
	})
	for _, c := range []struct {
		p             *device.Program
		l             layout
		steps, memory int
	}{
		{addProgram, layout{[]device.Extent{device.FullExtent, device.FullExtent}, []uint64{1}}, 1, 0},
		{addProgram, layout{[]device.Extent{device.FullExtent, device.ScalarExtent}, []uint64{0}}, 1, 0},
		{addProgram, layout{[]device.Extent{device.ColumnExtent, device.FullExtent}, []uint64{0}}, 1, 1},
		{gate, layout{[]device.Extent{device.FullExtent}, []uint64{0}}, 5, 2},
		{gate, layout{[]device.Extent{device.FullExtent}, []uint64{1}}, 5, 2},
		{gate, layout{[]device.Extent{device.ScalarExtent}, []uint64{0}}, 1, 0},
		{geluProgram, layout{[]device.Extent{device.FullExtent}, []uint64{0}}, 1, 0},
		{geluProgram.VJP(1), layout{[]device.Extent{device.FullExtent, device.FullExtent}, []uint64{0}}, 2, 1},
		{biasGELUProgram, layout{[]device.Extent{device.FullExtent, device.RowExtent}, []uint64{0}}, 2, 1},
	} {
		p := compile(c.p, c.l)
		if len(p.steps) != c.steps || p.private != c.memory {
			t.Errorf("%s on %v: %d steps and %d registers, want %d and %d:\n%s", c.p.Name(), c.l, len(p.steps), p.private, c.steps, c.memory, c.p)
		}
	}
}

func ExampleDevice_Pointwise() {
	d := New()
	swish := device.NewProgram("swish", 1, func(b *device.Builder, x ...device.Value) []device.Value {
		return []device.Value{b.Div(x[0], b.Add(b.Const(1), b.Exp(b.Neg(x[0]))))}
	})
	s := device.Slice{Buffer: d.Alloc(device.Float32, 3), Len: 3}
	d.Write(s, []float32{-1, 0, 1})
	d.Pointwise(swish, &device.Args{Rows: 1, Cols: 3, In: []device.Operand{{Slice: s}}, Out: []device.Slice{s}})
	y := make([]float32, 3)
	d.Read(y, s)
	fmt.Printf("%.3f\n", y)
	// Output: [-0.269 0.000 0.731]
}

// TestRecognise: GELU and its derivative are found in what is about them, and what is needed
// besides is computed too.
func TestRecognise(t *testing.T) {
	d := New()
	const n = 100
	x, g, y, z := random(d, n), random(d, n), empty(d, n), empty(d, n)
	one := func(p *device.Program, in ...device.Slice) []float32 {
		d.Pointwise(p, &device.Args{Rows: 1, Cols: n, In: full(in...), Out: []device.Slice{y}})
		return slices.Clone(view[float32]("", "", y, n))
	}
	two := func(f func(b *device.Builder, x, g device.Value) values) (_, _ []float32) {
		p := device.NewProgram("two", 2, func(b *device.Builder, in ...device.Value) values { return f(b, in[0], in[1]) })
		d.Pointwise(p, &device.Args{Rows: 1, Cols: n, In: full(x, g), Out: []device.Slice{y, z}})
		return slices.Clone(view[float32]("", "", y, n)), slices.Clone(view[float32]("", "", z, n))
	}
	gelu, gradient := one(geluProgram, x), one(geluProgram.VJP(1), x, g)
	same := func(what string, got, want []float32) {
		t.Helper()
		for i := range want {
			if math.Abs(float64(got[i]-want[i])) > 1e-6 {
				t.Fatalf("%s: element %d is %v, want %v", what, i, got[i], want[i])
			}
		}
	}
	xs, gs := view[float32]("", "", x, n), view[float32]("", "", g, n)
	expected := func(f func(x, g float64) float64) []float32 {
		want := make([]float32, n)
		for i := range want {
			want[i] = float32(f(float64(xs[i]), float64(gs[i])))
		}
		return want
	}
	inner := func(x, g float64) float64 { return g * x * math.Exp(-x*x/2) / math.Sqrt(2*math.Pi) }
	same("gelu", gelu, expected(func(x, _ float64) float64 { return x / 2 * (1 + math.Erf(x/math.Sqrt2)) }))
	same("gradient", gradient, expected(func(x, g float64) float64 { return g/2*(1+math.Erf(x/math.Sqrt2)) + inner(x, g) }))

	value, erf := two(func(b *device.Builder, x, _ device.Value) values {
		e := b.Add(b.Const(1), b.Erf(b.Mul(x, b.Const(1/math.Sqrt2))))
		return values{b.Mul(b.Mul(b.Const(0.5), x), e), e}
	})
	same("gelu with a part of it", value, gelu)
	same("a part of gelu", erf, expected(func(x, _ float64) float64 { return 1 + math.Erf(x/math.Sqrt2) }))

	code := geluProgram.VJP(1).Code()
	value, part := two(func(b *device.Builder, x, g device.Value) values { // the same again, with a part of it as a result
		at := make([]device.Value, len(code))
		for i, in := range code {
			switch in.Op {
			case device.OpInput:
				at[i] = values{x, g}[in.Index]
			case device.OpConst:
				at[i] = b.Const(in.Const)
			case device.OpMul:
				at[i] = b.Mul(at[in.A], at[in.B])
			case device.OpAdd:
				at[i] = b.Add(at[in.A], at[in.B])
			case device.OpNeg:
				at[i] = b.Neg(at[in.A])
			case device.OpExp:
				at[i] = b.Exp(at[in.A])
			case device.OpErf:
				at[i] = b.Erf(at[in.A])
			default:
				t.Fatalf("%v in the derivative of gelu", in.Op)
			}
		}
		last := code[len(code)-1]
		return values{at[len(code)-1], at[last.A]}
	})
	same("gradient with a part of it", value, gradient)
	same("a part of the gradient", part, expected(inner))
}
