package transformer

import (
	"math"
	"testing"
	"time"

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

// lengths are of training sequences, in tokens, as pre-finetuning on the datasets of the catalogue draws them.
var lengths = [][]int{
	{22, 22, 23, 22, 22, 30, 45, 25, 27, 27, 29, 28, 60, 25, 15, 34, 33, 37, 33, 32, 8, 259, 262, 258, 258, 21, 17, 13, 27, 9, 30, 167},
	{13, 126, 125, 129, 127, 20, 58, 19, 17, 18, 19, 19, 9, 82, 64, 21, 34, 6, 61, 26, 16, 17, 16, 18, 31, 29, 17, 14, 30, 17, 21, 21},
	{25, 21, 55, 19, 33, 33, 34, 33, 33, 9, 87, 69, 16, 14, 14, 64, 32, 493, 42, 61, 242, 19, 15, 40, 131, 131, 131, 127, 66, 83, 17, 19},
	{12, 214, 42, 14, 486, 131, 64, 37, 15, 33, 33, 32, 32, 386, 39, 56, 10, 89, 431, 437, 432, 435, 35, 6, 19, 15, 252, 210, 271, 312, 54, 489},
	{309, 10, 23, 38, 115, 74, 380, 12, 33, 275, 17, 14, 21, 479, 485, 482, 483, 17, 386, 114, 107, 106, 108, 49, 18, 18, 17, 17, 34, 47, 488, 287},
	{285, 288, 286, 23, 340, 66, 15, 41, 27, 49, 33, 12, 54, 16, 263, 24, 39, 411, 490, 267, 8, 11, 25, 25, 24, 24, 65, 57, 32, 320, 34, 29},
	{36, 42, 99, 38, 15, 16, 63, 22, 25, 25, 23, 36, 74, 199, 261, 81, 60, 56, 465, 76, 40, 15, 78, 13, 16, 325, 72, 41, 17, 17, 16, 17},
	{21, 384, 64, 229, 232, 232, 229, 26, 26, 25, 24, 25, 29, 23, 27, 25, 48, 28, 28, 28, 28, 5, 22, 23, 23, 23, 37, 7, 34, 50, 51, 18},
}

// BenchmarkPacked takes batches of 32 sequences of the lengths above in turns, through layers of RoBERTa-base's size. It
// reports the time of a token and by how much the batch that is furthest from it is off: what is proportional to
// the real tokens has nothing there, and what pads would be several times off.
func BenchmarkPacked(b *testing.B) {
	c := NewConfig(1000, 2, 768)
	e := NewEncoder(c, autograd.NewKey(1))
	var batches []*Batch
	for _, lengths := range lengths {
		var sequences [][]int32
		for _, n := range lengths {
			sequences = append(sequences, make([]int32, n))
		}
		batches = append(batches, Pack(sequences...))
	}
	for _, training := range []bool{false, true} {
		b.Run(map[bool]string{false: "inference", true: "training"}[training], func(b *testing.B) {
			scope, grads := autograd.NewScope(), autograd.NewGradients()
			step := func(batch *Batch) {
				defer scope.Reset()
				mean := ops.Mean(e.Encode(scope, batch, nil))
				if training {
					autograd.Backward(mean, grads)
				}
				mean.Item()
			}
			if !training {
				scope.NoGrad()
			}
			best := make([]float64, len(batches)) // of a token, in nanoseconds; what else the machine does only adds to it
			for i := -1; i < b.N; i++ {           // the first round warms up
				for j, batch := range batches {
					start := time.Now()
					step(batch)
					took := float64(time.Since(start).Nanoseconds()) / float64(batch.Tokens())
					if i <= 0 || took < best[j] {
						best[j] = took
					}
				}
			}
			all, tokens := 0.0, 0
			for j, batch := range batches {
				all += best[j] * float64(batch.Tokens())
				tokens += batch.Tokens()
			}
			off := 0.0
			for j := range batches {
				off = max(off, math.Abs(best[j]/(all/float64(tokens))-1))
			}
			b.ReportMetric(all/float64(tokens), "ns/token")
			b.ReportMetric(100*off, "%off")
		})
	}
}
