//go:build !purego

package simd

import "testing"

// TestSBgemmWithoutBF16 runs the kernels that processors with AVX-512 have which lack
// AVX512_BF16, on one that has it.
func TestSBgemmWithoutBF16(t *testing.T) {
	impl := avx512()
	if active.name != impl.name || !active.sbgemm.pairs {
		t.Skip("no AVX512_BF16 here: without it all tests run these kernels")
	}
	impl.sbgemm = widenedGemm(impl.sgemm)
	sbgemmAVX512(impl.sbgemm)
	defer func(before *implementation) { active = before }(active)
	active = impl
	testSBgemmBits(t)
}
