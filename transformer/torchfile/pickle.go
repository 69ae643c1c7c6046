package torchfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Values on the machine's stack are nil, bool, int64, float64, string and the types below, with storage, tensor and
// the functions of tensor.go.
type (
	tuple []any
	list  struct{ items []any }
	// A dict keeps its keys as they come. Nothing is looked up while the program runs, so that a hostile one
	// cannot make the machine compare long keys over and over.
	dict struct{ keys, values []any }
	// A function stands for what a name means; it is called by REDUCE.
	function func(args tuple) (any, error)
)

// What torch.save writes stays far below these.
const (
	maxStack  = 1 << 16
	maxMemo   = 1 << 20
	maxString = 1 << 12 // bytes
)

// A machine runs a pickle. Each instruction takes at least a byte of the program and adds at most one value, so that
// memory is bounded by a multiple of the program's length, as time is.
type machine struct {
	code  []byte
	at    int
	stack []any
	marks []int // heights of the stack
	memo  map[uint32]any
	// global returns what a name means, persistent what the identity of a storage means.
	global     func(name string) (any, error)
	persistent func(id tuple) (any, error)
}

// run returns what the program leaves behind.
func (m *machine) run() (any, error) {
	m.memo = map[uint32]any{}
	for {
		at := m.at
		op, err := m.take(1)
		if err != nil {
			return nil, fmt.Errorf("byte %d: %w", at, err)
		}
		if op[0] == '.' { // STOP
			if len(m.stack) != 1 || len(m.marks) != 0 || m.at != len(m.code) {
				return nil, fmt.Errorf("byte %d: %d values and %d marks at the end, %d bytes after it", at, len(m.stack), len(m.marks), len(m.code)-m.at)
			}
			return m.stack[0], nil
		}
		if err := m.step(op[0]); err != nil {
			return nil, fmt.Errorf("byte %d: %w", at, err)
		}
		if len(m.stack) > maxStack || len(m.marks) > maxStack || len(m.memo) > maxMemo {
			return nil, fmt.Errorf("byte %d: more than %d values on the stack or %d in the memo", at, maxStack, maxMemo)
		}
	}
}

// step runs one instruction. Their names are those of pickletools.
func (m *machine) step(op byte) error {
	switch op {
	case 0x80: // PROTO
		version, err := m.uint(1)
		if err == nil && (version < 2 || version > 5) {
			err = fmt.Errorf("pickle protocol %d: want 2 to 5", version)
		}
		return err
	case 0x95: // FRAME, which only tells how much to read ahead
		_, err := m.uint(8)
		return err

	case 'N': // NONE
		m.push(nil)
	case 0x88, 0x89: // NEWTRUE, NEWFALSE
		m.push(op == 0x88)
	case 'K', 'M': // BININT1, BININT2
		n, err := m.uint(int(op-'K')/2 + 1)
		m.push(int64(n))
		return err
	case 'J': // BININT
		n, err := m.uint(4)
		m.push(int64(int32(n)))
		return err
	case 0x8a: // LONG1
		return m.long()
	case 'G': // BINFLOAT, big-endian
		b, err := m.take(8)
		if err != nil {
			return err
		}
		m.push(math.Float64frombits(binary.BigEndian.Uint64(b)))
	case 0x8c: // SHORT_BINUNICODE
		return m.string(1)
	case 'X': // BINUNICODE
		return m.string(4)
	case 0x8d: // BINUNICODE8
		return m.string(8)

	case 'q': // BINPUT
		return m.put(m.uint(1))
	case 'r': // LONG_BINPUT
		return m.put(m.uint(4))
	case 0x94: // MEMOIZE
		return m.put(uint64(len(m.memo)), nil)
	case 'h': // BINGET
		return m.get(m.uint(1))
	case 'j': // LONG_BINGET
		return m.get(m.uint(4))

	case '(': // MARK
		m.marks = append(m.marks, len(m.stack))
	case ')': // EMPTY_TUPLE
		m.push(tuple{})
	case 0x85, 0x86, 0x87: // TUPLE1, TUPLE2, TUPLE3
		items, err := m.pop(int(op) - 0x84)
		m.push(tuple(items))
		return err
	case 't': // TUPLE
		items, err := m.popMark()
		m.push(tuple(items))
		return err
	case ']': // EMPTY_LIST
		m.push(&list{})
	case 'a': // APPEND
		items, err := m.pop(1)
		return m.extend(items, err)
	case 'e': // APPENDS
		return m.extend(m.popMark())
	case '}': // EMPTY_DICT
		m.push(&dict{})
	case 's': // SETITEM
		items, err := m.pop(2)
		return m.set(items, err)
	case 'u': // SETITEMS
		return m.set(m.popMark())

	case 'c': // GLOBAL
		module, err := m.line()
		if err != nil {
			return err
		}
		name, err := m.line()
		if err != nil {
			return err
		}
		return m.name(module, name)
	case 0x93: // STACK_GLOBAL
		items, err := m.pop(2)
		if err != nil {
			return err
		}
		module, ok1 := items[0].(string)
		name, ok2 := items[1].(string)
		if !ok1 || !ok2 {
			return fmt.Errorf("STACK_GLOBAL of %T and %T: want strings", items[0], items[1])
		}
		return m.name(module, name)
	case 'Q': // BINPERSID
		items, err := m.pop(1)
		if err != nil {
			return err
		}
		id, ok := items[0].(tuple)
		if !ok {
			return fmt.Errorf("BINPERSID of %T: want a tuple", items[0])
		}
		v, err := m.persistent(id)
		m.push(v)
		return err
	case 'R': // REDUCE
		items, err := m.pop(2)
		if err != nil {
			return err
		}
		call, ok1 := items[0].(function)
		args, ok2 := items[1].(tuple)
		if !ok1 || !ok2 {
			return fmt.Errorf("REDUCE of %T and %T: want a function and a tuple", items[0], items[1])
		}
		v, err := call(args)
		m.push(v)
		return err
	case 'b': // BUILD, by which an OrderedDict has attributes: a state dict's _metadata, which is not needed
		items, err := m.pop(1)
		if err != nil {
			return err
		}
		if _, ok := m.top().(*dict); !ok {
			return fmt.Errorf("BUILD of %T: want a dictionary", m.top())
		}
		if _, ok := items[0].(*dict); !ok {
			return fmt.Errorf("BUILD with %T: want a dictionary", items[0])
		}
	default:
		return fmt.Errorf("instruction %#02x is refused: a state dict has no use for it", op)
	}
	return nil
}

var errEnds = errors.New("the pickle ends early")

// take returns the next n bytes of the program.
func (m *machine) take(n uint64) ([]byte, error) {
	if n > uint64(len(m.code)-m.at) {
		return nil, errEnds
	}
	b := m.code[m.at : m.at+int(n)]
	m.at += int(n)
	return b, nil
}

// uint reads an unsigned little-endian integer of n bytes.
func (m *machine) uint(n int) (uint64, error) {
	b, err := m.take(uint64(n))
	var v uint64
	for i, x := range b {
		v |= uint64(x) << (8 * i)
	}
	return v, err
}

// long reads a signed integer of up to eight bytes, preceded by their number.
func (m *machine) long() error {
	n, err := m.uint(1)
	if err != nil {
		return err
	}
	if n > 8 {
		return fmt.Errorf("an integer of %d bytes: the limit is 8", n)
	}
	v, err := m.uint(int(n))
	unused := 64 - 8*n
	m.push(int64(v<<unused) >> unused) // extends the sign; a shift by 64 leaves 0
	return err
}

// string reads a string preceded by its length, in n bytes.
func (m *machine) string(n int) error {
	length, err := m.uint(n)
	if err != nil {
		return err
	}
	if length > maxString {
		return fmt.Errorf("a string of %d bytes: the limit is %d", length, maxString)
	}
	b, err := m.take(length)
	m.push(string(b))
	return err
}

// line reads up to the next newline.
func (m *machine) line() (string, error) {
	rest := m.code[m.at:]
	n := bytes.IndexByte(rest[:min(len(rest), maxString)], '\n')
	if n < 0 {
		return "", errors.New("a name without end")
	}
	m.at += n + 1
	return string(rest[:n]), nil
}

func (m *machine) name(module, name string) error {
	v, err := m.global(module + "." + name)
	m.push(v)
	return err
}

func (m *machine) push(v any) { m.stack = append(m.stack, v) }

// top returns the value on top of the stack, nil if there is none above the last mark.
func (m *machine) top() any {
	if len(m.stack) == m.floor() {
		return nil
	}
	return m.stack[len(m.stack)-1]
}

// floor is the height of the stack at the last mark, below which nothing is popped.
func (m *machine) floor() int {
	if len(m.marks) == 0 {
		return 0
	}
	return m.marks[len(m.marks)-1]
}

// pop takes n values off the stack.
func (m *machine) pop(n int) ([]any, error) {
	from := len(m.stack) - n
	if from < m.floor() {
		return nil, errors.New("the stack is empty")
	}
	items := append([]any(nil), m.stack[from:]...)
	m.stack = m.stack[:from]
	return items, nil
}

// popMark takes off all values above the last mark, and the mark.
func (m *machine) popMark() ([]any, error) {
	if len(m.marks) == 0 {
		return nil, errors.New("no mark on the stack")
	}
	items, err := m.pop(len(m.stack) - m.floor())
	m.marks = m.marks[:len(m.marks)-1]
	return items, err
}

func (m *machine) put(key uint64, err error) error {
	if err != nil {
		return err
	}
	if len(m.stack) == m.floor() {
		return errors.New("the stack is empty")
	}
	m.memo[uint32(key)] = m.top()
	return nil
}

func (m *machine) get(key uint64, err error) error {
	if err != nil {
		return err
	}
	v, ok := m.memo[uint32(key)]
	if !ok {
		return fmt.Errorf("nothing under %d in the memo", key)
	}
	m.push(v)
	return nil
}

func (m *machine) extend(items []any, err error) error {
	if err != nil {
		return err
	}
	l, ok := m.top().(*list)
	if !ok {
		return fmt.Errorf("APPEND to %T: want a list", m.top())
	}
	l.items = append(l.items, items...)
	return nil
}

func (m *machine) set(items []any, err error) error {
	if err != nil {
		return err
	}
	d, ok := m.top().(*dict)
	if !ok {
		return fmt.Errorf("SETITEM in %T: want a dictionary", m.top())
	}
	if len(items)%2 != 0 {
		return errors.New("SETITEMS of a key without value")
	}
	for i := 0; i < len(items); i += 2 {
		d.keys = append(d.keys, items[i])
		d.values = append(d.values, items[i+1])
	}
	return nil
}
