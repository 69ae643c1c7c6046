package tokenizer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// parseVocabIn is parseVocab for a part of a file.
func parseVocabIn(path string, content, part []byte) ([]string, map[string]int32, error) {
	line := 1
	if at := bytes.Index(content, part); at >= 0 {
		line += bytes.Count(content[:at], []byte("\n"))
	}
	return parseVocab(path, part, line)
}

// parseVocab returns the tokens by id and the ids by token. The first line of content is that of
// the given number in its file. It decodes token by token, since json.Unmarshal keeps the last
// of two equal keys and says nothing.
func parseVocab(path string, content []byte, firstLine int) ([]string, map[string]int32, error) {
	d := json.NewDecoder(bytes.NewReader(content))
	d.UseNumber()
	fail := func(format string, args ...any) ([]string, map[string]int32, error) {
		line := firstLine + bytes.Count(content[:d.InputOffset()], []byte("\n"))
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
	return tokens, ids, nil
}

// hasBytes checks that a byte-level vocabulary has all bytes, with what ends a word behind each.
func hasBytes(path string, ids map[string]int32, suffix string) error {
	for b, r := range byteToRune {
		if _, ok := ids[string(r)+suffix]; !ok {
			return fmt.Errorf("tokenizer: %s: the token %q of the byte %#02x is missing", path, string(r)+suffix, b)
		}
	}
	return nil
}

// mergeList checks merges one by one.
type mergeList struct {
	ids    map[string]int32
	merges []merge
	places map[pair]int
}

// add appends a merge, whose place in the file is for an error about one that comes again.
func (l *mergeList) add(left, right string, place int) error {
	var m merge
	for _, part := range []struct {
		token string
		id    *int32
	}{{left, &m.left}, {right, &m.right}, {left + right, &m.id}} {
		var ok bool
		if *part.id, ok = l.ids[part.token]; !ok {
			return fmt.Errorf("merge of %.100q and %.100q: %.100q is not in the vocabulary", left, right, part.token)
		}
	}
	if first, ok := l.places[m.pair]; ok {
		return fmt.Errorf("merge of %.100q and %.100q: it is there already, at %d", left, right, first)
	}
	if l.places == nil {
		l.places = map[pair]int{}
	}
	l.places[m.pair] = place
	l.merges = append(l.merges, m)
	return nil
}

// parseMerges reads one merge a line, its two parts separated by a space, after a first line that may name a version.
func parseMerges(path string, content []byte, ids map[string]int32) ([]merge, error) {
	list := mergeList{ids: ids}
	number := 0
	for line := range strings.Lines(string(content)) {
		number++
		line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
		if number == 1 && strings.HasPrefix(line, "#version") {
			continue
		}
		left, right, ok := strings.Cut(line, " ")
		if !ok || left == "" || right == "" || strings.Contains(right, " ") {
			return nil, fmt.Errorf("tokenizer: %s:%d: %.100q is not two tokens with a space between them", path, number, line)
		}
		if err := list.add(left, right, number); err != nil {
			return nil, fmt.Errorf("tokenizer: %s:%d: %w", path, number, err)
		}
	}
	return list.merges, nil
}

// loneSurrogate returns the line of the first half of a surrogate pair without the other that JSON spells as \uD8.., 0 if
// there is none. Package encoding/json takes it for U+FFFD, and so would confuse tokens.
func loneSurrogate(content []byte) int {
	escape := func(at int) (rune, bool) {
		if at+6 > len(content) || content[at] != '\\' || content[at+1] != 'u' {
			return 0, false
		}
		n, err := strconv.ParseUint(string(content[at+2:at+6]), 16, 16)
		return rune(n), err == nil
	}
	for at := 0; at < len(content); at++ {
		if content[at] != '\\' {
			continue
		}
		high, ok := escape(at)
		if !ok || !utf16.IsSurrogate(high) {
			at++ // whatever is escaped
			continue
		}
		low, ok := escape(at + 6)
		if !ok || utf16.DecodeRune(high, low) == utf8.RuneError {
			return 1 + bytes.Count(content[:at], []byte("\n"))
		}
		at += 11
	}
	return 0
}
