package ops_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/ops"
)

// einsumSamples are equations, also as they read with a letter for every axis.
func einsumSamples() (all []sample) {
	for _, c := range []struct {
		equation, letters string
		shapes            [][]int
	}{
		{"ij,jk->ik", "", [][]int{{2, 3}, {3, 2}}},
		{"ij,jk", "ij,jk->ik", [][]int{{2, 3}, {3, 1}}},
		{" b a , a -> b", "ba,a->b", [][]int{{2, 3}, {3}}},
		{"ij->ji", "", [][]int{{2, 3}}},
		{"ba", "ba->ab", [][]int{{2, 3}}},
		{"ij->", "", [][]int{{2, 3}}},
		{"ii", "ii->", [][]int{{3, 3}}},
		{"ii->i", "", [][]int{{3, 3}}},
		{"iji->ij", "", [][]int{{2, 3, 2}}},
		{"ijji,j->i", "", [][]int{{2, 2, 2, 2}, {2}}},
		{"i,j->ij", "", [][]int{{2}, {3}}},
		{"i,i->i", "", [][]int{{3}, {3}}},
		{"i,i", "i,i->", [][]int{{3}, {3}}},
		{",->", "", [][]int{{}, {}}},
		{"i,", "i,->i", [][]int{{2}, {}}},
		{"bij,bjk->bki", "", [][]int{{2, 2, 3}, {2, 3, 2}}},
		{"nhqd,nhkd->nhqk", "", [][]int{{1, 2, 2, 3}, {1, 2, 3, 3}}},
		{"ab,bc,cd->ad", "", [][]int{{2, 2}, {2, 3}, {3, 1}}},
		{"ab,ab,ab->b", "", [][]int{{2, 3}, {2, 3}, {2, 3}}},
		{"ab,cb->c", "", [][]int{{2, 3}, {2, 3}}},
		{"a,b,a->b", "", [][]int{{2}, {3}, {2}}},
		{"ab,bc->ac", "", [][]int{{2, 1}, {3, 2}}}, // b stretches
		{"ab,ab->ab", "", [][]int{{2, 1}, {1, 3}}},
		{"...ij,...jk->...ik", "xyij,yjk->xyik", [][]int{{2, 1, 2, 2}, {3, 2, 1}}},
		{"...i,i", "xyi,i->xy", [][]int{{2, 2, 3}, {3}}},
		{"i...->...", "ix->x", [][]int{{2, 3}}},
		{"...->", "xy->", [][]int{{2, 3}}},
		{"i...i->...i", "ixi->xi", [][]int{{2, 3, 2}}},
		{"ij,jk->ik", "", [][]int{{2, 0}, {0, 2}}},
		{"ij,jk->ik", "", [][]int{{0, 2}, {2, 1}}},
		{"ij,kj->ik", "", [][]int{{1, 1}, {1, 1}}},
		{"", "->", [][]int{{}}},
	} {
		if c.letters == "" {
			c.letters = c.equation
		}
		var inputs []input
		for _, shape := range c.shapes {
			inputs = append(inputs, normal(shape...))
		}
		all = append(all, sample{op: "Einsum", name: fmt.Sprint(c.equation, c.shapes), inputs: inputs,
			f:     func(in ...*tensor) *tensor { return ops.Einsum(c.equation, in...) },
			plain: func(in ...array) array { return einsum(c.letters, in...) }})
	}
	return all
}

// einsum is of an equation with a letter for every axis, and a result.
func einsum(equation string, in ...array) array {
	left, output, _ := strings.Cut(equation, "->")
	terms := strings.Split(left, ",")
	sizes := map[rune]int{}
	summed := ""
	for i, term := range terms {
		for k, letter := range term {
			if sizes[letter] = in[i].shape[k]; sizes[letter] == 1 {
				for j, other := range terms {
					if at := strings.IndexRune(other, letter); at >= 0 && in[j].shape[at] != 1 {
						sizes[letter] = in[j].shape[at]
					}
				}
			}
			if !strings.ContainsRune(output+summed, letter) {
				summed += string(letter)
			}
		}
	}
	shape := func(letters string) (dims []int) {
		for _, letter := range letters {
			dims = append(dims, sizes[letter])
		}
		return dims
	}
	return fill(shape(output), func(at []int) float64 {
		s := 0.0
		each(shape(summed), func(inner []int) {
			all, p := slices.Concat(at, inner), 1.0
			for i, term := range terms {
				var place []int
				for _, letter := range term {
					place = append(place, all[strings.IndexRune(output+summed, letter)])
				}
				p *= in[i].get(place...)
			}
			s += p
		})
		return s
	})
}

// FuzzEinsum: an equation is refused, by name, or computed as the loops do.
func FuzzEinsum(f *testing.F) {
	for _, s := range einsumSamples() {
		ranks := uint8(0)
		for i, in := range s.inputs {
			ranks |= uint8(len(in.shape)&3) << (2 * i)
		}
		equation, _, _ := strings.Cut(s.name, "[")
		f.Add(equation, len(s.inputs), ranks)
	}
	f.Add("i->ii", 1, uint8(1))
	f.Add("i->->i", 1, uint8(1))
	f.Add("......", 1, uint8(3))
	f.Add("é", 1, uint8(2))
	f.Fuzz(func(t *testing.T, equation string, operands int, ranks uint8) {
		var in []*tensor
		var plain []array
		for i := range min(max(operands, 0), 4) {
			a := zeros(slices.Repeat([]int{2}, int(ranks>>(2*i)&3))...)
			for k := range a.v {
				a.v[k] = float64(1 + i + 3*k)
			}
			in, plain = append(in, upload(device.Default(), device.Float64, a)), append(plain, a)
		}
		var y *autograd.Tensor
		func() {
			defer func() {
				if r := recover(); r != nil && !strings.HasPrefix(fmt.Sprint(r), fmt.Sprintf("ops: Einsum: %q of ", equation)) {
					panic(r)
				}
			}()
			y = ops.Einsum(equation, in...)
		}()
		if y == nil || strings.Contains(equation, ".") {
			return
		}
		equation = strings.ReplaceAll(equation, " ", "")
		if !strings.Contains(equation, "->") {
			var once []string
			for _, letter := range strings.Split(strings.ReplaceAll(equation, ",", ""), "") {
				if strings.Count(equation, letter) == 1 {
					once = append(once, letter)
				}
			}
			slices.Sort(once)
			equation += "->" + strings.Join(once, "")
		}
		want := einsum(equation, plain...)
		if len(y.Shape()) != len(want.shape) {
			t.Fatalf("%q: shape %v, want %v", equation, y.Shape(), want.shape)
		}
		near(t, equation, y.Float64s(), want.v, 1e-12)
	})
}
