// Package nn has the building blocks of models.
//
// A model is a struct. Its parameters are the tensors in fields with a name tag,
// found through nested structs, pointers, slices and maps of them; the tags, joined
// by dots, are the names of the state dict:
//
//	type MLP struct {
//		Hidden *nn.Linear `name:"fc1"` // fc1.weight, fc1.bias
//		Out    *nn.Linear `name:"fc2"`
//	}
//
// A tag of "" adds nothing to the name. The members of a slice are named by their
// index, those of a map by their key, a string. A field without a tag has no
// parameters, even if it is embedded, and a nil pointer has none.
//
// A tag may end in ",nodecay": weight decay then leaves the parameters alone. Tensors
// whose tag ends in ",buffer" are saved with the parameters but not trained, such as
// running statistics. A tensor's tag of names joined by "|" stands for a tensor whose
// rows are that many tensors of the state dict, one below the other.
//
// Layers that map a tensor to a tensor can be put one behind the other, in a
// Sequential; others, such as SelfAttention, a model calls itself. Forward is for
// inference; a layer that does something else in training has ForwardTrain besides.
// Randomness is a value: what a layer draws, its key decides.
package nn
