// Package suite is a small multi-task benchmark that needs no files: eight tasks
// and two held out, generated from an invented world.
//
// The world has forty things with invented names (a brask, a tovel, a morl). Each
// has a kind, a colour, a size, a habitat and a keeper; each value has one or two
// words, each relation several phrasings. Nothing about a thing can be guessed
// from its name, so a model that knows where the brask lives has learnt it from
// the examples:
//
//	topic       classification  the kind of the thing that a sentence mentions
//	sentiment   classification  invented adjectives, some of them negated
//	entailment  classification  does the second sentence follow, given the world?
//	question    classification  what a question asks for
//	facts       classification  is the statement true of the world?
//	home        commonsense     which of the places is the thing's habitat?
//	next        commonsense     which of 2 to 5 sentences can come next?
//	reading     mrc             a question about a passage of 2 to 4 sentences
//
// The held-out tasks have few training examples, which name half of the things, and
// dev examples that name all of them: words alone do not solve them, knowledge of the
// world does.
//
//	care        classification  what to bring when one sees to a thing, by its kind
//	packing     classification  what to pack to travel to a thing, by its habitat
//
// Care should profit from pre-finetuning, since topic asks for the kind of a thing by
// itself. For packing that is less clear: no classification asks for the habitat; home
// teaches whether a place that is named fits, facts and entailment whether a statement holds.
//
// Everything is a function of the seed, on every platform and with every version
// of Go. The world itself does not depend on the seed.
package suite

import (
	"fmt"
	"math/bits"
	"math/rand/v2"
	"strings"

	"github.com/muppet-go/muppet/prefinetune/task"
)

// Sizes of a held-out task.
const (
	heldOutTrain = 64
	heldOutDev   = 400
)

// A recipe generates a task's examples one at a time.
type recipe struct {
	name        string
	family      task.Family
	description string
	labels      []string
	metric      string
	train, dev  int // rows
	// draft makes the i-th example; i modulo the number of classes is its label,
	// which balances them.
	draft func(r source, i int) task.Example
}

var recipes = []recipe{
	{"topic", task.Classification, "the kind of the thing that a sentence mentions", []string{"creature", "plant", "stone", "tool"}, "accuracy", 480, 160, topic},
	{"sentiment", task.Classification, "opinions in invented adjectives, some negated", []string{"negative", "positive"}, "accuracy", 480, 160, sentiment},
	{"entailment", task.Classification, "whether the second sentence follows from the first, given the world", []string{"entailment", "neutral", "contradiction"}, "accuracy", 800, 200, entailment},
	{"question", task.Classification, "what a question asks for", []string{"kind", "colour", "size", "habitat", "keeper"}, "accuracy", 300, 150, question},
	{"facts", task.Classification, "whether a statement is true of the world", []string{"false", "true"}, "accuracy", 800, 200, facts},
	{"home", task.Commonsense, "choose the habitat of a thing", nil, "accuracy", 640, 160, home},
	{"next", task.Commonsense, "choose the sentence that can come next", nil, "accuracy", 640, 160, next},
	{"reading", task.MRC, "find the answer to a question in a short passage", nil, "em_f1", 800, 200, reading},
}

// Tasks returns the eight tasks with their examples, splits "train" and "dev".
// No text of a dev split occurs in the train split of its task.
func Tasks(seed uint64) []*task.Task {
	tasks := make([]*task.Task, len(recipes))
	for i, c := range recipes {
		rows := c.rows(newSource(seed, c.name), c.train+c.dev, c.draft, map[string]bool{})
		tasks[i] = c.task(rows[:c.train], rows[c.train:])
	}
	return tasks
}

// HeldOut returns the tasks for few-shot fine-tuning, care and packing: a pool of 64
// training examples each, which name half of the world's things, and 400 dev examples,
// which name all of them. They share no text with Tasks of any seed.
func HeldOut(seed uint64) []*task.Task {
	tasks := make([]*task.Task, len(errands))
	for i, x := range errands {
		c := recipe{name: x.name, family: task.Classification, description: x.description, labels: x.bring, metric: "accuracy"}
		r, seen := newSource(seed, x.name), map[string]bool{}
		train := c.rows(r, heldOutTrain, x.among(things[:len(things)/2]), seen)
		dev := c.rows(r, heldOutDev, x.among(things), seen)
		tasks[i] = c.task(train, dev)
	}
	return tasks
}

// Corpus returns plain text of the world, one sentence or passage a string, to
// train a tokenizer or a masked language model on: true statements and the texts
// of the training rows of Tasks(seed), without what contradicts the world. Nothing
// in it is a dev text.
func Corpus(seed uint64) []string {
	tasks := Tasks(seed)
	seen := map[string]bool{}
	for _, t := range tasks {
		for _, e := range t.Examples["dev"] {
			seen[key(e)] = true
		}
	}
	var corpus []string
	add := func(text string) {
		if !seen[text] && text != "" {
			seen[text] = true
			corpus = append(corpus, text)
		}
	}
	for _, t := range things {
		for rel, phrases := range statements {
			for _, phrase := range phrases {
				for _, v := range forms[rel][t.is[rel]] {
					add(fill(phrase, "{e}", t.name, "{v}", v))
				}
			}
		}
	}
	for _, t := range tasks {
		for _, e := range t.Examples["train"] {
			switch {
			case t.Name == "facts" && e.Label == 0: // untrue
			case t.Family == task.Commonsense:
				add(e.Context + " " + e.Choices[e.Answer])
			case t.Family == task.MRC:
				add(e.Passage)
			default:
				add(e.Text)
			}
		}
	}
	newSource(seed, "corpus").shuffle(len(corpus), func(i, j int) { corpus[i], corpus[j] = corpus[j], corpus[i] })
	return corpus
}

// rows drafts n examples with texts that are not in seen, in random order.
func (c recipe) rows(r source, n int, draft func(source, int) task.Example, seen map[string]bool) []task.Example {
	const tries = 1000 // far more than are needed while a grammar makes many more texts than rows
	rows := make([]task.Example, n)
	for i := range rows {
		e := draft(r, i)
		for k := 0; seen[key(e)]; k++ {
			if k == tries {
				panic(fmt.Sprintf("suite: the grammar of %s makes fewer than %d texts", c.name, n))
			}
			e = draft(r, i)
		}
		seen[key(e)] = true
		rows[i] = e
	}
	r.shuffle(n, func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	return rows
}

// key is the text by which examples count as the same, whatever the rest of them.
func key(e task.Example) string { return e.Text + e.Context + e.Passage } // a family sets one of them

func (c recipe) task(train, dev []task.Example) *task.Task {
	splits := map[string][]task.Example{"train": train, "dev": dev}
	for split, rows := range splits {
		for i := range rows {
			rows[i].Where = fmt.Sprintf("%s/%s:%d", c.name, split, i+1)
		}
	}
	return &task.Task{
		Name: c.name, Family: c.family, Description: c.description, Source: "generated",
		Labels: c.labels, Metric: c.metric, Default: true, Examples: splits,
	}
}

// source draws from PCG, whose stream of words is specified, by arithmetic of our
// own: the draws of rand.Rand may change between versions of Go.
type source struct{ *rand.PCG }

// newSource gives every name a stream of its own, so that a change of one task
// leaves the others as they were.
func newSource(seed uint64, name string) source {
	h := uint64(14695981039346656037) // FNV-1a
	for _, b := range []byte(name) {
		h = (h ^ uint64(b)) * 1099511628211
	}
	return source{rand.NewPCG(seed, h)}
}

// intn returns a number in [0, n).
func (r source) intn(n int) int {
	hi, _ := bits.Mul64(r.Uint64(), uint64(n))
	return int(hi)
}

func (r source) pick(list []string) string { return list[r.intn(len(list))] }

// other returns a number in [0, n) that is not not.
func (r source) other(n, not int) int {
	return (not + 1 + r.intn(n-1)) % n
}

func (r source) shuffle(n int, swap func(i, j int)) {
	for i := n - 1; i > 0; i-- {
		swap(i, r.intn(i+1))
	}
}

// fill replaces the placeholders of a phrase: fill(phrase, "{e}", "brask", …).
func fill(phrase string, pairs ...string) string {
	return strings.NewReplacer(pairs...).Replace(phrase)
}
