// Package transformer has transformer encoders, and BART's encoder and decoder, on packed batches, with
// the heads that tasks need; it generates, and reads and writes checkpoints under Hugging Face's
// names.
//
// A Batch holds sequences of any lengths end to end, without padding: T tokens and
// the Segments that say which rows belong together. Everything but attention works
// on the T rows and does not care; attention stays within segments.
//
// Weights are read from model.safetensors or pytorch_model.bin, or the files that an
// index of either lists. Package transformer/hub fetches the folder of a model by name.
package transformer
