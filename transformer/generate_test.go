package transformer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/ops"
)

func generate(t *testing.T, m *Model, g GenerationConfig, sources ...[]int32) [][]int32 {
	t.Helper()
	written, err := m.Generate(context.Background(), Pack(sources...), g)
	if err != nil {
		t.Fatal(err)
	}
	return written
}

// beams is generate with the scores.
func beams(t *testing.T, m *Model, g GenerationConfig, sources ...[]int32) []*hypothesis {
	t.Helper()
	b, scope := Pack(sources...), autograd.NewScope().NoGrad()
	cache := newCache(m, m.Bart.Encode(scope, b, nil), b.Segments, g.NumBeams)
	written, err := m.generate(context.Background(), len(sources), g, cache.next)
	if err != nil {
		t.Fatal(err)
	}
	return written
}

// TestGenerateParity writes what Hugging Face's generate wrote, for all sources at once and for
// each alone.
func TestGenerateParity(t *testing.T) {
	for _, name := range []string{"deep", "odd"} {
		c := loadBart(t, name)
		if len(c.Generations) != 10 {
			t.Errorf("%s: %d generations", name, len(c.Generations))
		}
		for _, expected := range c.Generations {
			g := c.model.Generation
			if err := json.Unmarshal(expected.Settings, &g); err != nil {
				t.Fatal(err)
			}
			if (g.NumBeams > 1) != (expected.Scores != nil) {
				t.Errorf("%s: %s: scores %v", name, expected.Settings, expected.Scores)
			}
			written := beams(t, c.model, g, c.Sequences...)
			for i, want := range expected.Sequences {
				if !slices.Equal(written[i].ids, want) {
					t.Errorf("%s: %s: source %d: %v, Hugging Face has %v", name, expected.Settings, i, written[i].ids, want)
				}
				if expected.Scores != nil && !(math.Abs(written[i].score-expected.Scores[i]) <= 1e-5*math.Abs(expected.Scores[i])) {
					t.Errorf("%s: %s: source %d: score %.7f, Hugging Face has %.7f", name, expected.Settings, i, written[i].score, expected.Scores[i])
				}
				if alone := generate(t, c.model, g, c.Sequences[i]); !slices.Equal(alone[0], want) {
					t.Errorf("%s: %s: source %d alone: %v, Hugging Face has %v", name, expected.Settings, i, alone[0], want)
				}
			}
		}
	}
}

// newWriter returns a model whose sequences vary, and sources.
func newWriter(positions int) (*Model, [][]int32) {
	c := NewBartConfig(60, 2, 16)
	c.MaxPositionEmbeddings, c.InitializerRange, c.NumAttentionHeads, c.DecoderAttentionHeads = positions, 0.7, 2, 4
	m := NewBartModel(NewBart(c, autograd.NewKey(3)), ConditionalGeneration, autograd.NewKey(4))
	return m, [][]int32{{0, 7, 5, 9, 30, 31, 2}, {0, 8, 2}, {0, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 2}, {2}}
}

// uncached is a scorer that decodes all of every hypothesis each time.
func uncached(m *Model, sources [][]int32) scorer {
	return func(live []*hypothesis, g GenerationConfig) [][]float32 {
		var targets, from [][]int32
		var last []int32
		for _, h := range live {
			targets, from = append(targets, h.ids), append(from, sources[h.slot/g.NumBeams])
		}
		source, target := Pack(from...), Pack(targets...)
		states := m.Bart.Decode(target, m.Bart.Encode(autograd.NewScope().NoGrad(), source, nil), source.Segments, nil)
		for i := range live {
			last = append(last, int32(target.Segments.Start(i)+target.Segments.Len(i)-1))
		}
		return hostScores(m.LM.Forward(ops.IndexSelect(states, rows(states.Scope(), last)), m.Bart.Shared), g)
	}
}

// TestCachedIsUncached: a cache changes the cost and not the tokens; of a length at which the cache
// grows more than once.
func TestCachedIsUncached(t *testing.T) {
	m, sources := newWriter(64)
	long := m.Generation
	long.MaxLength, long.MinLength, long.NoRepeatNGramSize = 50, 40, 3
	for name, change := range map[string]func(g *GenerationConfig){
		"greedy": func(*GenerationConfig) {},
		"beams":  func(g *GenerationConfig) { g.NumBeams, g.LengthPenalty = 5, 2 },
		"early":  func(g *GenerationConfig) { g.NumBeams, g.MinLength, g.EarlyStopping = 4, 0, EarlyStoppingTrue },
		"sample": func(g *GenerationConfig) {
			g.DoSample, g.Temperature, g.TopP, g.Key = true, 1.5, 0.9, autograd.NewKey(5)
		},
	} {
		g := long
		change(&g)
		want, err := m.generate(context.Background(), len(sources), g, uncached(m, sources))
		if err != nil {
			t.Fatal(err)
		}
		got := generate(t, m, g, sources...)
		for i := range got {
			if !slices.Equal(got[i], want[i].ids) {
				t.Errorf("%s: source %d: %v, without the cache %v", name, i, got[i], want[i].ids)
			}
			if name != "early" && len(got[i]) < 40 {
				t.Errorf("%s: source %d: only %d tokens", name, i, len(got[i]))
			}
		}
		if slices.Equal(got[0], got[2]) {
			t.Errorf("%s: the sources do not matter", name)
		}
	}
}

// TestTokenCost: what is computed and copied for a token, apart from attention, is the same whatever
// comes before, but where the cache grows, which adds up to little. Of beams, only what
// differs between those that trade places is copied besides.
func TestTokenCost(t *testing.T) {
	needsFused(t)
	const length, vocabulary = 60, 60
	for _, beams := range []int{1, 4} {
		m, sources := newWriter(64)
		g := m.Generation
		g.MaxLength, g.MinLength, g.NoRepeatNGramSize, g.NumBeams = length, length, 2, beams
		b := Pack(sources...)
		scope := autograd.NewScope().NoGrad()
		cache := newCache(m, m.Bart.Encode(scope, b, nil), b.Segments, beams)
		token := 0 // work for a row of the first call, which makes room but has nothing to copy
		extra, all, grown := 0, 0, 0
		_, err := m.generate(context.Background(), len(sources), g, func(live []*hypothesis, g GenerationConfig) [][]float32 {
			before, capacity := memory.work, cache.capacity
			scores := cache.next(live, g)
			work := memory.work - before
			if token == 0 {
				token = work / len(live)
			}
			more := work - token*len(live)
			if cache.capacity > capacity {
				grown++
			} else if beams == 1 && more != 0 {
				t.Errorf("token %d of %d sequences takes %d more than the first", len(live[0].ids), len(live), more)
			}
			extra, all = extra+more, all+work
			return scores
		})
		if err != nil {
			t.Fatal(err)
		}
		share := float64(extra) / float64(all)
		t.Logf("%d beams: %d a token, %.3f of the work besides; the cache grew %d times", beams, token, share, grown)
		if token == 0 || grown < 3 || !(share >= 0 && share < 0.02) {
			t.Errorf("%d beams: %d a token, %.3f of the work besides; the cache grew %d times", beams, token, share, grown)
		}
	}
}

func TestSampling(t *testing.T) {
	m, sources := newWriter(64)
	greedy := m.Generation
	want := generate(t, m, greedy, sources...)
	one := greedy
	one.DoSample, one.TopK, one.Key = true, 1, autograd.NewKey(1)
	if got := generate(t, m, one, sources...); !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("the likeliest of one are %v, want %v", got, want)
	}
	one.TopK, one.TopP = 0, 1e-6
	if got := generate(t, m, one, sources...); !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("the likeliest of few are %v, want %v", got, want)
	}
	one.TopP, one.Temperature = 1, 2
	first := generate(t, m, one, sources...)
	if !slices.EqualFunc(first, generate(t, m, one, sources...), slices.Equal) {
		t.Error("the same key draws differently")
	}
	// What is drawn is a matter of the place in the batch, not of the others in it.
	if alone := generate(t, m, one, sources[0]); !slices.Equal(alone[0], first[0]) {
		t.Errorf("alone %v, among others %v", alone[0], first[0])
	}
	one.Key = autograd.NewKey(2)
	if slices.EqualFunc(first, generate(t, m, one, sources...), slices.Equal) {
		t.Error("another key draws the same")
	}
}

// TestDraw counts what is drawn of probabilities 0.4, 0.3, 0.15, 0.1, 0.05 and 0.
func TestDraw(t *testing.T) {
	const n = 20000
	p := []float64{0.1, 0.4, 0.05, 0.3, 0, 0.15}
	scores := make([]float32, len(p))
	for i, x := range p {
		scores[i] = float32(math.Log(x))
	}
	for _, c := range []struct {
		temperature float64
		topK        int
		topP        float64
		want        []float64 // up to a factor
	}{
		{1, 0, 1, p},
		{1, 3, 1, []float64{0, 0.4, 0, 0.3, 0, 0.15}},
		{1, 50, 0.7, []float64{0, 0.4, 0, 0.3, 0, 0}},
		{1, 0, 0.72, []float64{0, 0.4, 0, 0.3, 0, 0.15}},
		{1, 2, 0.5, []float64{0, 0.4, 0, 0, 0, 0}},
		{0.5, 0, 1, []float64{0.01, 0.16, 0.0025, 0.09, 0, 0.0225}},
	} {
		s := &search{GenerationConfig: GenerationConfig{Temperature: c.temperature, TopK: c.topK, TopP: c.topP, Key: autograd.NewKey(6)}}
		counts, sum := make([]float64, len(p)), 0.0
		for place := range n {
			counts[s.draw(scores, place)]++
		}
		for _, w := range c.want {
			sum += w
		}
		for v, w := range c.want {
			q := w / sum
			if off := math.Abs(counts[v]/n - q); off > 5*math.Sqrt(q*(1-q)/n) {
				t.Errorf("temperature %g, top_k %d, top_p %g: token %d is drawn %.4f of the time, want %.4f", c.temperature, c.topK, c.topP, v, counts[v]/n, q)
			}
		}
	}
}

func TestGenerateStops(t *testing.T) {
	m, sources := newWriter(64)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := m.Generate(ctx, Pack(sources...), m.Generation); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
	if got := generate(t, m, m.Generation); len(got) != 0 {
		t.Errorf("of nothing comes %v", got)
	}
}

func TestGenerateMistakes(t *testing.T) {
	m, sources := newWriter(64)
	with := func(change func(*GenerationConfig)) func() {
		g := m.Generation
		change(&g)
		return func() { m.Generate(context.Background(), Pack(sources...), g) }
	}
	bad := 60
	for want, f := range map[string]func(){
		"max_length is 65, want 2 to 64":     with(func(g *GenerationConfig) { g.MaxLength = 65 }),
		"max_length is 0":                    with(func(g *GenerationConfig) { g.MaxLength = 0 }),
		"num_beams is 0":                     with(func(g *GenerationConfig) { g.NumBeams = 0 }),
		"min_length is -1":                   with(func(g *GenerationConfig) { g.MinLength = -1 }),
		"no_repeat_ngram_size is -1":         with(func(g *GenerationConfig) { g.NoRepeatNGramSize = -1 }),
		"forced_bos_token_id is 60":          with(func(g *GenerationConfig) { g.ForcedBOSTokenID = &bad }),
		"forced_eos_token_id is 60":          with(func(g *GenerationConfig) { g.ForcedEOSTokenID = &bad }),
		"temperature is 0":                   with(func(g *GenerationConfig) { g.Temperature = 0 }),
		"top_p is NaN":                       with(func(g *GenerationConfig) { g.TopP = math.NaN() }),
		"top_k is -1":                        with(func(g *GenerationConfig) { g.TopK = -1 }),
		"length_penalty is NaN":              with(func(g *GenerationConfig) { g.LengthPenalty = math.NaN() }),
		"do_sample is true with num_beams 2": with(func(g *GenerationConfig) { g.DoSample, g.NumBeams = true, 2 }),
		`early_stopping is ""`:               with(func(g *GenerationConfig) { g.EarlyStopping = "" }),
		"BartModel generates nothing": func() {
			NewBartModel(m.Bart, Bare, autograd.NewKey(1)).Generate(context.Background(), Pack(), m.Generation)
		},
		"65 tokens for an encoder":            func() { m.Generate(context.Background(), Pack(make([]int32, 65)), m.Generation) },
		`no head "MaskedLM"`:                  func() { NewBartModel(m.Bart, MaskedLM, autograd.NewKey(1)) },
		"sequence 1 has no token":             func() { m.SequenceRows(Pack([]int32{2}, []int32{7})) },
		"targets Segments[1], states [2 16]":  func() { m.Bart.Decode(Pack([]int32{2}), autograd.Zeros(2, 16), Pack([]int32{7}).Segments, nil) },
		`NewBart: model_type "roberta"`:       func() { NewBart(NewConfig(9, 1, 8), autograd.NewKey(1)) },
		"NewEncoder: the configuration is BA": func() { NewEncoder(m.Config, autograd.NewKey(1)) },
	} {
		func() {
			defer func() {
				if r := fmt.Sprint(recover()); !strings.Contains(r, want) {
					t.Errorf("panic is %q, want %q", r, want)
				}
			}()
			f()
		}()
	}
}

// TestGenerateTexts writes for more texts than fit into a batch, one of them too long for the model.
func TestGenerateTexts(t *testing.T) {
	_, _, tok := newSaved(t)
	c := NewBartConfig(tok.VocabSize(), 1, 8)
	c.MaxPositionEmbeddings, c.InitializerRange = 64, 1
	m := NewBartModel(NewBart(c, autograd.NewKey(1)), ConditionalGeneration, autograd.NewKey(2))
	if _, err := m.GenerateTexts(context.Background(), m.Generation, "low"); err == nil || !strings.Contains(err.Error(), "no tokenizer") {
		t.Errorf("error is %v", err)
	}
	m.Tokenizer = tok
	texts := []string{"low", "the lowest"}
	for range 70 {
		texts = append(texts, strings.Repeat("abcdefgh", 8)) // 64 tokens, and 2 special ones
	}
	texts = append(texts, "low")
	g := m.Generation
	got, err := m.GenerateTexts(context.Background(), g, texts...)
	if err != nil || len(got) != len(texts) {
		t.Fatal(len(got), err)
	}
	long := m.sequence(texts[2])
	if len(long) != 64 {
		t.Errorf("a text is cut to %d tokens", len(long))
	}
	want := generate(t, m, g, m.sequence("low"), m.sequence("the lowest"), long)
	for i, w := range want {
		if got[i] != tok.Decode(w) || got[i] == "" {
			t.Errorf("%q becomes %q, want %q", texts[i], got[i], tok.Decode(w))
		}
	}
	if got[71] != got[2] || got[72] != got[0] {
		t.Errorf("equal texts become %q and %q, %q and %q", got[2], got[71], got[0], got[72])
	}
	g.DoSample, g.Temperature = true, 3
	got, err = m.GenerateTexts(context.Background(), g, slices.Repeat(texts[2:3], 70)...)
	if err != nil || len(slices.Compact(slices.Sorted(slices.Values(got)))) < 70 {
		t.Errorf("drawn alike: %q, %v", got, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := m.GenerateTexts(ctx, g, texts...); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
}
