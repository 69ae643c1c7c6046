//go:build !linux

package cpu

import "math"

// memoryLimit returns a number of bytes that no machine has. The Go runtime cannot
// recover from asking for them.
func memoryLimit() int { return math.MaxInt >> 16 }
