package task

import (
	"fmt"
	"hash/fnv"
	"slices"
	"sort"
	"strings"
	"unicode"
)

// An Overlap says how much of a task's evaluation another task, or the task
// itself, has in its training data.
type Overlap struct {
	Train, Dev *Task
	Examples   int      // of Dev's dev split, with a text that is in Train's train split
	Of         int      // all examples of Dev's dev split
	Seen       []string // some of them: where they are in both, and how the text begins
}

const (
	longText    = 12      // words from which a part of an example is a text of its own
	maxSeen     = 3       // examples named for a pair of tasks
	maxDevTexts = 1 << 23 // hashes kept to compare with, of 16 bytes
)

// Overlaps reads all splits and compares the texts of every training example
// with those of all dev examples, without regard to case, punctuation and
// spaces. An example's texts are its whole input, choices included, and each part
// of at least 12 words, such as a passage; targets and answers are not compared. What is kept of a text is a hash of 64 bits: two that
// differ count as the same once in 10¹⁹ pairs.
//
// The overlaps come in the order of the training tasks, then of the dev tasks. What
// bad is for is said at Each.
func Overlaps(tasks []*Task, bad func(error) error) ([]Overlap, error) {
	return overlaps(tasks, bad, maxDevTexts)
}

// A devText is a text of a dev example.
type devText struct {
	hash    uint64
	example int // number among all dev examples
}

func overlaps(tasks []*Task, bad func(error) error, most int) ([]Overlap, error) {
	var texts []devText
	first := make([]int, len(tasks)+1) // the number of each task's first dev example
	var places []string
	for i, t := range tasks {
		err := t.Each("dev", func(e Example) error {
			for _, h := range e.hashes() {
				texts = append(texts, devText{h, len(places)})
			}
			places = append(places, e.Where)
			if len(texts) > most {
				return fmt.Errorf("%s: more than %d texts to compare with in the dev splits", e.Where, most)
			}
			return nil
		}, bad)
		if err != nil {
			return nil, err
		}
		first[i+1] = len(places)
	}
	slices.SortFunc(texts, func(a, b devText) int {
		switch {
		case a.hash < b.hash:
			return -1
		case a.hash > b.hash:
			return 1
		}
		return a.example - b.example
	})

	var found []Overlap
	seenBy := make([]int, len(places)) // the last training task that has the example, counted from 1
	for i, t := range tasks {
		pairs := make([]Overlap, len(tasks))
		err := t.Each("train", func(e Example) error {
			for _, h := range e.hashes() {
				at := sort.Search(len(texts), func(k int) bool { return texts[k].hash >= h })
				for ; at < len(texts) && texts[at].hash == h; at++ {
					n := texts[at].example
					if seenBy[n] == i+1 {
						continue
					}
					seenBy[n] = i + 1
					dev := sort.SearchInts(first, n+1) - 1
					p := &pairs[dev]
					p.Examples++
					if len(p.Seen) < maxSeen {
						p.Seen = append(p.Seen, fmt.Sprintf("%s is in %s: %s", places[n], e.Where, preview(e.texts()[0])))
					}
				}
			}
			return nil
		}, bad)
		if err != nil {
			return nil, err
		}
		for dev, p := range pairs {
			if p.Examples > 0 {
				p.Train, p.Dev, p.Of = t, tasks[dev], first[dev+1]-first[dev]
				found = append(found, p)
			}
		}
	}
	return found, nil
}

// texts returns the parts of an example's input.
func (e *Example) texts() []string {
	var texts []string
	for _, s := range []string{e.Text, e.Text2, e.Context, e.Question, e.Passage, e.Source} {
		if s != "" {
			texts = append(texts, s)
		}
	}
	return texts
}

// hashes returns the hashes of an example's texts, each once.
func (e *Example) hashes() []uint64 {
	var hashes []uint64
	add := func(words []string) {
		if len(words) == 0 {
			return // all punctuation
		}
		h := fnv.New64a()
		for _, w := range words {
			h.Write([]byte(w))
			h.Write([]byte{' '})
		}
		if sum := h.Sum64(); !slices.Contains(hashes, sum) {
			hashes = append(hashes, sum)
		}
	}
	var all []string
	for _, text := range e.texts() {
		words := plainWords(text)
		if len(words) >= longText {
			add(words)
		}
		all = append(all, words...)
	}
	for _, c := range e.Choices {
		all = append(all, plainWords(c)...)
	}
	add(all)
	return hashes
}

// plainWords returns the runs of letters and digits in a text, in lower case.
func plainWords(s string) []string {
	return strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) })
}
