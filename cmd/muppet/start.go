package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/muppet-go/muppet/prefinetune"
	"github.com/muppet-go/muppet/prefinetune/catalog"
	"github.com/muppet-go/muppet/prefinetune/suite"
	"github.com/muppet-go/muppet/prefinetune/task"
	"github.com/muppet-go/muppet/transformer"
)

// isRun reports whether a folder is that of a finished run, with a model and heads.
func isRun(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "heads", "heads.json"))
	return dir != "" && err == nil
}

// bodyOf returns the folder of the model that a run left, or of one in Hugging Face's layout.
func bodyOf(dir string) string {
	if isRun(dir) {
		return filepath.Join(dir, "model")
	}
	return dir
}

// startFrom returns the model in a folder to train on, and of a run's the heads, if they are
// to be kept. For tasks that are written the head that writes is kept.
func startFrom(dir string, keep bool, tasks []*task.Task) (*transformer.Model, *prefinetune.Saved, error) {
	if isRun(dir) && keep {
		s, err := prefinetune.Load(dir)
		if err != nil {
			return nil, nil, err
		}
		return s.Model.Base(), s, nil
	}
	head := transformer.Bare
	if slices.ContainsFunc(tasks, func(t *task.Task) bool { return t.Family == task.Summarisation }) {
		head = transformer.ConditionalGeneration
	}
	m, err := transformer.LoadFor(bodyOf(dir), head)
	if err != nil {
		return nil, nil, err
	}
	if m.Tokenizer == nil {
		return nil, nil, fmt.Errorf("%s has no tokenizer: no tokenizer.json, vocab.json or vocab.txt", dir)
	}
	return m, nil, nil
}

// embeddedTasks are those that come with the program, with their examples.
func embeddedTasks() []*task.Task { return slices.Concat(suite.Tasks(1), suite.HeldOut(1)) }

// tasksFor returns the tasks that are asked for by the path of a task file, or by name:
// of the catalogue if there is a folder of data, else of the embedded ones.
func tasksFor(asked []string, data string) ([]*task.Task, error) {
	known, err := namedTasks(data)
	if err != nil {
		return nil, err
	}
	var found []*task.Task
	for _, name := range asked {
		if ext := filepath.Ext(name); ext == ".yaml" || ext == ".yml" {
			if info, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) || err == nil && info.Mode().IsRegular() {
				more, err := task.Load(data, name)
				if err != nil {
					return nil, err
				}
				found = append(found, more...)
				continue
			}
		}
		i := slices.IndexFunc(known, func(t *task.Task) bool { return strings.EqualFold(t.Name, name) })
		if i < 0 && data == "" {
			return nil, fmt.Errorf("no task %q comes with the program; there are %s. Those of the catalog, and task files, need -data", name, listedTasks(known))
		} else if i < 0 {
			return nil, fmt.Errorf("no task %q in the catalog; `muppet tasks` lists them", name)
		}
		found = append(found, known[i])
	}
	return found, nil
}

// namedTasks returns the tasks that go by their names.
func namedTasks(data string) ([]*task.Task, error) {
	if data == "" {
		return embeddedTasks(), nil
	}
	return task.LoadFS(catalog.FS, data)
}

func listedTasks(tasks []*task.Task) string {
	names := make([]string, len(tasks))
	for i, t := range tasks {
		names[i] = t.Name
	}
	return strings.Join(names, ", ")
}
