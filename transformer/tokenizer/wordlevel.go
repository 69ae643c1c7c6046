package tokenizer

// wordLevel has a token for each word that it knows, and one for all others.
type wordLevel struct {
	ids map[string]int32
	unk int32
}

func newWordLevel(tokens []string, unk int32) *wordLevel {
	w := &wordLevel{make(map[string]int32, len(tokens)), unk}
	for id, token := range tokens {
		if token != "" {
			w.ids[token] = int32(id)
		}
	}
	return w
}

func (w *wordLevel) tokenize(st *state, piece string) {
	id, ok := w.ids[piece]
	if !ok {
		id = w.unk
	}
	st.pieces = append(st.pieces, token{id, int32(len(piece))})
}
