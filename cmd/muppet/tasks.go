package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/muppet-go/muppet/prefinetune"
	"github.com/muppet-go/muppet/prefinetune/catalog"
	"github.com/muppet-go/muppet/prefinetune/task"
	"github.com/muppet-go/muppet/transformer/tokenizer"
)

const tasksUsage = `usage: muppet tasks [flags]
       muppet tasks inspect NAME -data DIR [flags]
       muppet tasks check FILE [flags]

Lists the datasets that muppet knows; shows examples of one as a model will see them;
or says whether a task file is in order.

`

// parseTasks reads the flags of a form of the command, and the argument before or behind
// them, of which there is one if what names it.
func parseTasks(form, what string, args []string, w io.Writer, define func(*flag.FlagSet)) (argument string, done bool, err error) {
	set := flag.NewFlagSet("muppet "+form, flag.ContinueOnError)
	define(set)
	if what != "" && len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		argument, args = args[0], args[1:]
	}
	behind := 0
	if what != "" && argument == "" {
		behind = 1
	}
	if done, err := parse(set, tasksUsage, args, behind, w); done || err != nil {
		return "", done, err
	}
	if set.NArg() > 0 {
		argument = set.Arg(0)
	}
	if what != "" && argument == "" {
		return "", false, fmt.Errorf("%s: which %s?\n%w", form, what, errUsage)
	}
	return argument, false, nil
}

func tasksCommand(ctx context.Context, args []string, w io.Writer) error {
	if len(args) > 0 {
		switch args[0] {
		case "inspect":
			return inspectCommand(ctx, args[1:], w)
		case "check":
			return checkCommand(ctx, args[1:], w)
		}
	}
	var data string
	var folders paths
	_, done, err := parseTasks("tasks", "", args, w, func(set *flag.FlagSet) {
		set.StringVar(&data, "data", "", "say which files are in this `folder`")
		set.Var(&folders, "tasks", "list also this task `file` or folder of task files; may be repeated")
	})
	if done || err != nil {
		return err
	}
	tasks, err := knownTasks(data, folders)
	if err != nil {
		return err
	}
	list := table{left: map[int]bool{0: true, 1: true, 2: true, 3: true, 4: true}}
	list.row("task", "family", "metric", "default", "files")
	var notes []string
	present := 0
	for _, t := range tasks {
		mix := "yes"
		if !t.Default {
			mix = "no"
			notes = append(notes, "  "+t.Name+": "+t.Why)
		}
		files := strings.Join(append(t.Files("train"), t.Files("dev")...), " ")
		if data != "" {
			files = "present"
			if missing := missingFiles(t); len(missing) > 0 {
				files = "no " + strings.Join(missing, ", ")
			} else {
				present++
			}
		}
		list.row(t.Name, string(t.Family), t.Metric, mix, files)
	}
	list.write(w)
	fmt.Fprintf(w, "\n%d tasks", len(tasks))
	if data != "" {
		fmt.Fprintf(w, ", %d present in %s", present, data)
	}
	_, err = fmt.Fprintf(w, ". %d are left out of the default mix:\n%s\n", len(notes), strings.Join(notes, "\n"))
	return err
}

// knownTasks returns the tasks of the catalogue and of the paths.
func knownTasks(data string, paths []string) ([]*task.Task, error) {
	tasks, err := task.LoadFS(catalog.FS, data)
	if err != nil || len(paths) == 0 {
		return tasks, err
	}
	more, err := task.Load(data, paths...)
	if err != nil {
		return nil, err
	}
	for _, t := range more {
		for _, other := range tasks {
			if t.Name == other.Name {
				return nil, fmt.Errorf("%s: there is a task %s in the catalogue: choose another name", t.Path, t.Name)
			}
		}
	}
	return append(tasks, more...), nil
}

// missingFiles returns the files of a task that are not there.
func missingFiles(t *task.Task) []string {
	var missing []string
	for _, split := range []string{"train", "dev"} {
		for _, path := range t.Files(split) {
			if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
				missing = append(missing, path)
			}
		}
	}
	return missing
}

func inspectCommand(ctx context.Context, args []string, w io.Writer) error {
	var data, tokens string
	var folders paths
	var n, maxLength int
	name, done, err := parseTasks("tasks inspect", "task", args, w, func(set *flag.FlagSet) {
		set.StringVar(&data, "data", "", "`folder` that the task file's paths start from")
		set.Var(&folders, "tasks", "look for the task also in this task `file` or folder; may be repeated")
		set.IntVar(&n, "n", 3, "examples of each split to show")
		set.StringVar(&tokens, "tokenizer", "", "show tokens, of the tokenizer in this Hugging Face `folder`")
		set.IntVar(&maxLength, "max-length", 512, "tokens of a sequence, longer texts are cut")
	})
	switch {
	case done || err != nil:
		return err
	case data == "":
		return fmt.Errorf("tasks inspect: where are the files? -data\n%w", errUsage)
	case n < 0:
		return fmt.Errorf("tasks inspect: -n %d: want a number that is not negative\n%w", n, errUsage)
	case maxLength < 16 || maxLength > 1e6:
		return fmt.Errorf("tasks inspect: -max-length %d: want 16 to 1000000\n%w", maxLength, errUsage)
	}
	tasks, err := knownTasks(data, folders)
	if err != nil {
		return err
	}
	var found *task.Task
	for _, t := range tasks {
		if strings.EqualFold(t.Name, name) {
			found = t
		}
	}
	if found == nil {
		return fmt.Errorf("tasks inspect: no task %q; `muppet tasks` lists them", name)
	}
	var tok *tokenizer.Tokenizer
	if tokens != "" {
		if tok, err = tokenizer.Load(tokens); err != nil {
			return fmt.Errorf("-tokenizer: %w", err)
		}
	}
	fmt.Fprintf(w, "%s: %s, %s. %s\n%s\n", found.Name, found.Family, found.Metric, found.Description, found.Source)
	for _, split := range []string{"train", "dev"} {
		in, err := prefinetune.Inspect(found, split, tok, maxLength, n)
		if err != nil {
			return err
		}
		printInspection(w, found, split, in, tok != nil)
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

func printInspection(w io.Writer, t *task.Task, split string, in *prefinetune.Inspection, tokens bool) {
	fmt.Fprintf(w, "\n%s: %d examples in %s\n", split, in.Examples, strings.Join(t.Files(split), " "))
	for i, count := range in.Labels {
		name := fmt.Sprintf("choice %d is right", i)
		if t.Family == task.Classification {
			name = t.Labels[i]
		}
		fmt.Fprintf(w, "  %-20s %d\n", name, count)
	}
	unit := "words an example"
	if tokens {
		unit = fmt.Sprintf("tokens in %d sequences", in.Sequences)
	}
	l := in.Length
	fmt.Fprintf(w, "  %s: median %d, 90 %% up to %d, 99 %% up to %d, longest %d\n", unit, l.Median, l.P90, l.P99, l.Max)
	if tokens {
		fmt.Fprintf(w, "  %d examples do not fit one sequence\n", in.Truncated)
	}
	for _, e := range in.First {
		fmt.Fprintf(w, "\n  %s\n", e.Where)
		// Quoted: a text may hold line breaks, and what a terminal obeys.
		show := func(what, text string) {
			if text != "" {
				fmt.Fprintf(w, "    %-9s %q\n", what, text)
			}
		}
		show("text", e.Text)
		show("text2", e.Text2)
		show("context", e.Context)
		for i, c := range e.Choices {
			show(fmt.Sprintf("choice %d", i), c)
		}
		show("question", e.Question)
		show("passage", e.Passage)
		show("source", e.Source)
		show(wanted[t.Family], e.Wanted)
		for _, s := range e.Sequences {
			fmt.Fprintf(w, "    %-9s %s\n", fmt.Sprintf("%d tokens", len(s)), strings.Join(s, " "))
		}
	}
}

// wanted names what an example asks for.
var wanted = map[task.Family]string{
	task.Classification: "label", task.Regression: "score", task.Commonsense: "answer", task.MRC: "answers", task.Summarisation: "target",
}

// maxBadShown is how many bad records of a split are shown.
const maxBadShown = 5

func checkCommand(ctx context.Context, args []string, w io.Writer) error {
	var data string
	file, done, err := parseTasks("tasks check", "task file", args, w, func(set *flag.FlagSet) {
		set.StringVar(&data, "data", "", "read also the task's files, in this `folder`")
	})
	if done || err != nil {
		return err
	}
	if info, err := os.Stat(file); err == nil && info.IsDir() {
		return fmt.Errorf("tasks check: %s is a folder: name a task file\n%w", file, errUsage)
	}
	tasks, err := task.Load(data, file)
	if err != nil {
		return err
	}
	t := tasks[0]
	fmt.Fprintf(w, "%s: task %s, %s, %s\n", file, t.Name, t.Family, t.Metric)
	if data == "" {
		fmt.Fprintln(w, "The task file is in order. -data DIR reads the task's files too.")
		return nil
	}
	broken := 0
	for _, split := range []string{"train", "dev"} {
		examples, bad := 0, 0
		err := t.Each(split, func(task.Example) error {
			examples++
			return ctx.Err()
		}, func(err error) error {
			bad++
			if bad <= maxBadShown {
				fmt.Fprintf(w, "  %q\n", err.Error())
			}
			return ctx.Err()
		})
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%s: %d examples, %d bad records\n", split, examples, bad)
		broken += bad
		if examples == 0 {
			broken++
		}
	}
	if broken > 0 {
		return fmt.Errorf("tasks check: %s: not in order", file)
	}
	return nil
}
