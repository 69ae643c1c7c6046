package nn

import (
	"math"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
)

var (
	uniformProgram = device.NewProgram("uniform", 0, func(b *device.Builder, _ ...device.Value) []device.Value {
		return []device.Value{b.Add(b.Param(0), b.Mul(b.Sub(b.Param(1), b.Param(0)), b.Uniform(0)))}
	})
	// The Box-Muller transform; 1-u is never 0.
	normalProgram = device.NewProgram("normal", 0, func(b *device.Builder, _ ...device.Value) []device.Value {
		radius := b.Sqrt(b.Mul(b.Const(-2), b.Log(b.Sub(b.Const(1), b.Uniform(0)))))
		angle := b.Mul(b.Const(2*math.Pi), b.Uniform(1))
		return []device.Value{b.Add(b.Param(0), b.Mul(b.Param(1), b.Mul(radius, b.Cos(angle))))}
	})
)

// Constant returns a parameter with every element v.
func Constant(v float64, shape ...int) *autograd.Tensor {
	return autograd.Full(device.Float32, v, shape...).RequireGrad()
}

// Uniform returns a parameter drawn uniformly from [low, high).
func Uniform(key device.Key, low, high float64, shape ...int) *autograd.Tensor {
	return draw(uniformProgram, []float64{low, high}, []device.Key{key}, shape)
}

// Normal returns a parameter drawn from the normal distribution.
func Normal(key device.Key, mean, std float64, shape ...int) *autograd.Tensor {
	return draw(normalProgram, []float64{mean, std}, []device.Key{key.Fold("radius"), key.Fold("angle")}, shape)
}

func draw(p *device.Program, params []float64, keys []device.Key, shape []int) *autograd.Tensor {
	t := autograd.Zeros(shape...)
	autograd.Mutate(func(dst ...device.Slice) {
		t.Device().Pointwise(p, &device.Args{Rows: 1, Cols: t.Len(), Out: dst, Params: params, Keys: keys})
	}, t)
	return t.RequireGrad()
}

func linearBound(in int) float64 { return 1 / math.Sqrt(float64(max(in, 1))) }
