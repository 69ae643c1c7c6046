package prefinetune

import (
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
	"github.com/muppet-go/muppet/prefinetune/report"
	"github.com/muppet-go/muppet/prefinetune/task"
	"github.com/muppet-go/muppet/transformer"
)

// overwrite copies the weights of one head into another, its two rows swapped if asked for.
func overwrite(to, from *transformer.ClassificationHead, swap bool) {
	params := nn.Parameters(from)
	for i, p := range nn.Parameters(to) {
		v := params[i].Tensor.Float32s()
		if p.Tensor.Dim(0) == 2 && swap {
			half := len(v) / 2
			v = append(slices.Clone(v[half:]), v[:half]...)
		}
		autograd.Mutate(func(dst ...device.Slice) { p.Tensor.Device().Write(dst[0], v) }, p.Tensor)
	}
}

// planted is a trainer of tasks with one example each: a task, its twin, its opposite (the same,
// with the rows of the head's last layer swapped), and others.
func planted(t *testing.T) *Trainer {
	t.Helper()
	m, _, cfg := small(t, "")
	var tasks []*task.Task
	for _, name := range []string{"task", "twin", "opposite", "other", "fifth", "sixth", "seventh", "eighth"} {
		text := "the brask lives far away"
		if len(tasks) >= 3 {
			text = "its keeper is " + name
		}
		examples := []task.Example{{Text: text, Label: 1, Where: name}}
		tasks = append(tasks, &task.Task{
			Name: name, Family: task.Classification, Labels: []string{"no", "yes"}, Metric: "accuracy",
			Examples: map[string][]task.Example{"train": examples, "dev": examples},
		})
	}
	tr, err := New(m, tasks, cfg)
	if err != nil {
		t.Fatal(err)
	}
	heads := tr.model.Classifiers
	overwrite(heads["twin"], heads["task"], false)
	overwrite(heads["opposite"], heads["task"], true)
	return tr
}

func TestPlantedCosines(t *testing.T) {
	tr := planted(t)
	var want *cosines
	for _, memory := range []int{1 << 30, 0} { // all gradients are held, or as few as can be
		c := tr.cosines([][]*example{tr.train[:2], tr.train[2:]}, memory)
		if want == nil {
			want = c
		}
		if fmt.Sprint(c) != fmt.Sprint(want) {
			t.Errorf("with little memory %v, with much %v", c, want)
		}
		index := func(name string) int { return slices.Index(c.Tasks, name) }
		for pair, v := range map[[2]string]float64{
			{"task", "twin"}: 1, {"task", "opposite"}: -1, {"opposite", "twin"}: -1, {"other", "other"}: 1,
		} {
			i, j := index(pair[0]), index(pair[1])
			if i < 0 || j < 0 || math.Abs(c.Matrix[i][j]-v) > 2e-6 || c.Matrix[i][j] != c.Matrix[j][i] {
				t.Errorf("%v: %v, want %g", pair, c, v)
			}
		}
		if v := math.Abs(c.Matrix[index("task")][index("other")]); v > 0.999 || v == 0 {
			t.Errorf("cosine %g of different tasks", v)
		}
	}
	// A task whose gradient is 0 or not finite has no angles.
	for _, bad := range []float64{0, math.NaN(), math.Inf(1)} {
		if c := tr.normalise([]int{0, 3}, [][]float64{{bad, bad}, {bad, 4}}); fmt.Sprint(c) != "&{[other] [[1]]}" {
			t.Errorf("a gradient of square %g: %v", bad, c)
		}
	}
}

// TestTaskGradientsAddUp: without dropout the tasks' gradients, each times its share of the
// examples, are the step's.
func TestTaskGradientsAddUp(t *testing.T) {
	m, tasks, cfg := small(t, "")
	m.Encoder.Config.HiddenDropout, m.Encoder.Config.AttentionDropout = 0, 0
	cfg.Accumulate = 2
	tr, err := New(m, tasks, cfg)
	if err != nil {
		t.Fatal(err)
	}
	batches := tr.sampler.update()
	var packs []*packed
	byTask, total := map[int][][]*example{}, 0.0
	for _, b := range batches {
		packs = append(packs, tr.model.pack(tasks, b))
		for _, e := range b {
			byTask[e.task] = append(byTask[e.task], []*example{e})
			total++
		}
	}
	tr.cfg.weigh(tasks, packs...)
	u := newUpdate(tr)
	for i, p := range packs {
		u.batch(i, p)
	}
	sums, g := map[string][]float64{}, autograd.NewGradients()
	for i := range tasks { // in order
		if byTask[i] == nil {
			continue
		}
		tr.gradient(g, byTask[i])
		for _, p := range tr.model.shared() {
			if sums[p.Name] == nil {
				sums[p.Name] = make([]float64, p.Tensor.Len())
			}
			for k, v := range g.Get(p.Tensor).Float64s() {
				sums[p.Name][k] += v * float64(len(byTask[i])) / total
			}
		}
	}
	for _, p := range tr.model.shared() {
		scale, off := 1e-6, 0.0
		for k, v := range tr.grads.Get(p.Tensor).Float64s() {
			scale, off = math.Max(scale, math.Abs(v)), math.Max(off, math.Abs(v-sums[p.Name][k]))
		}
		if off > 1e-4*scale+1e-7 {
			t.Errorf("%s: the tasks' gradients add up to %g away from the step's, of %g", p.Name, off, scale)
		}
	}
}

// TestCosinesChangeNothing trains with and without measuring, to the same bits, and reads
// what the report says of it.
func TestCosinesChangeNothing(t *testing.T) {
	change := func(c *Config) { c.Steps, c.Accumulate, c.Scaling = 6, 2, uncertainty }
	plain := newTrainer(t, "", change)
	runTo(t, plain, 6)
	out := t.TempDir()
	measured := newTrainer(t, out, func(c *Config) { change(c); c.CosinesEvery = 2 })
	r, err := measured.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if hashParameters(plain.model) != hashParameters(measured.model) {
		t.Error("measuring changes the training")
	}
	data, err := os.ReadFile(filepath.Join(out, "metrics.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	n := len(measured.tasks)
	sum, count := make([][]float64, n), make([][]int, n)
	for i := range n {
		sum[i], count[i] = make([]float64, n), make([]int, n)
	}
	times := 0
	for _, line := range strings.Split(strings.TrimSpace(string(data)), "\n") {
		var l stepLine
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(err)
		}
		if (l.Cosines != nil) != (l.Step%2 == 0) {
			t.Fatalf("step %d: cosines %v", l.Step, l.Cosines)
		}
		if l.Cosines == nil {
			continue
		}
		times++
		if len(l.Cosines.Tasks) != len(l.Tasks) {
			t.Errorf("step %d: cosines of %d tasks, %d are in it", l.Step, len(l.Cosines.Tasks), len(l.Tasks))
		}
		for a, x := range l.Cosines.Tasks {
			for b, y := range l.Cosines.Tasks {
				i := slices.IndexFunc(measured.tasks, func(tk *task.Task) bool { return tk.Name == x })
				j := slices.IndexFunc(measured.tasks, func(tk *task.Task) bool { return tk.Name == y })
				sum[i][j] += l.Cosines.Matrix[a][b]
				count[i][j]++
			}
		}
	}
	c := r.Report.Cosines
	if c == nil || c.Measurements != times || times != 3 {
		t.Fatalf("%+v after %d measurements", c, times)
	}
	for i := range n {
		for j := range n {
			if c.Count[i][j] != count[i][j] || count[i][j] > 0 && math.Abs(c.Mean[i][j]-sum[i][j]/float64(count[i][j])) > 1e-9 {
				t.Errorf("tasks %d, %d: mean %g of %d, want %g of %d", i, j, c.Mean[i][j], c.Count[i][j], sum[i][j], count[i][j])
			}
		}
	}
	page, err := os.ReadFile(filepath.Join(out, "report.html"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Which tasks fight", `<svg class="heat"`, "Learned weights"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the report does not say %q", want)
		}
	}
}

func TestCosinesOfPairs(t *testing.T) {
	r := noCosines([]string{"a", "b", "c"})
	for _, c := range []*cosines{
		{[]string{"a", "b"}, [][]float64{{1, 0.5}, {0.5, 1}}},
		{[]string{"b", "a"}, [][]float64{{1, -0.1}, {-0.1, 1}}},
		{[]string{"c"}, [][]float64{{1}}},
	} {
		c.add(r)
	}
	want := &report.Cosines{
		Tasks: []string{"a", "b", "c"}, Measurements: 3,
		Mean: [][]float64{{1, 0.2, 0}, {0.2, 1, 0}, {0, 0, 1}}, Count: [][]int{{2, 2, 0}, {2, 2, 0}, {0, 0, 1}},
	}
	if fmt.Sprint(r) != fmt.Sprint(want) {
		t.Errorf("%+v, want %+v", r, want)
	}
}
