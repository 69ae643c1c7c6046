package prefinetune

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/nn"
	"github.com/muppet-go/muppet/prefinetune/task"
)

// evenly has weights for all tasks of the embedded suite, by position.
func evenly(tasks []*task.Task, weight func(i int) float64) map[string]float64 {
	w := map[string]float64{}
	for i, t := range tasks {
		w[t.Name] = weight(i)
	}
	return w
}

// recipes are settings away from the paper's, each option at least once.
func recipes(tasks []*task.Task) map[string]func(*Config) {
	return map[string]func(*Config){
		"heterogeneous, weights, mean over tasks": func(c *Config) {
			c.Weights, c.Mean = evenly(tasks, func(i int) float64 { return float64(1 + i%3) }), "tasks"
		},
		"batch-homogeneous, temperature, accumulated": func(c *Config) {
			c.Batches, c.Temperature, c.Accumulate = batchHomogeneous, 4, 2
		},
		"dataset-homogeneous, capped, unscaled": func(c *Config) {
			c.Batches, c.Cap, c.Scaling = datasetHomogeneous, 60, "none"
		},
		"batch-homogeneous, natural, loss weights": func(c *Config) {
			c.Batches, c.LossWeights = batchHomogeneous, map[string]float64{tasks[1].Name: 2.5}
		},
		"R3F, different masks, accumulated": func(c *Config) {
			c.R3F, c.Accumulate = R3F{Lambda: 0.7, Noise: "normal", DifferentMasks: true}, 2
		},
		"uncertainty, accumulated": func(c *Config) { c.Scaling, c.Accumulate = uncertainty, 2 },
		"gradnorm, mean over tasks, R3F": func(c *Config) {
			c.Scaling, c.Mean, c.R3F = gradNorm, "tasks", R3F{Lambda: 1}
		},
		"R4F": func(c *Config) { c.R3F = R3F{Lambda: 1, SpectralNorm: true} },
	}
}

// TestRecipesResume stops in the middle of each strategy and goes on, to the same bits.
func TestRecipesResume(t *testing.T) {
	_, tasks, _ := small(t, "")
	seen := map[string]string{}
	for name, change := range recipes(tasks) {
		whole := newTrainer(t, "", change)
		runTo(t, whole, 8)
		want := hashParameters(whole.model)
		if other, ok := seen[want]; ok {
			t.Errorf("%s trains as %s", name, other)
		}
		seen[want] = name

		out := t.TempDir()
		first := newTrainer(t, out, change)
		if err := first.open(); err != nil {
			t.Fatal(err)
		}
		runTo(t, first, 5)
		if err := first.save(); err != nil {
			t.Fatal(err)
		}
		first.folder.close()
		second := newTrainer(t, out, change)
		if err := second.open(); err != nil {
			t.Fatal(err)
		}
		if second.step != 5 {
			t.Fatalf("%s: resumed at step %d", name, second.step)
		}
		runTo(t, second, 8)
		second.folder.close()
		if got := hashParameters(second.model); got != want {
			t.Errorf("%s: weights %s after a resume, %s without", name, got, want)
		}
		if got := fmt.Sprint(second.tally); got != fmt.Sprint(whole.tally) {
			t.Errorf("%s: counts %s after a resume, %v without", name, got, whole.tally)
		}
		_, err := newTrainer(t, out, nil).Run(context.Background())
		mustName(t, name+", resumed as the default recipe", err, "holds another run")
	}
}

// TestSeekable asks samplers for places where none can have been.
func TestSeekable(t *testing.T) {
	_, tasks, _ := small(t, "")
	all := recipes(tasks)
	all["the paper's"] = nil
	for name, change := range all {
		s := newTrainer(t, "", change).sampler
		s.seek(cursor{Epoch: 3})
		for c, want := range map[cursor]bool{
			{3, 0}: true, {3, len(s.order)}: true, {3, len(s.order) + 1}: false, {3, -1}: false, {-1, 0}: false, {math.MaxInt, 0}: false,
		} {
			if s.seekable(c) != want {
				t.Errorf("%s: a sampler at %+v: %v, want %v", name, c, !want, want)
			}
		}
	}
}

// TestPassesDiffer: a task's examples come in another order in every pass.
func TestPassesDiffer(t *testing.T) {
	s := newTrainer(t, "", func(c *Config) { c.Batches = batchHomogeneous }).sampler
	for i := range s.tasks {
		if a, b := s.drawn(i, 0), s.drawn(i, 1); len(a) != len(s.tasks[i]) || slices.Equal(a, b) {
			t.Errorf("task %d: %d examples in the first pass, the second in the same order: %v", i, len(a), slices.Equal(a, b))
		}
	}
}

// TestMix deals whole passes by each strategy and way of sampling.
func TestMix(t *testing.T) {
	_, tasks, _ := small(t, "")
	ways := map[string]func(*Config){
		"natural":     func(*Config) {},
		"temperature": func(c *Config) { c.Temperature = 3 },
		"capped":      func(c *Config) { c.Cap = 50 },
		"weights":     func(c *Config) { c.Weights = evenly(tasks, func(i int) float64 { return float64(i) }) },
	}
	for _, strategy := range []string{heterogeneous, batchHomogeneous, datasetHomogeneous} {
		for way, change := range ways {
			if testing.Short() && way != "weights" {
				continue
			}
			what := strategy + ", " + way
			tr := newTrainer(t, "", func(c *Config) { c.Batches, c.Accumulate = strategy, 2; change(c) })
			n := make([]float64, len(tasks))
			total := 0.0
			for i, c := range tr.counts {
				switch size := float64(c.Train); way {
				case "natural":
					n[i] = size
				case "temperature":
					n[i] = math.Cbrt(size)
				case "capped":
					n[i] = math.Min(size, 50)
				case "weights":
					n[i] = float64(i)
				}
				total += n[i]
			}
			const passes = 3
			times, got := map[*example]int{}, make([]int, len(tasks))
			dealt, updates, mixed, last, lastPass := 0, 0, 0, 0, 0
			checkHalf := strategy == heterogeneous
			for tr.sampler.roll(); tr.sampler.Cursor.Epoch < passes; tr.sampler.roll() {
				pass := tr.sampler.Cursor.Epoch
				owners := map[int]bool{}
				batches := tr.sampler.update()
				for _, b := range batches {
					used := 0
					for _, e := range b {
						used += e.tokens()
						owners[e.task] = true
						got[e.task]++
						times[e]++
						dealt++
					}
					if used > tr.cfg.TokensPerBatch && len(b) > 1 {
						t.Fatalf("%s: a batch of %d tokens", what, used)
					}
				}
				updates++
				if len(owners) > 1 {
					mixed++
				}
				now := batches[0][0].task
				if strategy == datasetHomogeneous && pass == lastPass && now < last {
					t.Fatalf("%s: task %d after task %d", what, now, last)
				}
				last, lastPass = now, pass
				if checkHalf && dealt > len(tr.train)/2 {
					checkHalf = false
					for i, k := range got {
						share := n[i] / total
						if off := math.Abs(float64(k) - share*float64(dealt)); off > 4*math.Sqrt(float64(dealt)*share*(1-share))+1 {
							t.Errorf("%s: %d of %d examples of %s, asked for %.4f", what, k, dealt, tasks[i].Name, share)
						}
					}
				}
			}
			if heter := strategy == heterogeneous; heter && mixed < updates*9/10 || !heter && mixed > 0 {
				t.Errorf("%s: %d of %d updates mix tasks", what, mixed, updates)
			}
			for i, k := range got {
				share := n[i] / total
				slack, uneven := 1.0, 1
				if strategy == heterogeneous { // the last update reaches into the next pass
					slack, uneven = 40, 2
				}
				if off := math.Abs(float64(k) - share*passes*float64(len(tr.train))); off > slack {
					t.Errorf("%s: %d examples of %s, asked for %.2f", what, k, tasks[i].Name, share*passes*float64(len(tr.train)))
				}
				if math.Abs(tr.Counts()[i].Share-share) > 1e-12 {
					t.Errorf("%s: share of %s given as %g, want %g", what, tasks[i].Name, tr.Counts()[i].Share, share)
				}
				least, most := math.MaxInt, 0
				for _, e := range tr.train {
					if e.task == i {
						least, most = min(least, times[e]), max(most, times[e])
					}
				}
				if most > least+uneven {
					t.Errorf("%s: examples of %s came %d to %d times", what, tasks[i].Name, least, most)
				}
			}
		}
	}
}

// TestAccumulation compares two batches whose gradients are added up with one of all
// their examples, without dropout.
func TestAccumulation(t *testing.T) {
	for _, change := range []func(*Config){
		func(*Config) {},
		func(c *Config) { c.Mean, c.Scaling = "tasks", "none" },
	} {
		m, tasks, cfg := small(t, "")
		m.Encoder.Config.HiddenDropout, m.Encoder.Config.AttentionDropout = 0, 0
		cfg.Accumulate = 2
		change(&cfg)
		cfg.LossWeights = map[string]float64{tasks[0].Name: 3}
		tr, err := New(m, tasks, cfg)
		if err != nil {
			t.Fatal(err)
		}
		batches := tr.sampler.update()
		if len(batches) != 2 {
			t.Fatalf("%d batches in an update", len(batches))
		}
		gradients := func(batches ...[]*example) (*stepLine, map[string][]float64) {
			var packs []*packed
			for _, b := range batches {
				packs = append(packs, tr.model.pack(tasks, b))
			}
			tr.cfg.weigh(tasks, packs...)
			u := newUpdate(tr)
			for i, p := range packs {
				u.batch(i, p)
			}
			all := map[string][]float64{}
			for _, p := range nn.Parameters(tr.model) {
				if g := tr.grads.Get(p.Tensor); g != nil {
					all[p.Name] = g.Float64s()
				}
			}
			tr.grads.Reset()
			return u.done(), all
		}
		two, apart := gradients(batches...)
		one, together := gradients(append(batches[0][:len(batches[0]):len(batches[0])], batches[1]...))
		if math.Abs(two.Loss-one.Loss) > 1e-6*one.Loss || two.Examples != one.Examples || two.Tokens != one.Tokens {
			t.Errorf("accumulated %+v, at once %+v", two, one)
		}
		for name, l := range one.Tasks {
			if k := two.Tasks[name]; k.Examples != l.Examples || math.Abs(k.Loss-l.Loss) > 1e-5 || math.Abs(k.GradNorm-l.GradNorm) > 1e-5 {
				t.Errorf("%s: accumulated %+v, at once %+v", name, k, l)
			}
		}
		if len(apart) != len(together) || len(apart) == 0 {
			t.Fatalf("gradients of %d parameters accumulated, of %d at once", len(apart), len(together))
		}
		for name, want := range together {
			scale, off := 1e-6, 0.0
			for i, w := range want {
				scale, off = math.Max(scale, math.Abs(w)), math.Max(off, math.Abs(w-apart[name][i]))
			}
			if off > 1e-4*scale+1e-7 { // a key's bias has no gradient but for rounding
				t.Errorf("%s: gradients differ by %g of %g", name, off, scale)
			}
		}
	}
}

// TestLossOptions compares the loss of a batch with sums by hand.
func TestLossOptions(t *testing.T) {
	tr := newTrainer(t, "", nil)
	p := tr.model.pack(tr.tasks, tr.sampler.batch())
	key := autograd.NewKey(1)
	measure := func(c Config) (float64, []float32) {
		c.withDefaults().weigh(tr.tasks, p)
		l := tr.model.loss(autograd.NewScope(), tr.tasks, p, &key, nil)
		return l.task.Item(), l.each.Float32s()
	}
	weights := map[string]float64{tr.tasks[0].Name: 3, tr.tasks[5].Name: 0}
	for _, c := range []Config{{}, {Scaling: "none"}, {Mean: "tasks"}, {Scaling: "none", Mean: "tasks", LossWeights: weights}, {LossWeights: weights}} {
		got, each := measure(c)
		byTask := map[int][]float64{} // the examples' losses
		loss := make([]float64, len(p.examples))
		for i, l := range each {
			v := float64(l)
			if tr.tasks[p.examples[p.owner[i]].task].Family == task.MRC {
				v /= 2
			}
			if c.Scaling == "" {
				v /= math.Log(float64(p.lengths[i]))
			}
			loss[p.owner[i]] += v
		}
		for i, e := range p.examples {
			byTask[e.task] = append(byTask[e.task], loss[i])
		}
		want := 0.0
		for i, losses := range byTask {
			w, ok := c.LossWeights[tr.tasks[i].Name]
			if !ok {
				w = 1
			}
			for _, l := range losses {
				if c.Mean == "tasks" {
					want += w * l / float64(len(losses)*len(byTask))
				} else {
					want += w * l / float64(len(p.examples))
				}
			}
		}
		if math.Abs(got-want) > 1e-6*want {
			t.Errorf("%s: loss %.8f, want %.8f", c.withDefaults().loss(), got, want)
		}
	}
}

func TestRecipeRefused(t *testing.T) {
	m, tasks, good := small(t, "")
	for _, c := range []struct {
		change func(*Config)
		names  []string
	}{
		{func(c *Config) { c.Batches = "mixed" }, []string{`Batches is "mixed"`, batchHomogeneous}},
		{func(c *Config) { c.Scaling = "log" }, []string{`Scaling is "log"`, "log n or none or uncertainty or gradnorm"}},
		{func(c *Config) { c.Mean = "rows" }, []string{`Mean is "rows"`, "examples or tasks"}},
		{func(c *Config) { c.Beta2 = 1 }, []string{"Beta2 is 1"}},
		{func(c *Config) { c.AdamEps = -1 }, []string{"AdamEps is -1"}},
		{func(c *Config) { c.ScalingRate = -1 }, []string{"ScalingRate is -1"}},
		{func(c *Config) { c.Alpha = math.NaN() }, []string{"Alpha is NaN"}},
		{func(c *Config) { c.EvaluateEvery = -1 }, []string{"EvaluateEvery is -1"}},
		{func(c *Config) { c.EvaluateExamples = -1 }, []string{"EvaluateExamples is -1"}},
		{func(c *Config) { c.CosinesEvery = -1 }, []string{"CosinesEvery is -1"}},
		{func(c *Config) { c.EvaluateEvery, c.Patience = 1, -1 }, []string{"Patience is -1"}},
		{func(c *Config) { c.Patience = 1 }, []string{"Patience", "EvaluateEvery"}},
		{func(c *Config) { c.KeepBest = true }, []string{"KeepBest", "EvaluateEvery"}},
		{func(c *Config) { c.EvaluateEvery, c.MinDelta = 1, math.Inf(1) }, []string{"MinDelta is +Inf"}},
		{func(c *Config) { c.Aggregate = "last" }, []string{`Aggregate is "last"`, "mean or mean_gain"}},
		{func(c *Config) { c.AggregateWeights = map[string]float64{"nobody": 1} }, []string{"AggregateWeights names nobody"}},
		{func(c *Config) {
			c.EvaluateEvery, c.AggregateWeights = 1, evenly(tasks, func(int) float64 { return 0 })
		}, []string{"no task that counts has dev examples"}},
		{func(c *Config) { c.NonFinite = "ignore" }, []string{"NonFinite", "stop or skip"}},
		{func(c *Config) { c.R3F.Noise = "pink" }, []string{"R3F.Noise", "uniform or normal"}},
		{func(c *Config) { c.R3F.Lambda = math.Inf(1) }, []string{"R3F.Lambda is +Inf"}},
		{func(c *Config) { c.R3F.Eps = -1 }, []string{"R3F.Eps is -1"}},
		{func(c *Config) { c.Accumulate = -1 }, []string{"Accumulate is -1"}},
		{func(c *Config) { c.Cap = -1 }, []string{"Cap is -1"}},
		{func(c *Config) { c.Temperature = math.NaN() }, []string{"Temperature is NaN"}},
		{func(c *Config) { c.Temperature = -2 }, []string{"Temperature is -2"}},
		{func(c *Config) { c.Temperature, c.Cap = 2, 5 }, []string{"Temperature and Cap"}},
		{func(c *Config) { c.Weights = map[string]float64{tasks[0].Name: 1} }, []string{"Weights has none for task " + tasks[1].Name}},
		{func(c *Config) { c.Weights = evenly(tasks, func(int) float64 { return 0 }) }, []string{"add up to 0"}},
		{func(c *Config) { c.Weights = evenly(tasks, func(int) float64 { return -1 }) }, []string{"is -1", "not negative"}},
		{func(c *Config) { c.LossWeights = map[string]float64{"nobody": 1} }, []string{"LossWeights names nobody"}},
		{func(c *Config) { c.LossWeights = map[string]float64{tasks[2].Name: math.NaN()} }, []string{tasks[2].Name, "NaN"}},
	} {
		cfg := good
		c.change(&cfg)
		_, err := New(m, tasks, cfg)
		mustName(t, strings.Join(c.names, ", "), err, c.names...)
	}
}

// poison makes the embedding of a token NaN and returns where the training examples that
// have it came from.
func poison(tr *Trainer, id int32) map[string]bool {
	w := tr.model.Encoder.Embeddings.Word.Weight
	values, d := w.Float32s(), w.Dim(1)
	for i := range d {
		values[int(id)*d+i] = float32(math.NaN())
	}
	autograd.Mutate(func(dst ...device.Slice) { w.Device().Write(dst[0], values) }, w)
	where := map[string]bool{}
	for _, e := range tr.train {
		for _, s := range e.sequences {
			for _, v := range s.IDs {
				if v == id {
					where[e.where] = true
				}
			}
		}
	}
	return where
}

// TestNonFinite has a few examples that cost NaN: they are named, and either end the run or
// cost it the steps that they are in.
func TestNonFinite(t *testing.T) {
	rare := func(tr *Trainer) int32 { // a token of some examples, not of many
		in := map[int32]int{}
		for _, e := range tr.train {
			has := map[int32]bool{}
			for _, s := range e.sequences {
				for _, v := range s.IDs {
					has[v] = true
				}
			}
			for v := range has {
				in[v]++
			}
		}
		for id := range int32(tr.tok.VocabSize()) {
			if n := in[id]; n >= 20 && n <= 80 {
				return id
			}
		}
		t.Fatal("no rare token")
		return 0
	}
	tr := newTrainer(t, "", nil)
	id := rare(tr)
	bad := poison(tr, id)
	before := hashParameters(tr.model)
	var err error
	for err == nil && tr.step < 100 {
		before = hashParameters(tr.model)
		_, err = tr.trainStep()
	}
	mustName(t, "stop", err, "diverged", "task ", fmt.Sprintf("step %d", tr.step))
	named := 0
	for where := range bad {
		if strings.Contains(fmt.Sprint(err), where) {
			named++
		}
	}
	if named == 0 {
		t.Errorf("%v names none of %d examples", err, len(bad))
	}
	if hashParameters(tr.model) != before {
		t.Error("a step that was not finite changed the parameters")
	}

	var told []string
	out := t.TempDir()
	tr = newTrainer(t, out, func(c *Config) {
		c.NonFinite, c.Warn = "skip", func(s string) { told = append(told, s) }
		c.Steps = 40
	})
	poison(tr, id)
	r, err := tr.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if r.Skipped == 0 || r.Skipped == 40 || !strings.Contains(strings.Join(told, "\n"), "skipped: task ") {
		t.Errorf("%d steps skipped; told %q", r.Skipped, told)
	}
	data, err := os.ReadFile(filepath.Join(out, "metrics.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	lines, skipped := 0, 0
	for _, line := range bytes.Split(bytes.TrimSpace(data), []byte("\n")) {
		var l stepLine
		if err := json.Unmarshal(line, &l); err != nil {
			t.Fatal(err)
		}
		lines++
		if l.Skipped != nil {
			skipped++
		}
	}
	if lines != 40 || skipped != r.Skipped {
		t.Errorf("metrics.jsonl has %d lines, %d of them skipped; want 40 and %d", lines, skipped, r.Skipped)
	}

	tr = newTrainer(t, "", func(c *Config) { c.NonFinite = "skip" })
	poison(tr, tr.tok.BOS())
	_, err = tr.Run(context.Background())
	mustName(t, "nothing but NaN", err, "step 11", "11 steps in a row", "more")
}

// TestEpochs checks what metrics.jsonl says of passes over the tasks' examples.
func TestEpochs(t *testing.T) {
	tr := newTrainer(t, "", func(c *Config) { c.Accumulate = 3 })
	seen, tokens := map[string]int{}, 0
	for range 4 {
		line, err := tr.trainStep()
		if err != nil {
			t.Fatal(err)
		}
		examples := 0
		for i, c := range tr.Counts() {
			l, ok := line.Tasks[tr.tasks[i].Name]
			if !ok {
				continue
			}
			seen[tr.tasks[i].Name] += l.Examples
			examples += l.Examples
			if want := float64(seen[tr.tasks[i].Name]) / float64(c.Train); l.Epochs != want || !(l.GradNorm > 0) {
				t.Errorf("%s: %+v, want %g epochs", tr.tasks[i].Name, l, want)
			}
		}
		if examples != line.Examples {
			t.Errorf("%d examples in the tasks, %d in the step", examples, line.Examples)
		}
		tokens += line.Tokens
	}
	if most := 4 * 3 * tr.cfg.TokensPerBatch; tokens > most || tokens < most*3/4 {
		t.Errorf("%d tokens in 4 steps of 3 × %d", tokens, tr.cfg.TokensPerBatch)
	}
}

func TestBatchesByExamplesAndEpochs(t *testing.T) {
	for _, batches := range []string{heterogeneous, batchHomogeneous, datasetHomogeneous} {
		tr := newTrainer(t, "", func(c *Config) {
			c.Steps, c.Epochs, c.Batches, c.ExamplesPerBatch, c.Accumulate, c.TokensPerBatch = 0, 1.5, batches, 5, 2, 1<<20
		})
		n := len(tr.train)
		seen := 0
		for range tr.cfg.Steps {
			for _, b := range tr.sampler.update() {
				if len(b) > 5 {
					t.Fatalf("%s: a batch of %d examples", batches, len(b))
				}
				seen += len(b)
			}
		}
		if seen < n*3/2 || seen >= n*3/2+10 {
			t.Errorf("%s: %d steps deal %d examples; want one and a half times %d", batches, tr.cfg.Steps, seen, n)
		}
		if tr.cfg.WarmUp != tr.cfg.Steps*6/100 || tr.lr.Total != tr.cfg.Steps+1 {
			t.Errorf("%s: warm-up %d, schedule of %d for %d steps", batches, tr.cfg.WarmUp, tr.lr.Total, tr.cfg.Steps)
		}
	}
}

// TestAdamIsFairseqs makes a step by fairseq's formulas, in float64.
func TestAdamIsFairseqs(t *testing.T) {
	const beta1, beta2, eps, decay = 0.9, 0.95, 1e-3, 0.5
	tr := newTrainer(t, "", func(c *Config) {
		c.Beta2, c.AdamEps, c.WeightDecay, c.ClipNorm, c.WarmUp = beta2, eps, decay, -1, -1
	})
	p := tr.model.pack(tr.tasks, tr.sampler.batch())
	tr.sampler.seek(cursor{})
	tr.cfg.weigh(tr.tasks, p)
	tr.step = 1
	newUpdate(tr).batch(0, p)
	tr.step = 0
	params := nn.Parameters(tr.model)
	before, grads := make([][]float64, len(params)), make([][]float64, len(params))
	for i, p := range params {
		before[i] = p.Tensor.Float64s()
		if g := tr.grads.Get(p.Tensor); g != nil {
			grads[i] = g.Float64s()
		}
	}
	tr.grads.Reset()
	line, err := tr.trainStep()
	if err != nil {
		t.Fatal(err)
	}
	decayed := 0
	for i, p := range params {
		after := p.Tensor.Float64s()
		for k, w := range before[i] {
			want := w
			if grads[i] != nil {
				if !p.NoDecay {
					want -= decay * line.LR * w
					decayed++
				}
				m, v := (1-beta1)*grads[i][k], (1-beta2)*grads[i][k]*grads[i][k]
				want -= line.LR * math.Sqrt(1-beta2) / (1 - beta1) * m / (math.Sqrt(v) + eps)
			}
			if math.Abs(after[k]-want) > 1e-6*(1e-3+math.Abs(want)) {
				t.Fatalf("%s[%d] went from %g to %g, want %g", p.Name, k, w, after[k], want)
			}
		}
	}
	if decayed == 0 {
		t.Error("nothing decays")
	}
}
