package task

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOverlaps(t *testing.T) {
	long := "Twelve words, or more than that, make a passage worth looking for alone."
	a := &Task{Name: "A", Family: Classification, Examples: map[string][]Example{
		"train": {{Text: "Great -- film!", Where: "a:1"}, {Text: "one", Text2: "two", Where: "a:2"}, {Text: long, Text2: "x", Where: "a:3"}},
		"dev":   {{Text: "one two", Where: "a:4"}, {Text: "a great film", Where: "a:5"}},
	}}
	b := &Task{Name: "B", Family: MRC, Examples: map[string][]Example{
		"train": {{Question: "Who?", Passage: "Nobody.", Where: "b:1"}, {Question: "a great", Passage: "FILM", Where: "b:2"}, {Question: "A", Passage: "great film", Where: "b:3"}},
		"dev":   {{Question: "What?", Passage: strings.ToUpper(long), Where: "b:4"}, {Question: "Great", Passage: "film", Where: "b:5"}, {Question: "...", Passage: "!", Where: "b:6"}},
	}}
	c := &Task{Name: "C", Family: Commonsense, Examples: map[string][]Example{
		"train": {{Context: "one", Choices: []string{"two", "three"}, Where: "c:1"}, {Context: "!", Choices: []string{"?", "-"}, Where: "c:2"}},
		"dev":   {{Context: "one", Choices: []string{"two", "four"}, Where: "c:3"}},
	}}
	found, err := Overlaps([]*Task{a, b, c}, nil)
	if err != nil {
		t.Fatal(err)
	}
	type overlap struct {
		Train, Dev   string
		Examples, Of int
		Seen         []string
	}
	var got []overlap
	for _, o := range found {
		got = append(got, overlap{o.Train.Name, o.Dev.Name, o.Examples, o.Of, o.Seen})
	}
	want := []overlap{
		{"A", "A", 1, 2, []string{`a:4 is in a:2: "one"`}},
		{"A", "B", 2, 3, []string{`b:5 is in a:1: "Great -- film!"`, `b:4 is in a:3: "Twelve words, or more th ..."`}},
		{"B", "A", 1, 2, []string{`a:5 is in b:2: "a great"`}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	_, err = overlaps([]*Task{a, b, c}, nil, 3)
	wantError(t, err, "b:4", "more than 3 texts")
}

func TestOverlapsOfBadFiles(t *testing.T) {
	for _, split := range []string{"train", "dev"} {
		files := map[string]string{"train": "a\n", "dev": "a\n"}
		files[split] = "\xff\n"
		dir := write(t, "t.yaml", taskFile, "train", files["train"], "dev", files["dev"])
		tasks, err := Load(dir, dir)
		if err != nil {
			t.Fatal(err)
		}
		_, err = Overlaps(tasks, nil)
		wantError(t, err, split+":1", "UTF-8")
		if found, err := Overlaps(tasks, SkipBad); err != nil || len(found) != 0 {
			t.Errorf("%s: with its bad record skipped: %v, %v", split, found, err)
		}
	}
}
