package cpu

import "github.com/muppet-go/muppet/device"

// MatMul computes a batch of matrix products. It panics if a length does not fit.
func (d *Device) MatMul(dst, a, b device.Slice, m device.MatMul) {
	sizes("MatMul", m.Batch, m.M, m.N, m.K, m.StrideA, m.StrideB)
	if isDouble("MatMul", "dst", dst) {
		if m.Precision != device.Full {
			misuse("MatMul", "operands of float64 rounded to bfloat16, want float32")
		}
		product(&double, dst, a, b, m)
	} else {
		product(&single, dst, a, b, m)
	}
}

func product[T float](k *kernels[T], dst, a, b device.Slice, m device.MatMul) {
	if m.Batch == 0 {
		return
	}
	c := view[T]("MatMul", "dst", dst, m.Batch*m.M*m.N)
	x := view[T]("MatMul", "a", a, (m.Batch-1)*m.StrideA+m.M*m.K)
	y := view[T]("MatMul", "b", b, (m.Batch-1)*m.StrideB+m.K*m.N)
	apart("MatMul", dst, a, b)
	gemm, batched := k.gemm, k.gemmBatched
	if m.Precision == device.BF16Operands {
		gemm, batched = k.gemmBFloat16, k.gemmBFloat16Batched
	}
	if m.StrideB == 0 && m.StrideA == m.M*m.K && !m.TransA { // one product with a tall a
		m.M, m.Batch = m.M*m.Batch, 1
	}
	lda, ldb := m.K, m.N
	if m.TransA {
		lda = m.M
	}
	if m.TransB {
		ldb = m.K
	}
	lda, ldb = max(1, lda), max(1, ldb)
	var beta T
	if m.Accumulate {
		beta = 1
	}
	if m.Batch == 1 {
		gemm(m.TransA, m.TransB, m.M, m.N, m.K, 1, x, lda, y, ldb, beta, c, max(1, m.N))
	} else {
		batched(m.TransA, m.TransB, m.Batch, m.M, m.N, m.K, 1, x, lda, m.StrideA, y, ldb, m.StrideB, beta, c, max(1, m.N), m.M*m.N)
	}
}
