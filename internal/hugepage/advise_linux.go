package hugepage

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Advise asks for huge pages for memory from start on, where whole ones fit.
func Advise(start unsafe.Pointer, bytes int) {
	const page = 4096
	skip := int(-uintptr(start) % page)
	inside := (bytes - skip) &^ (page - 1)
	if inside <= 0 {
		return
	}
	// An error leaves small pages, which work as well.
	_ = unix.Madvise(unsafe.Slice((*byte)(unsafe.Add(start, skip)), inside), unix.MADV_HUGEPAGE)
}
