package autograd

import (
	"fmt"
	"slices"

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

// A Call is an operation as its rule sees it in the backward pass.
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
	// Callers may use their slices again.
	n := &node{rule: rule, inputs: slices.Clone(inputs), saved: slices.Clone(saved), versions: make([]uint64, len(saved)), outputs: len(outputs)}
	for i, t := range outputs {
		t.node, t.index = n, i
	}
	if s := outputs[0].scope; s != nil && s.anomaly {
		_, n.site = calls()
		checkForward(rule, outputs, inputs, n.site)
	}
	for i, t := range saved {
		n.versions[i] = t.store.version
		t.store.hold()
	}
}

// call checks that what the node saved is what it was, and returns it: with its
// history if the gradient is to have a graph.
func (n *node) call(withGraph bool) *Call {
	if n.used {
		panic(fmt.Sprintf("autograd: %s: backward through the same graph a second time; the first pass released what it had saved (use Grad with createGraph to keep it)", n.rule.Name()))
	}
	c := &Call{Inputs: n.inputs, Saved: make([]*Tensor, len(n.saved)), Needs: make([]bool, len(n.inputs)), graph: withGraph}
	for i, t := range n.saved {
		if t.store.version != n.versions[i] {
			panic(fmt.Sprintf("autograd: %s: saved %s was changed by Mutate between forward and backward (version %d, saved at %d)",
				n.rule.Name(), t.describe(), t.store.version, n.versions[i]))
		}
		if withGraph {
			c.Saved[i] = t
		} else {
			c.Saved[i] = t.Detach()
		}
	}
	return c
}

// free lets go of what the node saved.
func (n *node) free() {
	if len(n.saved) == 0 {
		return
	}
	for _, t := range n.saved {
		t.store.release()
	}
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
