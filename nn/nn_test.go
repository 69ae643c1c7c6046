package nn

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
	_ "github.com/muppet-go/muppet/device/reference"
)

type block struct {
	Weight  *autograd.Tensor   `name:"weight"`
	Extra   *autograd.Tensor   `name:"extra"` // left nil
	List    []*autograd.Tensor `name:"list,nodecay"`
	Comment string
	hidden  *autograd.Tensor // no tag, no parameter
}

type base struct {
	Scale *autograd.Tensor `name:"scale"`
}

type everything struct {
	base   `name:"base"`
	Norm   *LayerNorm       `name:"norm"`
	Blocks []*block         `name:"layer"`
	Heads  map[string]any   `name:"heads,nodecay"`
	Pair   [2]Linear        `name:"pair"`
	Joined *autograd.Tensor `name:"a.w|b.w|c.w,nodecay"`
	Missed *Linear          `name:"missed"` // left nil
	Flat   **Linear         `name:""`
	Plain  *Linear
}

func newEverything() *everything {
	flat := NewLinear(1, 1, autograd.NewKey(9))
	one := func(n int) *autograd.Tensor { return Constant(float64(n), n) }
	return &everything{
		base: base{one(1)}, Norm: NewLayerNorm(2, 1e-5),
		Blocks: []*block{{Weight: one(2), List: []*autograd.Tensor{one(3), nil, one(4)}, hidden: one(1)}, nil, {Weight: one(5)}},
		Heads:  map[string]any{"z": &Linear{Weight: one(1)}, "b": one(2), "nil": nil},
		Pair:   [2]Linear{{Weight: one(1)}, {Bias: one(2)}},
		Joined: autograd.New([]float32{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, 6, 2).RequireGrad(),
		Flat:   &flat,
		Plain:  NewLinear(1, 1, autograd.NewKey(3)),
	}
}

func TestParameters(t *testing.T) {
	var got []string
	for _, p := range Parameters(newEverything()) {
		got = append(got, fmt.Sprint(p.Name, p.Tensor.Shape(), p.NoDecay, len(p.Parts)))
	}
	want := []string{
		"base.scale[1] false 0", "norm.weight[2] true 0", "norm.bias[2] true 0",
		"layer.0.weight[2] false 0", "layer.0.list.0[3] true 0", "layer.0.list.2[4] true 0", "layer.2.weight[5] false 0",
		"heads.b[2] true 0", "heads.z.weight[1] true 0", "pair.0.weight[1] false 0", "pair.1.bias[2] true 0",
		"a.w|b.w|c.w[6 2] true 3", "weight[1 1] false 0", "bias[1] true 0",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestStateDictParts(t *testing.T) {
	m := newEverything()
	for _, e := range StateDict(m) {
		if e.Name != "b.w" {
			continue
		}
		if got := fmt.Sprint(e.Tensor.Shape(), e.Tensor.Float32s()); got != "[2 2] [5 6 7 8]" {
			t.Errorf("b.w is %s", got)
		}
		autograd.Mutate(func(dst ...device.Slice) { e.Tensor.Device().Fill(dst[0], -1) }, e.Tensor)
		if got := fmt.Sprint(m.Joined.Float32s()); got != "[1 2 3 4 -1 -1 -1 -1 9 10 11 12]" {
			t.Errorf("after writing into b.w the whole is %s", got)
		}
		return
	}
	t.Error("no b.w")
}

func TestParametersPanics(t *testing.T) {
	w := Constant(1, 3)
	for name, c := range map[string]struct {
		model any
		want  string
	}{
		"nil":        {nil, "the model is nil"},
		"nilPointer": {(*Linear)(nil), "the model is nil"},
		"unexported": {&struct {
			weight *autograd.Tensor `name:"weight"`
		}{w}, "field weight of"},
		"duplicate": {&struct {
			A *autograd.Tensor `name:"w"`
			B *autograd.Tensor `name:"w"`
		}{w, Constant(1, 1)}, `two parameters named "w"`},
		"duplicatePart": {&struct {
			A *autograd.Tensor `name:"a|b|c"`
			B *autograd.Tensor `name:"b"`
		}{w, Constant(1, 1)}, `two parameters named "b"`},
		"shared": {&struct {
			A *autograd.Tensor `name:"a"`
			B *autograd.Tensor `name:"b"`
		}{w, w}, `"a" and "b" are one tensor`},
		"rows": {&struct {
			A *autograd.Tensor `name:"a|b"`
		}{w}, "[3] do not divide"},
		"scalar": {&struct {
			A *autograd.Tensor `name:"a|b"`
		}{autograd.Scalar(1)}, "[] do not divide"},
		"partsOfStruct": {&struct {
			A *Linear `name:"a|b"`
		}{NewLinear(1, 1, autograd.NewKey(1))}, "only a tensor"},
		"option": {&struct {
			A *autograd.Tensor `name:"a,nodekay"`
		}{w}, `unknown option "nodekay"`},
		"kind": {&struct {
			A int `name:"a"`
		}{1}, `"a" is a int`},
		"keys": {&struct {
			A map[int]*autograd.Tensor `name:"a"`
		}{map[int]*autograd.Tensor{1: w}}, "want strings for keys"},
		"unnamed": {&struct {
			A *autograd.Tensor `name:""`
		}{w}, "without a name"},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if r := fmt.Sprint(recover()); !strings.HasPrefix(r, "nn: ") || !strings.Contains(r, c.want) {
					t.Errorf("panic is %q, want %q", r, c.want)
				}
			}()
			Parameters(c.model)
		})
	}
}

func values(model any) (all []float32) {
	for _, p := range Parameters(model) {
		all = append(all, p.Tensor.Float32s()...)
	}
	return all
}

func TestSaveLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model.safetensors")
	saved, loaded := newEverything(), newEverything()
	for i, p := range Parameters(saved) {
		autograd.Mutate(func(dst ...device.Slice) { p.Tensor.Device().Iota(dst[0], float64(i)+0.1, 1./3) }, p.Tensor)
	}
	if slices.Equal(values(saved), values(loaded)) {
		t.Fatal("nothing to load")
	}
	if err := Save(path, saved); err != nil {
		t.Fatal(err)
	}
	if err := Load(path, loaded); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(values(saved), values(loaded)) {
		t.Error("loaded values differ")
	}
}

func TestSaveLoadTypes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "types")
	entries := func(x float64, n int32) []Entry {
		return []Entry{{"wide", autograd.New([]float64{x, math.Pi}, 2, 1)}, {"count", autograd.New([]int32{n})}, {"none", autograd.Zeros(0, 3)}}
	}
	if err := SaveEntries(path, entries(1/3., -7)); err != nil {
		t.Fatal(err)
	}
	got := entries(0, 0)
	if err := LoadEntries(path, got); err != nil {
		t.Fatal(err)
	}
	if v := got[0].Tensor.Float64s(); v[0] != 1/3. || got[1].Tensor.Int32s()[0] != -7 {
		t.Errorf("loaded %v", got)
	}
}

func TestLoadErrorsChangeNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "model")
	entry := func(name string, shape ...int) Entry { return Entry{name, autograd.Full(device.Float32, 7, shape...)} }
	if err := SaveEntries(path, []Entry{entry("fc1.weight", 2, 3), entry("fc1.bias", 4), entry("old.one", 1), entry("old.two", 1)}); err != nil {
		t.Fatal(err)
	}
	m := &struct {
		First *Linear          `name:"fc1"`
		New   *autograd.Tensor `name:"new"`
	}{NewLinear(3, 2, autograd.NewKey(1)), Constant(1, 1)}
	before := values(m)
	check := func(path string, wants ...string) {
		t.Helper()
		err := Load(path, m)
		if err == nil {
			t.Fatal("no error")
		}
		for _, want := range append(wants, path) {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("error %q does not say %q", err, want)
			}
		}
		if !slices.Equal(values(m), before) {
			t.Error("the error changed the model")
		}
	}
	check(path, "missing new", "fc1.bias has shape [4], want [2]", "unknown old.one", "unknown old.two")
	check(filepath.Join(dir, "absent"))

	// One tensor too many is an error too.
	extra := filepath.Join(dir, "extra")
	if err := SaveEntries(extra, []Entry{entry("fc1.weight", 2, 3), entry("fc1.bias", 2), entry("new", 1), entry("old", 1)}); err != nil {
		t.Fatal(err)
	}
	check(extra, "unknown old")

	// The type is wrong in the last tensor only.
	bad := filepath.Join(dir, "bad")
	if err := SaveEntries(bad, []Entry{entry("fc1.weight", 2, 3), entry("fc1.bias", 2), {"new", autograd.New([]int32{1})}}); err != nil {
		t.Fatal(err)
	}
	check(bad, "new")

	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	cut := filepath.Join(dir, "cut")
	if err := os.WriteFile(cut, data[:len(data)-1], 0o644); err != nil {
		t.Fatal(err)
	}
	check(cut)
}

func TestLoadListsAFew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model")
	var entries []Entry
	for i := range 30 {
		entries = append(entries, Entry{fmt.Sprint("t", i), autograd.Zeros(1)})
	}
	if err := SaveEntries(path, entries); err != nil {
		t.Fatal(err)
	}
	if err := LoadEntries(path, nil); err == nil || !strings.Contains(err.Error(), "and 20 more") {
		t.Errorf("error is %v", err)
	}
}

func moments(x []float64) (mean, std float64) {
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		std += (v - mean) * (v - mean) / float64(len(x))
	}
	return mean, math.Sqrt(std)
}

func TestInit(t *testing.T) {
	const n = 20000
	key := autograd.NewKey(5)
	x := Normal(key, 3, 0.5, n/10, 10)
	mean, std := moments(x.Float64s())
	if math.Abs(mean-3) > 0.02 || math.Abs(std-0.5) > 0.015 { // more than 5 standard errors
		t.Errorf("normal: mean %g, standard deviation %g", mean, std)
	}
	within := 0
	for _, v := range x.Float64s() {
		if math.Abs(v-3) < 0.5 {
			within++
		}
	}
	if p := float64(within) / n; math.Abs(p-0.6827) > 0.017 {
		t.Errorf("normal: %g within one standard deviation", p)
	}
	u := Uniform(key, -2, 1, n)
	v := u.Float64s()
	mean, std = moments(v)
	if math.Abs(mean+0.5) > 0.035 || math.Abs(std-3/math.Sqrt(12)) > 0.03 {
		t.Errorf("uniform: mean %g, standard deviation %g", mean, std)
	}
	if low, high := slices.Min(v), slices.Max(v); low < -2 || low > -1.99 || high > 1 || high < 0.99 {
		t.Errorf("uniform: from %g to %g", low, high)
	}
	if !slices.Equal(v, Uniform(key, -2, 1, n).Float64s()) || !slices.Equal(x.Float64s(), Normal(key, 3, 0.5, n/10, 10).Float64s()) {
		t.Error("the same key draws differently")
	}
	if slices.Equal(v, Uniform(key.Fold("other"), -2, 1, n).Float64s()) {
		t.Error("different keys draw alike")
	}
	if !x.RequiresGrad() || !u.RequiresGrad() || !Constant(1).RequiresGrad() {
		t.Error("a parameter wants no gradients")
	}
	l := NewLinear(16, 100, key)
	if w := l.Weight.Float64s(); slices.Max(w) > 0.25 || slices.Min(w) < -0.25 || slices.Max(w) < 0.24 {
		t.Errorf("linear: weights from %g to %g, want ±1/4", slices.Min(w), slices.Max(w))
	}
}

func near(t *testing.T, name string, got *autograd.Tensor, shape []int, want ...float64) {
	t.Helper()
	if !slices.Equal(got.Shape(), shape) {
		t.Fatalf("%s has shape %v, want %v", name, got.Shape(), shape)
	}
	for i, v := range got.Float64s() {
		if !(math.Abs(v-want[i]) < 1e-6) {
			t.Errorf("%s: element %d is %g, want %g", name, i, v, want[i])
		}
	}
}

func TestForward(t *testing.T) {
	x := autograd.New([]float32{1, 2, 3, 4, 5, 6}, 2, 1, 3)
	l := &Linear{autograd.New([]float32{1, 0, -1, 2, 1, 0.5}, 2, 3), autograd.New([]float32{10, 20})}
	near(t, "Linear", l.Forward(x), []int{2, 1, 2}, 8, 25.5, 8, 36)
	e := &Embedding{autograd.New([]float32{1, 2, 3, 4, 5, 6}, 3, 2)}
	near(t, "Embedding", e.Forward(autograd.New([]int32{2, 0, 2})), []int{3, 2}, 5, 6, 1, 2, 5, 6)
	n := &LayerNorm{autograd.New([]float32{1, 2}), autograd.New([]float32{0, 3}), 0}
	near(t, "LayerNorm", n.Forward(autograd.New([]float32{1, 5, 4, 2}, 2, 2)), []int{2, 2}, -1, 5, 1, 1)
}
