package tokenizer

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/muppet-go/muppet/internal/file"
)

// Save writes the tokenizer into a folder that exists: tokenizer.json, for those who read older layouts vocab.json with
// merges.txt or vocab.txt, and tokenizer_config.json, from which Hugging Face's AutoTokenizer knows which class reads
// them. Each file takes its name only once it is complete and on disk.
func (t *Tokenizer) Save(dir string) error {
	files := []struct {
		name  string
		write func(w *strings.Builder)
	}{{tokenizerFile, t.writeJSON}, {configFile, t.writeConfig}}
	type entry = struct {
		name  string
		write func(w *strings.Builder)
	}
	m := &t.definition.model
	switch {
	case t.isGPT2():
		files = append(files, entry{vocabFile, func(w *strings.Builder) { writeVocab(w, m.tokens, "") }}, entry{mergesFile, func(w *strings.Builder) {
			w.WriteString(mergesVersion + "\n")
			for _, merge := range m.merges {
				fmt.Fprintf(w, "%s %s\n", m.tokens[merge.left], m.tokens[merge.right])
			}
		}})
	case m.Type == "WordPiece":
		if !slices.ContainsFunc(m.tokens, func(token string) bool { return strings.ContainsAny(token, "\n\r") }) {
			files = append(files, entry{wordsFile, func(w *strings.Builder) {
				for _, token := range m.tokens {
					w.WriteString(token + "\n")
				}
			}})
		}
	}
	for _, f := range files {
		var content strings.Builder
		f.write(&content)
		if err := file.Replace(filepath.Join(dir, f.name), func(w io.Writer) error {
			_, err := io.WriteString(w, content.String())
			return err
		}); err != nil {
			return fmt.Errorf("tokenizer: %w", err)
		}
	}
	return nil
}

// isGPT2 tells whether vocab.json and merges.txt say all that there is to say.
func (t *Tokenizer) isGPT2() bool {
	m := &t.definition.model
	if m.Type != "BPE" || m.Ignore || m.Suffix != nil && *m.Suffix != "" || t.normalizer != nil || len(t.pre) != 1 {
		return false
	}
	b, ok := t.pre[0].(*byteLevel)
	return ok && (b.UseRegex == nil || *b.UseRegex)
}

// writeVocab writes an object of tokens and their ids.
func writeVocab(w *strings.Builder, tokens []string, indent string) {
	for id, token := range tokens {
		separator := ","
		if id == 0 {
			separator = "{"
		}
		fmt.Fprintf(w, "%s\n%s%s: %d", separator, indent, quote(token), id)
	}
	if len(tokens) == 0 {
		w.WriteString("{")
	}
	w.WriteString("\n" + strings.TrimSuffix(indent, "  ") + "}")
	if indent == "" {
		w.WriteString("\n")
	}
}

// SHA256 returns the hash of tokenizer.json as Save writes it, in hexadecimal: two
// tokenizers of the same hash make the same tokens.
func (t *Tokenizer) SHA256() string {
	var content strings.Builder
	t.writeJSON(&content)
	sum := sha256.Sum256([]byte(content.String()))
	return hex.EncodeToString(sum[:])
}

func (t *Tokenizer) writeJSON(w *strings.Builder) {
	d := t.definition
	component := func(raw json.RawMessage) string {
		if len(raw) == 0 {
			return "null"
		}
		return string(raw)
	}
	w.WriteString("{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,\n  \"added_tokens\": [")
	for i, a := range d.Added {
		if i > 0 {
			w.WriteString(",")
		}
		fmt.Fprintf(w, "\n    %s", marshal(a))
	}
	fmt.Fprintf(w, "\n  ],\n  \"normalizer\": %s,\n  \"pre_tokenizer\": %s,\n  \"post_processor\": %s,\n  \"decoder\": %s,\n  \"model\": {\n",
		component(d.Normalizer), component(d.PreTokenizer), component(d.PostProcessor), component(d.Decoder))
	m := &d.model
	fmt.Fprintf(w, "    \"type\": %s,\n", quote(m.Type))
	switch m.Type {
	case "BPE":
		fmt.Fprintf(w, "    \"dropout\": null,\n    \"unk_token\": %s,\n    \"continuing_subword_prefix\": null,\n    \"end_of_word_suffix\": %s,\n"+
			"    \"fuse_unk\": %t,\n    \"byte_fallback\": %t,\n    \"ignore_merges\": %t,\n    \"vocab\": ", marshal(m.UnkToken), marshal(m.Suffix), m.FuseUnk, m.Bytes, m.Ignore)
		writeVocab(w, m.tokens, "      ")
		w.WriteString(",\n    \"merges\": [")
		for i, merge := range m.merges {
			if i > 0 {
				w.WriteString(",")
			}
			fmt.Fprintf(w, "\n      [%s, %s]", quote(m.tokens[merge.left]), quote(m.tokens[merge.right]))
		}
		w.WriteString("\n    ]\n")
	case "WordPiece":
		fmt.Fprintf(w, "    \"unk_token\": %s,\n    \"continuing_subword_prefix\": %s,\n    \"max_input_chars_per_word\": %d,\n    \"vocab\": ",
			quote(*m.UnkToken), quote(*m.Prefix), *m.MaxChars)
		writeVocab(w, m.tokens, "      ")
		w.WriteString("\n")
	case "WordLevel":
		fmt.Fprintf(w, "    \"unk_token\": %s,\n    \"vocab\": ", quote(*m.UnkToken))
		writeVocab(w, m.tokens, "      ")
		w.WriteString("\n")
	case "Unigram":
		fmt.Fprintf(w, "    \"unk_id\": %d,\n    \"byte_fallback\": %t,\n    \"vocab\": [", *m.UnkID, m.Bytes)
		for i, token := range m.tokens {
			if i > 0 {
				w.WriteString(",")
			}
			fmt.Fprintf(w, "\n      [%s, %s]", quote(token), marshal(m.scores[i]))
		}
		w.WriteString("\n    ]\n")
	}
	w.WriteString("  }\n}\n")
}

// writeConfig writes tokenizer_config.json as it was read, or else what it takes to read the other files.
func (t *Tokenizer) writeConfig(w *strings.Builder) {
	d := t.definition
	if d.config != nil {
		w.Write(d.config)
		return
	}
	config := []string{`  "tokenizer_class": "PreTrainedTokenizerFast"`}
	switch {
	case d.model.Type == "WordPiece":
		config[0] = `  "tokenizer_class": "BertTokenizer"`
		if b, ok := t.normalizer.(*bert); ok {
			config = append(config, fmt.Sprintf(`  "do_lower_case": %t`, b.Lowercase), fmt.Sprintf(`  "tokenize_chinese_chars": %t`, b.HandleChineseChars))
			if b.StripAccents != nil {
				config = append(config, fmt.Sprintf(`  "strip_accents": %t`, *b.StripAccents))
			}
		}
	case t.isGPT2() && bytes.Contains(d.PostProcessor, []byte("RobertaProcessing")):
		config[0] = `  "tokenizer_class": "RobertaTokenizer"`
	case t.isGPT2():
		config[0] = `  "tokenizer_class": "GPT2Tokenizer"`
	}
	if d.model.Type == "BPE" {
		for _, p := range t.pre {
			if b, ok := p.(*byteLevel); ok {
				config = append(config, fmt.Sprintf(`  "add_prefix_space": %t`, b.AddPrefixSpace))
			}
		}
	}
	for i := range roles {
		if t.named[i] < 0 {
			continue
		}
		value := quote(t.tokens[t.named[i]])
		for _, a := range d.Added {
			if a.ID == t.named[i] && (a.LStrip || a.RStrip || a.SingleWord) { // as <mask>, which takes the space before it
				value = fmt.Sprintf(`{"__type": "AddedToken", "content": %s, "lstrip": %t, "rstrip": %t, "single_word": %t, "normalized": %t, "special": %t}`,
					value, a.LStrip, a.RStrip, a.SingleWord, a.Normalized, a.Special)
			}
		}
		for _, name := range roles[i].names {
			config = append(config, fmt.Sprintf("  %q: %s", name, value))
		}
	}
	w.WriteString("{\n" + strings.Join(config, ",\n") + "\n}\n")
}

// quote returns a JSON string. json.Marshal would write <s> as \u003cs\u003e, for the sake of HTML.
func quote(s string) string { return string(marshal(s)) }
