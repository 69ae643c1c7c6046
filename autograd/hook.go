package autograd

import (
	"fmt"
	"slices"
)

// hook has an address, by which it can be removed.
type hook struct {
	call func(grad *Tensor) *Tensor
}

// RegisterHook has every backward pass call f with the gradient of t, a leaf that
// requires gradients or a result, once all of it has arrived and before it is used
// or stored. What f returns, of the same shape and type, takes its place; nil leaves
// it as it is. Hooks of a tensor run in the order they were registered. When the
// gradient is to have a graph (Grad with createGraph), it has one in f too. The
// returned function removes the hook. No pass may run on t meanwhile.
func (t *Tensor) RegisterHook(f func(grad *Tensor) *Tensor) (remove func()) {
	if !t.RequiresGrad() {
		panic(fmt.Sprintf("autograd: RegisterHook of %s, which does not require gradients", t.describe()))
	}
	h := &hook{f}
	isIt := func(other *hook) bool { return other == h }
	if t.node == nil {
		leaf := key(t)
		leaf.hooks = append(leaf.hooks, h)
		return func() { leaf.hooks = slices.DeleteFunc(leaf.hooks, isIt) }
	}
	n, i := t.node, int(t.index)
	if n.hooks == nil {
		n.hooks = map[int][]*hook{}
	}
	n.hooks[i] = append(n.hooks[i], h)
	return func() { n.hooks[i] = slices.DeleteFunc(n.hooks[i], isIt) }
}

// hooked passes the gradient g, which the pass holds, through hooks, and returns
// what the pass is to hold in its place.
func (p *pass) hooked(hooks []*hook, g *Tensor) *Tensor {
	mark := p.scope.mark()
	for _, h := range slices.Clone(hooks) {
		next := h.call(g)
		if next == nil {
			continue
		}
		if !sameShape(g, next) {
			panic(fmt.Sprintf("autograd: hook of gradient %s returned %s", g.describe(), next.describe()))
		}
		if !p.createGraph {
			next = next.Detach()
		}
		next.store.hold()
		g.store.release()
		g = p.scope.Of(next)
	}
	if !p.createGraph {
		p.scope.endFrame(mark)
	}
	return g
}

// wait keeps g, a gradient of a leaf with hooks, until all has arrived.
func (p *pass) wait(leaf, g *Tensor) {
	old := p.waiting[leaf]
	if old == nil {
		p.waits = append(p.waits, leaf)
	} else {
		g = Sum(old, g)
	}
	g.store.hold()
	if old != nil {
		old.store.release()
	}
	if p.waiting == nil {
		p.waiting = map[*Tensor]*Tensor{}
	}
	p.waiting[leaf] = g
}

// deliver runs the hooks of leaves and hands the gradients over.
func (p *pass) deliver() {
	for _, leaf := range p.waits {
		g := p.hooked(leaf.hooks, p.waiting[leaf])
		if p.targets == nil {
			p.leaf(leaf, g, false)
		} else {
			p.found(edge{leaf: leaf}, g)
		}
		g.store.release()
	}
}
