package tokenizer

import "strings"

// Decode returns the text of tokens. Special tokens, and ids that are not in the vocabulary (the -100 of a label that is
// ignored, or the unused rows of a model's embedding), stand for no text. Byte-level tokens give back the bytes that they
// were made of; the others words with a space between them, near to the text that they came from.
func (t *Tokenizer) Decode(ids []int32) string {
	var text strings.Builder
	first := true
	for _, id := range ids {
		if id >= 0 && int(id) < len(t.text) && !t.special[id] {
			t.decoder.decode(&text, t.text[id], first)
			first = false
		}
	}
	return text.String()
}

// decoder appends a token to a text.
type decoder interface {
	decode(text *strings.Builder, token string, first bool)
}

// bytesDecoder is ByteLevel.
type bytesDecoder struct{}

func (bytesDecoder) decode(text *strings.Builder, token string, _ bool) { text.WriteString(token) }

// separated is no decoder at all: tokens with something between them.
type separated struct{ by string }

func (s separated) decode(text *strings.Builder, token string, first bool) {
	if !first {
		text.WriteString(s.by)
	}
	text.WriteString(token)
}

// wordPieceDecoder is WordPiece: a space before every token that does not go on with a word. Cleanup takes it away where
// written English has none.
type wordPieceDecoder struct {
	Prefix  string `json:"prefix"`
	Cleanup bool   `json:"cleanup"`
}

func (w wordPieceDecoder) decode(text *strings.Builder, token string, first bool) {
	if !first {
		if goesOn, ok := strings.CutPrefix(token, w.Prefix); ok {
			token = goesOn
		} else {
			token = " " + token
		}
	}
	if w.Cleanup {
		token = cleanup.Replace(token)
	}
	text.WriteString(token)
}

// One pass does what Hugging Face does in as many as there are rules, since none makes what another looks for.
var cleanup = strings.NewReplacer(" .", ".", " ?", "?", " !", "!", " ,", ",", " ' ", "'", " n't", "n't", " 'm", "'m",
	" do not", " don't", " 's", "'s", " 've", "'ve", " 're", "'re")

func (m *metaspace) decode(text *strings.Builder, token string, first bool) {
	space := " "
	if first && m.PrependScheme != "never" {
		space = "" // all that the first token has
	}
	text.WriteString(strings.ReplaceAll(token, m.Replacement, space))
}
