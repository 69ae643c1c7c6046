package tokenizer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/muppet-go/muppet/internal/file"
)

const (
	vocabFile  = "vocab.json"
	mergesFile = "merges.txt"
	configFile = "tokenizer_config.json"

	maxFile       = 64 << 20 // bytes; RoBERTa's vocab.json has one million
	mergesVersion = "#version: 0.2"
)

// Load reads the tokenizer in a folder: vocab.json, which gives each token its id, and merges.txt, the merges in the order
// in which they were learned. A tokenizer_config.json, if there is one, is asked only whether it wants a space put before
// each text (add_prefix_space), which is refused since it would encode texts differently.
//
// Whatever would make an encoding wrong or impossible is an error that names the file, the line and the token: ids that
// repeat or leave holes, a missing special token or byte, a merge that repeats or has a part or result that is no token.
func Load(dir string) (*Tokenizer, error) {
	if err := checkConfig(filepath.Join(dir, configFile)); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, vocabFile)
	content, err := readFile(path)
	if err != nil {
		return nil, err
	}
	tokens, ids, err := parseVocab(path, content)
	if err != nil {
		return nil, err
	}
	path = filepath.Join(dir, mergesFile)
	if content, err = readFile(path); err != nil {
		return nil, err
	}
	merges, err := parseMerges(path, content, ids)
	if err != nil {
		return nil, err
	}
	return newTokenizer(tokens, merges), nil
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
	return content, nil
}

func checkConfig(path string) error {
	content, err := readFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var config struct {
		AddPrefixSpace bool `json:"add_prefix_space"`
	}
	if err := json.Unmarshal(content, &config); err != nil {
		return fmt.Errorf("tokenizer: %s: %w", path, err)
	}
	if config.AddPrefixSpace {
		return fmt.Errorf("tokenizer: %s: add_prefix_space: true is not supported", path)
	}
	return nil
}

// parseVocab returns the tokens by id and the ids by token. It decodes token by token, since json.Unmarshal keeps the last
// of two equal keys and says nothing.
func parseVocab(path string, content []byte) ([]string, map[string]int32, error) {
	d := json.NewDecoder(bytes.NewReader(content))
	d.UseNumber()
	fail := func(format string, args ...any) ([]string, map[string]int32, error) {
		line := 1 + bytes.Count(content[:d.InputOffset()], []byte("\n"))
		return nil, nil, fmt.Errorf("tokenizer: %s:%d: "+format, append([]any{path, line}, args...)...)
	}
	read := func() (json.Token, error) {
		token, err := d.Token()
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			err = errors.New("JSON ends early")
		}
		return token, err
	}

	if open, err := read(); err != nil {
		return fail("%w", err)
	} else if open != json.Delim('{') {
		return fail("not a JSON object")
	}
	var order []string
	ids := map[string]int32{}
	for d.More() {
		key, err := read()
		if err != nil {
			return fail("%w", err)
		}
		token := key.(string)
		value, err := read()
		if err != nil {
			return fail("token %.100q: %w", token, err)
		}
		number, _ := value.(json.Number)
		id, err := strconv.ParseUint(string(number), 10, 31)
		if err != nil {
			return fail("token %.100q: id %.40s is no whole number of 31 bits", token, fmt.Sprint(value))
		}
		if _, ok := ids[token]; ok {
			return fail("token %.100q: occurs twice", token)
		}
		ids[token] = int32(id)
		order = append(order, token)
	}
	if _, err := read(); err != nil {
		return fail("%w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return fail("something follows the JSON object")
	}

	// As many ids as tokens, all below their number and no two equal: then there are no holes.
	tokens := make([]string, len(ids))
	used := make([]bool, len(ids))
	for _, token := range order {
		id := ids[token]
		if int(id) >= len(tokens) {
			return nil, nil, fmt.Errorf("tokenizer: %s: token %.100q: id %d, but %d tokens need the ids from 0 to %d", path, token, id, len(tokens), len(tokens)-1)
		}
		if used[id] {
			return nil, nil, fmt.Errorf("tokenizer: %s: tokens %.100q and %.100q share the id %d", path, tokens[id], token, id)
		}
		tokens[id], used[id] = token, true
	}
	for _, token := range specials {
		if _, ok := ids[token]; !ok {
			return nil, nil, fmt.Errorf("tokenizer: %s: the special token %q is missing", path, token)
		}
	}
	for b, r := range byteToRune {
		if _, ok := ids[string(r)]; !ok {
			return nil, nil, fmt.Errorf("tokenizer: %s: the token %q of the byte %#02x is missing", path, r, b)
		}
	}
	return tokens, ids, nil
}

// parseMerges reads one merge a line, its two parts separated by a space, after a first line that may name a version.
func parseMerges(path string, content []byte, ids map[string]int32) ([]merge, error) {
	var merges []merge
	lines := map[pair]int{}
	number := 0
	for line := range strings.Lines(string(content)) {
		number++
		line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
		if number == 1 && strings.HasPrefix(line, "#version") {
			continue
		}
		fail := func(format string, args ...any) ([]merge, error) {
			return nil, fmt.Errorf("tokenizer: %s:%d: "+format, append([]any{path, number}, args...)...)
		}
		left, right, ok := strings.Cut(line, " ")
		if !ok || left == "" || right == "" || strings.Contains(right, " ") {
			return fail("%.100q is not two tokens with a space between them", line)
		}
		var m merge
		for _, part := range []struct {
			token string
			id    *int32
		}{{left, &m.left}, {right, &m.right}, {left + right, &m.id}} {
			if *part.id, ok = ids[part.token]; !ok {
				return fail("merge of %.100q and %.100q: %.100q is not in %s", left, right, part.token, vocabFile)
			}
		}
		if first, ok := lines[m.pair]; ok {
			return fail("merge of %.100q and %.100q: line %d has it already", left, right, first)
		}
		lines[m.pair] = number
		merges = append(merges, m)
	}
	return merges, nil
}

// Save writes vocab.json and merges.txt into a folder that exists, with a tokenizer_config.json from which Hugging Face's
// AutoTokenizer knows that this is a RoBERTa tokenizer. Each file takes its name only once it is complete and on disk.
func (t *Tokenizer) Save(dir string) error {
	var vocab, merges strings.Builder
	for id, token := range t.tokens {
		separator := ","
		if id == 0 {
			separator = "{"
		}
		fmt.Fprintf(&vocab, "%s\n%s: %d", separator, quote(token), id)
	}
	vocab.WriteString("\n}\n")
	merges.WriteString(mergesVersion + "\n")
	for _, m := range t.merges {
		fmt.Fprintf(&merges, "%s %s\n", t.tokens[m.left], t.tokens[m.right])
	}
	for _, f := range []struct{ name, content string }{
		{vocabFile, vocab.String()},
		{mergesFile, merges.String()},
		{configFile, tokenizerConfig},
	} {
		if err := file.Replace(filepath.Join(dir, f.name), func(w io.Writer) error {
			_, err := io.WriteString(w, f.content)
			return err
		}); err != nil {
			return fmt.Errorf("tokenizer: %w", err)
		}
	}
	return nil
}

const tokenizerConfig = `{
  "tokenizer_class": "RobertaTokenizer",
  "add_prefix_space": false,
  "bos_token": "<s>",
  "cls_token": "<s>",
  "eos_token": "</s>",
  "sep_token": "</s>",
  "pad_token": "<pad>",
  "unk_token": "<unk>",
  "mask_token": "<mask>"
}
`

// quote returns a JSON string. json.Marshal would write <s> as \u003cs\u003e, for the sake of HTML.
func quote(s string) string {
	var quoted strings.Builder
	encoder := json.NewEncoder(&quoted)
	encoder.SetEscapeHTML(false)
	encoder.Encode(s) // which cannot fail: neither a string nor a Builder does
	return strings.TrimSuffix(quoted.String(), "\n")
}
