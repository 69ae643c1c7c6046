// Package task turns datasets on disk into examples that a model can learn from.
//
// A dataset is described by a YAML file and needs no code: where its files lie,
// how they are written (TSV, CSV, JSON, JSON lines, plain or parallel text), and
// one jq expression that maps a record to one or more examples of one of four
// schemas, one schema a family:
//
//	classification  {text, text2?, label}
//	commonsense     {context, choices, answer}
//	mrc             {question, passage, answers: [{text, start}]}
//	summarisation   {source, target}
package task

// A Family says what a task's examples look like and which loss they train.
type Family string

// The four families of the MUPPET paper.
const (
	Classification Family = "classification" // choose one of the task's labels
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
	Source      string   // where the dataset comes from: a paper or an address
	Labels      []string // classification: the classes, in the order of the head's outputs
	Metric      string   // the metric that speaks for the task: accuracy, f1, matthews, em_f1
	Default     bool     // part of the mix unless asked otherwise
	Why         string   // for a task left out of the default mix: the reason
	Path        string   // the YAML file, for messages; empty for a generated task

	// Examples holds a generated task's splits. Where it is set nothing is read from disk.
	Examples map[string][]Example

	spec *spec // how to read the files of a task that was loaded
}

// An Example is one thing to learn from, still as text. Which fields are set
// depends on the task's family. Text is valid UTF-8.
type Example struct {
	// Classification.
	Text, Text2 string // Text2 is empty for single texts
	Label       int    // index into the task's Labels

	// Commonsense: Choices are ranked as continuations of (answers to) Context.
	Context string
	Choices []string
	Answer  int // index of the right choice

	// MRC.
	Question, Passage string
	Answers           []Answer // one or more acceptable answers

	// Summarisation.
	Source, Target string

	Where string // file and line, or record, that the example came from
}

// An Answer is a span of a passage.
type Answer struct {
	Text  string
	Start int // byte offset of Text in the passage
}
