package simd

import (
	"math"
	"unsafe"
)

// genericVector returns the kernels in plain Go. They are the documentation of
// the assembly ones and what the tests compare those with. The functions that
// have no short formula are package math's, computed in float64.
func genericVector[T float]() vectorKernels[T] {
	return vectorKernels[T]{
		add: func(dst, a, b []T) {
			for i := range dst {
				dst[i] = a[i] + b[i]
			}
		},
		sub: func(dst, a, b []T) {
			for i := range dst {
				dst[i] = a[i] - b[i]
			}
		},
		mul: func(dst, a, b []T) {
			for i := range dst {
				dst[i] = a[i] * b[i]
			}
		},
		div: func(dst, a, b []T) {
			for i := range dst {
				dst[i] = a[i] / b[i]
			}
		},
		max: func(dst, a, b []T) {
			for i := range dst {
				dst[i] = max(a[i], b[i])
			}
		},
		min: func(dst, a, b []T) {
			for i := range dst {
				dst[i] = min(a[i], b[i])
			}
		},
		pow: func(dst, a, b []T) {
			for i := range dst {
				dst[i] = T(math.Pow(float64(a[i]), float64(b[i])))
			}
		},
		less: func(dst, a, b []T) {
			for i := range dst {
				dst[i] = truth[T](a[i] < b[i])
			}
		},
		lessEqual: func(dst, a, b []T) {
			for i := range dst {
				dst[i] = truth[T](a[i] <= b[i])
			}
		},
		equal: func(dst, a, b []T) {
			for i := range dst {
				dst[i] = truth[T](a[i] == b[i])
			}
		},
		selects: func(dst, cond, a, b []T) {
			for i := range dst {
				if cond[i] != 0 {
					dst[i] = a[i]
				} else {
					dst[i] = b[i]
				}
			}
		},
		mulAdd: func(dst, a, b, c []T) {
			for i := range dst {
				dst[i] = fma(a[i], b[i], c[i])
			}
		},
		neg: func(dst, x []T) {
			for i := range dst {
				dst[i] = -x[i]
			}
		},
		sign: func(dst, x []T) {
			for i := range dst {
				switch {
				case x[i] > 0:
					dst[i] = 1
				case x[i] < 0:
					dst[i] = -1
				case x[i] == 0:
					dst[i] = 0
				default:
					dst[i] = x[i]
				}
			}
		},
		abs:   through64[T](math.Abs),
		sqrt:  through64[T](math.Sqrt),
		floor: through64[T](math.Floor),
		exp:   through64[T](math.Exp),
		expm1: through64[T](math.Expm1),
		log:   through64[T](math.Log),
		log1p: through64[T](math.Log1p),
		tanh:  through64[T](math.Tanh),
		erf:   through64[T](math.Erf),
		sin:   through64[T](math.Sin),
		cos:   through64[T](math.Cos),

		sigmoid: through64[T](sigmoid), gelu: through64[T](gelu), geluGrad: through64[T](geluGrad),
		sumSquaresFrom: func(x []T, m T) T {
			return accumulate(len(x), func(i int) T { return (x[i] - m) * (x[i] - m) })
		},
		normalise: func(y, x, gamma, beta []T, m, s T) {
			for i := range y {
				y[i] = fma((x[i]-m)*s, gamma[i], beta[i])
			}
		},
		normaliseGradSums: func(dgamma, dbeta, dy, x, gamma []T, m, s T) (first, second T) {
			for i := range x {
				dgamma[i] = fma(dy[i], (x[i]-m)*s, dgamma[i])
				dbeta[i] += dy[i]
			}
			first = accumulate(len(x), func(i int) T { return dy[i] * gamma[i] })
			second = accumulate(len(x), func(i int) T { return dy[i] * gamma[i] * ((x[i] - m) * s) })
			return first, second
		},
		normaliseGrad: func(dx, dy, x, gamma []T, m, s, c, d T) {
			for i := range dx {
				n, dn := (x[i]-m)*s, dy[i]*gamma[i]
				dx[i] = fma(dn, s, T(n*c)) + d
			}
		},
		expSum: func(dst, x []T, m T) T {
			for i := range dst {
				dst[i] = T(math.Exp(float64(x[i] - m)))
			}
			return accumulate(len(dst), func(i int) T { return dst[i] })
		},
		addScalar: func(dst, x []T, s T) {
			for i := range dst {
				dst[i] = x[i] + s
			}
		},
		mulScalar: func(dst, x []T, s T) {
			for i := range dst {
				dst[i] = x[i] * s
			}
		},
		axpy: func(dst, x []T, s T) {
			for i := range dst {
				dst[i] = fma(s, x[i], dst[i])
			}
		},
		fill: func(dst []T, s T) {
			for i := range dst {
				dst[i] = s
			}
		},
		sum: func(x []T) T {
			return accumulate(len(x), func(i int) T { return x[i] })
		},
		sumSquares: func(x []T) T {
			return accumulate(len(x), func(i int) T { return x[i] * x[i] })
		},
		dot: func(a, b []T) T {
			return accumulate(len(a), func(i int) T { return a[i] * b[i] })
		},
		maxOf: func(x []T) T {
			largest := T(math.Inf(-1))
			for _, v := range x {
				largest = max(largest, v)
			}
			return largest
		},
	}
}

// sigmoid returns 1/(1 + e**-x).
func sigmoid(x float64) float64 {
	if x < 0 {
		e := math.Exp(x)
		return e / (1 + e)
	}
	return 1 / (1 + math.Exp(-x))
}

// gelu returns x·Φ(x), where Φ is the distribution function of the normal
// distribution: Hendrycks and Gimpel, "Gaussian error linear units", 2016.
func gelu(x float64) float64 {
	return max(x, -40) * (math.Erfc(-x/math.Sqrt2) / 2) // at -40, Φ is 0
}

// geluGrad returns the derivative of gelu, Φ(x) + x·φ(x).
func geluGrad(x float64) float64 {
	t := max(-40, min(x, 40)) // φ is 0 there
	return math.Erfc(-x/math.Sqrt2)/2 + t*(math.Exp(-t*t/2)/math.Sqrt(2*math.Pi))
}

func truth[T float](b bool) T {
	if b {
		return 1
	}
	return 0
}

// fma returns a*b + c rounded once. In float32 the product is exact in float64,
// but the sum would be rounded twice; rounding it to odd first makes the second
// rounding right (Boldo and Melquiond, "Emulation of FMA and correctly rounded
// sums", 2008).
func fma[T float](a, b, c T) T {
	if unsafe.Sizeof(a) == 8 {
		return T(math.FMA(float64(a), float64(b), float64(c)))
	}
	return T(sumToOdd(float64(float64(a)*float64(b)), float64(c)))
}

// sumToOdd returns the sum, or if that is no float64 the one of its neighbours
// whose last bit is set.
func sumToOdd(product, addend float64) float64 {
	sum := product + addend
	rounded := sum - product
	lost := (product - (sum - rounded)) + (addend - rounded)
	if bits := math.Float64bits(sum); bits&1 == 0 && (lost > 0 || lost < 0) {
		if (lost > 0) == (sum > 0) {
			bits++
		} else {
			bits--
		}
		sum = math.Float64frombits(bits)
	}
	return sum
}

func through64[T float](f func(float64) float64) func(dst, x []T) {
	return func(dst, x []T) {
		for i := range dst {
			dst[i] = T(f(float64(x[i])))
		}
	}
}

// accumulate adds term(0) … term(n-1) in four interleaved sums. The conversion
// keeps a compiler from fusing term's product with the addition, which would
// make the result depend on the architecture.
func accumulate[T float](n int, term func(i int) T) T {
	var s0, s1, s2, s3 T
	i := 0
	for ; i+4 <= n; i += 4 {
		s0 += T(term(i))
		s1 += T(term(i + 1))
		s2 += T(term(i + 2))
		s3 += T(term(i + 3))
	}
	for ; i < n; i++ {
		s0 += T(term(i))
	}
	return (s0 + s1) + (s2 + s3)
}
