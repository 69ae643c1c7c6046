package metrics

import (
	"strings"
	"unicode"
)

// ExactMatch returns 1 if the prediction is one of the gold answers after SQuAD's
// normalisation (lower case; no ASCII punctuation; no a, an, the; single spaces),
// else 0. Of no gold answers, for a question without one, it is 1 if nothing is left of the
// prediction.
func ExactMatch(pred string, golds []string) float64 {
	p := strings.Join(normalise(pred), " ")
	if len(golds) == 0 && p == "" {
		return 1
	}
	for _, g := range golds {
		if p == strings.Join(normalise(g), " ") {
			return 1
		}
	}
	return 0
}

// TokenF1 returns the best F1 of the prediction's normalised tokens, as a
// multiset, with those of a gold answer, in [0, 1]. As in SQuAD v1.1 it is 0 where
// no token is shared, even if both are empty. Of no gold answers it is, as in SQuAD 2.0, that of
// ExactMatch.
func TokenF1(pred string, golds []string) float64 {
	p := normalise(pred)
	best := 0.0
	if len(golds) == 0 && len(p) == 0 {
		return 1
	}
	for _, g := range golds {
		gold := normalise(g)
		count := make(map[string]int, len(gold))
		for _, w := range gold {
			count[w]++
		}
		same := 0
		for _, w := range p {
			if count[w] > 0 {
				count[w]--
				same++
			}
		}
		best = max(best, ratio(float64(2*same), float64(len(p)+len(gold))))
	}
	return best
}

// normalise returns the tokens of an answer. Articles go after the punctuation, as
// whole runs of word characters: "“the" loses its article, "theatre" does not, and
// neither does "it's a-b", by then "its ab".
func normalise(s string) []string {
	var b, word strings.Builder
	flush := func() {
		switch w := word.String(); w {
		case "a", "an", "the":
			b.WriteByte(' ')
		default:
			b.WriteString(w)
		}
		word.Reset()
	}
	for _, r := range strings.ToLower(s) {
		switch {
		case r < unicode.MaxASCII && (unicode.IsPunct(r) || unicode.IsSymbol(r)):
		case unicode.IsLetter(r) || unicode.IsNumber(r):
			word.WriteRune(r)
		default:
			flush()
			b.WriteRune(r)
		}
	}
	flush()
	return strings.Fields(b.String())
}
