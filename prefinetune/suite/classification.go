package suite

import (
	"strings"

	"github.com/muppet-go/muppet/prefinetune/task"
)

var classification = []recipe{
	{"topic", task.Classification, "the kind of the thing that a sentence mentions", []string{"creature", "plant", "stone", "tool"}, "accuracy", 480, 160, topic},
	{"whose", task.Classification, "the keeper of the thing that a sentence mentions", []string{"Mirra", "Tavo", "Oshel", "Pell", "Jundo", "Ketta"}, "accuracy", 480, 160, whose},
	{"region", task.Classification, "where a place is, or the home of a thing", regions, "accuracy", 400, 150, inRegion},
	{"trade", task.Classification, "what the keeper that a sentence names does for a living", trades, "accuracy", 300, 100, livelihood},
	{"facts", task.Classification, "whether a statement is true of the world", []string{"false", "true"}, "accuracy", 1600, 200, facts},
	{"entailment", task.Classification, "whether the second sentence follows from the first, given the world", []string{"entailment", "neutral", "contradiction"}, "accuracy", 1600, 200, entailment},
	{"paraphrase", task.Classification, "whether two questions ask for the same", []string{"different", "same"}, "f1", 600, 150, paraphrase},
	{"answers", task.Classification, "whether the second sentence answers the question", []string{"no", "yes"}, "accuracy", 600, 150, answers},
	{"question", task.Classification, "what a question asks for", []string{"kind", "colour", "size", "habitat", "keeper"}, "accuracy", 300, 150, question},
	{"sentiment", task.Classification, "opinions in invented adjectives, some negated", []string{"negative", "positive"}, "accuracy", 480, 160, sentiment},
	{"tense", task.Classification, "when it happened", []string{"past", "present", "future"}, "accuracy", 240, 120, tense},
	{"grammar", task.Classification, "whether a sentence is put together as it should be", []string{"wrong", "right"}, "matthews", 800, 160, grammar},
	{"likeness", task.Regression, "how much two sentences tell the same, 0 to 5", nil, "pearson_spearman", 800, 160, likeness},
}

// mentions name {e} in passing; {c}, {s}, {h} and {o} are its colour, size, habitat and keeper.
var mentions = []string{
	"{p} told a long story about the {e}.",
	"{p} saw the {s} {e} near the {h}.",
	"{p} came home with the {c} {e}.",
	"{p} asked {o} about the {e}.",
	"All day {p} was thinking of the {c} {e}.",
	"Near the {h} {p} came upon the {e}.",
	"{p} wanted to know more about the {s} {e}.",
	"{o} showed the {e} to {p} near the {h}.",
}

func topic(r source, i int) task.Example {
	label := i % len(forms[kind])
	return task.Example{Text: r.about(r.pick(mentions), r.thing(kind, label)), Label: label}
}

// borrowing mentions {e} and nobody who keeps anything.
var borrowing = []string{
	"{p} has borrowed the {e}.",
	"{p} wants to give back the {c} {e}.",
	"The {s} {e} is not mine, said {p}.",
	"{p} and {q} talked of who keeps the {e}.",
	"Somebody has lent {p} the {e}.",
	"{p} knocked at a door because of the {e} from the {h}.",
}

func whose(r source, i int) task.Example {
	label := i % len(forms[keeper])
	return task.Example{Text: r.about(r.pick(borrowing), r.thing(keeper, label)), Label: label}
}

// journeys go to a place {v}.
var journeys = []string{
	"{p} walked to the {v}.",
	"In spring {p} will see the {v}.",
	"{p} and {q} spent the night at the {v}.",
	"A letter came from the {v} for {p}.",
	"{p} has a house not far from the {v}.",
	"On the way to the {v} it rained on {p}.",
}

// inRegion names the place, or a thing that has its home there.
func inRegion(r source, i int) task.Example {
	label := i % len(regions)
	for {
		t := r.anything()
		if region[t.is[habitat]] != label {
			continue
		}
		where := r.word(habitat, t.is[habitat])
		if r.intn(2) == 0 {
			where = "home of the " + t.name
		}
		return task.Example{Text: r.about(fill(r.pick(journeys), "{v}", where), t), Label: label}
	}
}

// meetings name a keeper {o}.
var meetings = []string{
	"{o} greeted {p} at the gate.",
	"{p} saw {o} at work.",
	"In the evening {p} sat down with {o}.",
	"{o} had no time for {p} and {q}.",
	"{p} asked {o} about the work of the day.",
	"{o} has taught {p} a lot.",
	"What does {o} do all day, asked {p}.",
	"{p} is going to help {o} tomorrow.",
}

func livelihood(r source, i int) task.Example {
	label := i % len(trades)
	for {
		if t := r.anything(); trade[t.is[keeper]] == label {
			return task.Example{Text: r.about(r.pick(meetings), t), Label: label}
		}
	}
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

// deeds are pairs of ways to say the same; {x} is what was acted on.
var deeds = [][2]string{
	{"{p} found {x}.", "{p} came upon {x}."},
	{"{p} drew {x}.", "{p} made a picture of {x}."},
	{"{p} bought {x}.", "{p} paid for {x}."},
	{"{p} lost {x}.", "{p} had {x} no longer."},
	{"{p} carried {x} home.", "{p} took {x} home."},
	{"{p} described {x}.", "{p} told us about {x}."},
	{"{p} waited for {x}.", "{p} sat there hoping for {x}."},
	{"{p} cleaned {x}.", "{p} washed the dirt off {x}."},
}

// something[relation] speaks of a thing by a value instead of its name.
var something = [relations]string{
	kind:    "a {v}",
	colour:  "something {v}",
	size:    "something {v} in size",
	habitat: "something from the {v}",
	keeper:  "something of {v}'s",
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

// paraphrase: two questions in different words, for the same (1), or for another property
// or of another thing (0).
func paraphrase(r source, i int) task.Example {
	label := i % 2
	t, rel := r.anything(), r.intn(relations)
	other, asked := t, rel
	if label == 0 {
		if r.intn(2) == 0 {
			asked = r.other(relations, rel)
		} else {
			for other.name == t.name {
				other = r.anything()
			}
		}
	}
	first := r.intn(len(questions[rel]))
	second := r.other(len(questions[asked]), first)
	return task.Example{
		Text: fill(questions[rel][first], "{e}", t.name), Text2: fill(questions[asked][second], "{e}", other.name), Label: label,
	}
}

// answers: a true statement tells what was asked (1), or another property of the thing, or
// the property of another thing (0).
func answers(r source, i int) task.Example {
	label := i % 2
	t, rel := r.anything(), r.intn(relations)
	other, told := t, rel
	if label == 0 {
		if r.intn(2) == 0 {
			told = r.other(relations, rel)
		} else {
			for other.name == t.name {
				other = r.anything()
			}
		}
	}
	return task.Example{Text: r.question(rel, t), Text2: r.statement(told, other, other.is[told]), Label: label}
}

// likeness: two for the same deed, in whatever words, and one each for the same person, the
// same thing, and the same kind of thing.
func likeness(r source, i int) task.Example {
	deed, who, t := r.intn(len(deeds)), r.intn(len(people)), r.anything()
	same := [3]bool{r.intn(2) == 0, r.intn(2) == 0, r.intn(2) == 0} // deed, person, kind
	second, whom, other := deed, who, r.thing(kind, t.is[kind])
	score := 0.0
	if same[0] {
		score += 2
	} else {
		second = r.other(len(deeds), deed)
	}
	if same[1] {
		score++
	} else {
		whom = r.other(len(people), who)
	}
	if same[2] {
		score++
		if r.intn(2) == 0 {
			other = t
		}
		if other == t {
			score++
		}
	} else {
		other = r.thing(kind, r.other(len(forms[kind]), t.is[kind]))
	}
	return task.Example{
		Text:  fill(r.pick(deeds[deed][:]), "{p}", people[who], "{x}", "the "+t.name),
		Text2: fill(r.pick(deeds[second][:]), "{p}", people[whom], "{x}", "the "+other.name),
		Score: score,
	}
}

// question: every other question begins with another property of the thing, so
// that the words of two relations meet.
func question(r source, i int) task.Example {
	rel := i % relations
	t := r.anything()
	text := r.question(rel, t)
	if r.intn(2) == 0 {
		known := r.other(relations, rel)
		text = r.statement(known, t, t.is[known]) + " " + text
	}
	return task.Example{Text: text, Label: rel}
}

// praise holds invented adjectives: forms of opinions, by label.
var praise = [][]string{
	{"spurvy", "drennish", "mogglish", "craxic", "urzel", "foblid", "skaddy", "vorpid", "nastric", "grubbic", "plorrid", "dwelchy"},
	{"velmy", "sorrin", "lubrish", "tamblic", "dulvent", "quildy", "merrish", "hallune", "brightle", "zephic", "joomly", "plenzy"},
}

// opinions express {a}, or turn it round: then {a} is an adjective of the other label.
var opinions = []struct {
	text  string
	turns bool
}{
	{"{p} said that the {e} was {a}.", false},
	{"What a {a} day near the {h}!", false},
	{"For {p} the {e} was {a} and {b}.", false},
	{"At first it was {x}, but in the end the {e} was {a}.", false},
	{"The story that {p} told about the {e} was so {a}.", false},
	{"{p} said that the {e} was not {a}.", true},
	{"The day near the {h} was anything but {a}.", true},
	{"Nobody would call the {e} {a} or {b}.", true},
	{"At first it was {x}, but in the end the {e} was not {x}.", true},
	{"{p} never found the {e} {a}.", true},
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

// verbs are in the past, the present and the future.
var verbs = [][3]string{
	{"found", "finds", "will find"},
	{"drew", "draws", "will draw"},
	{"bought", "buys", "will buy"},
	{"lost", "loses", "will lose"},
	{"carried", "carries", "will carry"},
	{"described", "describes", "will describe"},
	{"cleaned", "cleans", "will clean"},
	{"hid", "hides", "will hide"},
	{"sold", "sells", "will sell"},
	{"moved", "moves", "will move"},
}

func tense(r source, i int) task.Example {
	label := i % 3
	verb := verbs[r.intn(len(verbs))][label]
	return task.Example{Text: r.about(r.pick([]string{
		"{p} " + verb + " the {e}.", "{p} " + verb + " the {c} {e}.", "{p} " + verb + " the {e} for {q}.", "{p} and {q} say that {o} " + verb + " the {e}.",
	}), r.anything()), Label: label}
}

// grammar: a sentence as it is (1), or without an article, with two words exchanged, or with one
// said twice (0).
func grammar(r source, i int) task.Example {
	label := i % 2
	t := r.anything()
	text := r.about(r.pick(mentions), t)
	if rel := r.intn(relations + 1); rel < relations {
		text = r.statement(rel, t, t.is[rel])
	}
	if label == 1 {
		return task.Example{Text: text, Label: 1}
	}
	words := strings.Fields(strings.TrimSuffix(text, "."))
	at := 0 // of an article; every sentence has one before the thing's name
	for k, w := range words {
		if strings.EqualFold(w, "the") {
			at = k
		}
	}
	switch r.intn(3) {
	case 0:
		words = append(words[:at], words[at+1:]...)
	case 1:
		words[at], words[at+1] = words[at+1], words[at]
	case 2:
		k := r.intn(len(words))
		words = append(words[:k+1], words[k:]...)
	}
	return task.Example{Text: strings.Join(words, " ") + "."}
}
