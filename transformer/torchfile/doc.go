// Package torchfile reads the tensors of a state dict that PyTorch's torch.save wrote, such as pytorch_model.bin.
//
// Since PyTorch 1.6 such a file is a zip archive whose entries are stored as they are, without compression:
//
//	archive/data.pkl     a pickle: the names, types, shapes, strides and offsets of the tensors
//	archive/data/0       the bytes of a storage; 1, 2 and so on are others
//	archive/byteorder    "little" or "big"; older files lack it
//	archive/version      and others that do not matter here
//
// A pickle is a program for a stack machine, and Python's machine will import and call whatever the program names: that is
// why loading one from a stranger runs the stranger's code. The machine here knows only what a state dict takes: numbers,
// strings, tuples, lists, dictionaries, and a table of a few names from torch, none of which is more than a description of
// a tensor. Any other name and any other instruction is an error that says which. Nothing is imported and nothing is called.
//
// What the descriptions promise is checked against the archive by [Open]: the size of each storage, and that no tensor
// reaches outside its own. Values stay on disk until they are read, with any strides: a tensor may be a transposed view,
// and several may share a storage. The checksums of the archive are not looked at.
//
// The format is described at https://pytorch.org/docs/stable/notes/serialization.html and the machine in the comments of
// CPython's Lib/pickletools.py. What is not read: files from before PyTorch 1.6, big-endian files, TorchScript, sparse,
// quantised and complex tensors, and subclasses of tensors. For new files prefer package nn/safetensors.
package torchfile
