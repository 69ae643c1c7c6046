package report

import (
	"fmt"
	"html/template"
	"slices"
	"strings"
)

// A Confusion counts a classification task's dev examples by their label and by the
// prediction.
type Confusion struct {
	Task   string
	Labels []string
	Counts [][]int // [label][prediction]
}

// Samples are some of a task's dev examples with what the model made of them.
type Samples struct {
	Task, Family string
	Wrong, Of    int // examples that are not right, of all; -1 where there is no right and wrong
	Shown        []Sample
}

// A Sample is an example as a person reads it.
type Sample struct {
	Where     string
	Fields    []Setting // its texts
	Want, Got string
	Right     bool // means nothing if Samples.Wrong is -1
}

// A BadRow tells of records that were left out.
type BadRow struct {
	Task  string
	Rows  int
	First []string // what is wrong with the first
}

// An Overlap tells of dev examples with a text that is also trained on.
type Overlap struct {
	Dev, Train   string
	Examples, Of int
}

// mostLabels is how many labels a matrix has room for.
const mostLabels = 12

// matrix draws a confusion: the darker a cell, the more of the label's examples are there. It
// returns nothing for more labels than there is room for.
func (c Confusion) matrix() template.HTML {
	if len(c.Labels) > mostLabels {
		return ""
	}
	var b strings.Builder
	b.WriteString(`<table class="confusion"><thead><tr><th></th>`)
	for _, l := range c.Labels {
		fmt.Fprintf(&b, `<th><span>%s</span></th>`, template.HTMLEscapeString(excerpt(l, 18)))
	}
	b.WriteString(`</tr></thead><tbody>`)
	for i, l := range c.Labels {
		all := 0
		for _, n := range c.Counts[i] {
			all += n
		}
		fmt.Fprintf(&b, `<tr><th>%s</th>`, template.HTMLEscapeString(excerpt(l, 18)))
		for j, n := range c.Counts[i] {
			share, kind := float64(n)/float64(max(all, 1)), "off"
			if i == j {
				kind = "on"
			}
			fmt.Fprintf(&b, `<td class="%s" style="--share:%.0f%%">%d</td>`, kind, 70*share, n)
		}
		b.WriteString(`</tr>`)
	}
	b.WriteString(`</tbody></table>`)
	return template.HTML(b.String())
}

// A mistake is a cell off a confusion's diagonal.
type mistake struct {
	Label, Prediction string
	N                 int
}

// mistakes returns the most frequent ones.
func (c Confusion) mistakes() []mistake {
	const most = 8
	var all []mistake
	for i, row := range c.Counts {
		for j, n := range row {
			if i != j && n > 0 {
				all = append(all, mistake{excerpt(c.Labels[i], 40), excerpt(c.Labels[j], 40), n})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b mistake) int { return b.N - a.N })
	return all[:min(len(all), most)]
}

// excerpt cuts a text to at most so many characters.
func excerpt(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}
