package prefinetune

import (
	"fmt"

	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/prefinetune/task"
	"github.com/muppet-go/muppet/transformer"
)

// Export returns the model with one task's head as Hugging Face's class for it has it, for
// Save to write: SequenceClassification with the labels as id2label or, for a regression, one
// output on the scale of the scores, MultipleChoice,
// QuestionAnswering, or ConditionalGeneration. BART, for which there is no multiple
// choice, ranks candidates by a SequenceClassification with one output. The body's weights
// are shared.
func (s *Saved) Export(t *task.Task) (*transformer.Model, error) {
	own, err := s.Head(t)
	if err != nil {
		return nil, err
	}
	var head transformer.Head
	switch own.Family {
	case task.Classification, task.Regression:
		head = transformer.SequenceClassification
	case task.Commonsense:
		if head = transformer.MultipleChoice; s.Model.Bart != nil {
			head = transformer.SequenceClassification
		}
	case task.MRC:
		head = transformer.QuestionAnswering
	case task.Summarisation:
		return s.Model.base, nil
	default:
		return nil, fmt.Errorf("prefinetune: task %s: Hugging Face has no class for family %s", own.Name, own.Family)
	}
	labels := own.Labels
	if head == transformer.SequenceClassification && own.Family != task.Classification {
		labels = []string{"score"}
	}
	var m *transformer.Model
	if s.Model.Bart != nil {
		m = transformer.NewBartModel(s.Model.Bart, head, device.Key{}, labels...)
	} else {
		m = transformer.NewModel(s.Model.Encoder, head, device.Key{}, labels...)
	}
	m.Tokenizer = s.Model.base.Tokenizer
	heads := s.Model.heads()
	switch own.Family {
	case task.Classification:
		copyParameters(m.Classifier, heads.Classifiers[own.Name])
		m.Config.ProblemType = "single_label_classification"
	case task.Regression:
		heads.Regressors[own.Name].unscaled(m.Classifier)
		m.Config.ProblemType = "regression"
	case task.Commonsense:
		copyParameters(m.Classifier, heads.Ranking)
	case task.MRC:
		copyParameters(m.Span, heads.Span)
	}
	return m, nil
}
