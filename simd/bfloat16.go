package simd

import "math"

// BFloat16Round sets dst[i] to src[i] rounded to the nearest bfloat16 (the upper
// half of a float32), ties to even, kept as a float32. Values above the largest
// bfloat16 become infinite and NaN stays NaN.
func BFloat16Round(dst, src []float32) { unary("BFloat16Round", active.s.bFloat16Round, dst, src) }

func bfloat16RoundGeneric(dst, src []float32) {
	for i, x := range src {
		b := math.Float32bits(x)
		if x != x {
			b |= 1 << 22 // rounding could carry a NaN's bits into an infinity
		} else {
			b += 0x7fff + b>>16&1
		}
		dst[i] = math.Float32frombits(b &^ 0xffff)
	}
}
