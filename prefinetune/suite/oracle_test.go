package suite

import (
	"slices"
	"strings"
	"testing"

	"github.com/muppet-go/muppet/prefinetune/baseline"
	"github.com/muppet-go/muppet/prefinetune/metrics"
	"github.com/muppet-go/muppet/prefinetune/task"
)

// words splits a text at everything that is not a letter or a digit.
func words(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" .,:'?!", r) })
}

// allNamed returns the things that a text names, in its order.
func allNamed(text string) (found []thing) {
	for _, w := range words(text) {
		for _, e := range things {
			if w == e.name {
				found = append(found, e)
			}
		}
	}
	return found
}

// named returns the one thing that a text names.
func named(t *testing.T, text string) thing {
	t.Helper()
	found := allNamed(text)
	if len(found) != 1 {
		t.Fatalf("%q names %d things", text, len(found))
	}
	return found[0]
}

// valueIn returns the first value of a relation that a text speaks of, or -1.
func valueIn(text string, rel int) int {
	for _, w := range words(text) {
		for v, forms := range forms[rel] {
			if slices.Contains(forms, w) {
				return v
			}
		}
	}
	return -1
}

// relationIn returns the relation that a text speaks of, or -1.
func relationIn(text string) int {
	for rel := range forms {
		if valueIn(text, rel) >= 0 {
			return rel
		}
	}
	return -1
}

// holds reports whether what a text says of a thing is true.
func holds(text string, th thing) bool {
	for rel := range forms {
		if v := valueIn(text, rel); v >= 0 && v != th.is[rel] {
			return false
		}
	}
	return true
}

// asked returns the relation that a text ends by asking for.
func asked(text string, th thing) int {
	for rel, phrases := range questions {
		for _, q := range phrases {
			if strings.HasSuffix(text, fill(q, "{e}", th.name)) {
				return rel
			}
		}
	}
	return -1
}

// opinion returns the label of the last opinion in a text.
func opinion(text string) (label int) {
	for _, w := range words(text) {
		for v, words := range praise {
			if slices.Contains(words, w) {
				label = v
			}
		}
	}
	for _, no := range []string{" not ", "anything but", "Nobody", "never"} {
		if strings.Contains(text, no) {
			label = 1 - label
		}
	}
	return label
}

// place returns the place that a text names, or else the home of the thing that it names.
func place(t *testing.T, text string) int {
	if v := valueIn(text, habitat); v >= 0 {
		return v
	}
	return named(t, text).is[habitat]
}

// only returns the number of the choice that fits, -1 if it is not one alone.
func only(choices []string, fits func(string) bool) int {
	at := slices.IndexFunc(choices, fits)
	if at < 0 || slices.ContainsFunc(choices[at+1:], fits) {
		return -1
	}
	return at
}

// sentence returns the sentence of a passage that holds an offset.
func sentence(passage string, at int) string {
	from := strings.LastIndex(passage[:at], ".") + 1
	return passage[from : from+strings.Index(passage[from:], ".")+1]
}

// made reports whether a text is a phrase with a word in place of each placeholder.
func made(text, phrase string) bool {
	return slices.EqualFunc(words(text), words(phrase), func(w, p string) bool {
		if !strings.HasPrefix(p, "{") {
			return w == p
		}
		if p == "{e}" || p == "{p}" {
			return len(allNamed(w)) > 0 == (p == "{e}") && slices.Contains(people, w) == (p == "{p}")
		}
		return relationIn(w) >= 0
	})
}

// answered reports whether the answers are true, and in sentences about the thing of the
// question.
func answered(t *testing.T, e task.Example) bool {
	th := named(t, e.Question)
	for _, a := range e.Answers {
		s := sentence(e.Passage, a.Start)
		if rel := asked(e.Question, th); named(t, s) != th || valueIn(a.Text, rel) != th.is[rel] || !holds(s, th) {
			return false
		}
	}
	return true
}

// The answers are looked up in the world again, from the texts alone: every task can be
// solved, but for coin.
var oracles = map[string]func(t *testing.T, e task.Example) bool{
	"topic": func(t *testing.T, e task.Example) bool {
		return named(t, e.Text).is[kind] == e.Label && holds(e.Text, named(t, e.Text))
	},
	"whose": func(t *testing.T, e task.Example) bool {
		return named(t, e.Text).is[keeper] == e.Label && valueIn(e.Text, keeper) < 0 && holds(e.Text, named(t, e.Text))
	},
	"region": func(t *testing.T, e task.Example) bool { return region[place(t, e.Text)] == e.Label },
	"trade":  func(t *testing.T, e task.Example) bool { return trade[valueIn(e.Text, keeper)] == e.Label },
	"facts":  func(t *testing.T, e task.Example) bool { return holds(e.Text, named(t, e.Text)) == (e.Label == 1) },
	"entailment": func(t *testing.T, e task.Example) bool {
		same := strings.Fields(e.Text)[0] == strings.Fields(e.Text2)[0]
		switch e.Label {
		case 0:
			return same && holds(e.Text2, named(t, e.Text))
		case 1:
			return !same
		}
		return same && !holds(e.Text2, named(t, e.Text))
	},
	"paraphrase": func(t *testing.T, e task.Example) bool {
		a, b := named(t, e.Text), named(t, e.Text2)
		return (a == b && asked(e.Text, a) == asked(e.Text2, b)) == (e.Label == 1) && e.Text != e.Text2
	},
	"answers": func(t *testing.T, e task.Example) bool {
		a, b := named(t, e.Text), named(t, e.Text2)
		return (a == b && asked(e.Text, a) == relationIn(e.Text2)) == (e.Label == 1) && holds(e.Text2, b)
	},
	"likeness": func(t *testing.T, e task.Example) bool {
		a, b, score := named(t, e.Text), named(t, e.Text2), 0.0
		deed := func(text string, th thing) int {
			return slices.IndexFunc(deeds, func(d [2]string) bool {
				who := strings.Fields(text)[0]
				return slices.Contains(d[:], strings.Replace(strings.Replace(text, who, "{p}", 1), "the "+th.name, "{x}", 1))
			})
		}
		if deed(e.Text, a) == deed(e.Text2, b) {
			score += 2
		}
		for _, same := range []bool{a == b, a.is[kind] == b.is[kind], strings.Fields(e.Text)[0] == strings.Fields(e.Text2)[0]} {
			if same {
				score++
			}
		}
		return e.Score == score
	},
	"question":  func(t *testing.T, e task.Example) bool { return asked(e.Text, allNamed(e.Text)[0]) == e.Label },
	"sentiment": func(t *testing.T, e task.Example) bool { return opinion(e.Text) == e.Label },
	"tense": func(t *testing.T, e task.Example) bool {
		for _, v := range verbs {
			for when, form := range v {
				if strings.Contains(e.Text, " "+form+" ") {
					return when == e.Label
				}
			}
		}
		return false
	},
	"grammar": func(t *testing.T, e task.Example) bool {
		right := slices.ContainsFunc(slices.Concat(append(statements[:], mentions)...), func(phrase string) bool { return made(e.Text, phrase) })
		return right == (e.Label == 1)
	},
	"home": func(t *testing.T, e task.Example) bool {
		is := named(t, e.Context).is[habitat]
		return only(e.Choices, func(c string) bool { return valueIn(c, habitat) == is }) == e.Answer
	},
	"next": func(t *testing.T, e task.Example) bool {
		is := named(t, e.Context).is[kind]
		return only(e.Choices, func(c string) bool { return slices.Contains(nextly[is], c) }) == e.Answer
	},
	"kin": func(t *testing.T, e task.Example) bool {
		is := named(t, e.Context).is[kind]
		return only(e.Choices, func(c string) bool { return named(t, c).is[kind] == is }) == e.Answer
	},
	"lender": func(t *testing.T, e task.Example) bool {
		is := named(t, e.Context).is[keeper]
		return only(e.Choices, func(c string) bool { return valueIn(c, keeper) == is }) == e.Answer
	},
	"describe": func(t *testing.T, e task.Example) bool {
		return only(e.Choices, func(c string) bool { return holds(c, named(t, e.Context)) }) == e.Answer
	},
	"route": func(t *testing.T, e task.Example) bool {
		to := beyond(place(t, e.Context))
		return only(e.Choices, func(c string) bool { return valueIn(c, habitat) == to }) == e.Answer
	},
	"reading": answered,
	"search": func(t *testing.T, e task.Example) bool {
		if len(e.Answers) > 0 {
			return answered(t, e)
		}
		th := named(t, e.Question)
		for _, s := range strings.SplitAfter(e.Passage, ".") {
			if s != "" && named(t, s) == th {
				return valueIn(s, asked(e.Question, th)) < 0
			}
		}
		return false // of nothing in the passage
	},
	"naming": func(t *testing.T, e task.Example) bool {
		rel := relationIn(e.Question)
		want := valueIn(e.Question, rel)
		for _, s := range strings.SplitAfter(e.Passage, ".") {
			if v := valueIn(s, rel); s != "" && (!holds(s, named(t, s)) || v >= 0 && (v == want) != (named(t, s).name == e.Answers[0].Text)) {
				return false
			}
		}
		return len(e.Answers) == strings.Count(e.Passage, e.Answers[0].Text)
	},
	"dialogue": func(t *testing.T, e task.Example) bool {
		deed := strings.TrimSuffix(strings.TrimPrefix(e.Question, "Who"), "?")
		return strings.Count(e.Passage, deed) == 1 && strings.Contains(e.Passage, e.Answers[0].Text+deed) &&
			len(e.Answers) == strings.Count(e.Passage, e.Answers[0].Text)
	},
	"gist": func(t *testing.T, e task.Example) bool {
		th := named(t, e.Target)
		return holds(e.Target, th) && strings.Contains(e.Source, th.name) &&
			valueIn(e.Target, kind) >= 0 && valueIn(e.Target, colour) >= 0 && valueIn(e.Target, habitat) >= 0
	},
	"headline": func(t *testing.T, e task.Example) bool {
		for _, d := range deeds {
			for _, said := range d {
				for _, p := range people {
					x := "the " + named(t, e.Source).name
					if strings.Contains(e.Source, fill(said, "{p}", p, "{x}", x)) {
						return e.Target == fill(d[0], "{p}", p, "{x}", x)
					}
				}
			}
		}
		return false
	},
	"mood": func(t *testing.T, e task.Example) bool {
		likes := 0
		for _, s := range strings.SplitAfter(e.Source, ".") {
			for _, p := range people {
				if strings.Contains(s, p) {
					likes += opinion(s)
					if both := strings.Contains(e.Target, " and "); opinion(s) == 1 && !both && !strings.HasPrefix(e.Target, p) {
						return false
					}
				}
			}
		}
		return (likes == 2) == strings.Contains(e.Target, " and ") && (likes == 0) == strings.HasPrefix(e.Target, "Neither")
	},
	"care": func(t *testing.T, e task.Example) bool {
		return []int{creature: 0, plant: 1, stone: 2, tool: 2}[named(t, e.Text).is[kind]] == e.Label && valueIn(e.Text, kind) < 0
	},
	"packing": func(t *testing.T, e task.Example) bool {
		return []int{lake: 0, marsh: 0, cliff: 1, hill: 1, cave: 2, forest: 2}[named(t, e.Text).is[habitat]] == e.Label && valueIn(e.Text, habitat) < 0
	},
	"thanks": func(t *testing.T, e task.Example) bool {
		return trade[named(t, e.Text).is[keeper]] == e.Label && valueIn(e.Text, keeper) < 0
	},
	"scenery": func(t *testing.T, e task.Example) bool {
		is := named(t, e.Context).is[habitat]
		return only(e.Choices, func(c string) bool { return slices.Contains(views[is], c) }) == e.Answer
	},
	"swap": func(t *testing.T, e task.Example) bool {
		for _, s := range strings.SplitAfter(e.Passage, ".") {
			w := words(s)
			if !strings.Contains(s, e.Answers[0].Text) {
				continue
			}
			giver, taker := w[0], w[len(w)-1] // X gave the e to Y
			if slices.Contains(w, "got") {
				giver, taker = taker, giver
			} else if slices.Contains(w, "went") {
				giver = w[4] // The e went from X to Y
			}
			switch q := words(e.Question); {
			case q[0] == "What":
				return q[2] == taker && e.Answers[0].Text == named(t, s).name
			case q[len(q)-1] == "before":
				return e.Answers[0].Text == giver && named(t, e.Question) == named(t, s)
			}
			return e.Answers[0].Text == taker && named(t, e.Question) == named(t, s)
		}
		return false
	},
	"notice": func(t *testing.T, e task.Example) bool {
		th := named(t, e.Source)
		return named(t, e.Target) == th && holds(strings.Split(e.Target, " near ")[0], th) && valueIn(e.Source, habitat) == valueIn(e.Target, habitat) &&
			strings.Contains(e.Source, words(e.Target)[0]) && slices.Contains(words(e.Target), canon(colour, th.is[colour]))
	},
	"cipher": func(t *testing.T, e task.Example) bool {
		n := 0
		for _, w := range words(e.Text) {
			if slices.Contains(codes[e.Label], w) {
				n++
			}
		}
		return n >= 3
	},
}

func TestOracles(t *testing.T) {
	for _, k := range all(11) {
		if k.Name == "coin" {
			continue
		}
		for split, rows := range k.Examples {
			for i, e := range rows {
				if !oracles[k.Name](t, e) {
					t.Errorf("%s/%s %d: %+v", k.Name, split, i, e)
				}
			}
		}
	}
	for _, s := range Corpus(11) {
		if strings.Count(s, ".") == 1 && strings.HasPrefix(s, "The ") && len(allNamed(s)) == 1 && !holds(s, named(t, s)) {
			t.Errorf("the corpus holds the untruth %q", s)
		}
	}
}

// Tasks that need the world are near chance for who knows the words alone.
func TestWordsAreNotEnough(t *testing.T) {
	most := map[string]float64{
		"facts": 0.62, "entailment": 0.65, "paraphrase": 0.8, "answers": 0.65, "home": 0.5, "kin": 0.5, "lender": 0.5, "describe": 0.5, "route": 0.6,
		"likeness": 0.7, "gist": 0.5, "headline": 0.8, "mood": 0.5, "notice": 0.7, "search": 0.5, "reading": 0.3, "naming": 0.6, "dialogue": 0.6,
		"care": 0.75, "packing": 0.75, "thanks": 0.75, "scenery": 0.6, "swap": 0.5, "coin": 0.6,
	}
	for _, k := range all(6) {
		limit, ok := most[k.Name]
		train, dev := k.Examples["train"], k.Examples["dev"]
		bag, _ := metrics.Score(k, dev, baseline.BagOfWords(k, train, dev))
		majority, _ := metrics.Score(k, dev, baseline.Majority(k, train, dev))
		t.Logf("%-10s majority %.3f, bag of words %.3f", k.Name, majority, bag)
		if ok && max(bag, majority) > limit {
			t.Errorf("%s: %.3f by its words, %.3f by the majority; want at most %.2f", k.Name, bag, majority, limit)
		}
	}
}
