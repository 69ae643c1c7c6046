package simd

import (
	"math"
	"unsafe"
)

// genericBFloat16Gemm returns the kernels of SBgemm in plain Go, which define what
// the others compute.
func genericBFloat16Gemm() *gemmKernels[float32] {
	kernels := pairedGemm(genericGemm[float32](), pairPacking{adjacent: pairAdjacentGeneric})
	kernels.tiles = []tileKernel[float32]{{1, repeat(1, bfloat16Tile)}}
	return kernels
}

// bfloat16Tile computes a tile of 1×4 elements from pairs of bfloat16.
func bfloat16Tile(k int, alpha float32, a *float32, _, csa int, b *float32, ldb int, beta float32, c *float32, _ int) {
	var sums [4]float32
	for p := range k {
		x := pairAt(a, p*csa)
		first, second := flush(x.first()), flush(x.second())
		for j := range sums {
			y := pairAt(b, p*ldb+j)
			sum := fmaFlushed(second, flush(y.second()), sums[j])
			sums[j] = fmaFlushed(first, flush(y.first()), sum)
		}
	}
	for j, sum := range sums {
		to := at(c, j)
		v := float32(alpha * sum)
		if beta != 0 {
			v = fma(beta, *to, v)
		}
		*to = v
	}
}

// fmaFlushed returns a·b + c rounded once, for bfloat16 numbers a and b; no operand
// is below the normal range, and a result there becomes a zero of its sign. It is
// there if rounding to as many digits, but with exponents that go further down,
// would leave it there, which is the case below the number halfway between the
// least normal one and the one before that.
func fmaFlushed(a, b, c float32) float32 {
	// The product is exact in float64.
	product := float64(float64(a) * float64(b))
	sum := product + float64(c)
	// What is rounded twice is wrong only if the first time ends halfway between two
	// float32 numbers.
	if math.Abs(sum) >= 0x1p-126 && math.Float64bits(sum)&(1<<29-1) != 1<<28 {
		return float32(sum)
	}
	return addFlushed(product, float64(c))
}

// addFlushed is fmaFlushed for every sum.
func addFlushed(product, addend float64) float32 {
	// Rounding to odd makes the second rounding right, as in fma.
	sum := sumToOdd(product, addend)
	if math.Abs(sum) < 0x1p-126-0x1p-151 {
		return float32(math.Copysign(0, sum))
	}
	return float32(sum)
}

// flush returns x or, if that is below the normal range, zero with its sign.
func flush(x float32) float32 {
	if bits := math.Float32bits(x); bits>>23&0xff == 0 {
		return math.Float32frombits(bits & (1 << 31))
	}
	return x
}

// A pair is two bfloat16, the first in the lower half. Panels hold them in elements
// of float32, which are moved as bits only.
type pair uint32

func pairAt(p *float32, i int) pair { return *(*pair)(unsafe.Pointer(at(p, i))) }

func (p pair) first() float32  { return math.Float32frombits(uint32(p) << 16) }
func (p pair) second() float32 { return math.Float32frombits(uint32(p) &^ 0xffff) }

func storePair(to *float32, first, second float32) {
	*(*pair)(unsafe.Pointer(to)) = pair(bfloat16Bits(flush(first))>>16 | bfloat16Bits(flush(second)))
}

func pairAdjacentGeneric(dst, x []float32) {
	for i := range dst {
		storePair(&dst[i], x[2*i], x[2*i+1])
	}
}
