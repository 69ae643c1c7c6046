//go:build !purego

package simd

// cpuid runs the instruction of that name.
//
//go:noescape
func cpuid(leaf, subleaf uint32) (eax, ebx, ecx, edx uint32)

// firstLevelWays returns how many lines each set of the first-level data cache holds; 0
// if the processor does not say. Intel's processors say it in leaf 4, AMD's in one of
// the same form, whose existence a bit tells (AMD64 Architecture Programmer's Manual,
// volume 3, E.4.15).
func firstLevelWays() int {
	const extended, topology, cache = 0x80000000, 1 << 22, 0x8000001d
	leaf := uint32(4)
	last, _, _, _ := cpuid(extended, 0)
	if last >= cache {
		if _, _, features, _ := cpuid(extended+1, 0); features&topology != 0 {
			leaf = cache
		}
	}
	if last, _, _, _ := cpuid(0, 0); leaf == 4 && last < leaf {
		return 0
	}
	const data, unified = 1, 3
	for i := range uint32(8) {
		eax, ebx, _, _ := cpuid(leaf, i)
		kind, level := eax&0x1f, eax>>5&7
		if kind == 0 {
			break
		}
		if level == 1 && (kind == data || kind == unified) {
			return int(ebx>>22) + 1
		}
	}
	return 0
}
