package autograd_test

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/diff/fd"
	"gonum.org/v1/gonum/mat"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/ops"
)

// mixed couples two inputs of different shapes: exp(a·b) + b·sin(a)·a, with b broadcast.
func mixed(in ...*tensor) *tensor {
	a, b := in[0], in[1]
	return ops.Add(ops.Exp(ops.Mul(a, b)), ops.Mul(ops.Mul(b, ops.Sin(a)), a))
}

func summed(in ...*tensor) *tensor { return ops.Sum(mixed(in...)) }

func mixedInputs() []*tensor {
	return []*tensor{autograd.New([]float64{0.3, -0.7, 1.1, 0.2, 0.5, -0.4}, 2, 3), autograd.New([]float64{0.8, -0.5, 0.6})}
}

// along returns f at inputs moved by h along the tangents.
func along(f func(in ...*tensor) *tensor, inputs, tangents []*tensor, h float64) []float64 {
	var moved []*tensor
	for i, x := range inputs {
		moved = append(moved, ops.Add(x.Detach(), ops.Scale(tangents[i], h)))
	}
	return f(moved...).Float64s()
}

func close9(t *testing.T, what string, got, want float64) {
	t.Helper()
	if !(math.Abs(got-want) <= 1e-8*max(1, math.Abs(want))) {
		t.Errorf("%s is %.12g, want %.12g", what, got, want)
	}
}

func TestJVP(t *testing.T) {
	y, dy := autograd.JVP(func(in ...*tensor) *tensor { return ops.Exp(in[0]) }, []*tensor{autograd.New([]float64{0.5, -1})}, []*tensor{autograd.New([]float64{2, 3})})
	near(t, "exp", y, math.Exp(0.5), math.Exp(-1))
	near(t, "its tangent", dy, 2*math.Exp(0.5), 3*math.Exp(-1))

	inputs := mixedInputs()
	tangents := []*tensor{autograd.New([]float64{1, -2, 0.5, 3, 0.1, -1}, 2, 3), autograd.New([]float64{-0.3, 2, 0.7})}
	y, dy = autograd.JVP(mixed, inputs, tangents)
	const h = 1e-5
	up, down := along(mixed, inputs, tangents, h), along(mixed, inputs, tangents, -h)
	for i, got := range dy.Float64s() {
		close9(t, "tangent", got, (up[i]-down[i])/(2*h))
	}
	near(t, "value", y, mixed(inputs...).Float64s()...)

	// ⟨u, J·v⟩ = ⟨Jᵀ·u, v⟩
	_, products := autograd.VJP(mixed, inputs, dy.Detach())
	dot := func(a, b *tensor) float64 { return ops.Sum(ops.Mul(a.Detach(), b.Detach())).Item() }
	close9(t, "Jᵀ·u·v", dot(products[0], tangents[0])+dot(products[1], tangents[1]), dot(dy, dy))

	// A tangent of a tangent: d²/dx² x³ = 6x. The inner one is differentiated forwards.
	cube := func(in ...*tensor) *tensor { return ops.Mul(in[0], ops.Mul(in[0], in[0])) }
	one := []*tensor{autograd.New([]float64{1})}
	slope := func(in ...*tensor) *tensor { _, d := autograd.JVP(cube, in, one); return d }
	_, second := autograd.JVP(slope, []*tensor{autograd.New([]float64{2})}, one)
	near(t, "second", second, 12)
}

func TestFunctionalZeros(t *testing.T) {
	x, index := leaf(1, 2), autograd.New([]int32{1})
	pick := func(in ...*tensor) *tensor { return ops.IndexSelect(in[0], in[1]) }
	_, dy := autograd.JVP(pick, []*tensor{x, index}, []*tensor{leaf(5, 7), nil})
	equal(t, "picked", dy, 7)
	_, products := autograd.VJP(pick, []*tensor{x, index}, leaf(3))
	equal(t, "spread", products[0], 0, 3)
	if products[1] != nil {
		t.Errorf("an index has the gradient %v", products[1])
	}
	other := func(in ...*tensor) *tensor { return ops.Exp(in[1].Detach()) }
	_, dy = autograd.JVP(other, []*tensor{x, x}, []*tensor{x, x})
	equal(t, "of what does not depend", dy, 0, 0)
	_, products = autograd.VJP(other, []*tensor{x, x}, x)
	equal(t, "of what does not depend", products[0], 0, 0)
	_, products = autograd.HVP(func(in ...*tensor) *tensor { return ops.Sum(in[0]) }, []*tensor{x}, []*tensor{x})
	equal(t, "linear", products[0], 0, 0)
	_, dy = autograd.JVP(func(in ...*tensor) *tensor { return in[0] }, []*tensor{x}, []*tensor{leaf(3, 4)})
	equal(t, "identity", dy, 3, 4)
	equal(t, "Hessian of what does not depend", autograd.New(autograd.Hessian(func(in ...*tensor) *tensor { return ops.Sum(ops.Exp(in[1])) }, 0, 1, x, leaf(1))[1]), 0)
}

func TestHessian(t *testing.T) {
	inputs := mixedInputs()
	flat := append(inputs[0].Float64s(), inputs[1].Float64s()...)
	want := mat.NewSymDense(9, nil)
	fd.Hessian(want, func(x []float64) float64 {
		return summed(autograd.New(x[:6], 2, 3), autograd.New(x[6:])).Item()
	}, flat, &fd.Settings{Formula: fd.Central, Step: 1e-4})
	offset := []int{0, 6}
	vectors := []*tensor{autograd.New([]float64{1, -2, 0.5, 3, 0.1, -1}, 2, 3), autograd.New([]float64{-0.3, 2, 0.7})}
	v := append(vectors[0].Float64s(), vectors[1].Float64s()...)
	y, products := autograd.HVP(summed, inputs, vectors)
	close9(t, "value", y.Item(), summed(inputs...).Item())
	for i := range inputs {
		product := make([]float64, inputs[i].Len())
		for j := range inputs {
			for r, row := range autograd.Hessian(summed, i, j, inputs...) {
				for c, h := range row {
					if w := want.At(offset[i]+r, offset[j]+c); math.Abs(h-w) > 1e-5 {
						t.Errorf("∂²/∂%d∂%d at %d, %d is %g, finite differences say %g", i, j, r, c, h, w)
					}
					product[r] += h * v[offset[j]+c]
				}
			}
		}
		for r, p := range products[i].Float64s() {
			close9(t, "Hessian times vector", p, product[r])
		}
	}
	third := func(in ...*tensor) *tensor {
		_, p := autograd.HVP(summed, in, vectors)
		return ops.Add(p[0], p[1])
	}
	if err := autograd.GradCheck(third, inputs[0].RequireGrad(), inputs[1].RequireGrad()); err != nil {
		t.Error("gradient of HVP:", err)
	}
}

// TestJacobians compares with gonum's finite differences themselves.
func TestJacobians(t *testing.T) {
	inputs := mixedInputs()
	for i := range inputs {
		want := mat.NewDense(6, inputs[i].Len(), nil)
		fd.Jacobian(want, func(dst, v []float64) {
			args := []*tensor{inputs[0], inputs[1]}
			args[i] = autograd.New(v, inputs[i].Shape()...)
			copy(dst, mixed(args...).Float64s())
		}, inputs[i].Float64s(), &fd.JacobianSettings{Formula: fd.Central})
		for r, row := range autograd.Jacobian(mixed, i, inputs...) {
			for c, got := range row {
				close9(t, "Jacobian", got, want.At(r, c))
			}
		}
	}
}

func TestFunctionalPanics(t *testing.T) {
	x := []*tensor{leaf(1, 2)}
	exp := func(in ...*tensor) *tensor { return ops.Exp(in[0]) }
	panics(t, func() { autograd.JVP(exp, x, nil) }, "JVP: 1 inputs, 0 tangents")
	panics(t, func() { autograd.JVP(exp, x, []*tensor{leaf(1)}) }, "JVP: tangent Tensor[1] float64 of input Tensor[2] float64")
	panics(t, func() { autograd.VJP(exp, x, leaf(1)) }, "VJP: cotangent Tensor[1] float64 of result Tensor[2] float64")
	panics(t, func() { autograd.HVP(exp, x, x) }, "HVP: f returned Tensor[2] float64, want one element")
	panics(t, func() { autograd.Hessian(exp, 0, 0, x...) }, "Hessian: f returned Tensor[2] float64, want one element")
}
