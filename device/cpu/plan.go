package cpu

import (
	"runtime"
	"slices"
	"sync"
	"weak"

	"github.com/muppet-go/muppet/device"
)

// A plan is a program compiled for operands of certain extents. It is the same
// for all element types and shapes.
//
// Its steps work on slots: places that hold the values of one block. Values that
// are the same for all elements are constants: they are computed once, by the
// prologue, as numbers.
type plan struct {
	layout
	code     []device.Instr // of the program, with what recognise found in it
	scalars  int            // numbers that the prologue needs
	prologue []step         // its slots are numbers
	steps    []step
	slots    []slot
	private  int // slots that need memory of their own in each goroutine
	common   int // slots that may need memory which all goroutines share
}

// A layout is what a plan depends on besides the program. Inputs that are not
// used have ScalarExtent.
type layout struct {
	extents []device.Extent // of inputs
	aliases []uint64        // of outputs: the set of inputs that are the same slice
}

// A step is one call of a kernel.
type step struct {
	op      device.Op
	dst     int
	operand [3]int // slots
	number  int    // of the constant operand of opAddScalar, opMulScalar and opFill
	key     int    // of OpUniform
}

// Operations that programs do not have.
const (
	opMulAdd    = device.NumOps + iota // a·b + c, rounded once
	opAddScalar                        // a + number
	opMulScalar                        // a · number
	opFill                             // number
	opCopy                             // a
)

// A slot says where the values of a block are.
type slot struct {
	kind  slotKind
	index int // of the input, output or number
}

type slotKind uint8

const (
	inputSlot    slotKind = iota // in place
	outputSlot                   // in place
	rowSlot                      // the same input for all rows
	columnSlot                   // one input a row, spread over it
	constantSlot                 // a number, spread over a block
	registerSlot                 // working memory
)

// plans holds the plans of every program that is still in use.
var plans sync.Map // weak.Pointer[device.Program] → *planList

type planList struct {
	sync.Mutex
	plans []*plan
}

// planFor returns the plan of p for a layout, which the caller may change later.
func planFor(p *device.Program, l layout) *plan {
	key := weak.Make(p)
	found, ok := plans.Load(key)
	if !ok {
		var existed bool
		if found, existed = plans.LoadOrStore(key, &planList{}); !existed {
			runtime.AddCleanup(p, func(key weak.Pointer[device.Program]) { plans.Delete(key) }, key)
		}
	}
	list := found.(*planList)
	list.Lock()
	defer list.Unlock()
	for _, q := range list.plans {
		if slices.Equal(q.extents, l.extents) && slices.Equal(q.aliases, l.aliases) {
			return q
		}
	}
	q := compile(p, layout{slices.Clone(l.extents), slices.Clone(l.aliases)})
	list.plans = append(list.plans, q)
	return q
}

// A compiler makes a plan in four passes: which values are constants, which
// products are fused with a sum, when each value is used last, and where it is.
type compiler struct {
	*plan
	outputs  []device.Value
	operands [][]device.Value // of each instruction, after fusing
	constant []bool
	fused    []bool // into the instruction that uses it, or not needed
	last     []int  // instruction that uses a value last; len(code) for the end of the block
	slot     []int  // of each value, -1 for none yet
	free     []int  // registers
	negated  map[device.Value]int
}

func compile(p *device.Program, l layout) *plan {
	n := len(p.Code())
	c := &compiler{
		plan:     &plan{layout: l, code: recognise(p), scalars: n},
		outputs:  p.Outputs(),
		operands: make([][]device.Value, n),
		fused:    make([]bool, n),
		slot:     slices.Repeat([]int{-1}, n),
		negated:  map[device.Value]int{},
	}
	for v, in := range c.code {
		c.operands[v] = []device.Value{in.A, in.B, in.C}[:arity(in.Op)]
	}
	c.prune()
	c.fuse()
	c.constant = c.constants(func(i int) bool { return c.extents[i] == device.ScalarExtent })
	c.liveness()
	c.emit()
	return c.plan
}

// constants finds the values that depend on nothing but numbers.
func (c *compiler) constants(input func(i int) bool) []bool {
	constant := make([]bool, len(c.code))
	for v, in := range c.code {
		switch in.Op {
		case device.OpConst, device.OpParam:
			constant[v] = true
		case device.OpInput:
			constant[v] = input(in.Index)
		case device.OpUniform:
		default:
			constant[v] = !slices.ContainsFunc(c.operands[v], func(x device.Value) bool { return !constant[x] })
		}
	}
	return constant
}

// prune leaves out what recognise has made superfluous.
func (c *compiler) prune() {
	needed := make([]bool, len(c.code))
	for _, v := range c.outputs {
		needed[v] = true
	}
	for v := len(c.code) - 1; v >= 0; v-- {
		if !needed[v] {
			c.operands[v], c.fused[v] = nil, true
		}
		for _, x := range c.operands[v] {
			needed[x] = true
		}
	}
}

// fuse finds the products that are used once, by a sum. It looks at the program
// alone, so that an element has the same bits whatever the shapes.
func (c *compiler) fuse() {
	uses := make([]int, len(c.code))
	for _, operands := range c.operands {
		for _, x := range operands {
			uses[x]++
		}
	}
	for _, v := range c.outputs {
		uses[v]++
	}
	constant := c.constants(func(int) bool { return false })
	for v, in := range c.code {
		if in.Op != device.OpAdd || c.fused[v] {
			continue
		}
		for i, x := range c.operands[v] {
			if c.code[x].Op == device.OpMul && uses[x] == 1 && !constant[x] {
				factors, other := c.operands[x], c.operands[v][1-i]
				c.operands[v] = []device.Value{factors[0], factors[1], other}
				c.fused[x] = true
				break
			}
		}
	}
}

// op returns the operation of an instruction after fusing.
func (c *compiler) op(v device.Value) device.Op {
	if c.code[v].Op == device.OpAdd && len(c.operands[v]) == 3 {
		return opMulAdd
	}
	return c.code[v].Op
}

func (c *compiler) liveness() {
	c.last = make([]int, len(c.code))
	for v, operands := range c.operands {
		c.last[v] = v
		if !c.fused[v] {
			for _, x := range operands {
				c.last[x] = v
			}
		}
	}
	for j, v := range c.outputs {
		if c.direct(j) != v {
			c.last[v] = len(c.code)
		}
	}
}

// direct returns the value that is computed right into output j, or -1 if the
// output is copied at the end of each block.
func (c *compiler) direct(j int) device.Value {
	v := c.outputs[j]
	if c.code[v].Op == device.OpInput || c.constant[v] || slices.Index(c.outputs, v) != j {
		return -1
	}
	// Where the output is also an input, nothing may read that afterwards.
	for u := range c.code {
		if u > int(v) && !c.fused[u] && slices.ContainsFunc(c.operands[u], func(x device.Value) bool { return c.overwrites(j, x) }) {
			return -1
		}
	}
	if slices.ContainsFunc(c.outputs, func(x device.Value) bool { return c.overwrites(j, x) }) {
		return -1
	}
	return v
}

// overwrites reports whether writing output j destroys value x.
func (c *compiler) overwrites(j int, x device.Value) bool {
	in := c.code[x]
	return in.Op == device.OpInput && c.aliases[j]>>in.Index&1 == 1
}

func (c *compiler) addSlot(s slot) int {
	c.slots = append(c.slots, s)
	switch s.kind {
	case registerSlot, columnSlot:
		c.private++
	case constantSlot, rowSlot:
		c.common++
	}
	return len(c.slots) - 1
}

// at returns the slot of an operand.
func (c *compiler) at(v device.Value) int {
	if c.slot[v] < 0 { // constants and inputs get theirs when they are first needed
		in := c.code[v]
		switch {
		case c.constant[v]:
			c.slot[v] = c.addSlot(slot{constantSlot, int(v)})
		default:
			kind := [...]slotKind{device.FullExtent: inputSlot, device.RowExtent: rowSlot, device.ColumnExtent: columnSlot}[c.extents[in.Index]]
			c.slot[v] = c.addSlot(slot{kind, in.Index})
		}
	}
	return c.slot[v]
}

// register returns a register that is free.
func (c *compiler) register() int {
	if n := len(c.free); n > 0 {
		r := c.free[n-1]
		c.free = c.free[:n-1]
		return r
	}
	return c.addSlot(slot{kind: registerSlot})
}

// release frees the registers of values that are used last at instruction v.
func (c *compiler) release(v int) {
	seen := c.operands[v]
	for i, x := range seen {
		if s := c.slot[x]; s >= 0 && c.slots[s].kind == registerSlot && c.last[x] == v && !slices.Contains(seen[:i], x) {
			c.free = append(c.free, s)
		}
	}
}

func (c *compiler) emit() {
	destination := make([]int, len(c.code)) // slot of the output that a value is computed into, -1 for none
	for v := range destination {
		destination[v] = -1
	}
	for j := range c.outputs {
		if v := c.direct(j); v >= 0 {
			destination[v] = c.addSlot(slot{outputSlot, j})
		}
	}
	for i, in := range c.code {
		v := device.Value(i)
		switch {
		case c.fused[i] || in.Op == device.OpInput || in.Op == device.OpConst || in.Op == device.OpParam:
		case c.constant[i]:
			s := step{op: c.op(v), dst: i}
			for j, x := range c.operands[i] {
				s.operand[j] = int(x)
			}
			c.prologue = append(c.prologue, s)
		default:
			s := c.kernel(v)
			c.release(i)
			if s.dst = destination[i]; s.dst < 0 {
				s.dst = c.register()
			}
			c.slot[i] = s.dst
			c.steps = append(c.steps, s)
		}
	}
	c.emitCopies()
}

// kernel returns the step of an instruction, but for its destination.
func (c *compiler) kernel(v device.Value) step {
	x := c.operands[v]
	s := step{op: c.op(v), key: c.code[v].Index}
	switch {
	case s.op == device.OpAdd && c.constant[x[0]]:
		s.op, s.operand[0], s.number = opAddScalar, c.at(x[1]), int(x[0])
	case s.op == device.OpAdd && c.constant[x[1]]:
		s.op, s.operand[0], s.number = opAddScalar, c.at(x[0]), int(x[1])
	case s.op == device.OpSub && c.constant[x[1]]:
		s.op, s.operand[0], s.number = opAddScalar, c.at(x[0]), c.negative(x[1])
	case s.op == device.OpMul && c.constant[x[0]]:
		s.op, s.operand[0], s.number = opMulScalar, c.at(x[1]), int(x[0])
	case s.op == device.OpMul && c.constant[x[1]]:
		s.op, s.operand[0], s.number = opMulScalar, c.at(x[0]), int(x[1])
	default:
		for i, operand := range x {
			s.operand[i] = c.at(operand)
		}
	}
	return s
}

// negative returns the number that is minus a constant.
func (c *compiler) negative(v device.Value) int {
	number, ok := c.negated[v]
	if !ok {
		number = c.scalars
		c.scalars++
		c.negated[v] = number
		c.prologue = append(c.prologue, step{op: device.OpNeg, dst: number, operand: [3]int{int(v)}})
	}
	return number
}

// emitCopies writes the outputs that no step has written: values that are inputs
// or constants, a value that is several outputs, and outputs that are the memory
// of inputs still needed.
func (c *compiler) emitCopies() {
	var copies []step
	for j, v := range c.outputs {
		if c.direct(j) >= 0 || c.overwrites(j, v) { // written, or the same memory
			continue
		}
		s := step{op: opFill, dst: c.addSlot(slot{outputSlot, j}), number: int(v)}
		if !c.constant[v] {
			s.op, s.operand[0] = opCopy, c.at(v)
			for other := range c.outputs {
				if other != j && c.overwrites(other, v) { // before this copy, perhaps
					saved := c.register()
					c.steps = append(c.steps, step{op: opCopy, dst: saved, operand: s.operand})
					s.operand[0] = saved
					break
				}
			}
		}
		copies = append(copies, s)
	}
	c.steps = append(c.steps, copies...)
}
