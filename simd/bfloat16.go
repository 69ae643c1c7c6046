package simd

import "math"

// BFloat16Round sets dst[i] to src[i] rounded to the nearest bfloat16 (the upper
// half of a float32), ties to even, kept as a float32. Values above the largest
// bfloat16 become infinite and NaN stays NaN.
func BFloat16Round(dst, src []float32) { unary("BFloat16Round", active.s.bFloat16Round, dst, src) }

func bfloat16RoundGeneric(dst, src []float32) {
	for i, x := range src {
		dst[i] = math.Float32frombits(bfloat16Bits(x))
	}
}

// bfloat16OperandGeneric rounds what has been flushed.
func bfloat16OperandGeneric(dst, src []float32) {
	for i, x := range src {
		dst[i] = math.Float32frombits(bfloat16Bits(flush(x)))
	}
}

// bfloat16Bits returns x rounded to bfloat16, in the upper half.
func bfloat16Bits(x float32) uint32 {
	b := math.Float32bits(x)
	if x != x {
		b |= 1 << 22 // rounding could carry a NaN's bits into an infinity
	} else {
		b += 0x7fff + b>>16&1
	}
	return b &^ 0xffff
}
