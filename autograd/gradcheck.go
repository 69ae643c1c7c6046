package autograd

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/diff/fd"
	"gonum.org/v1/gonum/mat"

	"github.com/muppet-go/muppet/device"
)

// Tolerances of the gradient checks: central differences in float64 of smooth
// functions of order one are good to about 1e-9.
const (
	checkRelative = 1e-5
	checkAbsolute = 1e-7
)

// GradCheck compares the gradients of f with finite differences: the full
// Jacobian of f's result with respect to every float64 input that requires
// gradients. The error names the worst entry. f must be a smooth function near
// inputs and give the same result every time.
func GradCheck(f func(in ...*Tensor) *Tensor, inputs ...*Tensor) error {
	for i, x := range inputs {
		if !x.RequiresGrad() {
			continue
		}
		if x.DType() != device.Float64 {
			return fmt.Errorf("autograd: GradCheck: input %d is %s; finite differences need float64", i, x.describe())
		}
		analytic := Jacobian(f, i, inputs...)
		numeric := numericJacobian(f, i, inputs)
		if err := compareJacobians(i, analytic, numeric, x.size); err != nil {
			return err
		}
	}
	return nil
}

// GradGradCheck compares second derivatives with finite differences: it checks the
// gradients of Σ v·∂f/∂x with respect to the inputs and v.
func GradGradCheck(f func(in ...*Tensor) *Tensor, inputs ...*Tensor) error {
	y := f(inputs...)
	v := make([]float64, y.size)
	for i := range v {
		v[i] = math.Cos(float64(3*i + 1)) // no two alike, none zero
	}
	all := append(append([]*Tensor{}, inputs...), newTensor(y.Device(), nil, v, y.shape).RequireGrad())
	for i, x := range inputs {
		if !x.RequiresGrad() {
			continue
		}
		first := func(in ...*Tensor) *Tensor {
			n := len(in) - 1
			target := alias(in[i])
			args := append([]*Tensor{}, in[:n]...)
			args[i] = target
			y := f(args...)
			if !y.RequiresGrad() {
				panic("autograd: GradGradCheck: the result does not depend on an input that requires gradients")
			}
			g := Grad([]*Tensor{y}, []*Tensor{target}, []*Tensor{in[n]}, true)[0]
			if g == nil {
				return NewOn(y.Device(), []float64{0})
			}
			return g
		}
		if err := GradCheck(first, all...); err != nil {
			return fmt.Errorf("second order, input %d: %w", i, err)
		}
	}
	return nil
}

// Jacobian returns ∂f(inputs)/∂inputs[i] as a matrix with a row for each element of
// the result and a column for each element of the input.
func Jacobian(f func(in ...*Tensor) *Tensor, i int, inputs ...*Tensor) [][]float64 {
	args := append([]*Tensor{}, inputs...)
	args[i] = alias(inputs[i]) // also when f returns the input itself
	y := f(args...)
	rows := make([][]float64, y.size)
	for r := range rows {
		rows[r] = make([]float64, inputs[i].size)
		if !y.RequiresGrad() {
			continue
		}
		seed := make([]float64, y.size)
		seed[r] = 1
		g := (&pass{keep: true}).grad([]*Tensor{y}, []*Tensor{args[i]}, []*Tensor{seedLike(y, seed)})[0]
		if g != nil {
			rows[r] = g.Float64s()
		}
	}
	return rows
}

func seedLike(y *Tensor, seed []float64) *Tensor {
	if y.DType() == device.Float64 {
		return newTensor(y.Device(), nil, seed, y.shape)
	}
	s := make([]float32, len(seed))
	for i, v := range seed {
		s[i] = float32(v)
	}
	return newTensor(y.Device(), nil, s, y.shape)
}

func numericJacobian(f func(in ...*Tensor) *Tensor, i int, inputs []*Tensor) *mat.Dense {
	x := inputs[i]
	at := x.Float64s()
	args := append([]*Tensor{}, inputs...)
	size := f(inputs...).size
	if size == 0 || x.size == 0 {
		return nil
	}
	jac := mat.NewDense(size, x.size, nil)
	fd.Jacobian(jac, func(dst, v []float64) {
		args[i] = newTensor(x.Device(), nil, v, x.shape).RequireGrad()
		copy(dst, f(args...).Float64s())
	}, at, &fd.JacobianSettings{Formula: fd.Central, OriginValue: nil})
	return jac
}

func compareJacobians(input int, analytic [][]float64, numeric *mat.Dense, columns int) error {
	worst, at := 0.0, [2]int{-1, -1}
	for r := range analytic {
		for c := 0; c < columns; c++ {
			a, n := analytic[r][c], numeric.At(r, c)
			excess := math.Abs(a-n) / (checkAbsolute + checkRelative*math.Max(math.Abs(n), math.Abs(a)))
			if math.IsNaN(a) != math.IsNaN(n) {
				excess = math.Inf(1)
			}
			if excess > worst {
				worst, at = excess, [2]int{r, c}
			}
		}
	}
	if worst > 1 {
		return fmt.Errorf("autograd: gradient of output element %d with respect to element %d of input %d is %.9g, finite differences say %.9g",
			at[0], at[1], input, analytic[at[0]][at[1]], numeric.At(at[0], at[1]))
	}
	return nil
}
