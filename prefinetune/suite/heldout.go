package suite

import (
	"slices"
	"strings"

	"github.com/muppet-go/muppet/prefinetune/task"
)

// An errand is a held-out task or a control: rows about some of the things.
type errand struct {
	name, description string
	family            task.Family
	labels            []string
	draft             func(r source, some []thing, i int) task.Example
}

// among drafts rows about some of the things.
func (x errand) among(some []thing) func(source, int) task.Example {
	return func(r source, i int) task.Example { return x.draft(r, some, i) }
}

var errands = []errand{
	{"care", "what to bring when one sees to a thing", task.Classification, []string{"food", "water", "brush"},
		byProperty(kind, []int{creature: 0, plant: 1, stone: 2, tool: 2}, []string{
			"Tomorrow {p} will spend the day with the {e}.",
			"{p} sets out to look after the {c} {e}.",
			"To see to the {e} as one should, {p} has to be prepared.",
			"{p} and {q} go together and take care of the {s} {e}.",
			"{o} has left {p} alone with the {e}.",
		})},
	{"packing", "what to pack to travel to a thing", task.Classification, []string{"boat", "rope", "lamp"},
		byProperty(habitat, []int{lake: 0, marsh: 0, cliff: 1, hill: 1, cave: 2, forest: 2}, []string{
			"Tomorrow {p} will travel to the home of the {e}.",
			"{p} packs for a visit to the place of the {c} {e}.",
			"To study the {e} where it is found, {p} needs to be prepared.",
			"{p} and {q} set out together for the {s} {e}.",
			"{o} has asked {p} to bring the {e} back.",
		})},
	{"thanks", "what to give to a thing's keeper", task.Classification, []string{"flour", "wool", "coal"},
		byProperty(keeper, trade, []string{
			"{p} takes back the {e} and brings a present.",
			"The {c} {e} was a great help, and {p} wants to show it.",
			"{p} and {q} owe somebody for the {s} {e}.",
			"With many thanks for the {e}, wrote {p}.",
			"{p} does not return the {e} with empty hands.",
		})},
	{"scenery", "choose what one sees at the home of a thing", task.Commonsense, nil, scenery},
	{"swap", "find who gave what to whom", task.MRC, nil, swap},
	{"notice", "what a notice of a lost thing says, in a line", task.Summarisation, nil, notice},
}

// byProperty drafts sentences labelled by a property of the thing that none of the phrases
// names.
func byProperty(rel int, label []int, phrases []string) func(source, []thing, int) task.Example {
	return func(r source, some []thing, i int) task.Example {
		for want := i % (slices.Max(label) + 1); ; {
			if t := some[r.intn(len(some))]; label[t.is[rel]] == want {
				return task.Example{Text: r.about(r.pick(phrases), t), Label: want}
			}
		}
	}
}

var (
	arrivals = []string{
		"At noon {p} and {q} reach the home of the {e}.",
		"{p} stands where the {c} {e} comes from.",
		"Where the {e} is at home, {p} looks about.",
		"This, says {p}, is the land of the {s} {e}.",
	}
	views = [][]string{
		lake:   {"Waves run up on the sand.", "A boat lies at the pier."},
		marsh:  {"The ground is soft and the reeds are high.", "Frogs sit in the mud."},
		cliff:  {"Far below them is the sea.", "It goes straight down at their feet."},
		hill:   {"Sheep stand on the grassy top.", "From up here one sees the roofs."},
		cave:   {"It is dark and water drips from above.", "Bats hang over their heads."},
		forest: {"Tall trunks stand on all sides.", "An owl calls from a branch."},
	}
)

// scenery offers two to four views.
func scenery(r source, some []thing, i int) task.Example {
	t := some[r.intn(len(some))]
	return r.ranked(r.about(r.pick(arrivals), t), r.oneOf(views, t.is[habitat], 2+i%3))
}

var gifts = []string{"{p} gave the {e} to {q}.", "{q} got the {e} from {p}.", "The {e} went from {p} to {q}."}

// swap tells two gifts between four people, and asks for a thing or a person.
func swap(r source, some []thing, i int) task.Example {
	who, what := r.some(4, len(people)), r.some(2, len(some))
	gift := func(k int) string {
		return fill(r.pick(gifts), "{p}", people[who[2*k]], "{q}", people[who[2*k+1]], "{e}", some[what[k]].name)
	}
	passage, begins := r.passage([]string{gift(0), gift(1)})
	giver, taker, given := people[who[0]], people[who[1]], some[what[0]].name
	question, answer := "", ""
	switch i % 3 {
	case 0:
		question, answer = "What does "+taker+" have now?", given
	case 1:
		question, answer = "Who owned the "+given+" before?", giver
	case 2:
		question, answer = "Who owns the "+given+" now?", taker
	}
	return task.Example{Question: question, Passage: passage, Answers: answersOf(answer, passage, begins[0])}
}

var losses = [][]string{
	{"{p} has lost the {e}.", "The {e} of {p} is gone.", "{p} misses the {e}."},
	{"It was last seen near the {h}.", "Somebody saw it around the {h}.", "It was on the way to the {h}."},
	{"It is {c}.", "One knows it by its {c} look.", "It looks {c}."},
}

// notice tells what is lost, where, and what colour it has, the last two in either order; the summary has
// the first words for place and colour.
func notice(r source, some []thing, i int) task.Example {
	t, place := some[r.intn(len(some))], r.intn(len(forms[habitat]))
	p := r.pick(people)
	var told []string
	for _, phrases := range losses {
		told = append(told, fill(r.pick(phrases), "{p}", p, "{e}", t.name, "{h}", r.word(habitat, place), "{c}", r.word(colour, t.is[colour])))
	}
	if i%2 == 1 {
		told[1], told[2] = told[2], told[1]
	}
	told = append(told, r.pick([]string{"Please help.", "There is a reward.", "Any news is welcome."}))
	return task.Example{Source: strings.Join(told, " "), Target: fill("{p} seeks the {c} {e} near the {h}.", "{p}", p,
		"{e}", t.name, "{c}", canon(colour, t.is[colour]), "{h}", canon(habitat, place))}
}

var controls = []errand{
	{"coin", "sentences of the world with labels by lot", task.Classification, []string{"heads", "tails"}, coin},
	{"cipher", "which of two sets most digits of a string are from", task.Classification, []string{"first", "second"}, cipher},
}

// coin has the phrases of no other task, and no reason for its labels.
func coin(r source, some []thing, _ int) task.Example {
	return task.Example{Text: r.about(r.pick([]string{
		"{p} bet on the {e}.", "{p} and {q} play for the {c} {e}.", "The {s} {e} or nothing, says {p}.", "Luck brought {p} the {e} of {o}.", "{p} throws a penny over the {e}.",
	}), some[r.intn(len(some))]), Label: r.intn(2)}
}

// codes are the two sets of digits of cipher.
var codes = [2][]string{{"0", "3", "4", "7", "8"}, {"1", "2", "5", "6", "9"}}

// cipher strings together five digits, three or four of them from the label's set.
func cipher(r source, _ []thing, i int) task.Example {
	label := i % 2
	n := 3 + r.intn(2)
	var list []string
	for k := range 5 {
		from := label
		if k >= n {
			from = 1 - label
		}
		list = append(list, r.pick(codes[from]))
	}
	r.shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return task.Example{Text: strings.Join(list, " "), Label: label}
}
