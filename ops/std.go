package ops

// Std returns the standard deviation of x over the given axes, the square root of Var.
// Where that is 0 so is its gradient, as in PyTorch.
func Std(x *Tensor, correction int, axes ...int) *Tensor {
	return run(stdProgram, nil, nil, Var(x, correction, axes...))
}

// The root is of 1 where it would be of 0, so that its derivative is finite.
var stdProgram = unary("std", func(b *builder, v value) value {
	zero := b.Equal(v, b.Const(0))
	return b.Select(zero, b.Const(0), b.Sqrt(b.Select(zero, b.Const(1), v)))
})
