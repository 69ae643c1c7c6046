package suite

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/muppet-go/muppet/prefinetune/task"
)

func all(seed uint64) []*task.Task { return append(Tasks(seed), HeldOut(seed)...) }

func isHeldOut(k *task.Task) bool {
	return slices.ContainsFunc(errands, func(x errand) bool { return x.name == k.Name })
}

// digest hashes every text and answer of a task.
func digest(k *task.Task) string {
	h := sha256.New()
	for _, split := range []string{"train", "dev"} {
		for _, e := range k.Examples[split] {
			fmt.Fprintf(h, "%q %q %d %q %q %d %q %q %v\n", e.Text, e.Text2, e.Label, e.Context, e.Choices, e.Answer, e.Question, e.Passage, e.Answers)
		}
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:8])
}

// The hashes say that every platform and version of Go makes the same bytes.
func TestGolden(t *testing.T) {
	got := map[string]string{"corpus": fmt.Sprintf("%x", sha256.Sum256([]byte(strings.Join(Corpus(1), "\n"))))[:16]}
	for _, k := range all(1) {
		got[k.Name] = digest(k)
	}
	want := map[string]string{
		"topic":      "99d5bee3e8018acd",
		"sentiment":  "2b72d5fc652574cd",
		"entailment": "c0b80112834186d2",
		"question":   "4097a0314150aede",
		"facts":      "2905134dcc0da7da",
		"home":       "a6bafd0c8e92d49a",
		"next":       "22298f4f4d391452",
		"reading":    "6d45a8e32f29dce4",
		"care":       "fc2b7a343265a137",
		"packing":    "a2fea0962f162674",
		"corpus":     "50a42314e00cd76b",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("the generated text has changed (-want +got):\n%s", d)
	}
}

func TestSeeds(t *testing.T) {
	a, again, b := all(7), all(7), all(8)
	for i := range a {
		if digest(a[i]) != digest(again[i]) {
			t.Errorf("%s differs from one call to the next", a[i].Name)
		}
		if digest(a[i]) == digest(b[i]) {
			t.Errorf("%s is the same for two seeds", a[i].Name)
		}
	}
}

func TestWorld(t *testing.T) {
	names := map[string]bool{}
	for _, e := range things {
		if names[e.name] {
			t.Errorf("two things are called %s", e.name)
		}
		names[e.name] = true
	}
	for rel, values := range forms {
		for half, some := range [][]thing{things[:len(things)/2], things[len(things)/2:]} {
			count := make([]int, len(values))
			for _, e := range some {
				count[e.is[rel]]++
			}
			if slices.Max(count)-slices.Min(count) > 1 {
				t.Errorf("relation %d, half %d: values occur %v times", rel, half, count)
			}
		}
	}
	words := map[string]int{}
	for rel, values := range forms {
		for _, v := range values {
			for _, w := range v {
				if other, ok := words[w]; ok {
					t.Errorf("%q belongs to relations %d and %d or to two values", w, other, rel)
				}
				words[w] = rel
			}
		}
	}
}

func TestValid(t *testing.T) {
	for _, k := range all(3) {
		for split, rows := range k.Examples {
			where := map[string]bool{}
			for _, e := range rows {
				if where[e.Where] || e.Where == "" {
					t.Errorf("%s/%s: %q does not say where", k.Name, split, e.Where)
				}
				where[e.Where] = true
				if why := flaw(k, e); why != "" {
					t.Errorf("%s: %s: %+v", e.Where, why, e)
				}
			}
		}
		if n := len(k.Examples["train"]); !isHeldOut(k) && (n < 200 || n > 800) {
			t.Errorf("%s has %d training rows", k.Name, n)
		}
		if n := len(k.Examples["dev"]); !isHeldOut(k) && (n < 150 || n > 200) {
			t.Errorf("%s has %d dev rows", k.Name, n)
		}
	}
	for _, k := range HeldOut(3) {
		if a, b := len(k.Examples["train"]), len(k.Examples["dev"]); a != 64 || b != 400 {
			t.Errorf("%s has %d and %d rows", k.Name, a, b)
		}
	}
}

// flaw says what is wrong with an example, if anything.
func flaw(k *task.Task, e task.Example) string {
	text := e.Text + " " + e.Text2
	switch k.Family {
	case task.Classification:
		if e.Label < 0 || e.Label >= len(k.Labels) {
			return "label out of range"
		}
	case task.Commonsense:
		text = e.Context
		if len(e.Choices) < 2 || len(e.Choices) > 5 || e.Answer < 0 || e.Answer >= len(e.Choices) {
			return "answer out of range"
		}
		for i, c := range e.Choices {
			if slices.Index(e.Choices, c) != i {
				return "a choice twice"
			}
		}
	case task.MRC:
		text = e.Passage
		if n := strings.Count(e.Passage, "."); n < 2 || n > 4 {
			return "number of sentences"
		}
		if len(e.Answers) != 1 || !strings.HasPrefix(e.Passage[e.Answers[0].Start:], e.Answers[0].Text) {
			return "answer not at its offset"
		}
	}
	if n := len(strings.Fields(text)); n < 4 || n > 45 {
		return fmt.Sprintf("%d words", n)
	}
	if !utf8.ValidString(text) || strings.ContainsAny(text+e.Question+strings.Join(e.Choices, ""), "{}") {
		return "a placeholder is left"
	}
	return ""
}

func TestBalance(t *testing.T) {
	for _, k := range all(5) {
		for split, rows := range k.Examples {
			if k.Family == task.MRC {
				continue
			}
			count := map[int]int{}
			for _, e := range rows {
				count[e.Label+e.Answer]++
			}
			for v, n := range count {
				if float64(n) > 0.6*float64(len(rows)) {
					t.Errorf("%s/%s: %d of %d rows have the answer %d", k.Name, split, n, len(rows), v)
				}
			}
		}
	}
}

func TestNoLeak(t *testing.T) {
	texts := func(e task.Example) []string { return []string{e.Text, e.Context, e.Passage} }
	corpus, inTasks := Corpus(9), map[string]bool{}
	for _, k := range Tasks(9) {
		train := map[string]bool{"": true}
		for _, e := range k.Examples["train"] {
			for _, s := range texts(e) {
				train[s], inTasks[s] = true, true
			}
		}
		dev := map[string]bool{}
		for _, e := range k.Examples["dev"] {
			for _, s := range texts(e) {
				if s != "" && train[s] {
					t.Errorf("%s: dev text %q is in train", k.Name, s)
				}
				dev[s], inTasks[s] = true, true
			}
		}
		for _, s := range corpus {
			if dev[s] {
				t.Errorf("%s: dev text %q is in the corpus", k.Name, s)
			}
		}
	}
	seen := map[string]bool{}
	for _, k := range HeldOut(9) {
		for split, rows := range k.Examples {
			for _, e := range rows {
				if inTasks[e.Text] || seen[e.Text] {
					t.Errorf("%s: %s text %q occurs elsewhere", k.Name, split, e.Text)
				}
				seen[e.Text] = true
			}
		}
	}
}

// named returns the one thing that a text names.
func named(t *testing.T, text string) thing {
	t.Helper()
	var found []thing
	for _, e := range things {
		if strings.Contains(text, e.name) {
			found = append(found, e)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%q names %d things", text, len(found))
	}
	return found[0]
}

// valueIn returns the value of a relation that a text speaks of, or -1.
func valueIn(text string, rel int) int {
	for v, words := range forms[rel] {
		for _, w := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" .'?", r) }) {
			if slices.Contains(words, w) {
				return v
			}
		}
	}
	return -1
}

// The labels are looked up in the world again, from the texts alone.
func TestTrue(t *testing.T) {
	tasks := map[string]*task.Task{}
	for _, k := range all(11) {
		tasks[k.Name] = k
	}
	each := func(name string, right func(e task.Example) bool) {
		for split, rows := range tasks[name].Examples {
			for i, e := range rows {
				if !right(e) {
					t.Errorf("%s/%s %d: %+v", name, split, i, e)
				}
			}
		}
	}
	holds := func(text string, th thing) bool {
		for rel := range forms {
			if v := valueIn(text, rel); v >= 0 && v != th.is[rel] {
				return false
			}
		}
		return true
	}
	each("topic", func(e task.Example) bool {
		return named(t, e.Text).is[kind] == e.Label && holds(e.Text, named(t, e.Text))
	})
	each("sentiment", func(e task.Example) bool {
		last, label := strings.Fields(strings.Trim(e.Text, ".")), -1
		for _, w := range last { // the last opinion counts
			for v, words := range praise {
				if slices.Contains(words, w) {
					label = v
				}
			}
		}
		for _, no := range []string{" not ", "anything but", "Nobody", "never"} {
			if strings.Contains(e.Text, no) {
				label = 1 - label
			}
		}
		return label == e.Label
	})
	each("entailment", func(e task.Example) bool {
		same := strings.Fields(e.Text)[0] == strings.Fields(e.Text2)[0]
		switch e.Label {
		case 0:
			return same && holds(e.Text2, named(t, e.Text))
		case 1:
			return !same
		}
		return same && !holds(e.Text2, named(t, e.Text))
	})
	each("facts", func(e task.Example) bool { return holds(e.Text, named(t, e.Text)) == (e.Label == 1) })
	each("question", func(e task.Example) bool {
		for _, q := range questions[e.Label] {
			if strings.HasSuffix(e.Text, fill(q, "{e}", named(t, e.Text).name)) {
				return true
			}
		}
		return false
	})
	each("home", func(e task.Example) bool {
		for i, c := range e.Choices {
			if (valueIn(c, habitat) == named(t, e.Context).is[habitat]) != (i == e.Answer) {
				return false
			}
		}
		return true
	})
	each("next", func(e task.Example) bool {
		for i, c := range e.Choices {
			if slices.Contains(nextly[named(t, e.Context).is[kind]], c) != (i == e.Answer) {
				return false
			}
		}
		return true
	})
	each("reading", func(e task.Example) bool {
		th := named(t, e.Question)
		for _, s := range strings.SplitAfter(e.Passage, ".") {
			if s != "" && !holds(s, named(t, s)) {
				return false
			}
		}
		for rel := range forms {
			if v := valueIn(e.Answers[0].Text, rel); v >= 0 {
				return v == th.is[rel]
			}
		}
		return false
	})
	for _, x := range errands {
		each(x.name, func(e task.Example) bool {
			return x.label[named(t, e.Text).is[x.rel]] == e.Label && valueIn(e.Text, x.rel) < 0
		})
	}
	for _, s := range Corpus(11) {
		if strings.Count(s, ".") == 1 && strings.HasPrefix(s, "The ") && !strings.HasPrefix(s, "The day ") && !holds(s, named(t, s)) {
			t.Errorf("the corpus holds the untruth %q", s)
		}
	}
}

// What a held-out task needs is that its training pool leaves half of the things out.
func TestHeldOutThings(t *testing.T) {
	for _, k := range HeldOut(2) {
		split := map[string]map[string]bool{"train": {}, "dev": {}}
		for s, rows := range k.Examples {
			for _, e := range rows {
				split[s][named(t, e.Text).name] = true
			}
		}
		if a, b := len(split["train"]), len(split["dev"]); a > len(things)/2 || a < len(things)/3 || b != len(things) {
			t.Errorf("%s: the pool names %d things and dev %d of %d", k.Name, a, b, len(things))
		}
	}
}

func Example() {
	for _, t := range Tasks(1) {
		fmt.Println(t.Name, t.Family, len(t.Examples["train"]), len(t.Examples["dev"]))
	}
	e := HeldOut(1)[0].Examples["train"][0]
	fmt.Println(e.Text)
	// Output:
	// topic classification 480 160
	// sentiment classification 480 160
	// entailment classification 800 200
	// question classification 300 150
	// facts classification 800 200
	// home commonsense 640 160
	// next commonsense 640 160
	// reading mrc 800 200
	// Jundo has left Elka alone with the yarpen.
}
