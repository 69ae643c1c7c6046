package autograd

import (
	"fmt"

	"github.com/muppet-go/muppet/device"
)

// A Rule is how an operation is differentiated. Rules hold the operation's
// settings (an axis, a scale); tensors they need are declared to Apply.
type Rule interface {
	// Name is the operation's, as in PyTorch: "matmul".
	Name() string
	// Backward returns the gradient of each input, given those of the outputs. A nil
	// gradient counts as zero, both ways; inputs for which c.Needs is false may be nil.
	// It is written with differentiable operations, or its rule is a Composite.
	Backward(c *Call, grads []*Tensor) []*Tensor
}

// A Composite is the rule of a fused operation: Backward calls fused code that
// cannot be differentiated. When the gradient needs a graph of its own, Compose
// runs the operation again out of differentiable ones, on inputs whose memory it may
// read only if the operation saved them.
type Composite interface {
	Rule
	Compose(c *Call, inputs []*Tensor) (outputs []*Tensor)
}

// A Call is an operation as its rule sees it in the backward pass. The slices are the
// rule's until it returns.
type Call struct {
	Inputs []*Tensor // for shapes and types: their memory may have gone back
	Saved  []*Tensor // what Apply was told to save
	Needs  []bool    // which inputs' gradients are wanted

	graph bool // the gradient gets a graph
}

// node is a recorded operation.
type node struct {
	rule     Rule
	inputs   []*Tensor
	saved    []*Tensor
	versions []uint64 // of saved, when they were
	used     bool     // saved was released by a backward pass
	outputs  int
	retain   map[int]*Tensor // outputs whose gradients are wanted, by index
	hooks    map[int][]*hook // by output
	site     string          // the program's line that called it, in a scope that detects anomalies

	room struct { // for what the slices above usually hold, so that a node is one object
		tensors  [8]*Tensor
		versions [5]uint64
	}
}

// Make returns a tensor for the result of an operation on the given inputs: on
// their device, in the innermost of their scopes, with arbitrary contents. It panics
// if the inputs are on different devices or in unrelated scopes.
func Make(dtype device.DType, shape []int, inputs ...*Tensor) *Tensor {
	dev := device.Default
	var scope *Scope
	for i, t := range inputs {
		if i > 0 && t.store.dev != inputs[0].store.dev {
			panic(fmt.Sprintf("autograd: %s: %s on different devices: %s and %s", operationName(), describeAll(inputs), inputs[0].store.dev.Name(), t.store.dev.Name()))
		}
		scope = innermost(scope, t.scope, inputs...)
	}
	if len(inputs) > 0 {
		return alloc(inputs[0].store.dev, scope, dtype, shape)
	}
	return alloc(dev(), scope, dtype, shape)
}

// Apply records that outputs were computed from inputs, if any input requires
// gradients. The rule will see saved (inputs, outputs or other tensors) and
// nothing else of the operation's values.
func Apply(rule Rule, outputs, inputs, saved []*Tensor) {
	record := false
	for _, t := range inputs {
		if t.scope != nil && t.scope.noGrad {
			return
		}
		record = record || t.RequiresGrad()
	}
	if !record {
		return
	}
	outputs[0].scope.tracing().forward(rule, outputs, inputs)
	n := &node{rule: rule, outputs: len(outputs)}
	tensors := append(append(n.room.tensors[:0], inputs...), saved...) // callers may use their slices again
	n.inputs, n.saved = tensors[:len(inputs):len(inputs)], tensors[len(inputs):]
	for i, t := range outputs {
		t.node, t.index = n, int32(i)
	}
	if s := outputs[0].scope; s != nil && s.anomaly {
		_, n.site = calls()
		checkForward(rule, outputs, inputs, n.site)
	}
	n.versions = n.room.versions[:0]
	for _, t := range saved {
		n.versions = append(n.versions, t.store.version)
		t.store.hold()
	}
}

// prepare makes c the call of n, after checking that what n saved is what it was. That
// has its history if the gradient is to have a graph.
func (c *Call) prepare(n *node, withGraph bool) {
	if n.used {
		panic(fmt.Sprintf("autograd: %s: backward through the same graph a second time; the first pass released what it had saved (use Grad with createGraph to keep it)", n.rule.Name()))
	}
	c.Inputs, c.Saved, c.Needs, c.graph = n.inputs, append(c.Saved[:0], n.saved...), c.Needs[:0], withGraph
	var bare []Tensor
	if !withGraph {
		bare = make([]Tensor, len(n.saved))
	}
	for i, t := range n.saved {
		if t.store.version != n.versions[i] {
			panic(fmt.Sprintf("autograd: %s: saved %s was changed by Mutate between forward and backward (version %d, saved at %d)",
				n.rule.Name(), t.describe(), t.store.version, n.versions[i]))
		}
		if !withGraph {
			bare[i] = Tensor{size: t.size, store: t.store, offset: t.offset, scope: t.scope}
			bare[i].setShape(t.shape)
			c.Saved[i] = &bare[i]
		}
	}
}

// free lets go of what the node saved.
func (n *node) free() {
	if len(n.saved) == 0 {
		return
	}
	for _, t := range n.saved {
		t.store.release()
	}
	clear(n.saved)
	n.saved, n.used = nil, true
}

// aliasRule is the identity: how an alias of a tensor leads back to it.
type aliasRule struct{}

func (aliasRule) Name() string                            { return "alias" }
func (aliasRule) Backward(_ *Call, g []*Tensor) []*Tensor { return g }

// alias returns a tensor with t's memory that is a node of its own.
func alias(t *Tensor) *Tensor {
	a := t.Detach()
	a.node = &node{rule: aliasRule{}, inputs: []*Tensor{t}, outputs: 1}
	return a
}
