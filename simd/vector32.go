package simd

// SAdd sets dst[i] to a[i] + b[i].
func SAdd(dst, a, b []float32) { binary("SAdd", active.s.add, dst, a, b) }

// SSub sets dst[i] to a[i] - b[i].
func SSub(dst, a, b []float32) { binary("SSub", active.s.sub, dst, a, b) }

// SMul sets dst[i] to a[i] * b[i].
func SMul(dst, a, b []float32) { binary("SMul", active.s.mul, dst, a, b) }

// SDiv sets dst[i] to a[i] / b[i].
func SDiv(dst, a, b []float32) { binary("SDiv", active.s.div, dst, a, b) }

// SMax sets dst[i] to the larger of a[i] and b[i]: NaN if either is NaN, and +0 is larger than -0.
func SMax(dst, a, b []float32) { binary("SMax", active.s.max, dst, a, b) }

// SMin sets dst[i] to the smaller of a[i] and b[i]: NaN if either is NaN, and -0 is smaller than +0.
func SMin(dst, a, b []float32) { binary("SMin", active.s.min, dst, a, b) }

// SPow sets dst[i] to a[i] to the power b[i], with the special cases of math.Pow.
func SPow(dst, a, b []float32) { binary("SPow", active.s.pow, dst, a, b) }

// SLess sets dst[i] to 1 where a[i] < b[i], else 0.
func SLess(dst, a, b []float32) { binary("SLess", active.s.less, dst, a, b) }

// SLessEqual sets dst[i] to 1 where a[i] <= b[i], else 0.
func SLessEqual(dst, a, b []float32) { binary("SLessEqual", active.s.lessEqual, dst, a, b) }

// SEqual sets dst[i] to 1 where a[i] == b[i], else 0.
func SEqual(dst, a, b []float32) { binary("SEqual", active.s.equal, dst, a, b) }

// SSelect sets dst[i] to a[i] where cond[i] != 0 (so also where it is NaN),
// else to b[i].
func SSelect(dst, cond, a, b []float32) {
	ternary("SSelect", active.s.selects, dst, cond, a, b)
}

// SMulAdd sets dst[i] to a[i]*b[i] + c[i], rounded once.
func SMulAdd(dst, a, b, c []float32) { ternary("SMulAdd", active.s.mulAdd, dst, a, b, c) }

// SNeg sets dst[i] to -x[i].
func SNeg(dst, x []float32) { unary("SNeg", active.s.neg, dst, x) }

// SAbs sets dst[i] to |x[i]|.
func SAbs(dst, x []float32) { unary("SAbs", active.s.abs, dst, x) }

// SSign sets dst[i] to -1, 0 or 1 by the sign of x[i]; NaN for NaN.
func SSign(dst, x []float32) { unary("SSign", active.s.sign, dst, x) }

// SSqrt sets dst[i] to the square root of x[i], correctly rounded.
func SSqrt(dst, x []float32) { unary("SSqrt", active.s.sqrt, dst, x) }

// SFloor sets dst[i] to the largest integer value not above x[i].
func SFloor(dst, x []float32) { unary("SFloor", active.s.floor, dst, x) }

// SExp sets dst[i] to e**x[i], within 1 ULP.
func SExp(dst, x []float32) { unary("SExp", active.s.exp, dst, x) }

// SExpm1 sets dst[i] to e**x[i] - 1, accurate near zero.
func SExpm1(dst, x []float32) { unary("SExpm1", active.s.expm1, dst, x) }

// SLog sets dst[i] to the natural logarithm of x[i], within 1 ULP.
func SLog(dst, x []float32) { unary("SLog", active.s.log, dst, x) }

// SLog1p sets dst[i] to log(1 + x[i]), accurate near zero.
func SLog1p(dst, x []float32) { unary("SLog1p", active.s.log1p, dst, x) }

// STanh sets dst[i] to the hyperbolic tangent of x[i], within 1.5 ULP.
func STanh(dst, x []float32) { unary("STanh", active.s.tanh, dst, x) }

// SErf sets dst[i] to the error function of x[i], within 1.5 ULP.
func SErf(dst, x []float32) { unary("SErf", active.s.erf, dst, x) }

// SSin sets dst[i] to the sine of x[i] (radians).
func SSin(dst, x []float32) { unary("SSin", active.s.sin, dst, x) }

// SCos sets dst[i] to the cosine of x[i] (radians).
func SCos(dst, x []float32) { unary("SCos", active.s.cos, dst, x) }

// SSigmoid sets dst[i] to 1/(1 + e**-x[i]), within 2.5 ULP.
func SSigmoid(dst, x []float32) { unary("SSigmoid", active.s.sigmoid, dst, x) }

// SGELU sets dst[i] to x[i]·Φ(x[i]), where Φ is the distribution function of the
// normal distribution, within 5 ULP. That of -Inf is -0.
func SGELU(dst, x []float32) { unary("SGELU", active.s.gelu, dst, x) }

// SGELUGrad sets dst[i] to the derivative of SGELU at x[i], Φ(x[i]) + x[i]·φ(x[i]),
// within 5.5 ULP of the larger of its magnitude and 1/8: it is zero near -0.75.
func SGELUGrad(dst, x []float32) { unary("SGELUGrad", active.s.geluGrad, dst, x) }

// SAddScalar sets dst[i] to x[i] + s.
func SAddScalar(dst, x []float32, s float32) { scalar("SAddScalar", active.s.addScalar, dst, x, s) }

// SMulScalar sets dst[i] to x[i] * s.
func SMulScalar(dst, x []float32, s float32) { scalar("SMulScalar", active.s.mulScalar, dst, x, s) }

// SAxpy adds alpha*x[i] to dst[i], rounding once.
func SAxpy(alpha float32, x, dst []float32) { scalar("SAxpy", active.s.axpy, dst, x, alpha) }

// SFill sets every element of dst to s.
func SFill(dst []float32, s float32) { fill(active.s.fill, dst, s) }

// SSum returns the sum of x, added in a fixed order.
func SSum(x []float32) float32 { return reduce(active.s.sum, x) }

// SSumSquares returns the sum of the squares of x, added in a fixed order.
func SSumSquares(x []float32) float32 { return reduce(active.s.sumSquares, x) }

// SDot returns the sum of a[i]*b[i], added in a fixed order.
func SDot(a, b []float32) float32 { return dot("SDot", active.s.dot, a, b) }

// SMaxOf returns the largest element of x: NaN if there is one, -Inf if x is
// empty.
func SMaxOf(x []float32) float32 { return maxOf(active.s.maxOf, x) }
