package main

import (
	"fmt"
	"strings"
)

// rowsFamily generates the passes over a row that its functions are made of: each reads
// a row once, where single vector functions would once for each step.
func rowsFamily(a *assembler) {
	for _, p := range []precision{single, double} {
		pass(a, p, "SumSquaresFrom", []string{"x"}, []string{"m"}, 1, func(k *kernel) {
			d := k.do("VSUB", k.load(0), k.scalar())
			k.sumProduct(d, d)
		})
		pass(a, p, "Normalise", []string{"y", "x", "gamma", "beta"}, []string{"m", "s"}, 0, func(k *kernel) {
			n, _ := normalised(k, 1)
			k.storeTo(0, k.fma(n, k.load(2), k.load(3)))
		})
		pass(a, p, "NormaliseGradSums", []string{"dgamma", "dbeta", "dy", "x", "gamma"}, []string{"m", "s"}, 2, func(k *kernel) {
			n, _ := normalised(k, 3)
			dy := k.load(2)
			k.storeTo(0, k.fma(dy, n, k.load(0)))
			k.storeTo(1, k.do("VADD", k.load(1), dy))
			dn := k.do("VMUL", dy, k.load(4))
			k.sum(dn)
			k.sumProduct(dn, n)
		})
		pass(a, p, "NormaliseGrad", []string{"dx", "dy", "x", "gamma"}, []string{"m", "s", "c", "d"}, 0, func(k *kernel) {
			n, s := normalised(k, 2)
			dn := k.do("VMUL", k.load(1), k.load(3))
			c, d := k.scalar(), k.scalar()
			k.storeTo(0, k.do("VADD", k.fma(dn, s, k.do("VMUL", n, c)), d))
		})
	}
	pass(a, single, "ExpSum", []string{"dst", "x"}, []string{"m"}, 1, func(k *kernel) {
		e := exponential(k, k.do("VSUB", k.load(1), k.scalar()))
		k.storeTo(0, e)
		k.sum(e)
	})
}

// normalised returns (x - m)·s for the first two scalars m and s, and s.
func normalised(k *kernel, x int) (n, s value) {
	m, s := k.scalar(), k.scalar()
	return k.do("VMUL", k.do("VSUB", k.load(x), m), s), s
}

// pass generates func name(slices… []T, scalars… T) with as many sums for results.
func pass(a *assembler, p precision, name string, slices, scalars []string, sums int, build func(k *kernel)) {
	k := &kernel{precision: p}
	build(k)
	if k.scalars != len(scalars) || k.sums != sums {
		panic(name + " does not use its parameters")
	}
	params := fmt.Sprintf("(%s []%s, %s %[2]s)", strings.Join(slices, ", "), p.goType, strings.Join(scalars, ", "))
	scalarAt := 24 * len(slices)
	resultAt := (scalarAt + p.bytes*len(scalars) + 7) &^ 7
	var results []string
	for i := range sums {
		results = append(results, fmt.Sprint("sum", i))
	}
	if sums > 0 {
		params += fmt.Sprintf(" (%s %s)", strings.Join(results, ", "), p.goType)
	}
	full := p.letter + name + a.title
	a.function(full, params, resultAt+p.bytes*sums)
	a.kernelField(p, name, full)
	argument := func(i int) string { return fmt.Sprintf("%s+%d(FP)", scalars[i], scalarAt+p.bytes*i) }
	result := func(i int) string { return fmt.Sprintf("%s+%d(FP)", results[i], resultAt+p.bytes*i) }
	if a.name == "neon" {
		neonPass(a, k, slices, argument, result)
		return
	}
	for i := range scalars {
		a.op(broadcast(p), argument(i), a.v(i))
	}
	for r := k.accumulator(0, 0); r < k.accumulator(sums, 0); r++ {
		a.op("VXORPS", a.v(r), a.v(r), a.v(r))
	}
	for i, s := range slices {
		a.op("MOVQ", fmt.Sprintf("%s_base+%d(FP)", s, 24*i), sliceRegisters[i])
	}
	a.op("MOVQ", slices[0]+"_len+8(FP)", "CX")
	a.op("XORQ", "AX", "AX")
	body := func(way int) { k.emit(a, way, false) }
	rest := func() { k.emit(a, 0, true) }
	if sums > 0 {
		a.inTurn(p, body, rest)
	} else {
		a.overVectors(p, func() { body(0) }, rest)
	}
	for i := range sums {
		acc := k.accumulator(i, 0)
		a.joinLanes(p, acc, "VADD")
		a.op(scalarMove(p), fmt.Sprint("X", acc), result(i))
	}
	a.ret()
}
