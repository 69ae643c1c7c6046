package tokenizer

import (
	"fmt"
	"strings"
)

// Options say how texts become what a model reads. The zero value puts special tokens around them and cuts nothing.
type Options struct {
	// ParseSpecial has the special tokens that are written in a text read as such, as Hugging Face does unless told
	// otherwise: for a text with <mask> in it, never for one that a stranger wrote.
	ParseSpecial bool
	// NoSpecialTokens leaves out the tokens that begin, separate and end texts.
	NoSpecialTokens bool

	MaxLength  int        // the most tokens, special ones included; 0: no limit
	Truncation Truncation // which text is cut to that; "": LongestFirst
	Left       bool       // cut the beginning of a text, not its end (truncation_side)
	// Overflow has what is cut off returned too, as windows of at most MaxLength tokens. Those of a pair cut one of its
	// texts, which OnlyFirst or OnlySecond names, and have all of the other.
	Overflow bool
	// Stride is how many tokens at the end of a window the next one has again. Where the other text leaves no more room
	// than that, there are no windows after the first.
	Stride int
}

// Truncation is a strategy of Hugging Face's by its name. Where it cannot make an input short enough, since the other text
// alone is too long, the text it names is left out and the other one is cut as well.
type Truncation string

// The strategies. LongestFirst cuts the longer text of a pair, and both once they are equally long.
const (
	LongestFirst Truncation = "longest_first"
	OnlyFirst    Truncation = "only_first"
	OnlySecond   Truncation = "only_second"
)

// template is how special tokens and texts follow one another.
type template []templateItem

type templateItem struct {
	sequence int8    // 0 or 1; -1: ids
	ids      []int32 // special tokens
	kind     int32   // of their token_type_ids
}

// added returns the number of special tokens.
func (t template) added() int {
	n := 0
	for _, item := range t {
		n += len(item.ids)
	}
	return n
}

// bare returns the template without special tokens.
func (t template) bare() template {
	var texts template
	for _, item := range t {
		if item.sequence >= 0 {
			texts = append(texts, item)
		}
	}
	return texts
}

// What a tokenizer does of which no file says it.
var (
	bareSingle = template{{sequence: 0}}
	barePair   = template{{sequence: 0}, {sequence: 1, kind: 1}}
)

// PostProcess makes of the encoding of a text, and of a second one if a pair is given, what a model reads: it cuts to
// MaxLength, adds special tokens and token types. It panics for options that contradict each other: a MaxLength without room
// for the special tokens, windows of a pair that do not say of which text.
func (t *Tokenizer) PostProcess(o Options, text Encoding, pair ...Encoding) Encoding {
	if len(pair) > 1 {
		panic(fmt.Sprintf("tokenizer: PostProcess: %d texts, a model reads one or two", 1+len(pair)))
	}
	layout := t.single
	texts := [2]Encoding{text}
	if len(pair) == 1 {
		texts[1], layout = pair[0], t.pair
	}
	if o.NoSpecialTokens {
		layout = layout.bare()
	}
	if o.Stride < 0 {
		panic(fmt.Sprintf("tokenizer: PostProcess: stride %d", o.Stride))
	}
	n := [2]int{len(texts[0].IDs), len(texts[1].IDs)}
	room := n
	if o.MaxLength != 0 {
		most := o.MaxLength - layout.added()
		if most < 0 {
			panic(fmt.Sprintf("tokenizer: PostProcess: MaxLength %d, the special tokens alone are %d", o.MaxLength, layout.added()))
		}
		room = o.Truncation.cut(n, most)
	}
	e := t.join(layout, texts, o.part(n, room, 0), o.part(n, room, 1))
	if e.Truncated = room != n; !e.Truncated || !o.Overflow {
		return e
	}
	which := 0
	if len(pair) == 1 {
		switch o.Truncation {
		case OnlyFirst:
		case OnlySecond:
			which = 1
		default:
			panic("tokenizer: PostProcess: windows of a pair need Truncation OnlyFirst or OnlySecond")
		}
	}
	if room[which] <= o.Stride {
		return e
	}
	parts := [2]Span{o.part(n, room, 0), o.part(n, room, 1)}
	step := room[which] - o.Stride
	for w := &parts[which]; ; {
		if o.Left {
			if w.Start == 0 {
				break
			}
			w.End -= step
			w.Start = max(0, w.End-room[which])
		} else {
			if w.End == n[which] {
				break
			}
			w.Start += step
			w.End = min(n[which], w.Start+room[which])
		}
		window := t.join(layout, texts, parts[0], parts[1])
		window.Truncated = true
		e.Overflow = append(e.Overflow, window)
	}
	return e
}

// cut returns how many tokens of each text are kept so that there are at most most.
func (s Truncation) cut(n [2]int, most int) [2]int {
	over := n[0] + n[1] - most
	if over <= 0 {
		return n
	}
	switch s {
	case "", LongestFirst:
		long := 0 // of two equally long ones it is the second, which gets the odd token
		if n[1] >= n[0] {
			long = 1
		}
		short := min(n[1-long], most/2)
		n[1-long], n[long] = short, most-short
	case OnlyFirst, OnlySecond:
		which := 0
		if s == OnlySecond {
			which = 1
		}
		over -= n[which]
		n[which] = max(0, -over)
		n[1-which] -= max(0, over)
	default:
		panic(fmt.Sprintf("tokenizer: PostProcess: Truncation %q, want %q, %q or %q", s, LongestFirst, OnlyFirst, OnlySecond))
	}
	return n
}

// part returns which tokens of a text are in the first window.
func (o Options) part(n, room [2]int, i int) Span {
	if o.Left {
		return Span{n[i] - room[i], n[i]}
	}
	return Span{0, room[i]}
}

// join puts parts of one or two texts into a template.
func (t *Tokenizer) join(layout template, texts [2]Encoding, parts ...Span) Encoding {
	total := layout.added()
	for _, item := range layout {
		if item.sequence >= 0 {
			total += parts[item.sequence].End - parts[item.sequence].Start
		}
	}
	numbers := make([]int32, 2*total) // one allocation for two
	e := Encoding{
		IDs: numbers[:0:total], Offsets: make([]Span, 0, total),
		Types: numbers[total:total], Sequences: make([]int8, 0, total),
	}
	for _, item := range layout {
		if item.sequence < 0 {
			e.IDs = append(e.IDs, item.ids...)
			for range item.ids {
				e.Offsets = append(e.Offsets, Span{})
			}
		} else {
			part, from := parts[item.sequence], texts[item.sequence]
			e.IDs = append(e.IDs, from.IDs[part.Start:part.End]...)
			for i, span := range from.Offsets[part.Start:part.End] {
				if t.trim {
					span = t.trimmed(from.IDs[part.Start+i], span, from.text)
				}
				e.Offsets = append(e.Offsets, span)
			}
		}
		for len(e.Types) < len(e.IDs) {
			e.Types, e.Sequences = append(e.Types, item.kind), append(e.Sequences, item.sequence)
		}
	}
	return e
}

// trimmed leaves out of the part of a text that a token stands for the spaces at its ends, as RobertaProcessing and
// ByteLevel do in Hugging Face. There the spaces of the token are taken off, also where one was put before the text and is
// not in it.
func (t *Tokenizer) trimmed(id int32, s Span, text string) Span {
	part := text[s.Start:s.End]
	token := t.text[id]
	if ends := len(part) - 1; ends >= 0 && isVisible(part[0]) && isVisible(part[ends]) && token != "" && isVisible(token[len(token)-1]) {
		return s // as most are
	}
	if t.added[id] { // which may have taken any white space around it
		s.Start += len(part) - len(strings.TrimLeftFunc(part, isSpace))
		s.End = s.Start + len(strings.TrimFunc(part, isSpace))
		return s
	}
	if strings.Trim(token, " ") == "" && strings.Trim(part, " ") != "" {
		return Span{s.Start, s.Start} // the space put before a text
	}
	s.Start += len(part) - len(strings.TrimLeft(part, " "))
	return Span{s.Start, s.Start + len(strings.Trim(part, " "))}
}

// isVisible tells of a byte that it is a character of ASCII and no space.
func isVisible(b byte) bool { return b > ' ' && b <= '~' }
