package main

import (
	"context"
	"errors"
	"fmt"
	"io"
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

// startFrom returns the model to train on: the body that a run left in its folder, with
// its heads if they are to be kept, or a model of Hugging Face's, which is
// fetched if there is no such folder. For tasks that are written the head that writes is
// kept.
func startFrom(ctx context.Context, dir, revision string, keep bool, tasks []*task.Task, stderr io.Writer) (*transformer.Model, *prefinetune.Saved, error) {
	if _, err := os.Stat(filepath.Join(dir, "heads", "heads.json")); dir != "" && err == nil {
		s, err := prefinetune.Load(dir)
		if err != nil {
			return nil, nil, err
		}
		if !keep {
			return s.Model.Base(), nil, nil
		}
		return s.Model.Base(), s, nil
	}
	dir, err := findModel(ctx, dir, revision, stderr)
	if err != nil {
		return nil, nil, err
	}
	head := transformer.Bare
	if slices.ContainsFunc(tasks, func(t *task.Task) bool { return t.Family == task.Summarisation }) {
		head = transformer.ConditionalGeneration
	}
	m, err := transformer.LoadFor(dir, head)
	if err != nil {
		return nil, nil, err
	}
	if m.Tokenizer == nil {
		return nil, nil, fmt.Errorf("%s has no tokenizer that can be read", dir)
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
