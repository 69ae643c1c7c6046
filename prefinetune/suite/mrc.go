package suite

import (
	"slices"
	"strings"

	"github.com/muppet-go/muppet/prefinetune/task"
)

var mrc = []recipe{
	{"reading", task.MRC, "find the answer to a question in a short passage", nil, "em_f1", 1000, 160, reading},
	{"naming", task.MRC, "find the thing of a passage that has a property", nil, "em_f1", 800, 150, naming},
	{"dialogue", task.MRC, "find who did it in a story of several people", nil, "em_f1", 800, 150, dialogue},
	{"search", task.MRC, "find the answer to a question, or that there is none", nil, "em_f1", 800, 150, search},
}

// passage joins sentences in random order and returns where each begins.
func (r source) passage(sentences []string) (text string, begins []int) {
	begins = make([]int, len(sentences))
	for k, i := range r.some(len(sentences), len(sentences)) {
		if k > 0 {
			text += " "
		}
		begins[i] = len(text)
		text += sentences[i]
	}
	return text, begins
}

// answers returns every place of a word in a passage, the one in the sentence that begins at
// first before all others.
func answersOf(word, passage string, first int) []task.Answer {
	var all []task.Answer
	for at := 0; ; {
		k := wordAt(passage[at:], word)
		if k < 0 {
			break
		}
		all = append(all, task.Answer{Text: word, Start: at + k})
		at += k + len(word)
	}
	i := slices.IndexFunc(all, func(a task.Answer) bool { return a.Start >= first })
	all[0], all[i] = all[i], all[0]
	return all
}

// wordAt returns the offset of a whole word in a text, or -1.
func wordAt(text, word string) int {
	letter := func(i int) bool {
		return i >= 0 && i < len(text) && (text[i]|0x20 >= 'a' && text[i]|0x20 <= 'z')
	}
	for at := 0; ; at++ {
		k := strings.Index(text[at:], word)
		if k < 0 {
			return -1
		}
		if at += k; !letter(at-1) && !letter(at+len(word)) {
			return at
		}
	}
}

// told returns a statement and the word that it has for the value.
func (r source) told(rel int, t thing) (statement, word string) {
	word = r.word(rel, t.is[rel])
	return fill(r.pick(statements[rel]), "{e}", t.name, "{v}", word), word
}

// reading tells two to four properties of different things, at least two of them
// the same property with different values, and asks for one of these two.
func reading(r source, i int) task.Example {
	n := 2 + i%3
	rel := []int{colour, habitat, keeper, size}[r.intn(4)]
	order := r.some(len(things), len(things))
	asked := things[order[0]]
	sentence, word := r.told(rel, asked)
	sentences := []string{sentence}
	for _, o := range order[1:] {
		t, other := things[o], rel
		if len(sentences) > 1 {
			other = r.other(relations, rel)
		} else if t.is[rel] == asked.is[rel] {
			continue
		}
		if len(sentences) < n {
			sentences = append(sentences, r.statement(other, t, t.is[other]))
		}
	}
	passage, begins := r.passage(sentences)
	return task.Example{Question: r.question(rel, asked), Passage: passage, Answers: answersOf(word, passage, begins[0])}
}

// search asks about a passage as in reading; every third question is one about a thing that
// is in it and a property that is not told of it.
func search(r source, i int) task.Example {
	e := reading(r, i)
	if i%3 > 0 {
		return e
	}
	for {
		t, rel := r.anything(), r.intn(relations)
		if strings.Contains(e.Passage, t.name) && !slices.ContainsFunc(forms[rel][t.is[rel]], func(w string) bool { return wordAt(e.Passage, w) >= 0 }) {
			e.Question, e.Answers = r.question(rel, t), nil
			return e
		}
	}
}

// inverse[relation] ask for the thing with the value {v}.
var inverse = [relations][]string{
	kind:    {"What is called a {v}?", "Which of them is a {v}?"},
	colour:  {"Which of them is {v}?", "What is {v} in colour?"},
	size:    {"Which of them is {v}?", "What is said to be {v}?"},
	habitat: {"What comes from the {v}?", "Which of them lives near the {v}?"},
	keeper:  {"What does {v} keep?", "Which of them is with {v}?"},
}

// naming tells a property of two or three things, with different values, and in other words
// something else of the first of them, and asks which has the value: every place of
// the name is an answer. The question may have the value's other word.
func naming(r source, i int) task.Example {
	rel := r.intn(relations)
	var list []thing
	for len(list) < min(2+i%2, len(forms[rel])) {
		t := r.anything()
		if !slices.ContainsFunc(list, func(o thing) bool { return o.is[rel] == t.is[rel] }) {
			list = append(list, t)
		}
	}
	var sentences []string
	for _, t := range list {
		sentences = append(sentences, r.statement(rel, t, t.is[rel]))
	}
	asked := list[0]
	if other := r.other(relations, rel); r.intn(2) == 0 {
		sentences = append(sentences, r.statement(other, asked, asked.is[other]))
	}
	passage, begins := r.passage(sentences)
	question := fill(r.pick(inverse[rel]), "{v}", r.word(rel, asked.is[rel]))
	return task.Example{Question: question, Passage: passage, Answers: answersOf(asked.name, passage, begins[0])}
}

// doings are what people do with {x}, and how to ask who did.
var doings = [][2]string{
	{"{p} asked about {x}.", "Who asked about {x}?"},
	{"{p} came in with {x}.", "Who came in with {x}?"},
	{"{p} would not look at {x}.", "Who would not look at {x}?"},
	{"{p} had a picture of {x}.", "Who had a picture of {x}?"},
	{"{p} took {x} to the window.", "Who took {x} to the window?"},
	{"{p} told a story about {x}.", "Who told a story about {x}?"},
}

// asides tell of a person who has been named.
var asides = []string{"Then {p} sat down.", "{p} was tired.", "After that {p} went home.", "Nobody listened to {p}."}

// dialogue tells what two or three people did, the same or not, with different things, and
// asks who did one of it. The person may come again later: both places are answers.
func dialogue(r source, i int) task.Example {
	n := 2 + i%2
	who, what := r.some(n, len(people)), r.some(n, len(things))
	doing := r.intn(len(doings))
	var sentences []string
	for k := range who {
		deed := doing
		if k > 0 && r.intn(2) == 0 {
			deed = r.intn(len(doings))
		}
		sentences = append(sentences, fill(doings[deed][0], "{p}", people[who[k]], "{x}", "the "+things[what[k]].name))
	}
	passage, begins := r.passage(sentences)
	if r.intn(2) == 0 {
		passage += " " + fill(r.pick(asides), "{p}", people[who[r.intn(n)]])
	}
	question := fill(doings[doing][1], "{x}", "the "+things[what[0]].name)
	return task.Example{Question: question, Passage: passage, Answers: answersOf(people[who[0]], passage, begins[0])}
}
