package tokenizer

import "unicode/utf8"

// wordPiece takes from a word the longest token it begins with, then the longest that goes on with it, and so on. A word
// for which that fails is unknown as a whole.
type wordPiece struct {
	begin, goOn *trie // tokens; those with the prefix ##, without it
	unk         int32
	maxChars    int // a longer word is unknown
}

func newWordPiece(tokens []string, unk int32, prefix string, maxChars int) *wordPiece {
	w := &wordPiece{newTrie(), newTrie(), unk, maxChars}
	for id, token := range tokens {
		if token == "" {
			continue
		}
		w.begin.add(token, int32(id))
		if len(token) > len(prefix) && token[:len(prefix)] == prefix {
			w.goOn.add(token[len(prefix):], int32(id))
		}
	}
	return w
}

func (w *wordPiece) tokenize(st *state, piece string) {
	first := len(st.pieces)
	if len(piece) <= w.maxChars || utf8.RuneCountInString(piece) <= w.maxChars {
		tokens := w.begin
		for at := 0; ; tokens = w.goOn {
			id, length := tokens.longest(piece[at:])
			if length == 0 {
				break
			}
			at += length
			st.pieces = append(st.pieces, token{id, int32(at)})
			if at == len(piece) {
				return
			}
		}
	}
	st.pieces = append(st.pieces[:first], token{w.unk, int32(len(piece))})
}
