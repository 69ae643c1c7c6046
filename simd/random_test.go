package simd

import (
	"math"
	"testing"
)

// TestPhiloxKnownAnswers has the three vectors of Random123's kat_vectors.
func TestPhiloxKnownAnswers(t *testing.T) {
	for _, c := range []struct {
		counter, keyLo, keyHi uint64
		want                  [4]uint32
	}{
		{0, 0, 0, [4]uint32{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
		{math.MaxUint64, math.MaxUint64, math.MaxUint64, [4]uint32{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
		{0x85a308d3_243f6a88, 0x299f31d0_a4093822, 0x03707344_13198a2e, [4]uint32{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
	} {
		if got := philox(c.counter, c.keyLo, c.keyHi); got != c.want {
			t.Errorf("philox(%#x, %#x, %#x) = %x, want %x", c.counter, c.keyLo, c.keyHi, got, c.want)
		}
	}
}

func TestUniform(t *testing.T) {
	const keyLo, keyHi = 0x0123456789abcdef, 0xfedcba9876543210
	const span = 700
	forEachImplementation(t, func(t *testing.T) {
		memory, memory64 := newGuarded[float32](t, 1000), newGuarded[float64](t, 1000)
		// The last start lets the low counter word overflow into the high one.
		for _, start := range []uint64{0, 1, 2, 3, 4, 1<<34 - 100} {
			want := make([]float32, span)
			for i := range want {
				at := start + uint64(i)
				want[i] = float32(philox(at/4, keyLo, keyHi)[at%4]>>8) * 0x1p-24
			}
			for n := range 300 {
				for offset := range min(5, span-n) {
					dst := memory.take(n)
					SUniform(dst, keyLo, keyHi, start+uint64(offset))
					memory.check(t)
					wide := memory64.take(n)
					DUniform(wide, keyLo, keyHi, start+uint64(offset))
					for i := range dst {
						if dst[i] != want[offset+i] || wide[i] != float64(want[offset+i]) {
							t.Fatalf("number %d of %d from %d: %v and %v, want %v", i, n, start+uint64(offset), dst[i], wide[i], want[offset+i])
						}
					}
				}
			}
		}
		long := make([]float32, 3*blockLen+11)
		SUniform(long, 1, 2, 5)
		var one [1]float32
		for i := 0; i < len(long); i += 101 {
			SUniform(one[:], 1, 2, 5+uint64(i))
			if one[0] != long[i] {
				t.Fatalf("number %d is %v in a long run and %v alone", i, long[i], one[0])
			}
		}
		if mean := float64(SSum(long)) / float64(len(long)); math.Abs(mean-0.5) > 0.01 {
			t.Errorf("mean %v of uniform numbers", mean)
		}
	})
}
