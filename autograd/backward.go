package autograd

import (
	"fmt"
	"slices"

	"github.com/muppet-go/muppet/device"
)

// Backward computes the gradients of y, a tensor with one element, with respect to
// the leaves that require them (and the results that retain theirs), and adds them
// to grads. What the graph saved is released on the way.
func Backward(y *Tensor, grads *Gradients) { backward(y, grads.add) }

func backward(y *Tensor, leaf func(t, grad *Tensor, own bool)) {
	if y.size != 1 {
		panic(fmt.Sprintf("autograd: Backward of %s: want one element (Grad and VJP take the gradient of a result of more)", y.describe()))
	}
	if !y.RequiresGrad() {
		panic(fmt.Sprintf("autograd: Backward of %s, which does not depend on a tensor that requires gradients", y.describe()))
	}
	p := &pass{leaf: leaf}
	p.run([]*Tensor{y}, []*Tensor{onesLike(y)})
}

// Backward is the function Backward with the gradients kept in the tensors
// themselves, where the method Grad finds them: convenient, as long as one goroutine
// does it. They add up until ZeroGrad.
func (t *Tensor) Backward() {
	backward(t, func(leaf, g *Tensor, own bool) {
		if leaf.grad == nil {
			leaf.grad = &gradient{}
		}
		leaf.grad.add(leaf, g, own)
	})
}

// Grad returns t's gradient from calls of the method Backward, or nil.
func (t *Tensor) Grad() *Tensor { return key(t).grad.get() }

// ZeroGrad forgets the gradients that the method Backward collected for t.
func (t *Tensor) ZeroGrad() { key(t).grad = nil }

// Grad returns the gradients of Σ outputs·gradOutputs with respect to inputs, leaves
// or not; nil stands for one that does not depend on the input. Without
// gradOutputs every output must have one element. With createGraph the gradients
// can be differentiated again and the graph is kept; otherwise what it saved is
// released.
func Grad(outputs, inputs, gradOutputs []*Tensor, createGraph bool) []*Tensor {
	return (&pass{createGraph: createGraph}).grad(outputs, inputs, gradOutputs)
}

func (p *pass) grad(outputs, inputs, gradOutputs []*Tensor) []*Tensor {
	if gradOutputs == nil {
		for _, y := range outputs {
			if y.size != 1 {
				panic(fmt.Sprintf("autograd: Grad of %s without gradOutputs: want one element", y.describe()))
			}
			gradOutputs = append(gradOutputs, onesLike(y))
		}
	}
	if len(gradOutputs) != len(outputs) {
		panic(fmt.Sprintf("autograd: Grad: %d outputs, %d gradOutputs", len(outputs), len(gradOutputs)))
	}
	for i, y := range outputs {
		if !sameShape(y, gradOutputs[i]) {
			panic(fmt.Sprintf("autograd: Grad: gradient %s of output %s", gradOutputs[i].describe(), y.describe()))
		}
	}
	p.targets = map[edge]*Tensor{}
	for _, x := range inputs {
		if !x.RequiresGrad() {
			panic(fmt.Sprintf("autograd: Grad with respect to %s, which does not require gradients", x.describe()))
		}
		p.targets[edgeOf(x)] = nil
	}
	p.run(outputs, gradOutputs)
	result := make([]*Tensor, len(inputs))
	for i, x := range inputs {
		result[i] = p.targets[edgeOf(x)]
	}
	return result
}

// edge identifies a value in the graph: an output of a node, or a leaf.
type edge struct {
	node  *node
	index int
	leaf  *Tensor
}

func edgeOf(t *Tensor) edge {
	if t.node != nil {
		return edge{node: t.node, index: int(t.index)}
	}
	return edge{leaf: key(t)}
}

// key returns the leaf that t stands for.
func key(t *Tensor) *Tensor {
	if t.origin != nil {
		return t.origin
	}
	return t
}

// A pass is one walk from outputs back through the graph.
type pass struct {
	createGraph bool                            // the gradients get a graph of their own
	keep        bool                            // what the graph saved is not released
	stop        map[*node]bool                  // the walk ends at these aliases: see compose
	targets     map[edge]*Tensor                // gradients asked for by Grad
	leaf        func(t, grad *Tensor, own bool) // where Backward's gradients go
	scope       *Scope                          // of all gradients: the outputs' innermost
	visits      map[*node]*visit
	spare       []visit // to be used
	call        Call    // of the rule that runs

	inner   bool                // a part of another pass, which will run the leaves' hooks
	waits   []*Tensor           // leaves with hooks, as they were reached
	waiting map[*Tensor]*Tensor // their gradients so far
}

// visit is what a pass knows of a node.
type visit struct {
	node   *node
	next   int       // the input that the search for the order looks at next
	needed bool      // leads to something asked for
	grads  []*Tensor // for each output the sum of what has arrived so far
	own    []bool    // the sum's memory is nobody else's and may be added to in place

	room struct { // for the usual number of outputs
		grads [1]*Tensor
		own   [1]bool
	}
}

func (p *pass) run(outputs, gradOutputs []*Tensor) {
	for _, y := range outputs {
		p.scope = innermost(p.scope, y.scope, outputs...)
	}
	order := p.order(outputs)
	for i, y := range outputs {
		g := gradOutputs[i]
		if !p.createGraph {
			g = g.Detach()
		}
		p.arrive(y, p.scope.Of(g), false)
	}
	for i := len(order) - 1; i >= 0; i-- {
		p.visit(order[i])
	}
	p.deliver()
	for _, g := range p.targets {
		if g != nil {
			g.store.settle()
		}
	}
}

// found sets the gradient of a target.
func (p *pass) found(e edge, g *Tensor) {
	g.store.hold()
	if old := p.targets[e]; old != nil {
		old.store.release()
	}
	p.targets[e] = g
}

// order sorts the needed nodes behind outputs topologically, inputs before results.
// The order depends on the graph alone, and with it the order in which gradients
// are added.
func (p *pass) order(outputs []*Tensor) []*visit {
	p.visits = map[*node]*visit{}
	order, stack := make([]*visit, 0, 32), make([]*visit, 0, 32)
	push := func(t *Tensor) {
		if t.node == nil || p.visits[t.node] != nil {
			return
		}
		if len(p.spare) == 0 {
			p.spare = make([]visit, min(max(len(p.visits), 4), 64))
		}
		v := &p.spare[0]
		p.spare = p.spare[1:]
		v.node = t.node
		p.visits[t.node] = v
		stack = append(stack, v)
	}
	for _, y := range outputs {
		push(y)
		for len(stack) > 0 {
			v := stack[len(stack)-1]
			end := p.ends(v.node)
			if v.next < len(v.node.inputs) && !end {
				v.next++
				push(v.node.inputs[v.next-1])
				continue
			}
			v.needed = p.isTarget(v.node)
			for i := 0; i < len(v.node.inputs) && !v.needed && !end; i++ {
				v.needed = p.wants(v.node.inputs[i])
			}
			if v.needed {
				order = append(order, v)
			}
			stack = stack[:len(stack)-1]
		}
	}
	return order
}

// ends reports whether the walk does not go on behind n.
func (p *pass) ends(n *node) bool { return p.stop[n] }

// isTarget reports whether an output of n is asked for by Grad.
func (p *pass) isTarget(n *node) bool {
	if p.targets == nil {
		return false
	}
	for i := 0; i < n.outputs; i++ {
		if _, ok := p.targets[edge{node: n, index: i}]; ok {
			return true
		}
	}
	return false
}

// wants reports whether t's gradient leads to something asked for.
func (p *pass) wants(t *Tensor) bool {
	if t.node != nil {
		v := p.visits[t.node]
		return v != nil && v.needed
	}
	if p.targets == nil {
		return t.requires
	}
	_, ok := p.targets[edgeOf(t)]
	return ok
}

// arrive adds g to the gradient of t. With own, g's memory is nobody else's.
func (p *pass) arrive(t, g *Tensor, own bool) {
	if !p.wants(t) {
		return
	}
	if !sameShape(t, g) {
		name := "leaf"
		if t.node != nil {
			name = t.node.rule.Name()
		}
		panic(fmt.Sprintf("autograd: gradient %s arrived at %s of %s", g.describe(), t.describe(), name))
	}
	if t.node == nil {
		if len(key(t).hooks) > 0 && !p.inner {
			p.wait(key(t), g)
			return
		}
		if p.targets == nil {
			p.leaf(key(t), g, own)
			return
		}
		e := edgeOf(t)
		if old := p.targets[e]; old != nil {
			g = Sum(old, g)
		}
		p.found(e, g)
		return
	}
	v, i := p.visits[t.node], int(t.index)
	if v.grads == nil {
		v.grads = append(v.room.grads[:0], make([]*Tensor, t.node.outputs)...)
		v.own = append(v.room.own[:0], make([]bool, t.node.outputs)...)
	}
	switch old := v.grads[i]; {
	case old == nil:
		g.store.hold()
		v.grads[i], v.own[i] = g, own
	case v.own[i] && !p.createGraph:
		addInto(old, g)
	default:
		sum := Sum(old, g)
		sum.store.hold()
		old.store.release()
		v.grads[i], v.own[i] = sum, true
	}
}

// visit runs the rule of a node on the gradients that have arrived and sends the
// results on.
func (p *pass) visit(v *visit) {
	if v.grads == nil {
		return // nothing reached it
	}
	n := v.node
	for i, g := range v.grads {
		if g == nil {
			continue
		}
		if hooks := n.hooks[i]; len(hooks) > 0 {
			g = p.hooked(hooks, g)
			v.grads[i] = g
		}
		if t := n.retain[i]; t != nil && p.leaf != nil {
			p.leaf(t, g, false)
		}
		if e := (edge{node: n, index: i}); p.targets != nil {
			if _, ok := p.targets[e]; ok {
				p.found(e, g)
			}
		}
	}
	if !p.ends(n) && slices.ContainsFunc(n.inputs, p.wants) {
		p.propagate(v)
	}
	for _, g := range v.grads {
		if g != nil {
			g.store.release()
		}
	}
	clear(v.grads)
	v.grads = nil
}

func (p *pass) propagate(v *visit) {
	mark := p.scope.mark()
	results := p.scope.tracing().backward(v.node, v.grads, func() []*Tensor { return p.differentiate(v.node, v.grads) })
	if v.node.site != "" {
		v.node.checkBackward(results, v.grads)
	}
	for i, g := range results {
		if g != nil {
			p.arrive(v.node.inputs[i], g, p.madeFor(i, results, mark))
		}
	}
	if p.createGraph { // what was made is part of the new graph
		return
	}
	if !p.keep {
		v.node.free()
	}
	p.scope.endFrame(mark)
}

// madeFor reports whether result i of a rule is new memory that no other result
// shares: made since mark.
func (p *pass) madeFor(i int, results []*Tensor, mark int) bool {
	st := results[i].store
	if p.scope == nil || st.scope != p.scope {
		return false
	}
	for j, t := range results {
		if j != i && t != nil && t.store == st {
			return false
		}
	}
	return slices.Contains(p.scope.live[mark:], st)
}

// differentiate returns the gradients of n's inputs.
func (p *pass) differentiate(n *node, grads []*Tensor) []*Tensor {
	c := &p.call
	c.prepare(n, p.createGraph)
	for _, t := range n.inputs {
		c.Needs = append(c.Needs, p.wants(t))
	}
	if rule, ok := n.rule.(Composite); ok && p.createGraph {
		return compose(rule, c, grads)
	}
	d := n.rule.Backward(c, grads)
	if len(d) != len(n.inputs) {
		panic(fmt.Sprintf("autograd: %s: rule returned %d gradients for %d inputs", n.rule.Name(), len(d), len(n.inputs)))
	}
	return d
}

// compose differentiates a fused operation through its composite. The composite
// runs on aliases of the inputs and the pass stops there: an input that depends on
// another would otherwise be followed here, and again by the pass itself.
func compose(rule Composite, c *Call, grads []*Tensor) []*Tensor {
	inputs := make([]*Tensor, len(c.Inputs))
	stop := map[*node]bool{}
	var wanted []*Tensor
	for i, t := range c.Inputs {
		inputs[i] = t
		if t.RequiresGrad() {
			inputs[i] = alias(t)
			stop[inputs[i].node] = true
		}
		if c.Needs[i] {
			wanted = append(wanted, inputs[i])
		}
	}
	outputs := rule.Compose(c, inputs)
	var ys, gs []*Tensor
	for i, g := range grads {
		if g != nil {
			ys, gs = append(ys, outputs[i]), append(gs, g)
		}
	}
	found := (&pass{createGraph: true, stop: stop}).grad(ys, wanted, gs)
	result := make([]*Tensor, len(inputs))
	next := 0
	for i := range inputs {
		if c.Needs[i] {
			result[i] = found[next]
			next++
		}
	}
	return result
}

func onesLike(y *Tensor) *Tensor {
	g := Make(y.DType(), y.shape, y)
	g.store.dev.Fill(g.Slice(), 1)
	return g
}

func sameShape(a, b *Tensor) bool {
	if len(a.shape) != len(b.shape) || a.DType() != b.DType() {
		return false
	}
	for i, d := range a.shape {
		if b.shape[i] != d {
			return false
		}
	}
	return true
}

var addProgram = device.NewProgram("sum", 2, func(b *device.Builder, in ...device.Value) []device.Value {
	return []device.Value{b.Add(in[0], in[1])}
})

// Sum returns the sum of two tensors of the same shape and type: the one operation
// the engine needs itself, because a tensor used twice has the sum of two gradients.
func Sum(a, b *Tensor) *Tensor {
	if !sameShape(a, b) {
		panic(fmt.Sprintf("autograd: Sum of %s and %s", a.describe(), b.describe()))
	}
	y := Make(a.DType(), a.shape, a, b)
	add(y, a, b)
	Apply(sumRule{}, []*Tensor{y}, []*Tensor{a, b}, nil)
	return y
}

type sumRule struct{}

func (sumRule) Name() string                            { return "sum" }
func (sumRule) Backward(_ *Call, g []*Tensor) []*Tensor { return []*Tensor{g[0], g[0]} }

func add(y, a, b *Tensor) {
	var call struct { // one object
		device.Args
		in  [2]device.Operand
		out [1]device.Slice
	}
	call.Rows, call.Cols = 1, y.size
	call.in[0].Slice, call.in[1].Slice, call.out[0] = a.Slice(), b.Slice(), y.Slice()
	call.In, call.Out = call.in[:], call.out[:]
	y.store.dev.Pointwise(addProgram, &call.Args)
}

func addInto(sum, g *Tensor) { add(sum, sum, g) }
