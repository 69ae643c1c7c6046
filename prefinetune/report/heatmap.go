package report

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Cosines tell which tasks fight over the weights that they share: the cosines of the angles
// between the tasks' gradients, each the mean over the measurements that had both tasks.
type Cosines struct {
	Tasks        []string
	Mean         [][]float64 // [i][j] of tasks i and j, symmetric; where Count is 0 it means nothing
	Count        [][]int     // measurements that had both
	Measurements int
}

// known reports whether the pair has a cosine.
func (c *Cosines) known(i, j int) bool { return c.Count[i][j] > 0 && finite(c.Mean[i][j]) }

// Sentence names the pair of tasks with the least cosine and the pair with the greatest.
func (c *Cosines) Sentence() string {
	var low, high [2]int
	pairs := 0
	for i := range c.Tasks {
		for j := range i {
			if !c.known(i, j) {
				continue
			}
			if pairs++; pairs == 1 || c.Mean[i][j] < c.Mean[low[0]][low[1]] {
				low = [2]int{i, j}
			}
			if pairs == 1 || c.Mean[i][j] > c.Mean[high[0]][high[1]] {
				high = [2]int{i, j}
			}
		}
	}
	pair := func(p [2]int) string {
		return fmt.Sprintf("%s and %s (%s)", c.Tasks[p[1]], c.Tasks[p[0]], cosine(c.Mean[p[0]][p[1]]))
	}
	least, greatest := c.Mean[low[0]][low[1]], c.Mean[high[0]][high[1]]
	switch {
	case pairs == 0:
		return "No two tasks were measured together."
	case pairs == 1 && least < 0:
		return "In conflict: " + pair(low) + "."
	case pairs == 1:
		return "Not in conflict: " + pair(low) + "."
	case greatest < 0:
		return "All pairs are in conflict, most of all " + pair(low) + ", least of all " + pair(high) + "."
	case least >= 0:
		return "No pair is in conflict. " + pair(low) + " agree least, " + pair(high) + " most."
	}
	return pair(low) + " conflict most, " + pair(high) + " agree most."
}

// cosine prints a cosine with two decimals.
func cosine(v float64) string {
	s := strconv.FormatFloat(v, 'f', 2, 64)
	if s == "-0.00" {
		s = "0.00"
	}
	return strings.Replace(s, "-", "−", 1)
}

// Pixels of the heat map; a cell shrinks until all fit.
const (
	heatWidth   = 770.0 // of all cells
	largestCell = 56.0
	numberCell  = 36.0 // the least that has room for a number
	longestName = 26   // letters of a label
)

// heatMap draws the cosines as a square of cells, blue where tasks agree and orange where they
// fight, the deeper the more. The names are the caller's and are escaped.
func heatMap(c *Cosines) template.HTML {
	n := len(c.Tasks)
	if n == 0 {
		return ""
	}
	limit := 0.0
	for i := range n {
		for j := range i {
			if c.known(i, j) {
				limit = max(limit, math.Abs(c.Mean[i][j]))
			}
		}
	}
	limit = roundUp(limit)

	cell := min(largestCell, math.Floor(heatWidth/float64(n)))
	cell = max(cell, 3)
	font := min(12, cell-0.5)
	longest := 0
	for _, name := range c.Tasks {
		longest = max(longest, utf8.RuneCountInString(shorten(name)))
	}
	margin := 0.62*font*float64(longest) + 10
	side := cell * float64(n)
	bar := min(260, max(side, 120))
	w, h := margin+max(side, bar)+2, margin+side+48

	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="heat" viewBox="0 0 %.0f %.0f" style="max-width:%.0fpx" role="img">`, w, h, w)
	for i, name := range c.Tasks {
		at := margin + cell*(float64(i)+0.5)
		label := html.EscapeString(shorten(name))
		fmt.Fprintf(&b, `<text font-size="%.1f" x="%.1f" y="%.1f" text-anchor="end">%s</text>`, font, margin-5, at+font/3, label)
		fmt.Fprintf(&b, `<text font-size="%.1f" transform="translate(%.1f %.1f) rotate(-90)">%s</text>`, font, at+font/3, margin-5, label)
	}
	for i := range n {
		for j := range n {
			heatCell(&b, c, i, j, margin+cell*float64(j), margin+cell*float64(i), cell, limit)
		}
	}
	scaleBar(&b, margin, margin+side+14, bar, limit)
	b.WriteString(`</svg>`)
	return template.HTML(b.String())
}

// heatCell draws one cell at x, y.
func heatCell(b *strings.Builder, c *Cosines, i, j int, x, y, cell, limit float64) {
	size := cell - min(1, cell/8)
	title := html.EscapeString(c.Tasks[i] + ", " + c.Tasks[j])
	switch {
	case i == j:
		fmt.Fprintf(b, `<rect class="self" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/>`, x, y, size, size)
	case !c.known(i, j):
		fmt.Fprintf(b, `<path class="absent" d="M%.1f %.1fl%.1f %.1f"><title>%s: never measured together</title></path>`,
			x+0.3*size, y+0.7*size, 0.4*size, -0.4*size, title)
	default:
		v := c.Mean[i][j]
		fmt.Fprintf(b, `<rect class="%s" fill-opacity="%.2f" x="%.1f" y="%.1f" width="%.1f" height="%.1f"><title>%s: %s, %d×</title></rect>`,
			side(v), shade(v, limit), x, y, size, size, title, cosine(v), c.Count[i][j])
		if cell >= numberCell {
			fmt.Fprintf(b, `<text class="value" font-size="12" x="%.1f" y="%.1f" text-anchor="middle">%s</text>`, x+size/2, y+size/2+4, cosine(v))
		}
	}
}

// scaleBar draws which shade means what.
func scaleBar(b *strings.Builder, x, y, width, limit float64) {
	const steps = 40
	for k := range steps {
		v := limit * (2*(float64(k)+0.5)/steps - 1)
		fmt.Fprintf(b, `<rect class="%s" fill-opacity="%.2f" x="%.1f" y="%.1f" width="%.2f" height="12"/>`,
			side(v), shade(v, limit), x+width*float64(k)/steps, y, width/steps+0.2)
	}
	for _, mark := range []struct {
		v      float64
		anchor string
	}{{-limit, "start"}, {0, "middle"}, {limit, "end"}} {
		fmt.Fprintf(b, `<text font-size="11.5" x="%.1f" y="%.1f" text-anchor="%s">%s</text>`,
			x+width*(mark.v/limit+1)/2, y+26, mark.anchor, cosine(mark.v))
	}
}

// side is the class of a cosine's colour.
func side(v float64) string {
	if v < 0 {
		return "fight"
	}
	return "agree"
}

// shade is the opacity of a cosine's colour; even the deepest leaves a number on it legible.
func shade(v, limit float64) float64 { return 0.7 * min(math.Abs(v)/limit, 1) }

// roundUp returns the end of the scale: 1, or the next round number above the greatest cosine.
func roundUp(v float64) float64 {
	for _, r := range []float64{0.05, 0.1, 0.2, 0.3, 0.5} {
		if v <= r {
			return r
		}
	}
	return 1
}

// shorten cuts a name to the length of a label.
func shorten(name string) string {
	return excerpt(name, longestName)
}
