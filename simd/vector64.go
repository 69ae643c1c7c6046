package simd

// DAdd sets dst[i] to a[i] + b[i].
func DAdd(dst, a, b []float64) { binary("DAdd", active.d.add, dst, a, b) }

// DSub sets dst[i] to a[i] - b[i].
func DSub(dst, a, b []float64) { binary("DSub", active.d.sub, dst, a, b) }

// DMul sets dst[i] to a[i] * b[i].
func DMul(dst, a, b []float64) { binary("DMul", active.d.mul, dst, a, b) }

// DDiv sets dst[i] to a[i] / b[i].
func DDiv(dst, a, b []float64) { binary("DDiv", active.d.div, dst, a, b) }

// DMax sets dst[i] to the larger of a[i] and b[i]: NaN if either is NaN, and +0 is larger than -0.
func DMax(dst, a, b []float64) { binary("DMax", active.d.max, dst, a, b) }

// DMin sets dst[i] to the smaller of a[i] and b[i]: NaN if either is NaN, and -0 is smaller than +0.
func DMin(dst, a, b []float64) { binary("DMin", active.d.min, dst, a, b) }

// DPow sets dst[i] to a[i] to the power b[i], with the special cases of math.Pow.
func DPow(dst, a, b []float64) { binary("DPow", active.d.pow, dst, a, b) }

// DLess sets dst[i] to 1 where a[i] < b[i], else 0.
func DLess(dst, a, b []float64) { binary("DLess", active.d.less, dst, a, b) }

// DLessEqual sets dst[i] to 1 where a[i] <= b[i], else 0.
func DLessEqual(dst, a, b []float64) { binary("DLessEqual", active.d.lessEqual, dst, a, b) }

// DEqual sets dst[i] to 1 where a[i] == b[i], else 0.
func DEqual(dst, a, b []float64) { binary("DEqual", active.d.equal, dst, a, b) }

// DSelect sets dst[i] to a[i] where cond[i] != 0 (so also where it is NaN),
// else to b[i].
func DSelect(dst, cond, a, b []float64) {
	ternary("DSelect", active.d.selects, dst, cond, a, b)
}

// DMulAdd sets dst[i] to a[i]*b[i] + c[i], rounded once.
func DMulAdd(dst, a, b, c []float64) { ternary("DMulAdd", active.d.mulAdd, dst, a, b, c) }

// DNeg sets dst[i] to -x[i].
func DNeg(dst, x []float64) { unary("DNeg", active.d.neg, dst, x) }

// DAbs sets dst[i] to |x[i]|.
func DAbs(dst, x []float64) { unary("DAbs", active.d.abs, dst, x) }

// DSign sets dst[i] to -1, 0 or 1 by the sign of x[i]; NaN for NaN.
func DSign(dst, x []float64) { unary("DSign", active.d.sign, dst, x) }

// DSqrt sets dst[i] to the square root of x[i].
func DSqrt(dst, x []float64) { unary("DSqrt", active.d.sqrt, dst, x) }

// DFloor sets dst[i] to the largest integer value not above x[i].
func DFloor(dst, x []float64) { unary("DFloor", active.d.floor, dst, x) }

// DExp sets dst[i] to e**x[i].
func DExp(dst, x []float64) { unary("DExp", active.d.exp, dst, x) }

// DExpm1 sets dst[i] to e**x[i] - 1, accurate near zero.
func DExpm1(dst, x []float64) { unary("DExpm1", active.d.expm1, dst, x) }

// DLog sets dst[i] to the natural logarithm of x[i].
func DLog(dst, x []float64) { unary("DLog", active.d.log, dst, x) }

// DLog1p sets dst[i] to log(1 + x[i]), accurate near zero.
func DLog1p(dst, x []float64) { unary("DLog1p", active.d.log1p, dst, x) }

// DTanh sets dst[i] to the hyperbolic tangent of x[i].
func DTanh(dst, x []float64) { unary("DTanh", active.d.tanh, dst, x) }

// DErf sets dst[i] to the error function of x[i].
func DErf(dst, x []float64) { unary("DErf", active.d.erf, dst, x) }

// DSin sets dst[i] to the sine of x[i] (radians).
func DSin(dst, x []float64) { unary("DSin", active.d.sin, dst, x) }

// DCos sets dst[i] to the cosine of x[i] (radians).
func DCos(dst, x []float64) { unary("DCos", active.d.cos, dst, x) }

// DSigmoid sets dst[i] to 1/(1 + e**-x[i]).
func DSigmoid(dst, x []float64) { unary("DSigmoid", active.d.sigmoid, dst, x) }

// DGELU sets dst[i] to x[i]·Φ(x[i]), where Φ is the distribution function of the
// normal distribution. That of -Inf is -0.
func DGELU(dst, x []float64) { unary("DGELU", active.d.gelu, dst, x) }

// DGELUGrad sets dst[i] to the derivative of DGELU at x[i], Φ(x[i]) + x[i]·φ(x[i]).
func DGELUGrad(dst, x []float64) { unary("DGELUGrad", active.d.geluGrad, dst, x) }

// DAddScalar sets dst[i] to x[i] + s.
func DAddScalar(dst, x []float64, s float64) { scalar("DAddScalar", active.d.addScalar, dst, x, s) }

// DMulScalar sets dst[i] to x[i] * s.
func DMulScalar(dst, x []float64, s float64) { scalar("DMulScalar", active.d.mulScalar, dst, x, s) }

// DAxpy adds alpha*x[i] to dst[i], rounding once.
func DAxpy(alpha float64, x, dst []float64) { scalar("DAxpy", active.d.axpy, dst, x, alpha) }

// DFill sets every element of dst to s.
func DFill(dst []float64, s float64) { fill(active.d.fill, dst, s) }

// DSum returns the sum of x, added in a fixed order.
func DSum(x []float64) float64 { return reduce(active.d.sum, x) }

// DSumSquares returns the sum of the squares of x, added in a fixed order.
func DSumSquares(x []float64) float64 { return reduce(active.d.sumSquares, x) }

// DDot returns the sum of a[i]*b[i], added in a fixed order.
func DDot(a, b []float64) float64 { return dot("DDot", active.d.dot, a, b) }

// DMaxOf returns the largest element of x: NaN if there is one, -Inf if x is
// empty.
func DMaxOf(x []float64) float64 { return maxOf(active.d.maxOf, x) }
