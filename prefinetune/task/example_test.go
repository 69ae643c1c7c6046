package task_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"
	"testing/fstest"

	"github.com/muppet-go/muppet/prefinetune/task"
)

// A dataset is its files and a YAML file that says how to read them.
func ExampleLoadFS() {
	dataDir, err := os.MkdirTemp("", "data")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dataDir)
	records := `{"premise": "The tap was open.", "options": ["Water ran.", "The cat ran."], "right": 0}`
	for _, name := range []string{"train.jsonl", "dev.jsonl"} {
		if err := os.WriteFile(filepath.Join(dataDir, name), []byte(records), 0o666); err != nil {
			log.Fatal(err)
		}
	}
	files := fstest.MapFS{"taps.yaml": {Data: []byte(`
name: Taps
family: commonsense
source: https://example.org/taps
files: {train: train.jsonl, dev: dev.jsonl}
format: jsonl
example: '{context: .premise, choices: .options, answer: .right}'
`)}}

	tasks, err := task.LoadFS(files, dataDir)
	if err != nil {
		log.Fatal(err)
	}
	examples, err := tasks[0].Read("train")
	if err != nil {
		log.Fatal(err)
	}
	e := examples[0]
	fmt.Println(tasks[0].Name, tasks[0].Metric)
	fmt.Println(e.Context, e.Choices[e.Answer])
	// Output:
	// Taps accuracy
	// The tap was open. Water ran.
}
