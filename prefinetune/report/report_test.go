package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const hostile = `<script>alert("1")</script>&'"; --paper: red } 狐`

// sample is a report of a run that might have been.
func sample() *Report {
	r := rand.New(rand.NewPCG(1, 2))
	rep := &Report{
		Name:    "Pre-finetuning on the embedded suite",
		Summary: []string{"Seven of eight tasks beat the majority baseline after 600 steps.", "Pre-finetuned, 64 examples of the held-out task give 82.6 %, from scratch 51.3 %."},
		Config: []Setting{
			{"model", "RoBERTa, 4 layers, 128 wide, 4 heads"}, {"parameters", "1.4 M"}, {"tokens per batch", "2048"}, {"steps", "600"},
			{"optimiser", "AdamW, lr 1e-3, weight decay 0.01"}, {"warm-up", "6 %"}, {"R3F", "off"}, {"seed", "1"}, {"instruction set", "avx512"},
		},
	}
	tasks := []struct {
		name, family           string
		rows                   int
		maj, bow, ours, at, nn float64
	}{
		{"topic", "classification", 480, .25, 1, 1, .02, 160}, {"sentiment", "classification", 480, .5, .894, .931, .2, 160},
		{"entailment", "classification", 800, .335, .445, .71, .55, 200}, {"question", "classification", 300, .2, 1, 1, .01, 150},
		{"facts", "classification", 800, .505, .445, .535, .95, 200}, {"home", "commonsense", 640, .28, .306, .88, .4, 160},
		{"next", "commonsense", 640, .3, .344, .91, .3, 160}, {hostile, "mrc", 800, .04, .085, .62, .5, 200},
	}
	for _, t := range tasks {
		share := float64(t.rows) / 4940
		rep.Mix = append(rep.Mix, Mix{t.name, t.family, t.rows, share, share * (0.95 + 0.1*r.Float64()), 1.25})
		metric := "accuracy"
		if t.family == "mrc" {
			metric = "em_f1"
		}
		rep.Dev = append(rep.Dev, Score{t.name, t.family, metric, int(t.nn), t.maj, t.bow, t.ours, math.Sqrt(t.ours * (1 - t.ours) / t.nn)})
		c := Curve{Name: t.name}
		for s := 1; s <= 600; s++ {
			c.Steps = append(c.Steps, s)
			v := t.at + (1.05-t.at)*math.Exp(-float64(s)/150) + 0.12*r.NormFloat64()
			if t.name == "question" && s%3 == 0 {
				v = math.NaN()
			}
			c.Values = append(c.Values, max(v, 0))
		}
		rep.TaskLoss = append(rep.TaskLoss, c)
		rep.TaskGrad = append(rep.TaskGrad, c)
		rep.Weight = append(rep.Weight, c)
		rep.TaskScore = append(rep.TaskScore, Curve{t.name, []int{200, 400, 600}, []float64{t.maj, (t.maj + t.ours) / 2, t.ours}})
	}
	rep.Aggregate, rep.Best = Curve{"mean", []int{200, 400, 600}, []float64{.3, .7, .69}}, 400
	rep.Cosines = someCosines(len(tasks))
	for i, t := range tasks {
		rep.Cosines.Tasks[i] = t.name
	}
	for s := 1; s <= 600; s++ {
		f := float64(s)
		for _, c := range []*Curve{&rep.Pretrain, &rep.Loss, &rep.Rate, &rep.Speed, &rep.Grad, &rep.KL} {
			c.Steps = append(c.Steps, s)
		}
		rep.Pretrain.Values = append(rep.Pretrain.Values, 1+5*math.Exp(-f/150)+0.1*r.NormFloat64())
		rep.Loss.Values = append(rep.Loss.Values, 0.35+0.7*math.Exp(-f/150)+0.05*r.NormFloat64())
		rep.Grad.Values = append(rep.Grad.Values, 0.3+0.1*r.Float64())
		rep.KL.Values = append(rep.KL.Values, 1e-3*math.Exp(-f/150))
		rep.Rate.Values = append(rep.Rate.Values, 1e-3*min(f/36, (600-f)/564))
		rep.Speed.Values = append(rep.Speed.Values, 21000+900*r.NormFloat64())
	}
	for seed := uint64(1); seed <= 5; seed++ {
		rep.FewShot = append(rep.FewShot, FewShot{"care", "from scratch", seed, .51 + .03*r.NormFloat64(), false}, FewShot{"care", "pre-finetuned", seed, .82 + .02*r.NormFloat64(), false})
		rep.FewShot = append(rep.FewShot, FewShot{hostile, "from scratch", seed, .5 + .03*r.NormFloat64(), true}, FewShot{hostile, "pre-finetuned", seed, .5 + .02*r.NormFloat64(), true})
	}
	return rep
}

// wellFormed fails unless the page's tags nest, and returns its text and tag names.
func wellFormed(t *testing.T, page string) (text string, tags map[string]int) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(page))
	d.Entity = xml.HTMLEntity
	tags = map[string]int{}
	var b strings.Builder
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			return b.String(), tags
		}
		if err != nil {
			t.Fatal(err)
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			tags[tok.Name.Local]++
			for _, a := range tok.Attr {
				if a.Name.Local == "src" || a.Name.Local == "href" || strings.HasPrefix(a.Name.Local, "on") {
					t.Errorf("the page has an attribute %s", a.Name.Local)
				}
			}
		case xml.CharData:
			b.Write(tok)
		}
	}
}

func TestPage(t *testing.T) {
	r := sample()
	page := r.HTML()
	if dir := os.Getenv("MUPPET_REPORT"); dir != "" { // to look at it
		if err := os.WriteFile(filepath.Join(dir, "report.html"), []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, tags := wellFormed(t, page)
	if tags["script"] > 0 || tags["link"] > 0 || strings.Contains(page, "http") {
		t.Error("the page reaches out")
	}
	if n := strings.Count(text, hostile); n != 7+14 { // dev, few-shot, loss, gradients, weights, scores, mix; cells of the heat map
		t.Errorf("the hostile name stands %d times in the page's text", n)
	}
	for _, want := range append(r.Summary, "7 of 8 tasks", "em_f1", "Tokens per second", "instruction set", "Gradient norm", "R3F divergence", "0.7 at step 400", "facts and home (−0.40) conflict most", "Epochs", "1.25") {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if strings.Contains(page, "NaN") || strings.Contains(page, "Inf") || strings.Contains(page, "ZgotmplZ") {
		t.Error("the page shows what is not a number")
	}
}

// TestUnscaled: the line at 1 is drawn only where it means something.
func TestUnscaled(t *testing.T) {
	r := sample()
	if page := r.HTML(); !strings.Contains(page, `class="uniform"`) || !strings.Contains(page, "cost 1 in every task") {
		t.Error("no line at 1")
	}
	r.Unscaled = true
	if page := r.HTML(); strings.Contains(page, `class="uniform"`) || strings.Contains(page, "cost 1 in every task") {
		t.Error("a line at 1 for losses that are not scaled")
	}
}

func TestPartial(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for name, r := range map[string]*Report{
		"empty":        {},
		"hostile name": {Name: hostile},
		"one step":     {Loss: Curve{Steps: []int{7}, Values: []float64{0}}, Rate: Curve{Steps: []int{0}, Values: []float64{1e-30}}},
		"gaps": {Loss: Curve{Steps: []int{1, 2, 3}, Values: []float64{nan, inf, -inf}}, Speed: Curve{Steps: []int{1, 2, 3}, Values: []float64{1e300, nan, -5}},
			Mix: []Mix{{Realised: nan, Asked: inf, Epochs: inf}}, Dev: []Score{{Majority: nan, BagOfWords: nan, Ours: nan, StdErr: inf}}},
		"one task":      {Cosines: someCosines(1)},
		"no cosine":     {Cosines: &Cosines{Tasks: []string{hostile, "x"}, Mean: [][]float64{{1, nan}, {nan, 1}}, Count: [][]int{{1, 1}, {1, 1}}}},
		"no evaluation": {Aggregate: Curve{Steps: []int{1}, Values: []float64{nan}}, Best: 7},
		"one seed":      {FewShot: []FewShot{{hostile, hostile, 1, 0.5, false}, {hostile, "other", 1, nan, true}}},
	} {
		page := r.HTML()
		if wellFormed(t, page); strings.Contains(page, "NaN") || strings.Contains(page, "Inf") {
			t.Errorf("%s: the page shows what is not a number", name)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("no panic for a curve without values")
		}
	}()
	(&Report{Loss: Curve{Steps: []int{1}}}).HTML()
}

func TestWriteError(t *testing.T) {
	pr, pw := io.Pipe()
	pr.CloseWithError(io.ErrClosedPipe)
	if err := sample().WriteHTML(pw); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("error %v", err)
	}
}

func TestBeatsMajority(t *testing.T) {
	for _, c := range []struct {
		s    Score
		want bool
	}{
		{Score{Ours: 0.6, Majority: 0.5, StdErr: 0.04}, true},
		{Score{Ours: 0.6, Majority: 0.5, StdErr: 0.06}, false},
		{Score{Ours: 0.6, Majority: math.NaN()}, false},
	} {
		if c.s.BeatsMajority() != c.want {
			t.Errorf("%+v", c.s)
		}
	}
}

// A long run must not make a large page.
func TestBoundedSize(t *testing.T) {
	c := Curve{}
	for i := range 1_000_000 {
		c.Steps, c.Values = append(c.Steps, i), append(c.Values, float64(i%7))
	}
	if n := len((&Report{Loss: c}).HTML()); n > 60_000 {
		t.Errorf("%d bytes for a million steps", n)
	}
}

func TestTicks(t *testing.T) {
	for _, c := range []struct {
		low, high float64
		n         int
		want      string
	}{
		{0, 1, 4, "[0 0.5 1]"}, {0, 1.15, 5, "[0 0.5 1]"}, {1, 600, 5, "[200 400 600]"}, {0, 0.001, 4, "[0 0.0005 0.001]"}, {-3, 3, 3, "[-2 0 2]"},
	} {
		if got := fmt.Sprint(ticks(c.low, c.high, c.n)); got != c.want {
			t.Errorf("ticks from %v to %v: %s, want %s", c.low, c.high, got, c.want)
		}
	}
}

func ExampleReport_WriteHTML() {
	r := &Report{
		Name: "A run",
		Dev:  []Score{{Task: "topic", Family: "classification", Metric: "accuracy", N: 160, Majority: 0.25, BagOfWords: 1, Ours: 0.98, StdErr: 0.01}},
	}
	var page bytes.Buffer
	err := r.WriteHTML(&page)
	fmt.Println(err, strings.Contains(page.String(), "1 of 1 tasks beat"))
	// Output: <nil> true
}
