package device_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/muppet-go/muppet/device"
	_ "github.com/muppet-go/muppet/device/reference"
)

func ExampleNewSegments() {
	s := device.NewSegments(3, 0, 2)
	fmt.Println(s, s.Count(), s.Total(), s.Max())
	for i := range s.Count() {
		fmt.Println(s.Start(i), s.Len(i))
	}
	// Output:
	// Segments[3 0 2] 3 5 3
	// 0 3
	// 3 0
	// 3 2
}

func TestSegments(t *testing.T) {
	if s := device.NewSegments(); s.Count() != 0 || s.Total() != 0 || s.Max() != 0 || s.String() != "Segments[]" {
		t.Errorf("no segments are %v", s)
	}
	s := device.UniformSegments(100, 7)
	if s.Count() != 100 || s.Total() != 700 || s.Max() != 7 || s.Start(99) != 693 || s.Len(99) != 7 {
		t.Errorf("uniform segments are %v", s)
	}
	if want := "Segments(700 rows in 100: [7 7 7 7 7 7 7 7] and more)"; s.String() != want {
		t.Errorf("String is %q, want %q", s, want)
	}
	if !s.Consecutive() {
		t.Errorf("gaps in %v", s)
	}
	mistake(t, "negative length -2", func() { device.NewSegments(1, -2) })
	s = device.SegmentsAt(10, []int{1, 5, 9}, []int{2, 4, 0})
	if s.Count() != 3 || s.Total() != 10 || s.Max() != 4 || s.Start(1) != 5 || s.Len(0) != 2 || s.Len(2) != 0 || s.Consecutive() {
		t.Errorf("segments are %v", s)
	}
	mistake(t, "starts [1 3], lengths [3 1]", func() { device.SegmentsAt(10, []int{1, 3}, []int{3, 1}) })
	mistake(t, "among 3 rows", func() { device.SegmentsAt(3, []int{1}, []int{3}) })
	mistake(t, "lengths [-1]", func() { device.SegmentsAt(3, []int{1}, []int{-1}) })
	mistake(t, "starts [-1]", func() { device.SegmentsAt(3, []int{-1}, []int{1}) })
	mistake(t, "starts [3 1]", func() { device.SegmentsAt(3, []int{3, 1}, []int{0, 1}) })
	mistake(t, "starts [1]", func() { device.SegmentsAt(3, []int{1}, nil) })
}

// mistake checks that f panics with a message.
func mistake(t *testing.T, message string, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if got := fmt.Sprint(recover()); !strings.HasPrefix(got, "device: ") || !strings.Contains(got, message) {
			t.Errorf("panicked with %q, want %q in it", got, message)
		}
	}()
	f()
}

func TestDType(t *testing.T) {
	for _, c := range []struct {
		t     device.DType
		name  string
		size  int
		float bool
	}{
		{device.Float32, "float32", 4, true}, {device.Float64, "float64", 8, true}, {device.Int32, "int32", 4, false}, {device.BFloat16, "bfloat16", 2, false},
	} {
		if c.t.String() != c.name || c.t.Size() != c.size || c.t.IsFloat() != c.float {
			t.Errorf("%v has size %d, is a float: %v", c.t, c.t.Size(), c.t.IsFloat())
		}
	}
	mistake(t, "DType 9", func() { device.DType(9).Size() })
	if got := device.DType(9).String() + device.Op(99).String(); got != "DType(9)Op(99)" {
		t.Error(got)
	}
}

func TestRegistry(t *testing.T) {
	d, err := device.ByName("reference")
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := device.ByName("reference"); again != d {
		t.Error("the device was opened twice")
	}
	if _, err := device.ByName("abacus"); err == nil || !strings.Contains(err.Error(), `"abacus" (known: `) || !strings.Contains(err.Error(), "reference") {
		t.Errorf("the error is %v", err)
	}
	mistake(t, "registered already", func() { device.Register("reference", nil) })
}

func TestSub(t *testing.T) {
	d, _ := device.ByName("reference")
	b := d.Alloc(device.Float32, 10)
	defer d.Free(b)
	s := device.Slice{Buffer: b, Offset: 2, Len: 6}
	if got, want := s.Sub(1, 5), (device.Slice{Buffer: b, Offset: 3, Len: 5}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	for _, c := range [][2]int{{-1, 2}, {0, 7}, {6, 1}, {2, -1}, {1, int(^uint(0) >> 1)}} {
		mistake(t, "of a slice of 6", func() { s.Sub(c[0], c[1]) })
	}
}

func TestError(t *testing.T) {
	err := error(&device.Error{Device: "cpu", Op: "Alloc", Err: io.ErrShortBuffer})
	if err.Error() != "device cpu: Alloc: short buffer" || !errors.Is(err, io.ErrShortBuffer) {
		t.Error(err)
	}
}
