package simd

import "math/bits"

// The Philox4x32-10 generator: Salmon, Moraes, Dror and Shaw, "Parallel random
// numbers: as easy as 1, 2, 3", SC 2011. Ten rounds of two 32×32→64 bit
// products mix a 128-bit counter under a 64-bit key that takes a Weyl step
// after each round.
const (
	philoxM0     = 0xd2511f53
	philoxM1     = 0xcd9e8d57
	philoxW0     = 0x9e3779b9
	philoxW1     = 0xbb67ae85
	philoxRounds = 10
)

// SUniform fills dst with numbers uniform in [0, 1), multiples of 2**-24, from
// the counter-based generator Philox4x32-10. Number i of the stream named by
// the 128-bit key is always the same, and dst receives numbers start,
// start+1, …: it is word i%4 of the block whose counter words are
// (lo32(i/4), hi32(i/4), lo32(keyHi), hi32(keyHi)) under the key words
// (lo32(keyLo), hi32(keyLo)), shifted right by 8 bits and scaled by 2**-24.
func SUniform(dst []float32, keyLo, keyHi, start uint64) {
	// To the beginning of a block by hand, whole batches by the kernel, and the
	// rest by hand again.
	head := min(int(-start%4), len(dst))
	uniform(dst[:head], keyLo, keyHi, start)
	dst, start = dst[head:], start+uint64(head)
	for len(dst) >= philoxBatch {
		n := min(len(dst), blockLen) / philoxBatch * philoxBatch
		active.philox(dst[:n], keyLo, keyHi, start/4)
		dst, start = dst[n:], start+uint64(n)
	}
	uniform(dst, keyLo, keyHi, start)
}

// philoxBatch is how many numbers an assembly kernel makes at a time.
const philoxBatch = 64

// DUniform fills dst with the same numbers as SUniform, as float64.
func DUniform(dst []float64, keyLo, keyHi, start uint64) {
	uniform(dst, keyLo, keyHi, start)
}

func uniform[T float](dst []T, keyLo, keyHi, start uint64) {
	for len(dst) > 0 {
		block := philox(start/4, keyLo, keyHi)
		words := block[start%4:]
		n := min(len(dst), len(words))
		for i := range n {
			dst[i] = T(words[i]>>8) * (1.0 / (1 << 24))
		}
		dst = dst[n:]
		start += uint64(n)
	}
}

func philoxGeneric(dst []float32, keyLo, keyHi, block uint64) {
	uniform(dst, keyLo, keyHi, 4*block)
}

// philox returns the four words of one block of the stream.
func philox(counter, keyLo, keyHi uint64) [4]uint32 {
	c0, c1 := uint32(counter), uint32(counter>>32)
	c2, c3 := uint32(keyHi), uint32(keyHi>>32)
	k0, k1 := uint32(keyLo), uint32(keyLo>>32)
	for range philoxRounds {
		hi0, lo0 := bits.Mul32(philoxM0, c0)
		hi1, lo1 := bits.Mul32(philoxM1, c2)
		c0, c1, c2, c3 = hi1^c1^k0, lo1, hi0^c3^k1, lo0
		k0 += philoxW0
		k1 += philoxW1
	}
	return [4]uint32{c0, c1, c2, c3}
}
