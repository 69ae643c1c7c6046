//go:build unix && !noguard

package simd

import (
	"os"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mayBeEmulated says that the processor may be an emulator, for which the tag noguard is.
const mayBeEmulated = false

func newGuarded[T float](t *testing.T, n int) *guarded[T] {
	var zero T
	page := os.Getpagesize()
	size := (n*int(unsafe.Sizeof(zero))+page-1)/page*page + page
	memory, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Munmap(memory) })
	if err := unix.Mprotect(memory[size-page:], unix.PROT_NONE); err != nil {
		t.Fatal(err)
	}
	return &guarded[T]{memory: unsafe.Slice((*T)(unsafe.Pointer(&memory[0])), (size-page)/int(unsafe.Sizeof(zero)))}
}
