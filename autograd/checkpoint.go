package autograd

import (
	"fmt"
	"slices"
)

// Checkpoint returns f(inputs), of which the graph keeps the inputs and nothing
// else: the backward pass calls f again for what it needs. So a chain of n layers
// can be trained with the memory of one layer and n results, for one more forward
// pass (Chen et al., "Training Deep Nets with Sublinear Memory Cost", arXiv
// 1604.06174).
//
// f must compute the same again when it is called again: keys of random numbers are
// values, so a dropout drops the same. It is given the inputs in a scope of their
// own, and may use parameters besides; it panics if f's result depends on the result
// of another operation from outside that requires gradients, which should be an
// input. Gradients are those of f itself, to any order; where an input or a
// parameter is also used elsewhere its gradients may be added in another order. With
// a nil scope, Checkpoint calls f and no more.
func (s *Scope) Checkpoint(f func(in ...*Tensor) *Tensor, inputs ...*Tensor) *Tensor {
	if s == nil || s.noGrad {
		return s.Frame(func() *Tensor { return f(inputs...) })
	}
	for _, x := range inputs {
		s = innermost(s, x.scope, inputs...)
	}
	inner := s.Sub()
	args := make([]*Tensor, len(inputs))
	for i, x := range inputs {
		args[i] = inner.start(x, x.RequiresGrad())
	}
	result := f(args...)
	r := &region{scope: inner, args: args, seen: map[*node]bool{}}
	r.explore(result)
	y := s.adopt(inner, result)
	for n := range r.seen {
		n.free()
	}
	inner.Reset()
	all := append(slices.Clone(inputs), r.leaves...)
	Apply(&checkpointRule{f, len(inputs)}, []*Tensor{y}, all, all)
	return y
}

type checkpointRule struct {
	f      func(in ...*Tensor) *Tensor
	inputs int // how many of the node's inputs are f's; the rest are parameters
}

func (*checkpointRule) Name() string { return "checkpoint" }

func (r *checkpointRule) Backward(c *Call, grads []*Tensor) []*Tensor {
	var outer *Scope
	for _, t := range append(slices.Clone(c.Saved), grads...) {
		outer = innermost(outer, t.scope, t)
	}
	scope := outer
	if !c.graph {
		scope = outer.Sub()
	}
	p := &pass{createGraph: c.graph, inner: true, stop: map[*node]bool{}}
	args := make([]*Tensor, r.inputs)
	var wanted []*Tensor
	for i, x := range c.Saved {
		if i < r.inputs {
			args[i] = scope.start(x, c.Needs[i] || c.graph && x.RequiresGrad())
			p.stop[args[i].node] = true
			x = args[i]
		} else {
			x = c.Inputs[i]
		}
		if c.Needs[i] {
			wanted = append(wanted, x)
		}
	}
	y := r.f(args...)
	found := make([]*Tensor, len(wanted))
	if y.RequiresGrad() {
		found = p.grad([]*Tensor{y}, wanted, grads)
	}
	result := make([]*Tensor, len(c.Inputs))
	for i := range result {
		if !c.Needs[i] {
			continue
		}
		if result[i] = found[0]; result[i] != nil && !c.graph {
			result[i] = outer.adopt(scope, result[i])
		}
		found = found[1:]
	}
	if !c.graph {
		scope.Reset()
	}
	return result
}

// start returns x in the scope, without its history or as the beginning of a graph.
func (s *Scope) start(x *Tensor, graph bool) *Tensor {
	a := x.Detach()
	if graph {
		a = alias(x)
	}
	a.scope = innermost(s, x.scope, x)
	return a
}

// adopt takes t, and its memory if that is inner's, out of inner and into s.
func (s *Scope) adopt(inner *Scope, t *Tensor) *Tensor {
	y := t.Detach()
	y.scope = s
	if st := t.store; st.scope == inner {
		inner.live = slices.DeleteFunc(inner.live, func(other *storage) bool { return other == st })
		s.live = append(s.live, st)
		st.scope = s
	}
	return y
}

// region is the graph that f has made between its arguments and its result.
type region struct {
	scope  *Scope
	args   []*Tensor
	seen   map[*node]bool
	leaves []*Tensor // parameters that it uses, as they were found
}

// explore finds the nodes and the leaves behind t.
func (r *region) explore(t *Tensor) {
	for stack := []*Tensor{t}; len(stack) > 0; {
		t := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		switch {
		case t.node == nil:
			if leaf := key(t); t.requires && !slices.Contains(r.leaves, leaf) {
				r.leaves = append(r.leaves, leaf)
			}
		case r.seen[t.node]:
		case slices.ContainsFunc(r.args, func(a *Tensor) bool { return a.node == t.node }):
		case t.scope != nil && !t.scope.inside(r.scope):
			panic(fmt.Sprintf("autograd: Checkpoint: the function uses %s, the result of %s outside it: make that an input", t.describe(), t.node.rule.Name()))
		default:
			r.seen[t.node] = true
			stack = append(stack, t.node.inputs...)
		}
	}
}

// inside reports whether s is outer or was made by its Sub.
func (s *Scope) inside(outer *Scope) bool {
	for ; s != nil; s = s.parent {
		if s == outer {
			return true
		}
	}
	return false
}
