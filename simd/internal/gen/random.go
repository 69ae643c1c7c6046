package main

import (
	"fmt"
	"math"
)

// randomFamily generates Philox4x32-10.
//
// Each 64-bit lane holds one word of a block in its lower half, because that is
// what VPMULUDQ multiplies; it ignores the upper half, in which the products
// leave their own. Vectors 0 to 3 are the counter words, 4 and 5 the key words,
// 6 and 7 the multipliers, 8 and 9 the key's steps.
func randomFamily(a *assembler) {
	const (
		rounds = 10
		w0, w1 = 0x9e3779b9, 0xbb67ae85
		m0, m1 = 0xd2511f53, 0xcd9e8d57
	)
	lanes := a.bytes / 8
	a.function("philox"+a.title, "(dst []float32, keyLo, keyHi, block uint64)", 48)
	fmt.Fprintf(&a.fields, "\timpl.philox = philox%s\n", a.title)
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
	count := a.v(15)
	a.op("VPBROADCASTQ", "block+40(FP)", count)
	a.op("VPADDQ", a.global("order", "block numbers by lane", 8, order...), count, count)
	a.op("VMOVUPS", a.global("m0", "multiplier", 8, repeat(m0)...), a.v(6))
	a.op("VMOVUPS", a.global("m1", "multiplier", 8, repeat(m1)...), a.v(7))
	a.op("VBROADCASTSS", a.constant(single, uint64(math.Float32bits(0x1p-24))), a.v(14))
	if a.name == "avx512" {
		a.op("MOVL", "$0xaaaa", "AX")
		a.op("KMOVW", "AX", "K2")
	}
	a.loop("loop")
	a.op("VMOVUPS", count, a.v(0))
	a.op("VPSRLQ", "$32", count, a.v(1))
	a.op("VPBROADCASTQ", "keyHi+32(FP)", a.v(2))
	a.op("VPSRLQ", "$32", a.v(2), a.v(3))
	a.op("VPBROADCASTQ", "keyLo+24(FP)", a.v(4))
	a.op("VPSRLQ", "$32", a.v(4), a.v(5))
	c := []string{a.v(0), a.v(1), a.v(2), a.v(3)}
	p0, p1 := a.v(8), a.v(9)
	for round := range rounds {
		if round > 0 {
			a.op("VPADDQ", a.global("w0", "step of the key", 8, repeat(w0)...), a.v(4), a.v(4))
			a.op("VPADDQ", a.global("w1", "step of the key", 8, repeat(w1)...), a.v(5), a.v(5))
		}
		a.op("VPMULUDQ", a.v(6), c[0], p0)
		a.op("VPMULUDQ", a.v(7), c[2], p1)
		// The low halves of the products are words 3 and 1 of the result, the
		// high halves go into words 2 and 0.
		a.op("VPSRLQ", "$32", p1, c[0])
		xor3(a, a.v(4), c[1], c[0])
		a.op("VPSRLQ", "$32", p0, c[2])
		xor3(a, a.v(5), c[3], c[2])
		c[1], p1 = p1, c[1]
		c[3], p0 = p0, c[3]
	}
	// Words 0 and 1 side by side, words 2 and 3 too, then both.
	for i := 0; i < 4; i += 2 {
		a.op("VPSLLQ", "$32", c[i+1], c[i+1])
		if a.name == "avx512" {
			a.op("VMOVDQU32", c[i+1], "K2", c[i])
		} else {
			a.op("VPBLENDD", "$0xaa", c[i+1], c[i], c[i])
		}
	}
	a.op("VPUNPCKLQDQ", c[2], c[0], c[1])
	a.op("VPUNPCKHQDQ", c[2], c[0], c[3])
	for i, v := range []string{c[1], c[3]} {
		a.op("VPSRLD", "$8", v, v)
		a.op("VCVTDQ2PS", v, v)
		a.op("VMULPS", a.v(14), v, v)
		a.op("VMOVUPS", v, fmt.Sprintf("%d(DI)", i*a.bytes))
	}
	a.op("VPADDQ", a.global("blocks", "a batch", 8, repeat(uint64(lanes))...), count, count)
	a.op("ADDQ", fmt.Sprint("$", 2*a.bytes), "DI")
	a.op("SUBQ", fmt.Sprint("$", 4*lanes), "CX")
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
