package prefinetune

import (
	"fmt"

	"github.com/muppet-go/muppet/prefinetune/task"
	"github.com/muppet-go/muppet/transformer/tokenizer"
)

// example is one example as the model sees it.
type example struct {
	task      int
	sequences [][]int32 // one text; a ranking's candidates; the windows of a span's passage
	target    int       // class or candidate; for a span the window with the answer, -1 for none
	spans     []window  // of each sequence, for a span task
	start     int       // first and last token of the answer, counted from the start of
	end       int       // its window's passage part
	truncated bool      // not all of the text is there
	where     string    // file and line it came from
}

// window is the part of a sequence that holds passage tokens.
type window struct {
	first, count int              // tokens of the sequence
	offsets      []tokenizer.Span // of those tokens in the passage
}

// tokens returns how many tokens of a training batch the example takes.
func (e *example) tokens() int {
	n := 0
	for _, s := range e.training() {
		n += len(s)
	}
	return n
}

// training returns the sequences to train on: for a span, the window with the answer.
func (e *example) training() [][]int32 {
	if e.spans != nil {
		return e.sequences[e.target : e.target+1]
	}
	return e.sequences
}

// encoder turns texts into sequences.
type encoder struct {
	tok       *tokenizer.Tokenizer
	maxLength int // tokens of a sequence
	budget    int // tokens of an example
}

func (enc *encoder) encode(index int, t *task.Task, ex task.Example) (*example, error) {
	e := &example{task: index}
	switch t.Family {
	case task.Classification:
		e.target = ex.Label
		e.sequences = [][]int32{enc.join(e, enc.maxLength, ex.Text, ex.Text2)}
	case task.Commonsense:
		e.target = ex.Answer
		limit := min(enc.maxLength, enc.budget/len(ex.Choices))
		if limit < 8 {
			return nil, fmt.Errorf("%s: task %s: %d candidates do not fit %d tokens", ex.Where, t.Name, len(ex.Choices), enc.budget)
		}
		for _, choice := range ex.Choices {
			e.sequences = append(e.sequences, enc.join(e, limit, ex.Context, choice))
		}
	case task.MRC:
		enc.windows(e, ex)
	default:
		return nil, fmt.Errorf("%s: task %s: family %s has no loss here", ex.Where, t.Name, t.Family)
	}
	return e, nil
}

// join returns <s> a </s>, or <s> a </s></s> b </s> if there is a b. The longer text is
// cut first.
func (enc *encoder) join(e *example, limit int, a, b string) []int32 {
	x, y := enc.tok.Encode(a).IDs, enc.tok.Encode(b).IDs
	room := limit - 2
	if b != "" {
		room -= 2
	}
	if len(x)+len(y) > room {
		e.truncated = true
		nx, ny := longestFirst(len(x), len(y), max(room, 0))
		x, y = x[:nx], y[:ny]
	}
	seq := append(make([]int32, 0, len(x)+len(y)+4), enc.tok.BOS())
	seq = append(append(seq, x...), enc.tok.EOS())
	if b != "" {
		seq = append(append(append(seq, enc.tok.EOS()), y...), enc.tok.EOS())
	}
	return seq
}

// longestFirst shortens the longer of two lengths, and both alike once they are equal,
// until they fit.
func longestFirst(x, y, room int) (int, int) {
	half := room / 2
	switch {
	case x <= half:
		return x, room - x
	case y <= half:
		return room - y, y
	}
	return room - half, half
}

// windows makes the sequences <s> question </s></s> passage </s>. A passage that does
// not fit is seen through windows that overlap by half.
func (enc *encoder) windows(e *example, ex task.Example) {
	question := enc.tok.Encode(ex.Question).IDs
	if most := enc.maxLength / 3; len(question) > most {
		question, e.truncated = question[:most], true
	}
	passage := enc.tok.Encode(ex.Passage)
	room := enc.maxLength - len(question) - 4
	answer := ex.Answers[0]
	first, last := tokensOf(passage.Offsets, answer)
	e.target = -1
	for from := 0; ; from += (room + 1) / 2 {
		to := min(from+room, len(passage.IDs))
		seq := append(make([]int32, 0, len(question)+to-from+4), enc.tok.BOS())
		seq = append(append(seq, question...), enc.tok.EOS(), enc.tok.EOS())
		w := window{first: len(seq), count: to - from, offsets: passage.Offsets[from:to]}
		seq = append(append(seq, passage.IDs[from:to]...), enc.tok.EOS())
		if e.target < 0 && first >= from && last < to && first <= last {
			e.target, e.start, e.end = len(e.sequences), first-from, last-from
		}
		e.sequences, e.spans = append(e.sequences, seq), append(e.spans, w)
		if to == len(passage.IDs) {
			break
		}
	}
	if len(e.sequences) > 1 {
		e.truncated = true
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
