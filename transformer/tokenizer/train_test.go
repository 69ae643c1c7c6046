package tokenizer

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

func lines(t testing.TB) []string {
	t.Helper()
	content, err := os.ReadFile("testdata/corpus.txt")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(string(content), "\n")
}

func train(t testing.TB, texts []string, cfg TrainConfig) *Tokenizer {
	t.Helper()
	tok, err := Train(slices.Values(texts), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func equal(t *testing.T, got, want *Tokenizer) {
	t.Helper()
	if !slices.Equal(got.tokens, want.tokens) {
		t.Errorf("tokens\n%q\nwant\n%q", got.tokens, want.tokens)
	}
	if !slices.Equal(got.definition.model.merges, want.definition.model.merges) {
		t.Errorf("merges\n%v\nwant\n%v", got.definition.model.merges, want.definition.model.merges)
	}
}

// testdata holds what Hugging Face's trainer learns from the same corpus.
func TestTrainIsHuggingFaces(t *testing.T) {
	equal(t, train(t, lines(t), TrainConfig{VocabSize: 600}), load(t))
}

func TestTrainStopsAtVocabSize(t *testing.T) {
	want := load(t)
	got := train(t, lines(t), TrainConfig{VocabSize: 400})
	if !slices.Equal(got.tokens, want.tokens[:400]) || !slices.Equal(got.definition.model.merges, want.definition.model.merges[:400-261]) {
		t.Error("a smaller vocabulary is not the beginning of a larger one")
	}
}

// byTheBook counts all pairs anew for every merge.
func byTheBook(t *testing.T, texts []string, size int, minFrequency int) []string {
	var words [][]string
	for _, text := range texts {
		for len(text) > 0 {
			n := piece(characters(), text)
			words = append(words, strings.Split(spell(text[:n]), ""))
			text = text[n:]
		}
	}
	ids := map[string]int{}
	tokens := slices.Clone(train(t, nil, TrainConfig{VocabSize: 261}).tokens)
	for i, token := range tokens {
		ids[token] = i
	}
	for len(tokens) < size {
		counts := map[[2]int]int{}
		for _, w := range words {
			for i := range len(w) - 1 {
				counts[[2]int{ids[w[i]], ids[w[i+1]]}]++
			}
		}
		best, most := [2]int{}, 0
		for p, n := range counts {
			if n > most || n == most && slices.Compare(p[:], best[:]) < 0 {
				best, most = p, n
			}
		}
		if most < minFrequency {
			break
		}
		left, right := tokens[best[0]], tokens[best[1]]
		ids[left+right] = len(tokens)
		tokens = append(tokens, left+right)
		for k, w := range words {
			merged := w[:0:0]
			for i := 0; i < len(w); i++ {
				if i+1 < len(w) && w[i] == left && w[i+1] == right {
					merged = append(merged, left+right)
					i++
				} else {
					merged = append(merged, w[i])
				}
			}
			words[k] = merged
		}
	}
	return tokens
}

// Words of few letters, where pairs overlap and tie all the time.
func TestTrainByTheBook(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 60 {
		var texts []string
		for range 30 {
			b := make([]byte, 1+rng.IntN(25))
			for i := range b {
				b[i] = "ab b"[rng.IntN(4)]
			}
			texts = append(texts, string(b))
		}
		cfg := TrainConfig{VocabSize: 261 + rng.IntN(60), MinFrequency: 1 + rng.IntN(3)}
		if got, want := train(t, texts, cfg).tokens, byTheBook(t, texts, cfg.VocabSize, cfg.MinFrequency); !slices.Equal(got, want) {
			t.Fatalf("%q %+v:\n%q\nby the book\n%q", texts, cfg, got[261:], want[261:])
		}
	}
}

// What a trained tokenizer learned, Encode applies: a word of the corpus becomes the tokens it was when training ended.
func TestTrainAndSaveAndLoad(t *testing.T) {
	texts := append(lines(t), hostile...)
	tok := train(t, texts, TrainConfig{VocabSize: 700, MinFrequency: 1})
	if tok.VocabSize() != 700 {
		t.Errorf("VocabSize() = %d, want 700", tok.VocabSize())
	}
	dir := t.TempDir()
	if err := tok.Save(dir); err != nil {
		t.Fatal(err)
	}
	loaded, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, loaded, tok)
	for _, text := range texts {
		check(t, loaded, text)
	}
	if loaded.String() != "Tokenizer(BPE, 700 tokens)" {
		t.Errorf("String() = %q", loaded)
	}
}

func TestTrainRefusesSmallVocabSize(t *testing.T) {
	if _, err := Train(slices.Values([]string{"x"}), TrainConfig{VocabSize: 260}); err == nil || !strings.Contains(err.Error(), "VocabSize 260") {
		t.Errorf("error %v", err)
	}
}

// A trainer that rewrites a whole word for each merge would take minutes.
func TestTrainOnOneLongWord(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	b := make([]byte, 1<<20)
	for i := range b {
		b[i] = 'a' + byte(rng.IntN(26))
	}
	var tok *Tokenizer
	if !within(15*time.Second, func() { tok = train(t, []string{string(b)}, TrainConfig{VocabSize: 3000}) }) {
		t.Error("takes too long")
	}
	if tok.VocabSize() != 3000 {
		t.Errorf("VocabSize() = %d", tok.VocabSize())
	}
}

// The merges of Hugging Face's trainer, where it always learns the same.
func TestTrainWordPieceIsHuggingFaces(t *testing.T) {
	content, err := os.ReadFile("testdata/words.txt")
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for line := range strings.Lines(string(content)) {
		var word string
		var n int
		if _, err := fmt.Sscan(line, &word, &n); err != nil {
			t.Fatal(err)
		}
		texts = append(texts, strings.Repeat(word+" ", n))
	}
	if content, err = os.ReadFile("testdata/wordpiece.txt"); err != nil {
		t.Fatal(err)
	}
	want := strings.Fields(string(content))
	tok, err := TrainWordPiece(slices.Values(texts), TrainConfig{VocabSize: 55})
	if err != nil {
		t.Fatal(err)
	}
	if got := tok.tokens[55-len(want):]; !slices.Equal(got, want) {
		t.Errorf("merges\n%q\nHugging Face\n%q", got, want)
	}
}

// wordPieceByTheBook counts all pairs anew for every merge.
func wordPieceByTheBook(texts []string, tokens []string, size, minFrequency int) []string {
	ids := map[string]int{}
	for i, token := range tokens {
		ids[token] = i
	}
	var words [][]string
	for _, text := range texts {
		for _, word := range strings.Fields(strings.ToLower(text)) {
			var symbols []string
			for i, r := range word {
				if i > 0 {
					symbols = append(symbols, "##"+string(r))
				} else {
					symbols = append(symbols, string(r))
				}
			}
			words = append(words, symbols)
		}
	}
	for len(tokens) < size {
		counts := map[[2]int]int{}
		for _, w := range words {
			for i := range len(w) - 1 {
				counts[[2]int{ids[w[i]], ids[w[i+1]]}]++
			}
		}
		best, most := [2]int{}, 0
		for p, n := range counts {
			if n > most || n == most && slices.Compare(p[:], best[:]) < 0 {
				best, most = p, n
			}
		}
		if most < minFrequency {
			break
		}
		left, right := tokens[best[0]], tokens[best[1]]
		merged := left + strings.TrimPrefix(right, "##")
		ids[merged] = len(tokens)
		tokens = append(tokens, merged)
		for k, w := range words {
			var next []string
			for i := 0; i < len(w); i++ {
				if i+1 < len(w) && w[i] == left && w[i+1] == right {
					next = append(next, merged)
					i++
				} else {
					next = append(next, w[i])
				}
			}
			words[k] = next
		}
	}
	return tokens
}

func TestTrainWordPieceByTheBook(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range 60 {
		var texts []string
		for range 30 {
			var text strings.Builder
			for range 1 + rng.IntN(25) {
				text.WriteString([]string{"a", "b", " ", "é", "A"}[rng.IntN(5)])
			}
			texts = append(texts, strings.ReplaceAll(text.String(), "é", "c"))
		}
		cfg := TrainConfig{VocabSize: 11 + rng.IntN(60), MinFrequency: 1 + rng.IntN(3)}
		tok, err := TrainWordPiece(slices.Values(texts), cfg)
		if err != nil {
			t.Fatal(err)
		}
		first := slices.IndexFunc(tok.tokens, func(token string) bool { return token == "##c" }) + 1
		if got, want := tok.tokens, wordPieceByTheBook(texts, slices.Clone(tok.tokens[:first]), cfg.VocabSize, cfg.MinFrequency); !slices.Equal(got, want) {
			t.Fatalf("%q %+v:\n%q\nby the book\n%q", texts, cfg, got, want)
		}
		dir := t.TempDir()
		if err := tok.Save(dir); err != nil {
			t.Fatal(err)
		}
		if again, err := Load(dir); err != nil || !slices.Equal(again.tokens, tok.tokens) {
			t.Fatalf("loaded again: %v", err)
		}
	}
	if _, err := TrainWordPiece(slices.Values([]string{"abc"}), TrainConfig{VocabSize: 9}); err == nil || !strings.Contains(err.Error(), "VocabSize 9, the special tokens and the characters alone are 10") {
		t.Errorf("error %v", err)
	}
	tok, err := TrainWordPiece(slices.Values([]string{"Été Été"}), TrainConfig{VocabSize: 50, Cased: true})
	if err != nil {
		t.Fatal(err)
	}
	if got := tok.Decode(tok.Encode("Été").IDs); got != "Été" {
		t.Errorf("cased: %q", got)
	}
}

// Words are counted on all cores, some thousands of texts at a time, and every count is the same.
func TestTrainOnManyThreads(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	var texts []string
	total := 0
	for total < 5<<20 { // more than are counted at once
		b := make([]byte, 20+rng.IntN(2000))
		for i := range b {
			b[i] = "etaoin  "[rng.IntN(8)]
		}
		texts, total = append(texts, string(b)), total+len(b)
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	want := map[string]int64{}
	for _, text := range texts {
		for len(text) > 0 {
			n := piece(characters(), text)
			want[text[:n]]++
			text = text[n:]
		}
	}
	var first *Tokenizer
	for _, n := range []int{1, 2, 3} {
		runtime.GOMAXPROCS(n)
		words, err := countWords(&Tokenizer{pre: []preTokenizer{&byteLevel{}}}, slices.Values(texts), nil)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]int64{}
		for i, word := range words.list {
			got[word] = words.counts[i]
		}
		if !maps.Equal(got, want) {
			t.Fatalf("%d threads: other counts", n)
		}
		var size, learned []int64
		tok := train(t, texts, TrainConfig{VocabSize: 1000, Progress: func(bytes int64, tokens int) {
			size, learned = append(size, bytes), append(learned, int64(tokens))
		}})
		if !slices.IsSorted(size) || !slices.IsSorted(learned) || learned[0] != 0 || learned[len(learned)-1] != 1000 || size[len(size)-1] != int64(total) {
			t.Errorf("progress %d, %d", size, learned)
		}
		if first == nil {
			first = tok
		}
		equal(t, tok, first)
	}
}
