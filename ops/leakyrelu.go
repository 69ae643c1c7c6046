package ops

import (
	"github.com/muppet-go/muppet/device"
)

// LeakyReLU returns x where it is positive and slope·x elsewhere (Maas, Hannun and Ng,
// ICML 2013). Its gradient at 0 is slope, as in PyTorch.
func LeakyReLU(x *Tensor, slope float64) *Tensor {
	return run(leakyReLUProgram, []float64{slope}, nil, x)
}

var leakyReLUProgram = device.NewProgram("leaky_relu", 1, func(b *builder, in ...value) []value {
	x := in[0]
	return []value{b.Select(b.Less(b.Const(0), x), x, b.Mul(b.Param(0), x))}
})
