package cpu

import (
	"math"
	"sync"

	"golang.org/x/sys/unix"
)

// memoryLimit returns the bytes of memory and swap that the machine has. The Go
// runtime cannot recover from asking for more.
var memoryLimit = sync.OnceValue(func() int {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return math.MaxInt >> 16
	}
	return int((uint64(info.Totalram) + uint64(info.Totalswap)) * uint64(info.Unit))
})
