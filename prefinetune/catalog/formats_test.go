package catalog_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/muppet-go/muppet/prefinetune/task"
)

// A format is a split of a set that is not at hand, made up in the form of its release:
// its files in the order of the task file's, and the examples they hold.
type format struct {
	files    []string
	examples []task.Example
}

func pair(text, text2 string, label int) task.Example {
	return task.Example{Text: text, Text2: text2, Label: label}
}

func choose(context string, answer int, choices ...string) task.Example {
	return task.Example{Context: context, Answer: answer, Choices: choices}
}

func sum(source, target string) task.Example { return task.Example{Source: source, Target: target} }

const cafe = "Lunch: The Café Ö sells tea."

var arc = format{[]string{`{"id":"M_1","question":{"stem":"What is wet?","choices":[{"text":"sand","label":"A"},{"text":"rain","label":"B"},{"text":"dust","label":"C"}]},"answerKey":"B"}
{"id":"M_2","question":{"stem":"What is hot?","choices":[{"text":"fire","label":"1"},{"text":"ice","label":"2"}]},"answerKey":"1"}
`}, []task.Example{choose("What is wet?", 1, "sand", "rain", "dust"), choose("What is hot?", 0, "fire", "ice")}}

var anli = format{[]string{`{"uid":"u1","context":"Ann is in Rome.","hypothesis":"Ann is in Italy.","label":"e","model_label":"n","reason":"geography"}
{"uid":"u2","context":"Ann is in Rome.","hypothesis":"Ann is in Oslo.","label":"c"}
{"uid":"u3","context":"Ann is in Rome.","hypothesis":"Ann is old.","label":"n"}
`}, []task.Example{pair("Ann is in Rome.", "Ann is in Italy.", 0), pair("Ann is in Rome.", "Ann is in Oslo.", 2), pair("Ann is in Rome.", "Ann is old.", 1)}}

var mrqa = format{[]string{`{"header": {"dataset": "Made up", "split": "train"}}
{"id": "", "context": "[PAR] Zoë has a kite. A Kite!", "context_tokens": [["[PAR]", 0]], "qas": [{"qid": "1", "question": "What?", "question_tokens": [["What", 0]], "detected_answers": [{"text": "kite", "char_spans": [[16, 19], [24, 27]], "token_spans": [[4, 4]]}, {"text": "a kite", "char_spans": [[14, 19]], "token_spans": [[3, 4]]}], "answers": ["kite"]}, {"qid": "2", "question": "Who?", "detected_answers": [{"text": "Zoë", "char_spans": [[6, 8]]}], "answers": ["Zoë"]}]}
`}, []task.Example{
	{Question: "What?", Passage: "[PAR] Zoë has a kite. A Kite!", Answers: []task.Answer{{Text: "kite", Start: 17}, {Text: "Kite", Start: 25}, {Text: "a kite", Start: 15}}},
	{Question: "Who?", Passage: "[PAR] Zoë has a kite. A Kite!", Answers: []task.Answer{{Text: "Zoë", Start: 6}}},
}}

// formats has every set of the catalogue of which there is no data to test with.
var formats = map[string]format{
	"AESLC": {[]string{`{"email_body":"Dear all,\nlunch is at noon.\n","subject_line":"Lunch"}
{"email_body":" ","subject_line":"Nothing"}
`}, []task.Example{sum("Dear all,\nlunch is at noon.\n", "Lunch")}},
	"ANLI_R1":       anli,
	"ANLI_R2":       anli,
	"ANLI_R3":       anli,
	"ARC-Challenge": arc,
	"ARC-Easy":      arc,
	"BillSum": {[]string{`{"bill_id":"1_2","text":"SECTION 1. A road.","summary":"Builds a road.","title":"An Act","text_len":18,"sum_len":14}
`}, []task.Example{sum("SECTION 1. A road.", "Builds a road.")}},
	"CB": {[]string{`{"premise":"He thinks it rains.","hypothesis":"it rains","label":"neutral","idx":0}
{"premise":"She knew it rained.","hypothesis":"it rained","label":"entailment","idx":1}
{"premise":"It never rained.","hypothesis":"it rained","label":"contradiction","idx":2}
`}, []task.Example{pair("He thinks it rains.", "it rains", 2), pair("She knew it rained.", "it rained", 0), pair("It never rained.", "it rained", 1)}},
	"CNN_DailyMail": {[]string{`{"article":"(CNN)A cat was found. It is well.","highlights":"Cat found .\nIt is well .","id":"00ff"}
`}, []task.Example{sum("(CNN)A cat was found. It is well.", "Cat found .\nIt is well .")}},
	"DROP": {[]string{`{"nfl_1": {"passage": "` + cafe + ` Tea costs 2 pounds.", "qa_pairs": [
  {"question": "What is sold?", "query_id": "q1", "answer": {"number": "", "date": {"day": "", "month": "", "year": ""}, "spans": ["tea"]}},
  {"question": "How many pounds?", "query_id": "q2", "answer": {"number": "2", "date": {"day": "", "month": "", "year": ""}, "spans": []}},
  {"question": "Which two?", "query_id": "q3", "answer": {"number": "", "date": {}, "spans": ["Café", "tea"]}},
  {"question": "Is it green or black?", "query_id": "q4", "answer": {"number": "", "date": {}, "spans": ["black"]}}],
  "wiki_url": "https://example.org"}}
`}, []task.Example{{Question: "What is sold?", Passage: cafe + " Tea costs 2 pounds.", Answers: []task.Answer{{Text: "tea", Start: 26}}}}},
	"ERASER_MultiRC": {[]string{`{"passage":"Mia has a kite .","query_and_answer":"Who has a kite ? || Mia","label":1,"evidences":["Mia has a kite ."]}
{"passage":"Mia has a kite .","query_and_answer":"Who has a kite ? || Ann","label":0,"evidences":["Mia has a kite ."]}
`}, []task.Example{pair("Mia has a kite .", "Who has a kite ? Mia", 1), pair("Mia has a kite .", "Who has a kite ? Ann", 0)}},
	"Gigaword": {[]string{"a cat was found in rome .\n\n", "cat found\nnothing\n"}, []task.Example{sum("a cat was found in rome .", "cat found")}},
	"HANS": {[]string{"gold_label\tsentence1_binary_parse\tsentence2_binary_parse\tsentence1_parse\tsentence2_parse\tsentence1\tsentence2\tpairID\theuristic\tsubcase\ttemplate\n" +
		"non-entailment\t( a )\t( b )\t(ROOT )\t(ROOT )\tThe cat near the dog slept .\tThe dog slept .\tex0\tlexical_overlap\tln_x\ttemp1\n" +
		"entailment\t( a )\t( b )\t(ROOT )\t(ROOT )\tThe cat and the dog slept .\tThe dog slept .\tex1\tlexical_overlap\tle_x\ttemp2\n"},
		[]task.Example{pair("The cat near the dog slept .", "The dog slept .", 0), pair("The cat and the dog slept .", "The dog slept .", 1)}},
	"HellaSwag": {[]string{`{"ind":4,"activity_label":"Washing","ctx_a":"A man soaps a cup.","ctx_b":"he","ctx":"A man soaps a cup. he","split":"train","split_type":"indomain","label":2,"endings":["sings.","flies.","rinses it.","eats it."],"source_id":"x~1"}
`}, []task.Example{choose("Washing: A man soaps a cup. he", 2, "sings.", "flies.", "rinses it.", "eats it.")}},
	"HotpotQA": {[]string{`[{"_id":"1","question":"Who wrote the book?","answer":"Zoë Ö","supporting_facts":[["The Book",0],["Ünal",0]],"type":"bridge","level":"easy",
  "context":[["Other",["Zoë Ö is here too."]],["Ünal",["Né in Rome."," Died."]],["The Book",["A tome."," By Zoë Ö."]]]},
 {"_id":"2","question":"Is it?","answer":"yes","supporting_facts":[["A",0]],"context":[["A",["yes"]]]},
 {"_id":"3","question":"What?","answer":"missing","supporting_facts":[["A",0]],"context":[["A",["none"]],["B",["missing"]]]}]
`}, []task.Example{{Question: "Who wrote the book?", Passage: "Other: Zoë Ö is here too.\nÜnal: Né in Rome. Died.\nThe Book: A tome. By Zoë Ö.",
		Answers: []task.Answer{{Text: "Zoë Ö", Start: 75}}}}},
	"IMDB": {[]string{`{"text":"Dull.<br /><br />Very.","label":0}
{"text":"A joy.","label":1}
`}, []task.Example{pair("Dull.  Very.", "", 0), pair("A joy.", "", 1)}},
	"MNLI": {[]string{"index\tpromptID\tpairID\tgenre\tsentence1_binary_parse\tsentence2_binary_parse\tsentence1_parse\tsentence2_parse\tsentence1\tsentence2\tlabel1\tgold_label\n" +
		"0\t1\t1n\tfiction\t( a )\t( b )\t(ROOT )\t(ROOT )\t\"Hi,\" he said.\tHe spoke.\tentailment\tentailment\n" +
		"1\t2\t2n\tfiction\t( a )\t( b )\t(ROOT )\t(ROOT )\tHe sat.\tHe ate.\tneutral\t-\n"},
		[]task.Example{pair(`"Hi," he said.`, "He spoke.", 1)}},
	"MathQA": {[]string{`[{"Problem":"two and two , what is it ?","Rationale":"2 + 2","options":"a ) 1 , 000 , b ) 4 , c ) rs . 5 , d ) 6 , e ) none of these","correct":"b","annotated_formula":"add(2, 2)","linear_formula":"add(n0,n1)|","category":"general"},
 {"Problem":"garbled","options":"a ) 1 , b ) 2","correct":"b"}]
`}, []task.Example{choose("two and two , what is it ?", 1, "1 , 000", "4", "rs . 5", "6", "none of these")}},
	"Multi_News": {[]string{`{"document":"A cat was found.\nIt is well. ||||| Cat is home. |||||","summary":"– A lost cat is home."}
{"document":" ||||| ","summary":"– Nothing."}
`}, []task.Example{sum("A cat was found.\nIt is well.\n\nCat is home.", "A lost cat is home.")}},
	"NaturalQuestions": mrqa,
	"QNLI": {[]string{"index\tquestion\tsentence\tlabel\n0\tWho sang \"O\"?\tAnn sang it.\tentailment\n1\tWhen?\tIn Rome.\tnot_entailment\n"},
		[]task.Example{pair(`Who sang "O"?`, "Ann sang it.", 1), pair("When?", "In Rome.", 0)}},
	"QQP": {[]string{"id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n1\t2\t3\tWho am I?\tWho is it I am?\t1\n4\t5\t6\tcut short\n7\t8\t9\tWhat?\t\t0\n10\t11\t12\tHow?\tWhy?\t0\n"},
		[]task.Example{pair("Who am I?", "Who is it I am?", 1), pair("How?", "Why?", 0)}},
	"RACE": {[]string{`{"example_id":"high1.txt","article":"Mia has a kite.","answer":"C","question":"Mia has a  _  .","options":["cat","dog","kite","bus"]}
`}, []task.Example{choose("Mia has a kite.\nMia has a  _  .", 2, "cat", "dog", "kite", "bus")}},
	"Reddit": {[]string{`{"author":"a","body":"I fell. TL;DR fell","normalizedBody":"I fell. TL;DR fell","content":"I fell.","content_len":2,"summary":"fell","summary_len":1,"id":"c1","subreddit":"x","subreddit_id":"t5"}
{"content":"\n","summary":"x"}
`}, []task.Example{sum("I fell.", "fell")}},
	"Reddit_TIFU": {[]string{`{"ups":10.0,"num_comments":2.0,"upvote_ratio":0.9,"score":10.0,"documents":"so i fell.","tldr":"fell.","title":"falling"}
{"documents":"so","tldr":"","title":"x"}
`}, []task.Example{sum("so i fell.", "fell.")}},
	"Rotten_Tomatoes": {[]string{`{"text":"a joy . ","label":1}
{"text":"a bore .","label":0}
`}, []task.Example{pair("a joy .", "", 1), pair("a bore .", "", 0)}},
	"SNLI": {[]string{`{"annotator_labels":["neutral"],"captionID":"1.jpg#4","gold_label":"neutral","pairID":"1.jpg#4r1n","sentence1":"A cat sits.","sentence1_parse":"(ROOT )","sentence2":"A cat waits.","sentence2_parse":"(ROOT )"}
{"annotator_labels":["neutral","entailment"],"gold_label":"-","sentence1":"A cat sits.","sentence2":"A pet."}
`}, []task.Example{pair("A cat sits.", "A cat waits.", 2)}},
	"SQuAD": {[]string{`{"version":"1.1","data":[{"title":"T","paragraphs":[{"context":"Zoë has a kite.","qas":[{"id":"1","question":"Who?","answers":[{"answer_start":0,"text":"Zoë"}]},{"id":"2","question":"What?","answers":[{"answer_start":8,"text":"a kite"},{"answer_start":10,"text":"kite"}]}]}]}]}
`}, []task.Example{{Question: "Who?", Passage: "Zoë has a kite.", Answers: []task.Answer{{Text: "Zoë"}}},
		{Question: "What?", Passage: "Zoë has a kite.", Answers: []task.Answer{{Text: "a kite", Start: 9}, {Text: "kite", Start: 11}}}}},
	"SQuAD2": {[]string{`{"version":"v2.0","data":[{"title":"T","paragraphs":[{"qas":[{"question":"Who?","id":"1","answers":[{"text":"Zoë","answer_start":0}],"is_impossible":false},{"plausible_answers":[{"text":"a kite","answer_start":8}],"question":"What is lost?","id":"2","answers":[],"is_impossible":true}],"context":"Zoë has a kite."}]}]}
`}, []task.Example{{Question: "Who?", Passage: "Zoë has a kite.", Answers: []task.Answer{{Text: "Zoë"}}}, {Question: "What is lost?", Passage: "Zoë has a kite."}}},
	"STS-B": {[]string{"index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore\n" +
		"0\tmain-captions\tMSRvid\t2012test\t0001\tnone\tnone\tA plane is \"taking off\".\tAn air plane is taking off.\t4.750\n"},
		[]task.Example{{Text: `A plane is "taking off".`, Text2: "An air plane is taking off.", Score: 4.75}}},
	"SWAG": {[]string{",video-id,fold-ind,startphrase,sent1,sent2,gold-source,ending0,ending1,ending2,ending3,label\n" +
		"0,v_1,10,A man sits. He,A man sits.,He,gold,\"eats, then sleeps.\",sings.,flies.,swims.,1\n"},
		[]task.Example{choose("A man sits.", 1, "He eats, then sleeps.", "He sings.", "He flies.", "He swims.")}},
	"SciQ": {[]string{`[{"question":"What is wet?","distractor3":"sand","distractor1":"air","distractor2":"stone","correct_answer":"rain","support":"Rain is wet."},
 {"question":"What is hot?","distractor3":"sleet","distractor1":"ice","distractor2":"snow","correct_answer":"fire","support":""}]
`}, []task.Example{choose("Rain is wet.\nWhat is wet?", 1, "air", "rain", "sand", "stone"), choose("What is hot?", 0, "fire", "ice", "sleet", "snow")}},
	"SciTail": {[]string{"Rain \"falls\" from clouds.\tRain falls.\tentails\nRain is wet.\tIce is cold.\tneutral\n"},
		[]task.Example{pair(`Rain "falls" from clouds.`, "Rain falls.", 1), pair("Rain is wet.", "Ice is cold.", 0)}},
	"TriviaQA": mrqa,
	"WikiQA": {[]string{"QuestionID\tQuestion\tDocumentID\tDocumentTitle\tSentenceID\tSentence\tLabel\nQ1\twho sings\tD1\tSong\tD1-0\tAnn sings.\t1\nQ1\twho sings\tD1\tSong\tD1-1\tIt is \"loud\".\t0\n"},
		[]task.Example{pair("who sings", "Ann sings.", 1), pair("who sings", `It is "loud".`, 0)}},
	"Yelp_Polarity": {[]string{`"1","Cold \""food\"".\n\nAnd slow."` + "\n" + `"2","Nice, ""really""."` + "\n"},
		[]task.Example{pair("Cold \"food\".\n\nAnd slow.", "", 0), pair(`Nice, "really".`, "", 1)}},
}

// TestFormats reads a made-up record or two of every set that is not at hand.
func TestFormats(t *testing.T) {
	dir := t.TempDir()
	seen := 0
	for _, tk := range load(t, dir) {
		f, ok := formats[tk.Name]
		if !ok {
			continue
		}
		seen++
		for _, split := range []string{"train", "dev"} {
			paths := tk.Files(split)
			if len(paths) != len(f.files) {
				t.Errorf("%s: %d files, the test has %d", tk.Name, len(paths), len(f.files))
				continue
			}
			for i, path := range paths {
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(f.files[i]), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			got, err := tk.Read(split)
			if err != nil {
				t.Error(err)
				continue
			}
			if diff := cmp.Diff(f.examples, got, cmpopts.IgnoreFields(task.Example{}, "Where")); diff != "" {
				t.Errorf("%s, %s: %s", tk.Name, split, diff)
			}
		}
	}
	if seen != len(formats) {
		t.Errorf("%d of the %d made-up sets are in the catalogue", seen, len(formats))
	}
}
