package baseline

import (
	"slices"
	"strings"

	"github.com/muppet-go/muppet/prefinetune/task"
)

// summaryLength returns the median number of words of a target in train.
func summaryLength(train []task.Example) int {
	lengths := make([]int, 0, len(train))
	for _, e := range train {
		lengths = append(lengths, len(strings.Fields(e.Target)))
	}
	if len(lengths) == 0 {
		return 1
	}
	slices.Sort(lengths)
	return max(1, lengths[len(lengths)/2])
}

// An extractor knows how often a word of a source is repeated in the target.
type extractor struct {
	seen, kept map[string]float64 // sources with the word, and those whose target has it
	rate       float64            // of all words
}

func newExtractor(train []task.Example) *extractor {
	x := &extractor{seen: map[string]float64{}, kept: map[string]float64{}}
	all, kept := 0.0, 0.0
	step := max(1, (len(train)+mostRows-1)/mostRows)
	for i := 0; i < len(train); i += step {
		target := map[string]bool{}
		for _, w := range words(train[i].Target) {
			target[w] = true
		}
		source := words(train[i].Source)
		slices.Sort(source)
		for _, w := range slices.Compact(source) {
			x.seen[w]++
			all++
			if target[w] {
				x.kept[w]++
				kept++
			}
		}
	}
	x.rate = kept / max(all, 1)
	return x
}

// best returns the n successive words of a text that are most often repeated on average, each
// word counting once. Of equals the first win.
func (x *extractor) best(text string, n int) string {
	f := fields(text)
	n = min(n, len(f))
	word := make([][]string, len(f))
	for i, b := range f {
		word[i] = words(text[b[0]:b[1]])
	}
	count := map[string]int{} // in the span
	sum, best, at := 0.0, -1.0, 0
	add := func(i, k int) {
		for _, w := range word[i] {
			before := count[w]
			count[w] += k
			if before == 0 || count[w] == 0 {
				// One more source in which a word is kept as often as all words are.
				sum += float64(k) * (x.kept[w] + x.rate) / (x.seen[w] + 1)
			}
		}
	}
	for i := range f {
		add(i, 1)
		if i >= n {
			add(i-n, -1)
		}
		if i >= n-1 && sum > best+1e-9 {
			best, at = sum, i-n+1
		}
	}
	return span(text, f, at, n)
}
