package suite

import (
	"slices"

	"github.com/muppet-go/muppet/prefinetune/task"
)

var commonsense = []recipe{
	{"home", task.Commonsense, "choose the habitat of a thing", nil, "accuracy", 480, 160, home},
	{"next", task.Commonsense, "choose the sentence that can come next", nil, "accuracy", 480, 160, next},
	{"kin", task.Commonsense, "choose the thing of the same kind", nil, "accuracy", 480, 160, kin},
	{"lender", task.Commonsense, "choose who keeps a thing", nil, "accuracy", 400, 120, lender},
	{"describe", task.Commonsense, "choose the description that fits a thing", nil, "accuracy", 480, 160, describe},
	{"route", task.Commonsense, "choose the place that comes next on the road", nil, "accuracy", 300, 100, route},
}

// searches ask for a habitat, places answer.
var (
	searches = []string{
		"{p} wants to find the {e}. Where to go?",
		"Where would {p} look for the {e}?",
		"{p} has heard of the {c} {e} and sets out for it.",
		"Somebody has to bring the {s} {e}. {p} knows the way.",
		"{o} sends {p} out for the {e}.",
	}
	places = []string{"Near the {v}.", "Around the {v}.", "To the {v}."}
)

// home offers three or four habitats.
func home(r source, i int) task.Example {
	t := r.anything()
	return r.choose(r.about(r.pick(searches), t), len(forms[habitat]), t.is[habitat], 3+i%2, func(v int) string {
		return fill(r.pick(places), "{v}", r.word(habitat, v))
	})
}

// choose offers n of the values, the right one among them, in words.
func (r source) choose(context string, values, right, n int, words func(value int) string) task.Example {
	choices := []string{words(right)}
	for _, v := range r.some(values, values) {
		if v != right && len(choices) < n {
			choices = append(choices, words(v))
		}
	}
	return r.ranked(context, choices)
}

// scenes come before what happened next; nextly[kind] is what happens to such things.
var (
	scenes = []string{
		"{p} came back to the {e}.",
		"{p} took a second look at the {c} {e}.",
		"In the morning {p} went to the {e} near the {h}.",
		"{o} brought the {s} {e} to {p}.",
		"{p} had left the {e} alone for a week.",
		"After the rain {p} found the {c} {e} again.",
	}
	nextly = [][]string{
		creature: {
			"It yawned and went back to sleep.", "It ran away on quick legs.", "It was feeding its young.",
			"It growled and showed its teeth.", "It wanted to be fed.", "It had followed the sound of steps.",
		},
		plant: {
			"Its leaves had opened in the sun.", "It had grown a new root.", "It was in flower at last.",
			"It needed water and better soil.", "Its seeds lay all around.", "Its stem had bent in the wind.",
		},
		stone: {
			"It lay there hard and cold.", "It had cracked in the frost.", "It was too heavy to lift.",
			"Moss covered its flat side.", "A vein of ore ran through it.", "It had rolled down and broken in two.",
		},
		tool: {
			"Its handle had come loose.", "It had been sharpened for the work.", "It was the right one for the job.",
			"It was rusty and wanted oil.", "It hung in its place on the workshop wall.", "Its blade needed mending.",
		},
	}
)

// next offers two to five sentences, of which one fits the kind of the thing.
func next(r source, i int) task.Example {
	n := 2 + i%4
	t := r.anything()
	return r.ranked(r.about(r.pick(scenes), t), r.oneOf(nextly, t.is[kind], n))
}

// oneOf returns n different sentences, the first of them, and no other, from the group of
// that number.
func (r source) oneOf(groups [][]string, right, n int) []string {
	choices := []string{r.pick(groups[right])}
	for len(choices) < n {
		c := r.pick(groups[r.other(len(groups), right)])
		if !slices.Contains(choices, c) {
			choices = append(choices, c)
		}
	}
	return choices
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

// comparisons ask for a thing that is of {e}'s kind.
var comparisons = []string{
	"What else is like the {e}, asked {p}.",
	"{p} puts the {c} {e} with others of its kind.",
	"Which of these goes with the {s} {e}? {p} knows.",
	"{p} has the {e} and looks for its like.",
	"To {p} the {e} from the {h} and this are of one kind.",
}

func kin(r source, i int) task.Example {
	t := r.anything()
	choices := []string{}
	for len(choices) < 3 {
		o := r.anything()
		if right := o.is[kind] == t.is[kind]; o.name == t.name || right != (len(choices) == 0) || slices.Contains(choices, "The "+o.name+".") {
			continue
		}
		choices = append(choices, "The "+o.name+".")
	}
	return r.ranked(r.about(r.pick(comparisons), t), choices)
}

// requests are for {e}, to a keeper who is not named.
var requests = []string{
	"{p} needs the {e}. Who can lend it?",
	"Whom does {p} ask for the {c} {e}?",
	"{p} wants to buy the {s} {e} and goes to its keeper.",
	"The {e} is to go home, says {p}. But to whom?",
	"{p} found the {e} by the {h} and brings it back.",
}

// lender offers two to six of the keepers.
func lender(r source, i int) task.Example {
	t := r.anything()
	return r.choose(r.about(r.pick(requests), t), len(forms[keeper]), t.is[keeper], 2+i%5, func(v int) string {
		return r.word(keeper, v) + " has it."
	})
}

// portraits ask for a description of {e}.
var portraits = []string{
	"{p} tells {q} what the {e} is like.",
	"What is it, the {e}, asked {p}.",
	"{p} draws the {e} for {q}.",
	"{p} has never seen the {e}. {q} describes it.",
	"A book of {p} has a page on the {e}.",
}

// describe offers four descriptions; each of the wrong ones has one or two properties changed.
func describe(r source, i int) task.Example {
	t := r.anything()
	words := func(is [relations]int) string {
		return fill("A {s} {c} {k} from the {h}.", "{s}", r.word(size, is[size]), "{c}", r.word(colour, is[colour]),
			"{k}", r.word(kind, is[kind]), "{h}", r.word(habitat, is[habitat]))
	}
	choices := []string{words(t.is)}
	seen := [][relations]int{t.is}
	for len(choices) < 4 {
		is := t.is
		for _, k := range r.some(1+r.intn(2), 4) {
			rel := []int{kind, colour, size, habitat}[k]
			is[rel] = r.other(len(forms[rel]), is[rel])
		}
		if !slices.Contains(seen, is) {
			seen = append(seen, is)
			choices = append(choices, words(is))
		}
	}
	return r.ranked(r.about(r.pick(portraits), t), choices)
}

// marches come from a place {v}.
var marches = []string{
	"{p} leaves the {v} behind and follows the road.",
	"From the {v} the road goes on for {p} and {q}.",
	"{p} rides from the {v} along the road. Where to?",
	"In the morning {p} was at the {v}, in the evening one place further.",
	"{p} and {q} walk on from the {v}.",
}

// route offers three places and, every other time, names the one to start from by a thing that
// has its home there.
func route(r source, i int) task.Example {
	t := r.anything()
	from := r.word(habitat, t.is[habitat])
	if i%2 == 1 {
		from = "home of the " + t.name
	}
	return r.choose(r.about(fill(r.pick(marches), "{v}", from), t), len(forms[habitat]), beyond(t.is[habitat]), 3, func(v int) string {
		return fill(r.pick(places), "{v}", r.word(habitat, v))
	})
}
