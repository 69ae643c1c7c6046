package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// preTokenizer cuts a text into pieces, which it hands to Tokenizer.cut for the next stage. A token never reaches over
// the end of a piece.
type preTokenizer interface {
	split(t *Tokenizer, st *state, v view, stage int)
}

// byteLevel is ByteLevel: GPT-2's rule, on text whose bytes the model reads one by one.
type byteLevel struct {
	AddPrefixSpace bool  `json:"add_prefix_space"`
	TrimOffsets    bool  `json:"trim_offsets"` // of no effect here
	UseRegex       *bool `json:"use_regex"`    // false: do not cut
}

func (b *byteLevel) split(t *Tokenizer, st *state, v view, stage int) {
	if b.AddPrefixSpace {
		if v.text[0] != ' ' {
			v = st.buffers[stage+1].prefixed(v, " ")
		}
	}
	if b.UseRegex != nil && !*b.UseRegex {
		t.cut(st, v, stage+1)
		return
	}
	d := characters()
	for start := 0; start < len(v.text); {
		end := start + piece(d, v.text[start:])
		t.cut(st, v.slice(start, end), stage+1)
		start = end
	}
}

// metaspace is Metaspace: ▁ for the space, which begins a word.
type metaspace struct {
	Replacement    string `json:"replacement"`
	AddPrefixSpace *bool  `json:"add_prefix_space"` // what older files have for PrependScheme
	PrependScheme  string `json:"prepend_scheme"`   // always, first or never
	Split          *bool  `json:"split"`
}

func (m *metaspace) split(t *Tokenizer, st *state, v view, stage int) {
	n := &st.buffers[stage+1]
	first := v.span(0, 1).Start == 0
	if strings.Contains(v.text, " ") {
		n.load(v)
		replacer{literal: " ", content: m.Replacement}.normalize(n)
		v = n.view()
	}
	if !strings.HasPrefix(v.text, m.Replacement) && (m.PrependScheme == "always" || m.PrependScheme == "first" && first) {
		v = n.prefixed(v, m.Replacement)
	}
	if m.Split != nil && !*m.Split {
		t.cut(st, v, stage+1)
		return
	}
	for start := 0; start < len(v.text); {
		_, size := utf8.DecodeRuneInString(v.text[start:])
		end := len(v.text)
		if i := strings.Index(v.text[start+size:], m.Replacement); i >= 0 {
			end = start + size + i
		}
		t.cut(st, v.slice(start, end), stage+1)
		start = end
	}
}

// splitter is Split: it cuts where a pattern matches, and joins what it cut as behavior says.
type splitter struct {
	pattern  matcher
	behavior string
	invert   bool // take what does not match for what does
}

// The behaviors: a match is a piece, or none, or of the piece before or behind it, or of the matches next to it.
const (
	isolated   = "Isolated"
	removed    = "Removed"
	withBefore = "MergedWithPrevious"
	withNext   = "MergedWithNext"
	contiguous = "Contiguous"
)

func (s *splitter) split(t *Tokenizer, st *state, v view, stage int) {
	d := characters()
	start, end, last := 0, 0, false // a piece that may be joined to, and whether its last part is a match
	part := func(to int, match bool) {
		if to == end {
			return
		}
		join := false
		switch s.behavior {
		case withBefore:
			join = match && !last
		case withNext:
			join = !match && last
		case contiguous:
			join = match == last
		}
		if !join && start < end {
			t.cut(st, v.slice(start, end), stage+1)
		}
		if !join {
			start = end
		}
		if end, last = to, match; match && s.behavior == removed {
			start = to
		}
	}
	for at := 0; at < len(v.text); at = end {
		from, to := s.pattern.next(d, v.text, at)
		part(from, s.invert)
		part(to, !s.invert)
	}
	if start < end {
		t.cut(st, v.slice(start, end), stage+1)
	}
}

// classes cuts where characters of one class meet those of another: what is to drop belongs to no piece, what is lone is
// a piece of its own, and the other pieces are runs of what is of a word, and of what is not.
type classes struct{ drop, lone, word class }

// The components of tokenizer.json that are such rules.
var (
	bertPreTokenizer = classes{drop: space, lone: punctuation}
	whitespaceSplit  = classes{drop: space}
	whitespaceWords  = classes{drop: space, word: wordChar}
	punctuations     = classes{lone: punctuation}
	digits           = classes{word: digit}
	singleDigits     = classes{lone: digit}
)

const (
	dropped = iota
	joined
	others
	alone
)

func (rule classes) of(c class) uint8 {
	switch {
	case c&rule.drop != 0:
		return dropped
	case c&rule.lone != 0:
		return alone
	case c&rule.word != 0:
		return joined
	}
	return others
}

// classSplitter is a rule, and what it says of ASCII.
type classSplitter struct {
	classes
	ascii [utf8.RuneSelf]uint8
}

func (rule classes) splitter() *classSplitter {
	s := &classSplitter{classes: rule}
	for c := range s.ascii {
		s.ascii[c] = rule.of(characters().class(rune(c)))
	}
	return s
}

func (s *classSplitter) split(t *Tokenizer, st *state, v view, stage int) {
	d := characters()
	text, start, last := v.text, 0, uint8(dropped)
	for i := 0; i < len(text); {
		size, now := 1, uint8(dropped)
		if c := text[i]; c < utf8.RuneSelf {
			now = s.ascii[c]
		} else {
			var r rune
			r, size = utf8.DecodeRuneInString(text[i:])
			now = s.of(d.class(r))
		}
		if now != last || now == alone {
			if last != dropped {
				t.cut(st, v.slice(start, i), stage+1)
			}
			start, last = i, now
		}
		i += size
	}
	if last != dropped {
		t.cut(st, v.slice(start, len(text)), stage+1)
	}
}
