package transformer

import (
	"fmt"
	"slices"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/transformer/tokenizer"
)

// A Batch is sequences of token ids, packed end to end.
type Batch struct {
	IDs       []int32          // [T]
	Positions []int32          // [T], from 0 in every sequence
	Types     []int32          // [T], BERT's token_type_ids; nil: all 0
	Segments  *device.Segments // where each sequence lies
}

// Pack packs sequences of token ids.
func Pack(sequences ...[]int32) *Batch {
	lengths := make([]int, len(sequences))
	for i, s := range sequences {
		lengths[i] = len(s)
	}
	b := &Batch{Segments: device.NewSegments(lengths...)}
	b.IDs = make([]int32, 0, b.Segments.Total())
	b.Positions = make([]int32, 0, b.Segments.Total())
	for _, s := range sequences {
		b.IDs = append(b.IDs, s...)
		for i := range s {
			b.Positions = append(b.Positions, int32(i))
		}
	}
	return b
}

// PackEncodings packs what tokenizer.PostProcess makes of texts, with its token types.
func PackEncodings(encodings ...tokenizer.Encoding) *Batch {
	ids := make([][]int32, len(encodings))
	typed := false
	for i, e := range encodings {
		ids[i] = e.IDs
		typed = typed || slices.ContainsFunc(e.Types, func(t int32) bool { return t != 0 })
	}
	b := Pack(ids...)
	if typed {
		for _, e := range encodings {
			b.Types = append(b.Types, e.Types...)
		}
	}
	return b
}

// Tokens returns the number of tokens in the batch.
func (b *Batch) Tokens() int { return len(b.IDs) }

// check panics unless every sequence fits the encoder.
func (b *Batch) check(c Config) {
	if b.Segments.Max() > c.MaxLength() {
		panic(fmt.Sprintf("transformer: a sequence of %d tokens for an encoder of %d positions", b.Segments.Max(), c.MaxLength()))
	}
}

// rows returns an int32 vector in the scope of a model's activations.
func rows(scope *autograd.Scope, index []int32) *autograd.Tensor { return scope.New(index, len(index)) }
