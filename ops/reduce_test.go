package ops_test

import (
	"math"
	"testing"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/ops"
)

// TestReductionExtremes gives PyTorch's values and gradients for ties, zeros, infinities
// and NaN.
func TestReductionExtremes(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	pnorm := func(p float64) func(*tensor) *tensor {
		return func(x *tensor) *tensor { return ops.Norm(x, p) }
	}
	all := func(f func(x *tensor, axes ...int) *tensor) func(*tensor) *tensor {
		return func(x *tensor) *tensor { return f(x) }
	}
	variance := func(correction int) func(*tensor) *tensor {
		return func(x *tensor) *tensor { return ops.Var(x, correction) }
	}
	for _, c := range []struct {
		name           string
		f              func(*tensor) *tensor
		x, y, gradient []float64
	}{
		{"Max ties", all(ops.Max), []float64{3, 1, 3, 3}, []float64{3}, []float64{1. / 3, 0, 1. / 3, 1. / 3}},
		{"Min ties", all(ops.Min), []float64{1, 3, 1}, []float64{1}, []float64{0.5, 0, 0.5}},
		{"Max NaN", all(ops.Max), []float64{1, nan, 3}, []float64{nan}, []float64{nan, nan, nan}},
		{"Max -Inf", all(ops.Max), []float64{-inf, -inf}, []float64{-inf}, []float64{0.5, 0.5}},
		{"LogSumExp -Inf", all(ops.LogSumExp), []float64{-inf, 0}, []float64{0}, []float64{0, 1}},
		{"LogSumExp nothing but -Inf", all(ops.LogSumExp), []float64{-inf, -inf}, []float64{-inf}, []float64{nan, nan}},
		{"LogSumExp Inf", all(ops.LogSumExp), []float64{inf, 1}, []float64{inf}, []float64{nan, 0}},
		{"LogSumExp large", all(ops.LogSumExp), []float64{1e4, 1e4}, []float64{1e4 + math.Ln2}, []float64{0.5, 0.5}},
		{"LogSumExp of nothing", all(ops.LogSumExp), []float64{}, []float64{-inf}, nil},
		{"Mean of nothing", all(ops.Mean), []float64{}, []float64{nan}, nil},
		{"Var of nothing", variance(0), []float64{}, []float64{nan}, nil},
		{"Var of one", variance(1), []float64{3}, []float64{nan}, nil},
		{"Var overcorrected", variance(5), []float64{1, 2}, []float64{inf}, nil},
		{"Var far from 0", variance(0), []float64{1e9, 1e9 + 2}, []float64{1}, []float64{-1, 1}},
		{"Norm ½", pnorm(0.5), []float64{0, 1, -4}, []float64{9}, []float64{0, 3, -1.5}},
		{"Norm 1", pnorm(1), []float64{0, 3, -4}, []float64{7}, []float64{0, 1, -1}},
		{"Norm 2", pnorm(2), []float64{0, 3, -4}, []float64{5}, []float64{0, 0.6, -0.8}},
		{"Norm 3", pnorm(3), []float64{0, -2}, []float64{2}, []float64{0, -1}},
		{"Norm ½ of 0", pnorm(0.5), []float64{0, 0}, []float64{0}, []float64{0, 0}},
		{"Norm 2 of 0", pnorm(2), []float64{0, 0}, []float64{0}, []float64{0, 0}},
		{"Norm 3 of 0", pnorm(3), []float64{0, 0}, []float64{0}, []float64{0, 0}},
		{"Norm Inf of 0", pnorm(inf), []float64{0, 0}, []float64{0}, []float64{0, 0}},
		{"Norm Inf ties", pnorm(inf), []float64{4, 3, -4}, []float64{4}, []float64{0.5, 0, -0.5}},
		{"Norm -1 with 0", pnorm(-1), []float64{0, 3}, []float64{0}, []float64{0, 0}},
		{"Norm of nothing", pnorm(2), []float64{}, []float64{0}, nil},
		{"LogSoftmax", func(x *tensor) *tensor { return ops.LogSoftmax(x, 0) }, []float64{1e4, 0, -inf}, []float64{0, -1e4, -inf}, []float64{-2, 1, 1}},
		{"CumSum", func(x *tensor) *tensor { return ops.CumSum(x, 0) }, []float64{1, inf, 2, -inf}, []float64{1, inf, inf, nan}, []float64{4, 3, 2, 1}},
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
	for i, v := range [][]float64{{3, 1, 1}, {1, nan, 0}} {
		if at := ops.ArgMin(autograd.New(v), 0).Int32s()[0]; at != 1 {
			t.Errorf("ArgMin %d: at %d, want 1", i, at)
		}
	}
}

// TestNormTwice: second derivatives stay finite at zeros.
func TestNormTwice(t *testing.T) {
	for _, p := range []float64{1, 2, 2.5, 3, math.Inf(1)} {
		x := autograd.New([]float64{0, 2, 0, 0}, 2, 2).RequireGrad()
		first := autograd.Grad([]*tensor{ops.Sum(ops.Norm(x, p, 1))}, []*tensor{x}, nil, true)[0]
		if !first.RequiresGrad() {
			continue
		}
		second := autograd.Grad([]*tensor{ops.Sum(ops.Mul(first, first))}, []*tensor{x}, nil, false)[0]
		if second == nil {
			continue
		}
		for i, v := range second.Float64s() {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				t.Errorf("p = %v: element %d is %v", p, i, v)
			}
		}
	}
}

func TestReductionPanics(t *testing.T) {
	x := autograd.Zeros(2, 0)
	for _, c := range []struct {
		f    func()
		want string
	}{
		{func() { ops.Max(x, 1) }, "ops: Max: of nothing: shape [2 0]"},
		{func() { ops.Min(autograd.Zeros(0)) }, "ops: Min: of nothing: shape [0]"},
		{func() { ops.ArgMax(x, 1) }, "ops: ArgMax: of nothing: axis 1 of shape [2 0]"},
		{func() { ops.ArgMin(x, -1) }, "ops: ArgMin: of nothing: axis -1 of shape [2 0]"},
		{func() { ops.Norm(x, math.Inf(1), 1) }, "ops: Norm: of nothing: shape [2 0]"},
		{func() { ops.Norm(x, 0) }, "ops: Norm: p is 0"},
		{func() { ops.Norm(x, math.NaN()) }, "ops: Norm: p is NaN"},
		{func() { ops.Var(x, 0, 2) }, "ops: Var: no axis 2 in shape [2 0]"},
		{func() { ops.CumSum(x, 2) }, "ops: CumSum: no axis 2 in shape [2 0]"},
		{func() { ops.LogSoftmax(x, -3) }, "ops: LogSoftmax: no axis -3 in shape [2 0]"},
	} {
		wantPanic(t, c.want, c.f)
	}
}
