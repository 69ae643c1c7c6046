package cpu

import (
	"sync"

	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/simd"
)

type float interface{ float32 | float64 }

// kernels are the functions of package simd for one element type, so that
// everything above them is written once.
type kernels[T float] struct {
	unary  [numOps]func(dst, x []T)
	binary [device.NumOps]func(dst, a, b []T)

	selects, mulAdd      func(dst, a, b, c []T)
	addScalar, mulScalar func(dst, x []T, s T)
	axpy                 func(alpha T, x, dst []T)
	fill                 func(dst []T, s T)
	uniform              func(dst []T, keyLo, keyHi, start uint64)

	sum, sumSquares, maxOf, minOf func(x []T) T
	dot                           func(a, b []T) T

	logSumExpRows     func(dst, x []T, cols int)
	layerNormRows     func(y, mean, rstd, x, gamma, beta []T, eps float64)
	layerNormGradRows func(dx, dgamma, dbeta, dy, x, gamma, mean, rstd []T)

	gemm, gemmSerial, gemmBFloat16   gemm[T] // the last rounds its operands
	gemmBatched, gemmBFloat16Batched gemmBatched[T]

	memory  sync.Pool // of *scratch[T]
	jobs    sync.Pool // of *job[T]
	workers sync.Pool // of *worker[T]
}

type gemm[T float] func(transA, transB bool, m, n, k int, alpha T, a []T, lda int, b []T, ldb int, beta T, c []T, ldc int)

type gemmBatched[T float] func(transA, transB bool, batch, m, n, k int, alpha T, a []T, lda, strideA int, b []T, ldb, strideB int, beta T, c []T, ldc, strideC int)

var single = kernels[float32]{
	unary: [numOps]func(dst, x []float32){
		device.OpNeg: simd.SNeg, device.OpAbs: simd.SAbs, device.OpSign: simd.SSign, device.OpFloor: simd.SFloor,
		device.OpSqrt: simd.SSqrt, device.OpExp: simd.SExp, device.OpExpm1: simd.SExpm1, device.OpLog: simd.SLog,
		device.OpLog1p: simd.SLog1p, device.OpTanh: simd.STanh, device.OpErf: simd.SErf, device.OpSin: simd.SSin,
		device.OpCos: simd.SCos, opGELU: simd.SGELU, opGELUGrad: simd.SGELUGrad,
	},
	binary: [device.NumOps]func(dst, a, b []float32){
		device.OpAdd: simd.SAdd, device.OpSub: simd.SSub, device.OpMul: simd.SMul, device.OpDiv: simd.SDiv,
		device.OpMax: simd.SMax, device.OpMin: simd.SMin, device.OpPow: simd.SPow, device.OpLess: simd.SLess,
		device.OpLessEqual: simd.SLessEqual, device.OpEqual: simd.SEqual,
	},
	selects: simd.SSelect, mulAdd: simd.SMulAdd,
	addScalar: simd.SAddScalar, mulScalar: simd.SMulScalar,
	axpy: simd.SAxpy, fill: simd.SFill, uniform: simd.SUniform,
	sum: simd.SSum, sumSquares: simd.SSumSquares, maxOf: simd.SMaxOf, minOf: minOf[float32], dot: simd.SDot,
	logSumExpRows: simd.SLogSumExpRows, layerNormRows: simd.SLayerNormRows, layerNormGradRows: simd.SLayerNormGradRows,
	gemm: simd.Sgemm, gemmSerial: simd.SgemmSerial, gemmBatched: simd.SgemmBatched,
	gemmBFloat16: simd.SBgemm, gemmBFloat16Batched: simd.SBgemmBatched,
}

var double = kernels[float64]{
	unary: [numOps]func(dst, x []float64){
		device.OpNeg: simd.DNeg, device.OpAbs: simd.DAbs, device.OpSign: simd.DSign, device.OpFloor: simd.DFloor,
		device.OpSqrt: simd.DSqrt, device.OpExp: simd.DExp, device.OpExpm1: simd.DExpm1, device.OpLog: simd.DLog,
		device.OpLog1p: simd.DLog1p, device.OpTanh: simd.DTanh, device.OpErf: simd.DErf, device.OpSin: simd.DSin,
		device.OpCos: simd.DCos, opGELU: simd.DGELU, opGELUGrad: simd.DGELUGrad,
	},
	binary: [device.NumOps]func(dst, a, b []float64){
		device.OpAdd: simd.DAdd, device.OpSub: simd.DSub, device.OpMul: simd.DMul, device.OpDiv: simd.DDiv,
		device.OpMax: simd.DMax, device.OpMin: simd.DMin, device.OpPow: simd.DPow, device.OpLess: simd.DLess,
		device.OpLessEqual: simd.DLessEqual, device.OpEqual: simd.DEqual,
	},
	selects: simd.DSelect, mulAdd: simd.DMulAdd,
	addScalar: simd.DAddScalar, mulScalar: simd.DMulScalar,
	axpy: simd.DAxpy, fill: simd.DFill, uniform: simd.DUniform,
	sum: simd.DSum, sumSquares: simd.DSumSquares, maxOf: simd.DMaxOf, minOf: minOf[float64], dot: simd.DDot,
	logSumExpRows: simd.DLogSumExpRows, layerNormRows: simd.DLayerNormRows, layerNormGradRows: simd.DLayerNormGradRows,
	gemm: simd.Dgemm, gemmSerial: simd.DgemmSerial, gemmBatched: simd.DgemmBatched,
}

// scratch is working memory, kept for the next operation that needs some.
type scratch[T float] struct{ data []T }

// borrow returns at least n elements of working memory with arbitrary contents.
func (k *kernels[T]) borrow(n int) *scratch[T] {
	s, _ := k.memory.Get().(*scratch[T])
	if s == nil {
		s = new(scratch[T])
	}
	if len(s.data) < n {
		s.data = allocate[T](n)
	}
	return s
}

func (k *kernels[T]) giveBack(s *scratch[T]) { k.memory.Put(s) }
