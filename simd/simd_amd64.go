//go:build !purego

package simd

import "golang.org/x/sys/cpu"

func archImplementations() []*implementation {
	var all []*implementation
	if cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512VL {
		all = append(all, avx512())
	}
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA {
		all = append(all, avx2())
	}
	for _, impl := range all {
		impl.sgemm.ways, impl.dgemm.ways = firstLevelWays(), firstLevelWays()
	}
	return all
}

func avx512() *implementation {
	impl := generic()
	impl.name = "avx512"
	vectorAVX512(impl)
	s, d := impl.sgemm, impl.dgemm
	sgemmAVX512(s)
	s.kc, s.nc, s.taskRows, s.taskCols = 1024, 1024, 96, 512
	dgemmAVX512(d)
	d.kc, d.nc, d.taskRows, d.taskCols = 512, 1024, 96, 512
	// Processors with AMX, Intel's from Sapphire Rapids on, multiply by VDPBF16PS at half
	// the rate of float32: 75 to 80 GFLOP/s a core where that has 150 to 160. The other
	// kernels have the same bits.
	if cpu.X86.HasAVX512BF16 && !cpu.X86.HasAMXBF16 {
		impl.sbgemm = pairedGemm(s, pairPacking{sbpackRowsAVX512BF16, sbpackSlicesAVX512BF16, sbpackColumnsAVX512BF16, sbPairAdjacentAVX512BF16})
		sbgemmAVX512BF16(impl.sbgemm)
	} else {
		impl.sbgemm = widenedGemm(s)
		sbgemmAVX512(impl.sbgemm)
	}
	return impl
}

func avx2() *implementation {
	impl := generic()
	impl.name = "avx2"
	vectorAVX2(impl)
	s, d := impl.sgemm, impl.dgemm
	sgemmAVX2(s)
	s.kc, s.nc, s.taskRows, s.taskCols = 256, 2048, 96, 512
	dgemmAVX2(d)
	d.kc, d.nc, d.taskRows, d.taskCols = 256, 1024, 96, 256
	impl.sbgemm = widenedGemm(s)
	sbgemmAVX2(impl.sbgemm)
	return impl
}
