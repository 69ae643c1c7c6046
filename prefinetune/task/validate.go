package task

import (
	"fmt"
	"slices"
	"strings"
)

// Validate reports what is wrong with a task that no task file describes: one that a program
// made, or that was saved with a model.
func (t *Task) Validate() error {
	if strings.TrimSpace(t.Name) == "" {
		return fmt.Errorf("a task without a name")
	}
	if !slices.Contains(families, string(t.Family)) {
		return fmt.Errorf("task %s: family %q is none of %s", t.Name, t.Family, strings.Join(families, ", "))
	}
	if allowed := metrics[t.Family]; !slices.Contains(allowed, t.Metric) {
		return fmt.Errorf("task %s: metric %q is none of %s", t.Name, t.Metric, strings.Join(allowed, ", "))
	}
	if t.NoAnswer && t.Family != MRC {
		return fmt.Errorf("task %s: no_answer, and its family is %s", t.Name, t.Family)
	}
	if (t.Family == Regression) != (t.Range[0] < t.Range[1]) {
		return fmt.Errorf("task %s: a range of scores from %g to %g, and its family is %s", t.Name, t.Range[0], t.Range[1], t.Family)
	}
	if t.Family != Classification {
		if t.Labels != nil {
			return fmt.Errorf("task %s: labels, and its family is %s", t.Name, t.Family)
		}
		return nil
	}
	if len(t.Labels) < 2 {
		return fmt.Errorf("task %s: %d labels leave nothing to classify", t.Name, len(t.Labels))
	}
	seen := map[string]bool{}
	for _, label := range t.Labels {
		if seen[label] {
			return fmt.Errorf("task %s: label %q appears twice", t.Name, label)
		}
		seen[label] = true
	}
	if t.Metric == "f1" && len(t.Labels) != 2 {
		return fmt.Errorf("task %s: f1 is that of the second of two labels; there are %d", t.Name, len(t.Labels))
	}
	return nil
}
