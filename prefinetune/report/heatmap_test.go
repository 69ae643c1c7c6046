package report

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

// someCosines are of n tasks: of the last with any other there is none for 0 and the first two
// pairs are far apart.
func someCosines(n int) *Cosines {
	c := &Cosines{Measurements: 12}
	for i := range n {
		c.Tasks = append(c.Tasks, fmt.Sprintf("task %d", i))
		c.Mean, c.Count = append(c.Mean, make([]float64, n)), append(c.Count, make([]int, n))
		for j := range n {
			c.Mean[i][j], c.Count[i][j] = 0.3*math.Cos(float64(i*j)), 12-max(i, j)%3
		}
	}
	set := func(i, j int, v float64, count int) {
		if max(i, j) < n {
			c.Mean[i][j], c.Mean[j][i], c.Count[i][j], c.Count[j][i] = v, v, count, count
		}
	}
	set(5, 4, -0.4, 3)
	set(2, 3, 0.45, 3)
	set(0, 1, -0.9, 0)
	return c
}

func TestSentence(t *testing.T) {
	two := func(v float64, count int) *Cosines {
		return &Cosines{Tasks: []string{"a", "b"}, Mean: [][]float64{{1, v}, {v, 1}}, Count: [][]int{{1, count}, {count, 1}}}
	}
	three := func(ab, ac, bc float64) *Cosines {
		return &Cosines{
			Tasks: []string{"a", "b", "c"}, Mean: [][]float64{{1, ab, ac}, {ab, 1, bc}, {ac, bc, 1}},
			Count: [][]int{{1, 1, 1}, {1, 1, 1}, {1, 1, 1}},
		}
	}
	for want, c := range map[string]*Cosines{
		"No two tasks were measured together.":                                                  two(-0.5, 0),
		"In conflict: a and b (−0.50).":                                                         two(-0.5, 2),
		"Not in conflict: a and b (0.25).":                                                      two(0.25, 2),
		"a and b (−0.50) conflict most, b and c (0.20) agree most.":                             three(-0.5, 0.1, 0.2),
		"No pair is in conflict. a and c (0.10) agree least, a and b (0.50) most.":              three(0.5, 0.1, 0.2),
		"All pairs are in conflict, most of all b and c (−0.20), least of all a and b (−0.10).": three(-0.1, -0.15, -0.2),
		"task 4 and task 5 (−0.40) conflict most, task 2 and task 3 (0.45) agree most.":         someCosines(8),
	} {
		if got := c.Sentence(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestHeatMap draws from 2 to 70 tasks: every pair has a cell, numbers stand in it where there is
// room, and all of it is inside the drawing.
func TestHeatMap(t *testing.T) {
	for _, n := range []int{1, 2, 3, 12, 21, 22, 46, 70, 300} {
		c := someCosines(n)
		c.Tasks[n-1] = hostile
		drawn := string(heatMap(c))
		_, tags := wellFormed(t, drawn)
		absent := 0
		if n > 1 {
			absent = 2
		}
		bar := 40
		if got := tags["rect"] - bar + tags["path"]; got != n*n || tags["path"] != absent {
			t.Errorf("%d tasks: %d cells, %d of them absent", n, got, tags["path"])
		}
		numbers := strings.Count(drawn, `class="value"`)
		if want := n*n - n - absent; n <= 21 && numbers != want || n > 21 && numbers != 0 {
			t.Errorf("%d tasks: %d numbers", n, numbers)
		}
		var w, h float64
		if _, err := fmt.Sscanf(drawn, `<svg class="heat" viewBox="0 0 %f %f"`, &w, &h); err != nil || n <= 70 && w > 1000 {
			t.Errorf("%d tasks: %.0f × %.0f, %v", n, w, h, err)
		}
		for _, part := range strings.Split(drawn, "<rect ")[1:] {
			var x, y, cw, ch float64
			at := strings.Index(part, ` x="`)
			if _, err := fmt.Sscanf(part[at:], ` x="%f" y="%f" width="%f" height="%f"`, &x, &y, &cw, &ch); err != nil || x < 0 || y < 0 || x+cw > w || y+ch > h {
				t.Fatalf("%d tasks: %s is not in %.0f × %.0f: %v", n, part, w, h, err)
			}
		}
		if n > 1 && strings.Contains(drawn, "<script") {
			t.Error("a name is not escaped")
		}
	}
}
