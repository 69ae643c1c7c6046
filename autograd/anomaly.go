package autograd

import (
	"fmt"
	"math"
	"strings"
)

// DetectAnomaly makes every recorded operation on the scope's tensors look at its
// results, and every backward pass through them at its gradients, and returns the
// scope. An operation that makes a NaN or an infinity where its inputs have none
// panics with its name, the element, and the file and line that called it. That
// reads all results back from the device: it is for finding a fault, not for every
// run. Scopes made by Sub before are not affected. It panics for a nil scope.
func (s *Scope) DetectAnomaly() *Scope {
	if s == nil {
		panic("autograd: DetectAnomaly of a nil Scope; use NewScope().DetectAnomaly()")
	}
	s.anomaly = true
	return s
}

// checkForward looks at the outputs of a recorded operation.
func checkForward(rule Rule, outputs, inputs []*Tensor, site string) {
	for i, y := range outputs {
		at, v := anomalous(y, inputs)
		if at < 0 {
			continue
		}
		panic(fmt.Sprintf("autograd: anomaly: %s of %s made %v at element %v of result %d %s; called at %s",
			rule.Name(), describeAll(inputs), v, indices(at, y), i, y.describe(), site))
	}
	for i, x := range inputs {
		if at, v := anomalous(x, nil); at >= 0 && math.IsNaN(v) && x.node == nil {
			panic(fmt.Sprintf("autograd: anomaly: input %d %s of %s, not the result of a recorded operation, is NaN at element %v; called at %s",
				i, x.describe(), rule.Name(), indices(at, x), site))
		}
	}
}

// checkBackward looks at the gradients that a rule made of those that arrived.
func (n *node) checkBackward(results, grads []*Tensor) {
	for i, g := range results {
		if g == nil {
			continue
		}
		if at, v := anomalous(g, grads); at >= 0 {
			panic(fmt.Sprintf("autograd: anomaly: the backward pass of %s made %v at element %v of the gradient of input %d %s; called at %s",
				n.rule.Name(), v, indices(at, g), i, n.inputs[i].describe(), n.site))
		}
	}
}

// anomalous finds the first NaN in t, or else the first infinity, of a kind that none
// of the sources has; -1 if there is none.
func anomalous(t *Tensor, sources []*Tensor) (at int, v float64) {
	for _, isIt := range []func(float64) bool{math.IsNaN, func(v float64) bool { return math.IsInf(v, 0) }} {
		at, v = find(t, isIt)
		for _, s := range sources {
			if at >= 0 && s != nil {
				if had, _ := find(s, isIt); had >= 0 {
					at = -1
				}
			}
		}
		if at >= 0 {
			return at, v
		}
	}
	return -1, 0
}

// find returns the first element of t that isIt, or -1. An input whose memory has
// gone back, which some operations do not mind, has none.
func find(t *Tensor, isIt func(float64) bool) (at int, v float64) {
	if t.store.buf == nil || !t.DType().IsFloat() {
		return -1, 0
	}
	for i, v := range t.Float64s() {
		if isIt(v) {
			return i, v
		}
	}
	return -1, 0
}

func describeAll(ts []*Tensor) string {
	parts := make([]string, len(ts))
	for i, t := range ts {
		parts[i] = t.describe()
	}
	return strings.Join(parts, ", ")
}
