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
//
// # Memory
//
// Inference in a scope without gradients holds the activations of one layer. Training a
// layer of hidden size d, four times that inside, holds most while the product before its
// last norm is differentiated: 22·T·d elements, of which 14 were saved by the forward
// pass, 2 are the layer's input and result and 6 are gradients, besides the gradients of
// the parameters and of the input. What a step takes from the device is within 10 % of
// that (go test -run Memory ./transformer).
package transformer
