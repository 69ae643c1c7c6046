package catalog_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/muppet-go/muppet/prefinetune/catalog"
	"github.com/muppet-go/muppet/prefinetune/task"
)

// counts holds the examples in train and dev: the rows of the files, times
// what a row expands to.
var counts = map[string][2]int{
	"AG_News":                   {2000, 500},
	"Banking77":                 {2000, 500},
	"BoolQ":                     {1452, 400},
	"CODAH":                     {1665, 500},
	"CNN_DM":                    {20, 4},
	"COPA":                      {64, 100},
	"CoLA":                      {2000, 500},
	"CommonsenseQA":             {977, 244},
	"CosmosQA":                  {1500, 400},
	"DialogSum":                 {500, 500},
	"FriendsQA":                 {1182, 389},
	"MCTACO":                    {2000, 500},
	"MCTest":                    {4 * 300, 4 * 50},
	"MPQA":                      {2000, 500},
	"MR":                        {2000, 500},
	"MRPC":                      {2000, 500},
	"MultiRC":                   {4206, 963}, // answers in 131 and 16 passages
	"OpenBookQA":                {2000, 500},
	"PIQA":                      {1471, 367},
	"QuAIL":                     {400, 111},
	"RTE":                       {2000, 277},
	"RTE_SuperGLUE":             {2000, 277},
	"ReCoRD":                    {32, 32},
	"SICK_NLI":                  {2000, 500},
	"SICK_R":                    {2000, 500},
	"SQuAD_XQuAD-en":            {991, 199},
	"SST-2":                     {2000, 500},
	"SST-5":                     {2000, 500},
	"TREC":                      {2000, 500},
	"TweetEval_emotion":         {2000, 374},
	"TweetEval_hate":            {2000 - 2, 500 - 1}, // blank tweets
	"TweetEval_irony":           {2000, 500},
	"TweetEval_stance_abortion": {587, 66},
	"WNLI":                      {518, 117},
	"WSC":                       {64, 104},
	"WiC":                       {575, 127},
	"XSum":                      {400, 100},
}

func load(t *testing.T, dataDir string) []*task.Task {
	t.Helper()
	tasks, err := task.LoadFS(catalog.FS, dataDir)
	if err != nil {
		t.Fatal(err)
	}
	return tasks
}

// realData returns the folder of the datasets, or skips the test.
func realData(t *testing.T) string {
	t.Helper()
	dataDir := os.Getenv("MUPPET_DATA")
	if dataDir == "" {
		dataDir = filepath.Join("..", "..", "..", "shared", "data")
	}
	if _, err := os.Stat(dataDir); err != nil {
		t.Skipf("no data: %v; set MUPPET_DATA", err)
	}
	return dataDir
}

func TestTaskFiles(t *testing.T) {
	defaults := 0
	for _, tk := range load(t, "data") {
		if want := strings.ToLower(tk.Name) + ".yaml"; tk.Path != want {
			t.Errorf("task %s is in %s, want %s", tk.Name, tk.Path, want)
		}
		if tk.Description == "" {
			t.Errorf("%s: no description", tk.Path)
		}
		_, counted := counts[tk.Name]
		if _, madeUp := formats[tk.Name]; counted == madeUp {
			t.Errorf("%s: the tests need its counts or, without data, a record in its form", tk.Path)
		}
		if tk.Default {
			defaults++
		}
	}
	if defaults < 28 {
		t.Errorf("%d tasks in the default mix, want 28", defaults)
	}
}

// TestData reads every split. Read itself checks that each example has the
// right shape, and each answer its place in the passage.
func TestData(t *testing.T) {
	for _, tk := range load(t, realData(t)) {
		if _, ok := counts[tk.Name]; !ok {
			continue // TestFormats has it
		}
		t.Run(tk.Name, func(t *testing.T) {
			t.Parallel()
			for i, split := range []string{"train", "dev"} {
				examples, err := tk.Read(split)
				if err != nil {
					t.Fatal(err)
				}
				if want := counts[tk.Name][i]; len(examples) != want {
					t.Errorf("%s: %d examples, want %d", split, len(examples), want)
				}
				checkVariety(t, tk, split, examples)
			}
		})
	}
}

// checkVariety fails where a mapping that went wrong would give every example
// the same answer.
func checkVariety(t *testing.T, tk *task.Task, split string, examples []task.Example) {
	seen := make(map[int]int)
	switch tk.Family {
	case task.Classification:
		for _, e := range examples {
			seen[e.Label]++
		}
		if len(seen) != len(tk.Labels) {
			t.Errorf("%s: %d of %d labels appear", split, len(seen), len(tk.Labels))
		}
	case task.Commonsense:
		for _, e := range examples {
			seen[e.Answer]++
		}
		if len(seen) != len(examples[0].Choices) {
			t.Errorf("%s: %d of %d choices are ever right", split, len(seen), len(examples[0].Choices))
		}
	case task.Regression:
		for _, e := range examples {
			seen[int(10*e.Score)]++
		}
	case task.MRC:
		for _, e := range examples {
			seen[e.Answers[0].Start]++
		}
	}
	for answer, n := range seen {
		if n*10 > len(examples)*9 {
			t.Errorf("%s: %d is the answer of %d examples out of %d", split, answer, n, len(examples))
		}
	}
}

// TestMarks looks at the tasks whose text is marked: each mark must enclose
// what the dataset says.
func TestMarks(t *testing.T) {
	pronouns := " he she it they him her them his hers its their "
	for _, tk := range load(t, realData(t)) {
		for _, split := range []string{"train", "dev"} {
			switch tk.Name {
			case "WSC":
				examples, err := tk.Read(split)
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range examples {
					parts := strings.Split(e.Text, "_")
					if len(parts) != 3 || !strings.Contains(pronouns, " "+strings.ToLower(parts[1])+" ") {
						t.Errorf("%s: no pronoun is marked: %s", e.Where, e.Text)
					}
					if strings.Count(e.Text, "*") != 2 {
						t.Errorf("%s: no noun is marked: %s", e.Where, e.Text)
					}
				}
			case "WiC":
				examples, err := tk.Read(split)
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range examples {
					for _, text := range []string{e.Text, e.Text2} {
						parts := strings.Split(text, "*")
						if len(parts) < 3 || strings.TrimSpace(parts[1]) != parts[1] || parts[1] == "" {
							t.Errorf("%s: no word is marked: %s", e.Where, text)
						}
					}
				}
			}
		}
	}
}
