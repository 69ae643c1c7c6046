package cpu

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/internal/parallel"
)

// The benchmarks report GB/s of the least traffic that an operation needs, on
// float32 and random data. Those beyond the caches take turns with a copy of 64 MiB
// by as many threads, and %copy is the median of the ratio to it.

// besideCopy measures f, which moves so many bytes.
func besideCopy(b *testing.B, name string, traffic int, f func()) {
	copied, toCopy := randomValues(1<<23), randomValues(1<<23)
	b.Run(name, func(b *testing.B) {
		var rates, copies, ratios []float64
		f()
		for b.Loop() {
			start := time.Now()
			const piece = 1 << 16
			parallel.For(len(copied)/piece, func(i int) { copy(copied[i*piece:(i+1)*piece], toCopy[i*piece:]) })
			middle := time.Now()
			f()
			end := time.Now()
			copies = append(copies, float64(2*4*len(copied))/float64(middle.Sub(start).Nanoseconds()))
			rates = append(rates, float64(traffic)/float64(end.Sub(middle).Nanoseconds()))
			ratios = append(ratios, 100*rates[len(rates)-1]/copies[len(copies)-1])
		}
		for _, s := range [][]float64{rates, copies, ratios} {
			slices.Sort(s)
		}
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(rates[len(rates)/2], "GB/s")
		b.ReportMetric(copies[len(copies)/2], "copy-GB/s")
		b.ReportMetric(ratios[len(ratios)/2], "%copy")
	})
}

type values = []device.Value

var (
	addProgram = device.NewProgram("add", 2, func(b *device.Builder, x ...device.Value) values {
		return values{b.Add(x[0], x[1])}
	})
	expProgram      = device.NewProgram("exp", 1, func(b *device.Builder, x ...device.Value) values { return values{b.Exp(x[0])} })
	tanhProgram     = device.NewProgram("tanh", 1, func(b *device.Builder, x ...device.Value) values { return values{b.Tanh(x[0])} })
	biasGELUProgram = device.NewProgram("bias+gelu", 2, func(b *device.Builder, in ...device.Value) values {
		x := b.Add(in[0], in[1])
		return values{b.Mul(b.Mul(b.Const(0.5), x), b.Add(b.Const(1), b.Erf(b.Mul(x, b.Const(math.Sqrt2/2)))))}
	})
	dropoutProgram = device.NewProgram("dropout", 1, func(b *device.Builder, x ...device.Value) values {
		kept := b.Mul(x[0], b.Div(b.Const(1), b.Sub(b.Const(1), b.Param(0))))
		return values{b.Select(b.Less(b.Uniform(0), b.Param(0)), b.Const(0), kept)}
	})
	// The inputs are weights, gradients, both moments, and the scale of the gradients;
	// the parameters are the learning rate, both betas, epsilon, the decay and both
	// bias corrections.
	adamWProgram = device.NewProgram("adamw", 5, func(b *device.Builder, x ...device.Value) values {
		w, g, m, v := x[0], b.Mul(x[1], x[4]), x[2], x[3]
		lr, beta1, beta2, eps, decay := b.Param(0), b.Param(1), b.Param(2), b.Param(3), b.Param(4)
		m = b.Add(b.Mul(beta1, m), b.Mul(b.Sub(b.Const(1), beta1), g))
		v = b.Add(b.Mul(beta2, v), b.Mul(b.Sub(b.Const(1), beta2), b.Mul(g, g)))
		step := b.Div(b.Mul(b.Param(5), m), b.Add(b.Sqrt(b.Mul(b.Param(6), v)), eps))
		w = b.Sub(b.Mul(w, b.Sub(b.Const(1), b.Mul(lr, decay))), b.Mul(lr, step))
		return values{w, m, v}
	})
	adamWParams = []float64{1e-3, 0.9, 0.999, 1e-8, 0.01, 1.5, 1.2}
)

// randomValues returns n numbers in [-2, 2).
func randomValues(n int) []float32 {
	rng := rand.New(rand.NewPCG(uint64(n), 1))
	x := make([]float32, n)
	for i := range x {
		x[i] = 4*rng.Float32() - 2
	}
	return x
}

// random puts n numbers in [-2, 2) on the device.
func random(d *Device, n int) device.Slice {
	s := empty(d, n)
	d.Write(s, randomValues(n))
	return s
}

// positive puts n numbers in [0, 2) on the device.
func positive(d *Device, n int) device.Slice {
	s := random(d, n)
	p := device.NewProgram("abs", 1, func(b *device.Builder, x ...device.Value) values { return values{b.Abs(x[0])} })
	d.Pointwise(p, &device.Args{Rows: 1, Cols: n, In: []device.Operand{{Slice: s}}, Out: []device.Slice{s}})
	return s
}

func empty(d *Device, n int) device.Slice {
	s := device.Slice{Buffer: d.Alloc(device.Float32, n), Len: n}
	d.Fill(s, 0)
	return s
}

func full(slices ...device.Slice) []device.Operand {
	operands := make([]device.Operand, len(slices))
	for i, s := range slices {
		operands[i].Slice = s
	}
	return operands
}

func BenchmarkPointwise(b *testing.B) {
	const rows, cols = 8192, 1024
	const n = rows * cols
	d := New()
	x, y, z, out := random(d, n), random(d, n), random(d, n), empty(d, n)
	v, bias, scale := positive(d, n), random(d, cols), random(d, 1)
	keys := []device.Key{device.NewKey(1)}
	for _, c := range []struct {
		name    string
		p       *device.Program
		traffic int // numbers an element
		args    device.Args
	}{
		{"add", addProgram, 3, device.Args{In: full(x, y), Out: []device.Slice{out}}},
		{"exp", expProgram, 2, device.Args{In: full(x), Out: []device.Slice{out}}},
		{"tanh", tanhProgram, 2, device.Args{In: full(x), Out: []device.Slice{out}}},
		{"gelu", geluProgram, 2, device.Args{In: full(x), Out: []device.Slice{out}}},
		{"bias+gelu", biasGELUProgram, 2, device.Args{In: append(full(x), device.Operand{Slice: bias, Extent: device.RowExtent}), Out: []device.Slice{out}}},
		{"gelu backward", geluProgram.VJP(1), 3, device.Args{In: full(x, y), Out: []device.Slice{out}}},
		{"dropout", dropoutProgram, 2, device.Args{In: full(x), Out: []device.Slice{out}, Params: []float64{0.1}, Keys: keys}},
		{"dropout backward", dropoutProgram.VJP(1), 2, device.Args{In: full(x, y), Out: []device.Slice{out}, Params: []float64{0.1}, Keys: keys}},
		{"adamw", adamWProgram, 7, device.Args{In: append(full(z, y, x, v), device.Operand{Slice: scale, Extent: device.ScalarExtent}), Out: []device.Slice{z, x, v}, Params: adamWParams}},
	} {
		c.args.Rows, c.args.Cols = rows, cols
		besideCopy(b, c.name, 4*c.traffic*n, func() { d.Pointwise(c.p, &c.args) })
	}
	besideCopy(b, "add fresh", 4*3*n, func() {
		fresh := device.Slice{Buffer: d.Alloc(device.Float32, n), Len: n}
		d.Pointwise(addProgram, &device.Args{Rows: 1, Cols: n, In: full(x, y), Out: []device.Slice{fresh}})
		d.Free(fresh.Buffer)
	})
}

// BenchmarkSmall is about what a call costs.
func BenchmarkSmall(b *testing.B) {
	d := New()
	for _, n := range []int{1, 1000, 10000, 30000, 100000} {
		x, y, out := random(d, n), random(d, n), empty(d, n)
		args := &device.Args{Rows: 1, Cols: n, In: full(x, y), Out: []device.Slice{out}}
		b.Run(fmt.Sprint("add", n), func(b *testing.B) {
			b.SetBytes(int64(4 * 3 * n))
			for b.Loop() {
				d.Pointwise(addProgram, args)
			}
		})
	}
}

func BenchmarkRows(b *testing.B) {
	const rows, cols = 4096, 768
	const n = rows * cols
	d := New()
	x, dy, y, dx := random(d, n), random(d, n), empty(d, n), empty(d, n)
	gamma, beta, dgamma, dbeta := random(d, cols), random(d, cols), empty(d, cols), empty(d, cols)
	mean, rstd := empty(d, rows), empty(d, rows)
	run := func(name string, traffic int, f func()) { besideCopy(b, name, 4*traffic, f) }
	run("layer norm", 2*n, func() { d.LayerNorm(y, mean, rstd, x, gamma, beta, rows, cols, 1e-5) })
	run("layer norm backward", 3*n, func() { d.LayerNormBackward(dx, dgamma, dbeta, dy, x, gamma, mean, rstd, rows, cols) })
	run("sum of rows", n, func() { d.Reduce(device.ReduceSum, mean, x, rows, cols, 1) })
	run("sum of columns", n, func() { d.Reduce(device.ReduceSum, dgamma, x, 1, rows, cols) })
	run("transpose", 2*n, func() { d.Strided(y, 0, []int{rows, 1}, x, 0, []int{1, cols}, []int{cols, rows}) })
	run("heads", 2*n, func() {
		d.Strided(y, 0, []int{12 * 128 * 64, 128 * 64, 64, 1}, x, 0, []int{128 * 768, 64, 768, 1}, []int{32, 12, 128, 64})
	})

	const vocabulary = 50265
	const table = 128 * vocabulary
	segs := device.UniformSegments(128, vocabulary)
	logits, dlogits, loss, lse := random(d, table), empty(d, table), empty(d, 128), empty(d, 128)
	target := device.Slice{Buffer: d.Alloc(device.Int32, 128), Len: 128}
	d.Iota(target, 5, 300)
	run("cross entropy", table, func() { d.SegmentCrossEntropy(loss, lse, logits, target, segs) })
	run("cross entropy backward", 2*table, func() { d.SegmentCrossEntropyBackward(dlogits, loss, lse, logits, target, segs) })
	index := device.Slice{Buffer: d.Alloc(device.Int32, rows), Len: rows}
	d.Iota(index, 3, 2)
	embedding := empty(d, 10000*cols)
	run("gather", 2*n, func() { d.Gather(y, embedding, index, cols) })
	run("scatter-add", 3*n, func() { d.ScatterAdd(embedding, x, index, cols) })
}

func BenchmarkAttention(b *testing.B) {
	d := New()
	for _, c := range []struct {
		segments, length int
		dropout          float64
	}{{8, 128, 0}, {8, 128, 0.1}, {4, 512, 0}, {4, 512, 0.1}, {64, 16, 0}} {
		const heads, dim = 12, 64
		segs := device.UniformSegments(c.segments, c.length)
		rows := segs.Total()
		a := &device.Attention{Heads: heads, HeadDim: dim, Queries: segs, Keys: segs, Scale: 0.125, Dropout: c.dropout,
			QStride: 3 * heads * dim, KStride: 3 * heads * dim, KOffset: heads * dim, VOffset: 2 * heads * dim}
		qkv, dqkv := random(d, rows*a.QStride), empty(d, rows*a.QStride)
		out, lse, dout := empty(d, rows*heads*dim), empty(d, heads*rows), random(d, rows*heads*dim)
		flops := float64(4 * heads * dim * c.segments * c.length * c.length)
		name := fmt.Sprintf("%dx%d dropout %v", c.segments, c.length, c.dropout)
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				d.Attention(out, lse, qkv, qkv, a)
			}
			b.ReportMetric(flops*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
		})
		b.Run(name+" backward", func(b *testing.B) {
			for b.Loop() {
				d.AttentionBackward(dqkv, dqkv, dout, out, lse, qkv, qkv, a)
			}
			b.ReportMetric(2.5*flops*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
		})
	}
}
