package tokenizer

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

func load(t testing.TB) *Tokenizer {
	t.Helper()
	tok, err := Load("testdata")
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// hfCase is a line of testdata/cases.jsonl: a text and what Hugging Face makes of it.
type hfCase struct {
	Text    string
	IDs     []int32
	Offsets [][2]int
	Decoded string
}

func cases(t testing.TB) []hfCase {
	t.Helper()
	f, err := os.Open("testdata/cases.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []hfCase
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var c hfCase
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	if len(all) < 150 {
		t.Fatalf("only %d cases", len(all))
	}
	return all
}

func TestEncodeIsHuggingFaces(t *testing.T) {
	tok := load(t)
	for _, c := range cases(t) {
		e := tok.Encode(c.Text)
		if !slices.Equal(e.IDs, c.IDs) {
			t.Errorf("%q: ids %v, Hugging Face %v", c.Text, e.IDs, c.IDs)
			continue
		}
		for i, s := range e.Offsets {
			// Hugging Face gives a token that is part of a character the whole character.
			for s.Start > 0 && !utf8.RuneStart(c.Text[s.Start]) {
				s.Start--
			}
			for s.End < len(c.Text) && !utf8.RuneStart(c.Text[s.End]) {
				s.End++
			}
			if [2]int{s.Start, s.End} != c.Offsets[i] {
				t.Errorf("%q: token %d: offsets %v, Hugging Face %v", c.Text, i, e.Offsets[i], c.Offsets[i])
			}
		}
		if got := tok.Decode(c.IDs); got != c.Decoded {
			t.Errorf("%q: decoded %q, Hugging Face %q", c.Text, got, c.Decoded)
		}
	}
}

// check verifies what must hold for any text.
func check(t *testing.T, tok *Tokenizer, text string) {
	t.Helper()
	e := tok.Encode(text)
	if got := tok.Decode(e.IDs); got != text {
		t.Fatalf("decode(encode(%q)) = %q", text, got)
	}
	if len(e.Offsets) != len(e.IDs) {
		t.Fatalf("%q: %d offsets for %d tokens", text, len(e.Offsets), len(e.IDs))
	}
	at := 0
	for i, s := range e.Offsets {
		if s.Start != at || s.End <= s.Start {
			t.Fatalf("%q: token %d: offsets %v after %d", text, i, s, at)
		}
		at = s.End
		if spelled := spell(text[s.Start:s.End]); spelled != tok.Token(e.IDs[i]) {
			t.Fatalf("%q: token %d is %q, its slice of the text %q", text, i, tok.Token(e.IDs[i]), spelled)
		}
		if tok.special[e.IDs[i]] {
			t.Fatalf("%q: token %d is %s", text, i, tok.Token(e.IDs[i]))
		}
	}
	if at != len(text) {
		t.Fatalf("%q: offsets end at %d of %d", text, at, len(text))
	}
}

var hostile = []string{
	"\xff\xfe\xfd", "a\x80b", "\xc3", "\xed\xa0\x80", "\xf0\x9f\x99", "x \xe2\x80 y", "\xc0\xaf", "\x20\xc2", "'\xff's",
	"<s>", "</s> <mask>", "a<pad>b<unk>",
}

func FuzzEncode(f *testing.F) {
	for _, text := range hostile {
		f.Add(text)
	}
	for _, c := range cases(f) {
		f.Add(c.Text)
	}
	tok := load(f)
	f.Fuzz(func(t *testing.T, text string) { check(t, tok, text) })
}

// naive is byte-pair encoding by the book: find the best merge, apply it at its first place, start again.
func naive(tok *bpe, piece string) []int32 {
	ids := []int32{}
	for i := range len(piece) {
		ids = append(ids, tok.bytes[piece[i]])
	}
	for {
		best, at := int32(len(tok.merges)), 0
		for i := range len(ids) - 1 {
			if rank, ok := tok.ranks.get(pair{ids[i], ids[i+1]}.key()); ok && rank < best {
				best, at = rank, i
			}
		}
		if int(best) == len(tok.merges) {
			return ids
		}
		ids[at] = tok.merges[best].id
		ids = slices.Delete(ids, at+1, at+2)
	}
}

func FuzzMerge(f *testing.F) {
	for _, text := range []string{"a", "the", "aaaaaaa", "hahahahaha", "東京都東京", "\xff\x00\xff", " weights"} {
		f.Add(text)
	}
	model := load(f).model.(*bpe)
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) == 0 || len(text) > 500 {
			return
		}
		want := naive(model, text)
		for _, long := range []bool{false, true} { // both ways, whatever the length
			var got []int32
			for _, p := range byMerging(model, text, long) {
				got = append(got, p.id)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%q: %v, by the book %v", text, got, want)
			}
		}
	})
}

func byMerging(b *bpe, piece string, long bool) []token {
	st := &state{}
	b.merge(st, piece, long)
	return st.pieces
}

// searched are the patterns that match any text from end to end, as package regexp has them: without the alternative that
// looks ahead, whose effect bySearch adds, and with all spaces for \s.
var searched = func() map[string]*regexp.Regexp {
	all := map[string]*regexp.Regexp{}
	for pattern := range patterns {
		if before, ok := strings.CutSuffix(pattern, `|\s+(?!\S)|\s+`); ok && !strings.Contains(pattern, `\p{P}`) {
			before = strings.NewReplacer(`\s`, spaceClass, `[^\s`, `[^`+spaceClass[1:len(spaceClass)-1]).Replace(before)
			all[pattern] = regexp.MustCompile(`^(?:` + before + `|` + spaceClass + `+)`)
		}
	}
	return all
}()

const spaceClass = `[\pZ\x09-\x0d\x{85}]`

func bySearch(pattern *regexp.Regexp, text string) int {
	n := len(pattern.FindString(text))
	ended := strings.ContainsAny(text[n-1:n], "\r\n") && strings.Contains(pattern.String(), `*[\r\n]`) // matched as the end of a line
	if strings.TrimSpace(text[:n]) == "" && n < len(text) && !ended {
		if _, last := utf8.DecodeLastRuneInString(text[:n]); last < n {
			n -= last
		}
	}
	return n
}

func FuzzPatterns(f *testing.F) {
	for _, text := range hostile {
		f.Add(text)
	}
	for _, c := range cases(f) {
		f.Add(c.Text)
	}
	for _, text := range []string{"WeAREhere ABCd\u0301E'LL", "\u0301ABC \u0301", "漢A漢B漢", "a\n\n b\t\tc \n\n d", "12345 ½½½½", "a'ſb ''s'S", "//\r\n/ !/\n", "ǅʰA"} {
		f.Add(text)
	}
	if len(searched) != 6 {
		f.Fatalf("%d patterns", len(searched))
	}
	d := characters()
	f.Fuzz(func(t *testing.T, text string) {
		for _, r := range text {
			c := d.class(r)
			if c&letter != 0 != unicode.IsLetter(r) || c&number != 0 != unicode.IsNumber(r) || c&combines != 0 != unicode.IsMark(r) ||
				c&lowerCase != 0 != unicode.Is(unicode.Ll, r) || c&upperCase != 0 != unicode.In(r, unicode.Lu, unicode.Lt) {
				t.Skip("another version of Unicode")
			}
		}
		for name, pattern := range searched {
			for rest := text; len(rest) > 0; {
				got, want := patterns[name](d, rest), bySearch(pattern, rest)
				if got != want {
					t.Fatalf("%s: %q: piece %q, the pattern's %q", name, rest, rest[:got], rest[:want])
				}
				rest = rest[got:]
			}
		}
	})
}

func TestSpecialTokens(t *testing.T) {
	tok := load(t)
	for i, id := range []int32{tok.BOS(), tok.Pad(), tok.EOS(), tok.Unk(), tok.Mask()} {
		if tok.Token(id) != specials[i] {
			t.Errorf("%s has id %d, which is %s", specials[i], id, tok.Token(id))
		}
		if got, ok := tok.ID(specials[i]); !ok || got != id {
			t.Errorf("ID(%q) = %d, %v; want %d", specials[i], got, ok, id)
		}
	}
	if _, ok := tok.ID("no such token"); ok {
		t.Error("ID finds a token that does not exist")
	}
	h := tok.Encode("h").IDs[0]
	ids := []int32{tok.BOS(), h, tok.Mask(), tok.EOS(), -100, int32(tok.VocabSize()), h}
	if got := tok.Decode(ids); got != "hh" {
		t.Errorf("Decode(%v) = %q", ids, got)
	}
}

func TestTokenPanics(t *testing.T) {
	tok := load(t)
	for _, id := range []int32{-1, int32(tok.VocabSize())} {
		func() {
			defer func() {
				if msg, _ := recover().(string); !strings.HasPrefix(msg, "tokenizer: Token: id ") {
					t.Errorf("Token(%d): panic %q", id, msg)
				}
			}()
			tok.Token(id)
		}()
	}
}

// Goroutines that share a tokenizer evict each other's pieces and must not notice.
func TestConcurrentEncode(t *testing.T) {
	tok, fresh := load(t), load(t)
	var texts []string
	var want [][]int32
	for i := range 2000 {
		texts = append(texts, fmt.Sprintf("word%d %x, the %d weights'll", i, i*i, i%7))
		want = append(want, fresh.Encode(texts[i]).IDs)
	}
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range texts {
				i = (i + g*500) % len(texts)
				if got := tok.Encode(texts[i]).IDs; !slices.Equal(got, want[i]) {
					t.Errorf("%q: %v, alone %v", texts[i], got, want[i])
				}
			}
		}()
	}
	wg.Wait()
}

// A quadratic encoder would take minutes for these.
func TestLongPieces(t *testing.T) {
	tok := load(t)
	const n = 1 << 18
	for _, unit := range []string{"a", "ha", " ", "\n", "東京", "'", "\xff", "a'", "1a"} {
		text := strings.Repeat(unit, n/len(unit))
		var e Encoding
		if !within(5*time.Second, func() { e = tok.Encode(text) }) {
			t.Errorf("%q repeated to %d bytes takes too long", unit, len(text))
		}
		if tok.Decode(e.IDs) != text {
			t.Errorf("%q repeated: not the same after decoding", unit)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	tok := load(b)
	content, err := os.ReadFile("testdata/corpus.txt")
	if err != nil {
		b.Fatal(err)
	}
	text := string(content)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		tok.Encode(text)
	}
}
