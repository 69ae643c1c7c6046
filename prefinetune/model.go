package prefinetune

import (
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/prefinetune/task"
	"github.com/muppet-go/muppet/transformer"
)

// Model is an encoder with the heads of a set of tasks: one for each classification
// task, one shared by all ranking tasks, one shared by all span tasks.
type Model struct {
	Encoder     *transformer.Encoder                       `name:"roberta"`
	Classifiers map[string]*transformer.ClassificationHead `name:"classifiers"`
	Ranking     *transformer.ClassificationHead            `name:"ranking"`
	Span        *transformer.SpanHead                      `name:"span"`

	spectral bool // the heads' last layers are normalised: see R3F
}

// NewModel returns the encoder with fresh heads for the tasks.
func NewModel(encoder *transformer.Encoder, tasks []*task.Task, key device.Key) *Model {
	m := &Model{Encoder: encoder, Classifiers: map[string]*transformer.ClassificationHead{}}
	c := encoder.Config
	for _, t := range tasks {
		switch t.Family {
		case task.Classification:
			m.Classifiers[t.Name] = transformer.NewClassificationHead(c, len(t.Labels), key.Fold("classifier").Fold(t.Name))
		case task.Commonsense:
			if m.Ranking == nil {
				m.Ranking = transformer.NewClassificationHead(c, 1, key.Fold("ranking"))
			}
		case task.MRC:
			if m.Span == nil {
				m.Span = transformer.NewSpanHead(c, key.Fold("span"))
			}
		}
	}
	return m
}
