package autograd

import (
	"fmt"

	"github.com/muppet-go/muppet/device"
)

// VJP returns y = f(inputs) and the product of cotangent, of y's shape, with f's
// Jacobian: for each input Σ cotangent·∂y/∂input, of the input's shape; nil for an
// input of integers. Inputs need not require gradients. Like those of JVP and HVP,
// the results have a graph of their own and can be differentiated again.
func VJP(f func(in ...*Tensor) *Tensor, inputs []*Tensor, cotangent *Tensor) (y *Tensor, products []*Tensor) {
	args := aliases(inputs)
	y = f(args...)
	if !sameShape(y, cotangent) {
		panic(fmt.Sprintf("autograd: VJP: cotangent %s of result %s", cotangent.describe(), y.describe()))
	}
	return y, gradients(y, args, cotangent)
}

// JVP returns y = f(inputs) and dy, how y changes as the inputs move along tangents:
// Σ ∂y/∂input·tangent. A tangent has its input's shape; nil stands for zeros.
//
// Reverse mode does it with two passes, since VJP is linear in its cotangent u: the
// derivative of Σ tangent·VJP(u) with respect to u is JVP (Townsend, "A new trick
// for calculating Jacobian vector products", 2017).
func JVP(f func(in ...*Tensor) *Tensor, inputs, tangents []*Tensor) (y, dy *Tensor) {
	checkTangents("JVP", inputs, tangents)
	args := aliases(inputs)
	y = f(args...)
	u := alias(zerosLike(y))
	return y, transposed(gradients(y, args, u), tangents, []*Tensor{u})[0]
}

// HVP returns y = f(inputs), which must have one element, and for each input the
// product of f's Hessian with vectors: Σ ∂²y/∂input∂other·vector of other. A vector
// has its input's shape; nil stands for zeros, and is the result for integers.
func HVP(f func(in ...*Tensor) *Tensor, inputs, vectors []*Tensor) (y *Tensor, products []*Tensor) {
	checkTangents("HVP", inputs, vectors)
	args := aliases(inputs)
	y = f(args...)
	if y.size != 1 {
		panic(fmt.Sprintf("autograd: HVP: f returned %s, want one element", y.describe()))
	}
	return y, transposed(gradients(y, args, onesLike(y)), vectors, args)
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

// Hessian returns ∂²f(inputs)/∂inputs[i]∂inputs[j] as a matrix with a row for each
// element of input i and a column for each element of input j. The result of f must
// have one element.
func Hessian(f func(in ...*Tensor) *Tensor, i, j int, inputs ...*Tensor) [][]float64 {
	gradient := func(in ...*Tensor) *Tensor {
		args := append([]*Tensor{}, in...)
		args[i] = alias(in[i])
		y := f(args...)
		if y.size != 1 {
			panic(fmt.Sprintf("autograd: Hessian: f returned %s, want one element", y.describe()))
		}
		return gradients(y, args[i:i+1], onesLike(y))[0]
	}
	return Jacobian(gradient, j, inputs...)
}

// aliases returns the inputs as the beginning of a graph.
func aliases(inputs []*Tensor) []*Tensor {
	args := make([]*Tensor, len(inputs))
	for i, x := range inputs {
		args[i] = x
		if x.DType().IsFloat() {
			args[i] = alias(x)
		}
	}
	return args
}

// gradients is Grad of one result with a graph, and zeros for what y does not depend on.
func gradients(y *Tensor, args []*Tensor, cotangent *Tensor) []*Tensor {
	return transposed([]*Tensor{y}, []*Tensor{cotangent}, args)
}

// transposed returns Σ seed·∂output/∂arg for each arg. A nil seed counts as zeros.
func transposed(outputs, seeds, args []*Tensor) []*Tensor {
	var ys, gs, wrt []*Tensor
	for i, y := range outputs {
		if y != nil && y.RequiresGrad() && seeds[i] != nil {
			ys, gs = append(ys, y), append(gs, seeds[i])
		}
	}
	for _, x := range args {
		if x.DType().IsFloat() {
			wrt = append(wrt, x)
		}
	}
	found := make([]*Tensor, len(wrt))
	if len(ys) > 0 {
		found = Grad(ys, wrt, gs, true)
	}
	result := make([]*Tensor, len(args))
	for i, x := range args {
		if !x.DType().IsFloat() {
			continue
		}
		if result[i] = found[0]; result[i] == nil {
			result[i] = zerosLike(x)
		}
		found = found[1:]
	}
	return result
}

func checkTangents(op string, inputs, tangents []*Tensor) {
	if len(tangents) != len(inputs) {
		panic(fmt.Sprintf("autograd: %s: %d inputs, %d tangents", op, len(inputs), len(tangents)))
	}
	for i, v := range tangents {
		if v != nil && (!sameShape(inputs[i], v) || !v.DType().IsFloat()) {
			panic(fmt.Sprintf("autograd: %s: tangent %s of input %s", op, v.describe(), inputs[i].describe()))
		}
	}
}

func zerosLike(y *Tensor) *Tensor {
	z := Make(y.DType(), y.shape, y)
	z.store.dev.Fill(z.Slice(), 0)
	return z
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
