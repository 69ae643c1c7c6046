package tokenizer

import (
	"encoding/binary"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func readParity(t testing.TB, name string) string {
	t.Helper()
	content, err := os.ReadFile("testdata/parity/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// folder makes a folder with files.
func folder(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestLoadRefusesJSON(t *testing.T) {
	for _, c := range []struct{ name, from, old, new, want string }{
		{"a model", "bert", `"type":"WordPiece","unk_token"`, `"type":"Fnord","unk_token"`, `model: type "Fnord" is not supported`},
		{"no model", "bert", `"model":`, `"mode":`, "model: "},
		{"a normalizer", "bert", `"type":"BertNormalizer"`, `"type":"ByteLevel"`, `normalizer: type "ByteLevel" is not supported`},
		{"a normalizer in a sequence", "nfc", `{"type":"NFC"}`, `{"type":"Fnord"}`, `normalizer[0]: type "Fnord" is not supported`},
		{"a field of a normalizer", "bert", `"clean_text":true`, `"clean_test":true`, `normalizer: json: unknown field "clean_test"`},
		{"a regular expression", "xlm-r", `{"Regex":" {2,}"}`, `{"Regex":"a*"}`, `normalizer[1]: pattern: the regular expression "a*" is not supported`},
		{"texts without end", "albert", "{\"type\":\"Replace\",\"pattern\":{\"String\":\"``\"},", `{"type":"Replace","pattern":{"String":"a"},"content":"` + strings.Repeat("a", 1000) + `"},{"type":"Replace","pattern":{"String":"b"},`, `normalizer[0]: makes texts more than 1000 times as long`},
		{"a pattern of nothing", "albert", "{\"String\":\"``\"}", `{"String":""}`, `normalizer[0]: no pattern`},
		{"a table that is no base64", "t5", `"precompiled_charsmap":"`, `"precompiled_charsmap":"!`, "normalizer: precompiled_charsmap: illegal base64"},
		{"a short table", "t5", `{"type":"Precompiled"`, `{"type":"Sequence","normalizers":[{"type":"Precompiled","precompiled_charsmap":"AAAA"}],"x":0`, `normalizer[0]: precompiled_charsmap: ends early`},
		{"a table that is longer than it is", "t5", `{"type":"Precompiled"`, `{"type":"Sequence","normalizers":[{"type":"Precompiled","precompiled_charsmap":"/////wAA"}],"x":0`, `the size of its table does not fit`},
		{"a pre-tokenizer", "bert", `"type":"BertPreTokenizer"`, `"type":"UnicodeScripts"`, `pre_tokenizer: type "UnicodeScripts" is not supported`},
		{"no type", "bert", `{"type":"BertPreTokenizer"}`, `{}`, `pre_tokenizer: no type`},
		{"a scheme", "xlm-r", `"prepend_scheme":"first"`, `"prepend_scheme":"last"`, `pre_tokenizer: prepend_scheme "last" is not supported`},
		{"a behaviour", "nfc", `"behavior":"Isolated"`, `"behavior":"Replaced"`, `pre_tokenizer[1]: behavior "Replaced" is not supported`},
		{"bytes without a model of them", "bert", `{"type":"BertPreTokenizer"}`, `{"type":"ByteLevel"}`, `ByteLevel is supported only before a model of type BPE`},
		{"a model of bytes without them", "roberta", `"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}`, `"pre_tokenizer":null`, `neither unk_token nor byte_fallback says what a character becomes`},
		{"a post-processor", "bert", `"type":"TemplateProcessing"`, `"type":"Fnord"`, `post_processor: type "Fnord" is not supported`},
		{"a special token's id", "bert-strip", `"sep":["[SEP]",3]`, `"sep":["[SEP]",4]`, `post_processor: "[SEP]" is not the token of id 4`},
		{"a template's id", "bert", `"ids":[2]`, `"ids":[1]`, `post_processor: single: "[CLS]" is not the token of id 1`},
		{"a template without text", "bert", `{"Sequence":{"id":"B","type_id":1}}`, `{"SpecialToken":{"id":"[SEP]","type_id":0}}`, `post_processor: pair: wants each of the texts AB once`},
		{"a text twice", "bert", `{"Sequence":{"id":"B","type_id":1}}`, `{"Sequence":{"id":"A","type_id":1}}`, `post_processor: pair: wants each of the texts AB once, not "A"`},
		{"a decoder", "bert", `"decoder":{"type":"WordPiece"`, `"decoder":{"type":"Fnord"`, `decoder: type "Fnord" is not supported`},
		{"dropout", "roberta", `"dropout":null`, `"dropout":0.1`, `model: dropout 0.1 is not supported`},
		{"a suffix", "roberta", `"end_of_word_suffix":null`, `"end_of_word_suffix":"</w>"`, `the token "Ā</w>" of the byte 0x00 is missing`},
		{"a prefix", "roberta", `"continuing_subword_prefix":null`, `"continuing_subword_prefix":"##"`, `continuing_subword_prefix "##" is not supported`},
		{"bytes before other pieces", "roberta", `"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}`, `"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"ByteLevel"},{"type":"Digits","individual_digits":true}]}`, `ByteLevel is supported only as the last one`},
		{"a pattern to split at", "llama-3", `"pattern":{"Regex":"(?i:`, `"pattern":{"Regex":"(?i:'S|`, `pre_tokenizer[0]: pattern: the regular expression "(?i:'S|'s`},
		{"a delimiter of two", "pieces-1", `"delimiter":"e"`, `"delimiter":"ee"`, `pre_tokenizer[0]: delimiter "ee" is not one character`},
		{"a field of Digits", "words", `"individual_digits":false`, `"individual":false`, `pre_tokenizer[2]: json: unknown field "individual"`},
		{"bytes decoded late", "pieces-1", `{"type":"WordPiece","prefix"`, `{"type":"ByteLevel"},{"type":"WordPiece","prefix"`, `decoder[2]: ByteLevel is supported only as the first decoder`},
		{"a decoder that strips two", "llama-2", `{"type":"Strip","content":" "`, `{"type":"Strip","content":"  "`, `decoder[3]: content "  " is not one character`},
		{"no byte to fall back to", "llama-2", `"<0x41>":`, `"<0X41>":`, `model: byte_fallback without the token <0x41>`},
		{"an unknown word that is none", "words", `"unk_token":"[UNK]"`, `"unk_token":"[NUK]"`, `unk_token "[NUK]" is not in the vocabulary`},
		{"a merge of no tokens", "roberta", `"merges":[`, `"merges":[["z","z"],`, `merges[0]: merge of "z" and "z": "zz" is not in the vocabulary`},
		{"a merge of three", "roberta", `"merges":[`, `"merges":[["a","b","c"],`, `merges[0]: 3 strings, not two`},
		{"an id twice", "bert", `"[PAD]":0`, `"[PAD]":1`, `tokens "[PAD]" and "[UNK]" share the id 1`},
		{"a token twice", "bert", `"[PAD]":0`, `"[PAD]":0,"[UNK]":1`, `token "[UNK]": occurs twice`},
		{"a hole", "bert", `"[PAD]":0`, `"[PAD]":100000`, `token "[PAD]": id 100000, but`},
		{"an unknown token that is none", "bert", `"unk_token":"[UNK]"`, `"unk_token":"[NUK]"`, `unk_token "[NUK]" is not in the vocabulary`},
		{"an added token of another id", "bert", `{"id":0,"content":"[PAD]"`, `{"id":7,"content":"[PAD]"`, `added_tokens: "[PAD]" has id 7, and 0 in the vocabulary`},
		{"an added token of another's id", "bert", `{"id":0,"content":"[PAD]"`, `{"id":0,"content":"[DAP]"`, `added_tokens: "[DAP]" has the id 0 of "[PAD]"`},
		{"an added token behind a hole", "bert-added", `"content":"COVID-19"`, `"content":"COVID-20","x":0},{"id":5000,"content":"COVID-19"`, `has id 5000, the tokens before it end at`},
		{"an added token of nothing", "bert", `"content":"[PAD]"`, `"content":""`, `a token of 0 bytes`},
		{"a long token", "bert", `"##b":`, `"` + strings.Repeat("b", 1001) + `":`, `a token of 1001 bytes, want at most 1000`},
		{"many components", "nfc", `{"type":"NFC"}`, strings.Repeat(`{"type":"NFC"},`, 8) + `{"type":"NFC"}`, `normalizer: normalizers: 11 components, want at most 8`},
		{"deep components", "nfc", `{"type":"NFC"}`, strings.Repeat(`{"type":"Sequence","normalizers":[`, 5) + strings.Repeat(`]}`, 5), `sequences nested too deep`},
		{"no unk_id", "t5", `"unk_id":2`, `"unk_id":-1`, `unk_id is missing`},
		{"a score that is none", "t5", `["<pad>",0.0]`, `["<pad>","x"]`, `model: vocab: `},
		{"half a character", "bert", `"[PAD]":0`, `"\ud83dx":0`, `tokenizer.json:1: half a surrogate pair`},
		{"JSON that ends", "bert", `"version":"1.0"`, `"version":}`, `tokenizer.json: invalid character`},
	} {
		t.Run(c.name, func(t *testing.T) {
			content := readParity(t, c.from)
			if !strings.Contains(content, c.old) {
				t.Fatalf("%q is not in %s.json", c.old, c.from)
			}
			dir := folder(t, map[string]string{tokenizerFile: strings.Replace(content, c.old, c.new, 1)})
			_, err := Load(dir)
			if err == nil {
				t.Fatal("no error")
			}
			if msg := err.Error(); !strings.HasPrefix(msg, "tokenizer: "+dir) || !strings.Contains(msg, c.want) {
				t.Errorf("error %q, want %q in it", msg, c.want)
			}
		})
	}
}

// A surrogate pair is a character, and a backslash before u an escape only if it is not escaped itself.
func TestSurrogates(t *testing.T) {
	for content, want := range map[string]int{
		`"\ud83d\ude42"`: 0, `"\\ud83d"`: 0, `"\\\ud83d"`: 1, "\n\"\\ude42\"": 2, `"\ud83d\ud83d\ude42"`: 1, `"\ud83d`: 1, `\u`: 0, `\`: 0,
	} {
		if got := loneSurrogate([]byte(content)); got != want {
			t.Errorf("%s: line %d, want %d", content, got, want)
		}
	}
}

// vocab.txt and tokenizer_config.json say what tokenizer.json says.
func TestLoadWords(t *testing.T) {
	for name, config := range map[string]string{
		"bert":         `{}`,
		"bert-cased":   `{"do_lower_case": false}`,
		"bert-accents": `{"do_lower_case": true, "strip_accents": false, "tokenize_chinese_chars": true, "cls_token": {"content": "[CLS]"}}`,
	} {
		want := loadParity(t, name)
		dir := folder(t, map[string]string{wordsFile: strings.Join(want.tokens, "\r\n"), configFile: config})
		got, err := Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		if name == "bert-accents" {
			want.pre = got.pre // which is not BERT's in that one
		}
		texts := parityTexts(t)[:1000]
		for i, text := range texts {
			if !slices.Equal(outcome(got, text, texts[len(texts)-1-i]), outcome(want, text, texts[len(texts)-1-i])) {
				t.Fatalf("%s: %q: other tokens than with tokenizer.json", name, text)
			}
		}
	}
	for want, content := range map[string]string{
		`vocab.txt:3: token "a" occurs twice, first in line 2`: "[PAD]\na\na\n",
		`vocab.txt: the special token "[CLS]" is missing`:      "[PAD]\n[UNK]\n[SEP]\n[MASK]\n",
		`vocab.txt: not UTF-8`:                                 "\xff",
	} {
		if _, err := Load(folder(t, map[string]string{wordsFile: content})); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q in it", err, want)
		}
	}
}

// GPT-2's vocabulary has one special token and puts it nowhere.
func TestLoadGPT2(t *testing.T) {
	content, err := os.ReadFile("testdata/vocab.json")
	if err != nil {
		t.Fatal(err)
	}
	merges, err := os.ReadFile("testdata/merges.txt")
	if err != nil {
		t.Fatal(err)
	}
	vocab := strings.NewReplacer(`"<s>"`, `"<|endoftext|>"`, `"</s>"`, `"<1>"`, `"<pad>"`, `"<2>"`, `"<mask>"`, `"<3>"`, `"<unk>"`, `"<4>"`).Replace(string(content))
	tok, err := Load(folder(t, map[string]string{vocabFile: vocab, mergesFile: string(merges), configFile: `{"add_prefix_space": true}`}))
	if err != nil {
		t.Fatal(err)
	}
	end, _ := tok.ID("<|endoftext|>")
	if tok.BOS() != end || tok.EOS() != end || tok.Unk() != end || tok.Pad() != -1 || tok.Mask() != -1 {
		t.Errorf("BOS %d, EOS %d, Unk %d, Pad %d, Mask %d", tok.BOS(), tok.EOS(), tok.Unk(), tok.Pad(), tok.Mask())
	}
	e := tok.PostProcess(Options{}, tok.Encode("the model"), tok.Encode(" of"))
	if got := tok.Decode(e.IDs); got != " the model of" || !slices.Equal(e.Types, append(make([]int32, len(e.IDs)-1), 1)) {
		t.Errorf("%q, types %v", got, e.Types)
	}
}

func FuzzTokenizerJSON(f *testing.F) {
	for _, name := range parityNames(f) {
		f.Add([]byte(readParity(f, name)))
	}
	small := map[string]any{}
	if err := json.Unmarshal([]byte(readParity(f, "bert")), &small); err != nil {
		f.Fatal(err)
	}
	small["model"] = map[string]any{"type": "WordPiece", "vocab": map[string]int{"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "a": 3, "##b": 4}}
	small["added_tokens"], small["post_processor"] = []any{}, nil
	f.Add([]byte(marshal(small)))
	small["model"] = map[string]any{"type": "Unigram", "unk_id": 0, "vocab": [][]any{{"", 0}, {"a", -1.5}, {"ab", 1e300}}}
	small["pre_tokenizer"] = nil
	f.Add([]byte(marshal(small)))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, content []byte) {
		path := filepath.Join(dir, tokenizerFile)
		if err := os.WriteFile(path, content, 0o666); err != nil {
			t.Fatal(err)
		}
		tok, err := Load(dir)
		if err != nil {
			return
		}
		for _, text := range []string{"the ab é [R] <mask> \xff", ""} {
			checkOffsets(t, tok, text)
		}
		saved := t.TempDir()
		if err := tok.Save(saved); err != nil {
			t.Fatal(err)
		}
		again, err := Load(saved)
		if err != nil {
			t.Fatalf("what was saved is not read: %v", err)
		}
		if !maps.Equal(again.ids, tok.ids) {
			t.Fatal("other tokens after saving and loading")
		}
	})
}

func FuzzPrecompiled(f *testing.F) {
	p := loadParity(f, "t5").normalizer.(*precompiled)
	blob := binary.LittleEndian.AppendUint32(nil, uint32(4*len(p.units)))
	for _, u := range p.units {
		blob = binary.LittleEndian.AppendUint32(blob, u)
	}
	f.Add(append(blob, p.results...), "ﬁe\u0301 \U000e0041½")
	f.Add([]byte{4, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}, "abc")
	f.Fuzz(func(t *testing.T, blob []byte, text string) {
		p, err := newPrecompiled(blob)
		if err != nil {
			return
		}
		n := &normal{}
		n.begin(text, 0)
		p.normalize(n)
		for i := range n.text {
			if n.from[i] < 0 || n.from[i] > n.to[i] || int(n.to[i]) > len(text) {
				t.Fatalf("byte %d stands for [%d, %d)", i, n.from[i], n.to[i])
			}
		}
	})
}
