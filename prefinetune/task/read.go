package task

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/itchyny/gojq"
)

// maxList bounds the choices and the answers of one example.
const maxList = 10_000

// Read returns the examples of a split, "train" or "dev", in the order of the
// files. Every example is checked against the family's schema; an error names
// the file, the line (in a json file the record), the task and the field.
// A split without examples is an error.
func (t *Task) Read(split string) ([]Example, error) {
	if t.Examples != nil && len(t.Examples[split]) > 0 {
		return t.Examples[split], nil
	}
	var examples []Example
	err := t.Each(split, func(e Example) error {
		examples = append(examples, e)
		return nil
	}, nil)
	if err == nil && len(examples) == 0 {
		err = fmt.Errorf("task %s: no examples in split %q %s", t.Name, split, t.Files(split))
	}
	if err != nil {
		return nil, err
	}
	return examples, nil
}

// Files returns the paths of a split's files, in the layout that is there or, if none is, in the
// task file's first; a generated task has none.
func (t *Task) Files(split string) []string {
	var paths []string
	if l := t.layout(); l != nil {
		for _, s := range l.splits[split] {
			paths = append(paths, s.paths()...)
		}
	}
	return paths
}

// Each calls yield for the examples of a split, one after the other, as Read
// would return them, and ends with the first error. With bad it does not end
// where a record alone is wrong: bad gets the error that Read would return, and
// the next record is read. What leaves in doubt where the next record begins, or what
// its columns are, ends it all the same: a broken header, a quote that was left open, a JSON
// or Parquet file that is no such file.
func (t *Task) Each(split string, yield func(Example) error, bad func(error) error) error {
	if t.Examples != nil {
		for _, e := range t.Examples[split] {
			if err := yield(e); err != nil {
				return err
			}
		}
		return nil
	}
	l := t.layout()
	if l == nil || l.splits[split] == nil {
		return fmt.Errorf("task %s: no split %q", t.Name, split)
	}
	sources := l.splits[split]
	if sources[0].name != "" {
		return t.read(l, sources, yield, bad)
	}
	for _, path := range sources[0].paths() {
		one := *sources[0]
		one.path = path
		if err := t.read(l, []*source{&one}, yield, bad); err != nil {
			return err
		}
	}
	return nil
}

// read is Each for a file, or several side by side.
func (t *Task) read(l *layout, sources []*source, yield func(Example) error, bad func(error) error) error {
	var all parallelReader
	for _, s := range sources {
		r, file, err := s.open()
		if err != nil {
			return fmt.Errorf("task %s: %w", t.Name, err)
		}
		defer file.Close()
		all.names = append(all.names, s.name)
		all.readers = append(all.readers, r)
	}
	var records recordReader = &all
	if len(sources) == 1 && sources[0].name == "" {
		records = all.readers[0]
	}
	return t.convert(l.example, records, yield, bad)
}

// A badRecord is an error after which the next record can be read.
type badRecord struct{ error }

func (b badRecord) Unwrap() error { return b.error }

// SkipBad is for Each: records that alone are wrong are passed over.
func SkipBad(error) error { return nil }

// convert makes examples of records.
func (t *Task) convert(example *gojq.Code, records recordReader, yield func(Example) error, bad func(error) error) error {
	labels := make(map[string]int, len(t.Labels))
	for i, label := range t.Labels {
		labels[label] = i
	}
	for {
		record, where, err := records.next()
		if err == io.EOF {
			return nil
		}
		var examples []Example // of this record: none of a bad one
		if err == nil {
			examples, err = t.examples(example, record, where, labels)
		}
		var one badRecord
		if err != nil {
			err = fmt.Errorf("task %s: %w", t.Name, err)
			if bad == nil || !errors.As(err, &one) {
				return err
			}
			if err := bad(err); err != nil {
				return err
			}
		}
		for _, e := range examples {
			if err := yield(e); err != nil {
				return err
			}
		}
	}
}

// examples makes examples of a record.
func (t *Task) examples(example *gojq.Code, record any, where string, labels map[string]int) ([]Example, error) {
	var examples []Example
	err := evaluate(example, record, maxOutputs, timeLimit, func(v any) error {
		f := newObject(v)
		e := Example{Where: where}
		switch t.Family {
		case Classification:
			e.Text = f.text("text")
			e.Text2 = f.optionalText("text2")
			e.Label = f.label("label", labels)
		case Regression:
			e.Text = f.text("text")
			e.Text2 = f.optionalText("text2")
			e.Score = f.number("score", t.Range)
		case Commonsense:
			e.Context = f.text("context")
			e.Choices = f.texts("choices")
			e.Answer = f.index("answer", len(e.Choices))
		case MRC:
			e.Question = f.text("question")
			e.Passage = f.text("passage")
			e.Answers = f.answers("answers", e.Passage, t.NoAnswer)
		case Summarisation:
			e.Source = f.text("source")
			e.Target = f.text("target")
		}
		examples = append(examples, e)
		return f.end()
	})
	if err == nil {
		return examples, nil
	}
	err = fmt.Errorf("%s: example: %w", where, err)
	if errors.Is(err, errTimeLimit) { // each record may cost as much
		return nil, err
	}
	return nil, badRecord{err}
}

// An object is a value from jq that is being taken apart against a schema.
// The first error is kept.
type object struct {
	fields map[string]any
	taken  []string
	err    error
}

func newObject(v any) *object {
	fields, ok := v.(map[string]any)
	o := &object{fields: fields}
	if !ok {
		o.fail("must be an object, not %s", preview(v))
	}
	return o
}

func (o *object) fail(format string, args ...any) {
	if o.err == nil {
		o.err = fmt.Errorf(format, args...)
	}
}

func (o *object) take(key string) any {
	v, ok := o.fields[key]
	if !ok {
		o.fail("missing field %s", key)
		return nil
	}
	o.taken = append(o.taken, key)
	return v
}

// end returns the first error, which may be a field that nobody took.
func (o *object) end() error {
	if o.err == nil && len(o.taken) < len(o.fields) {
		var unknown []string
		for key := range o.fields {
			if !slices.Contains(o.taken, key) {
				unknown = append(unknown, key)
			}
		}
		o.fail("unknown field %s", slices.Min(unknown))
	}
	return o.err
}

// checkText returns the text v, which must not be blank.
func (o *object) checkText(v any, what string) string {
	s, ok := v.(string)
	switch {
	case !ok:
		o.fail("%s: must be a string, not %s", what, preview(v))
	case strings.TrimSpace(s) == "":
		o.fail("%s: is empty", what)
	case !utf8.ValidString(s):
		o.fail("%s: not valid UTF-8: %s", what, preview(v))
	}
	return s
}

func (o *object) text(key string) string { return o.checkText(o.take(key), key) }

func (o *object) optionalText(key string) string {
	if _, ok := o.fields[key]; !ok {
		return ""
	}
	return o.text(key)
}

func (o *object) list(key string) []any {
	v := o.take(key)
	list, ok := v.([]any)
	switch {
	case !ok:
		o.fail("%s: must be an array, not %s", key, preview(v))
	case len(list) == 0:
		o.fail("%s: is empty", key)
	case len(list) > maxList:
		o.fail("%s: %d of them; %d are allowed", key, len(list), maxList)
		return nil
	}
	return list
}

func (o *object) texts(key string) []string {
	list := o.list(key)
	texts := make([]string, len(list))
	for i, v := range list {
		texts[i] = o.checkText(v, fmt.Sprintf("%s[%d]", key, i))
	}
	return texts
}

// label returns the index of a label. Numbers and booleans count as their JSON.
func (o *object) label(key string, labels map[string]int) int {
	v := o.take(key)
	name, ok := v.(string)
	if !ok {
		switch v.(type) {
		case nil, []any, map[string]any:
			o.fail("%s: must be one of the labels, not %s", key, preview(v))
			return 0
		}
		data, err := gojq.Marshal(v)
		if err != nil {
			o.fail("%s: %v", key, err)
		}
		name = string(data)
	}
	i, ok := labels[name]
	if !ok {
		o.fail("%s: %s is none of the %d declared labels", key, preview(v), len(labels))
	}
	return i
}

// integer returns v, which must be a whole number of 0..limit-1.
func (o *object) integer(v any, what string, limit int) int {
	n := -1
	switch v := v.(type) {
	case int:
		n = v
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			n = int(v)
		}
	}
	if n < 0 || n >= limit {
		o.fail("%s: %s is no index below %d", what, preview(v), limit)
		return 0
	}
	return n
}

// number returns a number of a range.
func (o *object) number(key string, ends [2]float64) float64 {
	var x float64
	switch v := o.take(key).(type) {
	case int:
		x = float64(v)
	case float64:
		x = v
	default:
		o.fail("%s: must be a number, not %s", key, preview(v))
		return 0
	}
	if !(x >= ends[0] && x <= ends[1]) { // NaN is not
		o.fail("%s: %g is not in the range of %g to %g", key, x, ends[0], ends[1])
	}
	return x
}

func (o *object) index(key string, limit int) int { return o.integer(o.take(key), key, limit) }

// answers checks that every answer stands in the passage where it claims to,
// and turns starts from code points, which jq and SQuAD count, to bytes.
func (o *object) answers(key, passage string, none bool) []Answer {
	if list, ok := o.fields[key].([]any); ok && none && len(list) == 0 {
		o.take(key)
		return nil
	}
	list := o.list(key)
	if o.err != nil {
		return nil
	}
	offsets := make([]int, 0, len(passage)) // of each code point
	for i := range passage {
		offsets = append(offsets, i)
	}
	answers := make([]Answer, len(list))
	for i, v := range list {
		what := fmt.Sprintf("%s[%d]", key, i)
		a := newObject(v)
		text := a.text("text")
		start := a.index("start", len(offsets))
		if err := a.end(); err != nil {
			o.fail("%s: %w", what, err)
			return nil
		}
		at := offsets[start]
		if !strings.HasPrefix(passage[at:], text) {
			there := passage[at:min(len(passage), at+len(text))]
			o.fail("%s: the passage has %s at %d, not %s", what, preview(strings.ToValidUTF8(there, "")), start, preview(text))
			return nil
		}
		answers[i] = Answer{Text: text, Start: at}
	}
	return answers
}

func preview(v any) string { return gojq.Preview(v) }
