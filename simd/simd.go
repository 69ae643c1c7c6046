package simd

import (
	"fmt"
	"os"
	"strings"
)

// An implementation is one set of kernels, for one instruction set.
type implementation struct {
	name  string
	s     vectorKernels[float32]
	d     vectorKernels[float64]
	sgemm *gemmKernels[float32]
	dgemm *gemmKernels[float64]

	sbgemm *gemmKernels[float32] // of operands rounded to bfloat16

	// philox writes the numbers of the blocks from block on that fill dst, whose
	// length is a multiple of philoxBatch.
	philox func(dst []float32, keyLo, keyHi, block uint64)
}

// implementations holds what this machine can run, the best first.
var implementations = append(archImplementations(), generic())

// active is the implementation in use.
var active = choose(os.Getenv("MUPPET_SIMD"))

// generic returns the implementation in plain Go. The others begin with it and
// replace what they have assembly for.
func generic() *implementation {
	impl := &implementation{
		name:   "generic",
		s:      genericVector[float32](),
		d:      genericVector[float64](),
		sgemm:  genericGemm[float32](),
		dgemm:  genericGemm[float64](),
		philox: philoxGeneric,
	}
	impl.s.bFloat16Round, impl.s.bFloat16Operand = bfloat16RoundGeneric, bfloat16OperandGeneric
	impl.sbgemm = genericBFloat16Gemm()
	impl.sgemm.vector = &impl.s
	impl.dgemm.vector = &impl.d
	return impl
}

// choose returns the named implementation, or the best if name is empty.
func choose(name string) *implementation {
	if name == "" {
		return implementations[0]
	}
	for _, impl := range implementations {
		if impl.name == name {
			return impl
		}
	}
	panic(fmt.Sprintf("simd: MUPPET_SIMD=%s is not available: this build on this machine has %s", name, strings.Join(Available(), ", ")))
}

// Implementation names the kernels in use: one of Available.
func Implementation() string { return active.name }

// Available names the implementations that this build can run on this machine,
// the best, which is used unless MUPPET_SIMD names another, first. The last is
// always "generic", which is plain Go.
func Available() []string {
	names := make([]string, len(implementations))
	for i, impl := range implementations {
		names[i] = impl.name
	}
	return names
}
