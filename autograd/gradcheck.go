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
		y := f(inputs...)
		analytic, numeric := Jacobian(f, i, inputs...), numericJacobian(f, i, inputs, y.size)
		if err := compareJacobians(i, y, x, analytic, numeric); err != nil {
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
			args := append([]*Tensor{}, in[:n]...)
			args[i] = alias(in[i])
			return gradients(f(args...), args[i:i+1], in[n])[0]
		}
		if err := GradCheck(first, all...); err != nil {
			return fmt.Errorf("second order, input %d: %w", i, err)
		}
	}
	return nil
}

func numericJacobian(f func(in ...*Tensor) *Tensor, i int, inputs []*Tensor, size int) *mat.Dense {
	x := inputs[i]
	at := x.Float64s()
	args := append([]*Tensor{}, inputs...)
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

func compareJacobians(input int, y, x *Tensor, analytic [][]float64, numeric *mat.Dense) error {
	worst, at := 0.0, [2]int{-1, -1}
	for r := range analytic {
		for c := range analytic[r] {
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
		r, c := at[0], at[1]
		return fmt.Errorf("autograd: gradient of element %v of the result %s with respect to element %v of input %d %s is %.9g, finite differences say %.9g",
			indices(r, y), y.describe(), indices(c, x), input, x.describe(), analytic[r][c], numeric.At(r, c))
	}
	return nil
}

// indices returns where element i of t is, a number for each dimension.
func indices(i int, t *Tensor) []int {
	at := make([]int, len(t.shape))
	for d := len(at) - 1; d >= 0; d-- {
		at[d], i = i%t.shape[d], i/t.shape[d]
	}
	return at
}
