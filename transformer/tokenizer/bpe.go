package tokenizer

// model is what makes tokens of a piece of text.
type model interface {
	// tokenize appends the tokens of a piece, which is not empty, to st.pieces.
	tokenize(st *state, piece string)
}

// bpe merges the bytes of a piece, pair by pair, the merge learned first always going first.
type bpe struct {
	byteID [256]int32 // the token of each single byte
	merges []merge    // by rank
	ranks  table      // the inverse of merges
}

// pair is two neighbouring tokens.
type pair struct{ left, right int32 }

func (p pair) key() uint64 { return uint64(uint32(p.left))<<32 | uint64(uint32(p.right)) }

// merge replaces a pair by the token whose bytes are theirs, one after the other.
type merge struct {
	pair
	id int32
}

func newBPE(byteID [256]int32, merges []merge) *bpe {
	b := &bpe{byteID: byteID, merges: merges, ranks: newTable(len(merges))}
	for rank, m := range merges {
		b.ranks.set(m.key(), int32(rank))
	}
	return b
}

// bytePart is a token of a piece being merged, in a list linked both ways. A part merged into its left neighbour has id -1.
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

// tokenize takes n·log(n) for a piece of n bytes, whatever the piece. No special token can be among the tokens: their
// names mix letters with punctuation, which the splitting rule never leaves in one piece.
func (b *bpe) tokenize(st *state, piece string) { b.merge(st, piece, len(piece) > shortPiece) }

func (b *bpe) merge(st *state, piece string, long bool) {
	n := int32(len(piece))
	parts := st.parts[:0]
	for i := range n {
		parts = append(parts, bytePart{b.byteID[piece[i]], i - 1, i + 1, noRank})
	}
	st.parts = parts
	for i := range n - 1 {
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
