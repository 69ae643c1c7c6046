package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// Physical types by their number in the format.
const (
	boolean = iota
	int32Type
	int64Type
	int96
	float
	double
	byteArray
	fixedLen
)

// A cell is a value, or a null or an empty list, with its levels.
type cell struct {
	rep, def uint8
	value    any
}

// A leaf is a column, whose values it reads one after the other, a page at a time.
type leaf struct {
	kind, length int64
	maxRep       uint8
	maxDef       uint8

	file    io.ReaderAt
	at, end int64 // what is left of the chunk
	codec   int64
	left    int64 // values left in the chunk
	dict    []any

	total    *int64 // bytes that all columns hold
	pageHeld int64
	dictHeld int64

	// The page.
	values   int // left
	rep, def hybrid
	plain    []byte
	bit      int // of a boolean in plain's first byte
	indexes  *hybrid

	ahead    cell
	hasAhead bool
}

// start begins with a chunk.
func (l *leaf) start(file io.ReaderAt, size int64, meta record) error {
	l.file, l.codec, l.left, l.dict = file, meta.number(4, 0), meta.number(5, 0), nil
	l.values, l.hasAhead = 0, false
	l.at = meta.number(9, 0)
	if dict := meta.number(11, 0); dict > 0 && dict < l.at {
		l.at = dict
	}
	length := meta.number(7, 0)
	if l.at < 4 || length < 0 || l.at > size || length > size-l.at || l.left < 0 {
		return errors.New("a column lies outside the file")
	}
	l.end = l.at + length
	return nil
}

// next returns the next cell; ok is false at the end of the chunk.
func (l *leaf) next() (c cell, ok bool, err error) {
	for l.values == 0 {
		if l.left == 0 {
			return c, false, nil
		}
		if err := l.page(); err != nil {
			return c, false, err
		}
	}
	if c.rep, err = level(&l.rep, l.maxRep); err != nil {
		return c, false, err
	}
	if c.def, err = level(&l.def, l.maxDef); err != nil {
		return c, false, err
	}
	if c.def == l.maxDef {
		if l.indexes != nil {
			var i uint32
			if i, err = l.indexes.next(); err == nil && int(i) >= len(l.dict) {
				err = errors.New("an index outside its dictionary")
			}
			if err == nil {
				c.value = l.dict[i]
			}
		} else {
			c.value, err = l.value()
		}
	}
	l.values--
	l.left--
	return c, true, err
}

func level(h *hybrid, most uint8) (uint8, error) {
	if most == 0 {
		return 0, nil
	}
	v, err := h.next()
	if err == nil && v > uint32(most) {
		err = errors.New("a level beyond the schema's")
	}
	return uint8(v), err
}

// value takes a value from a page of plain ones.
func (l *leaf) value() (any, error) {
	size := 0
	switch l.kind {
	case boolean:
		if len(l.plain) == 0 {
			return nil, errCut
		}
		v := l.plain[0]>>l.bit&1 == 1
		if l.bit++; l.bit == 8 {
			l.plain, l.bit = l.plain[1:], 0
		}
		return v, nil
	case int32Type, float:
		size = 4
	case int64Type, double:
		size = 8
	case fixedLen:
		size = int(l.length)
	case byteArray:
		if len(l.plain) < 4 {
			return nil, errCut
		}
		n := binary.LittleEndian.Uint32(l.plain)
		if l.plain = l.plain[4:]; uint64(n) > uint64(len(l.plain)) {
			return nil, errCut
		}
		size = int(n)
	default:
		return nil, errors.New("values of 96 bits cannot be read")
	}
	if len(l.plain) < size {
		return nil, errCut
	}
	b := l.plain[:size]
	l.plain = l.plain[size:]
	switch l.kind {
	case int32Type:
		return int(int32(binary.LittleEndian.Uint32(b))), nil
	case int64Type:
		return int(int64(binary.LittleEndian.Uint64(b))), nil
	case float:
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(b))), nil
	case double:
		return math.Float64frombits(binary.LittleEndian.Uint64(b)), nil
	}
	return string(b), nil
}

// These bound what a page may claim. Writers aim at a megabyte.
const (
	maxPage   = 64 << 20 // bytes
	maxValues = 1 << 22
	maxHeader = 64 << 10 // bytes
)

// page reads the next page of the chunk.
func (l *leaf) page() error {
	head := make([]byte, min(maxHeader, l.end-l.at))
	if _, err := l.file.ReadAt(head, l.at); err != nil && err != io.EOF {
		return err
	}
	t := thriftReader{data: head}
	h := t.record(0)
	if t.err != nil {
		return t.err
	}
	l.at += int64(len(head) - len(t.data))
	size, compressed := h.number(2, -1), h.number(3, -1)
	if compressed < 0 || compressed > l.end-l.at {
		return errCut
	}
	if size < 0 || size > maxPage || compressed > maxPage {
		return fmt.Errorf("a page of %d bytes, %d compressed; %d are allowed", size, compressed, maxPage)
	}
	if err := l.hold(&l.pageHeld, size+compressed); err != nil {
		return err
	}
	data := make([]byte, compressed)
	if _, err := io.ReadFull(io.NewSectionReader(l.file, l.at, compressed), data); err != nil {
		return err
	}
	l.at += compressed
	switch h.number(1, -1) {
	case 0:
		data, err := decompress(l.codec, data, int(size))
		if err != nil {
			return err
		}
		return l.dataPage(h.record(5), data, 2)
	case 2:
		data, err := decompress(l.codec, data, int(size))
		if err != nil {
			return err
		}
		return l.dictionary(h.record(7), data)
	case 3:
		return l.dataPageV2(h.record(8), data, int(size))
	}
	return nil // an index
}

// hold counts bytes in place of those that part held before.
func (l *leaf) hold(part *int64, n int64) error {
	*l.total += n - *part
	*part = n
	if *l.total > maxHeld {
		return fmt.Errorf("pages of more than %d bytes together", maxHeld)
	}
	return nil
}

func (l *leaf) count(h record) (int, error) {
	n := h.number(1, -1)
	if n < 0 || n > maxValues {
		return 0, fmt.Errorf("a page of %d values; %d are allowed", n, maxValues)
	}
	return int(n), nil
}

func (l *leaf) dictionary(h record, data []byte) error {
	n, err := l.count(h)
	if err != nil {
		return err
	}
	const value = 32 // bytes of a text's header in an any
	if err := l.hold(&l.dictHeld, int64(len(data)+value*n)); err != nil {
		return err
	}
	l.dict, l.plain, l.bit = nil, data, 0
	for range n {
		before := len(l.plain)
		v, err := l.value()
		if err != nil {
			return err
		}
		if l.kind != boolean && len(l.plain) == before { // else a few bytes make millions
			return errCut
		}
		l.dict = append(l.dict, v)
	}
	return nil
}

// dataPage begins with a page of version 1, whose levels have their length before them.
func (l *leaf) dataPage(h record, data []byte, encoding int16) error {
	n, err := l.count(h)
	if err != nil {
		return err
	}
	for _, levels := range []struct {
		most uint8
		into *hybrid
	}{{l.maxRep, &l.rep}, {l.maxDef, &l.def}} {
		if levels.most == 0 {
			continue
		}
		part, rest, err := prefixed(data)
		if err != nil {
			return err
		}
		*levels.into, data = hybrid{data: part, width: width(levels.most)}, rest
	}
	return l.begin(n, h.number(encoding, -1), data)
}

// dataPageV2 begins with a page of version 2, whose levels are never compressed.
func (l *leaf) dataPageV2(h record, data []byte, size int) error {
	n, err := l.count(h)
	if err != nil {
		return err
	}
	def, rep := h.number(5, -1), h.number(6, -1)
	if def < 0 || rep < 0 || def > int64(len(data)) || rep > int64(len(data))-def || rep+def > int64(size) {
		return errCut
	}
	l.rep = hybrid{data: data[:rep], width: width(l.maxRep)}
	l.def = hybrid{data: data[rep : rep+def], width: width(l.maxDef)}
	data = data[rep+def:]
	if compressed, ok := h.get(7).(bool); !ok || compressed {
		if data, err = decompress(l.codec, data, size-int(rep+def)); err != nil {
			return err
		}
	}
	return l.begin(n, h.number(4, -1), data)
}

// begin takes the values of a page.
func (l *leaf) begin(n int, encoding int64, data []byte) error {
	if int64(n) > l.left {
		return errors.New("more values than the column has")
	}
	l.values, l.plain, l.bit, l.indexes = n, data, 0, nil
	switch {
	case encoding == 0:
	case encoding == 2 || encoding == 8: // indexes into the dictionary, after their width
		if len(data) == 0 {
			l.indexes = &hybrid{} // all null
			break
		}
		if data[0] > 32 {
			return errCut
		}
		l.indexes = &hybrid{data: data[1:], width: int(data[0])}
	case encoding == 3 && l.kind == boolean:
		part, _, err := prefixed(data)
		if err != nil {
			return err
		}
		l.indexes, l.dict = &hybrid{data: part, width: 1}, []any{false, true}
	default:
		return fmt.Errorf("encoding %d: plain and dictionary can be read", encoding)
	}
	return nil
}

func prefixed(data []byte) (part, rest []byte, err error) {
	if len(data) < 4 {
		return nil, nil, errCut
	}
	n := binary.LittleEndian.Uint32(data)
	if data = data[4:]; uint64(n) > uint64(len(data)) {
		return nil, nil, errCut
	}
	return data[:n], data[n:], nil
}

// width returns the bits that hold a level.
func width(most uint8) int {
	n := 0
	for ; most > 0; most >>= 1 {
		n++
	}
	return n
}
