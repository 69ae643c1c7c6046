package device

import (
	"fmt"
	"os"
	"sort"
	"strings"
	"sync"
)

var registry = struct {
	sync.Mutex
	open    map[string]func() Device
	devices map[string]Device
}{open: map[string]func() Device{}, devices: map[string]Device{}}

// Register makes a device known by name. Device packages call it when they are
// imported; open is called once, when the device is first asked for.
func Register(name string, open func() Device) {
	registry.Lock()
	defer registry.Unlock()
	if _, ok := registry.open[name]; ok {
		panic(fmt.Sprintf("device: Register: %q is registered already", name))
	}
	registry.open[name] = open
}

// ByName returns the device registered as name.
func ByName(name string) (Device, error) {
	registry.Lock()
	defer registry.Unlock()
	if d, ok := registry.devices[name]; ok {
		return d, nil
	}
	open, ok := registry.open[name]
	if !ok {
		var known []string
		for n := range registry.open {
			known = append(known, n)
		}
		sort.Strings(known)
		return nil, fmt.Errorf("device: no device %q (known: %s)", name, strings.Join(known, ", "))
	}
	d := open()
	registry.devices[name] = d
	return d, nil
}

// Default returns the device that tensors are made on unless another is named:
// the one in the environment variable MUPPET_DEVICE, or "cpu".
var Default = sync.OnceValue(func() Device {
	name := os.Getenv("MUPPET_DEVICE")
	if name == "" {
		name = "cpu"
	}
	d, err := ByName(name)
	if err != nil {
		panic(fmt.Sprintf("device: Default: %v", err))
	}
	return d
})
