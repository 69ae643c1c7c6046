package prefinetune

import (
	"slices"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/prefinetune/task"
	"github.com/muppet-go/muppet/transformer"
)

// Model is an encoder, or BART's encoder and decoder, with the heads of a set of tasks: one
// for each classification and each regression, one shared by all ranking tasks, one shared by all span
// tasks.
type Model struct {
	Encoder     *transformer.Encoder                       `name:"roberta"` // RoBERTa's and BERT's, else nil
	Bart        *transformer.Bart                          `name:"model"`   // BART, else nil
	LM          *transformer.LMHead                        `name:""`        // BART's, if it has to write or its checkpoint could
	Classifiers map[string]*transformer.ClassificationHead `name:"classifiers"`
	Regressors  map[string]*RegressionHead                 `name:"regressors"`
	Ranking     *transformer.ClassificationHead            `name:"ranking"`
	Span        *transformer.SpanHead                      `name:"span"`

	// LogVariances are the logarithms of the tasks' variances, shape [1], if Config.Scaling
	// is "uncertainty"; else nil.
	LogVariances map[string]*autograd.Tensor `name:"log_variances,nodecay"`

	base      *transformer.Model
	spectral  bool    // the heads' last layers are normalised: see R3F
	smoothing float64 // of the labels of what is written
}

// NewModel returns m, whose weights it shares and whose own head it leaves out, with
// fresh heads for the tasks. It panics for a summarisation without BART.
func NewModel(m *transformer.Model, tasks []*task.Task, key device.Key) *Model {
	model := &Model{Encoder: m.Encoder, Bart: m.Bart, LM: m.LM, Classifiers: map[string]*transformer.ClassificationHead{}, Regressors: map[string]*RegressionHead{}}
	writes := slices.ContainsFunc(tasks, func(t *task.Task) bool { return t.Family == task.Summarisation })
	switch {
	case m.LM != nil:
		model.base = m
	case m.Bart != nil && writes:
		model.base = transformer.NewBartModel(m.Bart, transformer.ConditionalGeneration, device.Key{})
		model.LM = model.base.LM
	case m.Bart != nil:
		model.base = transformer.NewBartModel(m.Bart, transformer.Bare, device.Key{})
	default:
		model.base = transformer.NewModel(m.Encoder, transformer.Bare, device.Key{})
	}
	model.base.Tokenizer = m.Tokenizer
	c := model.base.Config
	for _, t := range tasks {
		switch t.Family {
		case task.Classification:
			model.Classifiers[t.Name] = transformer.NewClassificationHead(c, len(t.Labels), key.Fold("classifier").Fold(t.Name))
		case task.Regression:
			model.Regressors[t.Name] = newRegressionHead(c, key.Fold("regressor").Fold(t.Name))
		case task.Commonsense:
			if model.Ranking == nil {
				model.Ranking = transformer.NewClassificationHead(c, 1, key.Fold("ranking"))
			}
		case task.Summarisation:
			if m.Bart == nil {
				panic("prefinetune: NewModel: task " + t.Name + ": summarisation needs an encoder-decoder")
			}
		case task.MRC:
			if model.Span == nil {
				model.Span = transformer.NewSpanHead(c, key.Fold("span"))
			}
		}
	}
	return model
}

// Base returns the model without the heads of the tasks, sharing its weights: what is saved
// as a checkpoint of its own, or fine-tuned on other tasks.
func (m *Model) Base() *transformer.Model { return m.base }
