package optim

import (
	"encoding/json"
	"math"
	"os"
	"reflect"
	"testing"
)

func TestPolynomialDecay(t *testing.T) {
	linear := PolynomialDecay{Peak: 1, WarmUp: 4, Total: 10}
	square := PolynomialDecay{Peak: 1, End: 0.2, WarmUp: 0, Total: 4, Power: 2}
	warm := PolynomialDecay{Peak: 2, End: 0.5, WarmUp: 3, Total: 3}
	for _, c := range []struct {
		p    PolynomialDecay
		step int
		want float64
	}{
		{linear, 0, 0}, {linear, 1, 0.25}, {linear, 3, 0.75}, {linear, 4, 1}, {linear, 7, 0.5}, {linear, 9, 1. / 6}, {linear, 10, 0}, {linear, 99, 0},
		{square, 0, 1}, {square, 1, 0.8*0.5625 + 0.2}, {square, 2, 0.4}, {square, 3, 0.25}, {square, 4, 0.2}, {square, 5, 0.2},
		{warm, 0, 0}, {warm, 2, 4. / 3}, {warm, 3, 0.5}, {warm, 4, 0.5},
		{PolynomialDecay{Peak: 1}, 0, 0}, {PolynomialDecay{Peak: 1, End: 0.1}, 5, 0.1},
	} {
		if got := c.p.At(c.step); !(math.Abs(got-c.want) < 1e-12) {
			t.Errorf("%+v at %d: %v, want %v", c.p, c.step, got, c.want)
		}
	}
}

func TestSchedulesMatchPyTorch(t *testing.T) {
	data, err := os.ReadFile("testdata/schedules.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Schedule string
		Config   json.RawMessage
		Rates    []float64
	}
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	kinds := map[string]Schedule{
		"Constant": &Constant{}, "PolynomialDecay": &PolynomialDecay{}, "CosineDecay": &CosineDecay{}, "OneCycle": &OneCycle{},
	}
	seen := map[string]bool{}
	for _, c := range cases {
		s := reflect.New(reflect.TypeOf(kinds[c.Schedule]).Elem()).Interface().(Schedule)
		if err := json.Unmarshal(c.Config, s); err != nil {
			t.Fatal(err)
		}
		seen[c.Schedule] = true
		for i, want := range c.Rates {
			if got := s.At(1 + i); !(math.Abs(got-want) <= 1e-9) { // the digits that are stored
				t.Errorf("%s %s at %d: %v, PyTorch has %v", c.Schedule, c.Config, 1+i, got, want)
			}
		}
	}
	if len(seen) != len(kinds) {
		t.Errorf("compared only %v", seen)
	}
}

// TestScheduleEdges looks where PyTorch has nothing: behind the last step, and with warm-ups of no step or of all.
func TestScheduleEdges(t *testing.T) {
	for _, c := range []struct {
		s    Schedule
		step int
		want float64
	}{
		{Constant{LR: 2}, 0, 2}, {Constant{LR: 2}, 1, 2}, {Constant{LR: 2, WarmUp: 4}, 0, 0}, {Constant{LR: 2, WarmUp: 4}, 1 << 40, 2},
		{CosineDecay{Peak: 2, Total: 2}, 0, 2}, {CosineDecay{Peak: 2, Total: 2}, 1, 1}, {CosineDecay{Peak: 2, Total: 2, End: 1}, 9, 1},
		{CosineDecay{Peak: 2, WarmUp: 2, Total: 2, End: 1}, 1, 1}, {CosineDecay{Peak: 2, WarmUp: 2, Total: 2, End: 1}, 2, 1},
		{OneCycle{Peak: 100, WarmUp: 3, Total: 9}, 1, 4}, {OneCycle{Peak: 100, WarmUp: 3, Total: 9}, 99, 4e-4},
		{OneCycle{Peak: 100, WarmUp: 1, Total: 9}, 1, 100}, {OneCycle{Peak: 100, Total: 2}, 1, 50.0002},
	} {
		if got := c.s.At(c.step); !(math.Abs(got-c.want) < 1e-12) {
			t.Errorf("%+v at %d: %v, want %v", c.s, c.step, got, c.want)
		}
	}
}
