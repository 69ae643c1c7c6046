package simd

import (
	"math"
	"testing"
)

func TestQuickVector(t *testing.T) {
	g := generic()
	for _, impl := range implementations {
		n := 10007
		x := randomSlice[float32](n)
		for i := range x {
			x[i] = x[i] * x[i] * x[i] * 3
		}
		copy(x, []float32{0, float32(math.Copysign(0, -1)), float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()), 1e-40, -1e-40, 3e38, -3e38, 88.7, 88.8, -103, -104, -87.5, 1})
		for name, f := range map[string][2]func(dst, x []float32){"exp": {impl.s.exp, g.s.exp}, "log": {impl.s.log, g.s.log}, "tanh": {impl.s.tanh, g.s.tanh}, "erf": {impl.s.erf, g.s.erf}, "bf": {impl.s.bFloat16Round, g.s.bFloat16Round}, "sign": {impl.s.sign, g.s.sign}, "floor": {impl.s.floor, g.s.floor}} {
			a, b := make([]float32, n), make([]float32, n)
			f[0](a, x)
			f[1](b, x)
			worst, at := 0, 0
			for i := range a {
				if a[i] != a[i] && b[i] != b[i] {
					continue
				}
				d := int(int32(math.Float32bits(a[i]))) - int(int32(math.Float32bits(b[i])))
				if d < 0 {
					d = -d
				}
				if d > worst {
					worst, at = d, i
				}
			}
			t.Log(impl.name, name, worst, x[at], a[at], b[at])
		}
		t.Log(impl.s.sum(x[20:]), g.s.sum(x[20:]), impl.s.dot(x[20:], x[20:]), g.s.dot(x[20:], x[20:]), impl.s.sumSquares(x[20:]), impl.s.maxOf(x[20:]), g.s.maxOf(x[20:]), impl.s.maxOf(x[:3000]))
		a, b := make([]float32, 320), make([]float32, 320)
		impl.philox(a, 1, 2<<33+5, 0xfffffff0)
		g.philox(b, 1, 2<<33+5, 0xfffffff0)
		for i := range a {
			if a[i] != b[i] {
				t.Fatal(i, a[i], b[i])
			}
		}
	}
}
