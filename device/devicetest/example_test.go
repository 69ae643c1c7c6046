package devicetest_test

import (
	"fmt"

	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/device/devicetest"
)

func ExampleEval() {
	cube := device.NewProgram("cube", 1, func(b *device.Builder, in ...device.Value) []device.Value {
		return []device.Value{b.Mul(in[0], b.Mul(in[0], in[0]))}
	})
	e := devicetest.Eval(cube.VJP(1), device.Float64, []float64{2, 1}, nil, nil, 0)
	fmt.Println(e.Outputs[0])
	// Output: 12
}
