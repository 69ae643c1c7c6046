package main

import (
	"fmt"
	"math"
)

// neonRandom generates Philox4x32-10 for NEON. A register holds one word of four
// blocks, and the instruction that stores four registers interleaved puts the
// blocks in order. Two such sets are mixed at a time, since each is one long
// chain of dependent instructions.
func neonRandom(a *assembler) {
	const (
		sets                               = 2
		products                           = 4 * sets // first of four registers for each set
		mul0, mul1, step0, step1, scale    = 16, 17, 18, 19, 20
		word2, word3, first0, first1       = 21, 22, 23, 24 // at the beginning of a block
		key0, key1, blocks, blocks2, count = 25, 26, 27, 28, 29
	)
	ints := func(r int) string { return vec(single, r) }
	wide := func(r int) string { return vec(double, r) }
	fill := func(word uint64, r int, to func(int) string) {
		a.op("MOVD", fmt.Sprintf("$%#x", word), "R5")
		a.op("VDUP", "R5", to(r))
	}
	a.philoxFunction()
	a.op("MOVD", "dst_base+0(FP)", "R0")
	a.op("MOVD", "dst_len+8(FP)", "R1")
	for i, key := range []string{"keyLo+24(FP)", "keyHi+32(FP)"} {
		lower, upper := []int{first0, word2}[i], []int{first1, word3}[i]
		a.op("MOVD", key, "R2")
		a.op("VDUP", "R2", ints(lower))
		a.op("LSR", "$32", "R2", "R2")
		a.op("VDUP", "R2", ints(upper))
	}
	a.comment("The numbers of two blocks, and of the next two.")
	a.op("MOVD", "block+40(FP)", "R2")
	for i := range 4 {
		a.op("VMOV", "R2", fmt.Sprintf("V%d.D[%d]", blocks+i/2, i%2))
		a.op("ADD", "$1", "R2")
	}
	fill(4, count, wide)
	fill(philoxM0, mul0, ints)
	fill(philoxM1, mul1, ints)
	fill(philoxW0, step0, ints)
	fill(philoxW1, step1, ints)
	fill(uint64(math.Float32bits(0x1p-24)), scale, ints)
	a.loop("loop")
	for set := range sets {
		c := 4 * set
		a.op("VUZP1", ints(blocks2), ints(blocks), ints(c))
		a.op("VUZP2", ints(blocks2), ints(blocks), ints(c+1))
		a.op("VMOV", bits16(word2), bits16(c+2))
		a.op("VMOV", bits16(word3), bits16(c+3))
		a.op("VADD", wide(count), wide(blocks), wide(blocks))
		a.op("VADD", wide(count), wide(blocks2), wide(blocks2))
	}
	a.op("VMOV", bits16(first0), bits16(key0))
	a.op("VMOV", bits16(first1), bits16(key1))
	for round := range philoxRounds {
		if round > 0 {
			a.op("VADD", ints(step0), ints(key0), ints(key0))
			a.op("VADD", ints(step1), ints(key1), ints(key1))
		}
		for set := range sets {
			c, p := 4*set, products+4*set
			for i, m := range []int{mul0, mul1} {
				a.longMultiply(false, p+2*i, c+2*i, m)
				a.longMultiply(true, p+2*i+1, c+2*i, m)
			}
			// The upper halves of the products go into words 2 and 0, the lower
			// ones are words 3 and 1 of the result.
			for i, key := range []int{key1, key0} {
				to, odd := c+2-2*i, c+3-2*i
				a.op("VUZP2", ints(p+2*i+1), ints(p+2*i), ints(to))
				a.op("VEOR", bits16(odd), bits16(to), bits16(to))
				a.op("VEOR", bits16(key), bits16(to), bits16(to))
				a.op("VUZP1", ints(p+2*i+1), ints(p+2*i), ints(odd))
			}
		}
	}
	for set := range sets {
		for word := range 4 {
			v := 4*set + word
			a.op("VUSHR", "$8", ints(v), ints(v))
			a.two(single, "scvtf", v, v)
			a.three(single, "fmul", v, v, scale)
		}
		a.op("VST4.P", vecs(single, 4*set, 4), "64(R0)")
	}
	a.op("SUBS", fmt.Sprint("$", 16*sets), "R1", "R1")
	a.op("BNE", "loop")
	a.ret()
}
