package reference

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/device/devicetest"
)

func TestConformance(t *testing.T) { devicetest.Run(t, New()) }

func Example() {
	d, err := device.ByName("reference")
	if err != nil {
		fmt.Println(err)
		return
	}
	x := device.Slice{Buffer: d.Alloc(device.Float32, 3), Len: 3}
	got := make([]float32, 3)
	d.Read(got, x)
	fmt.Println(got)
	d.Iota(x, 1, 0.5)
	d.Read(got, x)
	fmt.Println(got)
	d.Free(x.Buffer)
	// Output:
	// [NaN NaN NaN]
	// [1 1.5 2]
}

// caught returns what f panics with.
func caught(f func()) (r any) {
	defer func() { r = recover() }()
	f()
	return nil
}

func slice(d device.Device, t device.DType, n int) device.Slice {
	return device.Slice{Buffer: d.Alloc(t, n), Len: n}
}

var add = device.NewProgram("add", 2, func(b *device.Builder, x ...device.Value) []device.Value {
	return []device.Value{b.Add(x[0], x[1])}
})

// TestMistakes makes the mistakes that a lenient device would not notice.
func TestMistakes(t *testing.T) {
	d := New()
	f, g, h := slice(d, device.Float32, 6), slice(d, device.Float32, 6), slice(d, device.Float32, 6)
	f64, ints, foreign := slice(d, device.Float64, 6), slice(d, device.Int32, 6), slice(New(), device.Float32, 6)
	freed := slice(d, device.Float32, 6)
	d.Free(freed.Buffer)
	args := func(out device.Slice, in ...device.Slice) *device.Args {
		a := &device.Args{Rows: 2, Cols: 3, Out: []device.Slice{out}}
		for _, s := range in {
			a.In = append(a.In, device.Operand{Slice: s})
		}
		return a
	}
	for _, c := range []struct {
		name, message string
		call          func()
	}{
		{"freed", "was freed", func() { d.Fill(freed, 1) }},
		{"freed twice", "was freed", func() { d.Free(freed.Buffer) }},
		{"read of freed", "was freed", func() { d.Read(make([]float32, 6), freed) }},
		{"other device", "another device", func() { d.Fill(foreign, 1) }},
		{"no buffer", "another device", func() { d.Fill(device.Slice{}, 1) }},
		{"bounds", "of a buffer of 6", func() { d.Fill(device.Slice{Buffer: f.Buffer, Offset: 3, Len: 4}, 1) }},
		{"negative size", "of -1 elements", func() { d.Alloc(device.Float32, -1) }},
		{"host type", "want [float64]", func() { d.Write(f, make([]float64, 6)) }},
		{"host length", "want 5", func() { d.Write(f, make([]float32, 5)) }},
		{"host thing", "[]string", func() { d.Write(f, []string{"1"}) }},
		{"read type", "want [int32]", func() { d.Read(make([]int32, 6), f) }},
		{"cast length", "want 6", func() { d.Cast(f, ints.Sub(0, 5)) }},
		{"cast overlap", "overlaps", func() { d.Cast(f, f) }},
		{"strided types", "want [float32]", func() { d.Strided(f, 0, []int{1}, f64, 0, []int{1}, []int{6}) }},
		{"strided twice", "not the first", func() { d.Strided(f, 0, []int{0}, g, 0, []int{1}, []int{6}) }},
		{"strided range", "number 6 of 6", func() { d.Strided(f, 1, []int{1}, g, 0, []int{1}, []int{6}) }},
		{"strided source range", "-1 of 6 in src", func() { d.Strided(f, 0, []int{1}, g, 4, []int{-1}, []int{6}) }},
		{"strided strides", "strides for shape", func() { d.Strided(f, 0, nil, g, 4, []int{-1}, []int{6}) }},
		{"strided overlap", "overlaps", func() { d.Strided(f.Sub(0, 4), 0, []int{1}, f.Sub(2, 4), 0, []int{1}, []int{4}) }},
		{"pointwise inputs", "1 inputs", func() { d.Pointwise(add, args(f, g)) }},
		{"pointwise types", "want [float32]", func() { d.Pointwise(add, args(f, g, f64)) }},
		{"pointwise integers", "want [float32 float64]", func() { d.Pointwise(add, args(ints, ints, ints)) }},
		{"pointwise length", "want 6", func() { d.Pointwise(add, args(f.Sub(0, 5), g, h)) }},
		{"pointwise extent", "want 3", func() {
			a := args(f, g, h)
			a.In[1].Extent = device.RowExtent
			d.Pointwise(add, a)
		}},
		{"pointwise parameters", "1 parameters", func() {
			a := args(f, g, h)
			a.Params = []float64{1}
			d.Pointwise(add, a)
		}},
		{"pointwise overlap", "overlaps input 1", func() {
			long := slice(d, device.Float32, 7)
			d.Pointwise(add, args(long.Sub(0, 6), g, long.Sub(1, 6)))
		}},
		{"pointwise row overlap", "overlaps input 1", func() {
			a := args(f, g, f)
			a.In[1] = device.Operand{Slice: f.Sub(0, 3), Extent: device.RowExtent}
			d.Pointwise(add, a)
		}},
		{"pointwise alias of two", "overlaps input 1", func() { d.Pointwise(add, args(f, f, f)) }},
		{"reduce type", "want [int32]", func() { d.Reduce(device.ReduceArgMax, f.Sub(0, 2), g, 2, 3, 1) }},
		{"reduce length", "want 6", func() { d.Reduce(device.ReduceSum, f.Sub(0, 5), g, 2, 1, 3) }},
		{"reduce overlap", "overlaps", func() { d.Reduce(device.ReduceSum, f, f, 2, 1, 3) }},
		{"argmax of nothing", "maximum of nothing", func() { d.Reduce(device.ReduceArgMax, ints.Sub(0, 2), g.Sub(0, 0), 2, 0, 1) }},
		{"unknown reduction", "unknown ReduceOp", func() { d.Reduce(99, f, g, 2, 1, 3) }},
		{"cumsum overlap", "overlaps", func() { d.CumSum(f, f, 2, 1, 3) }},
		{"sort type", "want [int32]", func() { d.Sort(f, h, g, 2, 3, false) }},
		{"matmul length", "a has 6 elements, want 4", func() { d.MatMul(h.Sub(0, 4), f, g.Sub(0, 4), device.MatMul{Batch: 1, M: 2, N: 2, K: 2}) }},
		{"matmul types", "want [float32]", func() { d.MatMul(h.Sub(0, 4), f.Sub(0, 4), f64.Sub(0, 4), device.MatMul{Batch: 1, M: 2, N: 2, K: 2}) }},
		{"matmul overlap", "overlaps", func() { d.MatMul(f.Sub(0, 4), f.Sub(0, 4), g.Sub(0, 4), device.MatMul{Batch: 1, M: 2, N: 2, K: 2}) }},
		{"matmul stride", "negative", func() { d.MatMul(h.Sub(0, 4), f, g, device.MatMul{Batch: 1, M: 2, N: 2, K: 2, StrideA: -1}) }},
		{"gather index", "want [int32]", func() { d.Gather(h, g, f.Sub(0, 2), 3) }},
		{"gather rows", "no rows of 4", func() { d.Gather(h.Sub(0, 4), g, ints.Sub(0, 1), 4) }},
		{"gather length", "want 3", func() { d.Gather(h, g, ints.Sub(0, 1), 3) }},
		{"scatter type", "want [float32 float64]", func() { d.ScatterAdd(ints, ints, slice(d, device.Int32, 2), 3) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			message, ok := caught(c.call).(string)
			if !ok || !strings.HasPrefix(message, "reference: ") || !strings.Contains(message, c.message) {
				t.Errorf("panicked with %q, want something with %q", message, c.message)
			}
		})
	}
	d.Sync()
}

func TestErrorsAreDeferred(t *testing.T) {
	d := New()
	table, index, out := slice(d, device.Float32, 6), slice(d, device.Int32, 2), slice(d, device.Float32, 6)
	d.Write(index, []int32{1, 2})
	d.Gather(out, table, index, 3)
	d.Fill(table, 1) // what comes later is still done
	for _, wait := range []func(){d.Sync, func() { d.Read(make([]float32, 6), table) }} {
		err, _ := caught(wait).(error)
		var e *device.Error
		if !errors.As(err, &e) || e.Device != "reference" || e.Op != "Gather" || !strings.Contains(e.Error(), "index 2") {
			t.Errorf("got %v, want an error of Gather", err)
		}
		d.Sync() // raised once
		d.Gather(out, table, index, 3)
	}
	got := make([]float32, 6)
	if caught(d.Sync) == nil {
		t.Error("no error from the last Gather")
	}
	d.Read(got, table)
	if got[5] != 1 {
		t.Errorf("Fill after the error gave %v", got)
	}
	if e, ok := caught(func() { d.Alloc(device.Float64, maxLen+1) }).(*device.Error); !ok || e.Op != "Alloc" {
		t.Error("Alloc of too much is not an error of Alloc")
	}
}

func TestMemoryIsPoisoned(t *testing.T) {
	d := New()
	starts := map[int]bool{}
	for _, typ := range []device.DType{device.Float32, device.Float64, device.Int32, device.BFloat16} {
		s := slice(d, typ, 5)
		b := s.Buffer.(*buffer)
		starts[b.start] = true
		if b.start%2 != 1 {
			t.Errorf("a buffer begins at %d, want an odd place", b.start)
		}
		poison := func(when string) {
			t.Helper()
			for i := range s.Len {
				x := decode(typ, b.words[b.start+i])
				if typ == device.Int32 && x != -0x7eadbeef || typ != device.Int32 && !math.IsNaN(x) {
					t.Errorf("%v holds %v %s", typ, x, when)
				}
			}
		}
		poison("after Alloc")
		d.Fill(s, 3)
		d.Sync()
		d.Free(s.Buffer)
		d.Sync()
		poison("after Free")
	}
	if len(starts) < 2 {
		t.Error("all buffers begin at the same place")
	}
}

func TestGuards(t *testing.T) {
	d := New()
	s := slice(d, device.Float32, 5)
	b := s.Buffer.(*buffer)
	d.Sync()
	for _, at := range []int{0, b.start - 1, b.start + 5, len(b.words) - 1} {
		for name, wait := range map[string]func(){
			"Sync": func() { d.Fill(s, 1); d.Sync() },
			"Free": func() { d.Free(s.Buffer); d.Sync() },
		} {
			b.words[at]++
			if message, _ := caught(wait).(string); !strings.Contains(message, "was overwritten") {
				t.Errorf("%s does not notice that word %d changed: %q", name, at, message)
			}
			b.words[at]--
			b.freed.Store(false)
		}
	}
}

// TestOpenConversions checks that what the contract leaves open is conspicuous.
func TestOpenConversions(t *testing.T) {
	d := New()
	from, to, got := slice(d, device.Float64, 4), slice(d, device.Int32, 4), make([]int32, 4)
	d.Write(from, []float64{math.NaN(), 3e9, -3e9, math.MinInt32})
	d.Cast(to, from)
	d.Read(got, to)
	if want := [4]int32{-0x7eadbeef, -0x7eadbeef, -0x7eadbeef, math.MinInt32}; [4]int32(got) != want {
		t.Errorf("got %v, want %v", got, want)
	}
}
