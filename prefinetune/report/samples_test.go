package report

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// looks adds to a report what a person looks at, of so many tasks.
func looks(r *Report, tasks int) *Report {
	names := []string{"world", "sports", "business", "science and technology", "<b>&", "a label that is too long for its column", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen"}
	for i := range tasks {
		name := fmt.Sprintf("task %d", i)
		c := Confusion{Task: name, Labels: names[:2+i%len(names[1:])]}
		for l := range c.Labels {
			c.Counts = append(c.Counts, make([]int, len(c.Labels)))
			c.Counts[l][l] = 40 + 7*l
			c.Counts[l][(l+1)%len(c.Labels)] += 11 + l
		}
		r.Confusions = append(r.Confusions, c)
		s := Samples{Task: name, Family: "classification", Wrong: 43, Of: 160}
		for k := range 4 {
			s.Shown = append(s.Shown, Sample{
				Where:  fmt.Sprintf("data/dev.jsonl:%d", k+1),
				Fields: []Setting{{"text", strings.Repeat("A sentence of some words. ", 1+20*k)}, {"text 2", hostile}}, Want: "world", Got: names[k], Right: k == 0,
			})
		}
		if i == tasks-1 {
			s.Family, s.Wrong = "summarisation", -1
		}
		r.Samples = append(r.Samples, s)
	}
	r.Overlaps = []Overlap{{"RTE", "MNLI", 1200, 2500}}
	r.Bad = []BadRow{{"topic", 3, []string{"data/train.jsonl:7: " + hostile}}}
	return r
}

func TestLooks(t *testing.T) {
	for _, tasks := range []int{8, 70} {
		page := looks(sample(), tasks).HTML()
		if dir := os.Getenv("MUPPET_REPORT"); dir != "" { // to look at it
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("looks%d.html", tasks)), []byte(page), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		text, tags := wellFormed(t, page)
		if tags["b"] != tasks || tags["script"] > 0 { // the names of the tasks
			t.Errorf("%d tags b, %d script", tags["b"], tags["script"])
		}
		if tags["details"] != tasks {
			t.Errorf("%d tasks with predictions, want %d", tags["details"], tasks)
		}
		for _, want := range []string{"43 of 160 wrong", "taken for", hostile, "1\u2009200", "2\u2009500", "Rows left out", "a label that is t…", "world ✓", "sports ✗"} {
			if tasks == 8 && want == "taken for" { // no task of so many labels
				continue
			}
			if !strings.Contains(text, want) {
				t.Errorf("%d tasks: the page does not say %q", tasks, want)
			}
		}
		if strings.Contains(page, "ZgotmplZ") || strings.Contains(text, strings.Repeat("A sentence of some words. ", 20)) {
			t.Error("a style that was refused, or a text that was not cut")
		}
		if perTask := (len(page) - len(sample().HTML())) / tasks; perTask > 10_000 {
			t.Errorf("%d tasks: %d bytes of page each", tasks, perTask)
		}
	}
}

func TestMistakes(t *testing.T) {
	c := Confusion{Labels: []string{"a", "b", "c"}, Counts: [][]int{{9, 1, 0}, {3, 9, 0}, {0, 2, 9}}}
	if got, want := fmt.Sprint(c.mistakes()), "[{b a 3} {c b 2} {a b 1}]"; got != want {
		t.Errorf("mistakes %s, want %s", got, want)
	}
}

func TestExcerpt(t *testing.T) {
	for _, c := range []struct {
		text string
		most int
		want string
	}{{"", 3, ""}, {"äöü", 3, "äöü"}, {"äöüß", 3, "äö…"}} {
		if got := excerpt(c.text, c.most); got != c.want {
			t.Errorf("%q to %d characters is %q, want %q", c.text, c.most, got, c.want)
		}
	}
}
