package transformer

import (
	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/ops"
)

// cache keeps the keys and values of what was decoded, so that a token costs its own way through
// the decoder, and attention to what is before it. Each hypothesis has a slot of
// capacity rows, filled from the front.
type cache struct {
	model    *Model
	states   *autograd.Tensor   // of the encoder
	source   *device.Segments   // of states
	cross    []*autograd.Tensor // of each layer: keys and values [Ts, 2·hidden] of states
	self     []*autograd.Tensor // of each layer: keys and values [slots·capacity, 2·hidden]
	beams    int                // slots of a source
	capacity int
	filled   [][]int32 // of each slot: the tokens whose keys and values it has
}

func newCache(m *Model, states *autograd.Tensor, source *device.Segments, beams int) *cache {
	c := &cache{model: m, states: states, source: source, beams: beams, filled: make([][]int32, source.Count()*beams)}
	for _, l := range m.Bart.Decoder.Layers {
		c.cross = append(c.cross, l.Cross.keysValues(states))
		c.self = append(c.self, nil)
	}
	return c
}

// next is a scorer. It decodes the last token of each hypothesis, for which its slot must have, or
// the one it continues, what is before.
func (c *cache) next(live []*hypothesis, g GenerationConfig) [][]float32 {
	longest := 0
	for _, h := range live {
		longest = max(longest, len(h.ids))
	}
	c.grow(longest, g.MaxLength)
	c.follow(live)
	m := c.model
	b := &Batch{Segments: device.UniformSegments(len(live), 1)}
	starts, lengths, ofSource := make([]int, len(live)), make([]int, len(live)), make([]int, c.source.Count())
	for i, h := range live {
		n := len(h.ids)
		b.IDs, b.Positions = append(b.IDs, h.ids[n-1]), append(b.Positions, int32(n-1))
		starts[i], lengths[i] = h.slot*c.capacity, n
		ofSource[h.slot/c.beams]++
		c.filled[h.slot] = h.ids
	}
	keys := device.SegmentsAt(len(c.filled)*c.capacity, starts, lengths)
	queries := device.NewSegments(ofSource...) // the beams of a source share its keys

	scope := c.states.Scope().Sub()
	defer scope.Reset()
	p := &bartPass{model: m.Bart, stack: m.Bart.Decoder, batch: b, scope: scope}
	p.self = func(layer int, qkv *autograd.Tensor, cfg ops.AttentionConfig) *autograd.Tensor {
		c.append(layer, qkv, live)
		cfg.Heads = m.Config.DecoderAttentionHeads
		return ops.CrossAttention(ops.Slice(qkv, 1, 0, m.Config.HiddenSize), c.self[layer], b.Segments, keys, cfg)
	}
	p.cross = func(layer int, q *autograd.Tensor, cfg ops.AttentionConfig) *autograd.Tensor {
		cfg.Heads = m.Config.DecoderAttentionHeads
		return ops.CrossAttention(q, c.cross[layer], queries, c.source, cfg)
	}
	return hostScores(m.LM.Forward(p.run(nil, "decoder"), m.Bart.Shared), g)
}

// hostScores returns the rows of logits as the scores of a search.
func hostScores(logits *autograd.Tensor, g GenerationConfig) [][]float32 {
	if g.NumBeams > 1 {
		logits = ops.LogSoftmax(logits, -1)
	}
	n, all := logits.Dim(1), logits.Float32s()
	scores := make([][]float32, logits.Dim(0))
	for i := range scores {
		scores[i] = all[i*n : (i+1)*n]
	}
	return scores
}

// append writes the keys and values in qkv [len(live), 3·hidden] behind those in the slots: the rows of
// neighbours of the same length together.
func (c *cache) append(layer int, qkv *autograd.Tensor, live []*hypothesis) {
	d := c.model.Config.HiddenSize
	for first := 0; first < len(live); {
		end := first + 1
		for end < len(live) && live[end].slot == live[end-1].slot+1 && len(live[end].ids) == len(live[first].ids) {
			end++
		}
		row := live[first].slot*c.capacity + len(live[first].ids) - 1
		copyRows(c.self[layer], row*2*d, c.capacity*2*d, qkv, first*3*d+d, 3*d, end-first, 2*d)
		first = end
	}
}

// follow brings into the slot of each hypothesis what the one that it continues has in its own.
// Equal tokens behind the same states have equal keys and values, so that only rows
// behind what both have in common are copied: few, as beams soon have most in common.
func (c *cache) follow(live []*hypothesis) {
	d := c.model.Config.HiddenSize
	for _, h := range live {
		if h.slot == h.from {
			continue
		}
		have, want := c.filled[h.slot], c.filled[h.from]
		same := 0
		for same < min(len(have), len(want)) && have[same] == want[same] {
			same++
		}
		for _, kv := range c.self {
			from, to := (h.from*c.capacity+same)*2*d, (h.slot*c.capacity+same)*2*d
			n := (len(want) - same) * 2 * d
			copyRows(autograd.View(kv, to, n), 0, n, autograd.View(kv, from, n), 0, n, 1, n)
		}
	}
}

// grow makes room for a number of rows in each slot: at least twice what there was, so that the copies
// add up to no more than a few a token.
func (c *cache) grow(rows, most int) {
	if rows <= c.capacity {
		return
	}
	before := c.capacity
	c.capacity = max(rows, min(most, max(16, 2*before)))
	width := 2 * c.model.Config.HiddenSize
	for layer, old := range c.self {
		c.self[layer] = autograd.Make(c.states.DType(), []int{len(c.filled) * c.capacity, width}, c.model.Bart.Shared.Weight)
		if before > 0 {
			copyRows(c.self[layer], 0, c.capacity*width, old, 0, before*width, len(c.filled), before*width)
		}
	}
}

// copyRows copies n rows of a width between tensors, from an element on, a stride apart.
func copyRows(to *autograd.Tensor, toAt, toStride int, from *autograd.Tensor, fromAt, fromStride, n, width int) {
	autograd.Mutate(func(dst ...device.Slice) {
		to.Device().Strided(dst[0], toAt, []int{toStride, 1}, from.Slice(), fromAt, []int{fromStride, 1}, []int{n, width})
	}, to)
}
