//go:build !amd64

package parallel

// pause waits a moment: about a cycle for each of 32·n steps.
func pause(n uint32) {
	for i := uint32(0); i < 32*n; i++ {
		spinner()
	}
}

//go:noinline
func spinner() {}
