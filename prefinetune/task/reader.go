package task

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/itchyny/gojq"

	"github.com/muppet-go/muppet/internal/file"
	"github.com/muppet-go/muppet/internal/parquet"
)

// A file that a stranger wrote may be one endless line, an unclosed quote, or
// a device. These bound what is held in memory at once.
const (
	maxLine = 64 << 20 // bytes of a line, or of a CSV record
	maxJSON = 1 << 30  // bytes of a JSON file, which is parsed as a whole
)

// A recordReader yields the records of a file as JSON values: nil, bool, float64
// (of parquet int too), string, []any and map[string]any. After the last, err is io.EOF.
// An error already names the place where it happened.
type recordReader interface {
	next() (value any, where string, err error)
}

// A source says how to read one file.
type source struct {
	name     string // the file's name in a record of parallel files
	dir      string // of the data
	file     string // below dir; may have a "*"
	path     string
	format   string
	latin1   bool
	header   bool
	columns  []string
	records  *gojq.Code // json: yields the records
	maxBytes int        // of a line; maxLine but for tests
}

// open returns a reader of the file's records.
func (s *source) open() (recordReader, io.Closer, error) {
	f, err := file.Open(s.path)
	if err != nil {
		return nil, nil, err
	}
	if s.format == "parquet" {
		info, err := f.Stat()
		var rows *parquet.Reader
		if err == nil {
			rows, err = parquet.NewReader(f, info.Size())
		}
		if err != nil {
			f.Close()
			return nil, nil, fmt.Errorf("%s: %w", s.path, err)
		}
		return &parquetReader{source: s, rows: rows}, f, nil
	}
	return s.read(f), f, nil
}

// read returns a reader of the records in r, in any format but parquet, which is
// read from its end.
func (s *source) read(r io.Reader) recordReader {
	limited := &limitedReader{r, math.MaxInt} // lines are limited where they are put together
	in := bufio.NewReaderSize(limited, 1<<16)
	if bom, _ := in.Peek(3); !s.latin1 && string(bom) == "\uFEFF" {
		in.Discard(3)
	}
	lines := lineReader{source: s, in: in}
	switch s.format {
	case "text":
		return &textReader{lines}
	case "document":
		limited.left = s.maxBytes
		return &documentReader{source: s, in: in}
	case "jsonl":
		return &jsonlReader{lines}
	case "tsv":
		return &tsvReader{lines, table{s.columns, s.header}}
	case "csv":
		return newCSVReader(s, in, limited)
	case "json":
		limited.left = maxJSON
		return &jsonReader{source: s, in: in}
	}
	panic("task: no reader for format " + s.format)
}

func (s *source) line(n int) string   { return fmt.Sprintf("%s:%d", s.path, n) }
func (s *source) record(n int) string { return fmt.Sprintf("%s: record %d", s.path, n) }

// decode turns bytes of the declared encoding into a string.
func (s *source) decode(b []byte) (string, error) {
	if s.latin1 {
		return fromLatin1(b), nil
	}
	if !utf8.Valid(b) {
		return "", errNotUTF8
	}
	return string(b), nil
}

var errNotUTF8 = errors.New("not valid UTF-8; if the file is ISO 8859-1, declare `encoding: latin-1`")

// fromLatin1 decodes ISO 8859-1, whose bytes are the first 256 code points.
func fromLatin1(b []byte) string {
	var s strings.Builder
	s.Grow(len(b))
	for _, c := range b {
		s.WriteRune(rune(c))
	}
	return s.String()
}

// A limitedReader fails once left bytes were read.
type limitedReader struct {
	r    io.Reader
	left int
}

var errTooLong = errors.New("too long")

func (l *limitedReader) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, errTooLong
	}
	n, err := l.r.Read(p[:min(len(p), l.left)])
	l.left -= n
	return n, err
}

// A lineReader splits its input at "\n", dropping a "\r" before it. The line
// that next returned is good until the next call.
type lineReader struct {
	*source
	in   *bufio.Reader
	n    int // lines read
	long []byte
}

func (l *lineReader) next() (line []byte, where string, err error) {
	l.n++
	where = l.line(l.n)
	line, err = l.in.ReadSlice('\n')
	if err == bufio.ErrBufferFull {
		l.long = append(l.long[:0], line...)
		for err == bufio.ErrBufferFull {
			if len(l.long) > l.maxBytes {
				return nil, where, fmt.Errorf("%s: line longer than %d bytes", where, l.maxBytes)
			}
			line, err = l.in.ReadSlice('\n')
			l.long = append(l.long, line...)
		}
		line = l.long
	}
	if err == io.EOF {
		if len(line) == 0 {
			return nil, where, io.EOF
		}
	} else if err != nil {
		return nil, where, fmt.Errorf("%s: %w", where, err)
	}
	line = bytes.TrimSuffix(line, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r")), where, nil
}

// nextFilled skips empty lines.
func (l *lineReader) nextFilled() (line []byte, where string, err error) {
	for err == nil && len(line) == 0 {
		line, where, err = l.next()
	}
	return line, where, err
}

// A textReader yields every line as a string, blank ones too: a parallel file
// may need them.
type textReader struct{ lineReader }

func (t *textReader) next() (any, string, error) {
	line, where, err := t.lineReader.next()
	if err != nil {
		return nil, where, err
	}
	text, err := t.decode(line)
	if err != nil {
		return nil, where, badRecord{fmt.Errorf("%s: %w", where, err)}
	}
	return text, where, nil
}

// A documentReader yields the whole text of a file, if it has any.
type documentReader struct {
	*source
	in   io.Reader
	read bool
}

func (d *documentReader) next() (any, string, error) {
	if d.read {
		return nil, d.path, io.EOF
	}
	d.read = true
	data, err := io.ReadAll(d.in)
	if errors.Is(err, errTooLong) {
		err = fmt.Errorf("longer than %d bytes", d.maxBytes)
	}
	if err != nil {
		return nil, d.path, fmt.Errorf("%s: %w", d.path, err)
	}
	if len(data) == 0 {
		return nil, d.path, io.EOF
	}
	text, err := d.decode(data)
	if err != nil {
		return nil, d.path, badRecord{fmt.Errorf("%s: %w", d.path, err)}
	}
	return text, d.path, nil
}

// A jsonlReader yields the JSON value on every line.
type jsonlReader struct{ lineReader }

func (j *jsonlReader) next() (any, string, error) {
	line, where, err := j.nextFilled()
	if err != nil {
		return nil, where, err
	}
	value, err := parseJSON(j.source, line)
	if err != nil {
		return nil, where, badRecord{fmt.Errorf("%s: %w", where, err)}
	}
	return value, where, nil
}

func parseJSON(s *source, data []byte) (value any, err error) {
	// encoding/json would replace invalid UTF-8 in silence.
	if s.latin1 {
		data = []byte(fromLatin1(data))
	} else if !utf8.Valid(data) {
		return nil, errNotUTF8
	}
	err = json.Unmarshal(data, &value)
	return value, err
}

// A jsonReader yields the values that the records expression makes of the one
// JSON value in a file.
type jsonReader struct {
	*source
	in      io.Reader
	read    bool
	records []any
	n       int
}

func (j *jsonReader) next() (any, string, error) {
	if !j.read {
		j.read = true
		if err := j.load(); err != nil {
			return nil, j.path, fmt.Errorf("%s: %w", j.path, err)
		}
	}
	j.n++
	if j.n > len(j.records) {
		return nil, j.path, io.EOF
	}
	return j.records[j.n-1], j.record(j.n), nil
}

func (j *jsonReader) load() error {
	data, err := io.ReadAll(j.in)
	if errors.Is(err, errTooLong) {
		return fmt.Errorf("JSON file longer than %d bytes; write it as jsonl", maxJSON)
	}
	if err != nil {
		return err
	}
	value, err := parseJSON(j.source, data)
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("line %d: %w", 1+bytes.Count(data[:syntax.Offset], []byte("\n")), err)
	}
	if err != nil {
		return err
	}
	// A record takes a byte of the file at least.
	allowed := timeLimit + time.Second*time.Duration(len(data)>>20)
	err = evaluate(j.source.records, value, len(data), allowed, func(v any) error {
		j.records = append(j.records, v)
		return nil
	})
	if err != nil {
		return fmt.Errorf("records: %w", err)
	}
	return nil
}

// A table turns rows into records: objects where columns have names, from the
// task file or else from the header, and arrays otherwise.
type table struct {
	columns []string
	header  bool // still to come
}

// row returns nil for a header. Of errors, those of a header are no badRecord: what the
// columns are would be a guess.
func (t *table) row(fields []string) (any, error) {
	if t.header {
		t.header = false
		if t.columns != nil {
			return nil, nil // the task file's names win
		}
		seen := make(map[string]bool, len(fields))
		for _, name := range fields {
			if seen[name] {
				return nil, fmt.Errorf("header names column %q twice; declare `columns`", name)
			}
			seen[name] = true
		}
		t.columns = append([]string(nil), fields...)
		return nil, nil
	}
	if t.columns == nil {
		record := make([]any, len(fields))
		for i, f := range fields {
			record[i] = f
		}
		return record, nil
	}
	if len(fields) != len(t.columns) {
		return nil, badRecord{fmt.Errorf("%d columns where %d are declared", len(fields), len(t.columns))}
	}
	record := make(map[string]any, len(fields))
	for i, f := range fields {
		record[t.columns[i]] = f
	}
	return record, nil
}

// bad marks an error in a row's bytes as one of this row alone, unless it is the header.
func (t *table) bad(err error) error {
	if t.header {
		return err
	}
	return badRecord{err}
}

// A tsvReader yields lines split at tabs. Quotes mean nothing.
type tsvReader struct {
	lines lineReader
	table table
}

func (t *tsvReader) next() (any, string, error) {
	for {
		line, where, err := t.lines.nextFilled()
		if err != nil {
			return nil, where, err
		}
		text, err := t.lines.decode(line)
		if err != nil {
			return nil, where, t.table.bad(fmt.Errorf("%s: %w", where, err))
		}
		record, err := t.table.row(strings.Split(text, "\t"))
		if err != nil {
			return nil, where, fmt.Errorf("%s: %w", where, err)
		}
		if record != nil {
			return record, where, nil
		}
	}
}

// A csvReader yields the records of RFC 4180, whose quoted fields may hold
// newlines: where names the line on which a record begins.
type csvReader struct {
	*source
	in    *limitedReader
	rows  *csv.Reader
	table table
	last  int // line on which the last record began
}

func newCSVReader(s *source, in io.Reader, limited *limitedReader) *csvReader {
	rows := csv.NewReader(in)
	rows.FieldsPerRecord = -1 // table compares with the declared columns
	return &csvReader{source: s, in: limited, rows: rows, table: table{s.columns, s.header}}
}

func (c *csvReader) next() (any, string, error) {
	for {
		c.in.left = c.maxBytes
		fields, err := c.rows.Read()
		if err == io.EOF {
			return nil, c.path, io.EOF
		}
		var syntax *csv.ParseError
		switch {
		case errors.As(err, &syntax):
			where := c.line(syntax.StartLine)
			err = fmt.Errorf("%s: line %d, column %d: %w", where, syntax.Line, syntax.Column, syntax.Err)
			// The reader goes on with the next line. Where the record began on this one, that is
			// the next record; behind a quote that opened further up, it may be anything.
			if syntax.Line == syntax.StartLine {
				c.last = syntax.Line
				err = c.table.bad(err)
			}
			return nil, where, err
		case errors.Is(err, errTooLong):
			return nil, c.path, fmt.Errorf("%s: the record after line %d is longer than %d bytes (a quote left open?)", c.path, c.last, c.maxBytes)
		case err != nil:
			return nil, c.path, fmt.Errorf("%s: %w", c.path, err)
		}
		c.last, _ = c.rows.FieldPos(0)
		where := c.line(c.last)
		for i := range fields {
			if fields[i], err = c.decode([]byte(fields[i])); err != nil {
				n, _ := c.rows.FieldPos(i)
				return nil, where, c.table.bad(fmt.Errorf("%s: %w", c.line(n), err))
			}
		}
		record, err := c.table.row(fields)
		if err != nil {
			return nil, where, fmt.Errorf("%s: %w", where, err)
		}
		if record != nil {
			return record, where, nil
		}
	}
}

// A parquetReader yields rows as objects of their columns.
type parquetReader struct {
	*source
	rows *parquet.Reader
	n    int
}

func (p *parquetReader) next() (any, string, error) {
	p.n++
	where := p.record(p.n)
	row, err := p.rows.Next()
	if err == io.EOF {
		return nil, p.path, err
	}
	if err != nil {
		return nil, where, fmt.Errorf("%s: %w", where, err)
	}
	if column := notUTF8(row); column != "" {
		return nil, where, badRecord{fmt.Errorf("%s: %s: not valid UTF-8", where, column)}
	}
	return row, where, nil
}

// notUTF8 returns the path of a text that is not valid UTF-8.
func notUTF8(v any) string {
	switch v := v.(type) {
	case string:
		if !utf8.ValidString(v) {
			return "."
		}
	case []any:
		for i, e := range v {
			if p := notUTF8(e); p != "" {
				return fmt.Sprintf("[%d]%s", i, strings.TrimSuffix(p, "."))
			}
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if p := notUTF8(v[key]); p != "" {
				return fmt.Sprintf(".%s%s", key, strings.TrimSuffix(p, "."))
			}
		}
	}
	return ""
}

// A parallelReader reads several files side by side: a record holds one of
// each under the file's name.
type parallelReader struct {
	names   []string
	readers []recordReader
}

func (p *parallelReader) next() (any, string, error) {
	record := make(map[string]any, len(p.names))
	var place string // of the first file
	var ended, going string
	var bad error
	for i, r := range p.readers {
		value, where, err := r.next()
		var one badRecord
		switch {
		case err == io.EOF:
			ended = where
		case errors.As(err, &one): // the other files go on side by side
			going = where
			if bad == nil {
				bad = err
			}
		case err != nil:
			return nil, where, err
		default:
			going = where
			record[p.names[i]] = value
		}
		if i == 0 {
			place = where
		}
	}
	if ended != "" && going != "" {
		return nil, place, fmt.Errorf("%s: goes on where its parallel file has ended (%s)", going, ended)
	}
	if ended != "" {
		return nil, place, io.EOF
	}
	return record, place, bad
}
