package tokenizer

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// The special tokens of a byte-level vocabulary, in the order that Train gives them.
var specials = []string{"<s>", "<pad>", "</s>", "<unk>", "<mask>"}

// TrainConfig says when training stops.
type TrainConfig struct {
	VocabSize    int // tokens to end with, the special ones and the 256 bytes included: at least 261
	MinFrequency int // how often a pair must occur to be merged; 0 means 2
}

// Train learns a vocabulary from texts, an iterator such as slices.Values returns. It merges the most frequent pair of
// neighbouring tokens, of equally frequent ones the pair with the smallest ids, until the vocabulary has the size asked
// for or no pair is frequent enough, so that a small corpus makes a smaller vocabulary. Merges never cross the pieces
// that Encode works on. The result depends on nothing but the texts, and is that of Hugging Face's ByteLevelBPETokenizer.
//
// It is an error when VocabSize is too small, or when the distinct words of the texts take more than 2 GiB.
func Train(texts func(yield func(string) bool), cfg TrainConfig) (*Tokenizer, error) {
	if least := len(specials) + 256; cfg.VocabSize < least {
		return nil, fmt.Errorf("tokenizer: Train: VocabSize %d, the special tokens and the bytes alone are %d", cfg.VocabSize, least)
	}
	minFrequency := int64(cfg.MinFrequency)
	if minFrequency == 0 {
		minFrequency = 2
	}

	// Ids: the special tokens, then the bytes in the order of their spelling, then the merges.
	tokens := slices.Clone(specials)
	for b := range 256 {
		tokens = append(tokens, string(byteToRune[b]))
	}
	slices.Sort(tokens[len(specials):]) // UTF-8 sorts as its code points do
	var byteID [256]int32
	for i, token := range tokens[len(specials):] {
		byteID[unspell(token)[0]] = int32(len(specials) + i)
	}

	c, err := newCorpus(texts, byteID)
	if err != nil {
		return nil, err
	}
	var merges []merge
	for len(tokens) < cfg.VocabSize {
		p, ok := c.mostFrequent(minFrequency)
		if !ok {
			break
		}
		id := int32(len(tokens))
		tokens = append(tokens, tokens[p.left]+tokens[p.right])
		merges = append(merges, merge{p, id})
		c.merge(p, id)
	}
	d := &definition{model: modelDefinition{Type: "BPE", tokens: tokens, merges: merges}}
	return d.trained(func() error { return d.byteLevel(settings{}) })
}

// trained makes the tokenizer of a vocabulary that was learned, to be completed as one read from a file.
func (d *definition) trained(complete func() error) (*Tokenizer, error) {
	d.path = "Train"
	d.model.ids = make(map[string]int32, len(d.model.tokens))
	for id, token := range d.model.tokens {
		d.model.ids[token] = int32(id)
	}
	if err := complete(); err != nil {
		return nil, err
	}
	return d.build()
}

// corpus is the distinct words of the texts as lists of tokens, laid out one after the other in one array of symbols.
//
// Every pair knows the places where it occurs, so that a merge visits those only. A merge takes one symbol away, and so
// all merges together visit no more places than a small multiple of the bytes in the corpus, even if it is a single word.
type corpus struct {
	symbols []symbol
	counts  []int64 // by word
	pairs   map[pair]*occurrences
	queue   heap[frequency]
}

// symbol is a token of a word. One that was merged into its left neighbour has id -1.
type symbol struct {
	id         int32
	word       int32
	prev, next int32 // neighbours in the word, -1 at its ends
}

// occurrences of a pair. A pair comes into being either with the corpus or with the merge that makes the newer of its two
// tokens, all its places at once and in ascending order; from then on it only becomes rarer, and places go stale.
type occurrences struct {
	count int64
	at    []int32
}

// frequency is what a pair's count was when it was pushed: never less than what it is now.
type frequency struct {
	pair
	count int64
}

func newCorpus(texts func(yield func(string) bool), byteID [256]int32) (*corpus, error) {
	words := map[string]int32{}
	c := &corpus{pairs: map[pair]*occurrences{}}
	full, characters := false, characters()
	texts(func(text string) bool {
		for len(text) > 0 {
			n := piece(characters, text)
			word := text[:n]
			text = text[n:]
			if i, ok := words[word]; ok {
				c.counts[i]++
				continue
			}
			if full = len(c.symbols)+n > math.MaxInt32; full {
				return false
			}
			i := int32(len(c.counts))
			words[strings.Clone(word)] = i
			c.counts = append(c.counts, 1)
			for j := range n {
				at := int32(len(c.symbols))
				s := symbol{byteID[word[j]], i, at - 1, at + 1}
				if j == 0 {
					s.prev = -1
				}
				if j == n-1 {
					s.next = -1
				}
				c.symbols = append(c.symbols, s)
			}
		}
		return true
	})
	if full {
		return nil, errors.New("tokenizer: Train: the distinct words take more than 2 GiB")
	}
	for at, s := range c.symbols {
		if s.next >= 0 {
			c.add(pair{s.id, c.symbols[s.next].id}, int32(at))
		}
	}
	c.queue.before = func(a, b frequency) bool {
		return cmp.Or(cmp.Compare(b.count, a.count), cmp.Compare(a.left, b.left), cmp.Compare(a.right, b.right)) < 0
	}
	for p, o := range c.pairs { // in any order: the queue's is total
		c.queue.push(frequency{p, o.count})
	}
	return c, nil
}

// add records an occurrence of a pair whose left token is the symbol at the given place, and tells whether it is the first.
func (c *corpus) add(p pair, at int32) bool {
	o, ok := c.pairs[p]
	if !ok {
		o = &occurrences{}
		c.pairs[p] = o
	}
	o.count += c.counts[c.symbols[at].word]
	o.at = append(o.at, at)
	return !ok
}

// mostFrequent takes the most frequent pair off the queue, if it occurs often enough. Counts that fell since they were
// pushed are corrected on the way.
func (c *corpus) mostFrequent(minFrequency int64) (pair, bool) {
	for len(c.queue.items) > 0 {
		f := c.queue.pop()
		now := c.pairs[f.pair].count
		switch {
		case now < max(1, minFrequency): // for good
			delete(c.pairs, f.pair)
		case now < f.count:
			c.queue.push(frequency{f.pair, now})
		default:
			return f.pair, true
		}
	}
	return pair{}, false
}

// merge replaces the pair by a new token everywhere.
func (c *corpus) merge(p pair, id int32) {
	places := c.pairs[p].at
	delete(c.pairs, p)
	var fresh []pair
	add := func(p pair, at int32) {
		if c.add(p, at) {
			fresh = append(fresh, p)
		}
	}
	remove := func(p pair, weight int64) {
		if o, ok := c.pairs[p]; ok { // a pair that was merged or dropped is not counted any more
			o.count -= weight
		}
	}
	for _, at := range places {
		left := &c.symbols[at]
		if left.id != p.left || left.next < 0 || c.symbols[left.next].id != p.right {
			continue
		}
		right := &c.symbols[left.next]
		weight := c.counts[left.word]
		left.id, right.id = id, -1
		left.next = right.next
		if left.prev >= 0 {
			before := c.symbols[left.prev].id
			remove(pair{before, p.left}, weight)
			add(pair{before, id}, left.prev)
		}
		if left.next >= 0 {
			after := &c.symbols[left.next]
			after.prev = at
			remove(pair{p.right, after.id}, weight)
			add(pair{id, after.id}, at)
		}
	}
	for _, p := range fresh {
		c.queue.push(frequency{p, c.pairs[p].count})
	}
}
