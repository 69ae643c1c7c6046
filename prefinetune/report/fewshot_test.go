package report

import (
	"math"
	"testing"
)

func TestByStart(t *testing.T) {
	s := ByStart([]FewShot{{"x", "b", 2, 0.6, false}, {"x", "a", 1, 0.5, false}, {"y", "b", 1, 0.9, false}, {"x", "b", 1, 0.2, false}})
	if len(s) != 3 || s[2].Task != "y" || s[2].Mean != 0.9 || s[0].Name != "b" || s[0].Runs[0].Seed != 1 || s[0].Mean != 0.4 || math.Abs(s[0].Spread-0.4/math.Sqrt2) > 1e-12 || !math.IsNaN(s[1].Spread) {
		t.Errorf("%+v", s)
	}
}

// Beside the scores stands t of their differences; 99 % of chance is within 5.84 for four seeds and
// within 9.92 for three.
func TestCompare(t *testing.T) {
	var runs []FewShot
	add := func(task string, control bool, scores ...[2]float64) {
		for seed, s := range scores {
			runs = append(runs, FewShot{task, "plain", uint64(seed), s[0], control}, FewShot{task, "tuned", uint64(seed), s[1], control})
		}
	}
	add("gain", false, [2]float64{0.50, 0.61}, [2]float64{0.52, 0.70}, [2]float64{0.47, 0.62}, [2]float64{0.55, 0.69}) // 10.05
	add("none", true, [2]float64{0.50, 0.53}, [2]float64{0.52, 0.56}, [2]float64{0.47, 0.46}, [2]float64{0.55, 0.61})  // 2.04
	add("worse", false, [2]float64{0.9, 0.5}, [2]float64{0.9, 0.52}, [2]float64{0.92, 0.5})                            // -34.6
	add("once", false, [2]float64{0.1, 0.9})
	runs = append(runs, FewShot{"alone", "plain", 1, 0.5, false}, FewShot{"apart", "plain", 1, 0.5, false}, FewShot{"apart", "tuned", 2, 0.5, false})
	got := Compare(runs)
	want := []Comparison{
		{Task: "gain", Difference: 0.145, StdErr: 0.014434, Clear: true},
		{Task: "none", Control: true, Difference: 0.03, StdErr: 0.014720},
		{Task: "worse", Difference: -0.4, StdErr: 0.011547, Clear: true},
		{Task: "once", Difference: 0.8, StdErr: math.NaN()},
		{Task: "apart", Difference: 0, StdErr: math.NaN()},
	}
	if len(got) != len(want) {
		t.Fatalf("%d comparisons: %+v", len(got), got)
	}
	same := func(a, b float64) bool { return math.IsNaN(a) && math.IsNaN(b) || math.Abs(a-b) < 1e-6 }
	for i, w := range want {
		g := got[i]
		if g.Task != w.Task || g.Control != w.Control || g.Clear != w.Clear || !same(g.Difference, w.Difference) || !same(g.StdErr, w.StdErr) || g.A.Name != "plain" || g.B.Name != "tuned" {
			t.Errorf("%s: %+v, want %+v", w.Task, g, w)
		}
	}
}
