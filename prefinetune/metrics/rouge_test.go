package metrics

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/muppet-go/muppet/prefinetune/task"
)

// The values are those of rouge-score, NLTK and scipy: see testdata/rouge.py.
func TestTextOracle(t *testing.T) {
	data, err := os.ReadFile("testdata/rouge.json")
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		Stems [][2]string
		Rouge []struct {
			Pred, Gold string
			Stem       bool
			Scores     [3]float64
		}
		Correlations []struct {
			True, Pred        []float64
			Pearson, Spearman float64
		}
	}
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	if len(want.Stems) < 1000 || len(want.Rouge) < 200 || len(want.Correlations) < 5 {
		t.Fatalf("%d, %d and %d cases", len(want.Stems), len(want.Rouge), len(want.Correlations))
	}
	for _, s := range want.Stems {
		if got := porterStem(s[0]); got != s[1] {
			t.Errorf("the stem of %s is %s, NLTK's %s", s[0], got, s[1])
		}
	}
	for _, c := range want.Rouge {
		s := Rouge(c.Pred, c.Gold, c.Stem)
		for i, got := range []float64{s.Rouge1, s.Rouge2, s.RougeL} {
			if !near(got, c.Scores[i]) {
				t.Errorf("%q for %q, stem %v: score %d is %v, rouge-score's %v", c.Pred, c.Gold, c.Stem, i, got, c.Scores[i])
			}
		}
	}
	for i, c := range want.Correlations {
		if p, s := Pearson(c.True, c.Pred), Spearman(c.True, c.Pred); !near(p, c.Pearson) || !near(s, c.Spearman) {
			t.Errorf("case %d: r %v and ρ %v, scipy's %v and %v", i, p, s, c.Pearson, c.Spearman)
		}
	}
}

func TestUndefinedCorrelation(t *testing.T) {
	for _, y := range [][]float64{nil, {1}, {2, 2, 2}} {
		other := make([]float64, len(y))
		for i := range other {
			other[i] = float64(i)
		}
		if p, s := Pearson(y, other), Spearman(other, y); p != 0 || s != 0 {
			t.Errorf("of %v: %v, %v", y, p, s)
		}
	}
}

func TestScoreRouge(t *testing.T) {
	tk := &task.Task{Family: task.Summarisation, Metric: "rouge"}
	examples := []task.Example{{Target: "two cats slept"}, {Target: "a dog barked"}}
	// The first has all words, one of two pairs, and two words in order; the second nothing.
	v, se := Score(tk, examples, Predictions{Text: []string{"slept two cat", "meow"}})
	first := (1 + 0.5 + 2./3) / 3
	if !near(v, first/2) || !near(se, first/2) {
		t.Errorf("%v ± %v, want %v", v, se, first/2)
	}
}

func FuzzRouge(f *testing.F) {
	f.Add("The cats were sitting", "a cat sat")
	f.Add("yyyying alliesalli", "\xffİ ½")
	f.Fuzz(func(t *testing.T, a, b string) {
		if len(a)+len(b) > 1<<12 {
			return
		}
		for _, stem := range []bool{false, true} {
			there, back := Rouge(a, b, stem), Rouge(b, a, stem)
			if there != back {
				t.Errorf("%v one way, %v the other", there, back)
			}
			for _, v := range []float64{there.Rouge1, there.Rouge2, there.RougeL} {
				if !(v >= 0 && v <= 1) {
					t.Errorf("score %v", v)
				}
			}
			if there.RougeL > there.Rouge1+1e-12 || math.IsNaN(there.Rouge1) {
				t.Errorf("more words in order than in common: %v", there)
			}
		}
	})
}
