package prefinetune

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/nn"
	"github.com/muppet-go/muppet/nn/safetensors"
	"github.com/muppet-go/muppet/prefinetune/task"
	"github.com/muppet-go/muppet/transformer"
)

// A run leaves its body in the folder model, as Hugging Face's programs load it, and the heads
// of its tasks beside it: heads/heads.safetensors has the tensors, under the names of Model, and
// heads/heads.json says what they are for. Heads that were spectrally normalised are saved as
// they act.

const headsDir = "heads"

// headsInfo is heads.json.
type headsInfo struct {
	ModelType      string     `json:"model_type"` // of the body
	HiddenSize     int        `json:"hidden_size"`
	MaxLength      int        `json:"max_length"`       // tokens of a sequence, in training
	TokensPerBatch int        `json:"tokens_per_batch"` // which bounds an example with many candidates
	Tasks          []headInfo `json:"tasks"`
}

// headInfo is what a head must be known to be for.
type headInfo struct {
	Name   string      `json:"name"`
	Family task.Family `json:"family"`
	Labels []string    `json:"labels,omitempty"` // in the order of the outputs
	Range  [2]float64  `json:"range,omitzero"`   // of a regression's scores
	None   bool        `json:"no_answer,omitempty"`
	Metric string      `json:"metric"`

	Longest int `json:"longest,omitempty"` // summarisation: tokens of the longest target in training
}

// headSet are the heads of a Model.
type headSet struct {
	Classifiers map[string]*transformer.ClassificationHead `name:"classifiers"`
	Regressors  map[string]*RegressionHead                 `name:"regressors"`
	Ranking     *transformer.ClassificationHead            `name:"ranking"`
	Span        *transformer.SpanHead                      `name:"span"`
}

// heads returns the model's heads as they act.
func (m *Model) heads() *headSet {
	h := &headSet{map[string]*transformer.ClassificationHead{}, map[string]*RegressionHead{}, m.Ranking, m.Span}
	scope := autograd.NewScope().NoGrad()
	for name, c := range m.Classifiers {
		h.Classifiers[name] = m.normalised(scope, c)
	}
	for name, r := range m.Regressors {
		h.Regressors[name] = &RegressionHead{m.normalised(scope, r.Head), r.Scale}
	}
	if h.Ranking != nil {
		h.Ranking = m.normalised(scope, h.Ranking)
	}
	if h.Span != nil && m.spectral {
		h.Span = &transformer.SpanHead{Outputs: spectral(scope, h.Span.Outputs)}
	}
	return h
}

// saveHeads writes the heads of a run.
func (t *Trainer) saveHeads(dir string) error {
	c := t.model.base.Config
	info := headsInfo{ModelType: c.ModelType, HiddenSize: c.HiddenSize, MaxLength: t.cfg.MaxLength, TokensPerBatch: t.cfg.TokensPerBatch}
	for i, tk := range t.tasks {
		info.Tasks = append(info.Tasks, headInfo{tk.Name, tk.Family, tk.Labels, tk.Range, tk.NoAnswer, tk.Metric, t.longest(i)})
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("prefinetune: %w", err)
	}
	if err := nn.Save(filepath.Join(dir, "heads.safetensors"), t.model.heads()); err != nil {
		return err
	}
	if err := writeJSON(filepath.Join(dir, "heads.json"), info); err != nil {
		return fmt.Errorf("prefinetune: %w", err)
	}
	return nil
}

// Saved is a model with its heads as a folder has them, for more training, evaluation,
// predictions and export.
type Saved struct {
	Model          *Model
	Tasks          []*task.Task // that the heads are for, without examples
	MaxLength      int          // tokens of a sequence
	TokensPerBatch int

	dir     string
	own     transformer.Head // of a Hugging Face folder, whose one head has no task's name
	longest map[string]int   // of each task, see headInfo
}

// Load reads what a run left in its Out folder: its body and heads. It reads a model with
// a head from a Hugging Face folder, too, one that Export wrote, say; such a head
// serves whatever task it fits.
func Load(dir string) (*Saved, error) {
	exists := func(parts ...string) bool {
		_, err := os.Stat(filepath.Join(append([]string{dir}, parts...)...))
		return !errors.Is(err, fs.ErrNotExist)
	}
	switch {
	case exists(headsDir, "heads.json"):
		return loadRun(dir)
	case exists("config.json"):
		return loadSingle(dir)
	}
	return nil, fmt.Errorf("prefinetune: %s is neither a finished run, which has %s, nor a model in Hugging Face's layout, which has config.json",
		dir, filepath.Join(headsDir, "heads.json"))
}

func loadRun(dir string) (*Saved, error) {
	path := filepath.Join(dir, headsDir, "heads.json")
	var info headsInfo
	if err := readJSON(path, &info); err != nil {
		return nil, fmt.Errorf("prefinetune: %w", err)
	}
	body, err := transformer.Load(filepath.Join(dir, "model"))
	if err != nil {
		return nil, err
	}
	if body.Tokenizer == nil {
		return nil, fmt.Errorf("prefinetune: %s has no tokenizer", filepath.Join(dir, "model"))
	}
	c := body.Config
	if info.ModelType != c.ModelType || info.HiddenSize != c.HiddenSize {
		return nil, fmt.Errorf("prefinetune: %s: the heads are for a %s of hidden size %d, the model is a %s of %d",
			path, info.ModelType, info.HiddenSize, c.ModelType, c.HiddenSize)
	}
	s := &Saved{MaxLength: info.MaxLength, TokensPerBatch: info.TokensPerBatch, dir: dir, longest: map[string]int{}}
	if s.MaxLength < 16 || s.MaxLength > c.MaxLength() || s.TokensPerBatch < s.MaxLength {
		return nil, fmt.Errorf("prefinetune: %s: max_length is %d and tokens_per_batch %d; want 16 to %d, what the model has positions for, and no fewer",
			path, s.MaxLength, s.TokensPerBatch, c.MaxLength())
	}
	for i, h := range info.Tasks {
		t := &task.Task{Name: h.Name, Family: h.Family, Labels: h.Labels, Range: h.Range, NoAnswer: h.None, Metric: h.Metric, Default: true}
		if err := t.Validate(); err != nil {
			return nil, fmt.Errorf("prefinetune: %s: tasks[%d]: %w", path, i, err)
		}
		if t.Family == task.Summarisation && body.LM == nil {
			return nil, fmt.Errorf("prefinetune: %s: tasks[%d]: task %s: the model is a %s, and summarisation needs one that generates", path, i, t.Name, body.Architecture())
		}
		if s.task(t.Name) != nil {
			return nil, fmt.Errorf("prefinetune: %s: tasks[%d]: two tasks are named %s", path, i, t.Name)
		}
		s.Tasks = append(s.Tasks, t)
		s.longest[t.Name] = h.Longest
	}
	tensors := filepath.Join(dir, headsDir, "heads.safetensors")
	if err := checkOutputs(tensors, s.Tasks, c.HiddenSize); err != nil {
		return nil, err
	}
	s.Model = NewModel(body, s.Tasks, device.Key{})
	if err := nn.Load(tensors, &headSet{s.Model.Classifiers, s.Model.Regressors, s.Model.Ranking, s.Model.Span}); err != nil {
		return nil, err
	}
	return s, nil
}

// checkOutputs refuses heads whose file has them for other labels than heads.json says, before
// memory is taken for what that promises.
func checkOutputs(path string, tasks []*task.Task, hidden int) error {
	f, err := safetensors.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var wrong []string
	for _, t := range tasks {
		if t.Family != task.Classification {
			continue
		}
		name := "classifiers." + t.Name + ".out_proj.weight"
		if info, _ := f.Info(name); !slices.Equal(info.Shape, []int{len(t.Labels), hidden}) {
			wrong = append(wrong, fmt.Sprintf("%s has shape %v, the labels of %s ask for %v", name, info.Shape, t.Name, []int{len(t.Labels), hidden}))
		}
	}
	if wrong != nil {
		return fmt.Errorf("prefinetune: %s: %s", path, strings.Join(wrong, "; "))
	}
	return nil
}

// loadSingle reads a model with the head that its architecture names.
func loadSingle(dir string) (*Saved, error) {
	m, err := transformer.Load(dir)
	if err != nil {
		return nil, err
	}
	if m.Tokenizer == nil {
		return nil, fmt.Errorf("prefinetune: %s has no tokenizer", dir)
	}
	s := &Saved{dir: dir, own: m.Head, MaxLength: min(m.Config.MaxLength(), 512), TokensPerBatch: 4096}
	s.Model = NewModel(m, nil, device.Key{})
	switch m.Head {
	case transformer.SequenceClassification:
		name := filepath.Base(dir)
		if m.Config.ProblemType == "regression" || len(m.Config.Labels()) == 1 && m.Encoder != nil { // as Hugging Face decides it
			s.Tasks = []*task.Task{{Name: name, Family: task.Regression, Range: [2]float64{-math.MaxFloat64, math.MaxFloat64}, Metric: "pearson_spearman"}}
			s.Model.Regressors[name] = &RegressionHead{m.Classifier, autograd.New([]float32{0, 1}, 2)}
			break
		}
		s.Tasks = []*task.Task{{Name: name, Family: task.Classification, Labels: m.Config.Labels(), Metric: "accuracy"}}
		s.Model.Classifiers[s.Tasks[0].Name] = m.Classifier
	case transformer.MultipleChoice:
		s.Tasks = []*task.Task{{Name: filepath.Base(dir), Family: task.Commonsense, Metric: "accuracy"}}
		s.Model.Ranking = m.Classifier
	case transformer.QuestionAnswering:
		s.Tasks = []*task.Task{{Name: filepath.Base(dir), Family: task.MRC, Metric: "em_f1"}}
		s.Model.Span = m.Span
	case transformer.ConditionalGeneration:
		s.Tasks = []*task.Task{{Name: filepath.Base(dir), Family: task.Summarisation, Metric: "rouge"}}
	default:
		return nil, fmt.Errorf("prefinetune: %s has a %s: no head for a task; muppet finetune trains one", dir, m.Architecture())
	}
	if len(m.Fresh) > 0 {
		return nil, fmt.Errorf("prefinetune: %s: the file of the weights lacks %s", dir, strings.Join(m.Fresh, ", "))
	}
	return s, nil
}

// task returns the task of a name, or nil.
func (s *Saved) task(name string) *task.Task {
	for _, t := range s.Tasks {
		if t.Name == name {
			return t
		}
	}
	return nil
}

// Task returns the task that a head is for, by its name; of a Hugging Face folder, whose
// head has none, whatever the name.
func (s *Saved) Task(name string) (*task.Task, error) {
	if s.own != "" {
		return s.Tasks[0], nil
	}
	if t := s.task(name); t != nil {
		return t, nil
	}
	var names []string
	for _, t := range s.Tasks {
		names = append(names, t.Name)
	}
	return nil, fmt.Errorf("prefinetune: %s has no head for task %q; want one of %s", s.dir, name, strings.Join(names, ", "))
}

// Head returns the task whose head serves t, and an error that shows the difference if it
// does not fit. The heads that ranking and span tasks share serve any of their family.
func (s *Saved) Head(t *task.Task) (*task.Task, error) {
	if s.own != "" {
		return s.Tasks[0], s.fits(t, s.Tasks[0])
	}
	if own := s.task(t.Name); own != nil {
		return own, s.fits(t, own)
	}
	if t.Family != task.Classification && t.Family != task.Regression {
		for _, own := range s.Tasks {
			if own.Family == t.Family {
				return own, nil
			}
		}
	}
	_, err := s.Task(t.Name)
	return nil, err
}

// fits says how a task differs from the one that a head is for.
func (s *Saved) fits(t, own *task.Task) error {
	if t.Family != own.Family {
		return fmt.Errorf("prefinetune: task %s: the head in %s is for %s, the task is %s", t.Name, s.dir, own.Family, t.Family)
	}
	generic := s.own != "" && len(own.Labels) > 0 && own.Labels[0] == "LABEL_0" && len(own.Labels) == len(t.Labels) // a checkpoint that names none
	if slices.Equal(t.Labels, own.Labels) || generic {
		return nil
	}
	change := difference(own.Labels, t.Labels)
	return fmt.Errorf("prefinetune: task %s: the head in %s has %d labels, the task %d: %s", t.Name, s.dir, len(own.Labels), len(t.Labels), change)
}

// KeepHeads gives the trainer's tasks the heads that s has for tasks of the same name, or,
// of ranking and span tasks, for any; the others begin fresh. It returns the names of the
// tasks whose heads were kept. A head of that name which does not fit is an error that
// shows the difference. It is called before Run.
func (t *Trainer) KeepHeads(s *Saved) (kept []string, err error) {
	if mine, its := t.model.base.Config, s.Model.base.Config; mine.HiddenSize != its.HiddenSize || mine.ModelType != its.ModelType {
		return nil, fmt.Errorf("prefinetune: the heads in %s are for a %s of hidden size %d, the model is a %s of %d",
			s.dir, its.ModelType, its.HiddenSize, mine.ModelType, mine.HiddenSize)
	}
	mine, its := t.model, s.Model.heads()
	type pair struct{ into, from any }
	var pairs []pair
	var problems []string
	for _, tk := range t.tasks {
		own, err := s.Head(tk)
		switch {
		case own == nil:
			continue // there is none for it
		case err != nil:
			problems = append(problems, err.Error())
			continue
		}
		kept = append(kept, tk.Name)
		switch tk.Family {
		case task.Classification:
			pairs = append(pairs, pair{mine.Classifiers[tk.Name], its.Classifiers[own.Name]})
		case task.Regression: // not its scale, which is that of the training scores
			pairs = append(pairs, pair{mine.Regressors[tk.Name].Head, its.Regressors[own.Name].Head})
		case task.Commonsense:
			pairs = append(pairs, pair{mine.Ranking, its.Ranking})
		case task.MRC:
			pairs = append(pairs, pair{mine.Span, its.Span})
		}
	}
	if problems != nil {
		return nil, errors.New(strings.Join(problems, "\n"))
	}
	for _, p := range pairs {
		copyParameters(p.into, p.from)
	}
	return kept, nil
}

// copyParameters gives a part of a model the weights of another of the same shape.
func copyParameters(into, from any) {
	source := nn.Parameters(from)
	for i, to := range nn.Parameters(into) {
		values := source[i].Tensor.Float32s()
		autograd.Mutate(func(dst ...device.Slice) { to.Tensor.Device().Write(dst[0], values) }, to.Tensor)
	}
}
