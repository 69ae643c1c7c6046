package ops_test

import (
	"fmt"
	"testing"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/ops"
)

// TestNormValues are PyTorch's results and gradients.
func TestNormValues(t *testing.T) {
	x := func() *tensor { return autograd.New([]float64{1, -2, 3, 0.5, 4, -1}, 2, 3).RequireGrad() }
	v := func(v ...float64) *tensor { return autograd.New(v).RequireGrad() }
	seed := autograd.New([]float64{1, 2, -1, 0.5, -2, 3}, 2, 3)
	check := func(name string, y *tensor, in []*tensor, want ...[]float64) {
		t.Helper()
		near(t, name, y.Float64s(), want[0], 1e-12)
		for i, g := range autograd.Grad([]*tensor{y}, in, []*tensor{seed}, false) {
			near(t, fmt.Sprint(name, " gradient ", i), g.Float64s(), want[1+i], 1e-12)
		}
	}
	a, gamma, beta := x(), v(1, 2, 0.5), v(0, 1, -1)
	check("RMSNorm", ops.RMSNorm(a, gamma, 1e-5), []*tensor{a, gamma}, rmsWant...)
	y, mean, variance := ops.BatchNorm(a, gamma, beta, 1e-5)
	check("BatchNorm", y, []*tensor{a, gamma, beta}, batchWant...)
	near(t, "mean", mean.Float64s(), []float64{0.75, 1, 1}, 1e-12)
	near(t, "variance", variance.Float64s(), []float64{0.0625, 9, 4}, 1e-12)
}

func TestNormPanics(t *testing.T) {
	f := func(shape ...int) *tensor { return autograd.Zeros(shape...) }
	double := autograd.New([]float64{1, 2, 3})
	for _, c := range []struct {
		f    func()
		want string
	}{
		{func() { ops.RMSNorm(f(2, 3), f(2), 0) }, "ops: RMSNorm: [2 3] float32, [2] float32"},
		{func() { ops.RMSNorm(f(2, 3), double, 0) }, "ops: RMSNorm: [2 3] float32, [3] float64"},
		{func() { ops.RMSNorm(f(), f(), 0) }, "ops: RMSNorm: [] float32"},
		{func() { ops.BatchNorm(f(3), f(3), f(3), 0) }, "ops: BatchNorm: [3] float32"},
		{func() { ops.BatchNorm(f(3, 2), f(3), f(2), 0) }, "ops: BatchNorm: [3 2] float32, [3] float32"},
		{func() { ops.BatchNorm(f(2, 3), f(3), double, 0) }, "[3] float64"},
	} {
		wantPanic(t, c.want, c.f)
	}
}

// What PyTorch gives for y and the gradients of the inputs.
var rmsWant = [][]float64{
	{0.4629095539120194, -1.8516382156480775, 0.6943643308680291, 0.2085142327404295, 3.336227723846872, -0.2085142327404295},
	{0.743961180819402, 1.2895349618333123, 0.6117001037661384, 0.41702810284804137, -2.9010625406389323e-06, 0.20851495800606468},
	{0.5671666702822341, -5.18786593949495, -2.639814058178635},
}

var batchWant = [][]float64{
	{0.9999200095987204, -0.9999988888898147, -0.500000624998828, -0.9999200095987202, 2.999998888889815, -1.4999993750011718},
	{0.00015996160767831985, 1.4814790125048782e-06, -1.2499953125147663e-06, -0.00015996160767831985, -1.4814790125048782e-06, 1.2499953125147663e-06},
	{0.49996000479936015, -3.9999977777796296, -3.999995000009375},
	{1.5, 0.0, 2.0},
}
