package tokenizer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"unicode/utf8"
)

// precompiled is Precompiled: SentencePiece's table of what strings become. The table is a double array (Aoe, 1989, as in
// darts-clone), after its length, and the results, each ended by a zero byte.
type precompiled struct {
	units   []uint32
	results []byte
}

func newPrecompiled(blob []byte) (*precompiled, error) {
	if len(blob) < 4 {
		return nil, errors.New("ends early")
	}
	size := binary.LittleEndian.Uint32(blob)
	blob = blob[4:]
	if size == 0 || size%4 != 0 || uint64(size) > uint64(len(blob)) {
		return nil, errors.New("the size of its table does not fit")
	}
	p := &precompiled{units: make([]uint32, size/4), results: blob[size:]}
	for i := range p.units {
		p.units[i] = binary.LittleEndian.Uint32(blob[4*i:])
	}
	return p, nil
}

// longest returns the length of the longest result in bytes, or more.
func (p *precompiled) longest() int {
	n := 0
	for result := range bytes.SplitSeq(p.results, []byte{0}) {
		n = max(n, len(result))
	}
	return n
}

// lookup returns what the shortest entry that text begins with becomes. That need not be all of text, which is how
// SentencePiece's table is read here as it is in Hugging Face.
func (p *precompiled) lookup(text []byte) ([]byte, bool) {
	unit := func(at uint32) uint32 {
		if uint64(at) >= uint64(len(p.units)) {
			return 0
		}
		return p.units[at]
	}
	offset := func(u uint32) uint32 { return u >> 10 << (u & (1 << 9) >> 6) }
	at := offset(unit(0))
	for _, c := range text {
		at ^= uint32(c)
		u := unit(at)
		if c == 0 || u&(1<<31|0xff) != uint32(c) {
			return nil, false
		}
		at ^= offset(u)
		if u>>8&1 == 1 {
			start := unit(at) & (1<<31 - 1)
			if uint64(start) > uint64(len(p.results)) {
				return nil, false
			}
			result := p.results[start:]
			if end := bytes.IndexByte(result, 0); end >= 0 {
				result = result[:end]
			}
			return result, true
		}
	}
	return nil, false
}

// A cluster of a character and its marks is looked up as a whole if it is shorter than this.
const clusterBytes = 6

func (p *precompiled) normalize(n *normal) {
	d := characters()
	old := n.rewrite()
	for at := 0; at < len(old); {
		end := at + cluster(d, old[at:])
		if end-at < clusterBytes {
			if result, ok := p.lookup(old[at:end]); ok {
				n.replace(at, end, result)
				at = end
				continue
			}
		}
		for at < end {
			_, size := utf8.DecodeRune(old[at:])
			if result, ok := p.lookup(old[at : at+size]); ok {
				n.replace(at, at+size, result)
			} else {
				n.copy(at, at+size)
			}
			at += size
		}
	}
}

// replace appends a result, each of whose characters stands for one of the old ones, and those that are more for the last.
func (n *normal) replace(at, end int, result []byte) {
	for len(result) > 0 {
		r, size := utf8.DecodeRune(result)
		n.put(r, at)
		result = result[size:]
		if _, width := utf8.DecodeRune(n.old.text[at:]); at+width < end {
			at += width
		}
	}
}

// cluster returns the length of the first character of text with the marks and joiners after it: a grapheme cluster, but
// for the rules that make clusters of 6 bytes and more.
func cluster(d *database, text []byte) int {
	r, n := utf8.DecodeRune(text)
	if r == '\r' && n < len(text) && text[n] == '\n' {
		return n + 1
	}
	if d.class(r)&control != 0 || r == '\n' || r == '\t' || r == '\r' {
		return n
	}
	for n < len(text) {
		r, size := utf8.DecodeRune(text[n:])
		extends := d.class(r)&mark != 0 || r == 0x200C || r == 0x200D || // joiners
			r >= 0x1F3FB && r <= 0x1F3FF || r >= 0xE0020 && r <= 0xE007F // skin tones, tags
		if !extends {
			break
		}
		n += size
	}
	return n
}
