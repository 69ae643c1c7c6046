package nn

import (
	"fmt"
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
	// The inverse of the distribution function, at a point drawn between those of the
	// limits. Parameters: mean, √2·std, low, high, and erf of the limits.
	truncatedProgram = device.NewProgram("truncated_normal", 0, func(b *device.Builder, _ ...device.Value) []device.Value {
		x := b.Add(b.Param(4), b.Mul(b.Sub(b.Param(5), b.Param(4)), b.Uniform(0)))
		z := b.Add(b.Param(0), b.Mul(b.Param(1), erfinv(b, x)))
		return []device.Value{b.Max(b.Param(2), b.Min(b.Param(3), z))}
	})
)

// erfinv returns the inverse of the error function: Winitzki's approximation (2008),
// good to 2e-3, and a step of
// Newton's.
func erfinv(b *device.Builder, x device.Value) device.Value {
	const a = 0.147
	limit := b.Const(1 - 0x1p-24) // keeps ±1 finite
	x = b.Max(b.Neg(limit), b.Min(limit, x))
	l := b.Log(b.Mul(b.Sub(b.Const(1), x), b.Add(b.Const(1), x)))
	half := b.Add(b.Const(2/(math.Pi*a)), b.Mul(b.Const(0.5), l))
	root := b.Sqrt(b.Sub(b.Mul(half, half), b.Mul(b.Const(1/a), l)))
	z := b.Mul(b.Sign(x), b.Sqrt(b.Max(b.Const(0), b.Sub(root, half))))
	slope := b.Mul(b.Const(math.Sqrt(math.Pi)/2), b.Exp(b.Mul(z, z)))
	return b.Sub(z, b.Mul(b.Sub(b.Erf(z), x), slope))
}

// Constant returns a parameter with every element v.
func Constant(v float64, shape ...int) *autograd.Tensor {
	return autograd.Full(device.Float32, v, shape...).RequireGrad()
}

// Uniform returns a parameter drawn uniformly from [low, high).
func Uniform(key device.Key, low, high float64, shape ...int) *autograd.Tensor {
	return draw(uniformProgram, []float64{low, high}, []device.Key{key}, shape)
}

// Normal returns a parameter drawn from the normal distribution; with std 0 it is Constant.
func Normal(key device.Key, mean, std float64, shape ...int) *autograd.Tensor {
	if std == 0 {
		return Constant(mean, shape...)
	}
	return draw(normalProgram, []float64{mean, std}, []device.Key{key.Fold("radius"), key.Fold("angle")}, shape)
}

// TruncatedNormal returns a parameter drawn from the normal distribution as far as it
// lies between low and high (PyTorch's trunc_normal_). It panics unless low < high.
func TruncatedNormal(key device.Key, mean, std, low, high float64, shape ...int) *autograd.Tensor {
	if !(low < high && std > 0) {
		panic(fmt.Sprintf("nn: TruncatedNormal: standard deviation %g, from %g to %g", std, low, high))
	}
	scale := math.Sqrt2 * std
	params := []float64{mean, scale, low, high, math.Erf((low - mean) / scale), math.Erf((high - mean) / scale)}
	return draw(truncatedProgram, params, []device.Key{key}, shape)
}

// Gains are the factors by which weights make up for what an activation takes from its
// input's size (PyTorch's calculate_gain).
const (
	GainLinear = 1.0 // also for the sigmoid
	GainTanh   = 5.0 / 3
	GainReLU   = math.Sqrt2
	GainSELU   = 3.0 / 4
)

// GainLeakyReLU returns the gain of a leaky ReLU with the given slope below 0.
func GainLeakyReLU(slope float64) float64 { return math.Sqrt(2 / (1 + slope*slope)) }

// Fans returns how many inputs an output of weights [out, in, ...] has, and how many
// outputs an input: out and in times the elements of a convolution's kernel. It panics
// for shapes of fewer than two dimensions.
func Fans(shape ...int) (in, out int) {
	if len(shape) < 2 {
		panic(fmt.Sprintf("nn: Fans: shape %v, want [out, in, ...]", shape))
	}
	kernel := 1
	for _, n := range shape[2:] {
		kernel *= n
	}
	return shape[1] * kernel, shape[0] * kernel
}

// KaimingUniform returns weights [out, in, ...] drawn uniformly with standard deviation
// gain/√fan_in, so that signals keep their size on the way forward (He et al., arXiv
// 1502.01852).
func KaimingUniform(key device.Key, gain float64, shape ...int) *autograd.Tensor {
	bound := math.Sqrt(3) * kaimingStd(gain, shape)
	return Uniform(key, -bound, bound, shape...)
}

// KaimingNormal is KaimingUniform with the normal distribution.
func KaimingNormal(key device.Key, gain float64, shape ...int) *autograd.Tensor {
	return Normal(key, 0, kaimingStd(gain, shape), shape...)
}

// XavierUniform returns weights [out, in, ...] drawn uniformly with standard deviation
// gain·√(2/(fan_in + fan_out)), a compromise between signals forward and gradients
// backward (Glorot and Bengio, AISTATS 2010).
func XavierUniform(key device.Key, gain float64, shape ...int) *autograd.Tensor {
	bound := math.Sqrt(3) * xavierStd(gain, shape)
	return Uniform(key, -bound, bound, shape...)
}

// XavierNormal is XavierUniform with the normal distribution.
func XavierNormal(key device.Key, gain float64, shape ...int) *autograd.Tensor {
	return Normal(key, 0, xavierStd(gain, shape), shape...)
}

func kaimingStd(gain float64, shape []int) float64 {
	in, _ := Fans(shape...)
	return gain / math.Sqrt(float64(max(in, 1)))
}

func xavierStd(gain float64, shape []int) float64 {
	in, out := Fans(shape...)
	return gain * math.Sqrt(2/float64(max(in+out, 1)))
}

func draw(p *device.Program, params []float64, keys []device.Key, shape []int) *autograd.Tensor {
	t := autograd.Zeros(shape...)
	autograd.Mutate(func(dst ...device.Slice) {
		t.Device().Pointwise(p, &device.Args{Rows: 1, Cols: t.Len(), Out: dst, Params: params, Keys: keys})
	}, t)
	return t.RequireGrad()
}

func linearBound(in int) float64 { return 1 / math.Sqrt(float64(max(in, 1))) }
