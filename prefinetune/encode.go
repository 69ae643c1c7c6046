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
	target    int                  // class or candidate; for a span the window with the answer, -1 for none
	spans     []window             // of each sequence, for a span task
	start     int                  // first and last token of the answer, counted from the start of
	end       int                  // its window's passage part
	truncated bool                 // not all of the text is there
	where     string               // file and line it came from
}

// window is the part of a sequence that holds passage tokens.
type window struct {
	first, count int              // tokens of the sequence
	offsets      []tokenizer.Span // of those tokens in the passage
}

// tokens returns how many tokens of a training batch the example takes, the encoder's and the
// decoder's.
func (e *example) tokens() int { return e.tokensOf(e.training()) }

func (e *example) tokensOf(sequences []tokenizer.Encoding) int {
	n := len(e.labels)
	for _, s := range sequences {
		n += len(s.IDs)
		if e.decoded {
			n += len(s.IDs)
		}
	}
	return n
}

// training returns the sequences to train on: for a span, the window with the answer.
func (e *example) training() []tokenizer.Encoding {
	if e.spans != nil {
		return e.sequences[e.target : e.target+1]
	}
	return e.sequences
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
		enc.windows(e, ex)
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
// seen through windows that overlap by half.
func (enc *encoder) windows(e *example, ex task.Example) {
	question, passage := enc.tok.Encode(ex.Question), enc.tok.Encode(ex.Passage)
	if most := enc.maxLength / 3; len(question.IDs) > most {
		question.IDs, question.Offsets, e.truncated = question.IDs[:most], question.Offsets[:most], true
	}
	special := len(enc.tok.PostProcess(tokenizer.Options{}, tokenizer.Encoding{}, tokenizer.Encoding{}).IDs)
	room := enc.maxLength - len(question.IDs) - special
	all := enc.tok.PostProcess(tokenizer.Options{
		MaxLength: enc.maxLength, Truncation: tokenizer.OnlySecond, Overflow: true, Stride: room / 2,
	}, question, passage)
	first, last := tokensOf(passage.Offsets, ex.Answers[0])
	e.target = -1
	e.truncated = e.truncated || all.Truncated
	for i, seq := range append([]tokenizer.Encoding{all}, all.Overflow...) {
		w := window{first: slices.Index(seq.Sequences, 1)}
		for w.first >= 0 && w.first+w.count < len(seq.IDs) && seq.Sequences[w.first+w.count] == 1 {
			w.count++
		}
		w.first = max(w.first, 0) // of an empty passage
		w.offsets = seq.Offsets[w.first : w.first+w.count]
		from := i * (room - room/2)
		if e.target < 0 && first >= from && last < from+w.count && first <= last {
			e.target, e.start, e.end = i, first-from, last-from
		}
		e.sequences = append(e.sequences, tokenizer.Encoding{IDs: seq.IDs, Types: seq.Types})
		e.spans = append(e.spans, w)
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
