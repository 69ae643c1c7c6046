package tokenizer

import (
	"fmt"
	"hash/maphash"
	"strings"
	"sync/atomic"
)

// The special tokens, by their names in RoBERTa's and BART's vocabularies and in the order that Train gives them.
var specials = [...]string{"<s>", "<pad>", "</s>", "<unk>", "<mask>"}

const (
	bos = iota
	pad
	eos
	unk
	mask
)

// A Tokenizer encodes and decodes text. It does not change once made, and may be used by several goroutines at once.
type Tokenizer struct {
	tokens  []string         // by id, as the files spell them
	bytes   []string         // by id, the text that a token stands for
	ids     map[string]int32 // the inverse of tokens
	special [len(specials)]int32
	byteID  [256]int32      // the token of each single byte
	merges  []merge         // by rank
	ranks   map[pair]int32  // the inverse of merges
	cache   [cacheSize]slot // recently encoded pieces, each in the one place its hash allows
	seed    maphash.Seed
}

// pair is two neighbouring tokens.
type pair struct{ left, right int32 }

// merge replaces a pair by the token whose bytes are theirs, one after the other.
type merge struct {
	pair
	id int32
}

// Most text consists of few words, often repeated. What the cache holds never changes a result, only when it is computed,
// and it is bounded by construction: a new piece takes the place of whatever was in its slot.
const (
	cacheSize  = 1 << 14
	cachePiece = 64 // bytes of the longest piece that is remembered
)

type slot = atomic.Pointer[cached]

type cached struct {
	piece string
	ids   []int32
}

// newTokenizer makes a tokenizer of a vocabulary that is complete: all special tokens, all bytes, and for every merge its
// parts and its result.
func newTokenizer(tokens []string, merges []merge) *Tokenizer {
	t := &Tokenizer{
		tokens: tokens,
		bytes:  make([]string, len(tokens)),
		ids:    make(map[string]int32, len(tokens)),
		merges: merges,
		ranks:  make(map[pair]int32, len(merges)),
		seed:   maphash.MakeSeed(),
	}
	for id, token := range tokens {
		t.bytes[id] = unspell(token)
		t.ids[token] = int32(id)
	}
	for i, token := range specials {
		t.special[i] = t.ids[token]
	}
	for b := range t.byteID {
		t.byteID[b] = t.ids[string(byteToRune[b])]
	}
	for rank, m := range merges {
		t.ranks[m.pair] = int32(rank)
	}
	return t
}

// String returns the sizes of the vocabulary and of the list of merges.
func (t *Tokenizer) String() string {
	return fmt.Sprintf("Tokenizer(%d tokens, %d merges)", len(t.tokens), len(t.merges))
}

// VocabSize returns the number of tokens. Ids run from 0 to VocabSize-1.
func (t *Tokenizer) VocabSize() int { return len(t.tokens) }

// Token returns a token as vocab.json spells it: one character per byte, with Ġ for the space. It panics when there is no
// such id.
func (t *Tokenizer) Token(id int32) string {
	if id < 0 || int(id) >= len(t.tokens) {
		panic(fmt.Sprintf("tokenizer: Token: id %d outside [0, %d)", id, len(t.tokens)))
	}
	return t.tokens[id]
}

// ID returns the id of a token as vocab.json spells it, and whether there is one. Special tokens count.
func (t *Tokenizer) ID(token string) (int32, bool) {
	id, ok := t.ids[token]
	return id, ok
}

// BOS returns the id of <s>, which begins every input and is what a classifier reads (Hugging Face's bos and cls token).
func (t *Tokenizer) BOS() int32 { return t.special[bos] }

// EOS returns the id of </s>, which ends every text (Hugging Face's eos and sep token).
func (t *Tokenizer) EOS() int32 { return t.special[eos] }

// Pad returns the id of <pad>. Nothing here is padded, but positions are counted from it (RoBERTa).
func (t *Tokenizer) Pad() int32 { return t.special[pad] }

// Unk returns the id of <unk>, which no text encodes to.
func (t *Tokenizer) Unk() int32 { return t.special[unk] }

// Mask returns the id of <mask>, which masked language modelling puts in the place of a token.
func (t *Tokenizer) Mask() int32 { return t.special[mask] }

// A Span is the part of a text from byte Start up to, not including, byte End.
type Span struct{ Start, End int }

// An Encoding is a text as tokens.
type Encoding struct {
	IDs     []int32
	Offsets []Span // the bytes of the text that each token stands for; they tile it
}

// Encode returns the tokens of a text, without special tokens: those written in the text are encoded like any other
// characters. The time grows with n·log(n) at worst, n being the length of the longest word. Bytes that are not valid
// UTF-8 are tokens too.
func (t *Tokenizer) Encode(text string) Encoding {
	ids := make([]int32, 0, len(text)/4+1)
	for rest := text; len(rest) > 0; {
		n := piece(rest)
		ids = t.appendPiece(ids, rest[:n])
		rest = rest[n:]
	}
	offsets := make([]Span, len(ids))
	start := 0
	for i, id := range ids {
		end := start + len(t.bytes[id])
		offsets[i] = Span{start, end}
		start = end
	}
	return Encoding{ids, offsets}
}

// Decode returns the text of tokens. Special tokens, and ids that are not in the vocabulary (the -100 of a label that is
// ignored, or the unused rows of a model's embedding), stand for no text.
func (t *Tokenizer) Decode(ids []int32) string {
	var text strings.Builder
	for _, id := range ids {
		if id >= 0 && int(id) < len(t.bytes) && !t.isSpecial(id) {
			text.WriteString(t.bytes[id])
		}
	}
	return text.String()
}

func (t *Tokenizer) isSpecial(id int32) bool {
	for _, s := range t.special {
		if id == s {
			return true
		}
	}
	return false
}

// appendPiece appends the tokens of one piece.
func (t *Tokenizer) appendPiece(ids []int32, piece string) []int32 {
	if len(piece) > cachePiece {
		return t.merge(ids, piece)
	}
	slot := &t.cache[maphash.String(t.seed, piece)%cacheSize]
	hit := slot.Load()
	if hit == nil || hit.piece != piece {
		hit = &cached{strings.Clone(piece), t.merge(nil, piece)} // a clone, or a word would keep its whole text alive
		slot.Store(hit)
	}
	return append(ids, hit.ids...)
}

// part is a token of a piece being merged, in a list linked both ways. A part merged into its left neighbour has id -1.
type part struct {
	id         int32
	prev, next int
}

// candidate is a merge that was possible at a part when it was pushed. It is stale if one of the two has changed since.
type candidate struct {
	rank int32
	at   int
}

// merge appends the tokens of one piece. No special token can be among them: their names all mix letters with
// punctuation, which the splitting rule never leaves in one piece.
//
// A list and a heap of candidates make it n·log(n) in the length of the piece, whatever the piece.
func (t *Tokenizer) merge(ids []int32, piece string) []int32 {
	parts := make([]part, len(piece))
	for i := range parts {
		parts[i] = part{t.byteID[piece[i]], i - 1, i + 1}
	}
	queue := heap[candidate]{before: func(a, b candidate) bool {
		return a.rank < b.rank || a.rank == b.rank && a.at < b.at
	}}
	push := func(at int) {
		if at < 0 || parts[at].next == len(parts) {
			return
		}
		if rank, ok := t.ranks[pair{parts[at].id, parts[parts[at].next].id}]; ok {
			queue.push(candidate{rank, at})
		}
	}
	for i := range parts {
		push(i)
	}
	for len(queue.items) > 0 {
		c := queue.pop()
		m := t.merges[c.rank]
		left := &parts[c.at]
		if left.id != m.left || left.next == len(parts) || parts[left.next].id != m.right {
			continue
		}
		right := &parts[left.next]
		left.id, right.id = m.id, -1
		left.next = right.next
		if left.next < len(parts) {
			parts[left.next].prev = c.at
		}
		push(left.prev)
		push(c.at)
	}
	for i := 0; i < len(parts); i = parts[i].next {
		ids = append(ids, parts[i].id)
	}
	return ids
}
