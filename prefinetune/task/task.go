// Package task turns datasets on disk into examples that a model can learn from.
//
// A dataset is described by a YAML file and needs no code: where its files lie,
// how they are written (TSV, CSV, JSON, JSON lines, Parquet, plain or parallel text), and
// one jq expression that maps a record to one or more examples of one of five
// schemas, one schema a family:
//
//	classification  {text, text2?, label}
//	regression      {text, text2?, score}
//	commonsense     {context, choices, answer}
//	mrc             {question, passage, answers: [{text, start}]}; answers may be empty
//	                where the task says no_answer
//	summarisation   {source, target}
//
// Text is not blank, a label is one of the declared ones, a score a number in the declared
// range, an answer is an index
// into choices, and an answer's start counts code points of the passage, as jq
// and SQuAD do. Anything else is an error that names file, line and field.
//
// # Task files
//
//	name         the task's name
//	family       classification, regression, commonsense, mrc or summarisation
//	description  what is asked, in a sentence (optional)
//	source       where the dataset comes from
//	labels       classification alone: the classes, in the order of the head's outputs
//	range        regression alone: the lowest and the highest score, such as [0, 5]
//	no_answer    mrc alone: true if questions may have no answer (optional)
//	metric       accuracy, f1 (of the second of two labels) or matthews; of a regression
//	             pearson_spearman (the mean of both), pearson or spearman; the other
//	             families have one metric each: accuracy, em_f1, rouge (optional)
//	default      false leaves the task out of the mix unless asked for (optional)
//	why          the reason for that
//	files        {train: PATH, dev: PATH} below the data folder; for parallel files
//	             {train: {NAME: PATH, ...}, dev: {NAME: PATH, ...}}
//	format       tsv, csv, json, jsonl, parquet, text or document; for parallel files one
//	             for all, or {NAME: FORMAT, ...}
//	encoding     utf-8, or latin-1 (optional)
//	header       tsv and csv: whether the first line names the columns; true, false
//	             or {train: true, dev: false} (optional, true)
//	columns      tsv and csv: the columns' names, in place of the header's (optional)
//	records      json: a jq expression that yields the records
//	example      a jq expression that makes examples of a record
//	layouts      other forms that the dataset comes in: a list, each with files, format
//	             and what else is to be said from there on; without an example it is that of
//	             the one before (optional)
//
// A "*" in the path of a split's one file stands for any characters in a name. All files
// that match are read, in the order of their names: train-*.parquet is how Hugging Face
// stores a split. The first layout whose files are all there is read.
//
// What a record is depends on the format. A line of tsv, where quotes mean
// nothing, and a row of csv, as in RFC 4180, is an object of strings by column,
// or an array where columns have no names. A line of jsonl is its value, and a
// line of text a string. A document is the whole text of a file, a string. A row of parquet is an object by column. A record of parallel files is an object with a record
// of each; the files must have equally many. Empty lines count in text alone.
//
// A jq expression sees its record and nothing else: no environment, no other
// input, no modules. Its time and the number of its results are bounded, but
// not its memory: treat a stranger's task file as the program that it is.
package task

// A Family says what a task's examples look like and which loss they train.
type Family string

// The four families of the MUPPET paper, and regression, which it counts as classification.
const (
	Classification Family = "classification" // choose one of the task's labels
	Regression     Family = "regression"     // predict a number
	Commonsense    Family = "commonsense"    // rank the candidates of an example
	MRC            Family = "mrc"            // find the answer's span in a passage
	Summarisation  Family = "summarisation"  // generate the target text
)

// A Task is a dataset with the rules to read it. Load makes one from a YAML
// file; a generated task fills Examples instead.
type Task struct {
	Name        string
	Family      Family
	Description string
	Source      string     // where the dataset comes from: a paper or an address
	Labels      []string   // classification: the classes, in the order of the head's outputs
	Range       [2]float64 // regression: the lowest and the highest score
	NoAnswer    bool       // mrc: there are questions without an answer
	Metric      string     // the metric that speaks for the task: accuracy, f1, matthews, pearson_spearman, em_f1, rouge, …
	Default     bool       // part of the mix unless asked otherwise
	Why         string     // for a task left out of the default mix: the reason
	Path        string     // the YAML file, for messages; empty for a generated task
	SHA256      string     // of that file's content

	// Examples holds a generated task's splits. Where it is set nothing is read from disk.
	Examples map[string][]Example

	layouts []*layout // how to read the files of a task that was loaded, in the forms they may have
}

// An Example is one thing to learn from, still as text. Which fields are set
// depends on the task's family. Text is valid UTF-8.
type Example struct {
	// Classification and regression.
	Text, Text2 string  // Text2 is empty for single texts
	Label       int     // index into the task's Labels
	Score       float64 // of a regression

	// Commonsense: Choices are ranked as continuations of (answers to) Context.
	Context string
	Choices []string
	Answer  int // index of the right choice

	// MRC.
	Question, Passage string
	Answers           []Answer // acceptable answers; none only if the task has NoAnswer

	// Summarisation.
	Source, Target string

	Where string // file and line, or record, that the example came from
}

// An Answer is a span of a passage.
type Answer struct {
	Text  string
	Start int // byte offset of Text in the passage
}
