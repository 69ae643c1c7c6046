package tokenizer

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Decode returns the text of tokens. Special tokens, and ids that are not in the vocabulary (the -100 of a label that is
// ignored, or the unused rows of a model's embedding), stand for no text. Byte-level tokens give back the bytes that they
// were made of; the others words with a space between them, near to the text that they came from.
func (t *Tokenizer) Decode(ids []int32) string {
	parts := make([]string, 0, len(ids))
	for _, id := range ids {
		if id >= 0 && int(id) < len(t.text) && !t.special[id] {
			parts = append(parts, t.text[id])
		}
	}
	if len(t.decoders) == 0 {
		return strings.Join(parts, " ")
	}
	for _, d := range t.decoders {
		parts = d.decode(parts)
	}
	return strings.Join(parts, "")
}

// decoders are applied one after the other. Without any, there are spaces between tokens.
type decoders []decoder

// decoder makes of the parts of a text, which are tokens at first, others. It may write over them.
type decoder interface {
	decode(parts []string) []string
}

// bytesDecoder is ByteLevel. Tokenizer.text has the bytes of its tokens already.
type bytesDecoder struct{}

func (bytesDecoder) decode(parts []string) []string { return parts }

// wordPieceDecoder is WordPiece: a space before every token that does not go on with a word. Cleanup takes it away where
// written English has none.
type wordPieceDecoder struct {
	Prefix  string `json:"prefix"`
	Cleanup bool   `json:"cleanup"`
}

func (w *wordPieceDecoder) decode(parts []string) []string {
	for i, token := range parts {
		if i > 0 {
			if goesOn, ok := strings.CutPrefix(token, w.Prefix); ok {
				token = goesOn
			} else {
				token = " " + token
			}
		}
		if w.Cleanup {
			token = cleanup.Replace(token)
		}
		parts[i] = token
	}
	return parts
}

// One pass does what Hugging Face does in as many as there are rules, since none makes what another looks for.
var cleanup = strings.NewReplacer(" .", ".", " ?", "?", " !", "!", " ,", ",", " ' ", "'", " n't", "n't", " 'm", "'m",
	" do not", " don't", " 's", "'s", " 've", "'ve", " 're", "'re")

func (m *metaspace) decode(parts []string) []string {
	for i, token := range parts {
		space := " "
		if i == 0 && m.PrependScheme != "never" {
			space = "" // all that the first token has
		}
		parts[i] = strings.ReplaceAll(token, m.Replacement, space)
	}
	return parts
}

// suffixDecoder is BPEDecoder: a space for what ends a word, but for the last one.
type suffixDecoder struct {
	Suffix string `json:"suffix"`
}

func (s *suffixDecoder) decode(parts []string) []string {
	for i, token := range parts {
		space := " "
		if i == len(parts)-1 {
			space = ""
		}
		parts[i] = strings.ReplaceAll(token, s.Suffix, space)
	}
	return parts
}

// ctcDecoder is CTC: of equal tokens in a row one stays, of the padding between them nothing (Graves et al., 2006).
type ctcDecoder struct {
	Pad       string `json:"pad_token"`
	Delimiter string `json:"word_delimiter_token"`
	Cleanup   bool   `json:"cleanup"`
}

func (c *ctcDecoder) decode(parts []string) []string {
	parts = slices.Compact(parts)
	for i, token := range parts {
		token = strings.ReplaceAll(token, c.Pad, "")
		if c.Cleanup {
			token = strings.ReplaceAll(cleanup.Replace(token), c.Delimiter, " ")
		}
		parts[i] = token
	}
	return slices.DeleteFunc(parts, func(token string) bool { return token == "" })
}

// fuseDecoder is Fuse: what comes after it sees one part.
type fuseDecoder struct{}

func (fuseDecoder) decode(parts []string) []string { return []string{strings.Join(parts, "")} }

// fallbackDecoder is ByteFallback: the tokens <0x00> to <0xFF> are bytes, and a run of them that is no UTF-8 as many
// replacement characters.
type fallbackDecoder struct{}

func (fallbackDecoder) decode(parts []string) []string {
	decoded := parts[:0]
	var run []byte
	flush := func() {
		if utf8.Valid(run) {
			if len(run) > 0 {
				decoded = append(decoded, string(run))
			}
		} else {
			for range run {
				decoded = append(decoded, string(utf8.RuneError))
			}
		}
		run = run[:0]
	}
	for _, token := range parts {
		if b, ok := fallbackByte(token); ok {
			run = append(run, b)
			continue
		}
		flush()
		decoded = append(decoded, token)
	}
	flush()
	return decoded
}

func fallbackByte(token string) (byte, bool) {
	if len(token) != 6 || token[:3] != "<0x" || token[5] != '>' {
		return 0, false
	}
	b, err := strconv.ParseUint(token[3:5], 16, 8)
	return byte(b), err == nil
}

// stripDecoder is Strip: it takes up to so many characters of a kind off the ends of each part.
type stripDecoder struct {
	Content string `json:"content"`
	Start   int    `json:"start"`
	Stop    int    `json:"stop"`
}

func (s *stripDecoder) decode(parts []string) []string {
	for i, part := range parts {
		for n := 0; n < s.Start && strings.HasPrefix(part, s.Content); n++ {
			part = part[len(s.Content):]
		}
		for n := 0; n < s.Stop && strings.HasSuffix(part, s.Content); n++ {
			part = part[:len(part)-len(s.Content)]
		}
		parts[i] = part
	}
	return parts
}

func (p replacer) decode(parts []string) []string {
	d := characters()
	for i, part := range parts {
		var b strings.Builder
		done := 0
		for start, end := p.next(d, part, 0); start < len(part); start, end = p.next(d, part, end) {
			b.WriteString(part[done:start] + p.content)
			done = end
		}
		if done > 0 {
			parts[i] = b.String() + part[done:]
		}
	}
	return parts
}
