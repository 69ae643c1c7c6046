package tokenizer

import (
	"cmp"
	"slices"
	"unicode/utf8"
	"unsafe"
)

// normal is a part of a text on its way through normalisation, with the place that each byte came from.
type normal struct {
	text     []byte
	from, to []int32 // the bytes of the text that each byte stands for
	old      struct {
		text     []byte
		from, to []int32
	}
	parts  []part
	places []int // in the old text, of the characters that parts came from

	_ [64]byte // see state
}

// begin starts anew with a text that has not been changed and stands at byte base of the whole.
func (n *normal) begin(text string, base int) {
	n.text = append(n.text[:0], text...)
	n.from, n.to = slices.Grow(n.from[:0], len(text)), slices.Grow(n.to[:0], len(text))
	for i := 0; i < len(text); {
		_, size := utf8.DecodeRuneInString(text[i:])
		for range size {
			n.from, n.to = append(n.from, int32(base+i)), append(n.to, int32(base+i+size))
		}
		i += size
	}
}

// load starts anew with a part of a text, changed or not.
func (n *normal) load(v view) {
	if v.from == nil {
		n.begin(v.text, v.base)
		return
	}
	n.text = append(n.text[:0], v.text...)
	n.from, n.to = append(n.from[:0], v.from...), append(n.to[:0], v.to...)
}

// prefixed returns a text that is not empty with a prefix, which stands for its first character. Each byte of a text that
// had not been changed still stands for itself.
func (n *normal) prefixed(v view, prefix string) view {
	_, size := utf8.DecodeRuneInString(v.text)
	first := v.span(0, size)
	n.old.text = append(append(n.old.text[:0], prefix...), v.text...)
	n.old.from, n.old.to = n.old.from[:0], n.old.to[:0]
	for range len(prefix) {
		n.old.from, n.old.to = append(n.old.from, int32(first.Start)), append(n.old.to, int32(first.End))
	}
	if v.from != nil {
		n.old.from, n.old.to = append(n.old.from, v.from...), append(n.old.to, v.to...)
	} else {
		for i := range len(v.text) {
			n.old.from, n.old.to = append(n.old.from, int32(v.base+i)), append(n.old.to, int32(v.base+i+1))
		}
	}
	n.swap() // only now, for v may be a view of this buffer
	return n.view()
}

// view returns the text as it is now. It is overwritten when the next one begins.
func (n *normal) view() view { return view{text: n.string(), from: n.from, to: n.to} }

func (n *normal) string() string { return unsafe.String(unsafe.SliceData(n.text), len(n.text)) }

func (n *normal) swap() {
	n.old.text, n.text = n.text, n.old.text
	n.old.from, n.from = n.from, n.old.from
	n.old.to, n.to = n.to, n.old.to
}

// rewrite turns to a text to be put together from the old one, which it returns.
func (n *normal) rewrite() []byte {
	n.swap()
	n.text, n.from, n.to = n.text[:0], n.from[:0], n.to[:0]
	return n.old.text
}

// put appends a character that stands for what byte at of the old text stood for.
func (n *normal) put(r rune, at int) {
	if r < utf8.RuneSelf {
		n.text = append(n.text, byte(r))
		n.from, n.to = append(n.from, n.old.from[at]), append(n.to, n.old.to[at])
		return
	}
	before := len(n.text)
	n.text = utf8.AppendRune(n.text, r)
	for range len(n.text) - before {
		n.from, n.to = append(n.from, n.old.from[at]), append(n.to, n.old.to[at])
	}
}

// copy appends a part of the old text.
func (n *normal) copy(start, end int) {
	n.text = append(n.text, n.old.text[start:end]...)
	n.from = append(n.from, n.old.from[start:end]...)
	n.to = append(n.to, n.old.to[start:end]...)
}

// part is a character of a decomposition. It takes the place of so many characters of the old text: of those that one
// character became, the first takes its place and the others none.
type part struct {
	r     rune
	class uint8 // combining
	used  int
}

// decompose appends what a character becomes in NFD, or NFKD.
func (d *database) decompose(parts []part, r rune, compat bool) []part {
	c := d.class(r)
	full := ""
	switch {
	case r >= hangulFirst && r < hangulEnd:
		s := r - hangulFirst
		parts = append(parts, part{r: leads + s/(21*28), used: 1}, part{r: vowels + s%(21*28)/28})
		if s%28 != 0 {
			parts = append(parts, part{r: trails + s%28})
		}
		return parts
	case compat && c&compatibly != 0:
		full = d.compat[r]
	case c&canonically != 0:
		full = d.canonical[r]
	default:
		return append(parts, part{r, d.combiningClass(r), 1})
	}
	for i, r := range full {
		used := 0
		if i == 0 {
			used = 1
		}
		parts = append(parts, part{r, d.combiningClass(r), used})
	}
	return parts
}

func (d *database) combiningClass(r rune) uint8 {
	if d.class(r)&nonstarter == 0 {
		return 0
	}
	return d.combining[r]
}

// order puts the marks behind each starter into the order of their classes, alike ones as they were.
func order(parts []part) {
	for i := 0; i < len(parts); {
		if parts[i].class == 0 {
			i++
			continue
		}
		end := i
		sorted := true
		for ; end < len(parts) && parts[end].class != 0; end++ {
			sorted = sorted && (end == i || parts[end-1].class <= parts[end].class)
		}
		if !sorted {
			slices.SortStableFunc(parts[i:end], func(a, b part) int { return cmp.Compare(a.class, b.class) })
		}
		i = end
	}
}

// composeAll composes what can be: a mark or a letter joins the starter before it unless something between the two is in
// its way (The Unicode Standard, 3.11). It returns parts, shortened.
func (d *database) composeAll(parts []part) []part {
	starter, last, kept := -1, uint8(0), 0
	for _, p := range parts {
		if starter >= 0 && (last == 0 || last < p.class) {
			if whole := d.compose(parts[starter].r, p.r); whole != 0 {
				parts[starter].r = whole
				parts[starter].used += p.used
				continue
			}
		}
		parts[kept] = p
		if last = p.class; last == 0 {
			starter = kept
		}
		kept++
	}
	return parts[:kept]
}
