// Package tokenizer turns text into the numbers a RoBERTa or BART model reads, and back: byte-level byte-pair encoding
// (Sennrich et al., 2016; over bytes as in GPT-2, Radford et al., 2019), trained, loaded and saved in the layout of
// Hugging Face.
//
// Encoding takes two steps. A fixed rule first cuts the text into pieces, about one word each, with the space before a
// word belonging to the word ("Hello world" is "Hello" and " world"). Then each piece starts as its bytes, and merges are
// applied to neighbouring parts, the one learned first always going first, until none applies; each part that is left is
// a token. Training finds the merges: it counts all neighbouring pairs in a corpus, merges the most frequent one
// everywhere, and does so again until the vocabulary is full.
//
// Because the alphabet is all 256 bytes, nothing is unknown: Decode(Encode(text).IDs) is text again for any string,
// valid UTF-8 or not, and the offsets of the tokens tile the text.
//
// # Special tokens
//
// A vocabulary has five tokens that stand for no text: <s>, <pad>, </s>, <unk> and <mask>. [Train] puts them at ids 0 to
// 4, as Hugging Face's trainer does; in the published RoBERTa and BART vocabularies <mask> is the last id instead.
// [Load] finds them by name, so both are read, and so does Hugging Face.
//
// # Where this differs from Hugging Face
//
//   - Text never becomes a special token. Hugging Face reads "<s>" in a text as the special token; here it is encoded as
//     the three characters, because text comes from strangers. Whoever builds a model's input adds the ids of the special
//     tokens.
//   - Encode adds no special tokens.
//   - Offsets count bytes and include a word's leading space; where several tokens share one character, each has its own
//     bytes. Hugging Face counts characters, gives each such token the whole character, and RobertaTokenizer trims spaces.
//   - Decode leaves special tokens out and returns the bytes as they are. Hugging Face replaces invalid UTF-8.
//   - Which characters are letters, numbers and spaces follows the Unicode tables of package unicode, and so the release
//     of Go; characters from newer or older versions of Unicode may be cut differently.
//   - Text is not normalised (nor does Hugging Face for these models), and tokens added outside vocab.json are ignored.
package tokenizer
