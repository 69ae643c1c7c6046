package prefinetune

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/muppet-go/muppet/prefinetune/metrics"
	"github.com/muppet-go/muppet/prefinetune/report"
	"github.com/muppet-go/muppet/prefinetune/task"
)

// confusion counts a classification's dev examples by label and prediction.
func confusion(t *task.Task, dev []task.Example, p metrics.Predictions) report.Confusion {
	c := report.Confusion{Task: t.Name, Labels: t.Labels, Counts: make([][]int, len(t.Labels))}
	for i := range c.Counts {
		c.Counts[i] = make([]int, len(t.Labels))
	}
	for i, e := range dev {
		c.Counts[e.Label][p.Index[i]]++
	}
	return c
}

// samples returns the first few right and the first few wrong predictions of a task's dev
// examples; of families whose predictions are neither, the first few.
func samples(t *task.Task, dev []task.Example, p metrics.Predictions) report.Samples {
	const most = 3 // of each
	s := report.Samples{Task: t.Name, Family: string(t.Family), Of: len(dev)}
	shown := map[bool]int{}
	for i, e := range dev {
		got, right, judged := prediction(t, e, p, i)
		if !judged {
			s.Wrong = -1
		} else if !right {
			s.Wrong++
		}
		if shown[right]++; shown[right] <= most {
			s.Shown = append(s.Shown, report.Sample{Where: e.Where, Fields: readable(e), Want: wanted(t, e), Got: got, Right: right})
		}
	}
	return s
}

// prediction returns the prediction for example i in words, and whether it is right where
// there is right and wrong.
func prediction(t *task.Task, e task.Example, p metrics.Predictions, i int) (got string, right, judged bool) {
	switch t.Family {
	case task.Classification:
		return t.Labels[p.Index[i]], p.Index[i] == e.Label, true
	case task.Commonsense:
		return fmt.Sprintf("%d: %s", p.Index[i], e.Choices[p.Index[i]]), p.Index[i] == e.Answer, true
	case task.Regression:
		return strconv.FormatFloat(p.Value[i], 'g', 4, 64), false, false
	case task.MRC:
		var golds []string
		for _, a := range e.Answers {
			golds = append(golds, a.Text)
		}
		if got = p.Text[i]; len(golds) == 0 {
			return orNone(got), got == "", true
		}
		return orNone(got), metrics.ExactMatch(got, golds) == 1, true
	}
	return p.Text[i], false, false
}

func orNone(answer string) string {
	if answer == "" {
		return "none"
	}
	return answer
}

// readable returns the texts that an example puts before the model.
func readable(e task.Example) (fields []report.Setting) {
	for _, f := range []report.Setting{
		{Name: "text", Value: e.Text}, {Name: "text 2", Value: e.Text2}, {Name: "context", Value: e.Context},
		{Name: "question", Value: e.Question}, {Name: "passage", Value: e.Passage}, {Name: "source", Value: e.Source},
	} {
		if strings.TrimSpace(f.Value) != "" {
			fields = append(fields, f)
		}
	}
	for i, c := range e.Choices {
		const most = 8
		if i == most {
			return append(fields, report.Setting{Name: "and", Value: fmt.Sprintf("%d more choices", len(e.Choices)-most)})
		}
		fields = append(fields, report.Setting{Name: fmt.Sprintf("choice %d", i), Value: c})
	}
	return fields
}

// overlaps returns which tasks are evaluated on what is trained on. It reads all files again.
func (t *Trainer) overlaps() (found []report.Overlap, err error) {
	var bad func(error) error
	if t.cfg.BadRows == "skip" {
		bad = task.SkipBad
	}
	all, err := task.Overlaps(t.tasks, bad)
	for _, o := range all {
		found = append(found, report.Overlap{Dev: o.Dev.Name, Train: o.Train.Name, Examples: o.Examples, Of: o.Of})
	}
	return found, err
}
