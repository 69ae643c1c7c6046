package tokenizer

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// hostileTexts are what Python cannot hold, or takes long to.
var hostileTexts = append([]string{
	strings.Repeat("\u0301", 3000), "a" + strings.Repeat("\u0323\u0301", 1000), strings.Repeat("\xff", 500), "\xed\xa0\x80\xed\xb0\x80",
	"e\xcc", "\xcc\x81e", "漢\xff字", "\x00\xff\x00", strings.Repeat("[R] ", 300), strings.Repeat("\u3000", 900) + "<mask>",
}, hostile...)

// Whatever the text, offsets slice it, and go forward.
func checkOffsets(t *testing.T, tok *Tokenizer, text string) {
	t.Helper()
	for _, parse := range []bool{false, true} {
		e := tok.encode(text, parse)
		if len(e.IDs) != len(e.Offsets) {
			t.Fatalf("%q: %d tokens, %d offsets", text, len(e.IDs), len(e.Offsets))
		}
		o := Options{ParseSpecial: parse, MaxLength: 12, Overflow: true, Stride: 2}
		p := tok.PostProcess(o, e)
		for _, e := range append([]Encoding{e, p}, p.Overflow...) {
			last := Span{}
			for i, s := range e.Offsets {
				if s.Start < 0 || s.End < s.Start || s.End > len(text) {
					t.Fatalf("%q: token %d: offsets %v", text, i, s)
				}
				if s != (Span{}) && s.Start < last.Start {
					t.Fatalf("%q: token %d: offsets %v after %v", text, i, s, last)
				}
				if s != (Span{}) {
					last = s
				}
				if id := e.IDs[i]; id < 0 || int(id) >= tok.VocabSize() || !parse && tok.special[id] && id != tok.Unk() && e.Sequences == nil {
					t.Fatalf("%q: token %d has id %d", text, i, id)
				}
			}
			if e.Sequences != nil && len(e.IDs) > 12 {
				t.Fatalf("%q: %d tokens", text, len(e.IDs))
			}
		}
		// The windows, one after the other without what they share, are the text.
		var joined []int32
		for i, w := range append([]Encoding{p}, p.Overflow...) {
			var ids []int32
			for k, id := range w.IDs {
				if w.Sequences[k] == 0 {
					ids = append(ids, id)
				}
			}
			if i > 0 {
				ids = ids[2:]
			}
			joined = append(joined, ids...)
		}
		if !slices.Equal(joined, e.IDs) {
			t.Fatalf("%q: windows\n%v\nof\n%v", text, joined, e.IDs)
		}
		tok.Decode(e.IDs)
		for i, s := range RuneOffsets(text, e.Offsets) {
			runes := []rune(text)
			if s.Start < 0 || s.End < s.Start || s.End > len(runes) {
				t.Fatalf("%q: token %d: %v of %d runes", text, i, s, len(runes))
			}
		}
	}
}

func FuzzOffsets(f *testing.F) {
	for _, text := range hostileTexts {
		f.Add(text)
	}
	for _, text := range parityTexts(f)[:100] {
		f.Add(text)
	}
	var toks []*Tokenizer
	for _, name := range parityNames(f) {
		toks = append(toks, loadParity(f, name))
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, tok := range toks {
			checkOffsets(t, tok, text)
		}
	})
}

// within tells whether f takes less than the given time. Other programs may hold it up, but not again and again.
func within(limit time.Duration, f func()) bool {
	for range 4 {
		start := time.Now()
		if f(); time.Since(start) < limit {
			return true
		}
	}
	return false
}

// A megabyte without a place to cut it takes a moment, not minutes.
func TestMegabyteLines(t *testing.T) {
	for _, name := range parityNames(t) {
		tok := loadParity(t, name)
		for i, unit := range []string{"a", "é", "\u0301", " ", "漢", "\xff", "[R] ", "<mask>", "a-", "'s", "ﬁ\u0301", "각", "\u1100\u1161", "A漢", "1\n"} {
			n, limit := 1<<16, 2*time.Second
			if i == 0 {
				n, limit = 1<<20, 5*time.Second
			}
			text := strings.Repeat(unit, n/len(unit))
			if !within(limit, func() {
				e := tok.encode(text, true)
				p := tok.PostProcess(Options{MaxLength: 512, Overflow: true, Stride: 128}, e)
				RuneOffsets(text, e.Offsets)
				tok.Decode(p.IDs)
			}) {
				t.Errorf("%s: %q repeated to %d bytes takes too long", name, unit, len(text))
			}
		}
	}
}

// Whatever is repeated, the time grows with the text.
func FuzzGrowth(f *testing.F) {
	for _, unit := range []string{"e\u0323\u0301", "각ᆨ", "[R]  "} { // and those of TestMegabyteLines
		f.Add(unit)
	}
	var toks []*Tokenizer
	for _, name := range parityNames(f) {
		toks = append(toks, loadParity(f, name))
	}
	f.Fuzz(func(t *testing.T, unit string) {
		if unit == "" || len(unit) > 100 {
			return
		}
		const n = 1 << 16 // so that n² steps take seconds
		text := strings.Repeat(unit, n/len(unit))
		for i, tok := range toks {
			if !within(2*time.Second, func() { tok.Decode(tok.encode(text, true).IDs) }) {
				t.Errorf("%s: %q repeated to %d bytes takes too long", parityNames(t)[i], unit, n)
			}
		}
	})
}

func TestRuneOffsets(t *testing.T) {
	text := "aé漢🙂\xffz"
	got := RuneOffsets(text, []Span{{0, 1}, {1, 3}, {3, 6}, {6, 10}, {10, 11}, {11, 12}, {0, 0}, {7, 9}, {1, 2}})
	want := []Span{{0, 1}, {1, 2}, {2, 3}, {3, 4}, {4, 5}, {5, 6}, {0, 0}, {3, 4}, {1, 2}}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// The space that add_prefix_space puts before a text is no part of it.
func TestTrimmedOffsets(t *testing.T) {
	content, err := os.ReadFile("testdata/parity/prefix.json")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	trimming := strings.Replace(string(content), `"trim_offsets":false,"add_prefix_space":true}`, `"trim_offsets":true,"add_prefix_space":true}`, 1)
	if err := os.WriteFile(filepath.Join(dir, tokenizerFile), []byte(trimming), 0o666); err != nil {
		t.Fatal(err)
	}
	tok, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"the weights", " the weights ", "  漢字 the\u3000<mask>the", "éa <mask> é"} {
		e := tok.PostProcess(Options{}, tok.encode(text, true))
		for i, s := range e.Offsets {
			if part := text[s.Start:s.End]; strings.Trim(part, " \u3000") != part {
				t.Errorf("%q: token %d stands for %q", text, i, part)
			}
		}
		for i, r := range text {
			if r != ' ' && r != '\u3000' && !slices.ContainsFunc(e.Offsets, func(s Span) bool { return s.Start <= i && i < s.End }) {
				t.Errorf("%q: no token stands for byte %d", text, i)
			}
		}
	}
}

func TestEncodeBatch(t *testing.T) {
	tok := loadParity(t, "bert")
	texts := parityTexts(t)[:600]
	pairs := slices.Clone(texts)
	slices.Reverse(pairs)
	o := Options{MaxLength: 40, Truncation: OnlySecond}
	for i, e := range tok.EncodeBatch(o, texts, pairs) {
		want := tok.PostProcess(o, tok.Encode(texts[i]), tok.Encode(pairs[i]))
		if !slices.Equal(e.IDs, want.IDs) || !slices.Equal(e.Types, want.Types) || !slices.Equal(e.Offsets, want.Offsets) {
			t.Fatalf("%q, %q: %v, alone %v", texts[i], pairs[i], e.IDs, want.IDs)
		}
		if len(e.IDs) > 40 {
			t.Fatalf("%q, %q: %d tokens", texts[i], pairs[i], len(e.IDs))
		}
	}
}

// Once warm, a batch takes three allocations a text, for what it returns, and none for a token.
func TestBatchAllocations(t *testing.T) {
	texts := parityTexts(t)[:500]
	for _, name := range parityNames(t) {
		tok := loadParity(t, name)
		tokens := 0
		for _, e := range tok.EncodeBatch(Options{}, texts, nil) {
			tokens += len(e.IDs)
		}
		if n := testing.AllocsPerRun(2, func() { tok.EncodeBatch(Options{}, texts, nil) }); n > float64(3*len(texts)+60) {
			t.Errorf("%s: %v allocations for %d texts of %d tokens", name, n, len(texts), tokens)
		}
	}
}

// Once warm, encoding allocates for a text and not for its tokens, whether its words are remembered or not.
func TestAllocations(t *testing.T) {
	for _, name := range parityNames(t) {
		tok := loadParity(t, name)
		text := strings.Join(parityTexts(t)[:1000], " ")
		e := tok.Encode(text)
		if len(e.IDs) < 5000 {
			t.Fatalf("%s: only %d tokens", name, len(e.IDs))
		}
		if n := testing.AllocsPerRun(2, func() { tok.PostProcess(Options{}, tok.Encode(text)) }); n > 30 {
			t.Errorf("%s: %v allocations for %d tokens", name, n, len(e.IDs))
		}
	}
}

func TestPostProcessPanics(t *testing.T) {
	tok := loadParity(t, "bert")
	e := tok.Encode("the weights of the model and more of them")
	for want, call := range map[string]func(){
		"MaxLength 1, the special tokens alone are 2":    func() { tok.PostProcess(Options{MaxLength: 1}, e) },
		"3 texts, a model reads one or two":              func() { tok.PostProcess(Options{}, e, e, e) },
		"stride -1":                                      func() { tok.PostProcess(Options{Stride: -1}, e) },
		`Truncation "none", want "longest_first"`:        func() { tok.PostProcess(Options{MaxLength: 5, Truncation: "none"}, e, e) },
		"windows of a pair need Truncation OnlyFirst or": func() { tok.PostProcess(Options{MaxLength: 9, Overflow: true}, e, e) },
		"2 texts and 1 pairs":                            func() { tok.EncodeBatch(Options{}, []string{"a", "b"}, []string{"c"}) },
		"span 0 is [1, 0)":                               func() { RuneOffsets("ab", []Span{{1, 0}}) },
	} {
		func() {
			defer func() {
				if msg, _ := recover().(string); !strings.HasPrefix(msg, "tokenizer: ") || !strings.Contains(msg, want) {
					t.Errorf("panic %q, want %q", msg, want)
				}
			}()
			call()
		}()
	}
}

// A text that leaves no room for the one to be cut is cut itself, where Hugging Face gives up.
func TestTruncationWithoutRoom(t *testing.T) {
	tok := loadParity(t, "bert")
	long, short := tok.Encode(strings.Repeat("the model ", 50)), tok.Encode("weights of")
	e := tok.PostProcess(Options{MaxLength: 10, Truncation: OnlySecond, Overflow: true}, long, short)
	if len(e.IDs) != 10 || slices.Contains(e.Sequences, 1) || !e.Truncated || e.Overflow != nil {
		t.Errorf("%v, sequences %v, truncated %v", e.IDs, e.Sequences, e.Truncated)
	}
}

// What is saved is read again, and is the same to the last token.
func TestSaveParity(t *testing.T) {
	texts := parityTexts(t)[:400]
	for _, name := range parityNames(t) {
		tok := loadParity(t, name)
		dir := t.TempDir()
		if err := tok.Save(dir); err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(filepath.Join(dir, tokenizerFile))
		if err != nil || !json.Valid(content) || !utf8.Valid(content) {
			t.Fatalf("%s: not JSON: %v", name, err)
		}
		again, err := Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		for i, text := range texts {
			if !slices.Equal(outcome(again, text, texts[len(texts)-1-i]), outcome(tok, text, texts[len(texts)-1-i])) {
				t.Fatalf("%s: %q: other tokens after saving and loading", name, text)
			}
		}
	}
}
