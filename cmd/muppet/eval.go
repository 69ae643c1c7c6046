package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"

	"github.com/muppet-go/muppet/prefinetune"
	"github.com/muppet-go/muppet/prefinetune/task"
)

const evalUsage = `usage: muppet eval -model RUN|DIR [flags]

Scores a model with heads on splits of tasks. RUN is the folder of a run of muppet
prefinetune or muppet finetune; DIR one in Hugging Face's layout with a head, such as muppet
export writes, which serves every task that it fits. Without -task it is every task of
RUN that comes with the program or, with -data, is in the catalog with its files. The metric
that speaks for a task comes first, with its standard error.

  muppet eval -model runs/embedded
  muppet eval -model runs/rte -task RTE -data DIR -json

`

func evalCommand(ctx context.Context, args []string, std stdio) error {
	set := flag.NewFlagSet("muppet eval", flag.ContinueOnError)
	model := set.String("model", "", "the `folder` of the model")
	var asked paths
	set.Var(&asked, "task", "`name` of a task, or its file; may be repeated")
	data := set.String("data", "", "`folder` that the task files' paths start from")
	split := set.String("split", "dev", "the `part` of the task's examples")
	asJSON := set.Bool("json", false, "write a JSON object a task instead of a table")
	if done, err := parse(set, evalUsage, args, 0, std.out); done || err != nil {
		return err
	}
	if *model == "" {
		return fmt.Errorf("eval: which model? -model says so\n%w", errUsage)
	}
	s, err := prefinetune.Load(*model)
	if err != nil {
		return err
	}
	var tasks []*task.Task
	if len(asked) > 0 {
		tasks, err = tasksFor(asked, *data)
	} else {
		tasks, err = tasksOf(s, *data)
	}
	if err != nil {
		return fmt.Errorf("eval: %w", err)
	}
	for _, t := range tasks { // before any time is spent
		if _, err := s.Head(t); err != nil {
			return err
		}
	}
	list := table{left: map[int]bool{0: true, 1: true, 3: true}}
	list.row("task", "split", "examples", "metric", "value", "± s.e.")
	w := json.NewEncoder(std.out)
	for _, t := range tasks {
		e, err := s.Evaluate(ctx, t, *split)
		if err != nil {
			return err
		}
		if *asJSON {
			if err := w.Encode(e); err != nil {
				return err
			}
			continue
		}
		for i, m := range e.Measures {
			if i == 0 {
				list.row(e.Task, e.Split, fmt.Sprint(e.Examples), m.Name, fmt.Sprintf("%.4f", m.Value), fmt.Sprintf("%.4f", m.StdErr))
			} else {
				list.row("", "", "", m.Name, fmt.Sprintf("%.4f", m.Value), "")
			}
		}
	}
	if !*asJSON {
		list.write(std.out)
	}
	return nil
}

// tasksOf returns the tasks that a model has heads for and whose examples are at hand.
func tasksOf(s *prefinetune.Saved, data string) ([]*task.Task, error) {
	known, err := namedTasks(data)
	if err != nil {
		return nil, err
	}
	has := map[string]bool{}
	for _, t := range s.Tasks {
		has[t.Name] = true
	}
	var tasks []*task.Task
	for _, t := range known {
		if has[t.Name] && len(missingFiles(t)) == 0 {
			tasks = append(tasks, t)
		}
	}
	if tasks == nil && data == "" {
		return nil, errors.New("the model has a head for no task that comes with the program; -task and -data say on what to score it")
	} else if tasks == nil {
		return nil, fmt.Errorf("the model has a head for no task of the catalog whose files are in %s; -task says on what to score it", data)
	}
	return tasks, nil
}
