package tokenizer

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/muppet-go/muppet/internal/parallel"
)

// The special tokens of a byte-level vocabulary, in the order that Train gives them.
var specials = []string{"<s>", "<pad>", "</s>", "<unk>", "<mask>"}

// TrainConfig says when training stops.
type TrainConfig struct {
	VocabSize    int  // tokens to end with, the special ones and the bytes or characters included: at least 261 of Train
	MinFrequency int  // how often a pair must occur to be merged; 0 means 2
	Cased        bool // of TrainWordPiece: keep capitals and accents, as BERT's cased vocabularies do

	// Progress, if not nil, is called now and then: with the bytes of text that were counted, no tokens yet, and later with
	// all bytes and the tokens there are.
	Progress func(bytes int64, tokens int)
}

// Train learns a vocabulary of byte-level BPE from texts, an iterator such as slices.Values returns. It merges the most
// frequent pair of neighbouring tokens, of equally frequent ones the pair with the smallest ids, until the vocabulary has
// the size asked for or no pair is frequent enough, so that a small corpus makes a smaller vocabulary. Merges never cross
// the pieces that Encode works on. The result depends on nothing but the texts, and is that of Hugging Face's
// ByteLevelBPETokenizer.
//
// It is an error when VocabSize is too small, or when the distinct words of the texts take more than 2 GiB.
func Train(texts func(yield func(string) bool), cfg TrainConfig) (*Tokenizer, error) {
	if least := len(specials) + 256; cfg.VocabSize < least {
		return nil, fmt.Errorf("tokenizer: Train: VocabSize %d, the special tokens and the bytes alone are %d", cfg.VocabSize, least)
	}
	words, err := countWords(&Tokenizer{pre: []preTokenizer{&byteLevel{}}}, texts, cfg.Progress)
	if err != nil {
		return nil, err
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
	c := newCorpus(words, func(yield func(id int32), word string) {
		for i := range len(word) {
			yield(byteID[word[i]])
		}
	})
	tokens, merges := c.learn(tokens, "", cfg)
	d := &definition{model: modelDefinition{Type: "BPE", tokens: tokens, merges: merges}}
	return d.trained(func() error { return d.byteLevel(settings{}) })
}

// TrainWordPiece learns a vocabulary of WordPiece as BERT has it: Train's way, with the characters of normalised words in
// the place of bytes, and ## before those that do not begin a word. Hugging Face's BertWordPieceTokenizer does the same but
// for the order of equally frequent pairs, which there differs from run to run.
//
// It is an error when VocabSize is too small for the special tokens and the characters, or when the distinct words of
// the texts take more than 2 GiB.
func TrainWordPiece(texts func(yield func(string) bool), cfg TrainConfig) (*Tokenizer, error) {
	t := &Tokenizer{
		normalizer: &bert{CleanText: true, HandleChineseChars: true, Lowercase: !cfg.Cased},
		pre:        []preTokenizer{bertPreTokenizer.splitter()},
	}
	words, err := countWords(t, texts, cfg.Progress)
	if err != nil {
		return nil, err
	}
	// Ids: the special tokens, all characters, those that go on with a word, then the merges.
	begin, goOn := map[rune]int32{}, map[rune]int32{}
	for _, word := range words.list {
		for i, r := range word {
			begin[r] = 0
			if i > 0 {
				goOn[r] = 0
			}
		}
	}
	const prefix = "##"
	tokens := []string{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}
	for _, part := range []struct {
		ids    map[rune]int32
		prefix string
	}{{begin, ""}, {goOn, prefix}} {
		for _, r := range slices.Sorted(maps.Keys(part.ids)) {
			part.ids[r] = int32(len(tokens))
			tokens = append(tokens, part.prefix+string(r))
		}
	}
	if cfg.VocabSize < len(tokens) {
		return nil, fmt.Errorf("tokenizer: TrainWordPiece: VocabSize %d, the special tokens and the characters alone are %d", cfg.VocabSize, len(tokens))
	}
	c := newCorpus(words, func(yield func(id int32), word string) {
		for i, r := range word {
			if i == 0 {
				yield(begin[r])
			} else {
				yield(goOn[r])
			}
		}
	})
	tokens, _ = c.learn(tokens, prefix, cfg)
	d := &definition{model: modelDefinition{Type: "WordPiece", tokens: tokens}}
	return d.trained(func() error { return d.wordPiece(!cfg.Cased, true, nil) })
}

// learn adds tokens by merging. A merge leaves out the prefix of its right part.
func (c *corpus) learn(tokens []string, prefix string, cfg TrainConfig) ([]string, []merge) {
	minFrequency := int64(cfg.MinFrequency)
	if minFrequency == 0 {
		minFrequency = 2
	}
	var merges []merge
	for len(tokens) < cfg.VocabSize {
		index, ok := c.mostFrequent(minFrequency)
		if !ok {
			break
		}
		p, id := c.pairs[index].pair, int32(len(tokens))
		tokens = append(tokens, tokens[p.left]+strings.TrimPrefix(tokens[p.right], prefix))
		merges = append(merges, merge{p, id})
		c.merge(index, id)
		if cfg.Progress != nil && (len(tokens)%256 == 0 || len(tokens) == cfg.VocabSize) {
			cfg.Progress(c.texts, len(tokens))
		}
	}
	return tokens, merges
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
	texts   int64   // bytes
	counts  []int64 // by word
	index   table   // of pairs
	pairs   []occurrences
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
	pair
	count int64
	at    []int32
}

// frequency is what a pair's count was when it was pushed: never less than what it is now.
type frequency struct {
	pair
	count int64
	index int32 // of the pair
}

// words are the distinct words of texts, and how often they occur.
type words struct {
	index  map[string]int32
	list   []string
	counts []int64
	size   int   // bytes of list
	texts  int64 // bytes of texts
}

func newWords() *words { return &words{index: map[string]int32{}} }

func (w *words) add(word string, count int64) {
	i, ok := w.index[word]
	if !ok {
		i = int32(len(w.list))
		word = strings.Clone(word)
		w.index[word] = i
		w.list, w.counts, w.size = append(w.list, word), append(w.counts, 0), w.size+len(word)
	}
	w.counts[i] += count
}

// wordCounter is the last pre-tokeniser in training: what the others cut, it counts.
type wordCounter struct{}

func (wordCounter) split(_ *Tokenizer, st *state, v view, _ int) { st.words.add(v.text, 1) }

// countWords counts the pieces that a tokenizer without a model makes of texts, on all cores. The order of the words
// depends on who counted what; what is learned from them does not.
func countWords(t *Tokenizer, texts func(yield func(string) bool), progress func(bytes int64, tokens int)) (*words, error) {
	const group, groups = 1 << 16, 64 // bytes of texts that are counted together, and how many of those are at hand
	t.pre = append(t.pre, wordCounter{})
	counters := make([]*state, parallel.Threads())
	for i := range counters {
		counters[i] = &state{buffers: make([]normal, 1+len(t.pre)), words: newWords()}
	}
	var full [][]string
	count := func() bool {
		var next atomic.Int64
		parallel.For(len(counters), func(i int) {
			for g := next.Add(1) - 1; g < int64(len(full)); g = next.Add(1) - 1 {
				for _, text := range full[g] {
					t.run(counters[i], text, false)
				}
			}
		})
		full = full[:0]
		return !slices.ContainsFunc(counters, func(st *state) bool { return st.words.size > math.MaxInt32 })
	}
	var now []string
	size, total := 0, int64(0)
	texts(func(text string) bool {
		now, size = append(now, text), size+len(text)
		if size < group {
			return true
		}
		total += int64(size)
		full, now, size = append(full, now), nil, 0
		if len(full) < groups {
			return true
		}
		if progress != nil {
			progress(total, 0)
		}
		return count()
	})
	full = append(full, now)
	ok := count()
	all := counters[0].words
	all.texts = total + int64(size)
	for _, st := range counters[1:] {
		for i, word := range st.words.list {
			all.add(word, st.words.counts[i])
		}
		st.words = nil
	}
	if !ok || all.size > math.MaxInt32 {
		return nil, errors.New("tokenizer: Train: the distinct words take more than 2 GiB")
	}
	return all, nil
}

// newCorpus lays out words as the symbols that spell yields for each.
func newCorpus(words *words, spell func(yield func(id int32), word string)) *corpus {
	c := &corpus{texts: words.texts, counts: words.counts, index: newTable(0), symbols: make([]symbol, 0, words.size)}
	for i, word := range words.list {
		first := int32(len(c.symbols))
		spell(func(id int32) {
			at := int32(len(c.symbols))
			c.symbols = append(c.symbols, symbol{id, int32(i), at - 1, at + 1})
		}, word)
		c.symbols[first].prev = -1
		c.symbols[len(c.symbols)-1].next = -1
	}
	for at, s := range c.symbols {
		if s.next >= 0 {
			c.add(pair{s.id, c.symbols[s.next].id}, int32(at))
		}
	}
	c.queue.before = func(a, b frequency) bool {
		return cmp.Or(cmp.Compare(b.count, a.count), cmp.Compare(a.left, b.left), cmp.Compare(a.right, b.right)) < 0
	}
	c.push(0)
	return c
}

// push puts the pairs from the given one on into the queue.
func (c *corpus) push(first int) {
	for i := first; i < len(c.pairs); i++ {
		c.queue.push(frequency{c.pairs[i].pair, c.pairs[i].count, int32(i)})
	}
}

// add records an occurrence of a pair whose left token is the symbol at the given place.
func (c *corpus) add(p pair, at int32) {
	i, ok := c.index.get(p.key())
	if !ok {
		i = int32(len(c.pairs))
		c.index.set(p.key(), i)
		c.pairs = append(c.pairs, occurrences{pair: p})
	}
	o := &c.pairs[i]
	o.count += c.counts[c.symbols[at].word]
	o.at = append(o.at, at)
}

// remove takes occurrences of a pair away.
func (c *corpus) remove(p pair, weight int64) {
	if i, ok := c.index.get(p.key()); ok {
		c.pairs[i].count -= weight
	}
}

// mostFrequent takes the most frequent pair off the queue, if it occurs often enough, and returns its index. Counts that
// fell since they were pushed are corrected on the way.
func (c *corpus) mostFrequent(minFrequency int64) (int32, bool) {
	for len(c.queue.items) > 0 {
		f := c.queue.pop()
		now := c.pairs[f.index].count
		switch {
		case now < max(1, minFrequency): // for good
			c.pairs[f.index].at = nil
		case now < f.count:
			f.count = now
			c.queue.push(f)
		default:
			return f.index, true
		}
	}
	return 0, false
}

// merge replaces a pair by a new token everywhere.
func (c *corpus) merge(index, id int32) {
	p, places := c.pairs[index].pair, c.pairs[index].at
	c.pairs[index].at = nil
	old := len(c.pairs)
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
			c.remove(pair{before, p.left}, weight)
			c.add(pair{before, id}, left.prev)
		}
		if left.next >= 0 {
			after := &c.symbols[left.next]
			after.prev = at
			c.remove(pair{p.right, after.id}, weight)
			c.add(pair{id, after.id}, at)
		}
	}
	c.push(old)
}
