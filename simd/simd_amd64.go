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
	return all
}

func avx512() *implementation {
	impl := generic()
	impl.name = "avx512"
	vectorAVX512(impl)
	s := impl.sgemm
	s.tiles = []tileKernel[float32]{{12, sgemm12AVX512}, {8, sgemm8AVX512}, {4, sgemm4AVX512}, {2, sgemm2AVX512}, {1, sgemm1AVX512}}
	s.nr, s.packRows, s.packSlices, s.packColumns, s.packStep = 32, spackRowsAVX512, spackSlicesAVX512, spackColumnsAVX512, 4
	s.copyA, s.copyB, s.multiply = sgemm12PackAAVX512, sgemm12PackBAVX512, smultiplyAVX512
	s.kc, s.nc, s.taskRows, s.taskCols = 1024, 1024, 96, 512
	if cpu.X86.HasAVX512BF16 {
		impl.sbgemm = pairedGemm(s, []tileKernel[float32]{{12, sbgemm12AVX512BF16}, {8, sbgemm8AVX512BF16}, {4, sbgemm4AVX512BF16}, {2, sbgemm2AVX512BF16}, {1, sbgemm1AVX512BF16}},
			pairPacking{sbpackRowsAVX512BF16, sbpackSlicesAVX512BF16, sbpackColumnsAVX512BF16, sbPairAdjacentAVX512BF16})
		impl.sbgemm.copyB, impl.sbgemm.multiply = sbgemm12PackBAVX512BF16, sbmultiplyAVX512BF16
	} else {
		impl.sbgemm = widenedGemm(s, []tileKernel[float32]{{12, sbgemm12AVX512}, {8, sbgemm8AVX512}, {4, sbgemm4AVX512}, {2, sbgemm2AVX512}, {1, sbgemm1AVX512}})
	}
	d := impl.dgemm
	d.tiles = []tileKernel[float64]{{12, dgemm12AVX512}, {8, dgemm8AVX512}, {4, dgemm4AVX512}, {2, dgemm2AVX512}, {1, dgemm1AVX512}}
	d.nr, d.packRows, d.packSlices, d.packColumns, d.packStep = 16, dpackRowsAVX512, dpackSlicesAVX512, dpackColumnsAVX512, 2
	d.copyA, d.copyB, d.multiply = dgemm12PackAAVX512, dgemm12PackBAVX512, dmultiplyAVX512
	d.kc, d.nc, d.taskRows, d.taskCols = 512, 1024, 96, 512
	return impl
}

func avx2() *implementation {
	impl := generic()
	impl.name = "avx2"
	vectorAVX2(impl)
	s := impl.sgemm
	s.tiles = []tileKernel[float32]{{6, sgemm6AVX2}, {4, sgemm4AVX2}, {2, sgemm2AVX2}, {1, sgemm1AVX2}}
	s.nr, s.packRows, s.packSlices, s.packColumns, s.packStep = 16, spackRowsAVX2, spackSlicesAVX2, spackColumnsAVX2, 4
	s.copyA, s.copyB, s.multiply = sgemm6PackAAVX2, sgemm6PackBAVX2, smultiplyAVX2
	s.kc, s.nc, s.taskRows, s.taskCols = 256, 2048, 96, 512
	impl.sbgemm = widenedGemm(s, []tileKernel[float32]{{6, sbgemm6AVX2}, {4, sbgemm4AVX2}, {2, sbgemm2AVX2}, {1, sbgemm1AVX2}})
	d := impl.dgemm
	d.tiles = []tileKernel[float64]{{6, dgemm6AVX2}, {4, dgemm4AVX2}, {2, dgemm2AVX2}, {1, dgemm1AVX2}}
	d.nr, d.packRows, d.packSlices, d.packColumns, d.packStep = 8, dpackRowsAVX2, dpackSlicesAVX2, dpackColumnsAVX2, 2
	d.copyA, d.copyB, d.multiply = dgemm6PackAAVX2, dgemm6PackBAVX2, dmultiplyAVX2
	d.kc, d.nc, d.taskRows, d.taskCols = 256, 1024, 96, 256
	return impl
}
