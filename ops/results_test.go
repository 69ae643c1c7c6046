package ops

import (
	"math"
	"testing"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
)

// TestSeveralResults differentiates programs with two results, of which one or both
// are used: a missing gradient counts as zero, also where it would be passed on.
func TestSeveralResults(t *testing.T) {
	p := device.NewProgram("two", 2, func(b *builder, in ...value) []value {
		return []value{b.Mul(b.Sin(in[0]), in[1]), b.Add(in[0], in[1])}
	})
	for _, c := range []struct {
		name string
		f    func(out []*Tensor) *Tensor
	}{
		{"first", func(out []*Tensor) *Tensor { return out[0] }},
		{"second", func(out []*Tensor) *Tensor { return out[1] }},
		{"both", func(out []*Tensor) *Tensor { return Mul(out[0], out[1]) }},
	} {
		f := func(in ...*Tensor) *Tensor {
			out := make([]*Tensor, 2)
			runTo(out, p, nil, nil, in)
			return c.f(out)
		}
		x := autograd.New([]float64{0.3, -0.7, 1.1, 0.2, 0.5, -2}, 2, 3).RequireGrad()
		y := autograd.New([]float64{math.Pi, 2, -1}).RequireGrad()
		if err := autograd.GradCheck(f, x, y); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if err := autograd.GradGradCheck(f, x, y); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
