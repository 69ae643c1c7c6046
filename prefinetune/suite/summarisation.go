package suite

import (
	"slices"
	"strings"

	"github.com/muppet-go/muppet/prefinetune/task"
)

var summarisation = []recipe{
	{"gist", task.Summarisation, "a report on a thing, in a line", nil, "rouge", 480, 100, gist},
	{"headline", task.Summarisation, "what happened in a story, in a line", nil, "rouge", 400, 100, headline},
	{"mood", task.Summarisation, "who of two people liked a thing", nil, "rouge", 320, 100, mood},
}

// canon is the word that summaries have for a value.
func canon(rel, value int) string { return forms[rel][value][0] }

// gist: the report tells kind, colour and habitat of a thing, and in between what
// does not matter; the gist is always in the same form and words.
func gist(r source, i int) task.Example {
	t := r.anything()
	var sentences []string
	for _, rel := range []int{kind, colour, habitat} {
		sentences = append(sentences, r.statement(rel, t, t.is[rel]))
	}
	if i%2 == 1 {
		other := r.anything()
		sentences = append(sentences, fill(r.pick(asides), "{p}", r.pick(people)), r.statement(keeper, other, other.is[keeper]))
	}
	source, _ := r.passage(sentences)
	return task.Example{Source: source, Target: fill("The {e}: a {c} {k} from the {h}.", "{e}", t.name,
		"{c}", canon(colour, t.is[colour]), "{k}", canon(kind, t.is[kind]), "{h}", canon(habitat, t.is[habitat]))}
}

// openings and endings stand around what happened.
var (
	openings = []string{"It was a cold day.", "The road was long.", "Nobody had thought of it.", "There was talk in the village.", "It began with the rain."}
	endings  = []string{"Everyone was glad.", "What a day!", "Nothing else happened.", "It was late by then.", "That was all."}
)

// headline: the story tells a deed, in either way to say it, and names another person and a place;
// the headline says the deed in the first way.
func headline(r source, i int) task.Example {
	t := r.anything()
	deed := deeds[r.intn(len(deeds))]
	who := r.some(2, len(people))
	told := func(said int) string { return fill(deed[said], "{p}", people[who[0]], "{x}", "the "+t.name) }
	sentences := []string{r.pick(openings), told(r.intn(2)), fill(r.pick(asides), "{p}", people[who[1]]), r.pick(endings)}
	if i%2 == 1 {
		sentences[1], sentences[2] = sentences[2], sentences[1]
	}
	return task.Example{Source: strings.Join(sentences, " "), Target: told(0)}
}

// mood: two people say what they think; the summary says who liked it, in the order of the
// story.
func mood(r source, i int) task.Example {
	t := r.anything()
	who := r.some(2, len(people))
	likes := []bool{i%2 == 0, i/2%2 == 0}
	sentences := []string{r.pick(openings)}
	for k, w := range who {
		said := 0
		if likes[k] {
			said = 1
		}
		o := opinions[r.intn(len(opinions))]
		for !strings.HasPrefix(o.text, "{p}") {
			o = opinions[r.intn(len(opinions))]
		}
		if o.turns {
			said = 1 - said
		}
		sentences = append(sentences, fill(o.text, "{p}", people[w], "{e}", t.name, "{a}", r.pick(praise[said])))
	}
	p, q := people[who[0]], people[who[1]]
	target := p + " and " + q + " like the " + t.name + "."
	switch {
	case likes[0] && !likes[1]:
		target = p + " likes the " + t.name + ", " + q + " does not."
	case !likes[0] && likes[1]:
		target = q + " likes the " + t.name + ", " + p + " does not."
	case !slices.Contains(likes, true):
		target = "Neither " + p + " nor " + q + " likes the " + t.name + "."
	}
	return task.Example{Source: strings.Join(sentences, " "), Target: target}
}
