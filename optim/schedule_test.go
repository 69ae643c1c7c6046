package optim

import (
	"math"
	"testing"
)

func TestPolynomialDecay(t *testing.T) {
	linear := PolynomialDecay{Peak: 1, WarmUp: 4, Total: 10}
	square := PolynomialDecay{Peak: 1, End: 0.2, WarmUp: 0, Total: 4, Power: 2}
	warm := PolynomialDecay{Peak: 2, End: 0.5, WarmUp: 3, Total: 3}
	for _, c := range []struct {
		p    PolynomialDecay
		step int
		want float64
	}{
		{linear, 0, 0}, {linear, 1, 0.25}, {linear, 3, 0.75}, {linear, 4, 1}, {linear, 7, 0.5}, {linear, 9, 1. / 6}, {linear, 10, 0}, {linear, 99, 0},
		{square, 0, 1}, {square, 1, 0.8*0.5625 + 0.2}, {square, 2, 0.4}, {square, 3, 0.25}, {square, 4, 0.2}, {square, 5, 0.2},
		{warm, 0, 0}, {warm, 2, 4. / 3}, {warm, 3, 0.5}, {warm, 4, 0.5},
		{PolynomialDecay{Peak: 1}, 0, 0}, {PolynomialDecay{Peak: 1, End: 0.1}, 5, 0.1},
	} {
		if got := c.p.At(c.step); !(math.Abs(got-c.want) < 1e-12) {
			t.Errorf("%+v at %d: %v, want %v", c.p, c.step, got, c.want)
		}
	}
}
