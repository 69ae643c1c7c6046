package device_test

import (
	"fmt"
	"math"
	"math/bits"
	"testing"

	"github.com/muppet-go/muppet/device"
)

func ExampleKey_Fold() {
	key := device.NewKey(42)
	layer3 := key.Fold("layer").FoldInt(3)
	fmt.Println(layer3 == device.NewKey(42).Fold("layer").FoldInt(3), layer3 == key.Fold("layer").FoldInt(4))
	// Output: true false
}

// TestKeysDiffer makes keys in many ways that are alike and looks for a pair that is the same.
func TestKeysDiffer(t *testing.T) {
	seen := map[device.Key]string{}
	halves := map[uint64]string{}
	add := func(name string, k device.Key) {
		if other, ok := seen[k]; ok {
			t.Errorf("%s and %s are the same key", name, other)
		}
		seen[k] = name
		for _, half := range []uint64{k.Lo, k.Hi} {
			if other, ok := halves[half]; ok {
				t.Errorf("%s and %s share a half", name, other)
			}
			halves[half] = name
		}
	}
	for seed := range uint64(50) {
		k := device.NewKey(seed)
		add(fmt.Sprint(seed), k)
		for i := -20; i < 20; i++ {
			add(fmt.Sprint(seed, " int ", i), k.FoldInt(i))
			add(fmt.Sprint(seed, " name ", i), k.Fold(fmt.Sprint(i)))
			add(fmt.Sprint(seed, " twice ", i), k.FoldInt(i).FoldInt(i))
			add(fmt.Sprint(seed, " name, int ", i), k.Fold("a").FoldInt(i))
			add(fmt.Sprint(seed, " int, name ", i), k.FoldInt(i).Fold("a"))
		}
		for _, name := range []string{"", "\x00", "\x00\x00", "ab", "ba", "a", "b"} {
			add(fmt.Sprintf("%d %q", seed, name), k.Fold(name))
			add(fmt.Sprintf("%d %q c", seed, name), k.Fold(name).Fold("c"))
		}
	}
}

// TestFoldIsIndependent checks that neighbouring keys differ in half of their
// bits, and that their streams are not correlated.
func TestFoldIsIndependent(t *testing.T) {
	const n = 4000
	uniform := program(0, func(b *builder, x ...value) value { return b.Uniform(0) })
	flipped := 0
	var mean, square, product, previous float64
	for i := range n {
		k, next := device.NewKey(1).FoldInt(i), device.NewKey(1).FoldInt(i+1)
		flipped += bits.OnesCount64(k.Lo^next.Lo) + bits.OnesCount64(k.Hi^next.Hi)
		x := evalKey(uniform, k) - 0.5
		mean += x / n
		square += x * x / n
		product += x * previous / n
		previous = x
	}
	// Each is a mean of n numbers: allow five standard deviations.
	for _, c := range []struct {
		name             string
		got, want, sigma float64
	}{
		{"flipped bits", float64(flipped) / n, 64, math.Sqrt(32.0 / n)},
		{"mean", mean, 0, math.Sqrt(1.0 / 12 / n)},
		{"variance", square, 1.0 / 12, math.Sqrt(1.0 / 180 / n)},
		{"covariance of neighbours", product, 0, 1.0 / 12 / math.Sqrt(n)},
	} {
		if math.Abs(c.got-c.want) > 5*c.sigma {
			t.Errorf("%s: %v, want %v ± %v", c.name, c.got, c.want, c.sigma)
		}
	}
}
