package nn_test

import (
	"fmt"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/nn"
)

// Training moves the running estimates, by which a single example is then normalised.
func ExampleBatchNorm() {
	norm := nn.NewBatchNorm(1)
	x := autograd.New([]float32{1, 3, 5, 7}, 4, 1)
	for range 50 {
		norm.ForwardTrain(x, autograd.Key{})
	}
	fmt.Printf("%.2f %.2f\n", norm.RunningMean.Item(), norm.RunningVar.Item())
	fmt.Printf("%.2f\n", norm.Forward(autograd.New([]float32{4}, 1, 1)).Item())
	// Output:
	// 3.98 6.64
	// 0.01
}
