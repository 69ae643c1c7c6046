package autograd

import (
	"fmt"
	"slices"
	"strings"
)

// drawn is the most boxes that a Graph has: more cannot be read.
const drawn = 120

// A Graph is a picture of how a tensor was computed, as its methods draw it.
type Graph struct {
	boxes []*box // the result first; inputs may come before or after
	more  int    // operations and leaves left out
}

// box is an operation or a leaf.
type box struct {
	kind   boxKind
	name   string
	shape  string
	inputs []*box
	depth  int // the longest way to the result
}

type boxKind int

const (
	operation boxKind = iota
	parameter         // a leaf that requires gradients
	constant          // a tensor without history
	omitted           // stands for all that there is no room for
)

// Named gives t a name in pictures of graphs, and returns it.
func (t *Tensor) Named(name string) *Tensor {
	key(t).name = name
	return t
}

// Graph returns the recorded operations that t depends on, for drawing: each is
// there once, however often its result is used. Beyond a hundred or so those
// farthest from t are counted and left out. Graph reads no elements, and what a
// backward pass released is not missed.
func (t *Tensor) Graph() *Graph {
	g := &Graph{}
	boxes := map[any]*box{}
	rest := &box{kind: omitted}
	visit := func(t *Tensor) (b *box, isNew bool) {
		var id any = key(t)
		if t.node != nil {
			id = t.node
		}
		b = boxes[id]
		switch {
		case b != nil:
			return b, false
		case len(g.boxes) == drawn:
			boxes[id] = rest
			g.more++
			return rest, true
		}
		b = &box{kind: constant, name: key(t).name, shape: t.describe()[len("Tensor"):]}
		if t.node != nil {
			b.kind = operation
			b.name = t.node.rule.Name()
			if t.name != "" {
				b.name = t.name + " = " + b.name
			}
		} else if t.RequiresGrad() {
			b.kind = parameter
		}
		boxes[id] = b
		g.boxes = append(g.boxes, b)
		return b, true
	}
	visit(t)
	for queue := []*Tensor{t}; len(queue) > 0; queue = queue[1:] {
		if queue[0].node == nil {
			continue
		}
		b, _ := visit(queue[0])
		for _, x := range queue[0].node.inputs {
			in, isNew := visit(x)
			if isNew {
				queue = append(queue, x)
			}
			if b != rest && (in != rest || !slices.Contains(b.inputs, rest)) {
				b.inputs = append(b.inputs, in)
			}
		}
	}
	if g.more > 0 {
		rest.name = fmt.Sprintf("… %d more", g.more)
		g.boxes = append(g.boxes, rest)
	}
	for changed := true; changed; {
		changed = false
		for _, b := range g.boxes {
			for _, in := range b.inputs {
				if in.depth <= b.depth {
					in.depth, changed = b.depth+1, true
				}
			}
		}
	}
	return g
}

// sorted returns the boxes with inputs before results.
func (g *Graph) sorted() []*box {
	s := slices.Clone(g.boxes)
	slices.Reverse(s)
	slices.SortStableFunc(s, func(a, b *box) int { return b.depth - a.depth })
	return s
}

// String lists the graph, a line for each operation or leaf, inputs before results.
func (g *Graph) String() string {
	var s strings.Builder
	ids := map[*box]string{}
	for i, b := range g.sorted() {
		ids[b] = fmt.Sprintf("%%%d", i)
		var inputs []string
		for _, in := range b.inputs {
			inputs = append(inputs, ids[in])
		}
		fmt.Fprintf(&s, "%s: %s", ids[b], b.label())
		if b.kind == operation {
			fmt.Fprintf(&s, "(%s)", strings.Join(inputs, ", "))
		}
		if b.shape != "" {
			fmt.Fprintf(&s, " %s", b.shape)
		}
		s.WriteByte('\n')
	}
	return s.String()
}

// label is a box's name, or what kind of leaf it is.
func (b *box) label() string {
	switch {
	case b.name != "":
		return b.name
	case b.kind == parameter:
		return "leaf"
	}
	return "constant"
}

// DOT returns the graph in the language of Graphviz.
func (g *Graph) DOT() string {
	quote := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)
	styles := map[boxKind]string{
		operation: `style="rounded"`, parameter: `style="filled" fillcolor="#dff3e4"`,
		constant: `style="filled" fillcolor="#eceff3"`, omitted: `style="dashed"`,
	}
	var s strings.Builder
	s.WriteString("digraph {\n\tnode [shape=box fontname=\"Helvetica\"]\n")
	ids := map[*box]int{}
	for i, b := range g.sorted() {
		ids[b] = i
		fmt.Fprintf(&s, "\tn%d [label=\"%s\" %s]\n", i, quote.Replace(strings.TrimSuffix(b.label()+"\n"+b.shape, "\n")), styles[b.kind])
		for _, in := range b.inputs {
			fmt.Fprintf(&s, "\tn%d -> n%d\n", ids[in], i)
		}
	}
	s.WriteString("}\n")
	return s.String()
}
