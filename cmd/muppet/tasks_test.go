package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/muppet-go/muppet/transformer/tokenizer"
)

const moonTask = `name: Moons
family: classification
description: Has it a moon?
source: https://example.org/moons
labels: [no, yes]
files: {train: moons.tsv, dev: moons-dev.tsv}
format: tsv
example: '{text: .body, text2: .note, label: .moon}'
`

// moons writes a task with its data, of which a record or two may be bad.
func moons(t *testing.T, train string) (dir, file string) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range map[string]string{
		"moons.yaml": moonTask, "moons.tsv": "body\tnote\tmoon\n" + train,
		"moons-dev.tsv": "body\tnote\tmoon\nPluto\tfar away\tyes\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir, filepath.Join(dir, "moons.yaml")
}

const goodMoons = "Earth\twith \x1b[31msea and land\tyes\nVenus\thot\tno\nMars\tred\tyes\n"

func TestTasksList(t *testing.T) {
	ctx := context.Background()
	dir, file := moons(t, goodMoons)
	status, out, errs := muppet(ctx, "tasks", "-data", dir, "-tasks", file)
	want(t, "tasks -data", status, 0, out+errs, "Moons", "present", "no "+filepath.Join(dir, "AG_News", "train.csv"), ", 1 present in "+dir)
	if err := os.Remove(filepath.Join(dir, "moons-dev.tsv")); err != nil {
		t.Fatal(err)
	}
	status, out, errs = muppet(ctx, "tasks", "-data", dir, "-tasks", dir)
	want(t, "without dev", status, 0, out+errs, "no "+filepath.Join(dir, "moons-dev.tsv"), ", 0 present in ")
	twin := filepath.Join(t.TempDir(), "rte.yaml")
	if err := os.WriteFile(twin, []byte(strings.Replace(moonTask, "Moons", "RTE", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	status, _, errs = muppet(ctx, "tasks", "-tasks", twin)
	want(t, "a name twice", status, 1, errs, twin, "there is a task RTE in the catalogue")
	status, out, _ = muppet(ctx, "tasks", "-h")
	want(t, "tasks -h", status, 0, out, "usage: muppet tasks", "inspect NAME", "check FILE", "-data folder")
}

func TestTasksInspect(t *testing.T) {
	ctx := context.Background()
	dir, file := moons(t, goodMoons)
	status, out, errs := muppet(ctx, "tasks", "inspect", "moons", "-data", dir, "-tasks", file, "-n", "2")
	want(t, "inspect", status, 0, out+errs, "Moons: classification, accuracy. Has it a moon?", "train: 3 examples in "+filepath.Join(dir, "moons.tsv"),
		"no                   1", "yes                  2", "median 2, 90 % up to 5", filepath.Join(dir, "moons.tsv")+":2", `text      "Earth"`, `"with \x1b[31msea and land"`, "dev: 1 examples", "Pluto")
	if strings.Contains(out, "Mars") || strings.Contains(out, "tokens") || strings.ContainsRune(out, '\x1b') {
		t.Errorf("more than was asked for:\n%s", out)
	}
	if !strings.Contains(out, "label     \"yes\"") {
		t.Errorf("no label:\n%s", out)
	}

	tok, err := tokenizer.Train(func(yield func(string) bool) { yield(strings.Repeat("hot red far away ", 20)) }, tokenizer.TrainConfig{VocabSize: 300})
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	if err := tok.Save(folder); err != nil {
		t.Fatal(err)
	}
	status, out, errs = muppet(ctx, "tasks", "inspect", "-data", dir, "-tasks", file, "-tokenizer", folder, "-max-length", "16", "Moons")
	want(t, "with a tokenizer", status, 0, out+errs, "tokens in 3 sequences", "1 examples do not fit one sequence", "16 tokens", "<s> V e n u s </s> </s> h", "Mars")

	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"Suns", "-data", dir}, `no task "Suns"`},
		{[]string{"RTE", "-data", dir}, filepath.Join(dir, "RTE", "train.tsv")},
		{[]string{"Moons", "-data", dir, "-tasks", file, "-tokenizer", dir}, "-tokenizer: "},
	} {
		status, _, errs := muppet(ctx, append([]string{"tasks", "inspect"}, c.args...)...)
		want(t, strings.Join(c.args, " "), status, 1, errs, c.says)
	}
}

func TestTasksCheck(t *testing.T) {
	ctx := context.Background()
	dir, file := moons(t, goodMoons)
	status, out, errs := muppet(ctx, "tasks", "check", file)
	want(t, "check", status, 0, out+errs, file+": task Moons, classification, accuracy", "in order")
	status, out, errs = muppet(ctx, "tasks", "check", file, "-data", dir)
	want(t, "check -data", status, 0, out+errs, "train: 3 examples, 0 bad records", "dev: 1 examples, 0 bad records")

	dir, file = moons(t, "Earth\tsea\tyes\nVenus\thot\nMars\tred\tmaybe\n"+strings.Repeat("\tx\tno\n", 6)+"Moon\tgrey\tno\n")
	status, out, errs = muppet(ctx, "tasks", "check", "-data", dir, file)
	want(t, "bad records", status, 1, out+errs, "train: 2 examples, 8 bad records", "moons.tsv:3: 2 columns", `moons.tsv:4: example: label: \"maybe\"`, "text: is empty", "not in order")
	if n := strings.Count(out, "moons.tsv:"); n != maxBadShown {
		t.Errorf("%d bad records are shown, want %d:\n%s", n, maxBadShown, out)
	}
	dir, file = moons(t, "")
	status, out, errs = muppet(ctx, "tasks", "check", file, "-data", dir)
	want(t, "no records", status, 1, out+errs, "train: 0 examples", "not in order")

	if err := os.WriteFile(file, []byte(strings.Replace(moonTask, "tsv\n", "xml\n", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	status, _, errs = muppet(ctx, "tasks", "check", file)
	want(t, "a bad task file", status, 1, errs, file+":7: format", `"xml"`)
	status, _, errs = muppet(ctx, "tasks", "check", filepath.Join(dir, "none.yaml"))
	want(t, "no file", status, 1, errs, "none.yaml")
}

// TestDryRunFindsOverlaps has a dev record in the training data of two tasks, and a
// folder with one set of the catalogue.
func TestDryRunFindsOverlaps(t *testing.T) {
	dir, file := moons(t, goodMoons+"PLUTO:\tFar away!\tno\n")
	status, out, errs := muppet(context.Background(), "prefinetune", "-dry-run", "-data", dir, "-vocab", "300", "-tasks", file)
	want(t, "a double", status, 0, out+errs, "Moons      Moons              1   1", filepath.Join(dir, "moons-dev.tsv")+":2 is in "+filepath.Join(dir, "moons.tsv")+`:5: "PLUTO:"`)
	dir, file = moons(t, goodMoons)
	status, out, errs = muppet(context.Background(), "prefinetune", "-dry-run", "-data", dir, "-vocab", "300", "-tasks", file)
	want(t, "none", status, 0, out+errs, "No text of a dev split is in a train split.")

	for _, name := range []string{"train.txt", "test.txt"} {
		path := filepath.Join(dir, "TREC", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("LOC:city Where is "+name+" ?\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	status, out, errs = muppet(context.Background(), "prefinetune", "-dry-run", "-data", dir, "-vocab", "300")
	want(t, "one of the catalogue", status, 0, out+errs, "1 tasks, ", "TREC", "not in "+dir+": AESLC, AG_News, ", "muppet tasks -data "+dir)
}
