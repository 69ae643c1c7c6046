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

func all(seed uint64) []*task.Task { return append(Tasks(seed), apart(seed)...) }

// apart returns the tasks that are not pre-finetuned on.
func apart(seed uint64) []*task.Task { return append(HeldOut(seed), Controls(seed)...) }

func isApart(k *task.Task) bool {
	return slices.ContainsFunc(append(controls, errands...), func(x errand) bool { return x.name == k.Name })
}

// digest hashes every text and answer of a task.
func digest(k *task.Task) string {
	h := sha256.New()
	for _, split := range []string{"train", "dev"} {
		for _, e := range k.Examples[split] {
			fmt.Fprintf(h, "%q %q %d %g %q %q %d %q %q %v %q %q\n", e.Text, e.Text2, e.Label, e.Score, e.Context, e.Choices, e.Answer, e.Question, e.Passage, e.Answers, e.Source, e.Target)
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
		"answers":    "68eeed1097e20c18",
		"care":       "282256b03050e19a",
		"cipher":     "815cb230927caa3c",
		"coin":       "cc8e181a90a74744",
		"corpus":     "1b5c00da2ac1d549",
		"describe":   "228ff3eccd83d799",
		"dialogue":   "7fc9216ae6d7d55c",
		"entailment": "56d9e53bb194e0d1",
		"facts":      "01c152e677023600",
		"gist":       "43547e0329e95ca9",
		"grammar":    "d49ce1e7657351dc",
		"headline":   "8fcd612443183b68",
		"home":       "b9d62e619d5c39e1",
		"kin":        "808f0d7444e53508",
		"lender":     "344d7762df04cacf",
		"likeness":   "d6860b07778f2cee",
		"mood":       "ff2f2e4ef66cba7c",
		"naming":     "a632ff7e0db45844",
		"next":       "5cbcc2e91de896b8",
		"notice":     "78593599707b7946",
		"packing":    "a815713df46a901d",
		"paraphrase": "3889676524aaa09c",
		"question":   "c189fac0a1f44486",
		"reading":    "ae5bd6560c2ce888",
		"region":     "2e7f3f8af544f2b7",
		"route":      "45dab0f469231d14",
		"scenery":    "94ee514ec43a3f19",
		"search":     "c44ee9460d4cb9e8",
		"sentiment":  "f75a7ab086277e41",
		"swap":       "0c527c854c6c90d2",
		"tense":      "ef95dcae8ecc4c09",
		"thanks":     "5a13b69fc973470f",
		"topic":      "71dc23e240227ff8",
		"trade":      "8da2ff8d42ed5200",
		"whose":      "5e66525b483f633a",
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
		if n := len(k.Examples["train"]); !isApart(k) && (n < 200 || n > 1600) {
			t.Errorf("%s has %d training rows", k.Name, n)
		}
		if n := len(k.Examples["dev"]); !isApart(k) && (n < 100 || n > 200) {
			t.Errorf("%s has %d dev rows", k.Name, n)
		}
	}
	for _, k := range apart(3) {
		if a, b := len(k.Examples["train"]), len(k.Examples["dev"]); a != 64 || b != 200 {
			t.Errorf("%s has %d and %d rows", k.Name, a, b)
		}
	}
}

// flaw says what is wrong with an example, if anything.
func flaw(k *task.Task, e task.Example) string {
	text := e.Text + " " + e.Text2
	switch k.Family {
	case task.Regression:
		if e.Score < k.Range[0] || e.Score > k.Range[1] {
			return "score out of range"
		}
	case task.Classification:
		if e.Label < 0 || e.Label >= len(k.Labels) {
			return "label out of range"
		}
	case task.Commonsense:
		text = e.Context
		if len(e.Choices) < 2 || len(e.Choices) > 6 || e.Answer < 0 || e.Answer >= len(e.Choices) {
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
		for _, a := range e.Answers {
			if !strings.HasPrefix(e.Passage[a.Start:], a.Text) {
				return "answer not at its offset"
			}
		}
		if len(e.Answers) == 0 != (k.NoAnswer && e.Answers == nil) || len(e.Answers) > 3 {
			return "number of answers"
		}
	case task.Summarisation:
		text = e.Source
		if n := len(strings.Fields(e.Target)); n < 3 || n > 9 || 2*n > len(strings.Fields(text))+1 {
			return "length of the summary"
		}
	}
	if n := len(strings.Fields(text)); n < 3 || n > 45 {
		return fmt.Sprintf("%d words", n)
	}
	if !utf8.ValidString(text) || strings.ContainsAny(text+e.Question+strings.Join(e.Choices, "")+e.Target, "{}") {
		return "a placeholder is left"
	}
	return ""
}

func TestBalance(t *testing.T) {
	for _, k := range all(5) {
		for split, rows := range k.Examples {
			if k.Family != task.Classification && k.Family != task.Commonsense {
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
	texts := func(e task.Example) []string { return []string{e.Text, e.Context, e.Passage, e.Source} }
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
	for _, k := range apart(9) {
		for split, rows := range k.Examples {
			for _, e := range rows {
				if inTasks[key(e)] || seen[key(e)] {
					t.Errorf("%s: %s text %q occurs elsewhere", k.Name, split, key(e))
				}
				seen[key(e)] = true
			}
		}
	}
}

// What a held-out task needs is that its training pool leaves half of the things out.
func TestHeldOutThings(t *testing.T) {
	for _, k := range apart(2) {
		split := map[string]map[string]bool{"train": {}, "dev": {}}
		for s, rows := range k.Examples {
			for _, e := range rows {
				for _, th := range things {
					if strings.Contains(key(e), th.name) {
						split[s][th.name] = true
					}
				}
			}
		}
		if a, b := len(split["train"]), len(split["dev"]); k.Name == "cipher" && a+b > 0 ||
			k.Name != "cipher" && (a > len(things)/2 || a < len(things)/3 || b < len(things)-2) {
			t.Errorf("%s: the pool names %d things and dev %d of %d", k.Name, a, b, len(things))
		}
	}
}

// The cipher shares no word with the world.
func TestCipher(t *testing.T) {
	world := map[string]bool{}
	for _, text := range Corpus(4) {
		for _, w := range strings.Fields(text) {
			world[w] = true
		}
	}
	for _, e := range Controls(4)[1].Examples["dev"] {
		for _, w := range strings.Fields(e.Text) {
			if world[w] {
				t.Errorf("%q is of the world", w)
			}
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
	// whose classification 480 160
	// region classification 400 150
	// trade classification 300 100
	// facts classification 1600 200
	// entailment classification 1600 200
	// paraphrase classification 600 150
	// answers classification 600 150
	// question classification 300 150
	// sentiment classification 480 160
	// tense classification 240 120
	// grammar classification 800 160
	// likeness regression 800 160
	// home commonsense 480 160
	// next commonsense 480 160
	// kin commonsense 480 160
	// lender commonsense 400 120
	// describe commonsense 480 160
	// route commonsense 300 100
	// reading mrc 1000 160
	// naming mrc 800 150
	// dialogue mrc 800 150
	// search mrc 800 150
	// gist summarisation 480 100
	// headline summarisation 400 100
	// mood summarisation 320 100
	// Jundo has left Elka alone with the yarpen.
}
