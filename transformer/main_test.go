package transformer

import (
	"os"
	"sync"
	"testing"

	"github.com/muppet-go/muppet/device"
	_ "github.com/muppet-go/muppet/device/reference"
)

// meter is the default device of these tests: the one asked for, which counts the
// elements it has handed out, and what it has computed and copied.
type meter struct {
	device.Device
	mu    sync.Mutex
	taken int
	work  int // multiplications of matrix products and elements of all else, but for attention
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

func (m *meter) count(n int) {
	m.mu.Lock()
	m.work += n
	m.mu.Unlock()
}

func (m *meter) MatMul(dst, a, b device.Slice, p device.MatMul) {
	m.count(p.Batch * p.M * p.N * p.K)
	m.Device.MatMul(dst, a, b, p)
}

func (m *meter) Pointwise(p *device.Program, args *device.Args) {
	m.count(args.Rows * args.Cols)
	m.Device.Pointwise(p, args)
}

func (m *meter) Reduce(op device.ReduceOp, dst, src device.Slice, outer, n, inner int) {
	m.count(outer * n * inner)
	m.Device.Reduce(op, dst, src, outer, n, inner)
}

func (m *meter) Strided(dst device.Slice, dstOff int, dstStride []int, src device.Slice, srcOff int, srcStride []int, shape []int) {
	n := 1
	for _, s := range shape {
		n *= s
	}
	m.count(n)
	m.Device.Strided(dst, dstOff, dstStride, src, srcOff, srcStride, shape)
}

func (m *meter) Gather(dst, src, index device.Slice, w int) {
	m.count(index.Len * w)
	m.Device.Gather(dst, src, index, w)
}

func (m *meter) ScatterAdd(dst, src, index device.Slice, w int) {
	m.count(index.Len * w)
	m.Device.ScatterAdd(dst, src, index, w)
}

func (m *meter) Fill(dst device.Slice, value float64) {
	m.count(dst.Len)
	m.Device.Fill(dst, value)
}

func (m *meter) Write(dst device.Slice, src any) {
	m.count(dst.Len)
	m.Device.Write(dst, src)
}

func (m *meter) Read(dst any, src device.Slice) {
	m.count(src.Len)
	m.Device.Read(dst, src)
}

// fusedMeter keeps the optional interfaces of the device.
type fusedMeter struct {
	*meter
	device.Attender
	device.LayerNormer
	device.SegmentCrossEntropier
}

var memory *meter

// needsFused skips accounts of memory on a device that composes attention of other
// operations, with the matrices of scores that fused attention does without.
func needsFused(t *testing.T) {
	if _, ok := device.Default().(device.Attender); !ok {
		t.Skipf("device %s has no fused attention", device.Default().Name())
	}
}

func TestMain(m *testing.M) {
	name := os.Getenv("MUPPET_DEVICE")
	switch name {
	case "":
		name = "cpu"
	case "meter": // this process was started by one of these tests, as fuzzing does
		name = os.Getenv("MUPPET_METERED")
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
	os.Setenv("MUPPET_METERED", name)
	os.Setenv("MUPPET_DEVICE", "meter")
	os.Exit(m.Run())
}
