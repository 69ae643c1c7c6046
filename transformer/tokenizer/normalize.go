package tokenizer

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"
)

// normalizer is a component of tokenizer.json that changes a text before it is cut.
type normalizer interface {
	normalize(n *normal)
}

// normalizers are several, one after the other.
type normalizers []normalizer

func (s normalizers) normalize(n *normal) {
	for _, part := range s {
		part.normalize(n)
	}
}

func ascii(text []byte) bool {
	return !slices.ContainsFunc(text, func(b byte) bool { return b >= utf8.RuneSelf })
}

// form is a normalisation form of Unicode: NFD, NFC, NFKD, NFKC.
type form struct{ compat, compose bool }

func (f form) normalize(n *normal) {
	if ascii(n.text) {
		return // in every form already
	}
	d := characters()
	n.parts = n.parts[:0]
	for i := 0; i < len(n.text); {
		r, size := utf8.DecodeRune(n.text[i:])
		n.parts = d.decompose(n.parts, r, f.compat)
		i += size
	}
	order(n.parts)
	if f.compose {
		n.parts = d.composeAll(n.parts)
	}
	old := n.rewrite()
	at := 0 // first byte of the old text that nothing has taken the place of yet
	for _, p := range n.parts {
		if p.used == 0 {
			n.put(p.r, max(at-1, 0))
			continue
		}
		n.put(p.r, at)
		for range p.used {
			_, size := utf8.DecodeRune(old[at:])
			at += size
		}
	}
}

// lowercaser puts every character into lower case by itself: a capital sigma is σ at the end of a word too.
type lowercaser struct{}

func (lowercaser) normalize(n *normal) {
	d := characters()
	eachRune(n, func(r rune, at int) { n.lower(d, r, at) })
}

func (n *normal) lower(d *database, r rune, at int) {
	if d.class(r)&capital == 0 {
		n.put(r, at)
		return
	}
	for _, l := range d.lower[r] {
		n.put(l, at)
	}
}

// eachRune rewrites a text character by character.
func eachRune(n *normal, put func(r rune, at int)) {
	old := n.rewrite()
	for i := 0; i < len(old); {
		r, size := utf8.DecodeRune(old[i:])
		put(r, i)
		i += size
	}
}

// accentStripper removes all marks; what consists of a letter and a mark is to be taken apart before.
type accentStripper struct{}

func (accentStripper) normalize(n *normal) {
	d := characters()
	eachRune(n, func(r rune, at int) {
		if d.class(r)&mark == 0 {
			n.put(r, at)
		}
	})
}

// spaceStripper removes spaces at the ends.
type spaceStripper struct{ left, right bool }

func (s spaceStripper) normalize(n *normal) {
	d := characters()
	isSpace := func(r rune) bool { return d.class(r)&space != 0 }
	start, end := 0, len(n.text)
	if s.left {
		start = end - len(bytes.TrimLeftFunc(n.text, isSpace))
	}
	if s.right {
		end = start + len(bytes.TrimRightFunc(n.text[start:], isSpace))
	}
	n.rewrite()
	n.copy(start, end)
}

// replacer puts a string in the place of what matches a pattern.
type replacer struct {
	pattern matcher
	literal string // that the pattern is; "": it is another one
	content string
}

func (p replacer) next(d *database, text string, from int) (start, end int) {
	if p.literal == "" {
		return p.pattern.next(d, text, from)
	}
	if i := strings.Index(text[from:], p.literal); i >= 0 {
		return from + i, from + i + len(p.literal)
	}
	return len(text), len(text)
}

func (p replacer) normalize(n *normal) {
	d := characters()
	text := n.string()
	start, end := p.next(d, text, 0)
	if start == len(text) {
		return
	}
	old := n.rewrite() // which text is a view of
	done := 0
	for ; start < len(text); start, end = p.next(d, text, end) {
		n.copy(done, start)
		for _, r := range p.content {
			n.put(r, end-1) // stands for the last character that it replaces, as in Hugging Face
		}
		done = end
	}
	n.copy(done, len(old))
}

// nmt takes control characters away, and puts spaces in the place of what is like one.
type nmt struct{}

func (nmt) normalize(n *normal) {
	eachRune(n, func(r rune, at int) {
		switch {
		case r >= 1 && r <= 8, r == 0xB, r >= 0xE && r <= 0x1F, r == 0x7F, r == 0x8F, r == 0x9F:
		case r == '\t', r == '\n', r == '\f', r == '\r', r == 0x1680, r >= 0x200B && r <= 0x200F, r == 0x2028, r == 0x2029,
			r == 0x2581, r == 0xFEFF, r == 0xFFFD:
			n.put(' ', at)
		default:
			n.put(r, at)
		}
	})
}

// prepender puts a string before a text that is not empty.
type prepender struct{ prefix string }

func (p prepender) normalize(n *normal) {
	if len(n.text) == 0 {
		return
	}
	old := n.rewrite()
	for _, r := range p.prefix {
		n.put(r, 0)
	}
	n.copy(0, len(old))
}

// bert is BertNormalizer. Its parts come one after the other in Hugging Face, and here at once for every character.
type bert struct {
	CleanText          bool  `json:"clean_text"`
	HandleChineseChars bool  `json:"handle_chinese_chars"`
	StripAccents       *bool `json:"strip_accents"` // null: as Lowercase
	Lowercase          bool  `json:"lowercase"`
}

func (b *bert) strips() bool {
	if b.StripAccents != nil {
		return *b.StripAccents
	}
	return b.Lowercase
}

// simple appends a text that is printable ASCII and the usual spaces, and so changes byte for byte, to dst. It tells
// whether that was so.
func (b *bert) simple(dst []byte, text string) ([]byte, bool) {
	table := &asIs
	if b.Lowercase {
		table = &lowered
	}
	start := len(dst)
	dst = append(dst, text...)
	for i, c := range dst[start:] {
		l := table[c]
		if l == 0 {
			return dst[:start], false
		}
		if l == ' ' && !b.CleanText {
			l = c
		}
		dst[start+i] = l
	}
	return dst, true
}

// What BERT makes of the bytes of ASCII, 0 where that is not one byte.
var asIs, lowered = func() (same, lower [256]byte) {
	for c := byte(' '); c < 0x7f; c++ {
		same[c], lower[c] = c, c
		if 'A' <= c && c <= 'Z' {
			lower[c] = c + 'a' - 'A'
		}
	}
	for _, c := range "\t\n\r" {
		same[c], lower[c] = ' ', ' '
	}
	return same, lower
}()

func (b *bert) normalize(n *normal) {
	d := characters()
	strip := b.strips()
	put := func(r rune, at int) {
		if b.Lowercase {
			n.lower(d, r, at)
		} else {
			n.put(r, at)
		}
	}
	n.parts, n.places = n.parts[:0], n.places[:0]
	flush := func() {
		if len(n.parts) == 0 {
			return
		}
		order(n.parts)
		next := -1
		for _, p := range n.parts {
			if p.used > 0 {
				next++
			}
			if d.class(p.r)&accent == 0 {
				put(p.r, n.places[max(next, 0)])
			}
		}
		n.parts, n.places = n.parts[:0], n.places[:0]
	}
	eachRune(n, func(r rune, at int) {
		c := d.class(r)
		if b.CleanText {
			if c&control != 0 && r != '\t' && r != '\n' && r != '\r' {
				return
			}
			if c&space != 0 {
				r = ' '
				c = d.class(' ')
			}
		}
		spaced := b.HandleChineseChars && c&chinese != 0
		if strip && (c&(canonically|nonstarter|accent) != 0) {
			if c&nonstarter == 0 {
				flush()
				if spaced {
					n.put(' ', at)
				}
			}
			n.parts = d.decompose(n.parts, r, false)
			n.places = append(n.places, at)
			if spaced {
				flush()
				n.put(' ', at)
			}
			return
		}
		flush()
		if spaced {
			n.put(' ', at)
		}
		put(r, at)
		if spaced {
			n.put(' ', at)
		}
	})
	flush()
}
