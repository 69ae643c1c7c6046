// Package parquet reads the rows of Parquet files as Hugging Face's datasets and pyarrow
// write them by default: plain and dictionary encodings, pages of both versions, snappy,
// gzip or no compression. What else there is in the format is an error that says so.
//
// Sizes in a file are claims. The reader holds a page and a dictionary of each column, of
// at most 64 MiB each and about 512 MiB together, and checks a claim before it allocates.
// That is why it is here: github.com/parquet-go/parquet-go allocates what a footer of a
// few bytes asks for, which no caller can catch.
package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	maxFooter = 8 << 20 // bytes
	maxLeaves = 1 << 12
	maxCells  = 1 << 20 // values of a column in one row
	maxRows   = 1 << 28 // of a row group
	maxHeld   = 1 << 29 // bytes of the pages and dictionaries that are held
)

// A node is a field of the schema.
type node struct {
	name               string
	optional, repeated bool
	list               bool // its children are one repeated node: the elements
	wrap               bool // the group around an element
	children           []*node
	first, last        int // the leaves below it
	rep, def           uint8
}

// A Reader yields the rows of a file.
type Reader struct {
	file   io.ReaderAt
	size   int64
	root   *node
	leaves []*leaf
	groups []any
	rows   int64 // left in the row group
	held   int64 // bytes
}

// NewReader reads the schema of a file of size bytes.
func NewReader(file io.ReaderAt, size int64) (*Reader, error) {
	var tail [8]byte
	if size < 12 {
		return nil, errors.New("not a Parquet file")
	}
	if _, err := file.ReadAt(tail[:], size-8); err != nil && err != io.EOF {
		return nil, err
	}
	if string(tail[4:]) != "PAR1" {
		return nil, errors.New("not a Parquet file, or cut short: it does not end in PAR1")
	}
	n := int64(binary.LittleEndian.Uint32(tail[:]))
	if n > maxFooter || n > size-12 {
		return nil, fmt.Errorf("a footer of %d bytes; %d are allowed", n, min(maxFooter, size-12))
	}
	footer := make([]byte, n)
	if _, err := io.ReadFull(io.NewSectionReader(file, size-8-n, n), footer); err != nil {
		return nil, err
	}
	t := thriftReader{data: footer}
	meta := t.record(0)
	if t.err != nil {
		return nil, t.err
	}
	r := &Reader{file: file, size: size, groups: meta.list(4)}
	schema := meta.list(2)
	var err error
	if r.root, schema, err = r.schema(schema, 0, 0, 0); err != nil {
		return nil, err
	}
	if len(schema) > 0 || len(r.leaves) == 0 {
		return nil, errors.New("the schema is not one tree of columns")
	}
	return r, nil
}

// schema takes a node and all below it from the list of the schema's elements.
func (r *Reader) schema(elements []any, depth int, rep, def uint8) (*node, []any, error) {
	if len(elements) == 0 || depth > maxDepth {
		return nil, nil, errors.New("the schema ends early or is too deep")
	}
	e, _ := elements[0].(record)
	elements = elements[1:]
	n := &node{name: e.text(4), first: len(r.leaves)}
	if depth > 0 { // the root's own repetition means nothing
		switch e.number(3, 0) {
		case 1:
			n.optional = true
			def++
		case 2:
			n.repeated = true
			rep++
			def++
		}
	}
	n.rep, n.def = rep, def
	children := e.number(5, 0)
	if children < 0 || children > int64(len(elements)) {
		return nil, nil, errors.New("the schema has a group with more fields than there are")
	}
	if children == 0 {
		l := &leaf{kind: e.number(1, -1), length: e.number(2, 0), maxRep: rep, maxDef: def, total: &r.held}
		if l.kind < 0 || l.kind > fixedLen || l.length < 0 || l.length > maxPage || len(r.leaves) == maxLeaves {
			return nil, nil, fmt.Errorf("column %q: no known type, or more than %d columns", n.name, maxLeaves)
		}
		r.leaves = append(r.leaves, l)
	}
	names := make(map[string]bool)
	for range children {
		child, rest, err := r.schema(elements, depth+1, rep, def)
		if err != nil {
			return nil, nil, err
		}
		if names[child.name] {
			return nil, nil, fmt.Errorf("the schema names %q twice in %q", child.name, n.name)
		}
		names[child.name] = true
		n.children, elements = append(n.children, child), rest
	}
	n.last = len(r.leaves)
	isList := e.number(6, -1) == 3 || e.record(10).get(3) != nil
	if isList && len(n.children) == 1 && n.children[0].repeated {
		n.list = true
		// Most writers put the element into a group of its own.
		if inner := n.children[0]; len(inner.children) == 1 && inner.name != "array" && inner.name != n.name+"_tuple" {
			inner.wrap = true
		}
	}
	return n, elements, nil
}

// Next returns the next row, of strings, ints, float64s, bools, nil, []any and
// map[string]any, or io.EOF. Strings are the bytes of the file.
func (r *Reader) Next() (map[string]any, error) {
	for r.rows == 0 {
		if len(r.groups) == 0 {
			return nil, io.EOF
		}
		group, _ := r.groups[0].(record)
		r.groups = r.groups[1:]
		chunks := group.list(1)
		if len(chunks) != len(r.leaves) {
			return nil, errors.New("a row group without all columns")
		}
		if r.rows = group.number(3, 0); r.rows < 0 || r.rows > maxRows {
			return nil, fmt.Errorf("a row group of %d rows; %d are allowed", r.rows, maxRows)
		}
		for i, l := range r.leaves {
			chunk, _ := chunks[i].(record)
			if chunk.text(1) != "" {
				return nil, errors.New("its columns are in other files")
			}
			if err := l.start(r.file, r.size, chunk.record(3)); err != nil {
				return nil, err
			}
		}
	}
	r.rows--
	cells := make([][]cell, len(r.leaves))
	for i, l := range r.leaves {
		var err error
		if cells[i], err = l.row(); err == io.EOF { // of a compressed page: not the end of the rows
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, err
		}
	}
	v, err := r.root.value(cells)
	row, _ := v.(map[string]any)
	return row, err
}

// row returns the cells of the next row, one at least.
func (l *leaf) row() ([]cell, error) {
	var cells []cell
	for {
		if !l.hasAhead {
			c, ok, err := l.next()
			if err != nil {
				return nil, err
			}
			if !ok {
				break
			}
			l.ahead, l.hasAhead = c, true
		}
		if (l.ahead.rep == 0) != (len(cells) == 0) {
			break // the next row, or one that goes on before it begins
		}
		if len(cells) == maxCells {
			return nil, fmt.Errorf("a row with more than %d values of a column", maxCells)
		}
		cells = append(cells, l.ahead)
		l.hasAhead = false
	}
	if len(cells) == 0 {
		return nil, errors.New("a column ends before its row group, or begins inside a row")
	}
	return cells, nil
}

var errLevels = errors.New("columns of one list do not fit together")

// value makes a node's value of the cells of its leaves.
func (n *node) value(cells [][]cell) (any, error) {
	if n.optional && cells[n.first][0].def < n.def {
		return nil, nil
	}
	if len(n.children) == 0 {
		return cells[n.first][0].value, nil
	}
	if n.list {
		return n.children[0].elements(cells)
	}
	if n.wrap {
		return n.children[0].field(cells)
	}
	object := make(map[string]any, len(n.children))
	for _, child := range n.children {
		v, err := child.field(cells)
		if err != nil {
			return nil, err
		}
		object[child.name] = v
	}
	return object, nil
}

func (n *node) field(cells [][]cell) (any, error) {
	if n.repeated {
		return n.elements(cells)
	}
	return n.value(cells)
}

// elements makes a list: of each leaf's cells, an element has those up to the next that
// repeats at the node's level.
func (n *node) elements(cells [][]cell) (any, error) {
	list := []any{}
	if cells[n.first][0].def < n.def {
		return list, nil
	}
	all := cells[n.first:n.last] // an element's cells stand in their place for a while
	rest := append([][]cell(nil), all...)
	whole := append([][]cell(nil), all...)
	defer copy(all, whole)
	for len(rest[0]) > 0 {
		for i := range rest {
			if len(rest[i]) == 0 {
				return nil, errLevels
			}
			end := 1
			for end < len(rest[i]) && rest[i][end].rep > n.rep {
				end++
			}
			all[i], rest[i] = rest[i][:end], rest[i][end:]
		}
		v, err := n.value(cells)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	for i := range rest {
		if len(rest[i]) > 0 {
			return nil, errLevels
		}
	}
	return list, nil
}
