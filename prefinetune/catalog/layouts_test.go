package catalog_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/muppet-go/muppet/prefinetune/catalog"
	"github.com/muppet-go/muppet/prefinetune/task"
)

// A stored is a set in another form than that of its release, of one record or two: its files
// in the order train, dev, all with the same text, and the examples they hold.
type stored struct {
	name     string
	files    []string
	text     string
	examples []task.Example
}

// hub names the files of a set as Dataset.to_json writes it.
func hub(folder string) []string {
	return []string{folder + "/train.jsonl", folder + "/validation.jsonl"}
}

func splits(folder, train, dev string) []string {
	return []string{folder + "/" + train + ".jsonl", folder + "/" + dev + ".jsonl"}
}

const squad = `{"id":"1","title":"T","context":"Zoë has a kite.","question":"What?","answers":{"text":["a kite","kite"],"answer_start":[8,10]}}
`

var kite = task.Example{Question: "What?", Passage: "Zoë has a kite.", Answers: []task.Answer{{Text: "a kite", Start: 9}, {Text: "kite", Start: 11}}}

const letters = `{"id":"M_1","question":"What is wet?","question_stem":"What is wet?","choices":{"text":["sand","rain"],"label":["A","B"]},"answerKey":"B"}
`

var wet = []task.Example{choose("What is wet?", 1, "sand", "rain")}

// premises are numbered in the order entailment, neutral, contradiction, but for the sets that
// have two classes.
const premises = `{"premise":"He sat.","hypothesis":"He ate.","label":1,"idx":0}
`

var sat = func(label int) []task.Example { return []task.Example{pair("He sat.", "He ate.", label)} }

const sentences = `{"sentence1":"He sat.","sentence2":"He ate.","label":1,"idx":0}
`

var layouts = []stored{
	{"AG_News", splits("AG_News", "train", "test"), `{"text":"Oil is up.","label":2}` + "\n", []task.Example{pair("Oil is up.", "", 2)}},
	{"ANLI_R1", splits("anli_v1.0", "train_r1", "dev_r1"), premises, sat(1)},
	{"ANLI_R2", splits("anli_v1.0", "train_r2", "dev_r2"), premises, sat(1)},
	{"ANLI_R3", splits("anli_v1.0", "train_r3", "dev_r3"), premises, sat(1)},
	{"ARC-Challenge", hub("ARC-Challenge"), letters, wet},
	{"ARC-Easy", hub("ARC-Easy"), letters, wet},
	{"BoolQ", hub("BoolQ"), `{"question":"is it","passage":"It is.","answer":true}` + "\n" + `{"question":"is it","passage":"It is.","label":1,"idx":0}` + "\n" + `{"question":"is it","passage":"No.","answer":false}` + "\n",
		[]task.Example{pair("is it", "It is.", 1), pair("is it", "It is.", 1), pair("is it", "No.", 0)}},
	{"CB", hub("CB"), premises, sat(1)},
	{"CNN_DailyMail", []string{"CNN_DailyMail/train/00ff.story", "CNN_DailyMail/validation/00fe.story"},
		"(CNN) -- A cat.\n\nIt is well.\n\n@highlight\n\nCat found\n\n@highlight\n\nIt is well\n", []task.Example{sum("(CNN) -- A cat.\n\nIt is well.", "Cat found\nIt is well")}},
	{"CODAH", hub("CODAH"), `{"id":0,"question_category":1,"question_propmt":"He fell and","candidate_answers":["flew.","cried."],"correct_answer_idx":1}` + "\n",
		[]task.Example{choose("He fell and", 1, "flew.", "cried.")}},
	{"CoLA", hub("CoLA"), `{"sentence":"He sat.","label":1,"idx":0}` + "\n", []task.Example{pair("He sat.", "", 1)}},
	{"CommonsenseQA", []string{"CommonsenseQA/train_rand_split.jsonl", "CommonsenseQA/dev_rand_split.jsonl"},
		`{"answerKey":"B","id":"1","question":{"question_concept":"rain","choices":[{"label":"A","text":"sand"},{"label":"B","text":"rain"}],"stem":"What is wet?"}}` + "\n", wet},
	{"DROP", hub("DROP"), `{"section_id":"s","query_id":"q","passage":"Tea costs 2.","question":"What costs 2?","answers_spans":{"spans":["Tea","Tea"],"types":["span","span"]}}
{"section_id":"s","query_id":"q","passage":"Tea costs 2.","question":"How much?","answers_spans":{"spans":["2"],"types":["number"]}}
`, []task.Example{{Question: "What costs 2?", Passage: "Tea costs 2.", Answers: []task.Answer{{Text: "Tea"}}}}},
	{"Gigaword", hub("Gigaword"), `{"document":"a cat was found .","summary":"cat found"}` + "\n", []task.Example{sum("a cat was found .", "cat found")}},
	{"HANS", hub("HANS"), premises, sat(0)},
	{"HotpotQA", hub("HotpotQA"), `{"id":"1","question":"Who?","answer":"Ö","type":"bridge","level":"easy","supporting_facts":{"title":["B"],"sent_id":[0]},"context":{"title":["A","B"],"sentences":[["Ö first."],["It is"," Ö."]]}}` + "\n",
		[]task.Example{{Question: "Who?", Passage: "A: Ö first.\nB: It is Ö.", Answers: []task.Answer{{Text: "Ö", Start: 22}}}}},
	{"MNLI", splits("MNLI", "train", "validation_matched"), premises, sat(2)},
	{"MRPC", hub("MRPC"), sentences, sat(1)},
	{"MRPC", []string{"MRPC/msr_paraphrase_train.txt", "MRPC/msr_paraphrase_test.txt"}, "\uFEFFQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\n1\t7\t8\tHe sat.\tHe ate.\n", sat(1)},
	{"MultiRC", hub("MultiRC"), `{"paragraph":"Mia has a kite.","question":"Who?","answer":"Mia","idx":{"paragraph":0,"question":0,"answer":0},"label":1}` + "\n",
		[]task.Example{pair("Mia has a kite.", "Who? Mia", 1)}},
	{"OpenBookQA", hub("OpenBookQA"), letters, wet},
	{"PIQA", hub("PIQA"), `{"goal":"Dry it","sol1":"rain","sol2":"towel","label":1}` + "\n", []task.Example{choose("Dry it", 1, "rain", "towel")}},
	{"QNLI", hub("QNLI"), `{"question":"Who?","sentence":"Ann.","label":0,"idx":0}` + "\n", []task.Example{pair("Who?", "Ann.", 1)}},
	{"QQP", hub("QQP"), `{"question1":"Who?","question2":"Who is it?","label":1,"idx":0}` + "\n" + `{"question1":"Who?","question2":"","label":0,"idx":1}` + "\n", []task.Example{pair("Who?", "Who is it?", 1)}},
	{"RACE", []string{"RACE/train/high/1.txt", "RACE/dev/middle/2.txt"},
		`{"article":"Mia has a kite.","id":"high1.txt","answers":["B","A"],"questions":["Mia has a _ .","Who?"],"options":[["cat","kite"],["Mia","Ann"]]}`,
		[]task.Example{choose("Mia has a kite.\nMia has a _ .", 1, "cat", "kite"), choose("Mia has a kite.\nWho?", 0, "Mia", "Ann")}},
	{"RTE", hub("RTE"), sentences, sat(0)},
	{"RTE_SuperGLUE", hub("RTE_SuperGLUE"), premises, sat(0)},
	{"ReCoRD", hub("ReCoRD"), `{"passage":"A cat is lost.\n@highlight\nThe Cat is found","query":"@placeholder is well.","entities":["Cat"],"entity_spans":{"text":["Cat"],"start":[30],"end":[33]},"answers":["Cat"],"idx":{"passage":0,"query":0}}` + "\n",
		[]task.Example{{Question: "@placeholder is well.", Passage: "A cat is lost.\n- The Cat is found", Answers: []task.Answer{{Text: "Cat", Start: 21}}}}},
	{"SICK_NLI", hub("SICK_NLI"), `{"id":"1","sentence_A":"He sat.","sentence_B":"He ate.","label":1,"relatedness_score":3.5}` + "\n", sat(1)},
	{"SICK_R", hub("SICK_NLI"), `{"id":"1","sentence_A":"He sat.","sentence_B":"He ate.","label":1,"relatedness_score":3.5}` + "\n", []task.Example{{Text: "He sat.", Text2: "He ate.", Score: 3.5}}},
	{"SNLI", hub("SNLI"), premises + `{"premise":"He sat.","hypothesis":"He ate.","label":-1}` + "\n", sat(2)},
	{"SQuAD", hub("SQuAD"), squad, []task.Example{kite}},
	{"SQuAD2", hub("SQuAD2"), squad + `{"context":"Zoë has a kite.","question":"What is lost?","answers":{"text":[],"answer_start":[]}}` + "\n",
		[]task.Example{kite, {Question: "What is lost?", Passage: "Zoë has a kite."}}},
	{"SST-2", hub("SST-2"), `{"sentence":"a joy ","label":1,"idx":0}` + "\n", []task.Example{pair("a joy", "", 1)}},
	{"SST-2", []string{"SST-2/train.tsv", "SST-2/dev.tsv"}, "sentence\tlabel\na \"joy\" \t1\n", []task.Example{pair(`a "joy"`, "", 1)}},
	{"STS-B", hub("STS-B"), `{"sentence1":"He sat.","sentence2":"He ate.","label":2.75,"idx":0}` + "\n", []task.Example{{Text: "He sat.", Text2: "He ate.", Score: 2.75}}},
	{"SciTail", hub("SciTail"), `{"premise":"Rain.","hypothesis":"It rains.","label":"entails"}` + "\n", []task.Example{pair("Rain.", "It rains.", 1)}},
	{"TREC", splits("TREC", "train", "test"), `{"text":"Who ?","coarse_label":3,"fine_label":20}` + "\n" + `{"text":"What ?","coarse_label":1,"fine_label":2}` + "\n", []task.Example{pair("Who ?", "", 3), pair("What ?", "", 2)}},
	{"TweetEval_emotion", hub("TweetEval_emotion"), `{"text":"Oh no","label":3}` + "\n", []task.Example{pair("Oh no", "", 3)}},
	{"TweetEval_hate", hub("TweetEval_hate"), `{"text":"Oh no","label":1}` + "\n" + `{"text":" ","label":0}` + "\n", []task.Example{pair("Oh no", "", 1)}},
	{"TweetEval_irony", hub("TweetEval_irony"), `{"text":"Oh no","label":1}` + "\n", []task.Example{pair("Oh no", "", 1)}},
	{"TweetEval_stance_abortion", hub("TweetEval_stance_abortion"), `{"text":"Oh no","label":2}` + "\n", []task.Example{pair("Oh no", "", 2)}},
	{"WNLI", hub("WNLI"), sentences, sat(1)},
	{"WNLI", []string{"WNLI/train.tsv", "WNLI/dev.tsv"}, "index\tsentence1\tsentence2\tlabel\n0\tHe sat.\tHe ate.\t1\n", sat(1)},
	{"WikiQA", hub("WikiQA"), `{"question_id":"Q1","question":"who sings","document_title":"Song","answer":"Ann sings.","label":1}` + "\n", []task.Example{pair("who sings", "Ann sings.", 1)}},
	{"Yelp_Polarity", splits("Yelp_Polarity", "train", "test"), `{"text":"Nice.","label":1}` + "\n", []task.Example{pair("Nice.", "", 1)}},
}

// TestLayouts reads a made-up record or two in the forms of a set that are not its release's.
// Parquet is read by the expressions that are tested here, on JSON lines.
func TestLayouts(t *testing.T) {
	for _, l := range layouts {
		dir := t.TempDir()
		for _, name := range l.files {
			path := filepath.Join(dir, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(l.text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		name := strings.ToLower(l.name) + ".yaml"
		file, err := catalog.FS.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		tasks, err := task.LoadFS(fstest.MapFS{name: {Data: file}}, dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, tk := range tasks {
			for i, split := range []string{"train", "dev"} {
				if files := tk.Files(split); len(files) != 1 || files[0] != filepath.Join(dir, l.files[i]) {
					t.Errorf("%s, %s: it reads %q of %q", l.name, split, files, l.files)
				}
				got, err := tk.Read(split)
				if err != nil {
					t.Error(err)
					continue
				}
				if diff := cmp.Diff(l.examples, got, cmpopts.IgnoreFields(task.Example{}, "Where")); diff != "" {
					t.Errorf("%s, %s: %s", l.name, split, diff)
				}
			}
		}
	}
}
