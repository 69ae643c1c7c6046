package tokenizer

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// The names of the tokenizers in testdata/parity, which testdata/parity.py made.
func parityNames(t testing.TB) []string {
	t.Helper()
	paths, err := filepath.Glob("testdata/parity/*.txt")
	if err != nil || len(paths) < 27 {
		t.Fatalf("%d tokenizers in testdata/parity: %v", len(paths), err)
	}
	var names []string
	for _, path := range paths {
		names = append(names, strings.TrimSuffix(filepath.Base(path), ".txt"))
	}
	return names
}

func loadParity(t testing.TB, name string) *Tokenizer {
	t.Helper()
	content, err := os.ReadFile("testdata/parity/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, tokenizerFile), content, 0o666); err != nil {
		t.Fatal(err)
	}
	tok, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// parityTexts makes the texts that parity.py makes.
func parityTexts(t testing.TB) []string {
	t.Helper()
	content, err := os.ReadFile("testdata/parity/atoms.json")
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	if err := json.Unmarshal(content, &texts); err != nil {
		t.Fatal(err)
	}
	atoms := texts[:len(texts):len(texts)]
	seed := uint64(1)
	next := func(n int) int {
		seed += 0x9E3779B97F4A7C15
		z := seed
		z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
		z = (z ^ z>>27) * 0x94D049BB133111EB
		return int((z ^ z>>31) % uint64(n))
	}
	for len(texts) < 3000 {
		n, few, kinds := next(40), next(4) == 0, len(atoms)
		if few {
			kinds = 1 + next(4)
		}
		start := next(len(atoms))
		var text strings.Builder
		for range n {
			text.WriteString(atoms[(start+next(kinds))%len(atoms)])
		}
		texts = append(texts, text.String())
	}
	return texts
}

// describe writes what is compared of an encoding and its windows.
func describe(out []string, tok *Tokenizer, texts []string, encodings ...Encoding) []string {
	for _, e := range encodings {
		for i, id := range e.IDs {
			sequence, special := int(e.Sequences[i]), 0
			if sequence < 0 {
				special = 1
			}
			s := e.Offsets[i]
			if tok.definition.model.Type == "BPE" {
				// Hugging Face gives a token that is part of a character the whole character.
				text := texts[max(sequence, 0)]
				for s.Start > 0 && s.Start < len(text) && !utf8.RuneStart(text[s.Start]) {
					s.Start--
				}
				for s.End > 0 && s.End < len(text) && !utf8.RuneStart(text[s.End]) {
					s.End++
				}
			}
			line := strconv.AppendInt(nil, int64(id), 10)
			for _, n := range [...]int{s.Start, s.End, special, int(e.Types[i]), sequence} {
				line = strconv.AppendInt(append(line, ' '), int64(n), 10)
			}
			out = append(out, string(line))
		}
		out = append(out, "-")
	}
	return out
}

// outcome is what parity.py compares.
func outcome(tok *Tokenizer, text, pair string) []string {
	var out []string
	texts := []string{text, pair}
	add := func(o Options, texts ...string) Encoding {
		first := tok.encode(texts[0], o.ParseSpecial)
		var e Encoding
		if len(texts) == 2 {
			e = tok.PostProcess(o, first, tok.encode(texts[1], o.ParseSpecial))
		} else {
			e = tok.PostProcess(o, first)
		}
		out = describe(out, tok, texts, append([]Encoding{e}, e.Overflow...)...)
		return e
	}
	decoded := func(ids []int32) string { return strings.ToValidUTF8(tok.Decode(ids), "\ufffd") }

	ordinary := text
	if tok.definition.model.Type == "Unigram" { // in which Hugging Face finds special tokens all the same
		ordinary = strings.ReplaceAll(text, "<", "(")
	}
	plain := tok.Encode(ordinary).IDs
	for _, id := range plain {
		out = append(out, strconv.Itoa(int(id)))
	}
	out = append(out, decoded(plain))
	o := Options{ParseSpecial: true}
	e := add(o, text)
	out = append(out, decoded(e.IDs))
	n := len(tok.encode(text, true).IDs)
	add(o, texts...)
	for _, left := range []bool{false, true} {
		o := Options{ParseSpecial: true, Left: left}
		o.MaxLength = 17
		add(o, texts...)
		o.MaxLength, o.Overflow, o.Stride = 12, true, 3
		add(o, text)
		if n < 20 {
			o.MaxLength, o.Stride, o.Truncation = 32, 5, OnlySecond
			add(o, texts...)
		}
	}
	return out
}

func digest(out []string) string {
	sum := sha256.Sum256([]byte(strings.Join(out, "\n")))
	return hex.EncodeToString(sum[:])
}

func TestParity(t *testing.T) {
	show, err := strconv.Atoi(os.Getenv("MUPPET_SHOW")) // the number of a text
	if err != nil {
		show = -1
	}
	texts := parityTexts(t)
	for _, name := range parityNames(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			content, err := os.ReadFile("testdata/parity/" + name + ".txt")
			if err != nil {
				t.Fatal(err)
			}
			want := strings.Fields(string(content))
			if len(want) < 1000 || len(want) > len(texts) {
				t.Fatalf("hashes of %d texts, of %d here", len(want), len(texts))
			}
			tok, failed := loadParity(t, name), 0
			for i, text := range texts[:len(want)] {
				out := outcome(tok, text, texts[(i+1)%len(texts)])
				if digest(out)[:6] == want[i] {
					continue
				}
				if failed++; failed <= 5 {
					t.Errorf("text %d, %q: other tokens than Hugging Face's", i, text)
				}
				if i == show {
					t.Logf("what parity.py shows for it is here\n%s", strings.Join(out, "\n"))
				}
			}
			if failed > 0 {
				t.Errorf("%d of %d texts", failed, len(texts))
			}
		})
	}
}

// TestParityOnData compares on samples of the lines of all files of the datasets.
func TestParityOnData(t *testing.T) {
	data := os.Getenv("MUPPET_DATA")
	if data == "" {
		data = "../../../shared/data"
	}
	if _, err := os.Stat(data); err != nil {
		t.Skipf("no datasets: %v", err)
	}
	for _, name := range []string{"roberta", "bert", "t5", "llama-3", "gpt-4o", "llama-2"} {
		t.Run(name, func(t *testing.T) {
			content, err := os.ReadFile("testdata/parity/" + name + ".tsv")
			if err != nil {
				t.Fatal(err)
			}
			tok, failed := loadParity(t, name), 0
			for line := range strings.Lines(string(content)) {
				path, want, _ := strings.Cut(strings.TrimSpace(line), "\t")
				content, err := os.ReadFile(filepath.Join(data, path))
				if err != nil {
					t.Fatal(err)
				}
				all := bytes.Split(content, []byte("\n"))
				var sample []string
				for i := 0; i < len(all); i += max(1, len(all)/10) {
					if text := all[i][:min(5000, len(all[i]))]; utf8.Valid(text) {
						sample = append(sample, string(text))
					}
				}
				var digests []string
				for i, text := range sample {
					pair := []rune(sample[(i+len(sample)-1)%len(sample)])
					digests = append(digests, digest(outcome(tok, text, string(pair[:min(50, len(pair))]))))
				}
				if got := digest(digests)[:8]; got != want {
					if failed++; failed <= 5 {
						t.Errorf("%s: other tokens than Hugging Face's", path)
					}
				}
			}
			if failed > 0 {
				t.Errorf("%d files", failed)
			}
		})
	}
}
