package tokenizer

import (
	"math"
	"slices"
	"unicode/utf8"
)

// unigram takes of all ways to make a piece from tokens the one whose scores have the largest sum (Kudo, ACL 2018), found
// by Viterbi's algorithm: it takes time in proportion to the length of the piece and that of the longest token.
type unigram struct {
	tokens   *trie
	scores   []float64
	unk      int32 // -1: none
	unkScore float64
	bytes    *[256]int32 // the tokens <0x00> to <0xFF> that what is unknown becomes; nil: it becomes unk
}

// node is the best way to a byte of a piece: the token that ends there, and where that begins.
type node struct {
	score     float64
	id, start int32 // start is -1 if there is no way
}

// Ten less than the lowest score is what a character costs that no token stands for, in SentencePiece as here.
const unkPenalty = 10

func (u *unigram) tokenize(st *state, piece string) {
	best := append(st.lattice[:0], node{})
	for range len(piece) {
		best = append(best, node{start: -1})
	}
	st.lattice = best
	for at := 0; at < len(piece); {
		_, width := utf8.DecodeRuneInString(piece[at:])
		offer := func(length int, id int32, score float64) {
			score += best[at].score
			if to := &best[at+length]; to.start < 0 || score > to.score {
				*to = node{score, id, int32(at)}
			}
		}
		single := false // whether a token is just this character
		for n, i := int32(0), at; i < len(piece); i++ {
			var ok bool
			if n, ok = u.tokens.edges.get(uint64(n)<<8 | uint64(piece[i])); !ok {
				break
			}
			if id := u.tokens.value[n]; id >= 0 {
				offer(i+1-at, id, u.scores[id])
				single = single || i+1-at == width
			}
		}
		if !single {
			offer(width, u.unk, u.unkScore)
		}
		at += width
	}
	first := len(st.pieces)
	for end := int32(len(piece)); end > 0; {
		b := best[end]
		if b.id != u.unk {
			st.pieces = append(st.pieces, token{b.id, end})
		} else if n := len(st.pieces); u.bytes != nil {
			for i := end - 1; i >= b.start; i-- {
				st.pieces = append(st.pieces, token{u.bytes[piece[i]], i + 1})
			}
		} else if n == first || st.pieces[n-1].id != u.unk { // one for a run of what is unknown
			st.pieces = append(st.pieces, token{u.unk, end})
		}
		end = b.start
	}
	slices.Reverse(st.pieces[first:])
}

func newUnigram(tokens []string, scores []float64, unk int32, bytes *[256]int32) *unigram {
	u := &unigram{tokens: newTrie(), scores: scores, unk: unk, bytes: bytes}
	least := math.Inf(1)
	for id, token := range tokens {
		least = min(least, scores[id])
		if token != "" && int32(id) != unk {
			u.tokens.add(token, int32(id))
		}
	}
	u.unkScore = least - unkPenalty
	return u
}
