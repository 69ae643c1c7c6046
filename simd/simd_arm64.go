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
	s, d := impl.sgemm, impl.dgemm
	sgemmNEON(s)
	s.kc, s.nc, s.taskRows, s.taskCols = 256, 1024, 96, 256
	dgemmNEON(d)
	d.kc, d.nc, d.taskRows, d.taskCols = 192, 512, 48, 128
	impl.sbgemm = widenedGemm(s)
	sbgemmNEON(impl.sbgemm)
	return impl
}
