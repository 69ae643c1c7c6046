package prefinetune

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestReadTexts(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("texts/b.txt", "\ufeffone\r\ntwo\r\n \t\r\n\r\nthree")
	write("texts/a/x.txt", "four\n")
	write("texts/notes.md", "no text")
	other := write("other.md", "five\n\n\n\nsix\n")
	texts := filepath.Join(dir, "texts")
	for split, want := range map[string][]string{
		"line":      {"four", "one", "two", "three", "five", "six"},
		"paragraph": {"four", "one\ntwo", "three", "five", "six"},
		"file":      {"four", "one\ntwo\n \t\n\nthree", "five\n\n\n\nsix"},
	} {
		if got, err := ReadTexts(split, texts, other); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q (%v)", split, got, want, err)
		}
	}
	for _, c := range []struct{ split, path, want string }{
		{"word", other, `split by "word"; want line, paragraph or file`},
		{"line", filepath.Join(dir, "absent"), "absent"},
		{"line", t.TempDir(), "no .txt file in"},
		{"line", write("bad.txt", "fine\n\xff\n"), "bad.txt:2: not valid UTF-8"},
		{"file", write("long.txt", "fine\n"+strings.Repeat("x", maxTextLine+1)), "long.txt:2: the line is longer than 16777216 bytes"},
	} {
		if _, err := ReadTexts(c.split, c.path); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s of %s: %v, want %q", c.split, c.path, err, c.want)
		}
	}
}

func FuzzReadTexts(f *testing.F) {
	f.Add([]byte("a\n\nb\r\n"), "paragraph")
	f.Add([]byte("\xef\xbb\xbfa\x00\n"), "line")
	f.Fuzz(func(t *testing.T, content []byte, split string) {
		path := filepath.Join(t.TempDir(), "x.txt")
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
		texts, err := ReadTexts(split, path)
		if err != nil {
			return
		}
		words := strings.Fields(strings.TrimPrefix(string(content), "\ufeff"))
		if got := strings.Fields(strings.Join(texts, "\n")); !slices.Equal(got, words) {
			t.Errorf("%q became %q", content, texts)
		}
		for _, s := range texts {
			if !utf8.ValidString(s) || s != strings.TrimSpace(s) || s == "" {
				t.Errorf("%q has the text %q", content, s)
			}
		}
	})
}
