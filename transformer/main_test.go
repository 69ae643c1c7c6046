package transformer

import (
	"os"
	"sync"
	"testing"

	"github.com/muppet-go/muppet/device"
	_ "github.com/muppet-go/muppet/device/reference"
)

// meter is the default device of these tests: the one asked for, which counts the
// elements it has handed out.
type meter struct {
	device.Device
	mu    sync.Mutex
	taken int
}

func (m *meter) Alloc(t device.DType, n int) device.Buffer {
	m.mu.Lock()
	m.taken += n
	m.mu.Unlock()
	return m.Device.Alloc(t, n)
}

// total returns the elements handed out so far: a scope keeps what it once took.
func (m *meter) total() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.taken
}

// fusedMeter keeps the optional interfaces of the device.
type fusedMeter struct {
	*meter
	device.Attender
	device.LayerNormer
	device.SegmentCrossEntropier
}

var memory *meter

func TestMain(m *testing.M) {
	name := os.Getenv("MUPPET_DEVICE")
	if name == "" {
		name = "cpu"
	}
	dev, err := device.ByName(name)
	if err != nil {
		panic(err)
	}
	memory = &meter{Device: dev}
	device.Register("meter", func() device.Device {
		a, ok1 := dev.(device.Attender)
		n, ok2 := dev.(device.LayerNormer)
		c, ok3 := dev.(device.SegmentCrossEntropier)
		if ok1 && ok2 && ok3 {
			return fusedMeter{memory, a, n, c}
		}
		return memory
	})
	os.Setenv("MUPPET_DEVICE", "meter")
	os.Exit(m.Run())
}
