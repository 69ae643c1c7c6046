package baseline

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muppet-go/muppet/prefinetune/metrics"
	"github.com/muppet-go/muppet/prefinetune/suite"
	"github.com/muppet-go/muppet/prefinetune/task"
)

func TestMajority(t *testing.T) {
	c := &task.Task{Family: task.Classification, Labels: []string{"a", "b", "c"}}
	train := []task.Example{{Label: 2}, {Label: 1}, {Label: 2}, {Label: 1}, {Label: 0}}
	if p := Majority(c, train, make([]task.Example, 2)); !slices.Equal(p.Index, []int{1, 1}) {
		t.Errorf("classification: %v", p.Index)
	}
	r := &task.Task{Family: task.Commonsense}
	two, three := []string{"x", "y"}, []string{"x", "y", "z"}
	train = []task.Example{{Choices: three, Answer: 2}, {Choices: three, Answer: 2}, {Choices: two, Answer: 1}}
	dev := []task.Example{{Choices: two}, {Choices: three}, {Choices: []string{"x"}}}
	if p := Majority(r, train, dev); !slices.Equal(p.Index, []int{1, 2, 0}) {
		t.Errorf("commonsense: %v", p.Index)
	}
	m := &task.Task{Family: task.MRC}
	train = []task.Example{{Answers: []task.Answer{{Text: "two words"}}}}
	dev = []task.Example{{Passage: "  “Many little” birds sing."}, {Passage: "One"}, {Passage: ""}}
	if d := cmp.Diff([]string{"Many little", "One", ""}, Majority(m, train, dev).Text); d != "" {
		t.Error("mrc:", d)
	}
}

func TestNoRows(t *testing.T) {
	for _, k := range []*task.Task{
		{Family: task.Classification, Labels: []string{"a", "b"}}, {Family: task.Commonsense}, {Family: task.MRC},
	} {
		dev := []task.Example{{Text: "a b", Context: "a", Choices: []string{"a", "b"}}, {}}
		for _, f := range []func(*task.Task, []task.Example, []task.Example) metrics.Predictions{Majority, BagOfWords} {
			if p := f(k, nil, dev); len(p.Index)+len(p.Text) != len(dev) {
				t.Errorf("%s: %+v", k.Family, p)
			}
			f(k, dev, nil)
		}
	}
}

// A class told by a single word, by a bigram, or by the words that two texts share.
func TestBagOfWordsLearns(t *testing.T) {
	words := []string{"brask", "tovel", "morl", "hask", "skorn", "tizzen", "jolmy", "kebbit"}
	k := &task.Task{Family: task.Classification, Labels: []string{"no", "yes"}}
	for name, text := range map[string]func(i int) task.Example{
		"word": func(i int) task.Example {
			return task.Example{Text: words[i%8] + []string{" sleeps", " RUNS!"}[i%2], Label: i % 2}
		},
		"order": func(i int) task.Example {
			return task.Example{Text: words[i%7] + []string{" not so", " so not"}[i%2], Label: i % 2}
		},
		"second text": func(i int) task.Example {
			return task.Example{Text: "to and fro", Text2: words[i%7] + []string{" to", " fro"}[i%2], Label: i % 2}
		},
		"overlap": func(i int) task.Example {
			e := task.Example{Text: words[i%8] + " " + words[i/8%8], Text2: words[i/64%8] + " " + words[(i/3)%8], Label: i % 2}
			if e.Label == 1 {
				e.Text2 = e.Text
			} else if e.Text2[:3] == e.Text[:3] {
				e.Text2 = "nothing more"
			}
			return e
		},
	} {
		var train, dev []task.Example
		for i := range 400 {
			train, dev = append(train, text(i)), append(dev, text(i+400))
		}
		k.Metric = "accuracy"
		if v, _ := metrics.Score(k, dev, BagOfWords(k, train, dev)); v < 0.95 {
			t.Errorf("%s: accuracy %.3f", name, v)
		}
	}
	r := &task.Task{Family: task.Commonsense, Metric: "accuracy"}
	var train, dev []task.Example
	for i := range 200 {
		c := []string{words[i%7] + " here", words[i%5] + " there", words[i%3] + " nowhere"}
		at := i * 7 % 3
		c[0], c[at] = c[at], c[0]
		e := task.Example{Context: "where?", Choices: c, Answer: at}
		train, dev = append(train, e), append(dev, e)
	}
	if v, _ := metrics.Score(r, dev[100:], BagOfWords(r, train[:100], dev[100:])); v < 0.95 {
		t.Errorf("commonsense: accuracy %.3f", v)
	}
}

func TestSlidingWindow(t *testing.T) {
	passage := "Tavo met Anvi. Borlo saw the small morl today. Elka, too, slept in the cave."
	for _, c := range []struct {
		question string
		n        int
		want     string
	}{
		{"Who saw?", 1, "Borlo"}, // as near as "the", and before it
		{"the morl", 1, "small"}, // between both
		{"Elka slept", 1, "too"}, // its comma does not belong to it
		{"Borlo", 100, passage[:len(passage)-1]},
	} {
		if got := slidingWindow(c.question, passage, c.n); got != c.want {
			t.Errorf("%s %q, want %q", c.question, got, c.want)
		}
	}
}

// TestSummaries is on texts of which train keeps the actors, never the day.
func TestSummaries(t *testing.T) {
	k := &task.Task{Family: task.Summarisation, Metric: "rouge"}
	train := []task.Example{
		{Source: "one day the keeper Borlo went out", Target: "keeper Borlo went"},
		{Source: "on that day the keeper saw Elka", Target: "keeper saw"},
		{Source: "the day was a long one", Target: "long"},
	}
	dev := []task.Example{{Source: "On one such day, the keeper Borlo, slept."}, {Source: "day"}, {Source: ""}}
	if got, want := Majority(k, train, dev).Text, []string{"On one", "day", ""}; !slices.Equal(got, want) {
		t.Errorf("the first words are %q, want %q", got, want)
	}
	if got, want := BagOfWords(k, train, dev).Text, []string{"keeper Borlo", "day", ""}; !slices.Equal(got, want) {
		t.Errorf("the words most often kept are %q, want %q", got, want)
	}
	x := newExtractor(train)
	if got := x.best("keeper keeper Elka", 2); got != "keeper Elka" {
		t.Errorf("a word counts twice: %q", got)
	}
}

func TestDeterministic(t *testing.T) {
	for _, k := range suite.Tasks(1, task.Classification, task.Commonsense, task.MRC) {
		train, dev := k.Examples["train"], k.Examples["dev"]
		if d := cmp.Diff(BagOfWords(k, train, dev), BagOfWords(k, train, dev)); d != "" {
			t.Errorf("%s: %s", k.Name, d)
		}
	}
}

// The suite is of use while its words alone leave something to be learnt.
func TestHeadroom(t *testing.T) {
	hard, heldOut := 0, suite.HeldOut(1)
	for _, k := range append(suite.Tasks(1, task.Classification, task.Commonsense, task.MRC), heldOut...) {
		train, dev := k.Examples["train"], k.Examples["dev"]
		if v, _ := metrics.Score(k, dev, BagOfWords(k, train, dev)); v < 0.7 {
			hard++
		} else if slices.Contains(heldOut, k) {
			t.Errorf("a bag of words solves %s, which is held out: %.3f", k.Name, v)
		}
	}
	if hard < 6 {
		t.Errorf("a bag of words leaves only %d tasks", hard)
	}
}

// A passage of a stranger must not take more than linear time.
func TestLongTexts(t *testing.T) {
	long := make([]byte, 0, 1<<21)
	for len(long) < 1<<20 {
		long = append(long, "brask "...)
	}
	start := time.Now()
	k := &task.Task{Family: task.MRC}
	e := task.Example{Question: string(long), Passage: string(long), Answers: []task.Answer{{Text: string(long)}}}
	BagOfWords(k, []task.Example{e}, []task.Example{e})
	k = &task.Task{Family: task.Summarisation}
	e = task.Example{Source: string(long), Target: string(long[:1000])}
	BagOfWords(k, []task.Example{e}, []task.Example{e})
	if d := time.Since(start); d > 10*time.Second {
		t.Errorf("%v for a passage of a megabyte", d)
	}
}

func Example() {
	t := suite.HeldOut(1)[0]
	train, dev := t.Examples["train"], t.Examples["dev"]
	majority, _ := metrics.Score(t, dev, Majority(t, train, dev))
	words, se := metrics.Score(t, dev, BagOfWords(t, train, dev))
	fmt.Printf("majority %.2f, bag of words %.2f ± %.2f\n", majority, words, se)
	// Output: majority 0.34, bag of words 0.59 ± 0.03
}
