package task

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/itchyny/gojq"
)

var (
	families = []string{string(Classification), string(Regression), string(Commonsense), string(MRC), string(Summarisation)}
	formats  = []string{"tsv", "csv", "json", "jsonl", "text", "document", "parquet"}
	tables   = []string{"tsv", "csv"} // the formats with columns

	// The metrics that can speak for a family; the first is the default.
	metrics = map[Family][]string{
		Classification: {"accuracy", "f1", "matthews"},
		Regression:     {"pearson_spearman", "pearson", "spearman"},
		Commonsense:    {"accuracy"},
		MRC:            {"em_f1"},
		Summarisation:  {"rouge"},
	}
)

// A fields is a YAML mapping that is being taken apart: every take removes a
// key, and what is left at the end is unknown. The first error is kept.
type fields struct {
	path    string
	entries map[string]*ast.MappingValueNode
	keys    []string // in the order of the file
	err     error
}

func (f *fields) fail(at ast.Node, format string, args ...any) {
	if f.err == nil {
		f.err = fmt.Errorf("%s:%d: %s", f.path, at.GetToken().Position.Line, fmt.Sprintf(format, args...))
	}
}

// parse makes a task of a task file.
func parse(path string, src []byte, dataDir string) (*Task, error) {
	if !utf8.Valid(src) {
		return nil, fmt.Errorf("%s: not valid UTF-8", path)
	}
	file, err := parser.ParseBytes(src, 0)
	var syntax yaml.Error
	if errors.As(err, &syntax) {
		return nil, fmt.Errorf("%s:%d: YAML: %s", path, syntax.GetToken().Position.Line, syntax.GetMessage())
	}
	if err != nil {
		return nil, fmt.Errorf("%s: YAML: %w", path, err)
	}
	if len(file.Docs) != 1 || file.Docs[0].Body == nil {
		return nil, fmt.Errorf("%s: a task file is one YAML mapping", path)
	}
	f := &fields{path: path}
	body := file.Docs[0].Body
	f.entries, f.keys = f.mapping(body, "the task file")
	t := f.task(body, dataDir)
	sum := sha256.Sum256(src)
	t.SHA256 = hex.EncodeToString(sum[:])
	f.unknown("unknown field %s")
	if f.err != nil {
		return nil, f.err
	}
	return t, nil
}

// task takes all fields of a task file.
func (f *fields) task(body ast.Node, dataDir string) *Task {
	for _, key := range []string{"name", "family", "source", "files", "format", "example"} {
		if f.entries[key] == nil {
			f.fail(body, "missing field %s", key)
		}
	}
	t := &Task{Path: f.path, Default: true}
	t.Name = f.text("name")
	t.Family = Family(f.oneOf("family", families, ""))
	t.Description = f.text("description")
	t.Source = f.text("source")
	t.Labels = f.list("labels")
	if (t.Labels != nil) != (t.Family == Classification) {
		f.fail(body, "labels: classification needs them, and no other family has them")
	} else if len(t.Labels) == 1 {
		f.fail(body, "labels: one label leaves nothing to classify")
	}
	t.Range = f.interval("range")
	if (t.Range != [2]float64{}) != (t.Family == Regression) {
		f.fail(body, "range: regression needs one, and no other family has one")
	}
	if n := f.entries["no_answer"]; n != nil && t.Family != MRC {
		f.fail(n.Key, "no_answer: belongs to mrc alone")
	}
	t.NoAnswer = f.boolean("no_answer", false)
	if allowed := metrics[t.Family]; allowed != nil {
		t.Metric = f.oneOf("metric", allowed, allowed[0])
	}
	if t.Metric == "f1" && len(t.Labels) != 2 {
		f.fail(body, "metric: f1 is that of the second of two labels; there are %d", len(t.Labels))
	}
	t.Default = f.boolean("default", true)
	if t.Why = f.text("why"); (t.Why == "") != t.Default {
		f.fail(body, "why: belongs with `default: false`, and with nothing else")
	}
	first := f.layout(dataDir, nil)
	if first == nil {
		return t
	}
	t.layouts = append([]*layout{first}, f.others(dataDir, first.example)...)
	return t
}

// others takes the other layouts, of which each may leave out its example: then it is that of
// the one before.
func (f *fields) others(dataDir string, example *gojq.Code) (others []*layout) {
	n := f.take("layouts")
	if n == nil {
		return nil
	}
	list, ok := n.(*ast.SequenceNode)
	if !ok || len(list.Values) == 0 {
		f.fail(n, "layouts: must be a list")
		return nil
	}
	for _, v := range list.Values {
		own := &fields{path: f.path, err: f.err}
		own.entries, own.keys = own.mapping(v, "layouts")
		for _, key := range []string{"files", "format"} {
			if own.entries[key] == nil {
				own.fail(v, "layouts: missing field %s", key)
			}
		}
		l := own.layout(dataDir, example)
		own.unknown("layouts: unknown field %s")
		if f.err = own.err; f.err != nil {
			return nil
		}
		others, example = append(others, l), l.example
	}
	return others
}

// unknown fails for a field that nobody took.
func (f *fields) unknown(message string) {
	for _, key := range f.keys {
		if entry := f.entries[key]; entry != nil {
			f.fail(entry.Key, message, key)
		}
	}
}

// layout takes the fields that say how to read the files.
func (f *fields) layout(dataDir string, example *gojq.Code) *layout {
	l := &layout{splits: make(map[string][]*source), example: example}
	if f.entries["example"] != nil {
		l.example = f.jq("example")
	}
	format := f.formats()
	for _, only := range []struct {
		field   string
		formats []string
	}{{"header", tables}, {"columns", tables}, {"records", []string{"json"}}} {
		if n := f.entries[only.field]; n != nil && !slices.ContainsFunc(only.formats, format.uses) {
			f.fail(n.Key, "%s: means nothing in files that are not %s", only.field, strings.Join(only.formats, " or "))
		}
	}
	latin1 := f.oneOf("encoding", []string{"utf-8", "latin-1"}, "utf-8") == "latin-1"
	header := f.perSplit("header", true)
	columns := f.list("columns")
	records := f.jq("records")

	files := f.take("files")
	if files == nil {
		return nil
	}
	if records == nil && format.uses("json") {
		f.fail(files, "records: json files need this jq expression, which yields their records, such as '.[]'")
	}
	entries, splits := f.mapping(files, "files")
	for _, split := range splits {
		if split != "train" && split != "dev" {
			f.fail(entries[split].Key, "files: unknown split %s; there are train and dev", split)
		}
	}
	var names []string // of parallel files
	for _, split := range []string{"train", "dev"} {
		entry := entries[split]
		if entry == nil {
			f.fail(files, "files: missing split %s", split)
			return nil
		}
		paths := f.namedValue(entry.Value, "files."+split)
		if names == nil {
			names = paths.names
		}
		if !slices.Equal(names, paths.names) {
			f.fail(entry.Key, "files.%s: parallel files must have the same names, in the same order, in both splits", split)
		}
		if !format.single() && !slices.Equal(names, format.names) {
			f.fail(entry.Key, "files.%s: parallel files must have the names that format has, in the same order", split)
		}
		for _, name := range paths.names {
			file := paths.values[name]
			if !filepath.IsLocal(file) {
				f.fail(entry.Value, "files.%s: %q must be relative to the data folder and stay below it", split, file)
			}
			if strings.Contains(file, "*") && (name != "" || strings.ContainsAny(file, `?[\`)) {
				f.fail(entry.Value, "files.%s: %q: a * stands for any characters of a name, in the one file of a split, and beside no other signs", split, file)
			}
			src := &source{
				name:     name,
				dir:      dataDir,
				file:     file,
				path:     filepath.Join(dataDir, file),
				format:   format.values[name],
				latin1:   latin1,
				header:   header[split],
				columns:  columns,
				records:  records,
				maxBytes: maxLine,
			}
			if format.single() {
				src.format = format.values[""]
			}
			l.splits[split] = append(l.splits[split], src)
		}
	}
	return l
}

// formats takes the format, one for all files or one for each parallel file.
func (f *fields) formats() named {
	n := f.take("format")
	if n == nil {
		return named{}
	}
	format := f.namedValue(n, "format")
	for _, name := range format.names {
		if value := format.values[name]; !slices.Contains(formats, value) {
			f.fail(n, "format: %q is none of %s", value, strings.Join(formats, ", "))
		}
	}
	return format
}

// mapping returns the entries of a YAML mapping by key, and the keys in order.
func (f *fields) mapping(n ast.Node, what string) (map[string]*ast.MappingValueNode, []string) {
	m, ok := n.(ast.MapNode)
	if !ok {
		f.fail(n, "%s: must be a mapping of keys to values", what)
		return nil, nil
	}
	entries := make(map[string]*ast.MappingValueNode)
	var keys []string
	for it := m.MapRange(); it.Next(); {
		key := f.scalar(it.Key(), what)
		entries[key] = it.KeyValue()
		keys = append(keys, key)
	}
	return entries, keys
}

// take removes a key and returns its value, or nil where there is none.
func (f *fields) take(key string) ast.Node {
	entry := f.entries[key]
	delete(f.entries, key)
	if entry == nil {
		return nil
	}
	return entry.Value
}

// scalar returns a scalar as it is written: `no` and 1 are text here.
func (f *fields) scalar(n ast.Node, what string) string {
	var text string
	switch n := n.(type) {
	case *ast.StringNode:
		text = n.Value
	case *ast.LiteralNode:
		text = n.Value.Value
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		text = n.GetToken().Value
	default:
		f.fail(n, "%s: must be plain text", what)
		return ""
	}
	if strings.TrimSpace(text) == "" {
		f.fail(n, "%s: is empty", what)
	}
	return text
}

func (f *fields) text(key string) string {
	n := f.take(key)
	if n == nil {
		return ""
	}
	return strings.TrimSpace(f.scalar(n, key))
}

func (f *fields) oneOf(key string, allowed []string, absent string) string {
	n := f.take(key)
	if n == nil {
		return absent
	}
	value := f.scalar(n, key)
	if !slices.Contains(allowed, value) {
		f.fail(n, "%s: %q is none of %s", key, value, strings.Join(allowed, ", "))
	}
	return value
}

func (f *fields) boolean(key string, absent bool) bool {
	n := f.take(key)
	if n == nil {
		return absent
	}
	return f.booleanValue(n, key)
}

func (f *fields) booleanValue(n ast.Node, what string) bool {
	b, ok := n.(*ast.BoolNode)
	if !ok {
		f.fail(n, "%s: must be true or false", what)
		return false
	}
	return b.Value
}

// perSplit takes true, false, or a mapping with one of them for each split.
func (f *fields) perSplit(key string, absent bool) map[string]bool {
	values := map[string]bool{"train": absent, "dev": absent}
	n := f.take(key)
	if n == nil {
		return values
	}
	if _, ok := n.(ast.MapNode); !ok {
		b := f.booleanValue(n, key)
		values["train"], values["dev"] = b, b
		return values
	}
	entries, names := f.mapping(n, key)
	for _, split := range names {
		if _, ok := values[split]; !ok {
			f.fail(entries[split].Key, "%s: unknown split %s; there are train and dev", key, split)
		}
		values[split] = f.booleanValue(entries[split].Value, key+"."+split)
	}
	return values
}

// list takes a sequence of different texts.
func (f *fields) list(key string) []string {
	n := f.take(key)
	if n == nil {
		return nil
	}
	sequence, ok := n.(*ast.SequenceNode)
	if !ok || len(sequence.Values) == 0 {
		f.fail(n, "%s: must be a list", key)
		return nil
	}
	values := make([]string, len(sequence.Values))
	seen := make(map[string]bool, len(values))
	for i, v := range sequence.Values {
		values[i] = f.scalar(v, key)
		if seen[values[i]] {
			f.fail(v, "%s: %q appears twice", key, values[i])
		}
		seen[values[i]] = true
	}
	return values
}

// interval takes a list of two numbers, the lower first.
func (f *fields) interval(key string) (ends [2]float64) {
	n := f.entries[key]
	values := f.list(key)
	if n == nil {
		return ends
	}
	for i, v := range values {
		x, err := strconv.ParseFloat(v, 64)
		if err != nil || math.IsInf(x, 0) || math.IsNaN(x) || len(values) != 2 {
			f.fail(n.Value, "%s: must be a list of two numbers, such as [0, 5]", key)
			return ends
		}
		ends[i] = x
	}
	if ends[0] >= ends[1] {
		f.fail(n.Value, "%s: %g must be less than %g", key, ends[0], ends[1])
	}
	return ends
}

// A named is one text, under the name "", or several under names of their own.
type named struct {
	names  []string
	values map[string]string
}

func (n named) single() bool { return len(n.names) == 1 && n.names[0] == "" }

func (n named) uses(value string) bool {
	return slices.ContainsFunc(n.names, func(name string) bool { return n.values[name] == value })
}

func (f *fields) namedValue(n ast.Node, what string) named {
	if _, ok := n.(ast.MapNode); !ok {
		return named{[]string{""}, map[string]string{"": f.scalar(n, what)}}
	}
	entries, names := f.mapping(n, what)
	values := make(map[string]string, len(names))
	for _, name := range names {
		values[name] = f.scalar(entries[name].Value, what+"."+name)
	}
	return named{names, values}
}

// jq takes and compiles a jq expression.
func (f *fields) jq(key string) *gojq.Code {
	n := f.take(key)
	if n == nil {
		return nil
	}
	source := f.scalar(n, key)
	code, err := compile(source)
	if err == nil {
		return code
	}
	line := n.GetToken().Position.Line
	if literal, ok := n.(*ast.LiteralNode); ok && literal.Start.Value == "|" {
		line++ // the text begins below the "|"
		if parseError := new(gojq.ParseError); errors.As(err, &parseError) {
			line += strings.Count(source[:min(parseError.Offset, len(source))], "\n")
		}
	}
	if f.err == nil {
		f.err = fmt.Errorf("%s:%d: %s: jq: %w", f.path, line, key, err)
	}
	return nil
}
