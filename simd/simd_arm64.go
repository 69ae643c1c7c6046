//go:build !purego

package simd

// Every arm64 processor that Go supports has NEON.
func archImplementations() []*implementation { return []*implementation{neon()} }

// neon's blocks fit small processors too: a panel of B and one of A together
// take two thirds of 32 KiB, a packed block of A at most 384 KiB.
func neon() *implementation {
	impl := generic()
	impl.name = "neon"
	vectorNEON(impl)
	s := impl.sgemm
	s.tiles = []tileKernel[float32]{{6, sgemm6NEON}, {4, sgemm4NEON}, {2, sgemm2NEON}, {1, sgemm1NEON}}
	s.nr, s.packRows, s.packSlices, s.packColumns, s.packStep = 16, spackRowsNEON, spackSlicesNEON, spackColumnsNEON, 4
	s.multiply = smultiplyNEON
	s.kc, s.nc, s.taskRows, s.taskCols = 256, 1024, 96, 256
	impl.sbgemm = widenedGemm(s, []tileKernel[float32]{{6, sbgemm6NEON}, {4, sbgemm4NEON}, {2, sbgemm2NEON}, {1, sbgemm1NEON}})
	d := impl.dgemm
	d.tiles = []tileKernel[float64]{{6, dgemm6NEON}, {4, dgemm4NEON}, {2, dgemm2NEON}, {1, dgemm1NEON}}
	d.nr, d.packRows, d.packSlices, d.packColumns, d.packStep = 8, dpackRowsNEON, dpackSlicesNEON, dpackColumnsNEON, 2
	d.multiply = dmultiplyNEON
	d.kc, d.nc, d.taskRows, d.taskCols = 192, 512, 48, 128
	return impl
}
