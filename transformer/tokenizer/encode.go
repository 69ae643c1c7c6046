package tokenizer

import (
	"fmt"
	"hash/maphash"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/muppet-go/muppet/internal/parallel"
)

// A Span is the part of a text from byte Start up to, not including, byte End.
type Span struct{ Start, End int }

// An Encoding is a text, or what a model reads of one or two, as tokens.
type Encoding struct {
	IDs     []int32
	Offsets []Span // the bytes of its text that each token stands for; empty for those that stand for none

	// What PostProcess adds; nil in a text alone.
	Types     []int32    // token_type_ids
	Sequences []int8     // which text each token is of, 0 or 1; -1 for one that PostProcess put there
	Truncated bool       // there was more than Options.MaxLength has room for
	Overflow  []Encoding // the windows after this one, if Options.Overflow asks for them

	text string // what Offsets are of, until PostProcess
}

// RuneOffsets returns spans of a text counted in characters (code points, and bytes that are no UTF-8) instead of bytes,
// as Python counts. An end inside of a character counts as the end of that character, a start as its start. It takes time
// in proportion to the text for spans in the order of Encode. It panics when a span is not within the text.
func RuneOffsets(text string, spans []Span) []Span {
	at, runes := 0, 0
	start, before := 0, 0 // where the span before begins, to which tokens that share a character go back
	move := func(to int) int {
		if to < at {
			at, runes = start, before
		}
		if to < at {
			at, runes = 0, 0
		}
		for at < to {
			_, size := utf8.DecodeRuneInString(text[at:])
			if at+size > to {
				break
			}
			at += size
			runes++
		}
		return runes
	}
	counted := make([]Span, len(spans))
	for i, s := range spans {
		if s.Start < 0 || s.End < s.Start || s.End > len(text) {
			panic(fmt.Sprintf("tokenizer: RuneOffsets: span %d is [%d, %d) of a text of %d bytes", i, s.Start, s.End, len(text)))
		}
		counted[i].Start = move(s.Start)
		start, before = at, runes
		counted[i].End = move(s.End)
		if at < s.End {
			counted[i].End++
		}
	}
	return counted
}

// Encode returns the tokens of a text, without those that begin and end a model's input (PostProcess adds them). Special
// tokens written in the text are encoded like any other characters, for text comes from strangers; Options.ParseSpecial
// has them read. The time grows with n·log(n) at worst. It panics for a text of 2 GiB or more.
func (t *Tokenizer) Encode(text string) Encoding { return t.encode(text, false) }

func (t *Tokenizer) encode(text string, parseSpecial bool) Encoding {
	st := t.states.Get().(*state)
	defer t.states.Put(st)
	t.run(st, text, parseSpecial)
	return Encoding{IDs: append([]int32{}, st.ids...), Offsets: append([]Span{}, st.offsets...), text: text}
}

// EncodeBatch encodes texts, each with the one of the same index in pairs if there are any, and makes of them what a
// model reads (PostProcess), on all cores. It panics when there are pairs, but not as many as texts.
func (t *Tokenizer) EncodeBatch(o Options, texts, pairs []string) []Encoding {
	if len(pairs) != 0 && len(pairs) != len(texts) {
		panic(fmt.Sprintf("tokenizer: EncodeBatch: %d texts and %d pairs", len(texts), len(pairs)))
	}
	encodings := make([]Encoding, len(texts))
	// Several texts at a time, or the threads would take turns at neighbouring results.
	parallel.Range(len(texts), 16, func(low, high int) {
		st := t.states.Get().(*state)
		defer t.states.Put(st)
		for i := low; i < high; i++ {
			t.run(st, texts[i], o.ParseSpecial)
			first := Encoding{IDs: st.ids, Offsets: st.offsets, text: texts[i]} // PostProcess copies
			if len(pairs) == 0 {
				encodings[i] = t.PostProcess(o, first)
				continue
			}
			st.ids, st.other.ids = st.other.ids, st.ids
			st.offsets, st.other.offsets = st.other.offsets, st.offsets
			t.run(st, pairs[i], o.ParseSpecial)
			encodings[i] = t.PostProcess(o, first, Encoding{IDs: st.ids, Offsets: st.offsets, text: pairs[i]})
		}
	})
	return encodings
}

// state is what one goroutine needs to encode, kept from text to text.
type state struct {
	ids     []int32
	offsets []Span
	other   struct { // those of the first of a pair
		ids     []int32
		offsets []Span
	}
	pieces  []token     // of the piece at hand
	buffers []normal    // of the normaliser, and of each pre-tokeniser that changes text
	parts   []bytePart  // of a merge
	queue   []candidate // of a merge
	lattice []node      // of a unigram model
	cache   []slot
	words   *words // of training

	_ [64]byte // every token writes here: the state of another goroutine is to be on other lines of the caches
}

// token is a token of a piece, and the byte of the piece after it: tokens tile a piece.
type token struct{ id, end int32 }

// slot remembers the tokens of a piece. Most text consists of few words, often repeated. A piece has one slot that it can
// be in, by its hash, and takes the place of whatever was there: so the memory is bounded, and no garbage is made.
type slot struct {
	length, count uint8
	ends          [cachedTokens]uint8
	piece         [cachedPiece]byte
	ids           [cachedTokens]int32
}

const (
	cachedPiece  = 32 // bytes
	cachedTokens = 6
	cacheSize    = 1 << 14
)

// view is a part of a text, normalised.
type view struct {
	text     string
	from, to []int32 // the bytes of the text that each byte stands for; nil: itself
	base     int     // of text in the whole, if from is nil
}

func (v view) slice(start, end int) view {
	s := view{text: v.text[start:end], base: v.base + start}
	if v.from != nil {
		s.from, s.to = v.from[start:end], v.to[start:end]
	}
	return s
}

func (v view) span(start, end int) Span {
	if v.from == nil {
		return Span{v.base + start, v.base + end}
	}
	return Span{int(v.from[start]), int(v.to[end-1])}
}

// run sets ids and offsets to those of a text.
func (t *Tokenizer) run(st *state, text string, parseSpecial bool) {
	if len(text) > math.MaxInt32-1 {
		panic(fmt.Sprintf("tokenizer: Encode: a text of %d bytes", len(text)))
	}
	st.ids, st.offsets = st.ids[:0], st.offsets[:0]
	t.raw.split(st, view{text: text}, parseSpecial, t.normalize)
}

// normalize goes on with a part of a text that has no added tokens but those that are to be found after normalisation.
func (t *Tokenizer) normalize(st *state, v view, parseSpecial bool) {
	if t.normalizer != nil {
		n := &st.buffers[0]
		b, ok := t.normalizer.(*bert)
		if ok {
			n.text, ok = b.simple(n.text[:0], v.text)
		}
		if ok {
			v.text = n.string()
		} else {
			n.begin(v.text, v.base)
			t.normalizer.normalize(n)
			v = n.view()
		}
	}
	t.normalized.split(st, v, parseSpecial, t.preTokenize)
}

func (t *Tokenizer) preTokenize(st *state, v view, _ bool) { t.cut(st, v, 0) }

// cut applies the pre-tokenisers from the given one on, and then the model.
func (t *Tokenizer) cut(st *state, v view, stage int) {
	if len(v.text) == 0 {
		return
	}
	if stage < len(t.pre) {
		t.pre[stage].split(t, st, v, stage)
		return
	}
	if len(v.text) > cachedPiece {
		st.pieces = st.pieces[:0]
		t.model.tokenize(st, v.text)
		st.emit(v)
		return
	}
	s := &st.cache[maphash.String(t.seed, v.text)%cacheSize]
	if int(s.length) != len(v.text) || string(s.piece[:s.length]) != v.text {
		st.pieces = st.pieces[:0]
		t.model.tokenize(st, v.text)
		if len(st.pieces) > cachedTokens {
			st.emit(v)
			return
		}
		s.length, s.count = uint8(len(v.text)), uint8(len(st.pieces))
		copy(s.piece[:], v.text)
		for i, p := range st.pieces {
			s.ids[i], s.ends[i] = p.id, uint8(p.end)
		}
	}
	start := 0
	for i := range s.count {
		end := int(s.ends[i])
		st.ids = append(st.ids, s.ids[i])
		st.offsets = append(st.offsets, v.span(start, end))
		start = end
	}
}

// emit takes over the tokens of a piece.
func (st *state) emit(v view) {
	start := 0
	for _, p := range st.pieces {
		st.ids = append(st.ids, p.id)
		st.offsets = append(st.offsets, v.span(start, int(p.end)))
		start = int(p.end)
	}
}

// addedToken is an entry of added_tokens in tokenizer.json: a token found in the text as it is, before anything else.
type addedToken struct {
	ID         int32  `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"`
	LStrip     bool   `json:"lstrip"`
	RStrip     bool   `json:"rstrip"`
	Normalized bool   `json:"normalized"`
	Special    bool   `json:"special"`
}

// finder finds added tokens in a text, the leftmost first and of those that begin at a place the longest.
type finder struct {
	tokens   []addedToken
	trie     *trie
	begins   [256]bool // bytes that a token begins with
	ordinary bool      // some are not special
}

func (f *finder) add(a addedToken, pattern string) {
	if f.trie == nil {
		f.trie = newTrie()
	}
	f.trie.add(pattern, int32(len(f.tokens)))
	f.tokens = append(f.tokens, a)
	f.begins[pattern[0]] = true
	f.ordinary = f.ordinary || !a.Special
}

// split emits the added tokens in a text and hands what is between them to rest.
func (f *finder) split(st *state, v view, parseSpecial bool, rest func(*state, view, bool)) {
	if f.trie == nil || !parseSpecial && !f.ordinary {
		rest(st, v, parseSpecial)
		return
	}
	text, done := v.text, 0
	for at := 0; at < len(text); {
		if !f.begins[text[at]] {
			at++
			continue
		}
		i, length := f.trie.longest(text[at:])
		if length == 0 {
			at++
			continue
		}
		a, start, end := &f.tokens[i], at, at+length
		at = end
		if a.Special && !parseSpecial || a.SingleWord && (wordEnds(text[:start]) || wordBegins(text[end:])) {
			continue
		}
		if a.LStrip {
			start = done + len(strings.TrimRightFunc(text[done:start], isSpace))
		}
		if a.RStrip {
			end += len(text[end:]) - len(strings.TrimLeftFunc(text[end:], isSpace))
			at = end
		}
		if done < start {
			rest(st, v.slice(done, start), parseSpecial)
		}
		st.ids = append(st.ids, a.ID)
		st.offsets = append(st.offsets, v.span(start, end))
		done = end
	}
	if done < len(text) {
		rest(st, v.slice(done, len(text)), parseSpecial)
	}
}

func wordEnds(text string) bool {
	r, n := utf8.DecodeLastRuneInString(text)
	return n > 0 && characters().class(r)&wordChar != 0
}

func wordBegins(text string) bool {
	r, n := utf8.DecodeRuneInString(text)
	return n > 0 && characters().class(r)&wordChar != 0
}

func isSpace(r rune) bool { return characters().class(r)&space != 0 }
