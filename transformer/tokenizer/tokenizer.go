package tokenizer

import (
	"fmt"
	"hash/maphash"
	"sync"
)

// The special tokens with a role in the input of a model, by their places in Tokenizer.named.
const (
	bos = iota
	pad
	eos
	unk
	mask
)

// A Tokenizer encodes and decodes text. It does not change once made, and may be used by several goroutines at once.
type Tokenizer struct {
	definition *definition

	tokens  []string         // by id, as the files spell them
	text    []string         // by id, the text that a token stands for: of a byte-level one its bytes
	ids     map[string]int32 // the inverse of tokens
	special []bool           // by id
	added   []bool           // by id
	named   [len(roles)]int32

	raw, normalized finder // added tokens, to be found before and after normalisation
	normalizer      normalizer
	pre             []preTokenizer
	model           model
	decoders        decoders
	single, pair    template // what is made of one text, and of two
	trim            bool     // whether offsets are without the spaces at the ends of tokens

	states sync.Pool // of *state
	seed   maphash.Seed
}

// String returns the kind of the model and the size of the vocabulary.
func (t *Tokenizer) String() string {
	return fmt.Sprintf("Tokenizer(%s, %d tokens)", t.definition.model.Type, len(t.tokens))
}

// VocabSize returns the number of tokens, added ones included. Ids run from 0 to VocabSize-1.
func (t *Tokenizer) VocabSize() int { return len(t.tokens) }

// Token returns a token as the files spell it: of byte-level BPE one character per byte, with Ġ for the space. It panics
// when there is no such id.
func (t *Tokenizer) Token(id int32) string {
	if id < 0 || int(id) >= len(t.tokens) {
		panic(fmt.Sprintf("tokenizer: Token: id %d outside [0, %d)", id, len(t.tokens)))
	}
	return t.tokens[id]
}

// ID returns the id of a token as the files spell it, and whether there is one. Special tokens count.
func (t *Tokenizer) ID(token string) (int32, bool) {
	id, ok := t.ids[token]
	return id, ok
}

// BOS returns the id of the token that begins an input and is what a classifier reads: Hugging Face's cls_token or
// bos_token, <s> in RoBERTa, [CLS] in BERT. It is -1 if there is none, as are those below.
func (t *Tokenizer) BOS() int32 { return t.named[bos] }

// EOS returns the id of the token that ends a text: sep_token or eos_token, </s> or [SEP].
func (t *Tokenizer) EOS() int32 { return t.named[eos] }

// Pad returns the id of pad_token, <pad> or [PAD]. Nothing here is padded, but positions are counted from it (RoBERTa).
func (t *Tokenizer) Pad() int32 { return t.named[pad] }

// Unk returns the id of unk_token, <unk> or [UNK]. No text encodes to it in byte-level BPE.
func (t *Tokenizer) Unk() int32 { return t.named[unk] }

// Mask returns the id of mask_token, <mask> or [MASK], which masked language modelling puts in the place of a token.
func (t *Tokenizer) Mask() int32 { return t.named[mask] }
