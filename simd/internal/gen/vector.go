package main

// vectorFamily generates the elementwise functions that are an instruction or a
// few.
func vectorFamily(a *assembler, p precision) {
	signBit := uint64(1) << (8*p.bytes - 1)
	ab, x, abc := []string{"a", "b"}, []string{"x"}, []string{"a", "b", "c"}
	for _, f := range [][2]string{{"Add", "VADD"}, {"Sub", "VSUB"}, {"Mul", "VMUL"}, {"Div", "VDIV"}} {
		elementwise(a, p, f[0], ab, func(k *kernel) {
			k.store(k.do(f[1], k.load(0), k.load(1)))
		})
	}
	// VMAX and VMIN return their second operand if one is NaN or both are
	// zeros. Both orders together settle the sign of zero, and a sum is NaN if
	// either operand is. NEON's instructions do all of that.
	complete := a.name == "neon"
	for _, f := range [][3]string{{"Max", "VMAX", "VAND"}, {"Min", "VMIN", "VOR"}} {
		elementwise(a, p, f[0], ab, func(k *kernel) {
			a, b := k.load(0), k.load(1)
			if complete {
				k.store(k.do(f[1], a, b))
				return
			}
			m := k.do(f[2], k.do(f[1], a, b), k.do(f[1], b, a))
			k.store(k.blend(k.cmp(unordered, a, b), k.do("VADD", a, b), m))
		})
	}
	for _, f := range []struct {
		name      string
		predicate int
	}{{"Less", less}, {"LessEqual", lessEqual}, {"Equal", equal}} {
		elementwise(a, p, f.name, ab, func(k *kernel) {
			k.store(k.only(k.cmp(f.predicate, k.load(0), k.load(1)), k.num(1)))
		})
	}
	elementwise(a, p, "Selects", []string{"cond", "a", "b"}, func(k *kernel) {
		cond := k.cmp(notEqual, k.load(0), k.num(0))
		k.store(k.blend(cond, k.load(1), k.load(2)))
	})
	elementwise(a, p, "MulAdd", abc, func(k *kernel) {
		k.store(k.fma(k.load(0), k.load(1), k.load(2)))
	})
	elementwise(a, p, "Neg", x, func(k *kernel) {
		k.store(k.do("VXOR", k.load(0), k.bits(signBit)))
	})
	elementwise(a, p, "Abs", x, func(k *kernel) {
		k.store(k.do("VAND", k.load(0), k.bits(signBit-1)))
	})
	elementwise(a, p, "Sign", x, func(k *kernel) {
		x := k.load(0)
		up := k.only(k.cmp(greater, x, k.num(0)), k.num(1))
		down := k.only(k.cmp(less, x, k.num(0)), k.num(-1))
		k.store(k.blend(k.cmp(unordered, x, x), x, k.do("VOR", up, down)))
	})
	elementwise(a, p, "Sqrt", x, func(k *kernel) { k.store(k.do("VSQRT", k.load(0))) })
	elementwise(a, p, "Floor", x, func(k *kernel) { k.store(k.round(k.load(0), down)) })
	elementwise(a, p, "AddScalar", x, func(k *kernel) { k.store(k.do("VADD", k.load(0), k.scalar())) })
	elementwise(a, p, "MulScalar", x, func(k *kernel) { k.store(k.do("VMUL", k.load(0), k.scalar())) })
	elementwise(a, p, "Axpy", x, func(k *kernel) {
		k.store(k.fma(k.load(0), k.scalar(), k.load(destination)))
	})
	elementwise(a, p, "Fill", nil, func(k *kernel) { k.store(k.scalar()) })
	if p == single {
		elementwise(a, p, "BFloat16Round", x, func(k *kernel) { bfloat16Round(k, k.load(0)) })
		elementwise(a, p, "BFloat16Operand", x, bfloat16Operand)
	}
}

// bfloat16Round adds half of the last place that stays, less one if that is even; a
// NaN becomes quiet instead.
func bfloat16Round(k *kernel, x value) {
	even := k.do("VAND", k.shift("VPSRLD", x, 16), k.bits(1))
	rounded := k.do("VPADDD", k.do("VPADDD", x, k.bits(0x7fff)), even)
	quiet := k.do("VOR", x, k.bits(1<<22))
	k.store(k.do("VAND", k.blend(k.cmp(unordered, x, x), quiet, rounded), k.bits(0xffff0000)))
}

// bfloat16Operand rounds what has been flushed: with numbers below the normal range
// taken for zeros of their sign.
func bfloat16Operand(k *kernel) {
	x := k.load(0)
	least := k.cmp(less, k.do("VAND", x, k.bits(1<<31-1)), k.num(0x1p-126))
	bfloat16Round(k, k.blend(least, k.do("VAND", x, k.bits(1<<31)), x))
}
