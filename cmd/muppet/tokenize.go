package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/muppet-go/muppet/transformer/tokenizer"
)

const tokenizeUsage = `usage: muppet tokenize -tokenizer DIR [flags] < texts

Reads a text a line from the standard input and writes, a line each, JSON objects with
the ids, the tokens and their offsets in the text, as a model is given them. The folder
has tokenizer.json, or vocab.json and merges.txt, or vocab.txt. With -decode a line is a
JSON array of ids, or an object with one under "ids", and the text comes back.

`

// A tokenized is a line of output. Offsets are null for a token that is not of the text.
type tokenized struct {
	Text      string    `json:"text"`
	Pair      string    `json:"pair,omitempty"`
	Window    int       `json:"window,omitempty"` // of a text that has several, from 0
	IDs       []int32   `json:"ids"`
	Tokens    []string  `json:"tokens"`
	Types     []int32   `json:"types"`
	Offsets   []*[2]int `json:"offsets"`
	Truncated bool      `json:"truncated,omitempty"`
}

func tokenizeCommand(ctx context.Context, args []string, std stdio) error {
	set := flag.NewFlagSet("muppet tokenize", flag.ContinueOnError)
	dir := set.String("tokenizer", "", "`folder` of the tokenizer's files")
	pair := set.Bool("pair", false, "a line has two texts, with a tab between them")
	length := set.Int("max-length", 0, "most `tokens` of a sequence, special ones among them; 0 for any")
	stride := set.Int("stride", -1, "a longer text, of a pair the second, goes on in windows that share so many `tokens`")
	runes := set.Bool("runes", false, "count offsets in characters instead of bytes")
	special := set.Bool("parse-special", false, "read special tokens that are written in a text")
	bare := set.Bool("no-special", false, "without the special tokens around a text")
	decode := set.Bool("decode", false, "from ids back to text")
	batch := set.Int("batch", 256, "lines to read before any is answered; 1 for a conversation")
	if done, err := parse(set, tokenizeUsage, args, 0, std.out); done || err != nil {
		return err
	}
	switch {
	case *dir == "":
		return fmt.Errorf("tokenize: which tokenizer? -tokenizer says so\n%w", errUsage)
	case *batch < 1 || *batch > maxBatch:
		return fmt.Errorf("tokenize: -batch %d: want 1 to %d\n%w", *batch, maxBatch, errUsage)
	case *length < 0:
		return fmt.Errorf("tokenize: -max-length %d: want a number that is not negative\n%w", *length, errUsage)
	case *stride < -1:
		return fmt.Errorf("tokenize: -stride %d: want a number that is not negative\n%w", *stride, errUsage)
	case *decode && (*pair || *length > 0 || *stride >= 0 || *runes || *special || *bare):
		return fmt.Errorf("tokenize: -decode reads ids, to which the flags for texts say nothing\n%w", errUsage)
	case *stride >= 0 && *length == 0:
		return fmt.Errorf("tokenize: -stride %d: without -max-length there are no windows\n%w", *stride, errUsage)
	}
	tok, err := tokenizer.Load(*dir)
	if err != nil {
		return fmt.Errorf("tokenize: %w", err)
	}
	o := tokenizer.Options{ParseSpecial: *special, NoSpecialTokens: *bare, MaxLength: *length}
	if *length > 0 {
		// The special tokens, and one of each text, must fit.
		second := make([]tokenizer.Encoding, 0, 1)
		if *pair {
			second = second[:1]
		}
		least := len(tok.PostProcess(tokenizer.Options{NoSpecialTokens: *bare}, tokenizer.Encoding{}, second...).IDs) + 1 + len(second)
		if *length < least {
			return fmt.Errorf("tokenize: -max-length %d: want at least %d for this tokenizer\n%w", *length, least, errUsage)
		}
		if *stride >= 0 {
			o.Overflow, o.Stride = true, *stride
			if *pair {
				o.Truncation = tokenizer.OnlySecond
			}
			if *stride > *length-least {
				return fmt.Errorf("tokenize: -stride %d: want at most %d with -max-length %d\n%w", *stride, *length-least, *length, errUsage)
			}
		}
	}
	w := json.NewEncoder(std.out)
	w.SetEscapeHTML(false)
	number := 0
	err = batches(ctx, std.in, *batch, func(lines []string) error {
		if *decode {
			for _, line := range lines {
				number++
				text, err := decoded(tok, line)
				if err != nil {
					return fmt.Errorf("line %d: %w", number, err)
				}
				if err := w.Encode(map[string]string{"text": text}); err != nil {
					return err
				}
			}
			return nil
		}
		texts, pairs := lines, []string(nil)
		if *pair {
			texts = nil
			for i, line := range lines {
				a, b, ok := strings.Cut(line, "\t")
				if !ok {
					return fmt.Errorf("line %d has no tab between two texts", number+i+1)
				}
				texts, pairs = append(texts, a), append(pairs, b)
			}
		}
		number += len(lines)
		for i, e := range tok.EncodeBatch(o, texts, pairs) {
			if *pair && *stride >= 0 && e.Truncated && e.Overflow == nil {
				return fmt.Errorf("line %d: with -max-length %d the first text leaves no room for windows of the second", number-len(lines)+i+1, *length)
			}
			two := [2]string{texts[i]}
			if *pair {
				two[1] = pairs[i]
			}
			for n, window := range append([]tokenizer.Encoding{e}, e.Overflow...) {
				line := tokenized{Text: two[0], Pair: two[1], Window: n, IDs: window.IDs, Types: window.Types, Truncated: e.Truncated,
					Tokens: []string{}, Offsets: offsetsOf(window, two, *runes)}
				for _, id := range window.IDs {
					line.Tokens = append(line.Tokens, tok.Token(id))
				}
				if err := w.Encode(line); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("tokenize: %w", err)
	}
	return nil
}

// offsetsOf returns where each token is in its text, in bytes or characters.
func offsetsOf(e tokenizer.Encoding, texts [2]string, runes bool) []*[2]int {
	offsets := make([]*[2]int, len(e.IDs))
	for text := range texts {
		var spans []tokenizer.Span
		var of []int
		for i, s := range e.Sequences {
			if int(s) == text {
				spans, of = append(spans, e.Offsets[i]), append(of, i)
			}
		}
		if runes {
			spans = tokenizer.RuneOffsets(texts[text], spans)
		}
		for i, s := range spans {
			offsets[of[i]] = &[2]int{s.Start, s.End}
		}
	}
	return offsets
}

// decoded returns the text of a line with ids.
func decoded(tok *tokenizer.Tokenizer, line string) (string, error) {
	var ids []int32
	if err := json.Unmarshal([]byte(line), &ids); err != nil {
		var object struct{ IDs []int32 }
		if json.Unmarshal([]byte(line), &object) != nil || object.IDs == nil {
			return "", errors.New(`neither a JSON array of ids nor an object with "ids"`)
		}
		ids = object.IDs
	}
	for _, id := range ids {
		if id < 0 || int(id) >= tok.VocabSize() {
			return "", fmt.Errorf("id %d: the tokenizer has 0 to %d", id, tok.VocabSize()-1)
		}
	}
	return tok.Decode(ids), nil
}

const tokenizerUsage = `usage: muppet tokenizer train -out DIR [flags] FILE...

Learns a vocabulary from text files, a text a line ("-" is the standard input), and
writes its files as Hugging Face's programs read them.

`

func tokenizerCommand(ctx context.Context, args []string, std stdio) error {
	if len(args) > 0 && args[0] == "train" {
		args = args[1:]
	} else if len(args) == 0 || !strings.HasPrefix(args[0], "-") {
		return fmt.Errorf("tokenizer: what is to be done? There is: train\n%w", errUsage)
	}
	set := flag.NewFlagSet("muppet tokenizer train", flag.ContinueOnError)
	out := set.String("out", "", "the `folder` to write, new or empty")
	kind := set.String("kind", "bpe", "`bpe` (byte-level, as RoBERTa, BART and GPT-2) or wordpiece (as BERT)")
	size := set.Int("vocab-size", 32000, "`tokens` to end with")
	frequency := set.Int("min-frequency", 2, "how often a pair must occur to be merged")
	cased := set.Bool("cased", false, "of wordpiece: keep capitals and accents")
	if done, err := parse(set, tokenizerUsage, args, 1<<16, std.out); done || err != nil {
		return err
	}
	train, ok := map[string]func(func(func(string) bool), tokenizer.TrainConfig) (*tokenizer.Tokenizer, error){
		"bpe": tokenizer.Train, "wordpiece": tokenizer.TrainWordPiece}[*kind]
	switch {
	case !ok:
		return fmt.Errorf("tokenizer train: -kind %s: want bpe or wordpiece\n%w", *kind, errUsage)
	case *cased && *kind != "wordpiece":
		return fmt.Errorf("tokenizer train: -cased is of wordpiece\n%w", errUsage)
	case *out == "":
		return fmt.Errorf("tokenizer train: where to? -out says so\n%w", errUsage)
	case set.NArg() == 0:
		return fmt.Errorf("tokenizer train: from which files?\n%w", errUsage)
	case *frequency < 1:
		return fmt.Errorf("tokenizer train: -min-frequency %d: want at least 1\n%w", *frequency, errUsage)
	}
	if files, err := os.ReadDir(*out); err == nil && len(files) > 0 {
		return fmt.Errorf("tokenizer train: -out %s: the folder is not empty", *out)
	}
	var read error // Train takes texts only
	texts := func(yield func(string) bool) {
		for _, path := range set.Args() {
			var more bool
			if more, read = linesOf(ctx, path, std.in, yield); read != nil || !more {
				return
			}
		}
	}
	cfg := tokenizer.TrainConfig{VocabSize: *size, MinFrequency: *frequency, Cased: *cased}
	redraw := isTerminal(std.err)
	if redraw {
		cfg.Progress = func(bytes int64, tokens int) {
			fmt.Fprintf(std.err, "\r\x1b[K%d MB counted, %d of %d tokens", bytes>>20, tokens, *size)
		}
	}
	tok, err := train(texts, cfg)
	if redraw {
		fmt.Fprint(std.err, "\r\x1b[K")
	}
	if read != nil {
		err = read
	}
	if err == nil {
		err = os.MkdirAll(*out, 0o755)
	}
	if err == nil {
		err = tok.Save(*out)
	}
	if err != nil {
		return fmt.Errorf("tokenizer train: %w", err)
	}
	_, err = fmt.Fprintf(std.out, "%s written to %s\n", tok, *out)
	return err
}

// linesOf passes the lines of a file on while more are wanted.
func linesOf(ctx context.Context, path string, stdin io.Reader, yield func(string) bool) (more bool, err error) {
	r := stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return false, err
		}
		defer f.Close()
		r = f
	}
	s := bufio.NewScanner(r)
	s.Buffer(nil, maxLine)
	number := 1
	for ; s.Scan(); number++ {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		if !yield(s.Text()) {
			return false, nil
		}
	}
	switch err := s.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return false, fmt.Errorf("%s: line %d is longer than %d bytes", path, number, maxLine)
	case err != nil:
		return false, fmt.Errorf("%s: %w", path, err)
	}
	return true, nil
}
