package parallel

import (
	"runtime"
	"syscall"
)

// yield lets other goroutines and other threads on this processor go first: the
// kernel may have put the one that is being waited for behind this one.
func yield() {
	_, _, _ = syscall.RawSyscall(syscall.SYS_SCHED_YIELD, 0, 0, 0)
	runtime.Gosched()
}
