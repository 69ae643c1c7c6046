package nn

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/ops"
)

type residual struct {
	Inner Sequential `name:"inner"`
}

func (r *residual) Forward(x *autograd.Tensor) *autograd.Tensor {
	return ops.Add(x, r.Inner.Forward(x))
}

func newSequential(seed uint64) Sequential {
	key := autograd.NewKey(seed)
	return Sequential{
		NewMLP([]int{3, 8, 8, 4}, ops.Tanh, key), Dropout{0.5}, NewLayerNorm(4, 1e-5),
		&residual{Sequential{NewLinear(4, 4, key.Fold("inner")), Func(ops.ReLU)}},
	}
}

func TestSequential(t *testing.T) {
	s := newSequential(1)
	var names []string
	for _, e := range StateDict(s) {
		names = append(names, fmt.Sprint(e.Name, e.Tensor.Shape()))
	}
	want := []string{
		"0.0.weight[8 3]", "0.0.bias[8]", "0.2.weight[8 8]", "0.2.bias[8]", "0.4.weight[4 8]", "0.4.bias[4]",
		"2.weight[4]", "2.bias[4]", "3.inner.0.weight[4 4]", "3.inner.0.bias[4]",
	}
	if !slices.Equal(names, want) {
		t.Errorf("names are\n%v, want\n%v", names, want)
	}

	x := Normal(autograd.NewKey(2), 0, 1, 5, 3)
	mlp, inner := s[0].(Sequential), s[3].(*residual).Inner
	hidden := mlp[2].Forward(ops.Tanh(mlp[0].Forward(x)))
	normed := s[2].Forward(mlp[4].Forward(ops.Tanh(hidden)))
	byHand := ops.Add(normed, ops.ReLU(inner[0].Forward(normed))).Float32s()
	if !slices.Equal(s.Forward(x).Float32s(), byHand) {
		t.Error("Forward is not its layers one behind the other")
	}
	if y := (Sequential{}).Forward(x); y != x {
		t.Error("no layers change x")
	}
	key := autograd.NewKey(3)
	dropped := s.ForwardTrain(x, key).Float32s()
	if slices.Equal(dropped, byHand) || !slices.Equal(dropped, s.ForwardTrain(x, key).Float32s()) {
		t.Error("want dropout in training, the same for the same key")
	}
	if slices.Equal(dropped, s.ForwardTrain(x, key.Fold("other")).Float32s()) {
		t.Error("the key does not decide the dropout")
	}
}

// TestSequentialGradients finds the same gradients with the frames of a scope as
// without one.
func TestSequentialGradients(t *testing.T) {
	s, key := newSequential(1), autograd.NewKey(3)
	x := Normal(autograd.NewKey(2), 0, 1, 5, 3)
	scope := autograd.NewScope()
	free, framed := autograd.NewGradients(), autograd.NewGradients()
	autograd.Backward(ops.Sum(s.ForwardTrain(x, key)), free)
	autograd.Backward(ops.Sum(s.ForwardTrain(scope.Of(x), key)), framed)
	scope.Reset()
	for _, p := range Parameters(s) {
		a, b := free.Get(p.Tensor), framed.Get(p.Tensor)
		if a == nil || b == nil || !slices.Equal(a.Float32s(), b.Float32s()) {
			t.Errorf("%s: the gradients are %v and %v", p.Name, a, b)
		}
	}
}

func TestDropoutLayer(t *testing.T) {
	const n, p = 10000, 0.3
	x := Constant(1, n)
	d := Dropout{p}
	if d.Forward(x) != x {
		t.Error("Forward drops")
	}
	kept := 0.0
	for _, v := range d.ForwardTrain(x, autograd.NewKey(1)).Float64s() {
		switch {
		case v != 0 && math.Abs(v-1/(1-p)) > 1e-6:
			t.Fatalf("an element is %g", v)
		case v != 0:
			kept++
		}
	}
	if math.Abs(kept-n*(1-p)) > 5*math.Sqrt(n*p*(1-p)) { // five standard deviations
		t.Errorf("%g of %d elements kept", kept, n)
	}
}

// Two layers of dropout have masks of their own: what is left of n ones is 4 for a
// quarter of them, where the same mask twice would leave half.
func TestSequentialKeys(t *testing.T) {
	const n = 10000
	y := Sequential{Dropout{0.5}, Dropout{0.5}}.ForwardTrain(Constant(1, n), autograd.NewKey(1))
	kept := ops.Sum(y).Item() / 4
	if math.Abs(kept-n/4) > 5*math.Sqrt(n*3./16) { // five standard deviations
		t.Errorf("%g of %d elements kept", kept, n)
	}
}

// attention is SelfAttention in plain Go for one segment.
func attention(x [][]float64, w, b, wOut, bOut []float64, heads int, causal bool) [][]float64 {
	d := len(x[0])
	linear := func(x, w, b []float64) []float64 {
		y := slices.Clone(b)
		for o := range y {
			for i, v := range x {
				y[o] += v * w[o*len(x)+i]
			}
		}
		return y
	}
	var qkv, out [][]float64
	for _, row := range x {
		qkv = append(qkv, linear(row, w, b))
	}
	for i := range x {
		context := make([]float64, d)
		for h := range heads {
			size := d / heads
			head := func(row []float64, part int) []float64 { return row[part*d+h*size : part*d+(h+1)*size] }
			var weights []float64
			sum := 0.0
			for j := range x {
				if causal && j > i {
					break
				}
				score := 0.0
				for k, q := range head(qkv[i], 0) {
					score += q * head(qkv[j], 1)[k]
				}
				weights = append(weights, math.Exp(score/math.Sqrt(float64(size))))
				sum += weights[j]
			}
			for j, weight := range weights {
				for k, v := range head(qkv[j], 2) {
					context[h*size+k] += weight / sum * v
				}
			}
		}
		out = append(out, linear(context, wOut, bOut))
	}
	return out
}

func TestSelfAttention(t *testing.T) {
	const size, heads = 6, 2
	lengths := []int{3, 0, 1, 4}
	a := NewSelfAttention(size, heads, autograd.NewKey(1))
	a.Bias, a.Out.Bias = Normal(autograd.NewKey(2), 0, 1, 3*size), Normal(autograd.NewKey(3), 0, 1, size)
	x := Normal(autograd.NewKey(4), 0, 1, 8, size)
	segs := device.NewSegments(lengths...)
	for _, causal := range []bool{false, true} {
		a.Causal = causal
		var want []float64
		rows := slices.Collect(slices.Chunk(x.Float64s(), size))
		for _, n := range lengths {
			if n > 0 {
				for _, row := range attention(rows[:n], a.Weight.Float64s(), a.Bias.Float64s(), a.Out.Weight.Float64s(), a.Out.Bias.Float64s(), heads, causal) {
					want = append(want, row...)
				}
			}
			rows = rows[n:]
		}
		got := a.Forward(x, segs, nil)
		if !slices.Equal(got.Shape(), []int{8, size}) {
			t.Fatalf("shape is %v", got.Shape())
		}
		for i, v := range got.Float64s() {
			if math.Abs(v-want[i]) > 5e-6 { // sums of a few dozen float32 products of size 1
				t.Errorf("causal %t: element %d is %g, want %g", causal, i, v, want[i])
			}
		}
	}
	a.Dropout = 0.5
	off, key := a.Forward(x, segs, nil).Float32s(), autograd.NewKey(5)
	on := a.Forward(x, segs, &key).Float32s()
	if slices.Equal(on, off) || !slices.Equal(on, a.Forward(x, segs, &key).Float32s()) {
		t.Error("want dropout with a key, the same for the same key")
	}
}

func TestNewLayersSaveLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model")
	type model struct {
		Body      Sequential     `name:"body"`
		Attention *SelfAttention `name:"attention"`
	}
	saved := &model{newSequential(1), NewSelfAttention(4, 2, autograd.NewKey(1))}
	loaded := &model{newSequential(2), NewSelfAttention(4, 2, autograd.NewKey(2))}
	if slices.Equal(values(saved), values(loaded)) {
		t.Fatal("nothing to load")
	}
	if err := Save(path, saved); err != nil {
		t.Fatal(err)
	}
	Parameters(loaded)[0].Freeze()
	if err := Load(path, loaded); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(values(saved), values(loaded)) {
		t.Error("loaded values differ")
	}
}

func TestFreeze(t *testing.T) {
	l := NewLinear(2, 2, autograd.NewKey(1))
	weight := Parameters(l)[0]
	before := l.Weight.Float32s()
	gradient := func() *autograd.Tensor {
		grads, scope := autograd.NewGradients(), autograd.NewScope()
		autograd.Backward(ops.Sum(l.Forward(scope.Of(Constant(1, 3, 2)))), grads)
		if grads.Get(l.Bias) == nil {
			t.Error("the bias has no gradient")
		}
		return grads.Get(l.Weight)
	}
	weight.Freeze()
	if gradient() != nil || weight.Tensor != l.Weight || !slices.Equal(l.Weight.Float32s(), before) {
		t.Error("want the same weight without a gradient")
	}
	weight.Tensor.RequireGrad()
	if gradient() == nil {
		t.Error("no gradient after RequireGrad")
	}
}

func TestLayerPanics(t *testing.T) {
	for want, f := range map[string]func(){
		"nn: NewMLP: ":           func() { NewMLP([]int{3}, ops.ReLU, autograd.NewKey(1)) },
		"nn: NewSelfAttention: ": func() { NewSelfAttention(6, 4, autograd.NewKey(1)) },
	} {
		func() {
			defer func() {
				if r := fmt.Sprint(recover()); !strings.HasPrefix(r, want) {
					t.Errorf("panic is %q, want %q", r, want)
				}
			}()
			f()
		}()
	}
}
