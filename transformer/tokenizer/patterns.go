package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// matcher returns the length of what matches at the beginning of a text, 0 if nothing does.
type matcher func(d *database, text string) int

// next returns where the first match is at the given place or after it. There is none if start is len(text).
func (m matcher) next(d *database, text string, from int) (start, end int) {
	for from < len(text) {
		if n := m(d, text[from:]); n > 0 {
			return from, from + n
		}
		_, size := utf8.DecodeRuneInString(text[from:])
		from += size
	}
	return from, from
}

// literal matches a string, which is not empty.
func literal(s string) matcher {
	return func(_ *database, text string) int {
		if strings.HasPrefix(text, s) {
			return len(s)
		}
		return 0
	}
}

// of matches one character of some classes.
func of(c class) matcher {
	return func(d *database, text string) int {
		r, size := utf8.DecodeRuneInString(text)
		if d.class(r)&c == 0 {
			return 0
		}
		return size
	}
}

// The regular expressions of tokenizer.json are those that people use, each matched by hand: package regexp cannot look
// ahead, and a stranger's pattern could take any time.
var patterns = map[string]matcher{
	// GPT-2, RoBERTa, BART
	`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`: piece,
	// GPT-3.5 and GPT-4 (cl100k), Llama 3
	contracted + `|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*` + spaced: modern{contraction: before, digits: 3}.piece,
	// Qwen 2
	contracted + `|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*` + spaced: modern{contraction: before, digits: 1}.piece,
	// Qwen 3.5
	contracted + `|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*` + spaced: modern{contraction: before, digits: 1, marks: true}.piece,
	// GPT-4o (o200k)
	lowerEnd + contracted + `?|` + upperStart + contracted + `?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*` + spaced: modern{contraction: after, digits: 3, cased: true}.piece,
	// Mistral (tekken)
	lowerEnd + `|` + upperStart + `|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*` + spaced: modern{digits: 1, cased: true}.piece,
	// CLIP
	`'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+`: clip,
	// DeepSeek, which has three
	`\p{N}{1,3}`: func(d *database, text string) int { return atMost(d, text, number, 3) },
	`[一-龥぀-ゟ゠-ヿ]+`: func(_ *database, text string) int {
		return len(text) - len(strings.TrimLeftFunc(text, func(r rune) bool { return r >= '一' && r <= '龥' || r >= 0x3040 && r <= 0x30FF }))
	},
	"[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+": deepSeek,
	// of normalisers
	` {2,}`: func(_ *database, text string) int {
		n := len(text) - len(strings.TrimLeft(text, " "))
		if n < 2 {
			return 0
		}
		return n
	},
	`\s+`: func(d *database, text string) int { return run(d, text, space) },
	`\s{2,}|[\n\r\t]`: func(d *database, text string) int {
		n := run(d, text, space)
		if n == 0 {
			return 0
		}
		if _, size := utf8.DecodeRuneInString(text); n > size || strings.IndexByte("\n\r\t", text[0]) >= 0 {
			return n
		}
		return 0
	},
	`[\n\r\t]`: func(_ *database, text string) int {
		if strings.IndexByte("\n\r\t", text[0]) >= 0 {
			return 1
		}
		return 0
	},
	`\n`: literal("\n"),
}

const (
	contracted = `(?i:'s|'t|'re|'ve|'m|'ll|'d)`
	lowerEnd   = `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+`
	upperStart = `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*`
	spaced     = `|\s*[\r\n]+|\s+(?!\S)|\s+`
)

// modern is the family of patterns that came after GPT-2's. All match any text from end to end.
type modern struct {
	contraction int  // where 's and its like are cut off: as pieces, or joined to the word before them
	digits      int  // how many digits a piece has at most
	marks       bool // whether marks are parts of words
	cased       bool // whether words are cut before a capital that follows a small letter
}

const (
	nowhere = iota
	before
	after
)

func (m modern) piece(d *database, text string) int {
	if m.contraction == before {
		if n := contraction(text); n > 0 {
			return n
		}
	}
	if n := m.word(d, text); n > 0 {
		return n
	}
	c, _ := kind(d, text)
	switch {
	case c == number:
		return atMost(d, text, number, m.digits)
	case c == 0: // a letter would have been a word
		return m.symbols(d, text)
	case text[0] == ' ' && len(text) > 1:
		if n := m.symbols(d, text[1:]); n > 0 {
			return 1 + n
		}
	}
	return spaces(d, text)
}

// spaces matches those up to the last end of a line among them; or all but the last, unless it is all there is.
func spaces(d *database, text string) int {
	n := run(d, text, space)
	if i := strings.LastIndexAny(text[:n], "\r\n"); i >= 0 {
		return i + 1
	}
	if n == len(text) || n == 0 {
		return n
	}
	if _, last := utf8.DecodeLastRuneInString(text[:n]); last < n {
		return n - last
	}
	return n
}

// runOf returns the length of the longest prefix of text whose characters are each of one of some classes.
func runOf(d *database, text string, c class) int {
	n := 0
	for n < len(text) {
		r, width := utf8.DecodeRuneInString(text[n:])
		if d.class(r)&c == 0 {
			break
		}
		n += width
	}
	return n
}

// atMost is runOf for so many characters at most.
func atMost(d *database, text string, c class, most int) int {
	n := 0
	for ; most > 0 && n < len(text); most-- {
		r, width := utf8.DecodeRuneInString(text[n:])
		if d.class(r)&c == 0 {
			break
		}
		n += width
	}
	return n
}

// word matches a word and the character before it, if that is no letter, digit or end of a line.
func (m modern) word(d *database, text string) int {
	r, width := utf8.DecodeRuneInString(text)
	if c := d.class(r); c&(letter|number) == 0 && r != '\r' && r != '\n' {
		// A mark before nothing but capitals is a word itself: the pattern looks for one with small letters first.
		if n, small := m.letters(d, text[width:]); n > 0 && (small || c&combines == 0) {
			return width + n
		}
	}
	n, _ := m.letters(d, text)
	return n
}

// letters matches a word, and tells whether it is one with small letters at its end, or with what is neither small nor
// capital.
func (m modern) letters(d *database, text string) (n int, small bool) {
	if !m.cased {
		c := letter
		if m.marks {
			c |= combines
		}
		return runOf(d, text, c), true
	}
	// Capitals, and then small letters; what is neither, such as marks, may be with both.
	capitals, both := 0, 0 // both: the end of the last one that is neither
	for n < len(text) {
		r, width := utf8.DecodeRuneInString(text[n:])
		c := d.class(r)
		if c&(letter|combines) == 0 || c&lowerCase != 0 {
			break
		}
		n += width
		if c&upperCase == 0 {
			both = n
		}
	}
	capitals = n
	for n < len(text) {
		r, width := utf8.DecodeRuneInString(text[n:])
		c := d.class(r)
		if c&(letter|combines) == 0 || c&upperCase != 0 {
			break
		}
		n += width
	}
	small = n > capitals
	if !small && both > 0 {
		n, small = both, true
	}
	if n > 0 && m.contraction == after {
		n += contraction(text[n:])
	}
	return n, small
}

// symbols matches a run of what is no letter, digit or space, and the ends of lines after it.
func (m modern) symbols(d *database, text string) int {
	n := 0
	for n < len(text) {
		c, width := kind(d, text[n:])
		if c != 0 {
			break
		}
		if m.marks {
			if r, _ := utf8.DecodeRuneInString(text[n:]); d.class(r)&combines != 0 {
				break
			}
		}
		n += width
	}
	if n == 0 {
		return 0
	}
	ends := "\r\n"
	if m.cased {
		ends = "\r\n/"
	}
	return len(text) - len(strings.TrimLeft(text[n:], ends))
}

// contraction matches (?i:'s|'t|'re|'ve|'m|'ll|'d). The long s is an s.
func contraction(text string) int {
	if len(text) < 2 || text[0] != '\'' {
		return 0
	}
	switch text[1] | 0x20 {
	case 's', 't', 'm', 'd':
		return 2
	}
	if strings.HasPrefix(text[1:], "ſ") {
		return 3
	}
	if len(text) > 2 {
		switch string([]byte{text[1] | 0x20, text[2] | 0x20}) {
		case "re", "ve", "ll":
			return 3
		}
	}
	return 0
}

// clip matches CLIP's pattern, to which spaces are nothing.
func clip(d *database, text string) int {
	for _, c := range contractions {
		if strings.HasPrefix(text, c) {
			return len(c)
		}
	}
	switch c, width := kind(d, text); c {
	case space:
		return 0
	case number:
		return width
	default:
		return run(d, text, c)
	}
}

// deepSeek matches what is left when digits and the characters of Chinese and Japanese are cut out.
func deepSeek(d *database, text string) int {
	isLetter := func(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
	if c := text[0]; '!' <= c && c <= '~' && !isLetter(c) && (c < '0' || c > '9') {
		n := 1
		for n < len(text) && isLetter(text[n]) {
			n++
		}
		if n > 1 {
			return n
		}
	}
	r, width := utf8.DecodeRuneInString(text)
	c := d.class(r)
	if c&(letter|sign) == 0 && r != '\r' && r != '\n' {
		if n := runOf(d, text[width:], letter|combines); n > 0 {
			return width + n
		}
	}
	if n := runOf(d, text, letter|combines); n > 0 {
		return n
	}
	before := 0
	if text[0] == ' ' {
		before = 1
	}
	if n := before + runOf(d, text[before:], sign); n > before {
		return len(text) - len(strings.TrimLeft(text[n:], "\r\n"))
	}
	return spaces(d, text)
}
