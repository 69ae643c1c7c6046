package metrics

import (
	"strings"
	"unicode"
)

// A RougeScore has the F1, in [0, 1], of a text with a reference (Lin, 2004): of their
// words, of their pairs of neighbouring words, and of their longest common subsequence.
type RougeScore struct{ Rouge1, Rouge2, RougeL float64 }

// Rouge compares a text with its reference as the Python package rouge-score does,
// whose words are runs of the letters a to z and digits after lowering the case. With
// stem, words of more than three characters lose their endings by Porter's rules,
// in NLTK's version. Texts that share nothing score 0, empty ones too.
func Rouge(pred, gold string, stem bool) RougeScore {
	p, g := rougeWords(pred, stem), rougeWords(gold, stem)
	return RougeScore{
		Rouge1: ngramF1(p, g, 1),
		Rouge2: ngramF1(p, g, 2),
		RougeL: ratio(float64(2*commonSubsequence(p, g)), float64(len(p)+len(g))),
	}
}

func rougeWords(text string, stem bool) []string {
	// The one letter whose lower case begins, in Python, with an ASCII letter and goes
	// on with something else.
	text = strings.ReplaceAll(text, "İ", "i ")
	words := strings.FieldsFunc(strings.Map(unicode.ToLower, text), func(r rune) bool {
		return !('a' <= r && r <= 'z' || '0' <= r && r <= '9')
	})
	for i, w := range words {
		if stem && len(w) > 3 {
			words[i] = porterStem(w)
		}
	}
	return words
}

// ngramF1 is 2·|A ∩ B|/(|A| + |B|) of the multisets of n-grams.
func ngramF1(a, b []string, n int) float64 {
	total := max(0, len(a)-n+1) + max(0, len(b)-n+1)
	count := make(map[string]int)
	for i := 0; i+n <= len(b); i++ {
		count[strings.Join(b[i:i+n], " ")]++
	}
	same := 0
	for i := 0; i+n <= len(a); i++ {
		if gram := strings.Join(a[i:i+n], " "); count[gram] > 0 {
			count[gram]--
			same++
		}
	}
	return ratio(float64(2*same), float64(total))
}

// commonSubsequence returns the length of the longest common subsequence, row by row
// of the usual table, of which one row is kept.
func commonSubsequence(a, b []string) int {
	row := make([]int, len(b)+1) // of a's words so far, with b's first j
	for _, word := range a {
		diagonal := 0
		for j, other := range b {
			above := row[j+1]
			if word == other {
				row[j+1] = diagonal + 1
			} else {
				row[j+1] = max(above, row[j])
			}
			diagonal = above
		}
	}
	return row[len(b)]
}
