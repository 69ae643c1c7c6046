// Package devicetest checks a device against the contract of package device.
//
// Run computes everything that a device must, and what it may (the fused
// operations that it implements), once more on the host: naively, in float64, and
// independently of any device. A device's own test calls it:
//
//	func TestConformance(t *testing.T) { devicetest.Run(t, cpu.New()) }
//
// Operands lie at odd offsets between guard values, which nothing may change.
// Every operation runs at GOMAXPROCS 1, 2 and 4 and must give the same bits.
//
// # Tolerances
//
// Copies, casts, comparisons, +, -, ·, /, √, maximum, minimum, floor, sorting,
// ScatterAdd and random numbers are exact. Transcendental primitives may be off by 4
// units in the last place (Pow by 16, and 64 in float64), and results near or below
// the smallest normal number by as much as that. A program of several instructions
// may be off by 16 epsilons of the largest value that occurs in it, since a product
// and a sum may be rounded as one. A sum of n terms may be off by (8 + 2√n) epsilons
// of the sum of their magnitudes, and fused operations by twice as much.
package devicetest

import (
	"testing"

	"github.com/muppet-go/muppet/device"
)

// Run checks d. It changes GOMAXPROCS while it runs, so that the calling test must
// not be parallel.
func Run(t *testing.T, d device.Device) {
	checks := []struct {
		name string
		run  func(s *suite)
	}{
		{"Buffers", testBuffers},
		{"WriteRead", testWriteRead},
		{"Fill", testFill},
		{"Iota", testIota},
		{"Cast", testCast},
		{"Strided", testStrided},
		{"Primitives", testPrimitives},
		{"Extents", testExtents},
		{"Alias", testAlias},
		{"Programs", testPrograms},
		{"Uniform", testUniform},
		{"Reduce", testReduce},
		{"CumSum", testCumSum},
		{"Sort", testSort},
		{"MatMul", testMatMul},
		{"Gather", testGather},
		{"ScatterAdd", testScatterAdd},
		{"Concurrent", testConcurrent},
		{"LayerNorm", testLayerNorm},
		{"SegmentCrossEntropy", testSegmentCrossEntropy},
		{"Attention", testAttention},
	}
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) { c.run(newSuite(t, d)) })
	}
}

// floats are the types that arithmetic is defined on, allTypes those of buffers.
var (
	floats   = []device.DType{device.Float32, device.Float64}
	allTypes = []device.DType{device.Float32, device.Float64, device.Int32, device.BFloat16}
)
