package prefinetune

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/ops"
	"github.com/muppet-go/muppet/transformer"
	"github.com/muppet-go/muppet/transformer/tokenizer"
)

// mostHeldOut bounds the tokens that are held out: more would take time and say no more.
const mostHeldOut = 100_000

// sequences makes training and held-out sequences of texts. A text that is held out is not
// trained on either where it comes again.
func sequences(tok *tokenizer.Tokenizer, texts []string, cfg PretrainConfig, key device.Key) (train, heldOut []*example, err error) {
	var documents [][]int32
	same := map[string][]int{}
	total := 0
	const batch = 1024 // texts whose offsets and types are in memory at a time
	for at := 0; at < len(texts); at += batch {
		some := texts[at:min(at+batch, len(texts))]
		for i, e := range tok.EncodeBatch(tokenizer.Options{NoSpecialTokens: true}, some, nil) {
			if len(e.IDs) > 0 {
				same[some[i]] = append(same[some[i]], len(documents))
				documents = append(documents, e.IDs)
				total += len(e.IDs)
			}
		}
	}
	if total == 0 {
		return nil, nil, errors.New("prefinetune: no text to learn from")
	}
	out := make([]bool, len(documents))
	if wanted := min(cfg.HeldOut*float64(total), mostHeldOut); wanted > 0 && len(same) > 1 {
		first := make([]int, 0, len(same)) // one document of each text
		for _, d := range same {
			first = append(first, d[0])
		}
		slices.Sort(first)
		text := make(map[int][]int, len(same))
		for _, d := range same {
			text[d[0]] = d
		}
		taken := 0
		for _, i := range permutation(len(first), key)[1:] { // one is always trained on
			if float64(taken) >= wanted {
				break
			}
			for _, d := range text[first[i]] {
				out[d] = true
			}
			taken += len(documents[first[i]])
			heldOut = append(heldOut, blocks(tok, [][]int32{documents[first[i]]}, cfg)...)
		}
	}
	kept := documents[:0]
	for i, d := range documents {
		if !out[i] {
			kept = append(kept, d)
		}
	}
	if train = blocks(tok, kept, cfg); len(train) == 0 {
		return nil, nil, errors.New("prefinetune: no text to learn from: the tokenizer knows none of its tokens")
	}
	return train, heldOut, nil
}

// blocks lays documents out as sequences <s> ... </s>. It leaves out those in which nothing
// can be predicted.
func blocks(tok *tokenizer.Tokenizer, documents [][]int32, cfg PretrainConfig) (all []*example) {
	room := cfg.MaxLength - 2
	if !cfg.Documents {
		var stream []int32
		for i, d := range documents {
			if i > 0 {
				stream = append(stream, tok.EOS())
			}
			stream = append(stream, d...)
		}
		documents = [][]int32{stream}
	}
	for _, d := range documents {
		for ; len(d) > 0; d = d[min(room, len(d)):] {
			ids := append([]int32{tok.BOS()}, d[:min(room, len(d))]...)
			if !slices.ContainsFunc(ids, func(id int32) bool { return !special(tok, id) }) { // such as the end of a text
				continue
			}
			all = append(all, &example{sequences: []tokenizer.Encoding{{IDs: append(ids, tok.EOS())}}})
		}
	}
	return all
}

// A noiser takes from sequences what a model is to restore.
type noiser struct {
	tok    *tokenizer.Tokenizer
	masked float64 // share of the tokens
	span   float64 // mean length of a span; 0 for single tokens
}

// newNoiser checks that the model has the tokens that are needed.
func newNoiser(m *transformer.Model, cfg PretrainConfig) (noiser, error) {
	n := noiser{tok: m.Tokenizer, masked: cfg.Masked}
	if m.Bart != nil {
		n.span = cfg.Span
	}
	if n.tok == nil {
		return n, errors.New("prefinetune: the model has no tokenizer")
	}
	if n.tok.VocabSize() > m.Config.VocabSize {
		return n, fmt.Errorf("prefinetune: the tokenizer has %d tokens, the model's vocab_size is %d", n.tok.VocabSize(), m.Config.VocabSize)
	}
	for _, t := range []struct {
		what string
		id   int32
	}{{"begin a text, such as <s>", n.tok.BOS()}, {"end one, such as </s>", n.tok.EOS()}, {"mask others, such as <mask>", n.tok.Mask()}} {
		if t.id < 0 {
			return n, fmt.Errorf("prefinetune: the tokenizer has no token to %s", t.what)
		}
	}
	return n, nil
}

// special reports whether a token is not one of a text, or an unknown one, which is not to
// be predicted.
func special(tok *tokenizer.Tokenizer, id int32) bool {
	return id == tok.BOS() || id == tok.EOS() || id == tok.Pad() || id == tok.Unk() || id == tok.Mask()
}

// noised is a batch of sequences from which something was taken.
type noised struct {
	batch     *transformer.Batch // what the model, or BART's encoder, reads
	positions []int32            // rows of the tokens to be restored; all, if they are BART's
	whole     *transformer.Batch // BART: what the decoder writes
	targets   []int32            // tokens to be restored
	tokens    int                // of the texts
}

func (n noiser) noised(examples []*example, key device.Key) *noised {
	b := &noised{}
	var read, whole [][]int32
	at := 0
	for i, e := range examples {
		ids := e.sequences[0].IDs
		b.tokens += e.tokens()
		k := key.FoldInt(i)
		r := rand.NewPCG(k.Lo, k.Hi)
		if n.span > 0 {
			read, whole = append(read, n.infill(ids, r)), append(whole, ids)
			b.targets = append(b.targets, ids...)
			continue
		}
		masked, positions := n.mask(ids, r)
		read = append(read, masked)
		for _, p := range positions {
			b.positions = append(b.positions, int32(at)+p)
			b.targets = append(b.targets, ids[p])
		}
		at += len(ids)
	}
	b.batch = transformer.Pack(read...)
	if whole != nil {
		b.whole = transformer.Pack(whole...)
	}
	return b
}

// losses returns the cross entropy of every target. A key turns dropout on.
func (b *noised) losses(scope *autograd.Scope, m *transformer.Model, dropout *device.Key) *autograd.Tensor {
	var scores *autograd.Tensor
	if b.whole != nil {
		states := m.Bart.Encode(scope, b.batch, dropout)
		scores = m.LM.Forward(m.Bart.Decode(b.whole.ShiftRight(m.Config), states, b.batch.Segments, dropout), m.Bart.Shared)
	} else {
		scores = m.MaskedLM.Forward(m.Encoder.Encode(scope, b.batch, dropout), b.positions, m.Encoder.Embeddings.Word)
	}
	return ops.SegmentCrossEntropy(scores, scope.New(b.targets), device.UniformSegments(len(b.targets), m.Config.VocabSize))
}

// count returns how many of n tokens are chosen: the share of them, rounded up or down at
// random so that it is right on average, and at least one.
func (n noiser) count(tokens int, r *rand.PCG) int {
	return max(1, int(n.masked*float64(tokens)+uniform(r)))
}

// mask chooses tokens of a sequence, in their order, and returns what the model sees.
func (n noiser) mask(ids []int32, r *rand.PCG) (masked, positions []int32) {
	var may []int32
	for i, id := range ids {
		if !special(n.tok, id) {
			may = append(may, int32(i))
		}
	}
	positions = choose(may, n.count(len(may), r), r)
	masked = slices.Clone(ids)
	for _, p := range positions {
		switch u := uniform(r); {
		case u < 0.8:
			masked[p] = n.tok.Mask()
		case u < 0.9:
			masked[p] = n.token(r)
		}
	}
	return masked, positions
}

// token draws one that is not special.
func (n noiser) token(r *rand.PCG) int32 {
	for {
		if id := int32(below(r, n.tok.VocabSize())); !special(n.tok, id) {
			return id
		}
	}
}

// infill replaces spans between the first and the last token of a sequence, which are the
// special ones, by <mask>. No two spans touch: they are put into different gaps between the
// tokens that stay.
func (n noiser) infill(ids []int32, r *rand.PCG) []int32 {
	text := ids[1 : len(ids)-1]
	left := n.count(len(text), r)
	stay := len(text) - left
	var spans []int
	for left > 0 && len(spans) <= stay {
		length := min(poisson(n.span, r), left)
		spans = append(spans, length)
		left -= length
	}
	stay += left // more spans than gaps: the text is short, and the lengths were many zeros
	gaps := make([]int32, stay+1)
	for i := range gaps {
		gaps[i] = int32(i)
	}
	gaps = choose(gaps, len(spans), r)
	out := []int32{ids[0]}
	from, gone := 0, 0 // in the text; tokens gone before
	for i, gap := range gaps {
		to := int(gap) + gone
		out = append(append(out, text[from:to]...), n.tok.Mask())
		from = to + spans[i]
		gone += spans[i]
	}
	return append(append(out, text[from:]...), ids[len(ids)-1])
}

// choose returns k different values out of some, in their order. It shuffles what it is given.
func choose(some []int32, k int, r *rand.PCG) []int32 {
	k = min(k, len(some))
	for i := range k {
		j := i + below(r, len(some)-i)
		some[i], some[j] = some[j], some[i]
	}
	slices.Sort(some[:k])
	return some[:k]
}

// below returns a number in [0, n), by arithmetic of our own: what rand.Rand draws may
// change with a release of Go.
func below(r *rand.PCG, n int) int {
	hi, _ := bits.Mul64(r.Uint64(), uint64(n))
	return int(hi)
}

// uniform returns a number in [0, 1).
func uniform(r *rand.PCG) float64 { return float64(r.Uint64()>>11) / (1 << 53) }

// poisson draws from the distribution of the given mean (Knuth).
func poisson(mean float64, r *rand.PCG) int {
	n, p := 0, uniform(r)
	for limit := math.Exp(-mean); p > limit; n++ {
		p *= uniform(r)
	}
	return n
}
