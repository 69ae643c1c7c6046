package tokenizer

import (
	"sync"
	"unicode/utf8"
)

//go:generate sh -c "cd testdata && python unicode.py && gofmt -w ../tables.go"

// class is a set of properties of a character. Package unicode is not asked, since its tables change with the release of
// Go, and since Hugging Face's own differ from part to part: see testdata/unicode.py.
type class uint32

const (
	letter class = 1 << iota
	number
	space
	wordChar    // \w
	control     // what BERT removes
	punctuation // a word of its own for BERT
	chinese     // what BERT puts spaces around
	accent      // what BERT removes after NFD
	mark        // what StripAccents removes
	nonstarter  // has a combining class other than 0
	canonically // changes in NFD
	compatibly  // changes in NFKD, and otherwise than in NFD
	capital     // changes in lower case
	digit       // what Digits cuts out
	upperCase   // Lu and Lt of later patterns
	lowerCase   // Ll
	combines    // M
	sign        // P and S
)

// database is the tables of characters, made when first needed.
type database struct {
	pages     [(utf8.MaxRune + 1) >> 8]*[256]class // equal ones are one
	combining map[rune]uint8
	canonical map[rune]string
	compat    map[rune]string
	lower     map[rune]string
	composed  map[[2]rune]rune
}

func (d *database) class(r rune) class { return d.pages[r>>8][r&0xff] }

var characters = sync.OnceValue(func() *database {
	d := &database{composed: map[[2]rune]rune{}, combining: map[rune]uint8{}}
	flat := make([]class, utf8.MaxRune+1)
	for _, property := range []struct {
		class  class
		ranges []rune
	}{
		{letter, lettersRanges}, {number, numbersRanges}, {space, spacesRanges},
		{wordChar, wordsRanges}, {control, controlsRanges}, {punctuation, punctuationRanges},
		{chinese, chineseRanges}, {accent, accentsRanges}, {mark, marksRanges},
		{digit, digitsRanges}, {upperCase, uppersRanges}, {lowerCase, lowersRanges}, {combines, combiningsRanges},
		{sign, symbolsRanges},
	} {
		for i := 0; i < len(property.ranges); i += 2 {
			for r := property.ranges[i]; r <= property.ranges[i+1]; r++ {
				flat[r] |= property.class
			}
		}
	}
	mapping := func(table string, c class) map[rune]string {
		m := map[rune]string{}
		for len(table) > 0 {
			r, n := utf8.DecodeRuneInString(table)
			end := n
			for table[end] != 0 {
				end++
			}
			m[r], table = table[n:end], table[end+1:]
			flat[r] |= c
		}
		return m
	}
	d.canonical = mapping(canonical, canonically)
	d.compat = mapping(compatible, compatibly)
	d.lower = mapping(lowercase, capital)
	for r, class := range mapping(combiningClasses, nonstarter) {
		n, _ := utf8.DecodeRuneInString(class)
		d.combining[r] = uint8(n)
	}
	for r, parts := range mapping(composed, 0) {
		first, n := utf8.DecodeRuneInString(parts)
		last, _ := utf8.DecodeRuneInString(parts[n:])
		d.composed[[2]rune{first, last}] = r
	}
	for r := rune(hangulFirst); r < hangulEnd; r++ {
		flat[r] |= canonically
	}
	shared := map[[256]class]*[256]class{}
	for i := range d.pages {
		page := [256]class(flat[i<<8:])
		if shared[page] == nil {
			shared[page] = &page
		}
		d.pages[i] = shared[page]
	}
	return d
})

// Hangul syllables are composed by arithmetic (The Unicode Standard, 3.12).
const (
	hangulFirst = 0xAC00
	hangulEnd   = hangulFirst + 19*21*28
	leads       = 0x1100 // 19
	vowels      = 0x1161 // 21
	trails      = 0x11A7 // 28, the first of which is none
)

// compose returns the character that two are together, 0 if there is none.
func (d *database) compose(a, b rune) rune {
	switch {
	case a >= leads && a < leads+19 && b >= vowels && b < vowels+21:
		return hangulFirst + ((a-leads)*21+b-vowels)*28
	case a >= hangulFirst && a < hangulEnd && (a-hangulFirst)%28 == 0 && b > trails && b < trails+28:
		return a + b - trails
	}
	return d.composed[[2]rune{a, b}]
}
