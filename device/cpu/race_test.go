//go:build race

package cpu

// The race detector makes sync.Pool drop what it is given, to find more races.
const raceDetector = true
