package main

import (
	"fmt"
	"math"
	"strings"
)

// reduceFamily generates the reductions. The accumulators, vector registers 0 to 3, are
// combined in a fixed order.
func reduceFamily(a *assembler) {
	for _, p := range []precision{single, double} {
		if a.name == "neon" {
			neonReductions(a, p)
			continue
		}
		fma := "VFMADD231" + p.suffix
		sum(a, p, "Sum", []string{"x"}, func(v []string, acc string) { a.op("VADD"+p.suffix, v[0], acc, acc) })
		sum(a, p, "SumSquares", []string{"x"}, func(v []string, acc string) { a.op(fma, v[0], v[0], acc) })
		sum(a, p, "Dot", []string{"a", "b"}, func(v []string, acc string) { a.op(fma, v[0], v[1], acc) })
		maxOf(a, p)
	}
}

// sum generates a function that adds term of every vector of the sources.
func sum(a *assembler, p precision, name string, sources []string, term func(v []string, acc string)) {
	reduceBegin(a, p, name, sources)
	for i := range ways {
		a.op("VXORPS", a.v(i), a.v(i), a.v(i))
	}
	// The rest is filled up with zeros, which add nothing.
	reduceLoop(a, p, sources, term, term)
	reduceEnd(a, p, sources, "VADD")
}

// maxOf generates the maximum. VMAX lets go of NaN, so that those are collected
// beside it, in K2 or register 5.
func maxOf(a *assembler, p precision) {
	sources := []string{"x"}
	reduceBegin(a, p, "MaxOf", sources)
	lowest := a.constant(p, math.Float64bits(math.Inf(-1)))
	if p.bytes == 4 {
		lowest = a.constant(p, uint64(math.Float32bits(float32(math.Inf(-1)))))
	}
	load := "VMOVU" + p.suffix
	if a.name == "avx512" {
		load = broadcast(p)
		a.op("KXORW", "K2", "K2", "K2")
	} else {
		a.op("VXORPS", a.v(5), a.v(5), a.v(5))
	}
	for i := range 4 {
		a.op(load, lowest, a.v(i))
	}
	term := func(v []string, acc string) {
		if a.name == "avx512" {
			a.op("VCMP"+p.suffix, fmt.Sprint("$", unordered), v[0], v[0], "K3")
			a.op("KORW", "K3", "K2", "K2")
		} else {
			a.op("VCMP"+p.suffix, fmt.Sprint("$", unordered), v[0], v[0], a.v(6))
			a.op("VOR"+p.suffix, a.v(6), a.v(5), a.v(5))
		}
		a.op("VMAX"+p.suffix, v[0], acc, acc)
	}
	// The rest must be filled up with -Inf instead of zeros.
	reduceLoop(a, p, sources, term, func(v []string, acc string) {
		if a.name == "avx512" {
			a.op("VBLENDM"+p.suffix, v[0], a.v(3), "K1", v[0])
		} else {
			a.op("VBLENDV"+p.suffix, a.v(a.regs-1), v[0], a.v(3), v[0])
		}
		term(v, acc)
	})
	if a.name == "avx512" {
		a.op("KORTESTW", "K2", "K2")
	} else {
		a.op("VPTEST", a.v(5), a.v(5))
	}
	a.op("JZ", "ordered")
	a.comment("All bits set is a NaN.")
	a.op("VPCMPEQD", "X0", "X0", "X0")
	a.op(scalarMove(p), "X0", resultPlace(sources))
	a.ret()
	a.label("ordered")
	reduceEnd(a, p, sources, "VMAX")
}

func scalarMove(p precision) string { return map[int]string{4: "VMOVSS", 8: "VMOVSD"}[p.bytes] }

func resultPlace(sources []string) string { return fmt.Sprintf("ret+%d(FP)", 24*len(sources)) }

func reduceFunction(a *assembler, p precision, name string, sources []string) {
	full := p.letter + name + a.title
	a.function(full, fmt.Sprintf("(%s []%s) %s", strings.Join(sources, ", "), p.goType, p.goType), 24*len(sources)+p.bytes)
	a.kernelField(p, name, full)
}

func reduceBegin(a *assembler, p precision, name string, sources []string) {
	reduceFunction(a, p, name, sources)
	for i, s := range sources {
		a.op("MOVQ", fmt.Sprintf("%s_base+%d(FP)", s, 24*i), sliceRegisters[i])
	}
	a.op("MOVQ", sources[0]+"_len+8(FP)", "CX")
	a.op("XORQ", "AX", "AX")
}

// reduceLoop calls term for every vector, loaded to registers from 7 on, and rest for
// the elements that fill none.
func reduceLoop(a *assembler, p precision, sources []string, term, rest func(v []string, acc string)) {
	loadAll := func(load func(source, to string), offset int) []string {
		var v []string
		for i := range sources {
			load(fmt.Sprintf("%d(%s)(AX*1)", offset, sliceRegisters[i]), a.v(7+i))
			v = append(v, a.v(7+i))
		}
		return v
	}
	whole := func(source, to string) { a.op("VMOVU"+p.suffix, source, to) }
	a.inTurn(p, func(way int) { term(loadAll(whole, way*a.bytes), a.v(way)) },
		func() {
			rest(loadAll(func(source, to string) {
				if a.name == "avx512" {
					a.op("VMOVU"+p.suffix+".Z", source, "K1", to)
				} else {
					a.op("VMASKMOV"+p.suffix, source, a.v(a.regs-1), to)
				}
			}, 0), a.v(0))
		})
}

// ways is how many accumulators a sum has, which hides the latency of an addition.
const ways = 4

// inTurn generates a loop over the CX elements at byte offset AX: as many vectors at a
// time as there are ways, then single ones the first way, then the masked rest.
func (a *assembler) inTurn(p precision, body func(way int), rest func()) {
	lanes := a.bytes / p.bytes
	a.op("SUBQ", fmt.Sprint("$", ways*lanes), "CX")
	a.op("JL", "single")
	a.loop("fours")
	for way := range ways {
		body(way)
	}
	a.op("ADDQ", fmt.Sprint("$", ways*a.bytes), "AX")
	a.op("SUBQ", fmt.Sprint("$", ways*lanes), "CX")
	a.op("JGE", "fours")
	a.label("single")
	a.op("ADDQ", fmt.Sprint("$", ways*lanes), "CX")
	a.overVectors(p, func() { body(0) }, rest)
}

// reduceEnd combines the accumulators and returns.
func reduceEnd(a *assembler, p precision, sources []string, combine string) {
	a.joinLanes(p, 0, combine)
	a.op(scalarMove(p), "X0", resultPlace(sources))
	a.ret()
}

// joinLanes combines as many registers as there are ways, from the first on, and the
// lanes of what comes out, halving the vector. The result is the lowest lane of first.
func (a *assembler) joinLanes(p precision, first int, combine string) {
	combine += p.suffix
	acc := func(prefix string, i int) string { return fmt.Sprint(prefix, first+i) }
	a.op(combine, acc(a.reg, 1), acc(a.reg, 0), acc(a.reg, 0))
	a.op(combine, acc(a.reg, 3), acc(a.reg, 2), acc(a.reg, 2))
	a.op(combine, acc(a.reg, 2), acc(a.reg, 0), acc(a.reg, 0))
	if a.name == "avx512" {
		a.op("VEXTRACTF64X4", "$1", acc("Z", 0), acc("Y", 1))
		a.op(combine, acc("Y", 1), acc("Y", 0), acc("Y", 0))
	}
	a.op("VEXTRACTF128", "$1", acc("Y", 0), acc("X", 1))
	a.op(combine, acc("X", 1), acc("X", 0), acc("X", 0))
	a.op("VPERMILPD", "$1", acc("X", 0), acc("X", 1))
	a.op(combine, acc("X", 1), acc("X", 0), acc("X", 0))
	if p.bytes == 4 {
		a.op("VMOVSHDUP", acc("X", 0), acc("X", 1))
		a.op(combine, acc("X", 1), acc("X", 0), acc("X", 0))
	}
}
