package cpu

import (
	"math"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// adviseHugePages asks for huge pages where whole ones fit: faulting in a buffer
// page by page costs about as much as computing on it.
func adviseHugePages(start unsafe.Pointer, bytes int) {
	skip := int(-uintptr(start) % page)
	inside := (bytes - skip) &^ (page - 1)
	if inside <= 0 {
		return
	}
	// An error leaves small pages, which work as well.
	_ = unix.Madvise(unsafe.Slice((*byte)(unsafe.Add(start, skip)), inside), unix.MADV_HUGEPAGE)
}

// memoryLimit returns the bytes of memory and swap that the machine has. The Go
// runtime cannot recover from asking for more.
var memoryLimit = sync.OnceValue(func() int {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return math.MaxInt >> 16
	}
	return int((uint64(info.Totalram) + uint64(info.Totalswap)) * uint64(info.Unit))
})
