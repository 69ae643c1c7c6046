package metrics

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/muppet-go/muppet/prefinetune/task"
)

func near(a, b float64) bool { return math.Abs(a-b) < 1e-12 }

// The values are scikit-learn's, and for the answers those of Python's regular
// expressions: see testdata/metrics.py.
func TestOracle(t *testing.T) {
	data, err := os.ReadFile("testdata/metrics.json")
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		Classes []struct {
			True, Pred             []int
			Accuracy, F1, Matthews float64
			MacroF1                float64 `json:"macro_f1"`
		}
		Answers []struct {
			Pred   string
			Golds  []string
			EM, F1 float64
		}
	}
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	if len(want.Classes) < 20 || len(want.Answers) < 10 {
		t.Fatalf("%d and %d cases", len(want.Classes), len(want.Answers))
	}
	for i, c := range want.Classes {
		for _, m := range []struct {
			name      string
			got, want float64
		}{
			{"Accuracy", Accuracy(c.True, c.Pred), c.Accuracy},
			{"F1", F1(c.True, c.Pred, 1), c.F1},
			{"MacroF1", MacroF1(c.True, c.Pred), c.MacroF1},
			{"MatthewsCorrcoef", MatthewsCorrcoef(c.True, c.Pred), c.Matthews},
		} {
			if !near(m.got, m.want) {
				t.Errorf("case %d: %s is %v, scikit-learn's %v", i, m.name, m.got, m.want)
			}
		}
	}
	for _, c := range want.Answers {
		if em, f1 := ExactMatch(c.Pred, c.Golds), TokenF1(c.Pred, c.Golds); em != c.EM || !near(f1, c.F1) {
			t.Errorf("%q for %q: exact match %v and F1 %v, want %v and %v", c.Pred, c.Golds, em, f1, c.EM, c.F1)
		}
	}
}

// The values are those of SQuAD 2.0's evaluation script: see testdata/squad2.py.
func TestSQuAD2(t *testing.T) {
	data, err := os.ReadFile("testdata/squad2.json")
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		Cases []struct {
			Pred      string
			Golds     []string
			Exact, F1 float64
		}
		Exact, F1 float64
	}
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	if len(want.Cases) < 20 {
		t.Fatalf("%d cases", len(want.Cases))
	}
	var examples []task.Example
	var p Predictions
	for _, c := range want.Cases {
		if em, f1 := ExactMatch(c.Pred, c.Golds), TokenF1(c.Pred, c.Golds); !near(em, c.Exact) || !near(f1, c.F1) {
			t.Errorf("%q for %q: exact match %v and F1 %v, want %v and %v", c.Pred, c.Golds, em, f1, c.Exact, c.F1)
		}
		var e task.Example
		for _, g := range c.Golds {
			e.Answers = append(e.Answers, task.Answer{Text: g})
		}
		examples, p.Text = append(examples, e), append(p.Text, c.Pred)
	}
	if v, _ := Score(&task.Task{Family: task.MRC, Metric: "em_f1"}, examples, p); !near(v, (want.Exact+want.F1)/2) {
		t.Errorf("score %v, want %v and %v", v, want.Exact, want.F1)
	}
}

func TestEmpty(t *testing.T) {
	for name, v := range map[string]float64{
		"Accuracy": Accuracy(nil, nil), "F1": F1(nil, nil, 1), "MacroF1": MacroF1(nil, nil),
		"MatthewsCorrcoef": MatthewsCorrcoef(nil, nil), "StandardError": StandardError(0.5, 0),
		"ExactMatch": ExactMatch("a word", nil), "TokenF1": TokenF1("a word", nil),
	} {
		if v != 0 {
			t.Errorf("%s of nothing is %v", name, v)
		}
	}
}

func TestPanics(t *testing.T) {
	one := []task.Example{{Label: 1}}
	for name, f := range map[string]func(){
		"lengths": func() { Accuracy([]int{1}, nil) },
		"score":   func() { Score(&task.Task{Metric: "accuracy"}, one, Predictions{}) },
		"values": func() {
			Score(&task.Task{Family: task.Regression, Metric: "pearson"}, one, Predictions{Index: []int{1}})
		},
		"texts":  func() { Score(&task.Task{Metric: "em_f1"}, one, Predictions{}) },
		"metric": func() { Score(&task.Task{Metric: "taste"}, one, Predictions{Index: []int{1}}) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			f()
		})
	}
}

// The standard errors are compared with the spread of the metric over many draws.
func TestScoreStandardError(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	const draws, n = 400, 300
	for _, metric := range []string{"accuracy", "f1", "macro_f1", "matthews", "em_f1"} {
		k := &task.Task{Name: metric, Family: task.Classification, Metric: metric}
		var sum, sum2, claimed float64
		for range draws {
			examples := make([]task.Example, n)
			p := Predictions{Index: make([]int, n), Text: make([]string, n)}
			for i := range examples {
				examples[i].Label = r.IntN(10) / 7
				examples[i].Answers = []task.Answer{{Text: "white cliff"}}
				p.Index[i] = examples[i].Label
				p.Text[i] = "the white cliff"
				if u := r.Float64(); u < 0.3 {
					p.Index[i] = r.IntN(2)
					p.Text[i] = []string{"cliff", "sea"}[r.IntN(2)]
				}
			}
			v, se := Score(k, examples, p)
			sum, sum2, claimed = sum+v, sum2+v*v, claimed+se/draws
		}
		spread := math.Sqrt((sum2 - sum*sum/draws) / (draws - 1))
		if math.Abs(claimed/spread-1) > 0.12 {
			t.Errorf("%s: standard error %.4f, the spread is %.4f", metric, claimed, spread)
		}
	}
}

func TestScoreValues(t *testing.T) {
	examples := []task.Example{{Answer: 2, Label: 0}, {Answer: 0, Label: 1}}
	p := Predictions{Index: []int{2, 1}}
	if v, se := Score(&task.Task{Family: task.Commonsense, Metric: "accuracy"}, examples, p); v != 0.5 || !near(se, math.Sqrt(0.125)) {
		t.Errorf("commonsense: %v ± %v", v, se)
	}
	if v, _ := Score(&task.Task{Family: task.Classification, Metric: "f1"}, examples, p); v != 1 {
		t.Errorf("f1 of class 1: %v", v)
	}
	scored := []task.Example{{Score: 1}, {Score: 2}, {Score: 4}, {Score: 3}, {Score: 5}}
	near3 := func(a, b float64) bool { return math.Abs(a-b) < 1e-3 }
	guess := Predictions{Value: []float64{1, 3, 4, 2, 9}}
	for metric, want := range map[string][2]float64{"pearson": {0.863, 0.180}, "spearman": {0.9, 0.159}, "pearson_spearman": {0.882, 0.170}} {
		v, se := Score(&task.Task{Family: task.Regression, Metric: metric}, scored, guess)
		if !near3(v, want[0]) || !near3(se, want[1]) {
			t.Errorf("%s: %v ± %v, want %v", metric, v, se, want)
		}
	}
	read := []task.Example{{Answers: []task.Answer{{Text: "cat"}, {Text: "white cat"}}}}
	if v, _ := Score(&task.Task{Family: task.MRC, Metric: "em_f1"}, read, Predictions{Text: []string{"a big white cat"}}); !near(v, 0.4) {
		t.Errorf("em_f1: %v", v)
	}
}

func FuzzAnswers(f *testing.F) {
	f.Add("The Eiffel Tower", "eiffel  tower.")
	f.Add("\xff the", "é\u0301 an")
	f.Fuzz(func(t *testing.T, pred, gold string) {
		em, f1 := ExactMatch(pred, []string{gold}), TokenF1(pred, []string{gold})
		if back := TokenF1(gold, []string{pred}); f1 < 0 || f1 > 1 || f1 != back {
			t.Errorf("F1 %v, the other way round %v", f1, back)
		}
		if em == 1 && f1 != 1 && len(normalise(pred)) > 0 {
			t.Errorf("an exact match has F1 %v", f1)
		}
	})
}

func Example() {
	yTrue := []int{0, 1, 1, 2, 2, 2}
	yPred := []int{0, 1, 2, 2, 2, 0}
	fmt.Printf("accuracy %.3f ± %.3f\n", Accuracy(yTrue, yPred), StandardError(Accuracy(yTrue, yPred), 6))
	fmt.Printf("macro F1 %.3f\n", MacroF1(yTrue, yPred))
	fmt.Printf("Matthews %.3f\n", MatthewsCorrcoef(yTrue, yPred))
	fmt.Printf("token F1 %.3f\n", TokenF1("the white cliff", []string{"cliff", "a cliff by the sea"}))
	// Output:
	// accuracy 0.667 ± 0.192
	// macro F1 0.667
	// Matthews 0.500
	// token F1 0.667
}
