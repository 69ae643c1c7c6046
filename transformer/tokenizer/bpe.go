package tokenizer

import "unicode/utf8"

// model is what makes tokens of a piece of text.
type model interface {
	// tokenize appends the tokens of a piece, which is not empty, to st.pieces.
	tokenize(st *state, piece string)
}

// bpe merges the parts of a piece, pair by pair, the merge learned first always going first. The parts are bytes, or
// characters, at first.
type bpe struct {
	bytes  [256]int32  // the token of each single byte
	last   *[256]int32 // of one that ends a piece, if not the same
	chars  *charParts  // of characters; nil: bytes
	merges []merge     // by rank
	ranks  table       // the inverse of merges
	whole  map[string]int32
}

// charParts are the tokens of single characters.
type charParts struct {
	ids, last table       // by character, of any and of one that ends a piece
	unk       int32       // for a character that has none
	fuse      bool        // one for a run of those
	bytes     *[256]int32 // in the place of unk: the tokens <0x00> to <0xFF>
}

// pair is two neighbouring tokens.
type pair struct{ left, right int32 }

func (p pair) key() uint64 { return uint64(uint32(p.left))<<32 | uint64(uint32(p.right)) }

// merge replaces a pair by the token whose bytes are theirs, one after the other.
type merge struct {
	pair
	id int32
}

func newBPE(merges []merge) *bpe {
	b := &bpe{merges: merges, ranks: newTable(len(merges))}
	for rank, m := range merges {
		b.ranks.set(m.key(), int32(rank))
	}
	return b
}

// bytePart is a token of a piece being merged, by the byte that it begins with, in a list linked both ways. Where none
// begins, or one did that was merged into its left neighbour, id is -1.
type bytePart struct{ id, prev, next, rank int32 }

// candidate is a merge that was possible at a part when it was pushed. It is stale if one of the two has changed since.
type candidate struct{ rank, at int32 }

func (c candidate) before(d candidate) bool {
	return c.rank < d.rank || c.rank == d.rank && c.at < d.at
}

const (
	noRank     = 1<<31 - 1
	shortPiece = 48 // bytes; of so few parts the best is found sooner by looking at all than with a heap
)

// tokenize takes n·log(n) for a piece of n bytes, whatever the piece. No special token can be among the tokens of bytes: their
// names mix letters with punctuation, which the splitting rule never leaves in one piece.
func (b *bpe) tokenize(st *state, piece string) {
	if id, ok := b.whole[piece]; ok {
		st.pieces = append(st.pieces, token{id, int32(len(piece))})
		return
	}
	b.merge(st, piece, len(piece) > shortPiece)
}

func (b *bpe) merge(st *state, piece string, long bool) {
	n := int32(len(piece))
	parts := st.parts[:0]
	if b.chars != nil {
		parts = b.chars.split(parts, piece)
	} else {
		for i := range n {
			parts = append(parts, bytePart{b.bytes[piece[i]], i - 1, i + 1, noRank})
		}
		if b.last != nil {
			parts[n-1].id = b.last[piece[n-1]]
		}
	}
	st.parts = parts
	for i := int32(0); i < n; i = parts[i].next {
		parts[i].rank = b.rank(parts, i)
	}
	if long {
		b.mergeLong(st, parts)
	} else {
		b.mergeShort(parts)
	}
	for i := int32(0); i < n; i = parts[i].next {
		st.pieces = append(st.pieces, token{parts[i].id, parts[i].next})
	}
}

// split appends the characters of a piece.
func (c *charParts) split(parts []bytePart, piece string) []bytePart {
	for range len(piece) {
		parts = append(parts, bytePart{id: -1, rank: noRank})
	}
	before := int32(-1)
	put := func(at, end int, id int32) {
		parts[at] = bytePart{id, before, int32(end), noRank}
		before = int32(at)
	}
	unknown := false // whether the part before is
	for at := 0; at < len(piece); {
		r, width := utf8.DecodeRuneInString(piece[at:])
		end := at + width
		ids := &c.ids
		if end == len(piece) {
			ids = &c.last
		}
		id, ok := ids.get(uint64(r))
		known := ok && (r != utf8.RuneError || width > 1)
		switch {
		case known:
			put(at, end, id)
		case c.bytes != nil:
			for ; at < end; at++ {
				put(at, at+1, c.bytes[piece[at]])
			}
		case unknown && c.fuse:
			parts[before].next = int32(end)
		default:
			put(at, end, c.unk)
		}
		unknown, at = !known, end
	}
	return parts
}

// rank returns the rank of the merge of a part and the next.
func (b *bpe) rank(parts []bytePart, at int32) int32 {
	p := &parts[at]
	if int(p.next) == len(parts) {
		return noRank
	}
	if rank, ok := b.ranks.get(pair{p.id, parts[p.next].id}.key()); ok {
		return rank
	}
	return noRank
}

// apply merges a part with the next and looks up the merges that are possible now.
func (b *bpe) apply(parts []bytePart, at int32) {
	left := &parts[at]
	right := &parts[left.next]
	left.id, right.id = b.merges[left.rank].id, -1
	right.rank = noRank
	left.next = right.next
	if int(left.next) < len(parts) {
		parts[left.next].prev = at
	}
	left.rank = b.rank(parts, at)
	if left.prev >= 0 {
		parts[left.prev].rank = b.rank(parts, left.prev)
	}
}

func (b *bpe) mergeShort(parts []bytePart) {
	for {
		best, at := int32(noRank), int32(0)
		for i := int32(0); int(i) < len(parts); i = parts[i].next {
			if parts[i].rank < best {
				best, at = parts[i].rank, i
			}
		}
		if best == noRank {
			return
		}
		b.apply(parts, at)
	}
}

func (b *bpe) mergeLong(st *state, parts []bytePart) {
	queue := heap[candidate]{st.queue[:0], candidate.before}
	for i := range int32(len(parts)) {
		if parts[i].rank != noRank {
			queue.push(candidate{parts[i].rank, i})
		}
	}
	for len(queue.items) > 0 {
		c := queue.pop()
		if p := &parts[c.at]; p.id < 0 || p.rank != c.rank {
			continue
		}
		b.apply(parts, c.at)
		for _, at := range [2]int32{c.at, parts[c.at].prev} {
			if at >= 0 && parts[at].rank != noRank {
				queue.push(candidate{parts[at].rank, at})
			}
		}
	}
	st.queue = queue.items
}
