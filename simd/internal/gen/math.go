package main

import "math"

// mathFamily generates the float32 functions that are computed by polynomials.
// Their coefficients are minimax: Remez' exchange in 40 digits with the error
// weighted relative to the function's value, then rounded to float32.
func mathFamily(a *assembler) {
	x := []string{"x"}
	elementwise(a, single, "Exp", x, exp)
	elementwise(a, single, "Log", x, log)
	elementwise(a, single, "Tanh", x, tanh)
	elementwise(a, single, "Erf", x, erf)
	elementwise(a, single, "Sigmoid", x, sigmoid)
	elementwise(a, single, "Gelu", x, gelu)
	elementwise(a, single, "GeluGrad", x, geluGrad)
}

// reduced returns n and the polynomial's value p such that e**x = p·2**n, for
// |x| < 128.
func reduced(k *kernel, x value) (n, p value) {
	n = k.round(k.do("VMUL", x, k.num(math.Log2E)), toNearest)
	// ln 2 in two parts: n times the first is exact.
	r := k.fnma(n, k.num(0.693359375), x)
	r = k.fnma(n, k.num(math.Ln2-0.693359375), r)
	q := k.poly(r, 0.499999934321, 0.166665203992, 0.0416683907788, 0.00836874509853, 0.00138145405351)
	p = k.fma(k.fma(q, r, k.num(1)), r, k.num(1))
	return n, p
}

// power2 returns 2**n for a vector of integers in float32's normal range.
func power2(k *kernel, n value) value {
	return k.shift("VPSLLD", k.do("VPADDD", n, k.bits(127)), 23)
}

// powers2 returns two numbers whose product is 2**n, which may lie below the
// normal range: a number multiplied with one and then the other is rounded once,
// and overflows if it must.
func powers2(k *kernel, n value) (first, second value) {
	whole := k.do("VCVTPS2DQ", n)
	half := k.shift("VPSRAD", whole, 1)
	return power2(k, half), power2(k, k.do("VPSUBD", whole, half))
}

// exp: x = n·ln 2 + r, e**x = 2**n·e**r.
func exp(k *kernel) { k.store(exponential(k, k.load(0))) }

func exponential(k *kernel, x value) value {
	// The order of operands lets NaN through.
	x = k.do("VMIN", k.do("MOV", k.num(89)), x)
	x = k.do("VMAX", k.do("MOV", k.num(-104)), x)
	n, p := reduced(k, x)
	first, second := powers2(k, n)
	return k.do("VMUL", k.do("VMUL", p, first), second)
}

// log: x = 2**e·(1+f) with √½ <= 1+f < √2, log x = e·ln 2 + log(1+f).
func log(k *kernel) {
	x := k.load(0)
	// Below the normal range, scale first.
	tiny := k.cmp(less, x, k.num(0x1p-126))
	scaled := k.blend(tiny, k.do("VMUL", x, k.num(1<<23)), x)
	correction := k.only(tiny, k.num(23))
	e := k.shift("VPSRAD", k.do("VPSUBD", scaled, k.bits(uint64(math.Float32bits(math.Sqrt2/2)))), 23)
	f := k.do("VPSUBD", scaled, k.shift("VPSLLD", e, 23))
	f = k.do("VSUB", f, k.num(1))
	exponent := k.do("VSUB", k.do("VCVTDQ2PS", e), correction)
	square := k.do("VMUL", f, f)
	y := k.poly(f, 0.333333316948, -0.250008209874, 0.200012277686, -0.166233591465,
		0.142017413625, -0.1316015303, 0.127616703381, -0.0763467370074)
	y = k.do("VMUL", y, k.do("VMUL", f, square))
	y = k.fma(exponent, k.num(math.Ln2-0.693359375), y)
	y = k.fma(square, k.num(-0.5), y)
	y = k.do("VADD", f, y)
	y = k.fma(exponent, k.num(0.693359375), y)
	infinity, nan := k.bits(0x7f800000), k.bits(0x7fc00000)
	y = k.blend(k.cmp(equal, x, infinity), x, y)
	y = k.blend(k.cmp(notGreaterEq, x, k.num(0)), nan, y)
	k.store(k.blend(k.cmp(equal, x, k.num(0)), k.bits(0xff800000), y))
}

const signMask32 = 1 << 31

// tanh: an odd polynomial up to 0.625, else 1 - 2/(e**2x + 1).
func tanh(k *kernel) {
	x := k.load(0)
	t := k.do("VAND", x, k.bits(signMask32-1))
	// From 10 on the result is 1.
	bounded := k.do("VMIN", k.do("MOV", k.num(10)), t)
	n, p := reduced(k, k.do("VADD", bounded, bounded))
	e := k.do("VMUL", p, power2(k, k.do("VCVTPS2DQ", n)))
	quotient := k.do("VDIV", k.do("MOV", k.num(2)), k.do("VADD", e, k.num(1)))
	large := k.do("VSUB", k.do("MOV", k.num(1)), quotient)
	sign := k.do("VAND", x, k.bits(signMask32))
	z := k.do("VMUL", x, x)
	q := k.poly(z, -0.333333308027, 0.133332060078, -0.0539467629932, 0.0217007028514, -0.00817739734059, 0.00214296104251)
	small := k.fma(k.do("VMUL", q, z), x, x)
	k.store(k.do("VOR", k.blend(k.cmp(less, t, k.num(0.625)), small, large), sign))
}

// erf: an odd polynomial up to 0.92, else 1 - e**q(x), where q(x) is the
// polynomial that approximates log(1 - erf x).
func erf(k *kernel) {
	x := k.load(0)
	t := k.do("VAND", x, k.bits(signMask32-1))
	// From 4 on the result is 1.
	bounded := k.do("VMIN", k.do("MOV", k.num(4)), t)
	q := k.poly(bounded, -0.000166452967452, -1.12779721796, -0.636976129614, -0.104113633054,
		0.0223151882732, -0.00306548328048, 0.000198218846386)
	n, p := reduced(k, q)
	e := k.do("VMUL", p, power2(k, k.do("VCVTPS2DQ", n)))
	large := k.do("VSUB", k.do("MOV", k.num(1)), e)
	sign := k.do("VAND", x, k.bits(signMask32))
	z := k.do("VMUL", x, x)
	r := k.poly(z, 0.12837916658, -0.376126331884, 0.112836871884, -0.0268589414893,
		0.00519990662053, -0.000813001215147, 0.0000831677318818)
	small := k.fma(r, x, x)
	k.store(k.do("VOR", k.blend(k.cmp(less, t, k.num(0.92)), small, large), sign))
}

// sigmoid: with e = e**-|x|, 1/(1+e) from 0 on and e/(1+e) below.
func sigmoid(k *kernel) {
	x := k.load(0)
	t := k.do("VMIN", k.do("MOV", k.num(104)), k.do("VAND", x, k.bits(signMask32-1)))
	n, p := reduced(k, k.do("VOR", t, k.bits(signMask32)))
	first, second := powers2(k, n)
	e := k.do("VMUL", k.do("VMUL", p, first), second)
	negative := k.cmp(less, x, k.num(0))
	one := k.do("MOV", k.num(1))
	y := k.do("VDIV", k.blend(negative, p, one), k.do("VADD", e, k.num(1)))
	y = k.do("VMUL", y, k.blend(negative, first, k.do("MOV", k.num(1))))
	k.store(k.do("VMUL", y, k.blend(negative, second, k.do("MOV", k.num(1)))))
}

// The normal distribution: Φ(-t) = e**(-t²/2)·R(t), where R falls slowly. From
// farthest on, t·Φ(-t) is 0.
const farthest = 14.5

// normal returns, for t = min(|x|, farthest), p and n with e**(-t²/2) = p·2**n and
// R(t), as a polynomial of (t-3.5)/(t+3.5) over 1 + 0.6·t.
func normal(k *kernel, x value) (t, n, p, r value) {
	t = k.do("VMIN", k.do("MOV", k.num(farthest)), k.do("VAND", x, k.bits(signMask32-1)))
	square := k.do("VMUL", t, t)
	lost := k.fma(t, t, k.do("VXOR", square, k.bits(signMask32)))
	n, p = reduced(k, k.do("VMUL", square, k.num(-0.5)))
	p = k.fnma(k.do("VMUL", lost, k.num(0.5)), p, p)
	u := k.do("VDIV", k.do("VSUB", t, k.num(3.5)), k.do("VADD", t, k.num(3.5)))
	r = k.poly(u, 0.329669974, -0.133483422, 0.0508143912, -0.00182716083, -0.0105301319,
		0.00560264124, -0.000380638225, -0.000691059659, 0.000111561939, 0.0000841619871)
	r = k.do("VDIV", r, k.fma(t, k.do("MOV", k.num(0.6)), k.do("MOV", k.num(1))))
	return t, n, p, r
}

// gelu: x·Φ(x), where Φ(x) is 1 - Φ(-x) from 0 on.
func gelu(k *kernel) {
	x := k.load(0)
	_, n, p, r := normal(k, x)
	first, second := powers2(k, n)
	q := k.do("VMUL", p, r)
	other := k.do("VSUB", k.do("MOV", k.num(1)), k.do("VMUL", k.do("VMUL", q, first), second))
	negative := k.cmp(less, x, k.num(0))
	y := k.do("VMUL", k.do("VMAX", k.do("MOV", k.num(-farthest)), x), k.blend(negative, q, other))
	y = k.do("VMUL", y, k.blend(negative, first, k.do("MOV", k.num(1))))
	k.store(k.do("VMUL", y, k.blend(negative, second, k.do("MOV", k.num(1)))))
}

// geluGrad: Φ(x) + x·φ(x), which is g(-t) = e**(-t²/2)·(R(t) - t/√2π) below 0, and
// else 1 - g(-t).
func geluGrad(k *kernel) {
	x := k.load(0)
	t, n, p, r := normal(k, x)
	g := k.do("VMUL", p, k.fnma(t, k.do("MOV", k.num(0.3989422804014327)), r))
	first, second := powers2(k, n)
	g = k.do("VMUL", k.do("VMUL", g, first), second)
	other := k.do("VSUB", k.do("MOV", k.num(1)), g)
	k.store(k.blend(k.cmp(less, x, k.num(0)), g, other))
}
