package nn

import (
	"fmt"
	"slices"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/ops"
)

// RMSNorm divides the last axis by its root mean square; see ops.RMSNorm.
type RMSNorm struct {
	Weight *autograd.Tensor `name:"weight,nodecay"`
	Eps    float64
}

// NewRMSNorm returns the norm of vectors of the given size.
func NewRMSNorm(size int, eps float64) *RMSNorm { return &RMSNorm{Constant(1, size), eps} }

// Forward normalises x [..., size].
func (l *RMSNorm) Forward(x *autograd.Tensor) *autograd.Tensor {
	return ops.RMSNorm(x, l.Weight, l.Eps)
}

// BatchNorm normalises each channel, axis 1, of a batch; see ops.BatchNorm. It keeps
// running estimates of the channels' means and variances, with which Forward normalises
// whatever else is in the batch. Like everything that is written in place they
// belong to one goroutine.
type BatchNorm struct {
	Weight      *autograd.Tensor `name:"weight,nodecay"`
	Bias        *autograd.Tensor `name:"bias,nodecay"`
	RunningMean *autograd.Tensor `name:"running_mean,buffer"`
	RunningVar  *autograd.Tensor `name:"running_var,buffer"` // unbiased
	Eps         float64
	Momentum    float64 // the share of a new batch in the running estimates
}

// NewBatchNorm returns the norm of the given number of channels, as PyTorch's: an epsilon
// of 1e-5, a momentum of 0.1, running means of 0 and variances of 1.
func NewBatchNorm(channels int) *BatchNorm {
	return &BatchNorm{
		Weight: Constant(1, channels), Bias: Constant(0, channels),
		RunningMean: autograd.Zeros(channels), RunningVar: autograd.Full(device.Float32, 1, channels),
		Eps: 1e-5, Momentum: 0.1,
	}
}

// ForwardTrain normalises x [n, channels, ...] by its own mean and variance, and moves the
// running estimates towards them. It draws nothing by the key. It panics for a batch of
// one element a channel, whose variance cannot be estimated.
func (l *BatchNorm) ForwardTrain(x *autograd.Tensor, _ device.Key) *autograd.Tensor {
	y, mean, variance := ops.BatchNorm(x, l.Weight, l.Bias, l.Eps)
	n := x.Len() / max(mean.Len(), 1)
	if n < 2 {
		panic(fmt.Sprintf("nn: BatchNorm: shape %v has %d elements a channel, want 2 or more", x.Shape(), n))
	}
	autograd.Mutate(func(dst ...device.Slice) {
		args := &device.Args{Rows: 1, Cols: mean.Len(), Out: dst, Params: []float64{l.Momentum, float64(n) / float64(n-1)}}
		for _, in := range []device.Slice{dst[0], dst[1], mean.Slice(), variance.Slice()} {
			args.In = append(args.In, device.Operand{Slice: in})
		}
		x.Device().Pointwise(runningProgram, args)
	}, l.RunningMean, l.RunningVar)
	return y
}

// In: running mean and variance, and the batch's. Parameters: momentum, and what makes the
// batch's variance unbiased.
var runningProgram = device.NewProgram("running", 4, func(b *device.Builder, in ...device.Value) []device.Value {
	towards := func(old, new device.Value) device.Value { return b.Add(old, b.Mul(b.Param(0), b.Sub(new, old))) }
	return []device.Value{towards(in[0], in[2]), towards(in[1], b.Mul(in[3], b.Param(1)))}
})

// Forward normalises x [n, channels, ...] by the running estimates, which it does not
// change.
func (l *BatchNorm) Forward(x *autograd.Tensor) *autograd.Tensor {
	if len(x.Shape()) < 2 || x.Dim(1) != l.RunningMean.Len() {
		panic(fmt.Sprintf("nn: BatchNorm: shape %v, want %d channels on axis 1", x.Shape(), l.RunningMean.Len()))
	}
	shape := slices.Repeat([]int{1}, len(x.Shape())-1)
	shape[0] = x.Dim(1)
	each := func(t *autograd.Tensor) *autograd.Tensor { return ops.Reshape(t, shape...) }
	eps := autograd.Make(x.DType(), nil, x)
	eps.Device().Fill(eps.Slice(), l.Eps)
	return evaluateNorm(x, each(l.RunningMean), each(l.RunningVar), each(l.Weight), each(l.Bias), eps)
}

var evaluateNorm = ops.Pointwise("batch_norm", func(b *device.Builder, in ...device.Value) device.Value {
	x, mean, variance, weight, bias, eps := in[0], in[1], in[2], in[3], in[4], in[5]
	return b.Add(b.Mul(b.Div(b.Sub(x, mean), b.Sqrt(b.Add(variance, eps))), weight), bias)
})
