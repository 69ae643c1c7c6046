package transformer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/muppet-go/muppet/autograd"
)

// Generate writes a sequence for each sequence of a packed batch, as Hugging Face's generate does,
// and returns their tokens from decoder_start_token_id up to eos_token_id, without padding. It looks at
// the context between tokens. It panics if the model has no LM head, or cannot
// generate with the settings.
func (m *Model) Generate(ctx context.Context, source *Batch, g GenerationConfig) ([][]int32, error) {
	if m.LM == nil {
		panic(fmt.Sprintf("transformer: Generate: %s generates nothing", m.Architecture()))
	}
	if err := g.Validate(m.Config); err != nil {
		panic("transformer: Generate: " + err.Error())
	}
	scope := autograd.NewScope().NoGrad()
	defer scope.Reset()
	cache := newCache(m, m.Bart.Encode(scope, source, nil), source.Segments, g.NumBeams)
	best, err := m.generate(ctx, source.Segments.Count(), g, cache.next)
	if err != nil {
		return nil, err
	}
	written := make([][]int32, len(best))
	for s, h := range best {
		written[s] = h.ids
	}
	return written, nil
}

// GenerateTexts is Generate for texts, as many at a time as fit together well. Texts longer than
// the model's positions are cut. It returns an error if the model has no tokenizer.
func (m *Model) GenerateTexts(ctx context.Context, g GenerationConfig, texts ...string) ([]string, error) {
	if m.Tokenizer == nil {
		return nil, errors.New("transformer: GenerateTexts: the model has no tokenizer")
	}
	const tokensPerBatch = 4096
	var written []string
	for len(texts) > 0 {
		var ids [][]int32
		for tokens := 0; len(ids) < len(texts) && (tokens == 0 || tokens < tokensPerBatch); {
			s := m.sequence(texts[len(ids)])
			ids, tokens = append(ids, s), tokens+len(s)
		}
		batch := g
		batch.Key = g.Key.FoldInt(len(written)) // or the first of every batch would draw alike
		sequences, err := m.Generate(ctx, Pack(ids...), batch)
		if err != nil {
			return nil, err
		}
		for _, s := range sequences {
			written = append(written, m.Tokenizer.Decode(s))
		}
		texts = texts[len(ids):]
	}
	return written, nil
}

// A hypothesis is a sequence that may go on.
type hypothesis struct {
	ids   []int32
	score float64 // in beam search: sum of the tokens' log-probabilities, at the end over length^penalty
	// Each hypothesis that is alive has a slot of the cache, and from is that of the one
	// that it continues. Those of source s are [s·beams, (s+1)·beams).
	slot, from int
}

// A scorer returns the scores [vocabulary] of what may follow each hypothesis; of a beam
// search, log-probabilities. The caller may write into them.
type scorer func(live []*hypothesis, g GenerationConfig) [][]float32

// generate returns the best that it finds for each of n sources, all of them in step.
func (m *Model) generate(ctx context.Context, n int, g GenerationConfig, next scorer) ([]*hypothesis, error) {
	searches := make([]*search, n)
	for s := range searches {
		slot := s * g.NumBeams
		start := &hypothesis{ids: []int32{int32(m.Config.DecoderStartTokenID)}, slot: slot, from: slot}
		searches[s] = &search{GenerationConfig: g, eos: int32(m.Config.EOSTokenID), live: []*hypothesis{start}}
		searches[s].Key = g.Key.FoldInt(s)
	}
	for {
		var live []*hypothesis
		for _, s := range searches {
			live = append(live, s.live...)
		}
		if len(live) == 0 {
			break
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		scores := next(live, g)
		for _, s := range searches {
			if k := len(s.live); k > 0 {
				s.advance(scores[:k])
				scores = scores[k:]
			}
		}
	}
	best := make([]*hypothesis, n)
	for s := range best {
		best[s] = searches[s].found[0]
	}
	return best, nil
}

// A search looks for the continuation of one source.
type search struct {
	GenerationConfig
	eos   int32
	live  []*hypothesis // by slot
	found []*hypothesis // that have ended, with their final scores, the best first
}

// advance appends a token to what is alive.
func (s *search) advance(scores [][]float32) {
	for i, h := range s.live {
		s.restrict(h.ids, scores[i])
	}
	if s.NumBeams > 1 {
		s.advanceBeams(scores)
		return
	}
	h := s.live[0]
	var token int
	if s.DoSample {
		token = s.draw(scores[0], len(h.ids))
	} else {
		for v, x := range scores[0] {
			if x > scores[0][token] {
				token = v
			}
		}
	}
	h.ids = append(h.ids, int32(token))
	if s.ends(h) {
		s.live, s.found = nil, s.live
	}
}

// ends reports whether nothing can follow.
func (s *search) ends(h *hypothesis) bool {
	return h.ids[len(h.ids)-1] == s.eos || len(h.ids) >= s.MaxLength
}

// restrict gives the tokens that must not follow a score of -Inf, in the order of Hugging
// Face's logits processors.
func (s *search) restrict(ids []int32, scores []float32) {
	never := float32(math.Inf(-1))
	if n := s.NoRepeatNGramSize; n > 0 && len(ids) >= n {
		last := ids[len(ids)-(n-1):]
		for i := range len(ids) - (n - 1) {
			if slices.Equal(ids[i:i+n-1], last) {
				scores[ids[i+n-1]] = never
			}
		}
	}
	if len(ids) < s.MinLength {
		scores[s.eos] = never
	}
	force := func(token *int) {
		for v := range scores {
			scores[v] = never
		}
		scores[*token] = 0
	}
	if s.ForcedBOSTokenID != nil && len(ids) == 1 {
		force(s.ForcedBOSTokenID)
	}
	if s.ForcedEOSTokenID != nil && len(ids) == s.MaxLength-1 {
		force(s.ForcedEOSTokenID)
	}
}
