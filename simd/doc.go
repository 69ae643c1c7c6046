// Package simd computes on flat slices with the vector instructions of the
// machine: matrix products and transposes, elementwise functions, reductions,
// random numbers and rounding to bfloat16.
//
// Names begin with S for float32 and D for float64, as in BLAS. Slices of a
// vector kernel have equal lengths, or it panics; dst may be one of the sources
// itself but must not overlap one otherwise. NaN, infinities, signed zeros and
// numbers below the normal range are treated as by package math.
//
//	simd.SExp(y, x)                                         // y[i] = e**x[i]
//	norm := math.Sqrt(float64(simd.SSumSquares(x)))
//	simd.Sgemm(false, true, m, n, k, 1, x, k, w, k, 0, y, n) // y = x·wᵀ
//
//	packed := simd.SPack(true, k, n, w, k) // once, for a w that is used many times
//	simd.SgemmPacked(false, m, 1, x, k, packed, 0, y, n, nil)
//
// SB is for products of float32 matrices that are rounded to bfloat16. SBgemm uses
// the instruction VDPBF16PS where avx512 has AVX512_BF16 too, and that is fast: on Zen 5
// it has twice the rate of float32. Elsewhere the same is computed by others, at about
// the rate of Sgemm.
//
// # Implementations
//
// An implementation is a set of kernels for one instruction set, written in Go
// assembly: avx512 (F, BW, DQ and VL) and avx2 (with FMA) on amd64, neon on
// arm64, where every processor has it, and everywhere generic, which is plain
// Go, the documentation of the others, and what they are tested against. The
// best that the processor has is used; the environment variable MUPPET_SIMD
// names another, and naming one that the machine lacks panics at the start. The
// build tag purego leaves the assembly out.
//
// The assembly is written by internal/gen, which describes each elementwise
// function and each pass over a row once for all instruction sets, and products,
// reductions and random numbers once for amd64 and once for arm64. Powers, Expm1,
// Log1p, sines and cosines, and in float64 also Exp, Log, Tanh, Erf, Sigmoid and
// GELU, are plain Go in all of them.
//
// # Reproducibility
//
// A result depends on the arguments and the implementation alone, to the bit:
// neither GOMAXPROCS nor the position of a slice in memory plays a part. Between
// implementations the last bits of products, reductions and of SExp, SLog, STanh,
// SErf, SSigmoid, SGELU and SGELUGrad differ; everything else, and all random
// numbers, agree. That includes SBgemm, which says where alone arm64 can differ.
package simd

//go:generate go run ./internal/gen
