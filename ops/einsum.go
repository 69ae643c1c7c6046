package ops

import (
	"fmt"
	"slices"
	"strings"
)

// Einsum multiplies the operands and sums, in Einstein's notation with a letter for
// every axis: "ij,jk->ik" is the matrix product. Letters that the result does not
// have are summed over; one that an operand has twice is its diagonal. Without "->"
// the result has the letters that occur once, in alphabetical order. "..." stands for
// any further axes, which broadcast, and in a result without "->" come first. Axes of
// one element stretch to others of their letter. Spaces do not count.
//
// Operands are contracted from left to right, by MatMul.
func Einsum(equation string, operands ...*Tensor) *Tensor {
	e := parseEinsum(equation, operands)
	terms := make([]term, len(operands))
	for i, x := range operands {
		terms[i] = e.prepare(term{x, e.inputs[i]})
	}
	y := terms[0]
	for i, next := range terms[1:] {
		wanted := slices.Clone(e.output)
		for _, later := range terms[i+2:] {
			wanted = append(wanted, later.axes...)
		}
		y = contract(y.only(append(slices.Clone(next.axes), wanted...)), next.only(append(slices.Clone(y.axes), wanted...)), wanted)
	}
	return y.only(e.output).permute(e.output).x
}

// A subscript names an axis: a letter, or -1 for the last axis that an ellipsis stands
// for, -2 for the one before it, and so on.
type subscript int

func (s subscript) String() string {
	if s < 0 {
		return "..."
	}
	return string(rune(s))
}

// An einsum is an equation, understood for given operands.
type einsum struct {
	inputs [][]subscript
	output []subscript
	sizes  map[subscript]int
}

func parseEinsum(equation string, operands []*Tensor) *einsum {
	fail := func(format string, args ...any) {
		panic(fmt.Sprintf("ops: Einsum: %q of %s: ", equation, shapes(operands)) + fmt.Sprintf(format, args...))
	}
	left, right, explicit := strings.Cut(strings.ReplaceAll(equation, " ", ""), "->")
	parts := strings.Split(left, ",")
	if len(parts) != len(operands) {
		fail("%d terms for %d operands", len(parts), len(operands))
	}
	e := &einsum{sizes: map[subscript]int{}}
	count, ellipsis := map[subscript]int{}, 0
	for i, part := range parts {
		x := operands[i]
		if x.DType() != operands[0].DType() || !x.DType().IsFloat() {
			fail("want operands of one float type")
		}
		letters := strings.Replace(part, "...", "", 1)
		rest := len(x.Shape()) - len(letters)
		if rest < 0 || rest > 0 && letters == part {
			fail("%d subscripts in %q for the %d axes of operand %d", len(letters), part, len(x.Shape()), i)
		}
		ellipsis = max(ellipsis, rest)
		axes, wrong := subscripts(part, rest)
		if wrong != "" {
			fail("subscript %q in %q, want letters", wrong, part)
		}
		for k, s := range axes {
			d, known := e.sizes[s]
			if known && d != x.Dim(k) && min(d, x.Dim(k)) != 1 && max(d, x.Dim(k)) != 1 {
				fail("subscript %q is %d and %d", s, d, x.Dim(k))
			}
			if !known || d == 1 {
				e.sizes[s] = x.Dim(k)
			}
			count[s]++
		}
		e.inputs = append(e.inputs, axes)
	}
	if !explicit {
		for s := range count {
			if s < 0 || count[s] == 1 {
				e.output = append(e.output, s)
			}
		}
		slices.Sort(e.output)
		return e
	}
	if !strings.Contains(right, "...") {
		ellipsis = 0
	}
	output, wrong := subscripts(right, ellipsis)
	if wrong != "" {
		fail("subscript %q in %q, want letters", wrong, right)
	}
	for i, s := range output {
		if count[s] == 0 {
			fail("subscript %q of the result is in no operand", s)
		}
		if slices.Contains(output[:i], s) {
			fail("subscript %q is twice in the result", s)
		}
	}
	e.output = output
	return e
}

// subscripts returns those of a term whose ellipsis stands for n axes, or the first
// character that is none.
func subscripts(term string, n int) (axes []subscript, wrong string) {
	before, after, found := strings.Cut(term, "...")
	for _, c := range before + after {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return nil, string(c)
		}
	}
	for _, c := range before {
		axes = append(axes, subscript(c))
	}
	for i := range n {
		if found {
			axes = append(axes, subscript(i-n))
		}
	}
	for _, c := range after {
		axes = append(axes, subscript(c))
	}
	return axes, ""
}

// A term is a tensor whose axes have names.
type term struct {
	x    *Tensor
	axes []subscript
}

// prepare takes the diagonal of axes of one name, and drops axes of one element that
// are longer elsewhere.
func (e *einsum) prepare(t term) term {
	shape, names := []int{}, []subscript{}
	for i, s := range t.axes {
		if t.x.Dim(i) == e.sizes[s] {
			shape, names = append(shape, t.x.Dim(i)), append(names, s)
		}
	}
	t = term{Reshape(t.x, shape...), names}
	sum := map[subscript]int{} // strides
	shape, names = []int{}, []subscript{}
	for i, stride := range rowMajor(t.x.Shape()) {
		s := t.axes[i]
		sum[s] += stride
		if !slices.Contains(names, s) {
			shape, names = append(shape, t.x.Dim(i)), append(names, s)
		}
	}
	if len(names) == len(t.axes) {
		return t
	}
	diagonal := block{shape: t.x.Shape()}
	for _, s := range names {
		diagonal.strides = append(diagonal.strides, sum[s])
	}
	return term{copyBlock("diagonal", t.x, diagonal, whole(shape), shape, 0), names}
}

// only sums over the axes that are not wanted.
func (t term) only(wanted []subscript) term {
	var drop []int
	kept := []subscript{}
	for i, s := range t.axes {
		if slices.Contains(wanted, s) {
			kept = append(kept, s)
		} else {
			drop = append(drop, i)
		}
	}
	if drop == nil {
		return t
	}
	return term{Sum(t.x, drop...), kept}
}

// permute brings the axes in an order.
func (t term) permute(order []subscript) term {
	if slices.Equal(t.axes, order) {
		return t
	}
	places := make([]int, len(order))
	for i, s := range order {
		places[i] = slices.Index(t.axes, s)
	}
	return term{Permute(t.x, places...), order}
}

// contract multiplies two terms and sums over the axes of both that are not wanted.
func contract(a, b term, wanted []subscript) term {
	var batch, inner, left, right []subscript
	for _, s := range a.axes {
		switch {
		case !slices.Contains(b.axes, s):
			left = append(left, s)
		case slices.Contains(wanted, s):
			batch = append(batch, s)
		default:
			inner = append(inner, s)
		}
	}
	for _, s := range b.axes {
		if !slices.Contains(a.axes, s) {
			right = append(right, s)
		}
	}
	sizes := map[subscript]int{}
	for _, t := range []term{a, b} {
		for i, s := range t.axes {
			sizes[s] = t.x.Dim(i)
		}
	}
	count := func(names []subscript) int {
		n := 1
		for _, s := range names {
			n *= sizes[s]
		}
		return n
	}
	a, b = a.permute(slices.Concat(batch, left, inner)), b.permute(slices.Concat(batch, inner, right))
	n, m, k, p := count(batch), count(left), count(inner), count(right)
	x, y := Reshape(a.x, n, m, k), Reshape(b.x, n, k, p)
	var z *Tensor
	if len(inner) > 0 {
		z = MatMul(x, y)
	} else {
		z = Mul(x, y)
	}
	result := term{axes: slices.Concat(batch, left, right)}
	shape := []int{}
	for _, s := range result.axes {
		shape = append(shape, sizes[s])
	}
	result.x = Reshape(z, shape...)
	return result
}
