package tokenizer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"unicode/utf8"
)

// definition is what tokenizer.json says. The other files are brought into the same form, so that there is one way from
// there to a Tokenizer, and one back.
type definition struct {
	Added         []addedToken    `json:"added_tokens"`
	Normalizer    json.RawMessage `json:"normalizer"`
	PreTokenizer  json.RawMessage `json:"pre_tokenizer"`
	PostProcessor json.RawMessage `json:"post_processor"`
	Decoder       json.RawMessage `json:"decoder"`

	model  modelDefinition
	config json.RawMessage // tokenizer_config.json
	names  [5]string       // of the special tokens that an input is put together from, "": find it
	path   string          // for errors
}

// modelDefinition is the field "model", of whatever type.
type modelDefinition struct {
	Type     string   `json:"type"`
	Dropout  *float64 `json:"dropout"`
	UnkToken *string  `json:"unk_token"`
	UnkID    *int32   `json:"unk_id"`
	Prefix   *string  `json:"continuing_subword_prefix"`
	Suffix   *string  `json:"end_of_word_suffix"`
	FuseUnk  bool     `json:"fuse_unk"`
	Bytes    bool     `json:"byte_fallback"`
	Ignore   bool     `json:"ignore_merges"`
	MaxChars *int     `json:"max_input_chars_per_word"`

	Vocab  json.RawMessage `json:"vocab"`
	Merges json.RawMessage `json:"merges"`

	tokens []string // by id
	ids    map[string]int32
	merges []merge
	scores []float64
}

// The special tokens that an input is put together from, by the names that they may have in tokenizer_config.json, and by
// what they are called where no file says which they are.
var roles = [...]struct{ names, contents []string }{
	bos:  {[]string{"cls_token", "bos_token"}, []string{"[CLS]", "<s>", "<|endoftext|>"}},
	pad:  {[]string{"pad_token"}, []string{"[PAD]", "<pad>"}},
	eos:  {[]string{"sep_token", "eos_token"}, []string{"[SEP]", "</s>", "<|endoftext|>"}},
	unk:  {[]string{"unk_token"}, []string{"[UNK]", "<unk>"}},
	mask: {[]string{"mask_token"}, []string{"[MASK]", "<mask>"}},
}

func (d *definition) errorf(format string, args ...any) error {
	return fmt.Errorf("tokenizer: %s: "+format, append([]any{d.path}, args...)...)
}

// build makes the tokenizer.
func (d *definition) build() (*Tokenizer, error) {
	t := &Tokenizer{definition: d, tokens: slices.Clone(d.model.tokens), ids: d.model.ids, seed: maphash.MakeSeed()}
	if err := t.addTokens(d); err != nil {
		return nil, err
	}
	var err error
	if t.normalizer, err = d.newNormalizer(); err != nil {
		return nil, err
	}
	if t.pre, err = d.newPreTokenizers(); err != nil {
		return nil, err
	}
	isBytes := func(p preTokenizer) bool { _, ok := p.(*byteLevel); return ok }
	bytes := slices.ContainsFunc(t.pre, isBytes)
	switch {
	case bytes && d.model.Type != "BPE":
		return nil, d.errorf("pre_tokenizer: type ByteLevel is supported only before a model of type BPE, not %s", d.model.Type)
	case bytes && !isBytes(t.pre[len(t.pre)-1]):
		return nil, d.errorf("pre_tokenizer: type ByteLevel is supported only as the last one")
	}
	if err := t.newModel(d, bytes); err != nil {
		return nil, err
	}
	if t.decoders, err = d.newDecoder(); err != nil {
		return nil, err
	}
	spelled := len(t.decoders) > 0 && t.decoders[0] == bytesDecoder{}
	t.text = make([]string, len(t.tokens))
	for id, token := range t.tokens {
		t.text[id] = token
		if spelled && id < len(d.model.tokens) {
			t.text[id] = unspell(token)
		}
	}
	t.single, t.pair = bareSingle, barePair
	if err := t.newPostProcessor(d); err != nil {
		return nil, err
	}
	t.added = make([]bool, len(t.tokens))
	for _, a := range d.Added {
		t.added[a.ID] = true
		pattern, in := a.Content, &t.raw
		if a.Normalized && t.normalizer != nil {
			n := &normal{}
			n.begin(pattern, 0)
			t.normalizer.normalize(n)
			pattern = string(n.text)
			t.text[a.ID] = pattern
		}
		if a.Normalized {
			in = &t.normalized
		}
		if pattern != "" {
			in.add(a, pattern)
		}
	}
	t.states.New = func() any {
		return &state{buffers: make([]normal, len(t.pre)+1), cache: make([]slot, cacheSize)}
	}
	return t, nil
}

// The longest token in bytes that is looked for at every place of a text, which takes that many steps at worst.
const maxToken = 1000

// addTokens gives the added tokens their places behind those of the model, where they are not among them.
func (t *Tokenizer) addTokens(d *definition) error {
	slices.SortStableFunc(d.Added, func(a, b addedToken) int { return int(a.ID) - int(b.ID) })
	seen := map[string]bool{}
	t.special = make([]bool, len(t.tokens), len(t.tokens)+len(d.Added))
	for _, a := range d.Added {
		id, ok := t.ids[a.Content]
		switch {
		case a.Content == "" || len(a.Content) > maxToken:
			return d.errorf("added_tokens: id %d: a token of %d bytes, want 1 to %d", a.ID, len(a.Content), maxToken)
		case seen[a.Content]:
			return d.errorf("added_tokens: %.100q occurs twice", a.Content)
		case ok && id != a.ID:
			return d.errorf("added_tokens: %.100q has id %d, and %d in the vocabulary", a.Content, a.ID, id)
		case !ok && int(a.ID) < len(t.tokens) && a.ID >= 0:
			return d.errorf("added_tokens: %.100q has the id %d of %.100q", a.Content, a.ID, t.tokens[a.ID])
		case !ok && int(a.ID) != len(t.tokens):
			return d.errorf("added_tokens: %.100q has id %d, the tokens before it end at %d", a.Content, a.ID, len(t.tokens)-1)
		case !ok:
			t.tokens, t.special = append(t.tokens, a.Content), append(t.special, false)
			t.ids[a.Content] = a.ID
		}
		seen[a.Content] = true
		t.special[a.ID] = a.Special
	}
	for i := range t.named {
		t.named[i] = -1
		contents := roles[i].contents
		if d.names[i] != "" {
			contents = []string{d.names[i]}
		} else if i == unk && d.model.UnkToken != nil {
			contents = []string{*d.model.UnkToken}
		}
		for _, content := range contents {
			id, ok := t.ids[content]
			if ok {
				t.named[i] = id
				break
			}
			if d.names[i] != "" {
				return d.errorf("%s %.100q is not in the vocabulary", roles[i].names[0], content)
			}
		}
	}
	return nil
}

func (t *Tokenizer) newModel(d *definition, bytes bool) error {
	m := &d.model
	if m.Type != "BPE" {
		for id, token := range m.tokens {
			if len(token) > maxToken {
				return d.errorf("model: vocab: id %d: a token of %d bytes, want at most %d", id, len(token), maxToken)
			}
		}
	}
	// Special tokens are never found in text by a model.
	ordinary := slices.Clone(m.tokens)
	for id := range ordinary {
		if t.special[id] {
			ordinary[id] = ""
		}
	}
	unknown := int32(-1)
	if m.UnkToken != nil {
		id, ok := m.ids[*m.UnkToken]
		if ok {
			unknown = id
		} else if m.Type != "BPE" || !bytes {
			return d.errorf("unk_token %.100q is not in the vocabulary", *m.UnkToken)
		}
	}
	switch m.Type {
	case "BPE":
		return t.newBPE(d, bytes, ordinary, unknown)
	case "WordPiece":
		t.model = newWordPiece(ordinary, unknown, *m.Prefix, *m.MaxChars)
	case "WordLevel":
		t.model = newWordLevel(ordinary, unknown)
	case "Unigram":
		if m.UnkID == nil || *m.UnkID < 0 || int(*m.UnkID) >= len(m.tokens) {
			return d.errorf("model: unk_id is missing, or no token")
		}
		bytes, err := d.fallbackBytes()
		if err != nil {
			return err
		}
		t.model = newUnigram(ordinary, m.scores, *m.UnkID, bytes)
		t.named[unk] = *m.UnkID
	}
	return nil
}

// fallbackBytes returns the tokens <0x00> to <0xFF> if byte_fallback asks for them.
func (d *definition) fallbackBytes() (*[256]int32, error) {
	if !d.model.Bytes {
		return nil, nil
	}
	bytes := new([256]int32)
	for b := range bytes {
		token := fmt.Sprintf("<0x%02X>", b)
		id, ok := d.model.ids[token]
		if !ok {
			return nil, d.errorf("model: byte_fallback without the token %s", token)
		}
		bytes[b] = id
	}
	return bytes, nil
}

// newBPE makes a model whose merges begin with bytes or with characters.
func (t *Tokenizer) newBPE(d *definition, bytes bool, ordinary []string, unknown int32) error {
	m := &d.model
	b := newBPE(m.merges)
	t.model = b
	suffix := ""
	if m.Suffix != nil {
		suffix = *m.Suffix
	}
	if m.Ignore {
		b.whole = make(map[string]int32, len(ordinary))
		for id, token := range ordinary {
			text := token
			if bytes {
				if text = unspell(token); spell(text) != token {
					continue // no text is spelled so
				}
			}
			if text != "" {
				b.whole[text] = int32(id)
			}
		}
	}
	if bytes {
		if err := hasBytes(d.path, m.ids, ""); err != nil {
			return err
		}
		if suffix != "" {
			if err := hasBytes(d.path, m.ids, suffix); err != nil {
				return err
			}
			b.last = new([256]int32)
		}
		for i, r := range byteToRune {
			b.bytes[i] = m.ids[string(r)]
			if suffix != "" {
				b.last[i] = m.ids[string(r)+suffix]
			}
		}
		return nil
	}
	c := &charParts{ids: newTable(0), last: newTable(0), unk: unknown, fuse: m.FuseUnk}
	b.chars = c
	for id, token := range ordinary {
		if r, size := utf8.DecodeRuneInString(token); size > 0 && size == len(token) {
			c.ids.set(uint64(r), int32(id))
		}
		if begin, ok := strings.CutSuffix(token, suffix); ok {
			if r, size := utf8.DecodeRuneInString(begin); size > 0 && size == len(begin) {
				c.last.set(uint64(r), int32(id))
			}
		}
	}
	var err error
	switch c.bytes, err = d.fallbackBytes(); {
	case err != nil:
		return err
	case c.bytes != nil && suffix != "":
		return d.errorf("model: byte_fallback is not supported with end_of_word_suffix %.100q", suffix)
	case c.bytes == nil && unknown < 0:
		return d.errorf("model: neither unk_token nor byte_fallback says what a character becomes that is not in the vocabulary")
	}
	return nil
}

// Components may hold others. In files that people use they do so once, and hold few.
const maxDepth, maxParts = 4, 8

// each calls visit with a component, or with those that one of type Sequence has in its field list, in their order.
func (d *definition) each(field string, raw json.RawMessage, list string, depth int, visit func(field, kind string, raw json.RawMessage) error) error {
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	if depth > maxDepth {
		return d.errorf("%s: sequences nested too deep", field)
	}
	var head map[string]json.RawMessage
	var kind string
	if err := json.Unmarshal(raw, &head); err != nil {
		return d.errorf("%s: %w", field, err)
	}
	if json.Unmarshal(head["type"], &kind) != nil {
		return d.errorf("%s: no type", field)
	}
	if kind != "Sequence" {
		return visit(field, kind, raw)
	}
	var parts []json.RawMessage
	if err := json.Unmarshal(head[list], &parts); err != nil {
		return d.errorf("%s: %s: no list", field, list)
	}
	if len(parts) > maxParts {
		return d.errorf("%s: %s: %d components, want at most %d", field, list, len(parts), maxParts)
	}
	for i, part := range parts {
		if err := d.each(fmt.Sprintf("%s[%d]", field, i), part, list, depth+1, visit); err != nil {
			return err
		}
	}
	return nil
}

// strict reads a component into a struct, and refuses fields that the struct has not.
func (d *definition) strict(field string, raw json.RawMessage, into any) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		return d.errorf("%s: %w", field, err)
	}
	delete(fields, "type")
	raw, _ = json.Marshal(fields)
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return d.errorf("%s: %w", field, err)
	}
	return nil
}

func (d *definition) unsupported(field, kind string) error {
	return d.errorf("%s: type %.100q is not supported", field, kind)
}
