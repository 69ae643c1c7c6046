//go:build !linux

package hugepage

import "unsafe"

// Advise asks for huge pages on Linux; elsewhere it does nothing.
func Advise(unsafe.Pointer, int) {}
