package tokenizer

import (
	"encoding/base64"
	"encoding/json"
	"unicode/utf8"
)

// The components of tokenizer.json, by the names of their types. What is not here is refused by name, since a text would
// become other tokens without it.

// The normalisers of a file make a text at most so many times as long, or a short one could take all memory.
const maxGrowth = 1000

func (d *definition) newNormalizer() (normalizer, error) {
	var all normalizers
	growth := 1 // how many bytes one byte can become
	err := d.each("normalizer", d.Normalizer, "normalizers", 0, func(field, kind string, raw json.RawMessage) error {
		var n normalizer
		switch kind {
		case "NFD":
			n = form{}
		case "NFC":
			n = form{compose: true}
		case "NFKD":
			n = form{compat: true}
		case "NFKC":
			n = form{compat: true, compose: true}
		case "Lowercase":
			n = lowercaser{}
		case "StripAccents":
			n = accentStripper{}
		case "BertNormalizer":
			b := &bert{CleanText: true, HandleChineseChars: true, Lowercase: true}
			if err := d.strict(field, raw, b); err != nil {
				return err
			}
			n = b
		case "Strip":
			var s struct {
				Left  bool `json:"strip_left"`
				Right bool `json:"strip_right"`
			}
			if err := d.strict(field, raw, &s); err != nil {
				return err
			}
			n = spaceStripper{s.Left, s.Right}
		case "Prepend":
			var p struct {
				Prefix string `json:"prepend"`
			}
			if err := d.strict(field, raw, &p); err != nil {
				return err
			}
			n = prepender{p.Prefix}
			growth *= 1 + len(p.Prefix)
		case "Replace":
			r, shortest, err := d.newReplacer(field, raw)
			if err != nil {
				return err
			}
			n = r
			growth *= 1 + len(r.content)/shortest
		case "Nmt":
			n = nmt{}
		case "Precompiled":
			var p struct {
				Map string `json:"precompiled_charsmap"`
			}
			if err := d.strict(field, raw, &p); err != nil {
				return err
			}
			blob, err := base64.StdEncoding.DecodeString(p.Map)
			if err != nil {
				return d.errorf("%s: precompiled_charsmap: %w", field, err)
			}
			c, err := newPrecompiled(blob)
			if err != nil {
				return d.errorf("%s: precompiled_charsmap: %w", field, err)
			}
			n = c
			growth *= 1 + c.longest()
		default:
			return d.unsupported(field, kind)
		}
		if growth > maxGrowth {
			return d.errorf("%s: makes texts more than %d times as long", field, maxGrowth)
		}
		all = append(all, n)
		return nil
	})
	switch {
	case err != nil || len(all) == 0:
		return nil, err
	case len(all) == 1:
		return all[0], nil
	}
	return all, nil
}

// newPattern reads a string or a regular expression, which normalisers, pre-tokenisers and decoders have.
func (d *definition) newPattern(field string, raw json.RawMessage) (matcher, string, error) {
	var p struct{ String, Regex *string }
	if err := d.strict(field, raw, &p); err != nil {
		return nil, "", err
	}
	switch {
	case p.String != nil && *p.String != "":
		return literal(*p.String), *p.String, nil
	case p.Regex != nil:
		m, ok := patterns[*p.Regex]
		if !ok {
			return nil, "", d.errorf("%s: pattern: the regular expression %.300q is not supported", field, *p.Regex)
		}
		return m, "", nil
	}
	return nil, "", d.errorf("%s: no pattern", field)
}

// newReplacer reads Replace, and tells the least bytes that it takes the place of.
func (d *definition) newReplacer(field string, raw json.RawMessage) (replacer, int, error) {
	var r struct {
		Pattern json.RawMessage `json:"pattern"`
		Content string          `json:"content"`
	}
	if err := d.strict(field, raw, &r); err != nil {
		return replacer{}, 0, err
	}
	m, pattern, err := d.newPattern(field, r.Pattern)
	return replacer{m, pattern, r.Content}, max(1, len(pattern)), err
}

// newSplitter reads a behavior, and makes of it what cuts at a pattern.
func (d *definition) newSplitter(field, behavior string, pattern matcher, invert bool) (preTokenizer, error) {
	switch behavior {
	case isolated, removed, withBefore, withNext, contiguous:
		return &splitter{pattern, behavior, invert}, nil
	}
	return nil, d.errorf("%s: behavior %.100q is not supported", field, behavior)
}

func (d *definition) newPreTokenizers() ([]preTokenizer, error) {
	var all []preTokenizer
	err := d.each("pre_tokenizer", d.PreTokenizer, "pretokenizers", 0, func(field, kind string, raw json.RawMessage) error {
		var p preTokenizer
		switch kind {
		case "BertPreTokenizer":
			p = bertPreTokenizer.splitter()
		case "WhitespaceSplit":
			p = whitespaceSplit.splitter()
		case "Whitespace":
			p = whitespaceWords.splitter()
		case "Punctuation":
			c := struct{ Behavior string }{isolated}
			if err := d.strict(field, raw, &c); err != nil {
				return err
			}
			if p = punctuations.splitter(); c.Behavior != isolated {
				var err error
				if p, err = d.newSplitter(field, c.Behavior, of(punctuation), false); err != nil {
					return err
				}
			}
		case "Digits":
			var c struct {
				Individual bool `json:"individual_digits"`
			}
			if err := d.strict(field, raw, &c); err != nil {
				return err
			}
			if p = digits.splitter(); c.Individual {
				p = singleDigits.splitter()
			}
		case "CharDelimiterSplit":
			var c struct{ Delimiter string }
			if err := d.strict(field, raw, &c); err != nil {
				return err
			}
			if utf8.RuneCountInString(c.Delimiter) != 1 {
				return d.errorf("%s: delimiter %.100q is not one character", field, c.Delimiter)
			}
			p = &splitter{pattern: literal(c.Delimiter), behavior: removed}
		case "Split":
			var c struct {
				Pattern  json.RawMessage `json:"pattern"`
				Behavior string          `json:"behavior"`
				Invert   bool            `json:"invert"`
			}
			if err := d.strict(field, raw, &c); err != nil {
				return err
			}
			pattern, _, err := d.newPattern(field, c.Pattern)
			if err != nil {
				return err
			}
			if p, err = d.newSplitter(field, c.Behavior, pattern, c.Invert); err != nil {
				return err
			}
		case "ByteLevel":
			b := &byteLevel{AddPrefixSpace: true}
			if err := d.strict(field, raw, b); err != nil {
				return err
			}
			p = b
		case "Metaspace":
			m, err := d.newMetaspace(field, raw)
			if err != nil {
				return err
			}
			p = m
		default:
			return d.unsupported(field, kind)
		}
		all = append(all, p)
		return nil
	})
	return all, err
}

func (d *definition) newMetaspace(field string, raw json.RawMessage) (*metaspace, error) {
	m := &metaspace{Replacement: "▁"}
	if err := d.strict(field, raw, m); err != nil {
		return nil, err
	}
	if m.PrependScheme == "" {
		m.PrependScheme = "always"
		if m.AddPrefixSpace != nil && !*m.AddPrefixSpace {
			m.PrependScheme = "never"
		}
	}
	if utf8.RuneCountInString(m.Replacement) != 1 {
		return nil, d.errorf("%s: replacement %.100q is not one character", field, m.Replacement)
	}
	switch m.PrependScheme {
	case "always", "first", "never":
		return m, nil
	}
	return nil, d.errorf("%s: prepend_scheme %.100q is not supported", field, m.PrependScheme)
}

func (d *definition) newDecoder() (decoders, error) {
	var all decoders
	err := d.each("decoder", d.Decoder, "decoders", 0, func(field, kind string, raw json.RawMessage) error {
		var found decoder
		var err error
		switch kind {
		case "ByteLevel":
			if len(all) > 0 {
				return d.errorf("%s: ByteLevel is supported only as the first decoder", field)
			}
			found = bytesDecoder{}
		case "WordPiece":
			w := wordPieceDecoder{Prefix: "##", Cleanup: true}
			err, found = d.strict(field, raw, &w), &w
		case "Metaspace":
			found, err = d.newMetaspace(field, raw)
		case "BPEDecoder":
			s := suffixDecoder{"</w>"}
			err, found = d.strict(field, raw, &s), &s
		case "CTC":
			c := ctcDecoder{"<pad>", "|", true}
			err, found = d.strict(field, raw, &c), &c
		case "Fuse":
			found = fuseDecoder{}
		case "ByteFallback":
			found = fallbackDecoder{}
		case "Strip":
			var s stripDecoder
			if err, found = d.strict(field, raw, &s), &s; err == nil && utf8.RuneCountInString(s.Content) != 1 {
				err = d.errorf("%s: content %.100q is not one character", field, s.Content)
			}
		case "Replace":
			var r replacer
			r, _, err = d.newReplacer(field, raw)
			found = r
		default:
			err = d.unsupported(field, kind)
		}
		all = append(all, found)
		return err
	})
	return all, err
}

// namedID is a token and its id, as they stand in post-processors.
type namedID struct {
	token string
	id    int32
}

func (n *namedID) UnmarshalJSON(data []byte) error {
	return json.Unmarshal(data, &[]any{&n.token, &n.id})
}

func (t *Tokenizer) newPostProcessor(d *definition) error {
	return d.each("post_processor", d.PostProcessor, "processors", 0, func(field, kind string, raw json.RawMessage) error {
		switch kind {
		case "RobertaProcessing", "BertProcessing":
			p := struct {
				Sep            namedID `json:"sep"`
				Cls            namedID `json:"cls"`
				TrimOffsets    bool    `json:"trim_offsets"`
				AddPrefixSpace bool    `json:"add_prefix_space"` // of no effect here
			}{TrimOffsets: kind == "RobertaProcessing"}
			if err := d.strict(field, raw, &p); err != nil {
				return err
			}
			for _, n := range []namedID{p.Sep, p.Cls} {
				if err := t.isToken(d, field, n.token, n.id); err != nil {
					return err
				}
			}
			cls := templateItem{sequence: -1, ids: []int32{p.Cls.id}}
			sep := templateItem{sequence: -1, ids: []int32{p.Sep.id}}
			t.single = template{cls, {sequence: 0}, sep}
			if kind == "BertProcessing" {
				t.pair = append(t.single[:3:3], templateItem{sequence: 1, kind: 1}, templateItem{-1, sep.ids, 1})
				return nil
			}
			t.pair = append(t.single[:3:3], sep, templateItem{sequence: 1}, sep)
			t.trim = t.trim || p.TrimOffsets
		case "ByteLevel":
			b := byteLevel{AddPrefixSpace: true, TrimOffsets: true}
			if err := d.strict(field, raw, &b); err != nil {
				return err
			}
			t.trim = t.trim || b.TrimOffsets
		case "TemplateProcessing":
			return t.newTemplate(d, field, raw)
		default:
			return d.unsupported(field, kind)
		}
		return nil
	})
}

// isToken checks an id that a post-processor gives for a token. Hugging Face believes it; a wrong one would be read by the
// model as another token.
func (t *Tokenizer) isToken(d *definition, field, token string, id int32) error {
	if id < 0 || int(id) >= len(t.tokens) || t.tokens[id] != token {
		return d.errorf("%s: %.100q is not the token of id %d", field, token, id)
	}
	return nil
}

func (t *Tokenizer) newTemplate(d *definition, field string, raw json.RawMessage) error {
	type item struct {
		Special *struct {
			ID   string `json:"id"`
			Type int32  `json:"type_id"`
		} `json:"SpecialToken"`
		Sequence *struct {
			ID   string `json:"id"`
			Type int32  `json:"type_id"`
		}
	}
	var p struct {
		Single  []item `json:"single"`
		Pair    []item `json:"pair"`
		Special map[string]struct {
			ID     string   `json:"id"`
			IDs    []int32  `json:"ids"`
			Tokens []string `json:"tokens"`
		} `json:"special_tokens"`
	}
	if err := d.strict(field, raw, &p); err != nil {
		return err
	}
	read := func(field string, items []item, names string) (template, error) {
		var layout template
		seen := map[string]bool{}
		for _, i := range items {
			switch {
			case i.Sequence != nil:
				at := int8(0)
				if i.Sequence.ID == "B" {
					at = 1
				}
				if seen[i.Sequence.ID] || len(i.Sequence.ID) != 1 || int(at) >= len(names) || i.Sequence.ID != names[at:at+1] {
					return nil, d.errorf("%s: wants each of the texts %s once, not %.20q", field, names, i.Sequence.ID)
				}
				seen[i.Sequence.ID] = true
				layout = append(layout, templateItem{at, nil, i.Sequence.Type})
			case i.Special != nil:
				s, ok := p.Special[i.Special.ID]
				if !ok || len(s.IDs) != len(s.Tokens) {
					return nil, d.errorf("%s: special_tokens: no ids and tokens for %.100q", field, i.Special.ID)
				}
				for k, id := range s.IDs {
					if err := t.isToken(d, field, s.Tokens[k], id); err != nil {
						return nil, err
					}
				}
				layout = append(layout, templateItem{-1, s.IDs, i.Special.Type})
			default:
				return nil, d.errorf("%s: neither SpecialToken nor Sequence", field)
			}
		}
		if len(seen) != len(names) {
			return nil, d.errorf("%s: wants each of the texts %s once", field, names)
		}
		return layout, nil
	}
	var err error
	if t.single, err = read(field+": single", p.Single, "A"); err == nil && len(p.Pair) > 0 {
		t.pair, err = read(field+": pair", p.Pair, "AB")
	}
	return err
}
