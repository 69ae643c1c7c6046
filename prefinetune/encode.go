package prefinetune

import (
	"fmt"
	"slices"

	"github.com/muppet-go/muppet/prefinetune/task"
	"github.com/muppet-go/muppet/transformer/tokenizer"
)

// example is one example as the model sees it.
type example struct {
	task      int
	sequences []tokenizer.Encoding // one text; a ranking's candidates; the windows of a span's passage; a source
	labels    []int32              // what is to be written of a source, <s> to </s>
	decoded   bool                 // a decoder reads the sequences, too
	value     float64              // of a regression: the score, in training standardised
	target    int                  // class or candidate
	spans     []window             // of each sequence, for a span task
	truncated bool                 // not all of the text is there
	where     string               // file and line it came from
}

// window is the part of a sequence that holds passage tokens.
type window struct {
	first, count int              // tokens of the sequence
	offsets      []tokenizer.Span // of those tokens in the passage
	start, end   int              // first and last of them that the answer is; -1 if it is not, or not whole, among them
	none         bool             // that there is no answer may be said, by the sequence's first token
}

// choices returns how many positions there are to choose among.
func (w window) choices() int {
	if w.none {
		return w.count + 1
	}
	return w.count
}

// choice returns the number of the right one for the start of the answer, or its end; -1 if there
// is none.
func (w window) choice(end bool) int {
	at := w.start
	if end {
		at = w.end
	}
	if w.none {
		return at + 1
	}
	return at
}

// tokens returns how many tokens of a training batch the example takes, the encoder's and the
// decoder's.
func (e *example) tokens() int {
	n := len(e.labels)
	for _, s := range e.sequences {
		n += len(s.IDs)
		if e.decoded {
			n += len(s.IDs)
		}
	}
	return n
}

// training returns what is trained on. Of the windows of a passage that is the one where the answer
// has the most context, and if no window holds all of it, nothing. A question that may have no answer is
// asked of every window, as by Hugging Face: most do not hold it.
func (e *example) training() []*example {
	if e.spans == nil {
		return []*example{e}
	}
	var windows []*example
	best, most := -1, -1
	for i, w := range e.spans {
		if context := min(w.start, w.count-1-w.end); w.start >= 0 && context > most {
			best, most = i, context
		}
	}
	for i, w := range e.spans {
		if i != best && !w.none {
			continue
		}
		part := *e
		w.offsets = nil // only predictions are mapped back
		part.sequences, part.spans = []tokenizer.Encoding{e.sequences[i]}, []window{w}
		windows = append(windows, &part)
	}
	return windows
}

// encoder turns texts into sequences.
type encoder struct {
	tok       *tokenizer.Tokenizer
	maxLength int  // tokens of a sequence
	budget    int  // tokens of an example
	decoder   bool // the model has one
}

func (enc *encoder) encode(index int, t *task.Task, ex task.Example) (*example, error) {
	e := &example{task: index, decoded: enc.decoder && t.Family != task.Summarisation}
	switch t.Family {
	case task.Classification:
		e.target = ex.Label
		e.sequences = []tokenizer.Encoding{enc.join(e, enc.maxLength, ex.Text, ex.Text2)}
	case task.Regression:
		e.value = ex.Score
		e.sequences = []tokenizer.Encoding{enc.join(e, enc.maxLength, ex.Text, ex.Text2)}
	case task.Commonsense:
		e.target = ex.Answer
		room := enc.budget
		if e.decoded {
			room /= 2
		}
		limit := min(enc.maxLength, room/len(ex.Choices))
		if limit < 8 {
			return nil, fmt.Errorf("%s: task %s: %d candidates do not fit %d tokens", ex.Where, t.Name, len(ex.Choices), enc.budget)
		}
		for _, choice := range ex.Choices {
			e.sequences = append(e.sequences, enc.join(e, limit, ex.Context, choice))
		}
	case task.MRC:
		enc.windows(e, t, ex)
	case task.Summarisation:
		e.sequences = []tokenizer.Encoding{enc.join(e, enc.maxLength, ex.Source, "")}
		e.labels = enc.join(e, enc.maxLength, ex.Target, "").IDs
	default:
		return nil, fmt.Errorf("%s: task %s: family %s has no loss here", ex.Where, t.Name, t.Family)
	}
	return e, nil
}

// join returns what the model reads of one text, or of two if there is a b. The longer
// text is cut first.
func (enc *encoder) join(e *example, limit int, a, b string) tokenizer.Encoding {
	var pair []tokenizer.Encoding
	if b != "" {
		pair = append(pair, enc.tok.Encode(b))
	}
	seq := enc.tok.PostProcess(tokenizer.Options{MaxLength: limit}, enc.tok.Encode(a), pair...)
	e.truncated = e.truncated || seq.Truncated
	return tokenizer.Encoding{IDs: seq.IDs, Types: seq.Types}
}

// windows makes the sequences of question and passage. A passage that does not fit is
// seen through windows that overlap by half. Of several answers the first that a window holds is
// the one to be found.
func (enc *encoder) windows(e *example, t *task.Task, ex task.Example) {
	question, passage := enc.tok.Encode(ex.Question), enc.tok.Encode(ex.Passage)
	if most := enc.maxLength / 3; len(question.IDs) > most {
		question.IDs, question.Offsets, e.truncated = question.IDs[:most], question.Offsets[:most], true
	}
	special := len(enc.tok.PostProcess(tokenizer.Options{}, tokenizer.Encoding{}, tokenizer.Encoding{}).IDs)
	room := enc.maxLength - len(question.IDs) - special
	all := enc.tok.PostProcess(tokenizer.Options{
		MaxLength: enc.maxLength, Truncation: tokenizer.OnlySecond, Overflow: true, Stride: room / 2,
	}, question, passage)
	e.truncated = e.truncated || all.Truncated
	for _, seq := range append([]tokenizer.Encoding{all}, all.Overflow...) {
		w := window{first: slices.Index(seq.Sequences, 1), start: -1, end: -1, none: t.NoAnswer}
		for w.first >= 0 && w.first+w.count < len(seq.IDs) && seq.Sequences[w.first+w.count] == 1 {
			w.count++
		}
		w.first = max(w.first, 0) // of an empty passage
		w.offsets = seq.Offsets[w.first : w.first+w.count]
		e.sequences = append(e.sequences, tokenizer.Encoding{IDs: seq.IDs, Types: seq.Types})
		e.spans = append(e.spans, w)
	}
	found := false
	for _, a := range ex.Answers {
		first, last := tokensOf(passage.Offsets, a)
		for i := range e.spans {
			from, w := i*(room-room/2), &e.spans[i]
			if first >= from && last < from+w.count && first <= last {
				w.start, w.end, found = first-from, last-from, true
			}
		}
		if found {
			return
		}
	}
}

// tokensOf returns the first and last token that touch an answer.
func tokensOf(offsets []tokenizer.Span, a task.Answer) (first, last int) {
	first, last = len(offsets), -1
	for i, o := range offsets {
		if o.End > a.Start && o.Start < a.Start+len(a.Text) {
			first, last = min(first, i), i
		}
	}
	return first, last
}
