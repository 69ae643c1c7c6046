package prefinetune

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/muppet-go/muppet/prefinetune/metrics"
	"github.com/muppet-go/muppet/prefinetune/task"
	"github.com/muppet-go/muppet/transformer"
)

// Predict returns what the model makes of examples of a task, in their order. Labels, answers
// and targets of the examples are not looked at. The head is that of Head.
func (s *Saved) Predict(ctx context.Context, t *task.Task, examples []task.Example) ([]Prediction, error) {
	own, err := s.Head(t)
	if err != nil {
		return nil, err
	}
	if own.Family == task.MRC { // whose head serves any
		both := *own
		both.NoAnswer = t.NoAnswer
		own = &both
	}
	enc := &encoder{tok: s.Model.base.Tokenizer, maxLength: s.MaxLength, budget: s.TokensPerBatch, decoder: s.Model.Bart != nil}
	encoded := make([]*example, len(examples))
	for i, ex := range examples {
		ex.Label, ex.Answer, ex.Answers, ex.Target = 0, 0, nil, ""
		if encoded[i], err = enc.encode(0, own, ex); err != nil {
			return nil, err
		}
	}
	return s.Model.predict(ctx, []*task.Task{own}, encoded, examples, s.TokensPerBatch, s.generation(own))
}

// generation returns how the model writes for a task.
func (s *Saved) generation(t *task.Task) transformer.GenerationConfig {
	if s.own != "" {
		return s.Model.base.Generation
	}
	return s.Model.generation(s.longest[t.Name])
}

// An Evaluation is what a model scores on a split of a task.
type Evaluation struct {
	Task     string    `json:"task"`
	Split    string    `json:"split"`
	Examples int       `json:"examples"`
	Measures []Measure `json:"measures"` // the first is the one that speaks for the task
}

// A Measure is a metric with its value; see package metrics.
type Measure struct {
	Name   string  `json:"name"`
	Value  float64 `json:"value"`
	StdErr float64 `json:"standard_error,omitempty"` // of the first alone
}

// Evaluate predicts a split of a task and scores the predictions.
func (s *Saved) Evaluate(ctx context.Context, t *task.Task, split string) (*Evaluation, error) {
	examples, err := t.Read(split)
	if err != nil {
		return nil, err
	}
	predictions, err := s.Predict(ctx, t, examples)
	if err != nil {
		return nil, err
	}
	e := &Evaluation{Task: t.Name, Split: split, Examples: len(examples)}
	value, stderr := metrics.Score(t, examples, answers(t.Family, predictions))
	e.Measures = []Measure{{t.Metric, value, stderr}}
	for _, m := range measures(t, examples, predictions) {
		if m.Name != t.Metric {
			e.Measures = append(e.Measures, m)
		}
	}
	return e, nil
}

// measures returns the metrics that are usual for a family.
func measures(t *task.Task, examples []task.Example, predictions []Prediction) []Measure {
	mean := func(f func(i int) float64) float64 {
		sum := 0.0
		for i := range examples {
			sum += f(i)
		}
		return sum / float64(len(examples))
	}
	switch t.Family {
	case task.Classification:
		var want, got []int
		for i, e := range examples {
			want, got = append(want, e.Label), append(got, predictions[i].Index)
		}
		m := []Measure{{Name: "accuracy", Value: metrics.Accuracy(want, got)}, {Name: "macro_f1", Value: metrics.MacroF1(want, got)},
			{Name: "matthews", Value: metrics.MatthewsCorrcoef(want, got)}}
		if len(t.Labels) == 2 {
			m = append(m, Measure{Name: "f1", Value: metrics.F1(want, got, 1)})
		}
		return m
	case task.Regression:
		want := make([]float64, len(examples))
		for i, e := range examples {
			want[i] = e.Score
		}
		got := answers(t.Family, predictions).Value
		return []Measure{{Name: "pearson", Value: metrics.Pearson(want, got)}, {Name: "spearman", Value: metrics.Spearman(want, got)}}
	case task.MRC:
		gold := func(i int) (texts []string) {
			for _, a := range examples[i].Answers {
				texts = append(texts, a.Text)
			}
			return texts
		}
		return []Measure{{Name: "exact_match", Value: mean(func(i int) float64 { return metrics.ExactMatch(predictions[i].Text, gold(i)) })},
			{Name: "f1", Value: mean(func(i int) float64 { return metrics.TokenF1(predictions[i].Text, gold(i)) })}}
	case task.Summarisation:
		scores := make([]metrics.RougeScore, len(examples))
		for i, e := range examples {
			scores[i] = metrics.Rouge(predictions[i].Text, e.Target, true)
		}
		return []Measure{{Name: "rouge1", Value: mean(func(i int) float64 { return scores[i].Rouge1 })},
			{Name: "rouge2", Value: mean(func(i int) float64 { return scores[i].Rouge2 })},
			{Name: "rougeL", Value: mean(func(i int) float64 { return scores[i].RougeL })}}
	}
	return nil
}

// inputs are the fields of an example that a model is given, by family.
var inputs = map[task.Family][]string{
	task.Classification: {"text", "text2"},
	task.Regression:     {"text", "text2"},
	task.Commonsense:    {"context", "choices"},
	task.MRC:            {"question", "passage"},
	task.Summarisation:  {"source"},
}

// unread are fields of examples that may be there, and are not looked at.
var unread = []string{"label", "score", "answer", "answers", "target"}

// ParseInput reads an example of a task from a JSON object with the fields of the family's
// schema (package task), of which text2 may be left out. What the model is to find out may be
// there; it is not read. ID is whatever the object has under "id".
func ParseInput(t *task.Task, line []byte) (ex task.Example, id json.RawMessage, err error) {
	var object map[string]json.RawMessage
	d := json.NewDecoder(bytes.NewReader(line))
	if err := d.Decode(&object); err != nil || object == nil {
		return ex, nil, errors.New("not a JSON object")
	}
	if _, err := d.Token(); err != io.EOF {
		return ex, nil, errors.New("more than one JSON object")
	}
	wanted := inputs[t.Family]
	for name := range object {
		if name != "id" && !slices.Contains(wanted, name) && !slices.Contains(unread, name) {
			return ex, nil, fmt.Errorf("field %s: task %s has %s", name, t.Name, strings.Join(wanted, ", "))
		}
	}
	for _, name := range wanted {
		raw, ok := object[name]
		if !ok && name != "text2" {
			return ex, nil, fmt.Errorf("field %s: missing", name)
		}
		if !ok {
			continue
		}
		if name == "choices" {
			if err := json.Unmarshal(raw, &ex.Choices); err != nil || len(ex.Choices) == 0 {
				return ex, nil, errors.New("field choices: want a list of texts")
			}
			for i, c := range ex.Choices {
				if strings.TrimSpace(c) == "" {
					return ex, nil, fmt.Errorf("field choices[%d]: blank", i)
				}
			}
			continue
		}
		var text string
		if err := json.Unmarshal(raw, &text); err != nil {
			return ex, nil, fmt.Errorf("field %s: want text", name)
		}
		if strings.TrimSpace(text) == "" && name != "text2" {
			return ex, nil, fmt.Errorf("field %s: blank", name)
		}
		*map[string]*string{
			"text": &ex.Text, "text2": &ex.Text2, "context": &ex.Context, "question": &ex.Question, "passage": &ex.Passage, "source": &ex.Source,
		}[name] = text
	}
	return ex, object["id"], nil
}
