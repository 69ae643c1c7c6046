package metrics

import "strings"

// A suffixRule replaces an ending of a stem that has more than some measure.
type suffixRule struct{ suffix, replacement string }

// The tables of steps 2 to 4 of M. F. Porter, An algorithm for suffix stripping (1980),
// with NLTK's additions bli, fulli and logi. The first ending that a word has decides:
// where its condition fails no other is tried.
var (
	porterStep2 = []suffixRule{
		{"ational", "ate"}, {"tional", "tion"}, {"enci", "ence"}, {"anci", "ance"}, {"izer", "ize"}, {"bli", "ble"},
		{"alli", "al"}, {"entli", "ent"}, {"eli", "e"}, {"ousli", "ous"}, {"ization", "ize"}, {"ation", "ate"},
		{"ator", "ate"}, {"alism", "al"}, {"iveness", "ive"}, {"fulness", "ful"}, {"ousness", "ous"}, {"aliti", "al"},
		{"iviti", "ive"}, {"biliti", "ble"}, {"fulli", "ful"}, {"ogi", "og"},
	}
	porterStep3 = []suffixRule{
		{"icate", "ic"}, {"ative", ""}, {"alize", "al"}, {"iciti", "ic"}, {"ical", "ic"}, {"ful", ""}, {"ness", ""},
	}
	porterStep4 = []suffixRule{
		{"al", ""}, {"ance", ""}, {"ence", ""}, {"er", ""}, {"ic", ""}, {"able", ""}, {"ible", ""}, {"ant", ""},
		{"ement", ""}, {"ment", ""}, {"ent", ""}, {"sion", "s"}, {"tion", "t"}, {"ou", ""}, {"ism", ""}, {"ate", ""},
		{"iti", ""}, {"ous", ""}, {"ive", ""}, {"ize", ""},
	}
	// Words whose stem NLTK lists.
	porterIrregular = map[string]string{
		"skies": "sky", "dying": "die", "lying": "lie", "tying": "tie", "news": "news", "innings": "inning",
		"inning": "inning", "outings": "outing", "outing": "outing", "cannings": "canning", "canning": "canning",
		"howe": "howe", "proceed": "proceed", "exceed": "exceed", "succeed": "succeed",
	}
)

// porterStem returns the stem of a word of lower-case letters and digits, of three
// characters at least.
func porterStem(w string) string {
	if stem, ok := porterIrregular[w]; ok {
		return stem
	}
	w = porterPlural(w)
	w = porterPast(w)
	// NLTK: y after a consonant becomes i, but not in a word of two letters.
	if n := len(w) - 1; n > 1 && w[n] == 'y' && consonants(w[:n])[n-1] {
		w = w[:n] + "i"
	}
	for { // alli is tried first, and the result once more
		stem, ok := strings.CutSuffix(w, "alli")
		if !ok || measure(stem) == 0 {
			break
		}
		w = stem + "al"
	}
	w = replaceSuffix(w, porterStep2, 0)
	w = replaceSuffix(w, porterStep3, 0)
	w = replaceSuffix(w, porterStep4, 1)
	if stem, ok := strings.CutSuffix(w, "e"); ok {
		if m := measure(stem); m > 1 || m == 1 && !endsCVC(stem) {
			w = stem
		}
	}
	if strings.HasSuffix(w, "ll") && measure(w[:len(w)-1]) > 1 {
		w = w[:len(w)-1]
	}
	return w
}

// porterPlural is step 1a.
func porterPlural(w string) string {
	switch {
	case strings.HasSuffix(w, "ies") && len(w) == 4:
		return w[:3] // NLTK: dies, die
	case strings.HasSuffix(w, "sses"), strings.HasSuffix(w, "ies"):
		return w[:len(w)-2]
	case strings.HasSuffix(w, "ss"):
		return w
	}
	return strings.TrimSuffix(w, "s")
}

// porterPast is step 1b.
func porterPast(w string) string {
	if strings.HasSuffix(w, "ied") {
		if len(w) == 4 {
			return w[:3] // NLTK: died, die
		}
		return w[:len(w)-2]
	}
	if stem, ok := strings.CutSuffix(w, "eed"); ok {
		if measure(stem) > 0 {
			return stem + "ee"
		}
		return w
	}
	stem, ok := strings.CutSuffix(w, "ed")
	if !ok {
		stem, ok = strings.CutSuffix(w, "ing")
	}
	if !ok || !hasVowel(stem) {
		return w
	}
	last := len(stem) - 1
	switch {
	case strings.HasSuffix(stem, "at"), strings.HasSuffix(stem, "bl"), strings.HasSuffix(stem, "iz"):
		return stem + "e"
	case last > 0 && stem[last] == stem[last-1] && consonants(stem)[last]:
		if !strings.ContainsRune("lsz", rune(stem[last])) {
			stem = stem[:last]
		}
	case measure(stem) == 1 && endsCVC(stem):
		return stem + "e"
	}
	return stem
}

// replaceSuffix applies the first rule whose ending the word has, if what is left has
// more than the measure.
func replaceSuffix(w string, rules []suffixRule, above int) string {
	for _, r := range rules {
		stem, ok := strings.CutSuffix(w, r.suffix)
		if !ok {
			continue
		}
		// What a replacement keeps of the ending belongs to the stem: l of logi, t of tion.
		switch r.suffix {
		case "ogi":
			if !strings.HasSuffix(stem, "l") {
				continue
			}
		case "sion", "tion":
			stem += r.suffix[:1]
			r.replacement = ""
		}
		if measure(stem) > above {
			return stem + r.replacement
		}
		return w
	}
	return w
}

// consonants tells which letters are consonants: all but a, e, i, o, u and a y after a
// consonant.
func consonants(w string) []bool {
	c := make([]bool, len(w))
	for i := range w {
		switch w[i] {
		case 'a', 'e', 'i', 'o', 'u':
		case 'y':
			c[i] = i == 0 || !c[i-1]
		default:
			c[i] = true
		}
	}
	return c
}

// measure counts the places where a consonant follows a vowel.
func measure(w string) int {
	c := consonants(w)
	n := 0
	for i := 1; i < len(c); i++ {
		if c[i] && !c[i-1] {
			n++
		}
	}
	return n
}

func hasVowel(w string) bool {
	for _, c := range consonants(w) {
		if !c {
			return true
		}
	}
	return false
}

// endsCVC reports whether a stem ends in consonant, vowel, consonant, the last none of
// w, x and y; NLTK adds stems that are a vowel and a consonant.
func endsCVC(w string) bool {
	c := consonants(w)
	n := len(c)
	if n == 2 {
		return !c[0] && c[1]
	}
	return n >= 3 && c[n-3] && !c[n-2] && c[n-1] && !strings.ContainsRune("wxy", rune(w[n-1]))
}
