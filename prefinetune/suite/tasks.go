package suite

import (
	"slices"
	"strings"

	"github.com/muppet-go/muppet/prefinetune/task"
)

// word returns one of the words for a value.
func (r source) word(rel, value int) string { return r.pick(forms[rel][value]) }

// thing draws a thing whose property has the value.
func (r source) thing(rel, value int) thing {
	for {
		if t := things[r.intn(len(things))]; t.is[rel] == value {
			return t
		}
	}
}

// anything draws any thing.
func (r source) anything() thing { return things[r.intn(len(things))] }

// about fills a phrase with a thing, two people, and true words for the properties.
func (r source) about(phrase string, t thing) string {
	p := r.intn(len(people))
	return fill(phrase, "{e}", t.name, "{p}", people[p], "{q}", people[r.other(len(people), p)],
		"{c}", r.word(colour, t.is[colour]), "{s}", r.word(size, t.is[size]),
		"{h}", r.word(habitat, t.is[habitat]), "{o}", r.word(keeper, t.is[keeper]))
}

func topic(r source, i int) task.Example {
	label := i % len(forms[kind])
	return task.Example{Text: r.about(r.pick(mentions), r.thing(kind, label)), Label: label}
}

func sentiment(r source, i int) task.Example {
	label := i % 2
	o := opinions[r.intn(len(opinions))]
	said := label
	if o.turns {
		said = 1 - label
	}
	first := r.intn(len(praise[said]))
	second := r.other(len(praise[said]), first)
	contrary := r.pick(praise[1-label])
	text := fill(o.text, "{a}", praise[said][first], "{b}", praise[said][second], "{x}", contrary)
	return task.Example{Text: r.about(text, r.anything()), Label: label}
}

// entailment: the hypothesis tells the same deed of the same person in other
// words, with the thing replaced by a property: true (0), or false (2). With
// another person nothing follows (1), be the property true or false.
func entailment(r source, i int) task.Example {
	label := i % 3
	t := r.anything()
	deed := deeds[r.intn(len(deeds))]
	said := r.intn(2)
	who := r.intn(len(people))
	rel := r.intn(relations)
	value := t.is[rel]
	if label == 2 || label == 1 && r.intn(2) == 0 {
		value = r.other(len(forms[rel]), value)
	}
	whom := who
	if label == 1 {
		whom = r.other(len(people), who)
	}
	return task.Example{
		Text:  fill(deed[said], "{p}", people[who], "{x}", "the "+t.name),
		Text2: fill(deed[1-said], "{p}", people[whom], "{x}", fill(something[rel], "{v}", r.word(rel, value))),
		Label: label,
	}
}

// question: every other question begins with another property of the thing, so
// that the words of two relations meet.
func question(r source, i int) task.Example {
	rel := i % relations
	t := r.anything()
	text := fill(r.pick(questions[rel]), "{e}", t.name)
	if r.intn(2) == 0 {
		known := r.other(relations, rel)
		text = r.statement(known, t, t.is[known]) + " " + text
	}
	return task.Example{Text: text, Label: rel}
}

func (r source) statement(rel int, t thing, value int) string {
	return fill(r.pick(statements[rel]), "{e}", t.name, "{v}", r.word(rel, value))
}

func facts(r source, i int) task.Example {
	label := i % 2
	t := r.anything()
	rel := r.intn(relations)
	value := t.is[rel]
	if label == 0 {
		value = r.other(len(forms[rel]), value)
	}
	return task.Example{Text: r.statement(rel, t, value), Label: label}
}

// home offers three or four habitats.
func home(r source, i int) task.Example {
	n := 3 + i%2
	t := r.anything()
	values := []int{lake, marsh, cliff, hill, cave, forest}
	right := t.is[habitat]
	values[0], values[right] = values[right], values[0]
	wrong := values[1:]
	r.shuffle(len(wrong), func(i, j int) { wrong[i], wrong[j] = wrong[j], wrong[i] })
	place := r.pick(places)
	choices := make([]string, n)
	for k := range choices {
		choices[k] = fill(place, "{v}", r.word(habitat, values[k]))
	}
	return r.ranked(r.about(r.pick(searches), t), choices)
}

// next offers two to five sentences, of which one fits the kind of the thing.
func next(r source, i int) task.Example {
	n := 2 + i%4
	t := r.anything()
	right := t.is[kind]
	choices := []string{r.pick(nextly[right])}
	for len(choices) < n {
		c := r.pick(nextly[r.other(len(nextly), right)])
		if !slices.Contains(choices, c) {
			choices = append(choices, c)
		}
	}
	return r.ranked(r.about(r.pick(scenes), t), choices)
}

// ranked shuffles the choices, the first of which is right.
func (r source) ranked(context string, choices []string) task.Example {
	e := task.Example{Context: context, Choices: choices}
	r.shuffle(len(choices), func(i, j int) {
		choices[i], choices[j] = choices[j], choices[i]
		switch e.Answer {
		case i:
			e.Answer = j
		case j:
			e.Answer = i
		}
	})
	return e
}

// reading tells two to four properties of different things, at least two of them
// the same property with different values, and asks for one of these two.
func reading(r source, i int) task.Example {
	n := 2 + i%3
	rel := []int{colour, habitat, keeper, size}[r.intn(4)]
	order := make([]int, len(things))
	for k := range order {
		order[k] = k
	}
	r.shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })

	asked, rest := things[order[0]], order[1:]
	sentences := []string{r.statement(rel, asked, asked.is[rel])}
	for k, o := range rest {
		if t := things[o]; t.is[rel] != asked.is[rel] {
			sentences = append(sentences, r.statement(rel, t, t.is[rel]))
			rest = append(rest[:k], rest[k+1:]...)
			break
		}
	}
	for k := 0; len(sentences) < n; k++ {
		t := things[rest[k]]
		other := r.other(relations, rel)
		sentences = append(sentences, r.statement(other, t, t.is[other]))
	}
	at := 0 // where the sentence with the answer ends up
	r.shuffle(n, func(i, j int) {
		sentences[i], sentences[j] = sentences[j], sentences[i]
		switch at {
		case i:
			at = j
		case j:
			at = i
		}
	})

	before := 0
	for _, s := range sentences[:at] {
		before += len(s) + len(" ")
	}
	for _, form := range forms[rel][asked.is[rel]] {
		if k := wordAt(sentences[at], form); k >= 0 {
			return task.Example{
				Question: fill(r.pick(questions[rel]), "{e}", asked.name),
				Passage:  strings.Join(sentences, " "),
				Answers:  []task.Answer{{Text: form, Start: before + k}},
			}
		}
	}
	panic("suite: no answer in " + sentences[at])
}

// wordAt returns the offset of a whole word in a sentence, or -1.
func wordAt(sentence, word string) int {
	at := 0
	for _, w := range strings.Fields(sentence) {
		if strings.Trim(w, ".") == word {
			return at
		}
		at += len(w) + 1
	}
	return -1
}

// among drafts errands for some of the things.
func (x errand) among(some []thing) func(source, int) task.Example {
	return func(r source, i int) task.Example {
		label := i % len(x.bring)
		for {
			if t := some[r.intn(len(some))]; x.label[t.is[x.rel]] == label {
				return task.Example{Text: r.about(r.pick(x.phrases), t), Label: label}
			}
		}
	}
}
