package optim

import (
	"math"

	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/nn"
)

// AdamWConfig has the settings of AdamW. A zero Beta1, Beta2 or Eps means PyTorch's
// default: 0.9, 0.999, 1e-8.
type AdamWConfig struct {
	LR           float64
	Beta1, Beta2 float64
	Eps          float64
	WeightDecay  float64 // of the parameters that have decay

	// EpsHat takes Eps for the ε̂ of Kingma and Ba's section 2: it is added to √v before the
	// correction of the bias, as fairseq and TensorFlow do, and so counts for more
	// in the first steps. The last line of NewAdamW's formulas becomes
	//
	//	w ← w - lr·√(1-β₂ᵗ)/(1-β₁ᵗ) · m / (√v + ε̂)
	EpsHat bool
}

// NewAdamW returns Adam with decoupled weight decay (Loshchilov and Hutter, arXiv
// 1711.05101), in PyTorch's formulation:
//
//	w ← w·(1 - lr·decay)
//	m ← β₁·m + (1-β₁)·g
//	v ← β₂·v + (1-β₂)·g²
//	w ← w - lr/(1-β₁ᵗ) · m / (√v/√(1-β₂ᵗ) + ε)
func NewAdamW(params []*nn.Parameter, cfg AdamWConfig) *Optimizer {
	return newOptimizer(params, cfg.LR, cfg.WeightDecay, adam(cfg.Beta1, cfg.Beta2, cfg.Eps, cfg.EpsHat, adamWProgram,
		func(lr, decay float64) float64 { return 1 - lr*decay }))
}

// AdamConfig has the settings of Adam. A zero Beta1, Beta2 or Eps means PyTorch's
// default: 0.9, 0.999, 1e-8.
type AdamConfig struct {
	LR           float64
	Beta1, Beta2 float64
	Eps          float64
	WeightDecay  float64 // an L2 penalty: decay·w is added to the gradient
}

// NewAdam returns Adam (Kingma and Ba, arXiv 1412.6980), which is AdamW with decay·w
// added to the gradient instead of taken from the weight.
func NewAdam(params []*nn.Parameter, cfg AdamConfig) *Optimizer {
	return newOptimizer(params, cfg.LR, cfg.WeightDecay, adam(cfg.Beta1, cfg.Beta2, cfg.Eps, false, adamProgram,
		func(_, decay float64) float64 { return decay }))
}

// adam returns a rule of both; decaying gives parameter 4 of the program.
func adam(beta1, beta2, eps float64, hat bool, p *device.Program, decaying func(lr, decay float64) float64) rule {
	beta1, beta2, eps = or(beta1, 0.9), or(beta2, 0.999), or(eps, 1e-8)
	return &formula{p, []string{"exp_avg", "exp_avg_sq"}, func(lr, decay, scale float64, step int) []float64 {
		t := float64(step)
		correction, eps := 1/math.Sqrt(1-math.Pow(beta2, t)), eps
		if hat {
			eps *= correction
		}
		return []float64{
			beta1, 1 - beta1, beta2, 1 - beta2, decaying(lr, decay),
			lr / (1 - math.Pow(beta1, t)), correction, eps, scale,
		}
	}}
}

// Inputs: weight, m, v, gradient. Parameters: β₁, 1-β₁, β₂, 1-β₂, 1-lr·decay,
// lr/(1-β₁ᵗ), 1/√(1-β₂ᵗ), ε, and the scale of the gradient.
var adamWProgram = device.NewProgram("adamw", 4, func(b *device.Builder, in ...device.Value) []device.Value {
	m, v, step := moments(b, in[1], in[2], b.Mul(in[3], b.Param(8)))
	return []device.Value{b.Sub(b.Mul(in[0], b.Param(4)), step), m, v}
})

// As adamWProgram, with the decay itself as parameter 4.
var adamProgram = device.NewProgram("adam", 4, func(b *device.Builder, in ...device.Value) []device.Value {
	g := b.Add(b.Mul(in[3], b.Param(8)), b.Mul(b.Param(4), in[0]))
	m, v, step := moments(b, in[1], in[2], g)
	return []device.Value{b.Sub(in[0], step), m, v}
})

// moments returns the new moments and what they take from the weight.
func moments(b *device.Builder, m, v, g device.Value) (newM, newV, step device.Value) {
	m = b.Add(b.Mul(b.Param(0), m), b.Mul(b.Param(1), g))
	v = b.Add(b.Mul(b.Param(2), v), b.Mul(b.Param(3), b.Mul(g, g)))
	denominator := b.Add(b.Mul(b.Sqrt(v), b.Param(6)), b.Param(7))
	return m, v, b.Mul(b.Param(5), b.Div(m, denominator))
}
