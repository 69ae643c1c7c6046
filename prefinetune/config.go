package prefinetune

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/muppet-go/muppet/prefinetune/task"
)

// Config has the settings of a run. The zero value of a field means its default, and
// the zero Config the paper's recipe.
type Config struct {
	Steps            int     `json:"steps"`              // updates; default 1000
	Epochs           float64 `json:"epochs"`             // instead of Steps: passes over the examples
	TokensPerBatch   int     `json:"tokens_per_batch"`   // upper bound; default 4096
	ExamplesPerBatch int     `json:"examples_per_batch"` // another upper bound; 0: none
	Accumulate       int     `json:"accumulate"`         // batches whose gradients make one update; default 1
	MaxLength        int     `json:"max_length"`         // tokens of a sequence; default: what the encoder has positions for
	LR               float64 `json:"lr"`                 // peak learning rate; default 5e-4
	WarmUp           int     `json:"warm_up"`            // steps; default 6 % of Steps; negative for none
	WeightDecay      float64 `json:"weight_decay"`       // default 0.01; negative for none
	ClipNorm         float64 `json:"clip_norm"`          // default 1; negative for none

	// The optimiser is fairseq's Adam: decoupled decay, which takes LR·WeightDecay·w of a weight
	// (biases and norms have none here, as in Hugging Face's trainer; fairseq decays them, too),
	// β₁ 0.9, and ε added to √v before the correction of the bias (optim.AdamWConfig.EpsHat).
	// Beta2 is by default 0.98 and AdamEps 1e-6, fairseq's settings for RoBERTa; BART was
	// fine-tuned with 0.999 and 1e-8. fairseq does not clip by default.
	Beta2   float64 `json:"beta2"`
	AdamEps float64 `json:"adam_eps"`

	Seed uint64 `json:"seed"`

	// Batches is "batch-heterogeneous" (default: every batch mixes the tasks),
	// "batch-homogeneous" (the batches of an update are of one task, the updates shuffled) or
	// "dataset-homogeneous" (one task after another, in their order, pass after pass).
	Batches string `json:"batches"`

	// How often a task's examples come. Without any of the three that is by nature: in
	// proportion to its number n of examples. At most one may be set. With Temperature T
	// the share is in proportion to n^(1/T), with Cap to min(n, Cap), with Weights, which
	// must name every task, to its weight.
	Temperature float64            `json:"temperature"`
	Cap         int                `json:"cap"`
	Weights     map[string]float64 `json:"weights"`

	// The loss. Scaling is "log n" (default: an example's cross entropy is divided by the
	// log of the number of its choices), "none", or one of two that learn a factor for each
	// task on top of log n: "uncertainty" (Kendall, Gal and Cipolla, arXiv 1705.07115: a loss l
	// of task t becomes exp(-s_t)·l + s_t, with s_t a parameter) and "gradnorm" (Chen et al.,
	// arXiv 1711.02257: factors that balance the tasks' gradients at the encoder's output).
	// LossWeights are fixed factors on top, by task; 1 for one that is not named. Mean is over
	// "examples" (default) or "tasks": then every task in an update counts alike, however many
	// examples it has there.
	Scaling     string             `json:"scaling"`
	LossWeights map[string]float64 `json:"loss_weights"`
	Mean        string             `json:"mean"`

	// ScalingRate is how fast the learned factors are. For "uncertainty" it multiplies the
	// learning rate of the s_t, which have no decay; default 10: with Adam s_t moves by at most
	// about ScalingRate·LR a step. For "gradnorm" it is the step of a factor's logarithm, default
	// 0.025. Alpha is GradNorm's exponent, how much faster a task is to learn that is behind:
	// default 1.5, negative for 0.
	ScalingRate float64 `json:"scaling_rate"`
	Alpha       float64 `json:"alpha"`

	// LabelSmoothing is the probability that the target of a summarisation leaves to the other
	// tokens, evenly, as in fairseq; default 0.1, negative for none.
	LabelSmoothing float64 `json:"label_smoothing"`

	R3F R3F `json:"r3f"`

	// NonFinite is what to do when a loss or a gradient is NaN or infinite: "stop"
	// (default) ends the run with an error, "skip" makes no update from those examples and
	// stops only after ten such steps in a row. Either names tasks and examples.
	NonFinite string `json:"non_finite"`

	// BadRows is what to do about a record of a dataset that is not as its task file says: "stop"
	// (default) at an error that names file, line and field, or "skip", which leaves it out,
	// counts it and names the first. A file that is broken as a whole is an error
	// with either.
	BadRows string `json:"bad_rows"`

	// Evaluations on the way: every EvaluateEvery steps (0: only at the end) all tasks are
	// scored on their dev examples, at most EvaluateExamples (0: all) of each. Aggregate
	// makes one number of the scores: "mean" (default) is the mean of the tasks' metrics,
	// "mean_gain" that of (metric - majority baseline)/(1 - majority baseline), each at least
	// -1. AggregateWeights are the tasks' weights in the mean, 1 for one that is not named;
	// tasks without dev examples do not count. The weights of the step whose aggregate is more than
	// MinDelta above the best before are in checkpoints/best. After Patience evaluations in
	// a row (0: never) that brought no such step the run ends. With KeepBest it ends with the
	// best weights, not the last.
	EvaluateEvery    int                `json:"evaluate_every"`
	EvaluateExamples int                `json:"evaluate_examples"`
	Aggregate        string             `json:"aggregate"`
	AggregateWeights map[string]float64 `json:"aggregate_weights"`
	Patience         int                `json:"patience"`
	MinDelta         float64            `json:"min_delta"`
	KeepBest         bool               `json:"keep_best"`

	// CosinesEvery is the number of steps after which the angles between the tasks'
	// gradients of the shared weights are measured, again and again; 0: never. It does not
	// change the training. A measurement takes about as long as a step, and more where memory
	// does not hold a gradient for each task.
	CosinesEvery int `json:"-"`

	Out             string         `json:"-"` // folder of checkpoints, metrics and model; empty to keep nothing
	CheckpointEvery int            `json:"-"` // steps; default a tenth of Steps, at least 50
	KeepLast        int            `json:"-"` // checkpoints; default 2, of which the older is what is left if the newer breaks
	TensorBoard     bool           `json:"-"` // also write event files for TensorBoard, in the folder tensorboard of Out
	Progress        func(Progress) `json:"-"` // told about every step
	Warn            func(string)   `json:"-"` // told what a person should know
}

// R3F has the settings of the regularisation of that name (Aghajanyan et al., "Better
// Fine-Tuning by Reducing Representational Collapse", arXiv 2008.03156). A second
// pass sees the word embeddings with noise added, and to the loss comes
//
//	Lambda · mean over examples of KL(p‖q) + KL(q‖p)
//
// with p and q the distributions over an example's choices in the two passes (for
// a span the mean of start and end, for a summary that of its tokens). The noise is the
// encoder's; a decoder's words have none. It is not divided by log n: the paper does
// not say that it should be. Both passes are differentiated, as the formula has it;
// fairseq's program for sentences leaves out the embeddings' part in the second.
type R3F struct {
	Lambda         float64 `json:"lambda"`          // 0: no R3F
	Eps            float64 `json:"eps"`             // the noise is from N(0, Eps²) or U(-Eps, Eps); default 1e-5
	Noise          string  `json:"noise"`           // "uniform" or "normal"; default: normal for the sources of summaries, uniform for all else
	DifferentMasks bool    `json:"different_masks"` // the passes have dropout masks of their own, as in fairseq

	// SpectralNorm makes it R4F: the weights of every head's last layer are divided by
	// their largest singular value. It needs no Lambda.
	SpectralNorm bool `json:"spectral_norm"`
}

const (
	heterogeneous      = "batch-heterogeneous"
	batchHomogeneous   = "batch-homogeneous"
	datasetHomogeneous = "dataset-homogeneous"
)

// Values of Config.Aggregate.
const (
	meanScore = "mean"
	meanGain  = "mean_gain"
)

// validate refuses what no run can be made with. Zero stands for a default.
func (c Config) validate(tasks []*task.Task) error {
	const most = 1_000_000_000
	for _, n := range []struct {
		name         string
		value, least int
	}{
		{"Steps", c.Steps, 0}, {"TokensPerBatch", c.TokensPerBatch, 0}, {"ExamplesPerBatch", c.ExamplesPerBatch, 0}, {"Accumulate", c.Accumulate, 0}, {"MaxLength", c.MaxLength, 0},
		{"CheckpointEvery", c.CheckpointEvery, 0}, {"KeepLast", c.KeepLast, 0}, {"WarmUp", c.WarmUp, -most}, {"Cap", c.Cap, 0},
		{"EvaluateEvery", c.EvaluateEvery, 0}, {"EvaluateExamples", c.EvaluateExamples, 0}, {"Patience", c.Patience, 0}, {"CosinesEvery", c.CosinesEvery, 0},
	} {
		if n.value < n.least || n.value > most {
			return fmt.Errorf("prefinetune: %s is %d; want %d to %d", n.name, n.value, n.least, most)
		}
	}
	for _, x := range []struct {
		name  string
		value float64
	}{
		{"Epochs", c.Epochs}, {"LR", c.LR}, {"WeightDecay", c.WeightDecay}, {"ClipNorm", c.ClipNorm}, {"Beta2", c.Beta2}, {"AdamEps", c.AdamEps}, {"LabelSmoothing", c.LabelSmoothing}, {"Temperature", c.Temperature},
		{"ScalingRate", c.ScalingRate}, {"Alpha", c.Alpha}, {"MinDelta", c.MinDelta}, {"R3F.Lambda", c.R3F.Lambda}, {"R3F.Eps", c.R3F.Eps},
	} {
		if math.IsNaN(x.value) || math.IsInf(x.value, 0) {
			return fmt.Errorf("prefinetune: %s is %g; want a finite number", x.name, x.value)
		}
		if x.value < 0 && !slices.Contains([]string{"WeightDecay", "ClipNorm", "LabelSmoothing", "Alpha"}, x.name) {
			return fmt.Errorf("prefinetune: %s is %g; want a positive number", x.name, x.value)
		}
	}
	if c.Beta2 >= 1 {
		return fmt.Errorf("prefinetune: Beta2 is %g; want less than 1", c.Beta2)
	}
	if c.LabelSmoothing >= 1 {
		return fmt.Errorf("prefinetune: LabelSmoothing is %g; want less than 1", c.LabelSmoothing)
	}
	for _, s := range []struct {
		name, value string
		allowed     []string
	}{
		{"Batches", c.Batches, []string{heterogeneous, batchHomogeneous, datasetHomogeneous}},
		{"Scaling", c.Scaling, []string{logN, unscaled, uncertainty, gradNorm}},
		{"Aggregate", c.Aggregate, []string{meanScore, meanGain}},
		{"Mean", c.Mean, []string{"examples", "tasks"}},
		{"R3F.Noise", c.R3F.Noise, []string{"uniform", "normal"}},
		{"NonFinite", c.NonFinite, []string{"stop", "skip"}},
		{"BadRows", c.BadRows, []string{"stop", "skip"}},
	} {
		if s.value != "" && !slices.Contains(s.allowed, s.value) {
			return fmt.Errorf("prefinetune: %s is %q; want %s", s.name, s.value, strings.Join(s.allowed, " or "))
		}
	}
	if c.Steps > 0 && c.Epochs > 0 {
		return fmt.Errorf("prefinetune: Steps is %d and Epochs %g; want one of them", c.Steps, c.Epochs)
	}
	if set := c.samplings(); len(set) > 1 {
		return fmt.Errorf("prefinetune: %s are set; want one way of sampling", strings.Join(set, " and "))
	}
	if c.EvaluateEvery == 0 && (c.Patience > 0 || c.KeepBest) {
		return errors.New("prefinetune: Patience and KeepBest go by evaluations on the way; want EvaluateEvery, too")
	}
	return c.validateWeights(tasks)
}

func (c Config) samplings() (set []string) {
	if c.Temperature != 0 {
		set = append(set, "Temperature")
	}
	if c.Cap != 0 {
		set = append(set, "Cap")
	}
	if len(c.Weights) > 0 {
		set = append(set, "Weights")
	}
	return set
}

func (c Config) validateWeights(tasks []*task.Task) error {
	known := map[string]bool{}
	for _, t := range tasks {
		known[t.Name] = true
		if _, ok := c.Weights[t.Name]; !ok && len(c.Weights) > 0 {
			return fmt.Errorf("prefinetune: Weights has none for task %s; 0 leaves it out", t.Name)
		}
	}
	for _, w := range []struct {
		name   string
		values map[string]float64
	}{{"Weights", c.Weights}, {"LossWeights", c.LossWeights}, {"AggregateWeights", c.AggregateWeights}} {
		for _, name := range slices.Sorted(maps.Keys(w.values)) {
			if !known[name] {
				return fmt.Errorf("prefinetune: %s names %s, and there is no such task", w.name, name)
			}
			if v := w.values[name]; !(v >= 0 && v <= math.MaxFloat32) {
				return fmt.Errorf("prefinetune: %s[%s] is %g; want a finite number that is not negative", w.name, name, v)
			}
		}
	}
	return nil
}

func (c Config) withDefaults() Config {
	setInt := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	set := func(v *float64, d float64) {
		if *v == 0 {
			*v = d
		}
		*v = math.Max(*v, 0)
	}
	setString := func(v *string, d string) {
		if *v == "" {
			*v = d
		}
	}
	if c.Epochs == 0 {
		setInt(&c.Steps, 1000)
		c = c.scheduled(c.Steps)
	}
	setInt(&c.TokensPerBatch, 4096)
	setInt(&c.Accumulate, 1)
	setInt(&c.KeepLast, 2)
	set(&c.LR, 5e-4)
	set(&c.WeightDecay, 0.01)
	set(&c.ClipNorm, 1)
	set(&c.Beta2, 0.98)
	set(&c.AdamEps, 1e-6)
	setString(&c.Batches, heterogeneous)
	setString(&c.Scaling, logN)
	if c.Scaling == gradNorm {
		set(&c.ScalingRate, 0.025)
	}
	set(&c.ScalingRate, 10)
	set(&c.Alpha, 1.5)
	setString(&c.Aggregate, meanScore)
	setString(&c.Mean, "examples")
	setString(&c.NonFinite, "stop")
	set(&c.LabelSmoothing, 0.1)
	setString(&c.BadRows, "stop")
	set(&c.R3F.Eps, 1e-5)
	if c.Progress == nil {
		c.Progress = func(Progress) {}
	}
	if c.Warn == nil {
		c.Warn = func(string) {}
	}
	return c
}

// scheduled fills in what depends on the number of steps.
func (c Config) scheduled(steps int) Config {
	c.Steps = steps
	if c.WarmUp == 0 {
		c.WarmUp = max(1, steps*6/100)
	}
	c.WarmUp = max(c.WarmUp, 0)
	if c.CheckpointEvery == 0 {
		c.CheckpointEvery = max(50, steps/10)
	}
	return c
}

// sampling says in words how often a task's examples come.
func (c Config) sampling() string {
	switch {
	case c.Temperature != 0:
		return fmt.Sprintf("by size to the power 1/%g", c.Temperature)
	case c.Cap != 0:
		return fmt.Sprintf("by size, capped at %d examples", c.Cap)
	case len(c.Weights) > 0:
		return "by fixed weights " + weightList(c.Weights)
	}
	return "natural (every example once an epoch)"
}

// loss says in words what is minimised.
func (c Config) loss() string {
	s := "cross entropy"
	if c.Scaling != unscaled {
		s += " / log n"
	}
	switch c.Scaling {
	case uncertainty:
		s += fmt.Sprintf(" · exp(-s) + s, s learned for each task at %g times the learning rate", c.ScalingRate)
	case gradNorm:
		s += fmt.Sprintf(" · factors by GradNorm, α %g, rate %g", c.Alpha, c.ScalingRate)
	}
	if len(c.LossWeights) > 0 {
		s += " · weights " + weightList(c.LossWeights)
	}
	return s + ", mean over " + c.Mean
}

// clipping says in words what happens to large gradients.
func (c Config) clipping() string {
	if c.ClipNorm == 0 {
		return "gradients not clipped"
	}
	return fmt.Sprintf("gradients clipped at norm %g", c.ClipNorm)
}

// aggregate says in words what decides which weights are the best.
func (c Config) aggregate() string {
	s := "mean metric"
	if c.Aggregate == meanGain {
		s = "mean gain over the majority baseline"
	}
	if len(c.AggregateWeights) > 0 {
		s += ", weights " + weightList(c.AggregateWeights)
	}
	return s
}

// evaluations says in words how a run is evaluated on the way.
func (c Config) evaluations() string {
	if c.EvaluateEvery == 0 {
		return "none"
	}
	s := fmt.Sprintf("every %d steps, by the %s", c.EvaluateEvery, c.aggregate())
	if c.EvaluateExamples > 0 {
		s += fmt.Sprintf(", on at most %d examples of a task", c.EvaluateExamples)
	}
	if c.MinDelta > 0 {
		s += fmt.Sprintf(", gains of less than %g do not count", c.MinDelta)
	}
	if c.Patience > 0 {
		s += fmt.Sprintf("; stops after %d without a gain", c.Patience)
	}
	if c.KeepBest {
		s += "; the best weights are kept"
	}
	return s
}

// words says how a run is regularised.
func (r R3F) words() string {
	parts := []string{}
	if r.Lambda > 0 {
		masks := "same"
		if r.DifferentMasks {
			masks = "different"
		}
		noise := r.Noise
		if noise == "" {
			noise = "uniform (for summaries normal)"
		}
		parts = append(parts, fmt.Sprintf("λ %g, %s noise of ε %g, %s masks", r.Lambda, noise, r.Eps, masks))
	}
	if r.SpectralNorm {
		parts = append(parts, "heads spectrally normalised")
	}
	if len(parts) == 0 {
		return "off"
	}
	return strings.Join(parts, "; ")
}

func weightList(weights map[string]float64) string {
	var s []string
	for _, name := range slices.Sorted(maps.Keys(weights)) {
		s = append(s, fmt.Sprintf("%s=%g", name, weights[name]))
	}
	return strings.Join(s, ", ")
}

// Progress is what a step tells.
type Progress struct {
	Step, Steps     int
	Loss            float64 // of this step's examples; NaN for a step that was skipped
	LR, GradNorm    float64
	TokensPerSecond float64 // since the start or the last resume
	Remaining       time.Duration
	Waited          time.Duration  // in this step, for its batches
	Tasks           []TaskProgress // those with examples in this step
}

// TaskProgress is what a step tells of a task.
type TaskProgress struct {
	Name           string
	Examples       int     // in this step
	Loss, GradNorm float64 // as in metrics.jsonl
	Epochs         float64 // passes over its examples so far
}
