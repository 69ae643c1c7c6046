package simd_test

import (
	"fmt"
	"math"

	"github.com/muppet-go/muppet/simd"
)

// A linear layer: y = x·wᵀ + bias for two rows of three inputs and two outputs.
func Example() {
	const rows, in, out = 2, 3, 2
	x := []float32{1, 2, 3, 4, 5, 6}
	w := []float32{1, 0, -1, 0.5, 0.5, 0.5} // out rows of in weights
	bias := []float32{10, 20}
	y := make([]float32, rows*out)
	for i := range rows {
		copy(y[i*out:], bias)
	}
	simd.Sgemm(false, true, rows, out, in, 1, x, in, w, in, 1, y, out)
	fmt.Println(y)
	// Output: [8 23 8 27.5]
}

// Operands have eight binary digits in bfloat16, sums the 24 of float32.
func ExampleSBgemm() {
	a := []float32{1 + 0x1p-9, 256} // 1.001953125, which is nearest to 1
	b := []float32{1, 1}
	c := make([]float32, 1)
	simd.SBgemm(false, false, 1, 1, 2, 1, a, 2, b, 1, 0, c, 1)
	fmt.Println(c)
	// Output: [257]
}

// A softmax: the largest element is taken off first, so that nothing overflows.
func ExampleSExp() {
	x := []float32{1000, 1001, 1002}
	p := make([]float32, len(x))
	simd.SAddScalar(p, x, -simd.SMaxOf(x))
	simd.SExp(p, p)
	simd.SMulScalar(p, p, 1/simd.SSum(p))
	fmt.Printf("%.3f\n", p)
	// Output: [0.090 0.245 0.665]
}

// Part of a stream of random numbers is the same wherever it is begun.
func ExampleSUniform() {
	all, part := make([]float32, 8), make([]float32, 3)
	simd.SUniform(all, 1, 2, 0)
	simd.SUniform(part, 1, 2, 5)
	fmt.Println(part[0] == all[5], part[1] == all[6], part[2] == all[7])
	// Output: true true true
}

// A layer of a network: bias and activation are applied while the product is in
// the cache.
func ExampleSgemmEpilogue() {
	x := []float32{1, 2, 3, 4}       // 2×2
	w := []float32{1, 0, 0, 1, 1, 1} // 3×2
	bias := []float32{0, -5, 1}
	y := make([]float32, 2*3)
	simd.SgemmEpilogue(false, true, 2, 3, 2, 1, x, 2, w, 2, 0, y, 3, func(c []float32, i, j int) {
		simd.SAdd(c, c, bias[j:j+len(c)])
		zero := make([]float32, len(c))
		simd.SMax(c, c, zero) // ReLU
	})
	fmt.Println(y)
	// Output: [1 0 4 3 0 8]
}

func ExampleSSoftmaxRows() {
	x := []float32{0, 0, 5, 5, 5, 5} // two rows of three; the first has a masked element
	x[2] = float32(math.Inf(-1))
	simd.SSoftmaxRows(x, x, 3)
	fmt.Printf("%.3f\n", x)
	// Output: [0.500 0.500 0.000 0.333 0.333 0.333]
}
