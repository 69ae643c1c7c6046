package tokenizer

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// class is what the splitting rule sees of a character.
type class uint8

const (
	other class = iota // also each byte of invalid UTF-8
	letter
	number
	space
)

// next returns the class and the width in bytes of the first character of text, which is not empty.
func next(text string) (class, int) {
	r, width := rune(text[0]), 1
	if r >= utf8.RuneSelf {
		r, width = utf8.DecodeRuneInString(text)
	}
	switch {
	case unicode.IsLetter(r):
		return letter, width
	case unicode.IsNumber(r):
		return number, width
	case unicode.IsSpace(r):
		return space, width
	}
	return other, width
}

// run returns the length of the longest prefix of text whose characters are all of class c.
func run(text string, c class) int {
	n := 0
	for n < len(text) {
		k, width := next(text[n:])
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
func piece(text string) int {
	if text[0] == '\'' {
		for _, c := range contractions {
			if strings.HasPrefix(text, c) {
				return len(c)
			}
		}
	}
	c, width := next(text)
	if c != space {
		return run(text, c)
	}
	if text[0] == ' ' && len(text) > 1 {
		if c, _ := next(text[1:]); c != space {
			return 1 + run(text[1:], c)
		}
	}
	// A run of spaces leaves its last one to the word after it, unless it is all there is. That one then starts the
	// next piece if it is ' ' and is a piece of its own if not.
	n := run(text, space)
	if n == len(text) || n == width {
		return n
	}
	_, last := utf8.DecodeLastRuneInString(text[:n])
	return n - last
}
