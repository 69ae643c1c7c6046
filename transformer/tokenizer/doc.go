// Package tokenizer turns text into the numbers that RoBERTa, BART, GPT-2, BERT, T5 and their like read, and back. It
// loads, trains and saves tokenizers in the layout of Hugging Face, and makes the same tokens.
//
// Encoding takes these steps. Added tokens are found in the text as they are. What is between them is normalised (BERT
// puts it into lower case and takes accents off), and cut by a fixed rule into pieces, about one word each. A model
// makes tokens of each piece:
//
//   - Byte-level byte-pair encoding (Sennrich et al., 2016; over bytes as in GPT-2, Radford et al., 2019) starts with the bytes
//     of a piece and applies merges to neighbouring parts, the one learned first always going first, until none applies.
//     Because the alphabet is all 256 bytes, nothing is unknown: Decode(Encode(text).IDs) is text again for any
//     string, valid UTF-8 or not, and the offsets of the tokens tile the text.
//   - WordPiece (Devlin et al., 2019) takes the longest token that a word begins with, again and again.
//   - A unigram model (Kudo, 2018) takes of all ways to put a piece together the most probable one.
//   - Byte-pair encoding of characters, with bytes for those that are unknown (Llama 2) or with what ends a word (CLIP), and
//     WordLevel, a token a word, are read too.
//
// [Tokenizer.Encode] does that for a text. [Tokenizer.PostProcess] makes of one or two encoded texts what a model
// reads: cut to a length, with the special tokens between which the model expects a text, and with token types.
// [Tokenizer.EncodeBatch] does both for many texts on all cores.
//
// Rules to cut are hand-written scanners. Of the regular expressions in tokenizer.json those of GPT-2, GPT-4 and Llama 3,
// GPT-4o, Qwen 2 and 3.5, DeepSeek, Mistral and CLIP are known, and a few of normalisers; any other is an error that names it.
//
// Which characters are letters, spaces, capitals or marks, and what they are made of, is written down in tables of this
// package, which follow the parts of Hugging Face's tokenizers 0.23.3 and not the release of Go.
//
// # Special tokens
//
// Special tokens stand for no text. [Load] finds out their roles from tokenizer_config.json or by their names. Text never
// becomes one unless [Options].ParseSpecial says so, since text comes from strangers.
//
// # Where this differs from Hugging Face
//
//   - Hugging Face reads "<s>" in a text as the special token unless told otherwise; so does [Options].ParseSpecial. Unigram and
//     WordLevel models there find special tokens in text even if told otherwise.
//   - Offsets count bytes; [RuneOffsets] counts characters. Where several byte-level tokens share one character each has its
//     own bytes, not the whole character. Offsets that are trimmed (RobertaProcessing) lose only spaces that are in the
//     text, not the one that add_prefix_space puts before it.
//   - Decode leaves special tokens out and returns the bytes as they are. Hugging Face replaces invalid UTF-8, and takes the
//     letters of a byte-level token that was added for the names of bytes.
//   - Bytes that are not UTF-8 are U+FFFD to a normaliser, which BERT's removes.
//   - A pair cut to OnlyFirst or OnlySecond always fits; Hugging Face gives up where the other text alone is too long.
//   - Windows of the overflow have the token types of the template.
//   - The truncation and padding that tokenizer.json asks for are left to the caller.
//   - Of SentencePiece's own normalisation (Precompiled), clusters of characters are told apart by simpler rules.
package tokenizer
