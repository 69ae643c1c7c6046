package tokenizer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/muppet-go/muppet/internal/file"
)

const (
	tokenizerFile = "tokenizer.json"
	vocabFile     = "vocab.json"
	mergesFile    = "merges.txt"
	wordsFile     = "vocab.txt"
	configFile    = "tokenizer_config.json"
	specialFile   = "special_tokens_map.json"

	maxFile       = 64 << 20 // bytes; XLM-R's tokenizer.json has 17 million
	mergesVersion = "#version: 0.2"
)

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, os.ErrNotExist)
}

// Load reads the tokenizer in a folder in Hugging Face's layout: tokenizer.json if there is one, or else vocab.json and
// merges.txt (RoBERTa's, BART's and GPT-2's byte-level BPE), or else vocab.txt (BERT's WordPiece). The settings of the
// last two, and the roles of special tokens, are in tokenizer_config.json; what that leaves out is as in RoBERTa, or GPT-2 if the
// vocabulary has no <s>, and as in BERT. The truncation and padding that tokenizer.json may ask for are the caller's to choose here.
//
// Whatever would make an encoding wrong or impossible is an error that names the file and the place: components of
// tokenizer.json that are unknown, ids that repeat or leave holes, a missing special token or byte, a merge that repeats or has a part or
// result that is no token.
func Load(dir string) (*Tokenizer, error) {
	d := &definition{}
	settings, err := d.readSettings(dir)
	if err != nil {
		return nil, err
	}
	switch has := func(name string) bool { return exists(filepath.Join(dir, name)) }; {
	case has(tokenizerFile):
		err = d.readJSON(filepath.Join(dir, tokenizerFile))
	case has(vocabFile), has(mergesFile), !has(wordsFile):
		err = d.readBPE(dir, settings)
	default:
		err = d.readWords(filepath.Join(dir, wordsFile), settings)
	}
	if err != nil {
		return nil, err
	}
	return d.build()
}

// readFile reads a regular file of bounded size.
func readFile(path string) ([]byte, error) {
	content, err := file.Read(path, maxFile)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	if !utf8.Valid(content) {
		return nil, fmt.Errorf("tokenizer: %s: not UTF-8", path)
	}
	if strings.HasSuffix(path, ".json") {
		if line := loneSurrogate(content); line > 0 {
			return nil, fmt.Errorf("tokenizer: %s:%d: half a surrogate pair, which is no character", path, line)
		}
	}
	return content, nil
}

// settings are what vocab.json and vocab.txt do not say.
type settings struct {
	AddPrefixSpace bool  `json:"add_prefix_space"`
	TrimOffsets    *bool `json:"trim_offsets"`
	DoLowerCase    *bool `json:"do_lower_case"`
	ChineseChars   *bool `json:"tokenize_chinese_chars"`
	StripAccents   *bool `json:"strip_accents"`
}

// readSettings reads tokenizer_config.json, and from it or special_tokens_map.json the special tokens' names.
func (d *definition) readSettings(dir string) (s settings, err error) {
	for _, name := range []string{configFile, specialFile} {
		path := filepath.Join(dir, name)
		content, err := readFile(path)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return s, err
		}
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(content, &fields); err != nil {
			return s, fmt.Errorf("tokenizer: %s: %w", path, err)
		}
		for i := range roles {
			for _, name := range roles[i].names {
				content, err := tokenContent(fields[name])
				if err != nil {
					return s, fmt.Errorf("tokenizer: %s: %s: %w", path, name, err)
				}
				if d.names[i] == "" {
					d.names[i] = content
				}
			}
		}
		if name == configFile {
			d.config = content
			if err := json.Unmarshal(content, &s); err != nil {
				return s, fmt.Errorf("tokenizer: %s: %w", path, err)
			}
		}
	}
	return s, nil
}

// tokenContent returns a token that is given as a string, or as an object with its content.
func tokenContent(raw json.RawMessage) (string, error) {
	var content string
	if len(raw) == 0 || raw[0] != '{' {
		if raw == nil {
			return "", nil
		}
		return content, json.Unmarshal(raw, &content)
	}
	var object struct{ Content string }
	err := json.Unmarshal(raw, &object)
	return object.Content, err
}

// readJSON reads tokenizer.json.
func (d *definition) readJSON(path string) error {
	d.path = path
	content, err := readFile(path)
	if err != nil {
		return err
	}
	file := struct {
		*definition
		Model json.RawMessage `json:"model"`
	}{definition: d}
	if err := json.Unmarshal(content, &file); err != nil {
		return d.errorf("%w", err)
	}
	m := &d.model
	if err := json.Unmarshal(file.Model, m); err != nil {
		return d.errorf("model: %w", err)
	}
	switch m.Type {
	case "BPE":
		return d.readJSONMerges(content)
	case "WordPiece":
		prefix, chars, unk := "##", 100, "[UNK]"
		m.Prefix, m.MaxChars, m.UnkToken = orDefault(m.Prefix, &prefix), orDefault(m.MaxChars, &chars), orDefault(m.UnkToken, &unk)
		m.tokens, m.ids, err = parseVocabIn(path, content, m.Vocab)
		return err
	case "WordLevel":
		unk := "<unk>"
		m.UnkToken = orDefault(m.UnkToken, &unk)
		m.tokens, m.ids, err = parseVocabIn(path, content, m.Vocab)
		return err
	case "Unigram":
		return d.readScores()
	}
	return d.unsupported("model", m.Type)
}

// orDefault is cmp.Or for pointers.
func orDefault[T any](p, otherwise *T) *T {
	if p == nil {
		return otherwise
	}
	return p
}

func (d *definition) readJSONMerges(content []byte) (err error) {
	m := &d.model
	set := func(s *string) bool { return s != nil && *s != "" }
	switch {
	case m.Dropout != nil && *m.Dropout != 0:
		return d.errorf("model: dropout %v is not supported", *m.Dropout)
	case set(m.Prefix):
		return d.errorf("model: continuing_subword_prefix %.100q is not supported", *m.Prefix)
	}
	if m.tokens, m.ids, err = parseVocabIn(d.path, content, m.Vocab); err != nil {
		return err
	}
	var pairs [][2]string
	var lines []string
	if json.Unmarshal(m.Merges, &lines) == nil {
		for i, line := range lines {
			left, right, ok := strings.Cut(line, " ")
			if !ok || left == "" || right == "" || strings.Contains(right, " ") {
				return d.errorf("merges[%d]: %.100q is not two tokens with a space between them", i, line)
			}
			pairs = append(pairs, [2]string{left, right})
		}
	} else {
		var lists [][]string
		if err := json.Unmarshal(m.Merges, &lists); err != nil {
			return d.errorf("merges: neither strings nor pairs of strings")
		}
		for i, list := range lists {
			if len(list) != 2 {
				return d.errorf("merges[%d]: %d strings, not two", i, len(list))
			}
			pairs = append(pairs, [2]string(list))
		}
	}
	builder := mergeList{ids: m.ids}
	for i, p := range pairs {
		if err := builder.add(p[0], p[1], i); err != nil {
			return d.errorf("merges[%d]: %w", i, err)
		}
	}
	m.merges = builder.merges
	return nil
}

func (d *definition) readScores() error {
	m := &d.model
	var entries []scored
	if err := json.Unmarshal(m.Vocab, &entries); err != nil {
		return d.errorf("model: vocab: %w", err)
	}
	m.ids = make(map[string]int32, len(entries))
	for i, e := range entries {
		if _, ok := m.ids[e.token]; ok {
			return d.errorf("model: vocab[%d]: token %.100q occurs twice", i, e.token)
		}
		m.ids[e.token] = int32(i)
		m.tokens, m.scores = append(m.tokens, e.token), append(m.scores, e.score)
	}
	return nil
}

// scored is an entry of a unigram model's vocabulary.
type scored struct {
	token string
	score float64
}

func (s *scored) UnmarshalJSON(data []byte) error {
	var fields []json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return err
	}
	if len(fields) != 2 {
		return fmt.Errorf("%.100s is not a token and a score", data)
	}
	if err := json.Unmarshal(fields[0], &s.token); err != nil {
		return err
	}
	if err := json.Unmarshal(fields[1], &s.score); err != nil {
		return err
	}
	if score, ok := decimal(string(fields[1])); ok {
		s.score = score
	}
	return nil
}

// decimal reads a number as the JSON reader of Hugging Face's tokenizers does: the digits rounded to a float64, and that
// divided by a power of ten, which of 17 digits can miss the nearest float64 by one. Scores that tie are told apart so.
func decimal(number string) (float64, bool) {
	digits, negative := strings.CutPrefix(number, "-")
	whole, fraction, _ := strings.Cut(digits, ".")
	n, err := strconv.ParseUint(whole+fraction, 10, 64)
	if err != nil || len(fraction) > 22 {
		return 0, false // too many digits, or an exponent
	}
	score := float64(n) / math.Pow10(len(fraction))
	if negative {
		score = -score
	}
	return score, true
}

// readBPE reads vocab.json and merges.txt.
func (d *definition) readBPE(dir string, s settings) error {
	d.path = filepath.Join(dir, vocabFile)
	content, err := readFile(d.path)
	if err != nil {
		return err
	}
	d.model.Type = "BPE"
	if d.model.tokens, d.model.ids, err = parseVocab(d.path, content, 1); err != nil {
		return err
	}
	if err := hasBytes(d.path, d.model.ids, ""); err != nil {
		return err
	}
	path := filepath.Join(dir, mergesFile)
	if content, err = readFile(path); err != nil {
		return err
	}
	if d.model.merges, err = parseMerges(path, content, d.model.ids); err != nil {
		return err
	}
	return d.byteLevel(s)
}

// byteLevel completes a byte-level vocabulary as RoBERTa and BART have it, or GPT-2 if there is no <s>.
func (d *definition) byteLevel(s settings) error {
	usual := []string{bos: "<s>", pad: "<pad>", eos: "</s>", unk: "<unk>", mask: "<mask>"}
	_, isRoberta := d.model.ids["<s>"]
	if !isRoberta {
		usual = []string{bos: "<|endoftext|>", eos: "<|endoftext|>", unk: "<|endoftext|>"}
	}
	for i, token := range usual {
		if d.names[i] == "" {
			d.names[i] = token
		}
	}
	if err := d.addNamed(); err != nil {
		return err
	}
	d.PreTokenizer = marshal(map[string]any{"type": "ByteLevel", "add_prefix_space": s.AddPrefixSpace, "trim_offsets": true, "use_regex": true})
	d.Decoder = marshal(map[string]any{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true})
	trim := s.TrimOffsets == nil || *s.TrimOffsets
	if isRoberta {
		d.PostProcessor = marshal(map[string]any{
			"type": "RobertaProcessing", "trim_offsets": trim, "add_prefix_space": s.AddPrefixSpace,
			"cls": []any{d.names[bos], d.model.ids[d.names[bos]]}, "sep": []any{d.names[eos], d.model.ids[d.names[eos]]},
		})
	} else {
		d.PostProcessor = marshal(map[string]any{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": false, "use_regex": true})
	}
	return nil
}

// readWords reads vocab.txt, a token a line.
func (d *definition) readWords(path string, s settings) error {
	d.path = path
	content, err := readFile(path)
	if err != nil {
		return err
	}
	m := &d.model
	m.ids = map[string]int32{}
	for line := range strings.Lines(string(content)) {
		token := strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
		if first, ok := m.ids[token]; ok {
			return fmt.Errorf("tokenizer: %s:%d: token %.100q occurs twice, first in line %d", path, len(m.tokens)+1, token, first+1)
		}
		m.ids[token] = int32(len(m.tokens))
		m.tokens = append(m.tokens, token)
	}
	lower := s.DoLowerCase == nil || *s.DoLowerCase
	chinese := s.ChineseChars == nil || *s.ChineseChars
	return d.wordPiece(lower, chinese, s.StripAccents)
}

// wordPiece completes a vocabulary of WordPiece as BERT has it.
func (d *definition) wordPiece(lower, chinese bool, strip *bool) error {
	for i, token := range []string{bos: "[CLS]", pad: "[PAD]", eos: "[SEP]", unk: "[UNK]", mask: "[MASK]"} {
		if d.names[i] == "" {
			d.names[i] = token
		}
	}
	if err := d.addNamed(); err != nil {
		return err
	}
	prefix, chars := "##", 100
	m := &d.model
	m.Type, m.Prefix, m.MaxChars, m.UnkToken = "WordPiece", &prefix, &chars, &d.names[unk]
	d.Normalizer = marshal(map[string]any{"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": chinese, "strip_accents": strip, "lowercase": lower})
	d.PreTokenizer = json.RawMessage(`{"type": "BertPreTokenizer"}`)
	d.Decoder = json.RawMessage(`{"type": "WordPiece", "prefix": "##", "cleanup": true}`)
	item := func(kind, id string, typ int) any {
		return map[string]any{kind: map[string]any{"id": id, "type_id": typ}}
	}
	cls, sep := d.names[bos], d.names[eos]
	single := []any{item("SpecialToken", cls, 0), item("Sequence", "A", 0), item("SpecialToken", sep, 0)}
	tokens := map[string]any{}
	for _, token := range []string{cls, sep} {
		tokens[token] = map[string]any{"id": token, "ids": []int32{m.ids[token]}, "tokens": []string{token}}
	}
	d.PostProcessor = marshal(map[string]any{
		"type": "TemplateProcessing", "single": single,
		"pair":           append(single[:3:3], item("Sequence", "B", 1), item("SpecialToken", sep, 1)),
		"special_tokens": tokens,
	})
	return nil
}

// addNamed makes special tokens of those that have a role.
func (d *definition) addNamed() error {
	for _, name := range d.names {
		if name == "" || slices.ContainsFunc(d.Added, func(a addedToken) bool { return a.Content == name }) {
			continue
		}
		id, ok := d.model.ids[name]
		if !ok {
			return d.errorf("the special token %q is missing", name)
		}
		d.Added = append(d.Added, addedToken{ID: id, Content: name, Special: true, LStrip: name == "<mask>"})
	}
	return nil
}

// marshal returns JSON in which <s> is not \u003cs\u003e.
func marshal(value any) json.RawMessage {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		panic(err) // values made here, which can be written
	}
	return bytes.TrimSpace(b.Bytes())
}
