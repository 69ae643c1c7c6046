package autograd

import "github.com/muppet-go/muppet/device"

// Key names a stream of random numbers: see device.Key.
type Key = device.Key

// NewKey returns the key of a stream chosen by seed.
func NewKey(seed uint64) Key { return device.NewKey(seed) }
