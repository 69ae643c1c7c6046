package ops_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/ops"
)

// TestElementwiseExtremes gives values and gradients where formulas written plainly
// overflow, lose digits or have kinks, and those that PyTorch documents for NaN.
func TestElementwiseExtremes(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for _, c := range []struct {
		name           string
		f              func(*tensor) *tensor
		x, y, gradient []float64
	}{
		{"Sigmoid", ops.Sigmoid, []float64{-inf, -800, -40, 0, 40, 800, inf, nan},
			[]float64{0, 0, math.Exp(-40), 0.5, 1, 1, 1, nan}, []float64{0, 0, math.Exp(-40), 0.25, math.Exp(-40), 0, 0, nan}},
		{"SiLU", ops.SiLU, []float64{-800, -40, 0, 800, inf, nan},
			[]float64{0, -40 * math.Exp(-40), 0, 800, inf, nan}, []float64{0, -39 * math.Exp(-40), 0.5, 1, nan, nan}},
		{"Softplus", ops.Softplus, []float64{-inf, -800, -40, 0, 800, inf, nan},
			[]float64{0, 0, math.Exp(-40), math.Ln2, 800, inf, nan}, []float64{0, 0, math.Exp(-40), 0.5, 1, 1, nan}},
		{"GELUTanh", ops.GELUTanh, []float64{-1e200, -800, 0, 800, 1e200, nan},
			[]float64{0, 0, 0, 800, 1e200, nan}, []float64{0, 0, 0.5, 1, 1, nan}},
		{"Rsqrt", ops.Rsqrt, []float64{0, 4, inf, -1}, []float64{inf, 0.5, 0, nan}, []float64{-inf, -1. / 16, 0, nan}},
		{"Sign", ops.Sign, []float64{-inf, -3, 0, 1e-300, nan}, []float64{-1, -1, 0, 1, nan}, nil},
		{"Expm1", ops.Expm1, []float64{-inf, 1e-20, inf}, []float64{-1, 1e-20, inf}, []float64{0, 1, inf}},
		{"Log1p", ops.Log1p, []float64{-1, 1e-20, inf}, []float64{-inf, 1e-20, inf}, []float64{inf, 1, 0}},
		{"Clamp", func(x *tensor) *tensor { return ops.Clamp(x, -1, 2) }, []float64{-inf, -1, 0, 2, 3, nan},
			[]float64{-1, -1, 0, 2, 2, nan}, []float64{0, 0, 1, 0, 0, 1}},
		{"Clamp crossed", func(x *tensor) *tensor { return ops.Clamp(x, 2, -1) }, []float64{-3, 0, 3}, []float64{-1, -1, -1}, []float64{0, 0, 0}},
		{"Clamp nothing", func(x *tensor) *tensor { return ops.Clamp(x, -inf, inf) }, []float64{-inf, 7, inf}, []float64{-inf, 7, inf}, nil},
		{"Equal", func(x *tensor) *tensor { return ops.Equal(x, x) }, []float64{1, inf, nan}, []float64{1, 1, 0}, nil},
		{"NotEqual", func(x *tensor) *tensor { return ops.NotEqual(x, x) }, []float64{1, inf, nan}, []float64{0, 0, 1}, nil},
		{"LessEqual", func(x *tensor) *tensor { return ops.LessEqual(x, x) }, []float64{1, inf, nan}, []float64{1, 1, 0}, nil},
		{"GreaterEqual", func(x *tensor) *tensor { return ops.GreaterEqual(x, x) }, []float64{1, inf, nan}, []float64{1, 1, 0}, nil},
		{"Where", func(x *tensor) *tensor { return ops.Where(ops.Less(x, ops.Scale(x, 0.5)), x, ops.Exp(x)) }, []float64{-2, 0},
			[]float64{-2, 1}, []float64{1, 1}},
	} {
		x := autograd.New(c.x).RequireGrad()
		y := c.f(x)
		same(t, c.name, y.Float64s(), c.y)
		if c.gradient == nil {
			continue
		}
		ops.Sum(y).Backward()
		same(t, c.name+" gradient", x.Grad().Float64s(), c.gradient)
	}
}

// same is near for values among which are NaN and infinities, each by itself.
func same(t *testing.T, what string, got, want []float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %v, want %v", what, got, want)
	}
	for i, w := range want {
		g := got[i]
		if g != w && !(math.IsNaN(g) && math.IsNaN(w)) && !(math.Abs(g-w) <= 1e-12*math.Abs(w)) {
			t.Errorf("%s: element %d is %v, want %v", what, i, g, w)
		}
	}
}

// TestWhereHidesNaN: what is not chosen reaches neither the result nor a gradient.
func TestWhereHidesNaN(t *testing.T) {
	cond := autograd.New([]float64{1, 0, math.NaN()}).RequireGrad()
	x := autograd.New([]float64{1, math.NaN(), 3}).RequireGrad()
	y := autograd.New([]float64{math.Inf(1), 2, math.NaN()}).RequireGrad()
	z := ops.Where(cond, x, y)
	same(t, "Where", z.Float64s(), []float64{1, 2, 3})
	ops.Sum(ops.Mul(z, z)).Backward()
	same(t, "gradient of x", x.Grad().Float64s(), []float64{2, 0, 6})
	same(t, "gradient of y", y.Grad().Float64s(), []float64{0, 4, 0})
	if cond.Grad() != nil {
		t.Error("the condition has a gradient")
	}
}

// TestSmoothAtZero: formulas in two pieces have all their derivatives where those meet.
func TestSmoothAtZero(t *testing.T) {
	for _, c := range []struct {
		name string
		f    func(*tensor) *tensor
		want [3]float64
	}{
		{"Sigmoid", ops.Sigmoid, [3]float64{1. / 4, 0, -1. / 8}},
		{"Softplus", ops.Softplus, [3]float64{1. / 2, 1. / 4, 0}},
		{"SiLU", ops.SiLU, [3]float64{1. / 2, 1. / 2, 0}},
	} {
		x := autograd.New([]float64{0}).RequireGrad()
		y := c.f(x)
		for i, want := range c.want {
			y = autograd.Grad([]*tensor{y}, []*tensor{x}, nil, true)[0]
			if got := y.Item(); math.Abs(got-want) > 1e-15 {
				t.Errorf("%s: derivative %d at 0 is %v, want %v", c.name, i+1, got, want)
			}
		}
	}
}

func TestComparisonsAreFlat(t *testing.T) {
	x := autograd.New([]float64{1, 2}).RequireGrad()
	for _, f := range []func(x, y *tensor) *tensor{ops.Equal, ops.NotEqual, ops.Less, ops.LessEqual, ops.Greater, ops.GreaterEqual} {
		if f(x, x).RequiresGrad() {
			t.Error("a comparison has a gradient")
		}
	}
}

func TestClampPanics(t *testing.T) {
	wantPanic(t, "ops: Clamp: bounds NaN and 1", func() { ops.Clamp(autograd.Zeros(1), math.NaN(), 1) })
}

// wantPanic fails unless f panics with a message that contains want.
func wantPanic(t *testing.T, want string, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if r := fmt.Sprint(recover()); !strings.Contains(r, want) {
			t.Errorf("panic %q, want %q in it", r, want)
		}
	}()
	f()
}

// TestFloat32Extremes: in the working type exponentials overflow beyond 89 and cubes
// beyond 1e13. Far out these are 0 and x, with slopes 0 and 1.
func TestFloat32Extremes(t *testing.T) {
	for name, f := range map[string]func(*tensor) *tensor{"SiLU": ops.SiLU, "Softplus": ops.Softplus, "GELUTanh": ops.GELUTanh} {
		x := autograd.New([]float32{-1e30, -1e15, -200, 200, 1e15, 1e30}).RequireGrad()
		y := f(x)
		same(t, name, ops.Div(y, autograd.New([]float32{1, 1, 1, 200, 1e15, 1e30})).Float64s(), []float64{0, 0, 0, 1, 1, 1})
		ops.Sum(y).Backward()
		same(t, name+" gradient", x.Grad().Float64s(), []float64{0, 0, 0, 1, 1, 1})
	}
}
