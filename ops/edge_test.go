package ops_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/ops"
)

// TestKinks gives the gradients that the documentation promises where there is none.
func TestKinks(t *testing.T) {
	one := func(f func(*tensor) *tensor) func(...*tensor) *tensor {
		return func(in ...*tensor) *tensor { return f(in[0]) }
	}
	two := func(f func(_, _ *tensor) *tensor) func(...*tensor) *tensor {
		return func(in ...*tensor) *tensor { return f(in[0], in[1]) }
	}
	for _, c := range []struct {
		name string
		f    func(in ...*tensor) *tensor
		in   []float64
		want []float64
	}{
		{"ReLU", one(ops.ReLU), []float64{0}, []float64{0}},
		{"Abs", one(ops.Abs), []float64{0}, []float64{0}},
		{"Maximum", two(ops.Maximum), []float64{2, 2}, []float64{0.5, 0.5}},
		{"Minimum", two(ops.Minimum), []float64{2, 2}, []float64{0.5, 0.5}},
		{"Pow 0⁰", two(ops.Pow), []float64{0, 0}, []float64{0, 0}},
		{"Pow 0²", two(ops.Pow), []float64{0, 2}, []float64{0, 0}},
		{"Pow (-2)³", two(ops.Pow), []float64{-2, 3}, []float64{12, math.NaN()}},
		{"Sigmoid far out", one(ops.Sigmoid), []float64{-800}, []float64{0}},
		{"GELU far out", one(ops.GELU), []float64{-800}, []float64{0}},
	} {
		var in []*tensor
		for _, v := range c.in {
			in = append(in, autograd.New([]float64{v}).RequireGrad())
		}
		ops.Sum(c.f(in...)).Backward()
		for i, x := range in {
			if got := x.Grad().Item(); got != c.want[i] && !(math.IsNaN(got) && math.IsNaN(c.want[i])) {
				t.Errorf("%s: gradient of operand %d is %v, want %v", c.name, i, got, c.want[i])
			}
		}
	}
}

// TestExtremes puts what overflows when written naively.
func TestExtremes(t *testing.T) {
	x := func(v ...float64) *tensor { return autograd.New(v).RequireGrad() }
	target := autograd.New([]int32{1})
	segs := device.NewSegments(3)
	for _, c := range []struct {
		name string
		got  *tensor
		want []float64
	}{
		{"Softmax", ops.Softmax(x(1e4, 0, 1e4), 0), []float64{0.5, 0, 0.5}},
		{"Softmax masked", ops.Softmax(x(0, math.Inf(-1), 0), 0), []float64{0.5, 0, 0.5}},
		{"LogSumExp", ops.LogSumExp(x(-1e4, -1e4), 0), []float64{-1e4 + math.Ln2}},
		{"SegmentCrossEntropy", ops.SegmentCrossEntropy(x(1e4, 0, math.Inf(-1)), target, segs), []float64{1e4}},
		{"Sigmoid", ops.Sigmoid(x(-1e4, 1e4)), []float64{0, 1}},
		{"ArgMax ties", ops.ArgMax(x(1, 3, 3), 0), []float64{1}},
		{"ArgMax NaN", ops.ArgMax(x(1, math.NaN(), 3), 0), []float64{1}},
		{"LayerNorm constant", ops.LayerNorm(x(1e6, 1e6), x(1, 1), x(2, 3), 1e-5), []float64{2, 3}},
	} {
		near(t, c.name, c.got.Float64s(), c.want, 1e-12)
	}
	if v := ops.Maximum(x(math.NaN(), 1), x(1, math.NaN())).Float64s(); !math.IsNaN(v[0]) || !math.IsNaN(v[1]) {
		t.Errorf("Maximum hides NaN: %v", v)
	}
}

// TestSharedMemory: reshapes and slices of leading rows copy nothing.
func TestSharedMemory(t *testing.T) {
	x := autograd.New([]float64{1, 2, 3, 4, 5, 6}, 3, 2)
	for _, y := range []*tensor{ops.Reshape(x, 6), ops.Slice(x, 0, 1, 3), ops.Slice(ops.Reshape(x, 6), 0, 2, 3)} {
		if y.Slice().Buffer != x.Slice().Buffer {
			t.Errorf("%v has memory of its own", y)
		}
	}
	if y := ops.Transpose(x, 0, 1); y.Slice().Buffer == x.Slice().Buffer {
		t.Error("Transpose shares memory")
	}
}

// TestDropout drops the right share, always the same, and another with another key.
func TestDropout(t *testing.T) {
	const n = 10000
	x := autograd.Full(device.Float32, 1, n)
	first := ops.Dropout(x, 0.3, key).Float32s()
	if !slices.Equal(first, ops.Dropout(x, 0.3, key).Float32s()) {
		t.Error("the same key gave another mask")
	}
	other := ops.Dropout(x, 0.3, key.Fold("other")).Float32s()
	zeros, differ := 0, 0
	for i, v := range first {
		switch v {
		case 0:
			zeros++
		case float32(1 / 0.7):
		default:
			t.Fatalf("element %d is %v", i, v)
		}
		if v != other[i] {
			differ++
		}
	}
	if math.Abs(float64(zeros)/n-0.3) > 0.02 || math.Abs(float64(differ)/n-2*0.3*0.7) > 0.02 {
		t.Errorf("%d of %d dropped, %d differ with another key", zeros, n, differ)
	}
}

// TestCallersSlice changes the operands' slice after the call, as callers may.
func TestCallersSlice(t *testing.T) {
	a, b := autograd.New([]float64{1}).RequireGrad(), autograd.New([]float64{2}).RequireGrad()
	product := ops.Pointwise("product", func(b *device.Builder, in ...device.Value) device.Value { return b.Mul(in[0], in[1]) })
	in := []*tensor{a, b}
	y := ops.Sum(ops.Add(product(in...), ops.Sum(ops.Concat(0, in...))))
	in[0], in[1] = nil, nil
	y.Backward()
	near(t, "gradients", []float64{a.Grad().Item(), b.Grad().Item()}, []float64{3, 2}, 0)
}

// TestOutside: what comes from data is an error, on every device.
func TestOutside(t *testing.T) {
	for _, name := range []string{"cpu", "reference"} {
		dev := deviceNamed(t, name)
		x := autograd.NewOn(dev, []float32{1, 2, 3})
		for _, f := range []func() *tensor{
			func() *tensor { return ops.IndexSelect(x, ints(x, 0, 3)) },
			func() *tensor { return ops.IndexSelect(x, ints(x, -1)) },
			func() *tensor { return ops.IndexAdd(x, ints(x, 0, 1, 2), 2) },
			func() *tensor { return ops.SegmentCrossEntropy(x, ints(x, 0, 1), device.NewSegments(2, 1)) },
		} {
			if err := autograd.Try(func() { f().Float64s() }); err == nil {
				t.Errorf("%s: no error", name)
			}
		}
	}
}

func TestPanics(t *testing.T) {
	f := func(shape ...int) *tensor { return autograd.Zeros(shape...) }
	i := func(v ...int32) *tensor { return autograd.New(v) }
	segs, apart := device.NewSegments(2, 1), device.SegmentsAt(3, []int{0, 2}, []int{1, 1})
	for _, c := range []struct {
		f    func()
		want []string
	}{
		{func() { ops.Add(f(2, 3), f(2)) }, []string{"add", "[2 3]", "[2]"}},
		{func() { ops.Add(f(2), autograd.New([]float64{1, 2})) }, []string{"add", "float32", "float64"}},
		{func() { ops.Neg(i(1)) }, []string{"neg", "int32"}},
		{func() {
			ops.Pointwise("none", func(b *device.Builder, _ ...device.Value) device.Value { return b.Const(1) })()
		}, []string{"none", "no operands"}},
		{func() { ops.MatMul(f(2, 3), f(2, 3)) }, []string{"MatMul", "[2 3]"}},
		{func() { ops.MatMul(f(3), f(2)) }, []string{"MatMul", "[3]", "[2]"}},
		{func() { ops.MatMul(f(2, 2, 3), f(3, 3, 2)) }, []string{"MatMul", "[3 3 2]"}},
		{func() { ops.Linear(f(2, 3), f(4, 2), nil) }, []string{"Linear", "[4 2]"}},
		{func() { ops.Reshape(f(2, 3), 4) }, []string{"Reshape", "[2 3]", "[4]"}},
		{func() { ops.Reshape(f(2, 3), -1, 4) }, []string{"Reshape", "[2 3]"}},
		{func() { ops.Reshape(f(0, 3), -1, 0) }, []string{"Reshape", "[0 3]"}},
		{func() { ops.Permute(f(2, 3), 0, 0) }, []string{"Permute", "[0 0]"}},
		{func() { ops.Permute(f(2, 3), 0) }, []string{"Permute", "[0]"}},
		{func() { ops.Transpose(f(2, 3), 0, 2) }, []string{"Transpose", "axis 2"}},
		{func() { ops.Slice(f(2, 3), 1, 2, 4) }, []string{"Slice", "[2, 4)"}},
		{func() { ops.Slice(f(2, 3), 1, 2, 1) }, []string{"Slice", "[2, 1)"}},
		{func() { ops.Concat(0) }, []string{"Concat"}},
		{func() { ops.Concat(0, f(2, 3), f(2, 2)) }, []string{"Concat", "[2 2]"}},
		{func() { ops.Expand(f(2, 3), 3, 3) }, []string{"Expand", "[2 3]", "[3 3]"}},
		{func() { ops.Expand(f(2, 3), 3) }, []string{"Expand", "[2 3]"}},
		{func() { ops.Sum(f(2), 1) }, []string{"Sum", "axis 1"}},
		{func() { ops.Mean(f(2), -2) }, []string{"axis -2"}},
		{func() { ops.Max(f(), 0) }, []string{"Max", "axis 0"}},
		{func() { ops.ArgMax(f(2), 1) }, []string{"ArgMax", "axis 1"}},
		{func() { ops.IndexSelect(f(2), f(1)) }, []string{"IndexSelect", "[1]"}},
		{func() { ops.IndexSelect(f(), i(1)) }, []string{"IndexSelect"}},
		{func() { ops.IndexAdd(f(2), i(1), 3) }, []string{"IndexAdd", "1 indices"}},
		{func() { ops.LayerNorm(f(2, 3), f(2), f(3), 0) }, []string{"LayerNorm", "[2]"}},
		{func() { ops.LayerNorm(f(2, 3), f(3), autograd.New(make([]float64, 3)), 0) }, []string{"LayerNorm", "float64"}},
		{func() { ops.Dropout(f(2), 1, key) }, []string{"Dropout", "probability 1"}},
		{func() { ops.Dropout(f(2), math.NaN(), key) }, []string{"Dropout", "probability NaN"}},
		{func() { ops.DropoutAdd(f(2), f(2), f(2), -0.1, key) }, []string{"DropoutAdd", "-0.1"}},
		{func() { ops.SelfAttention(f(3, 4), segs, ops.AttentionConfig{Heads: 1}) }, []string{"SelfAttention", "[3 4]"}},
		{func() { ops.SelfAttention(f(2, 3), segs, ops.AttentionConfig{Heads: 1}) }, []string{"SelfAttention", "Segments[2 1]"}},
		{func() { ops.SelfAttention(f(3, 3), segs, ops.AttentionConfig{}) }, []string{"SelfAttention", "0 heads"}},
		{func() {
			ops.CrossAttention(f(3, 2), f(3, 4), segs, device.NewSegments(3), ops.AttentionConfig{Heads: 1})
		}, []string{"CrossAttention", "Segments[3]"}},
		{func() { ops.CrossAttention(f(3, 2), f(3, 4), apart, segs, ops.AttentionConfig{Heads: 1}) }, []string{"CrossAttention", "Segments[1 1]"}},
		{func() { ops.SelfAttention(f(3, 3), apart, ops.AttentionConfig{Heads: 1}) }, []string{"SelfAttention", "Segments[1 1]"}},
		{func() { ops.SegmentCrossEntropy(f(3), i(0, 0), apart) }, []string{"SegmentCrossEntropy", "Segments[1 1]"}},
		{func() { ops.SegmentCrossEntropy(f(3), i(0), segs) }, []string{"SegmentCrossEntropy", "Segments[2 1]"}},
		{func() { ops.SegmentCrossEntropy(i(3, 3, 3), i(0, 0), segs) }, []string{"SegmentCrossEntropy", "int32"}},
		{func() { ops.CrossEntropy(f(2, 3), i(0)) }, []string{"CrossEntropy", "[2 3]", "[1]"}},
	} {
		func() {
			defer func() {
				message := fmt.Sprint(recover())
				for _, part := range append(c.want, "ops: ") {
					if !strings.Contains(message, part) {
						t.Errorf("panic %q, want %q in it", message, part)
					}
				}
			}()
			c.f()
		}()
	}
}

// TestKeysApartGradient: rows between the segments of keys have a gradient of 0, whatever
// was in the memory that it takes.
func TestKeysApartGradient(t *testing.T) {
	q, kv := autograd.New([]float64{1, 2}, 2, 1).RequireGrad(), autograd.New(make([]float64, 10), 5, 2).RequireGrad()
	scope := autograd.NewScope()
	for range 8 {
		ops.Scale(scope.New(make([]float64, 10), 5, 2), math.NaN())
	}
	scope.Reset()
	y := ops.CrossAttention(scope.Of(q), scope.Of(kv), device.NewSegments(1, 1), device.SegmentsAt(5, []int{1, 3}, []int{1, 1}), ops.AttentionConfig{Heads: 1})
	grads := autograd.NewGradients()
	autograd.Backward(ops.Sum(y), grads)
	if got := grads.Get(kv).Float64s(); !slices.Equal(got, []float64{0, 0, 0, 1, 0, 0, 0, 1, 0, 0}) {
		t.Errorf("gradient %v", got)
	}
}
