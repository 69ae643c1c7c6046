package tokenizer

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// write makes a folder with the files of testdata, some of them replaced or, given nothing, left out.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{vocabFile, mergesFile, configFile} {
		content, ok := files[name]
		if !ok {
			b, err := os.ReadFile(filepath.Join("testdata", name))
			if os.IsNotExist(err) {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			content = string(b)
		}
		if content == "" {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestLoadRefuses(t *testing.T) {
	read := func(name string) string {
		content, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(content)
	}
	vocab, merges := read(vocabFile), read(mergesFile)
	in := func(content, old, new string) string {
		if strings.Count(content, old) != 1 {
			t.Fatalf("%q does not occur once", old)
		}
		return strings.Replace(content, old, new, 1)
	}
	appended := vocab[:strings.LastIndex(vocab, "}")]
	for _, c := range []struct{ name, file, content, want string }{
		{"no vocab", vocabFile, "", "vocab.json: no such file"},
		{"no merges", mergesFile, "", "merges.txt: no such file"},
		{"not JSON", vocabFile, "{\n\"a\": 0,\nb}", "vocab.json:3: "},
		{"ends early", vocabFile, appended, "vocab.json:1: JSON ends early"},
		{"ends after a key", vocabFile, "{\n\"a\"", "vocab.json:2: "},
		{"only space", vocabFile, " ", "vocab.json:1: JSON ends early"},
		{"an array", vocabFile, "[]", "vocab.json:1: not a JSON object"},
		{"more after it", vocabFile, vocab + "\n{}", "vocab.json:2: something follows"},
		{"an id that is a string", vocabFile, appended + ",\n\"x y\":\"7\"}", `vocab.json:2: token "x y": id 7 is no whole number`},
		{"an id that is an object", vocabFile, appended + ",\n\"x y\":{}}", `vocab.json:2: token "x y": id { is no whole number`},
		{"a negative id", vocabFile, appended + ",\n\"x y\":-1}", `token "x y": id -1 is no whole number`},
		{"a fraction", vocabFile, appended + ",\n\"x y\":586.5}", `token "x y": id 586.5 is no whole number`},
		{"a huge id", vocabFile, appended + ",\n\"x y\":9999999999999999999999}", `token "x y": id 9999999999999999999999 is no whole number`},
		{"a token twice", vocabFile, appended + ",\n\"the\":586}", `vocab.json:2: token "the": occurs twice`},
		{"an id twice", vocabFile, appended + ",\n\"x y\":5}", `vocab.json: tokens "!" and "x y" share the id 5`},
		{"a hole", vocabFile, appended + ",\n\"x y\":587}", `vocab.json: token "x y": id 587, but 587 tokens need`},
		{"no mask", vocabFile, in(vocab, `"<mask>"`, `"[MASK]"`), `vocab.json: the special token "<mask>" is missing`},
		{"no byte", vocabFile, in(vocab, `"Ġ":`, `"x y":`), `vocab.json: the token "Ġ" of the byte 0x20 is missing`},
		{"not UTF-8", vocabFile, appended + ",\n\"\xff\":586}", "vocab.json: not UTF-8"},
		{"too large", vocabFile, strings.Repeat(" ", maxFile+1), "vocab.json: larger than"},
		{"one part", mergesFile, "#version: 0.2\nt h\nhe\n", `merges.txt:3: "he" is not two tokens`},
		{"three parts", mergesFile, "#version: 0.2\nt h e\n", `merges.txt:2: "t h e" is not two tokens`},
		{"no right part", mergesFile, "#version: 0.2\nt \n", `merges.txt:2: "t " is not two tokens`},
		{"no left part", mergesFile, " t\n", `merges.txt:1: " t" is not two tokens`},
		{"a blank line", mergesFile, "t h\n\nth e\n", `merges.txt:2: "" is not two tokens`},
		{"a version later on", mergesFile, "t h\n#version: 0.2\n", `merges.txt:2: `},
		{"unknown left part", mergesFile, "zzz a\n", `merges.txt:1: merge of "zzz" and "a": "zzz" is not in the vocabulary`},
		{"unknown right part", mergesFile, "a zzz\n", `merges.txt:1: merge of "a" and "zzz": "zzz" is not in the vocabulary`},
		{"unknown result", mergesFile, "z z\n", `merges.txt:1: merge of "z" and "z": "zz" is not in the vocabulary`},
		{"a merge twice", mergesFile, merges + strings.Split(merges, "\n")[1] + "\n", `it is there already, at 2`},
		{"half a pair", vocabFile, appended + ",\n\"\\ud83d\":586}", "vocab.json:2: half a surrogate pair"},
		{"config not JSON", configFile, "x", "tokenizer_config.json: invalid character"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := write(t, map[string]string{c.file: c.content})
			_, err := Load(dir)
			if err == nil {
				t.Fatal("no error")
			}
			if msg := err.Error(); !strings.HasPrefix(msg, "tokenizer: ") || !strings.Contains(msg, dir) && c.content != "" || !strings.Contains(msg, c.want) {
				t.Errorf("error %q, want %q in it", msg, c.want)
			}
		})
	}
}

func TestLoadAccepts(t *testing.T) {
	merges, err := os.ReadFile("testdata/merges.txt")
	if err != nil {
		t.Fatal(err)
	}
	_, bare, _ := strings.Cut(string(merges), "\n")
	want := load(t)
	for name, content := range map[string]string{
		"no version":            bare,
		"Windows line ends":     strings.ReplaceAll(string(merges), "\n", "\r\n"),
		"no newline at the end": strings.TrimSuffix(string(merges), "\n"),
	} {
		tok, err := Load(write(t, map[string]string{mergesFile: content, configFile: `{"model_max_length": 512}`}))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		equal(t, tok, want)
	}
}

// RoBERTa's own vocabulary has <mask> at its end.
func TestMaskLast(t *testing.T) {
	content, err := os.ReadFile("testdata/vocab.json")
	if err != nil {
		t.Fatal(err)
	}
	vocab := strings.NewReplacer(`"<mask>":4`, `"<mask>":585`, `:585}`, `:4}`).Replace(string(content))
	tok, err := Load(write(t, map[string]string{vocabFile: vocab}))
	if err != nil {
		t.Fatal(err)
	}
	if tok.Mask() != 585 || tok.EOS() != 2 {
		t.Errorf("mask %d, eos %d; want 585, 2", tok.Mask(), tok.EOS())
	}
	dir := t.TempDir()
	if err := tok.Save(dir); err != nil {
		t.Fatal(err)
	}
	again, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, again, tok)
}

func TestSaveLeavesNothingElse(t *testing.T) {
	dir := t.TempDir()
	tok := load(t)
	for range 2 { // the second time over the first
		if err := tok.Save(dir); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if got, want := strings.Join(names, " "), "merges.txt tokenizer.json tokenizer_config.json vocab.json"; got != want {
		t.Errorf("folder has %s, want %s", got, want)
	}
	missing := filepath.Join(dir, "missing")
	if err := tok.Save(missing); err == nil || !strings.Contains(err.Error(), missing) {
		t.Errorf("saved into a missing folder: %v", err)
	}
}

func FuzzVocab(f *testing.F) {
	content, err := os.ReadFile("testdata/vocab.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(content)
	f.Add(bytes.Replace(content, []byte(":7"), []byte(":1e0"), 1))
	f.Add([]byte(`{"a":0,"b":{"c":[1]}}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		tokens, ids, err := parseVocab("vocab.json", content, 1)
		if err != nil {
			return
		}
		for id, token := range tokens {
			if got, ok := ids[token]; !ok || int(got) != id {
				t.Fatalf("token %q of id %d has id %d", token, id, got)
			}
		}
		d := &definition{model: modelDefinition{Type: "BPE", tokens: tokens, ids: ids}}
		if hasBytes("vocab.json", ids, "") == nil && d.byteLevel(settings{}) == nil {
			if tok, err := d.build(); err == nil {
				check(t, tok, "any text \xff")
			}
		}
	})
}

func FuzzMerges(f *testing.F) {
	content, err := os.ReadFile("testdata/merges.txt")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(content))
	f.Add("#version: 0.2\nt h\r\nth e")
	f.Add("t  h\n")
	model := load(f).definition.model
	f.Fuzz(func(t *testing.T, content string) {
		merges, err := parseMerges("merges.txt", []byte(content), model.ids)
		if err != nil {
			return
		}
		d := &definition{model: modelDefinition{Type: "BPE", tokens: model.tokens, ids: maps.Clone(model.ids), merges: merges}}
		if err := d.byteLevel(settings{}); err != nil {
			t.Fatal(err)
		}
		tok, err := d.build()
		if err != nil {
			t.Fatal(err)
		}
		check(t, tok, "the weights of the model, 東京 'll")
	})
}
