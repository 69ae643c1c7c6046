package ops

// Std returns the standard deviation of x over the given axes, the square root of Var.
// Where that is 0 the gradient is NaN, as in PyTorch.
func Std(x *Tensor, correction int, axes ...int) *Tensor {
	return Sqrt(Var(x, correction, axes...))
}
