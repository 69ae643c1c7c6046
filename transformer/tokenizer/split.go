package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// kind returns which of the classes that the splitting rule tells apart (letter, number, space, or 0) the first
// character of text is of, and its width in bytes. Each byte of invalid UTF-8 is one of class 0.
func kind(d *database, text string) (class, int) {
	r, width := rune(text[0]), 1
	if r >= utf8.RuneSelf {
		r, width = utf8.DecodeRuneInString(text)
	}
	return d.class(r) & (letter | number | space), width
}

// run returns the length of the longest prefix of text whose characters are all of class c.
func run(d *database, text string, c class) int {
	n := 0
	for n < len(text) {
		k, width := kind(d, text[n:])
		if k != c {
			break
		}
		n += width
	}
	return n
}

// contractions are tried in the order of GPT-2's pattern, although no two of them start alike.
var contractions = []string{"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"}

// piece returns the length of the first piece of text, which is not empty. It matches what GPT-2's pattern matches,
//
//	's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
//
// by hand, since package regexp cannot look ahead.
func piece(d *database, text string) int {
	if text[0] == '\'' {
		for _, c := range contractions {
			if strings.HasPrefix(text, c) {
				return len(c)
			}
		}
	}
	c, width := kind(d, text)
	if c != space {
		return run(d, text, c)
	}
	if text[0] == ' ' && len(text) > 1 {
		if c, _ := kind(d, text[1:]); c != space {
			return 1 + run(d, text[1:], c)
		}
	}
	// A run of spaces leaves its last one to the word after it, unless it is all there is. That one then starts the
	// next piece if it is ' ' and is a piece of its own if not.
	n := run(d, text, space)
	if n == len(text) || n == width {
		return n
	}
	_, last := utf8.DecodeLastRuneInString(text[:n])
	return n - last
}
