// Package suite is a small multi-task benchmark that needs no files: more than two dozen
// tasks of all families, six held out and two controls, generated from an invented world.
//
// The world has forty things with invented names (a brask, a tovel, a morl). Each
// has a kind, a colour, a size, a habitat and a keeper; each value has one or two
// words, each relation several phrasings. The habitats lie in regions and along a
// road, the keepers have trades. Nothing about a thing can be guessed
// from its name, so a model that knows where the brask lives has learnt it from
// the examples:
//
//	topic       classification  the kind of the thing that a sentence mentions
//	whose       classification  the keeper of the thing that a sentence mentions
//	region      classification  where a place is, or the home of a thing
//	trade       classification  what the keeper that a sentence names does for a living
//	facts       classification  is the statement true of the world?
//	entailment  classification  does the second sentence follow, given the world?
//	paraphrase  classification  do two questions ask for the same?
//	answers     classification  does the second sentence answer the question?
//	question    classification  what a question asks for
//	sentiment   classification  invented adjectives, some of them negated
//	tense       classification  past, present or future
//	grammar     classification  is the sentence put together as it should be?
//	likeness    regression      how much two sentences tell the same, from 0 to 5
//	home        commonsense     which of 3 or 4 places is the thing's habitat?
//	next        commonsense     which of 2 to 5 sentences can come next?
//	kin         commonsense     which of 3 things is of the same kind?
//	lender      commonsense     which of 2 to 6 people keeps the thing?
//	describe    commonsense     which of 4 descriptions fits the thing?
//	route       commonsense     which place is next on the road?
//	reading     mrc             a question about a passage of 2 to 4 sentences
//	naming      mrc             which thing of a passage has the property?
//	dialogue    mrc             which of the people in a story did it?
//	search      mrc             as reading; some questions have no answer
//	gist        summarisation   a report on a thing, in a line
//	headline    summarisation   what happened in a story, in a line
//	mood        summarisation   who of two people liked a thing
//
// The held-out tasks have few training examples, which name half of the things, and
// dev examples that name all of them: words alone do not solve them, knowledge of the
// world does.
//
//	care        classification  what to bring when one sees to a thing, by its kind
//	packing     classification  what to pack to travel to a thing, by its habitat
//	thanks      classification  what to give to a thing's keeper, by his or her trade
//	scenery     commonsense     what one sees at the home of a thing
//	swap        mrc             who gave what to whom
//	notice      summarisation   a notice of a lost thing, in a line
//
// Care, packing, thanks and scenery need what the tasks above teach of things. Swap and notice need
// only skills: to find an answer, to say the same with the words of gist. The controls are held-out
// tasks that knowledge of the world cannot help with. A gain on coin is an error in the comparison; one on
// cipher is what pre-finetuning gives whatever the words, such as to read a class off a text. Its
// digits are single tokens, and not more has to be put together than counts.
//
//	coin        classification  sentences of the world with labels by lot
//	cipher      classification  strings of digits that have nothing in common with the world
//
// Everything is a function of the seed, on every platform and with every version
// of Go. The world itself does not depend on the seed.
package suite

import (
	"fmt"
	"slices"

	"github.com/muppet-go/muppet/prefinetune/task"
)

// Sizes of a held-out task and of a control.
const (
	heldOutTrain = 64
	heldOutDev   = 200
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

var recipes = slices.Concat(classification, commonsense, mrc, summarisation)

// Tasks returns the tasks to pre-finetune on with their examples, splits "train" and
// "dev": those of the given families, or all. No text of a dev split occurs in the train split
// of its task.
func Tasks(seed uint64, families ...task.Family) []*task.Task {
	var tasks []*task.Task
	for _, c := range recipes {
		if !wanted(c.family, families) {
			continue
		}
		rows := c.rows(newSource(seed, c.name), c.train+c.dev, c.draft, map[string]bool{})
		tasks = append(tasks, c.task(rows[:c.train], rows[c.train:]))
	}
	return tasks
}

// HeldOut returns the tasks for few-shot fine-tuning, of the given families or all: a pool of 64
// training examples each, which name half of the world's things, and 200 dev examples,
// which name all of them. They share no text with Tasks of any seed.
func HeldOut(seed uint64, families ...task.Family) []*task.Task {
	return few(seed, errands, families)
}

// Controls returns two more tasks of the same sizes that no knowledge of the world can help
// with: coin, whose labels are drawn by lot, and cipher, which is not of this world.
func Controls(seed uint64) []*task.Task { return few(seed, controls, nil) }

func few(seed uint64, errands []errand, families []task.Family) []*task.Task {
	metrics := map[task.Family]string{
		task.Classification: "accuracy", task.Commonsense: "accuracy", task.MRC: "em_f1", task.Summarisation: "rouge",
	}
	var tasks []*task.Task
	for _, x := range errands {
		if !wanted(x.family, families) {
			continue
		}
		c := recipe{name: x.name, family: x.family, description: x.description, labels: x.labels, metric: metrics[x.family]}
		r, seen := newSource(seed, x.name), map[string]bool{}
		train := c.rows(r, heldOutTrain, x.among(things[:len(things)/2]), seen)
		dev := c.rows(r, heldOutDev, x.among(things), seen)
		tasks = append(tasks, c.task(train, dev))
	}
	return tasks
}

func wanted(f task.Family, families []task.Family) bool {
	return len(families) == 0 || slices.Contains(families, f)
}

// Corpus returns plain text of the world, one sentence or passage a string, to
// train a tokenizer or a language model on: true statements and the texts
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
	for _, text := range knowledge() {
		add(text)
	}
	for _, t := range tasks {
		for _, e := range t.Examples["train"] {
			switch {
			case t.Name == "facts" && e.Label == 0, t.Name == "grammar" && e.Label == 0: // untrue, or no sentence
			case t.Family == task.Commonsense:
				add(e.Context + " " + e.Choices[e.Answer])
			default:
				add(key(e))
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
func key(e task.Example) string { return e.Text + e.Context + e.Passage + e.Source } // a family sets one of them

func (c recipe) task(train, dev []task.Example) *task.Task {
	splits := map[string][]task.Example{"train": train, "dev": dev}
	for split, rows := range splits {
		for i := range rows {
			rows[i].Where = fmt.Sprintf("%s/%s:%d", c.name, split, i+1)
		}
	}
	t := &task.Task{
		Name: c.name, Family: c.family, Description: c.description, Source: "generated",
		Labels: c.labels, Metric: c.metric, Default: true, Examples: splits,
	}
	if c.family == task.Regression {
		t.Range = [2]float64{0, 5}
	}
	t.NoAnswer = c.family == task.MRC && slices.ContainsFunc(train, func(e task.Example) bool { return e.Answers == nil })
	return t
}
