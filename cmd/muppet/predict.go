package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/muppet-go/muppet/prefinetune"
	"github.com/muppet-go/muppet/prefinetune/task"
)

const predictUsage = `usage: muppet predict -model RUN|DIR [-task NAME] [flags] < examples

Reads an example a line from the standard input and writes, a line each and in the same
order, what the model makes of it. Lines are JSON objects with the fields of the task's family:

  classification  {"text", "text2"}         gives {"label", "probabilities"}
  regression      {"text", "text2"}         gives {"score"}
  commonsense     {"context", "choices"}    gives {"answer", "choice", "probabilities"}
  mrc             {"question", "passage"}   gives {"answer", "start", "probability"}
  summarisation   {"source"}                gives {"target"}

text2 may be left out; an "id" comes back. An mrc's start counts characters. With -text a line
is the text itself, for tasks with a single one. RUN and DIR are as in muppet eval; NAME is one
of RUN's tasks.

`

// A predicted is a line of output, without what its family does not have.
type predicted struct {
	ID            json.RawMessage `json:"id,omitempty"`
	Text          *string         `json:"text,omitempty"` // with -text
	Label         *string         `json:"label,omitempty"`
	Score         *float64        `json:"score,omitempty"`
	Answer        any             `json:"answer,omitempty"`
	Choice        *string         `json:"choice,omitempty"`
	Start         *int            `json:"start,omitempty"`
	Target        *string         `json:"target,omitempty"`
	Probability   *float64        `json:"probability,omitempty"`
	Probabilities any             `json:"probabilities,omitempty"` // by label, or in the order of the choices
}

func predictCommand(ctx context.Context, args []string, std stdio) error {
	set := flag.NewFlagSet("muppet predict", flag.ContinueOnError)
	model := set.String("model", "", "the `folder` of the model")
	name := set.String("task", "", "`name` of the task whose head answers (default: the only one)")
	text := set.Bool("text", false, "lines are texts, not JSON")
	batch := set.Int("batch", 64, "examples to read before any is answered; 1 for a conversation")
	if done, err := parse(set, predictUsage, args, 0, std.out); done || err != nil {
		return err
	}
	switch {
	case *model == "":
		return fmt.Errorf("predict: which model? -model says so\n%w", errUsage)
	case *batch < 1 || *batch > maxBatch:
		return fmt.Errorf("predict: -batch %d: want 1 to %d\n%w", *batch, maxBatch, errUsage)
	}
	s, t, err := savedTask(*model, *name)
	if err != nil {
		return fmt.Errorf("predict: %w", err)
	}
	if *text && (t.Family == task.Commonsense || t.Family == task.MRC) {
		return fmt.Errorf("predict: -text: task %s is %s: one text is not enough\n%w", t.Name, t.Family, errUsage)
	}
	w := json.NewEncoder(std.out)
	w.SetEscapeHTML(false)
	number := 0
	err = batches(ctx, std.in, *batch, func(lines []string) error {
		examples, answered := make([]task.Example, len(lines)), make([]predicted, len(lines))
		for i, line := range lines {
			number++
			if err := readExample(t, line, *text, &examples[i], &answered[i]); err != nil {
				return fmt.Errorf("line %d: %w", number, err)
			}
			examples[i].Where = fmt.Sprintf("line %d", number)
		}
		predictions, err := s.Predict(ctx, t, examples)
		if err != nil {
			return err
		}
		for i, p := range predictions {
			answered[i].fill(t, examples[i], p)
			if err := w.Encode(answered[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("predict: %w", err)
	}
	return nil
}

// savedTask loads a model and returns it with one of its tasks.
func savedTask(dir, name string) (*prefinetune.Saved, *task.Task, error) {
	s, err := prefinetune.Load(dir)
	if err != nil {
		return nil, nil, err
	}
	if name == "" {
		if len(s.Tasks) != 1 {
			return nil, nil, fmt.Errorf("for which task? -task says so; there are %s\n%w", listedTasks(s.Tasks), errUsage)
		}
		name = s.Tasks[0].Name
	}
	t, err := s.Task(name)
	return s, t, err
}

// readExample reads a line.
func readExample(t *task.Task, line string, text bool, ex *task.Example, out *predicted) (err error) {
	if !text {
		*ex, out.ID, err = prefinetune.ParseInput(t, []byte(line))
		return err
	}
	if strings.TrimSpace(line) == "" {
		return fmt.Errorf("blank")
	}
	ex.Text, ex.Source, out.Text = line, line, &line
	return nil
}

// fill takes over a prediction.
func (o *predicted) fill(t *task.Task, ex task.Example, p prefinetune.Prediction) {
	for i, v := range p.Probabilities {
		p.Probabilities[i] = rounded(v)
	}
	switch t.Family {
	case task.Classification:
		o.Label = &t.Labels[p.Index]
		byLabel := map[string]float64{}
		for i, v := range p.Probabilities {
			byLabel[t.Labels[i]] = v
		}
		o.Probabilities = byLabel
	case task.Regression:
		o.Score = &p.Score
	case task.Commonsense:
		o.Answer, o.Choice, o.Probabilities = p.Index, &ex.Choices[p.Index], p.Probabilities
	case task.MRC:
		start, probability := utf8.RuneCountInString(ex.Passage[:p.Start]), rounded(p.Probability)
		o.Answer, o.Start, o.Probability = p.Text, &start, &probability
	case task.Summarisation:
		o.Target = &p.Text
	}
}

// rounded leaves a probability six decimals: the last ones that float32 has depend on the batch.
func rounded(p float64) float64 { return math.Round(p*1e6) / 1e6 }
