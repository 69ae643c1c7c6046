package nn

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/muppet-go/muppet/autograd"
)

func normalCDF(mean, std float64) func(x float64) float64 {
	return func(x float64) float64 { return math.Erfc((mean-x)/(std*math.Sqrt2)) / 2 }
}

func uniformCDF(bound float64) func(x float64) float64 {
	return func(x float64) float64 { return min(1, max(0, (x+bound)/(2*bound))) }
}

// TestDistributions compares the empirical distribution of n draws with the exact one:
// by the inequality of Dvoretzky, Kiefer, Wolfowitz and Massart they are nowhere more
// than 3/√n apart, but for one key in 3e7. A standard deviation wrong by a tenth is
// 0.024 apart, a bound 0.045: n makes 3/√n 0.015.
func TestDistributions(t *testing.T) {
	key := autograd.NewKey(8)
	truncated := func(mean, std, low, high float64) func(x float64) float64 {
		f := normalCDF(mean, std)
		return func(x float64) float64 {
			switch {
			case x < low:
				return 0
			case x >= high:
				return 1
			}
			return (f(x) - f(low)) / (f(high) - f(low))
		}
	}
	for _, c := range []struct {
		name string
		got  *autograd.Tensor
		cdf  func(x float64) float64
	}{
		{"KaimingUniform", KaimingUniform(key, GainReLU, 400, 100), uniformCDF(math.Sqrt(6. / 100))},
		{"KaimingUniform of a kernel", KaimingUniform(key, GainLeakyReLU(math.Sqrt(5)), 400, 25, 2, 2), uniformCDF(1 / math.Sqrt(100))},
		{"KaimingNormal", KaimingNormal(key, GainTanh, 400, 100), normalCDF(0, 5./3/math.Sqrt(100))},
		{"XavierUniform", XavierUniform(key, GainLinear, 400, 100), uniformCDF(math.Sqrt(6. / 500))},
		{"XavierNormal", XavierNormal(key, GainSELU, 400, 25, 2, 2), normalCDF(0, 0.75*math.Sqrt(2./1700))},
		{"TruncatedNormal", TruncatedNormal(key, 1, 0.5, 0, 1.2, 40000), truncated(1, 0.5, 0, 1.2)},
		{"TruncatedNormal, both tails", TruncatedNormal(key, 0, 1, math.Inf(-1), math.Inf(1), 40000), normalCDF(0, 1)},
		{"TruncatedNormal, one tail", TruncatedNormal(key, 0, 1, 1.5, 40, 40000), truncated(0, 1, 1.5, 40)},
	} {
		x := c.got.Float64s()
		slices.Sort(x)
		n, worst := float64(len(x)), 0.0
		for i, v := range x {
			worst = max(worst, math.Abs(c.cdf(v)-float64(i)/n), math.Abs(c.cdf(v)-float64(i+1)/n))
		}
		if !(worst <= 3/math.Sqrt(n)) {
			t.Errorf("%s: the distribution is %.4f off", c.name, worst)
		}
		if !c.got.RequiresGrad() {
			t.Errorf("%s wants no gradients", c.name)
		}
	}
}

// TestTruncatedNormal compares each draw with math.Erfinv of the uniform number that it
// is made of. At 2 standard deviations erf's slope is 0.15, so that the rounding of its
// float32 argument, 6e-8, is 4e-7 of the result, and few such count.
func TestNormalWithoutSpread(t *testing.T) {
	if got := Normal(autograd.NewKey(1), 3, 0, 1, 2); !got.RequiresGrad() || !slices.Equal(got.Float32s(), []float32{3, 3}) {
		t.Error(got)
	}
}

func TestTruncatedNormal(t *testing.T) {
	const mean, std, low, high = 0.1, 0.02, 0.06, 0.14
	key := autograd.NewKey(4)
	got := TruncatedNormal(key, mean, std, low, high, 30, 100).Float64s()
	x := math.Erf(2 / math.Sqrt2)
	for i, u := range Uniform(key, 0, 1, 3000).Float64s() {
		want := mean + std*math.Sqrt2*math.Erfinv(x*(2*u-1))
		if math.Abs(got[i]-want) > 3e-6*std {
			t.Fatalf("draw %d is %.9g, want %.9g", i, got[i], want)
		}
		if got[i] < float64(float32(low)) || got[i] > float64(float32(high)) {
			t.Fatalf("draw %d is %.9g, want %g to %g", i, got[i], low, high)
		}
	}
}

func TestInitPanics(t *testing.T) {
	key := autograd.NewKey(1)
	for want, f := range map[string]func(){
		"nn: Fans: shape [3]":                             func() { KaimingNormal(key, 1, 3) },
		"nn: Fans: shape []":                              func() { Fans() },
		"nn: TruncatedNormal: standard deviation 1, from": func() { TruncatedNormal(key, 0, 1, 2, 2, 3) },
		"nn: TruncatedNormal: standard deviation 0, from": func() { TruncatedNormal(key, 0, 0, -2, 2, 3) },
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
	if in, out := Fans(8, 3, 5, 7); in != 105 || out != 280 {
		t.Errorf("fans are %d and %d", in, out)
	}
}
