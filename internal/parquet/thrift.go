package parquet

import (
	"encoding/binary"
	"errors"
	"math"
)

// A record is a Thrift struct: its fields by number. Values are int64, float64, bool,
// []byte, []any and record.
type record []field

type field struct {
	id    int16
	value any
}

func (r record) get(id int16) any {
	for _, f := range r {
		if f.id == id {
			return f.value
		}
	}
	return nil
}

// number returns an integer field, or absent where there is none.
func (r record) number(id int16, absent int64) int64 {
	if n, ok := r.get(id).(int64); ok {
		return n
	}
	return absent
}

func (r record) text(id int16) string {
	b, _ := r.get(id).([]byte)
	return string(b)
}

func (r record) list(id int16) []any {
	l, _ := r.get(id).([]any)
	return l
}

func (r record) record(id int16) record {
	s, _ := r.get(id).(record)
	return s
}

var errThrift = errors.New("metadata is not valid Thrift")

// A thriftReader reads Thrift's compact protocol. Whatever a length says, no more is
// kept than there are bytes for.
type thriftReader struct {
	data []byte
	err  error
}

const maxDepth = 32 // of structs in structs, and of groups in a schema

func (t *thriftReader) fail() { t.data, t.err = nil, errThrift }

func (t *thriftReader) byte() byte {
	if len(t.data) == 0 {
		t.fail()
		return 0
	}
	b := t.data[0]
	t.data = t.data[1:]
	return b
}

func (t *thriftReader) uvarint() uint64 {
	v, n := binary.Uvarint(t.data)
	if n <= 0 {
		t.fail()
		return 0
	}
	t.data = t.data[n:]
	return v
}

func (t *thriftReader) varint() int64 {
	v := t.uvarint()
	return int64(v>>1) ^ -int64(v&1)
}

// length returns a number of things that take a byte each at least.
func (t *thriftReader) length() int {
	n := t.uvarint()
	if n > uint64(len(t.data)) {
		t.fail()
		return 0
	}
	return int(n)
}

// The types of the compact protocol.
const (
	thriftTrue   = 1
	thriftFalse  = 2
	thriftByte   = 3
	thriftI64    = 6 // 4 and 5 are shorter integers
	thriftDouble = 7
	thriftBinary = 8
	thriftList   = 9
	thriftSet    = 10
	thriftMap    = 11
	thriftStruct = 12
)

func (t *thriftReader) record(depth int) record {
	var r record
	id := int16(0)
	for t.err == nil {
		head := t.byte()
		if head == 0 {
			return r
		}
		if delta := head >> 4; delta != 0 {
			id += int16(delta)
		} else {
			id = int16(t.varint())
		}
		var value any
		switch kind := head & 15; kind {
		case thriftTrue, thriftFalse:
			value = kind == thriftTrue
		default:
			value = t.value(kind, depth)
		}
		r = append(r, field{id, value})
	}
	return nil
}

func (t *thriftReader) value(kind byte, depth int) any {
	if depth > maxDepth {
		t.fail()
		return nil
	}
	switch {
	case kind == thriftTrue || kind == thriftFalse: // in a list a bool has a byte
		return t.byte() == thriftTrue
	case kind == thriftByte:
		return int64(int8(t.byte()))
	case kind > thriftByte && kind <= thriftI64:
		return t.varint()
	case kind == thriftDouble:
		if len(t.data) < 8 {
			t.fail()
			return nil
		}
		v := math.Float64frombits(binary.LittleEndian.Uint64(t.data))
		t.data = t.data[8:]
		return v
	case kind == thriftBinary:
		n := t.length()
		b := t.data[:n]
		t.data = t.data[n:]
		return b
	case kind == thriftList || kind == thriftSet:
		head := t.byte()
		n := int(head >> 4)
		if n == 15 {
			n = t.length()
		}
		var list []any
		for i := 0; i < n && t.err == nil; i++ {
			list = append(list, t.value(head&15, depth+1))
		}
		return list
	case kind == thriftMap: // none is of interest here
		if n := t.length(); n > 0 {
			kinds := t.byte()
			for i := 0; i < n && t.err == nil; i++ {
				t.value(kinds>>4, depth+1)
				t.value(kinds&15, depth+1)
			}
		}
		return nil
	case kind == thriftStruct:
		return t.record(depth + 1)
	}
	t.fail()
	return nil
}
