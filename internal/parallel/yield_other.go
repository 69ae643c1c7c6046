//go:build !linux

package parallel

import "runtime"

// yield lets other goroutines go first.
func yield() { runtime.Gosched() }
