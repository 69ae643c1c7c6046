package main

import (
	"fmt"
	"math"
)

// The constants of Philox4x32-10, as in package simd.
const (
	philoxRounds       = 10
	philoxW0, philoxW1 = 0x9e3779b9, 0xbb67ae85
	philoxM0, philoxM1 = 0xd2511f53, 0xcd9e8d57
)

func (a *assembler) philoxFunction() {
	a.function("philox"+a.title, "(dst []float32, keyLo, keyHi, block uint64)", 48)
	fmt.Fprintf(&a.fields, "\timpl.philox = philox%s\n", a.title)
}

// randomFamily generates Philox4x32-10.
//
// Each 64-bit lane holds one word of a block in its lower half, because that is
// what VPMULUDQ multiplies; it ignores the upper half, in which the products
// leave their own. Two vectors of blocks are mixed at a time, since each is one
// long chain of dependent instructions.
func randomFamily(a *assembler) {
	if a.name == "neon" {
		neonRandom(a)
		return
	}
	lanes := a.bytes / 8
	a.philoxFunction()
	a.op("MOVQ", "dst_base+0(FP)", "DI")
	a.op("MOVQ", "dst_len+8(FP)", "CX")
	// The even lanes take the first half of the blocks, the odd ones the
	// second: that is the order in which unpacking leaves them.
	var order []uint64
	for i := range lanes / 2 {
		order = append(order, uint64(i), uint64(i+lanes/2))
	}
	repeat := func(word uint64) []uint64 {
		words := make([]uint64, lanes)
		for i := range words {
			words[i] = word
		}
		return words
	}
	key0, key1, mul0, mul1, count := a.v(8), a.v(9), a.v(10), a.v(11), a.v(12)
	a.op("VPBROADCASTQ", "block+40(FP)", count)
	a.op("VPADDQ", a.global("order", "block numbers by lane", 8, order...), count, count)
	a.op("VMOVUPS", a.global("m0", "multiplier", 8, repeat(philoxM0)...), mul0)
	a.op("VMOVUPS", a.global("m1", "multiplier", 8, repeat(philoxM1)...), mul1)
	if a.name == "avx512" {
		a.op("MOVL", "$0xaaaa", "AX")
		a.op("KMOVW", "AX", "K2")
	}
	a.loop("loop")
	free := []string{a.v(13), a.v(14)}
	var c [2][4]string // the counter words of both vectors
	for i := range c {
		for word := range c[i] {
			c[i][word] = a.v(4*i + word)
		}
		a.op("VMOVUPS", count, c[i][0])
		a.op("VPSRLQ", "$32", count, c[i][1])
		a.op("VPBROADCASTQ", "keyHi+32(FP)", c[i][2])
		a.op("VPSRLQ", "$32", c[i][2], c[i][3])
		a.op("VPADDQ", a.global("blocks", "a vector of blocks", 8, repeat(uint64(lanes))...), count, count)
	}
	a.op("VPBROADCASTQ", "keyLo+24(FP)", key0)
	a.op("VPSRLQ", "$32", key0, key1)
	for round := range philoxRounds {
		if round > 0 {
			a.op("VPADDQ", a.global("w0", "step of the key", 8, repeat(philoxW0)...), key0, key0)
			a.op("VPADDQ", a.global("w1", "step of the key", 8, repeat(philoxW1)...), key1, key1)
		}
		for i := range c {
			x, p0, p1 := &c[i], free[0], free[1]
			a.op("VPMULUDQ", mul0, x[0], p0)
			a.op("VPMULUDQ", mul1, x[2], p1)
			// The low halves of the products are words 3 and 1 of the result,
			// the high halves go into words 2 and 0.
			a.op("VPSRLQ", "$32", p1, x[0])
			xor3(a, key0, x[1], x[0])
			a.op("VPSRLQ", "$32", p0, x[2])
			xor3(a, key1, x[3], x[2])
			free[0], free[1] = x[1], x[3]
			x[1], x[3] = p1, p0
		}
	}
	a.op("VBROADCASTSS", a.constant(single, uint64(math.Float32bits(0x1p-24))), key0)
	for i, x := range c {
		// Words 0 and 1 side by side, words 2 and 3 too, then both.
		for word := 0; word < 4; word += 2 {
			a.op("VPSLLQ", "$32", x[word+1], x[word+1])
			if a.name == "avx512" {
				a.op("VMOVDQU32", x[word+1], "K2", x[word])
			} else {
				a.op("VPBLENDD", "$0xaa", x[word+1], x[word], x[word])
			}
		}
		a.op("VPUNPCKLQDQ", x[2], x[0], x[1])
		a.op("VPUNPCKHQDQ", x[2], x[0], x[3])
		for half, v := range []string{x[1], x[3]} {
			a.op("VPSRLD", "$8", v, v)
			a.op("VCVTDQ2PS", v, v)
			a.op("VMULPS", key0, v, v)
			a.op("VMOVUPS", v, fmt.Sprintf("%d(DI)", (2*i+half)*a.bytes))
		}
	}
	a.op("ADDQ", fmt.Sprint("$", 4*a.bytes), "DI")
	a.op("SUBQ", fmt.Sprint("$", 8*lanes), "CX")
	a.op("JNZ", "loop")
	a.ret()
}

// xor3 sets x to the exclusive or of three registers.
func xor3(a *assembler, y, z, x string) {
	if a.name == "avx512" {
		a.op("VPTERNLOGD", "$0x96", y, z, x)
		return
	}
	a.op("VPXOR", y, x, x)
	a.op("VPXOR", z, x, x)
}
