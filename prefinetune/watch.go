package prefinetune

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"

	"github.com/muppet-go/muppet/prefinetune/internal/tensorboard"
)

// board begins the event file that TensorBoard reads, with what metrics.jsonl has: whatever
// became of an earlier one, the two say the same, and no step twice.
func (f *folder) board() error {
	if !f.tensorboard {
		return nil
	}
	w, err := tensorboard.Create(filepath.Join(f.path, "tensorboard"))
	if err != nil {
		return err
	}
	lines := bufio.NewReader(io.NewSectionReader(f.log.f, 0, f.log.size))
	for {
		line, err := lines.ReadBytes('\n')
		if err == nil {
			err = addScalars(w, line)
		}
		if err == io.EOF {
			f.events = w
			return nil
		}
		if err != nil {
			w.Close()
			return err
		}
	}
}

// show adds a line of metrics.jsonl to the event file. Where that fails, a full disk say, the
// file is begun again at the next checkpoint.
func (f *folder) show(step int, line []byte) {
	if f.events == nil {
		return
	}
	if err := addScalars(f.events, line); err != nil {
		f.warn(fmt.Sprintf("step %d: TensorBoard's file cannot be written until the next checkpoint: %v", step, err))
		f.events.Close()
		f.events = nil
	}
}

func addScalars(w *tensorboard.Writer, line []byte) error {
	step, values, err := scalars(line)
	if err != nil || len(values) == 0 {
		return nil // a line that is broken is none of TensorBoard's
	}
	return w.Add(step, values)
}

// scalars returns the numbers in a line of metrics.jsonl: "train/KEY", of a task "KEY/TASK", of
// an evaluation "evaluation/KEY" and "score/TASK".
func scalars(line []byte) (step int, values []tensorboard.Scalar, err error) {
	var l struct {
		Step  int
		Tasks map[string]map[string]any
		Eval  map[string]any
	}
	var all map[string]any
	if err := json.Unmarshal(line, &l); err != nil {
		return 0, nil, err
	}
	if err := json.Unmarshal(line, &all); err != nil {
		return 0, nil, err
	}
	delete(all, "step")
	add := func(fields map[string]any, tag func(key string) string) {
		for _, key := range slices.Sorted(maps.Keys(fields)) {
			if v, ok := fields[key].(float64); ok {
				values = append(values, tensorboard.Scalar{Tag: tag(key), Value: v})
			}
		}
	}
	add(all, func(key string) string { return "train/" + key })
	for _, name := range slices.Sorted(maps.Keys(l.Tasks)) {
		add(l.Tasks[name], func(key string) string { return key + "/" + name })
	}
	add(l.Eval, func(key string) string { return "evaluation/" + key })
	if scores, ok := l.Eval["tasks"].(map[string]any); ok {
		add(scores, func(key string) string { return "score/" + key })
	}
	return l.Step, values, nil
}
