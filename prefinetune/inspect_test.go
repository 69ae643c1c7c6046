package prefinetune

import (
	"strings"
	"testing"

	"github.com/muppet-go/muppet/prefinetune/task"
	"github.com/muppet-go/muppet/transformer/tokenizer"
)

// TestInspect looks at an example of each family.
func TestInspect(t *testing.T) {
	tok, err := tokenizer.Train(func(yield func(string) bool) { yield("a red kite is a kite") }, tokenizer.TrainConfig{VocabSize: 262})
	if err != nil {
		t.Fatal(err)
	}
	passage := "Mia has a kite. " + strings.Repeat("It is red. ", 6)
	for _, c := range []struct {
		family    task.Family
		example   task.Example
		wanted    string
		sequences int // at least
		truncated bool
		words     int
		labels    int
	}{
		{task.Classification, task.Example{Text: "a kite", Text2: "red", Label: 1}, "yes", 1, false, 3, 2},
		{task.Commonsense, task.Example{Context: "a", Choices: []string{"kite", "red kite", "is"}, Answer: 2}, "2: is", 3, false, 5, 3},
		{task.MRC, task.Example{Question: "Who?", Passage: passage, Answers: []task.Answer{{Text: "Mia"}, {Text: "kite", Start: 10}}}, "Mia (bytes 0 to 3); kite (bytes 10 to 14)", 3, true, 23, 0},
		{task.Summarisation, task.Example{Source: passage, Target: "a kite"}, "a kite", 2, true, 22, 0},
	} {
		tk := &task.Task{Name: "T", Family: c.family, Labels: []string{"no", "yes"}, Examples: map[string][]task.Example{"train": {c.example, c.example}}}
		in, err := Inspect(tk, "train", tok, 32, 1)
		if err != nil {
			t.Fatal(err)
		}
		if len(in.First) != 1 || in.Examples != 2 || len(in.Labels) != c.labels {
			t.Fatalf("%s: %+v", c.family, in)
		}
		first := in.First[0]
		if first.Wanted != c.wanted || first.Truncated != c.truncated || (in.Truncated == 2) != c.truncated {
			t.Errorf("%s: wanted %q, truncated %v (%d)", c.family, first.Wanted, first.Truncated, in.Truncated)
		}
		if len(first.Sequences) < c.sequences || in.Sequences != 2*len(first.Sequences) {
			t.Errorf("%s: %d sequences, %d in all", c.family, len(first.Sequences), in.Sequences)
		}
		for _, s := range first.Sequences {
			if len(s) > 32 || s[0] != "<s>" || s[len(s)-1] != "</s>" {
				t.Errorf("%s: sequence %q", c.family, s)
			}
		}
		plain, err := Inspect(tk, "train", nil, 32, 0)
		if err != nil || plain.Length.Max != c.words || len(plain.First) != 0 {
			t.Errorf("%s: without a tokenizer %+v, %v", c.family, plain, err)
		}
	}
	empty := &task.Task{Name: "T", Family: task.Classification, Examples: map[string][]task.Example{}}
	if _, err := Inspect(empty, "dev", nil, 32, 1); err == nil || !strings.Contains(err.Error(), "no examples") {
		t.Errorf("of nothing: %v", err)
	}
}
