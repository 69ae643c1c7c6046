package prefinetune

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/muppet-go/muppet/prefinetune/task"
	"github.com/muppet-go/muppet/transformer/tokenizer"
)

// An Inspection is a look at a split of a task as a model will see it.
type Inspection struct {
	Examples  int
	Labels    []int     // examples of each class, or of each place of the right candidate
	Length    Quantiles // of the sequences: tokens, or words where there is no tokenizer
	Sequences int
	Truncated int // examples of which a sequence does not hold all text
	First     []InspectedExample
}

// An InspectedExample is an example with the sequences that are made of it.
type InspectedExample struct {
	task.Example
	Wanted    string     // what is to be learned, in words
	Sequences [][]string // the tokens of each sequence; without a tokenizer none
	Truncated bool
}

// Inspect reads a split of a task and describes it, with the first show examples.
// tok may be nil; maxLength is the longest sequence in tokens.
func Inspect(t *task.Task, split string, tok *tokenizer.Tokenizer, maxLength, show int) (*Inspection, error) {
	in := &Inspection{}
	var lengths []int
	err := t.Each(split, func(ex task.Example) error {
		in.Examples++
		seen := InspectedExample{Example: ex, Wanted: wanted(t, ex)}
		if at := position(t, ex); at >= 0 {
			for at >= len(in.Labels) {
				in.Labels = append(in.Labels, 0)
			}
			in.Labels[at]++
		}
		if tok == nil {
			lengths = append(lengths, words(ex))
		} else {
			sequences, truncated, err := sequencesOf(t, ex, tok, maxLength)
			if err != nil {
				return err
			}
			seen.Truncated = truncated
			if truncated {
				in.Truncated++
			}
			for _, s := range sequences {
				lengths = append(lengths, len(s.IDs))
			}
			if len(in.First) < show {
				for _, s := range sequences {
					tokens := make([]string, len(s.IDs))
					for i, id := range s.IDs {
						tokens[i] = tok.Token(id)
					}
					seen.Sequences = append(seen.Sequences, tokens)
				}
			}
		}
		if len(in.First) < show {
			in.First = append(in.First, seen)
		}
		return nil
	}, nil)
	if err != nil {
		return nil, err
	}
	if in.Examples == 0 {
		return nil, fmt.Errorf("task %s: no examples in split %q %s", t.Name, split, t.Files(split))
	}
	in.Sequences = len(lengths)
	slices.Sort(lengths)
	at := func(q float64) int { return lengths[int(math.Ceil(q*float64(len(lengths))))-1] }
	in.Length = Quantiles{at(0.5), at(0.9), at(0.99), at(1)}
	return in, nil
}

// position returns an example's class or the place of its right candidate; −1 for a
// family without one.
func position(t *task.Task, ex task.Example) int {
	switch t.Family {
	case task.Classification:
		return ex.Label
	case task.Commonsense:
		return ex.Answer
	}
	return -1
}

func wanted(t *task.Task, ex task.Example) string {
	switch t.Family {
	case task.Classification:
		return t.Labels[ex.Label]
	case task.Regression:
		return strconv.FormatFloat(ex.Score, 'g', -1, 64)
	case task.Commonsense:
		return fmt.Sprintf("%d: %s", ex.Answer, ex.Choices[ex.Answer])
	case task.MRC:
		if len(ex.Answers) == 0 {
			return "none"
		}
		answers := make([]string, len(ex.Answers))
		for i, a := range ex.Answers {
			answers[i] = fmt.Sprintf("%s (bytes %d to %d)", a.Text, a.Start, a.Start+len(a.Text))
		}
		return strings.Join(answers, "; ")
	}
	return ex.Target
}

// words counts the words of all that an example puts before a model.
func words(ex task.Example) int {
	n := 0
	for _, s := range append([]string{ex.Text, ex.Text2, ex.Context, ex.Question, ex.Passage, ex.Source}, ex.Choices...) {
		n += len(strings.Fields(s))
	}
	return n
}

// sequencesOf returns what the model gets; of a summarisation also the target.
func sequencesOf(t *task.Task, ex task.Example, tok *tokenizer.Tokenizer, maxLength int) ([]tokenizer.Encoding, bool, error) {
	enc := &encoder{tok: tok, maxLength: maxLength, budget: maxLength * max(1, len(ex.Choices))}
	e, err := enc.encode(0, t, ex)
	if err != nil {
		return nil, false, err
	}
	if e.labels != nil {
		e.sequences = append(e.sequences, tokenizer.Encoding{IDs: e.labels})
	}
	return e.sequences, e.truncated, nil
}
