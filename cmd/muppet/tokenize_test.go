package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTokenize(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	corpus := filepath.Join(dir, "corpus.txt")
	if err := os.WriteFile(corpus, []byte(strings.Repeat("a short text and a longer text\n", 3)), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"bpe", "wordpiece"} {
		out := filepath.Join(dir, kind)
		status, stdout, errs := muppet(ctx, "tokenizer", "train", "-out", out, "-kind", kind, "-vocab-size", "300", corpus)
		want(t, kind, status, 0, stdout+errs, "written to "+out)

		input := "a longer täxt\n\nshort text and a short text\n"
		lines := tokenizedLines(t, input, "tokenize", "-tokenizer", out, "-runes")
		if len(lines) != 3 || lines[1].Text != "" || len(lines[1].IDs) != 2 || lines[0].Offsets[0] != nil {
			t.Fatalf("%s: %+v", kind, lines)
		}
		for _, l := range lines {
			text := []rune(l.Text)
			for i, o := range l.Offsets {
				if special := i == 0 || i == len(l.IDs)-1; special != (o == nil) {
					t.Errorf("%s: %q: token %q is at %v", kind, l.Text, l.Tokens[i], o)
				} else if !special && !strings.Contains(string(text[o[0]:o[1]]), strings.Trim(l.Tokens[i], "Ġ#ÃÂ¤[UNK]")) {
					t.Errorf("%s: %q: token %q is at %q", kind, l.Text, l.Tokens[i], string(text[o[0]:o[1]]))
				}
			}
		}

		// Windows share a token, and have all of the text between them.
		windows := tokenizedLines(t, "a short text and a longer text\n", "tokenize", "-tokenizer", out, "-max-length", "6", "-stride", "1")
		whole := tokenizedLines(t, "a short text and a longer text\n", "tokenize", "-tokenizer", out)[0]
		var ids []int32
		for i, w := range windows {
			if w.Window != i || len(w.IDs) > 6 {
				t.Errorf("%s: window %+v", kind, w)
			}
			inner := w.IDs[1 : len(w.IDs)-1]
			if i > 0 {
				inner = inner[1:]
			}
			ids = append(ids, inner...)
		}
		if a, b := asJSON(t, ids), asJSON(t, whole.IDs[1:len(whole.IDs)-1]); len(windows) < 2 || a != b {
			t.Errorf("%s: windows have %s, the text %s", kind, a, b)
		}

		pair := tokenizedLines(t, "short text\tlonger text\n", "tokenize", "-tokenizer", out, "-pair")[0]
		last := pair.Offsets[len(pair.Offsets)-2]
		if pair.Pair != "longer text" || last == nil || pair.Pair[last[0]:last[1]] != "text" && last[1] != len(pair.Pair) {
			t.Errorf("%s: pair %+v", kind, pair)
		}

		decoded := tokenizedLines(t, asJSON(t, whole.IDs)+"\n"+asJSON(t, whole)+"\n", "tokenize", "-tokenizer", out, "-decode")
		for _, d := range decoded {
			if !strings.Contains(d.Text, "a short text and a longer text") {
				t.Errorf("%s: decoded %q", kind, d.Text)
			}
		}
		if len(decoded) != 2 {
			t.Errorf("%s: %d lines decoded", kind, len(decoded))
		}
	}
}

func TestTokenizeErrors(t *testing.T) {
	dir, _ := tiny(t, false)
	for _, c := range []struct {
		input  string
		args   []string
		status int
		want   string
	}{
		{"", []string{"tokenize"}, 2, "which tokenizer?"},
		{"", []string{"tokenize", "-tokenizer", t.TempDir()}, 1, "tokenize: "},
		{"", []string{"tokenize", "-tokenizer", dir, "-max-length", "2"}, 2, "-max-length 2: want at least"},
		{"", []string{"tokenize", "-tokenizer", dir, "-stride", "3"}, 2, "-stride 3: without -max-length"},
		{"", []string{"tokenize", "-tokenizer", dir, "-max-length", "9", "-stride", "7"}, 2, "-stride 7: want at most"},
		{"", []string{"tokenize", "-tokenizer", dir, "-max-length", "9", "-stride", "-7"}, 2, "-stride -7: want a number"},
		{"", []string{"tokenize", "-tokenizer", dir, "-decode", "-pair"}, 2, "-decode reads ids"},
		{"a\tb\n" + strings.Repeat("long ", 20) + "\tb\n", []string{"tokenize", "-tokenizer", dir, "-pair", "-max-length", "12", "-stride", "1"}, 1, "line 2: with -max-length 12 the first text leaves no room"},
		{"a\tb\nc\n", []string{"tokenize", "-tokenizer", dir, "-pair"}, 1, "line 2 has no tab"},
		{"[0]\n[999]\n", []string{"tokenize", "-tokenizer", dir, "-decode"}, 1, "line 2: id 999"},
		{"text\n", []string{"tokenize", "-tokenizer", dir, "-decode"}, 1, "line 1: neither a JSON array"},
		{"\xff\n", []string{"tokenize", "-tokenizer", dir}, 1, "line 1 is not UTF-8"},
		{"", []string{"tokenizer"}, 2, "There is: train"},
		{"", []string{"tokenizer", "train", "-out", t.TempDir(), "-kind", "unigram", "x"}, 2, "-kind unigram"},
		{"", []string{"tokenizer", "train", "-out", dir, "x"}, 1, "is not empty"},
		{"", []string{"tokenizer", "train", "-out", t.TempDir(), filepath.Join(dir, "none")}, 1, "none"},
		{"a\n" + strings.Repeat("b", maxLine+1), []string{"tokenizer", "train", "-out", t.TempDir(), "-"}, 1, "-: line 2 is longer than"},
		{"a\n" + strings.Repeat("b", maxLine+1), []string{"tokenize", "-tokenizer", dir}, 1, "line 2 is longer than"},
		{"a\n", []string{"tokenizer", "train", "-out", t.TempDir(), "-vocab-size", "10", "-"}, 1, "VocabSize 10"},
	} {
		var out, errs bytes.Buffer
		status := run(context.Background(), c.args, strings.NewReader(c.input), &out, &errs)
		if status != c.status || !strings.Contains(errs.String(), c.want) {
			t.Errorf("%q: status %d, %q; want %d and %q", c.args, status, errs.String(), c.status, c.want)
		}
	}
}

// tokenizedLines runs a command on an input and returns the lines it answers.
func tokenizedLines(t *testing.T, input string, args ...string) (lines []tokenized) {
	t.Helper()
	var out, errs bytes.Buffer
	if status := run(context.Background(), args, strings.NewReader(input), &out, &errs); status != 0 {
		t.Fatalf("%q: status %d, %s", args, status, errs.String())
	}
	for line := range strings.Lines(out.String()) {
		var l tokenized
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		lines = append(lines, l)
	}
	return lines
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
