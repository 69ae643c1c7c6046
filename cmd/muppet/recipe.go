package main

import (
	"flag"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/muppet-go/muppet/prefinetune"
)

// recipeFlags are the settings of a run that the paper compares or leaves open.
func recipeFlags(set *flag.FlagSet, c *prefinetune.Config) {
	oneOf := func(v *string, name, usage string, values ...string) {
		*v = values[0]
		set.Var(&choice{v, values}, name, usage+": `one` of "+strings.Join(values, ", "))
	}
	oneOf(&c.Batches, "batches", "what a batch is made of", "batch-heterogeneous", "batch-homogeneous", "dataset-homogeneous")
	set.Float64Var(&c.Temperature, "temperature", 0, "sample a task in proportion to its size to the power 1/`T` (default: to its size)")
	set.IntVar(&c.Cap, "cap", 0, "sample a task in proportion to its size, or to `n` if that is less")
	set.Var(weights{&c.Weights}, "weights", "sample tasks in proportion to these `weights`, TASK=W,TASK=W,..., one for every task")
	oneOf(&c.Scaling, "scaling", "what an example's loss is divided by; the last two learn a factor for each task on top of log n", "log n", "none", "uncertainty", "gradnorm")
	set.Float64Var(&c.ScalingRate, "scaling-rate", 0, "how fast factors are learned: times the learning `rate` for uncertainty, log of a factor a step for gradnorm (default 10, 0.025)")
	set.Float64Var(&c.Alpha, "gradnorm-alpha", 1.5, "GradNorm's `exponent`: how much faster a task is to learn that is behind")
	set.Var(weights{&c.LossWeights}, "loss-weights", "factors of the losses, TASK=W,..., of 1 for the `tasks` that are not named")
	oneOf(&c.Mean, "mean", "what the loss of an update is the mean over", "examples", "tasks")
	set.Float64Var(&c.LabelSmoothing, "label-smoothing", 0.1, "probability that the target of a summary's token leaves to all others")
	set.Float64Var(&c.R3F.Lambda, "r3f", 0, "weight λ of R3F's divergence between passes with and without noise; 0: no R3F")
	set.Float64Var(&c.R3F.Eps, "r3f-eps", 1e-5, "size of R3F's noise")
	set.Var(&choice{&c.R3F.Noise, []string{"uniform", "normal"}}, "r3f-noise",
		"distribution of R3F's noise: `one` of uniform, normal (default: normal for what is to be summarised, uniform for all else)")
	set.BoolVar(&c.R3F.DifferentMasks, "r3f-different-masks", false, "give R3F's two passes different dropout masks")
	set.BoolVar(&c.R3F.SpectralNorm, "r4f", false, "normalise the last layer of every head by its largest singular value")
	set.Float64Var(&c.ClipNorm, "clip-norm", 1, "`norm` that an update's gradient is brought down to; 0: never")
	set.Float64Var(&c.Beta2, "adam-beta2", 0.98, "Adam's β₂")
	set.Float64Var(&c.AdamEps, "adam-eps", 1e-6, "Adam's ε, as fairseq has it")
	set.IntVar(&c.EvaluateEvery, "evaluate-every", 0, "`steps` between evaluations of all tasks on the way (default: only at the end)")
	set.IntVar(&c.EvaluateExamples, "evaluate-examples", 0, "most dev examples of a task in these `evaluations` (default: all)")
	oneOf(&c.Aggregate, "aggregate", "what decides by them, over all tasks: their mean metric, or their mean gain over the majority baseline", "mean", "mean_gain")
	set.Var(weights{&c.AggregateWeights}, "aggregate-weights", "weights of the `tasks` in it, TASK=W,..., of 1 for those that are not named")
	set.IntVar(&c.Patience, "patience", 0, "stop after so many `evaluations` in a row without a gain (default: never)")
	set.Float64Var(&c.MinDelta, "min-delta", 0, "what is to count as a `gain` at least")
	set.BoolVar(&c.KeepBest, "keep-best", false, "end with the weights of the best evaluation, not the last")
	set.IntVar(&c.CosinesEvery, "cosines-every", 0, "`steps` between measurements of which tasks' gradients agree and which fight (default: never)")
	oneOf(&c.NonFinite, "non-finite", "what to do about a loss or gradient that is not finite", "stop", "skip")
	oneOf(&c.BadRows, "bad-rows", "what to do about a record that is not as its task file says", "stop", "skip")
}

// choice is a flag of one of several values.
type choice struct {
	value  *string
	values []string
}

func (c *choice) String() string {
	if c.value == nil { // as package flag asks for of the zero value
		return ""
	}
	return *c.value
}

func (c *choice) Set(s string) error {
	if !slices.Contains(c.values, s) {
		return fmt.Errorf("want %s", strings.Join(c.values, " or "))
	}
	*c.value = s
	return nil
}

// weights is a flag of numbers by task.
type weights struct{ values *map[string]float64 }

func (w weights) String() string {
	var s []string
	if w.values != nil {
		for _, name := range slices.Sorted(maps.Keys(*w.values)) {
			s = append(s, fmt.Sprintf("%s=%g", name, (*w.values)[name]))
		}
	}
	return strings.Join(s, ",")
}

func (w weights) Set(s string) error {
	values := map[string]float64{}
	for _, part := range strings.Split(s, ",") {
		i := strings.LastIndex(part, "=")
		if i < 1 {
			return fmt.Errorf("%q: want TASK=WEIGHT", part)
		}
		v, err := strconv.ParseFloat(part[i+1:], 64)
		if err != nil || !(v >= 0 && v <= math.MaxFloat32) {
			return fmt.Errorf("%q: want a number that is not negative", part)
		}
		if _, ok := values[part[:i]]; ok {
			return fmt.Errorf("%s has two weights", part[:i])
		}
		values[part[:i]] = v
	}
	*w.values = values
	return nil
}
