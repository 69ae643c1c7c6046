package transformer

import (
	"testing"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/nn"
	"github.com/muppet-go/muppet/ops"
)

// BenchmarkCachedAttention is what a token of 8 beams costs in the self-attention of BART-base's decoder,
// with 120 tokens before it: over a cache's rows where they lie, and copied together first.
func BenchmarkCachedAttention(b *testing.B) {
	const d, slots, capacity, filled, layers = 768, 8, 128, 120, 6
	var kv []*autograd.Tensor
	for i := range layers {
		kv = append(kv, nn.Uniform(autograd.NewKey(1).FoldInt(i), -1, 1, slots*capacity, 2*d).Detach())
	}
	q := nn.Uniform(autograd.NewKey(2), -1, 1, slots, d).Detach()
	var starts, lengths []int
	var index []int32
	for s := range slots {
		starts, lengths = append(starts, s*capacity), append(lengths, filled)
		for i := range filled {
			index = append(index, int32(s*capacity+i))
		}
	}
	apart, together, queries := device.SegmentsAt(slots*capacity, starts, lengths), device.NewSegments(lengths...), device.UniformSegments(slots, 1)
	scope := autograd.NewScope().NoGrad()
	cfg := ops.AttentionConfig{Heads: 12}
	b.Run("apart", func(b *testing.B) {
		for range b.N {
			for _, kv := range kv {
				ops.CrossAttention(scope.Of(q), kv, queries, apart, cfg)
			}
			scope.Reset()
		}
	})
	b.Run("gathered", func(b *testing.B) {
		for range b.N {
			for _, kv := range kv {
				ops.CrossAttention(scope.Of(q), ops.IndexSelect(scope.Of(kv), scope.New(index)), queries, together, cfg)
			}
			scope.Reset()
		}
	})
}
