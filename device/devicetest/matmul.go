package devicetest

import (
	"fmt"
	"math"

	"github.com/muppet-go/muppet/device"
)

func testMatMul(s *suite) {
	// Every form on sizes that are no multiples of anything.
	sizes := [][3]int{{1, 1, 1}, {3, 5, 7}, {17, 9, 33}, {1, 40, 30}, {40, 1, 30}, {30, 40, 1}}
	for _, t := range floats {
		for _, size := range sizes {
			for form := range 16 {
				m := device.MatMul{Batch: 1, M: size[0], N: size[1], K: size[2],
					TransA: form&1 != 0, TransB: form&2 != 0, Accumulate: form&4 != 0}
				if form&8 != 0 {
					if t == device.Float64 {
						continue
					}
					m.Precision = device.BF16Operands
				}
				s.matMul(t, m)
			}
		}
		// Nothing to multiply.
		for _, size := range [][4]int{{0, 2, 3, 4}, {1, 0, 3, 4}, {1, 2, 0, 4}, {1, 2, 3, 0}, {3, 2, 3, 0}} {
			for _, accumulate := range []bool{false, true} {
				s.matMul(t, device.MatMul{Batch: size[0], M: size[1], N: size[2], K: size[3],
					StrideA: size[1] * size[3], StrideB: size[3] * size[2], Accumulate: accumulate})
			}
		}
		// Batches: contiguous, with gaps, one matrix for all.
		for _, batch := range []int{2, 5} {
			for form := range 4 {
				const M, N, K = 6, 11, 13
				m := device.MatMul{Batch: batch, M: M, N: N, K: K, TransA: form&1 != 0, TransB: form&2 != 0, Accumulate: form == 3}
				for _, strides := range [][2]int{{M * K, K * N}, {M*K + 5, K*N + 3}, {0, K * N}, {M * K, 0}, {0, 0}} {
					m.StrideA, m.StrideB = strides[0], strides[1]
					s.matMul(t, m)
				}
			}
		}
		s.matMul(t, device.MatMul{Batch: 200, M: 3, N: 2, K: 5, StrideA: 15, StrideB: 10})
		// Larger than a block in each direction.
		s.matMul(t, device.MatMul{Batch: 1, M: 130, N: 75, K: 70})
		s.matMul(t, device.MatMul{Batch: 1, M: 9, N: 13, K: 3000, TransA: true})
		s.matMul(t, device.MatMul{Batch: 1, M: 3, N: 5000, K: 9, TransB: true, Accumulate: true})
		s.matMul(t, device.MatMul{Batch: 1, M: 5000, N: 3, K: 9, TransA: true, TransB: true})
		s.matMul(t, device.MatMul{Batch: 1, M: 1, N: 700, K: 600})
		s.matMul(t, device.MatMul{Batch: 1, M: 700, N: 1, K: 600, TransA: true})
		s.notANumber(t)
	}
	s.matMul(device.Float32, device.MatMul{Batch: 2, M: 70, N: 75, K: 130, StrideA: 70 * 130, StrideB: 75 * 130, TransB: true, Precision: device.BF16Operands})
	s.matMul(device.Float32, device.MatMul{Batch: 1, M: 3, N: 9, K: 2001, TransA: true, Precision: device.BF16Operands, Accumulate: true})
}

func (s *suite) matMul(t device.DType, m device.MatMul) {
	s.Helper()
	s.check(fmt.Sprintf("%v %+v", t, m), func(s *suite) {
		span := func(stride, size int) int { return max(m.Batch-1, 0)*stride + min(m.Batch, 1)*size }
		a := s.array(t, s.normal(t, span(m.StrideA, m.M*m.K)))
		b := s.array(t, s.normal(t, span(m.StrideB, m.K*m.N)))
		out := s.out(t, m.Batch*m.M*m.N)
		if m.Accumulate {
			out = s.array(t, s.normal(t, m.Batch*m.M*m.N))
		}
		want, tolerance := product(t, a.values(), b.values(), out.values(), m)
		s.run(func() { s.d.MatMul(out.Slice, a.Slice, b.Slice, m) }, out)
		s.within("MatMul", out, want, func(i int) float64 { return tolerance[i] })
	})
}

// product computes a batch of matrix products, and how far off each element may be.
func product(t device.DType, a, b, dst []float64, m device.MatMul) (want, tolerance []float64) {
	if m.Precision == device.BF16Operands {
		for _, x := range [][]float64{a, b} {
			for i := range x {
				x[i] = roundBFloat16(x[i])
			}
		}
	}
	// Strides of rows and columns of a[i] as [M, K] and b[i] as [K, N].
	aRow, aCol, bRow, bCol := m.K, 1, m.N, 1
	if m.TransA {
		aRow, aCol = 1, m.M
	}
	if m.TransB {
		bRow, bCol = 1, m.K
	}
	for batch := range m.Batch {
		a, b := a[batch*m.StrideA:], b[batch*m.StrideB:]
		for i := range m.M {
			for j := range m.N {
				var sum, magnitude float64
				if m.Accumulate {
					sum = dst[(batch*m.M+i)*m.N+j]
					magnitude = math.Abs(sum)
				}
				for k := range m.K {
					term := a[i*aRow+k*aCol] * b[k*bRow+j*bCol]
					sum += term
					magnitude += math.Abs(term)
				}
				want, tolerance = append(want, sum), append(tolerance, sumTolerance(t, m.K, magnitude))
			}
		}
	}
	return want, tolerance
}

// notANumber checks that a factor of zero hides neither NaN nor infinity.
func (s *suite) notANumber(t device.DType) {
	s.check(fmt.Sprint(t, " NaN"), func(s *suite) {
		const M, N, K = 6, 20, 40
		m := device.MatMul{Batch: 1, M: M, N: N, K: K}
		x, y := make([]float64, M*K), s.normal(t, K*N)
		y[3*N+4], y[7*N+9], x[2*K+5] = math.NaN(), math.Inf(1), math.NaN()
		a, b, out := s.array(t, x), s.array(t, y), s.out(t, M*N)
		s.run(func() { s.d.MatMul(out.Slice, a.Slice, b.Slice, m) }, out)
		want, _ := product(t, x, y, nil, m)
		s.within("MatMul", out, want, func(int) float64 { return 0 })
	})
}
