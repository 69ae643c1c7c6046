package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/prefinetune/suite"
)

// muppet runs a command line and returns its exit status and what it printed.
func muppet(ctx context.Context, args ...string) (status int, stdout, stderr string) {
	var out, errs bytes.Buffer
	status = run(ctx, args, strings.NewReader(""), &out, &errs)
	return status, out.String(), errs.String()
}

// quick is an embedded run of a second.
func quick(out string, more ...string) []string {
	return append([]string{"prefinetune", "-steps", "4", "-pretrain-steps", "2", "-few-shot-seeds", "1", "-few-shot-steps", "2", "-layers", "1", "-hidden", "32", "-tokens", "512", "-out", out}, more...)
}

// want checks an outcome: the exit status, and parts of what was printed.
func want(t *testing.T, what string, status, wantStatus int, printed string, parts ...string) {
	t.Helper()
	if status != wantStatus {
		t.Errorf("%s: exit status %d, want %d\n%s", what, status, wantStatus, printed)
	}
	for _, p := range parts {
		if !strings.Contains(printed, p) {
			t.Errorf("%s: %q is not in\n%s", what, p, printed)
		}
	}
}

func TestSimpleCommands(t *testing.T) {
	ctx := context.Background()
	status, out, _ := muppet(ctx, "version")
	want(t, "version", status, 0, out, "muppet ", "kernels: ", " in use", "generic", "device: "+device.Default().Name(), "cores: ")
	status, out, _ = muppet(ctx, "tasks")
	want(t, "tasks", status, 0, out, "family", "AG_News", "AG_News/train.csv AG_News/test.csv", "RTE_SuperGLUE: ", "left out of the default mix")
	status, out, _ = muppet(ctx, "-h")
	want(t, "-h", status, 0, out, "usage: muppet COMMAND", "prefinetune", "tasks", "info", "convert", "embed", "generate", "version")
	status, out, errs := muppet(ctx, "prefinetune", "-h")
	want(t, "prefinetune -h", status, 0, out, "usage: muppet prefinetune", "-dry-run", "(default 2048, 4096)", "(default 8)")
	before := device.Default().Name()
	t.Setenv("MUPPET_DEVICE", "abacus")
	status, _, unknown := muppet(ctx, "version")
	want(t, "on an abacus", status, 1, unknown, `MUPPET_DEVICE: device: no device "abacus"`, "cpu, reference")
	t.Setenv("MUPPET_DEVICE", before)
	if errs != "" {
		t.Errorf("prefinetune -h printed an error: %s", errs)
	}
}

func TestBadCommandLines(t *testing.T) {
	for _, c := range []struct{ args, says string }{
		{"", "usage: muppet COMMAND"},
		{"trian", `unknown command "trian"`},
		{"version now", `unexpected argument "now"`},
		{"tasks spect", `unexpected argument "spect"`},
		{"tasks inspect", "tasks inspect: which task?"},
		{"tasks inspect RTE", "where are the files? -data"},
		{"tasks inspect RTE -data d -n -1", "-n -1: want a number that is not negative"},
		{"tasks inspect RTE -data d -max-length 3", "-max-length 3: want 16 to"},
		{"tasks inspect RTE WSC", `unexpected argument "WSC"`},
		{"tasks check", "tasks check: which task file?"},
		{"tasks check .", "is a folder: name a task file"},
		{"prefinetune -stesp 4", "not defined: -stesp"},
		{"prefinetune steps", `unexpected argument "steps"`},
		{"prefinetune -steps many", `"many"`},
		{"prefinetune -steps -5", "-steps -5: want 1 to"},
		{"prefinetune -steps 0", "-steps 0: want 1 to"},
		{"prefinetune -layers -1", "-layers -1: want 1 to"},
		{"prefinetune -layers 100000", "-layers 100000: want"},
		{"prefinetune -hidden 0", "-hidden 0: want 1 to"},
		{"prefinetune -hidden 9000000000", "-hidden 9000000000: want"},
		{"prefinetune -vocab -7", "-vocab -7: want 1 to"},
		{"prefinetune -tokens 1", "-tokens 1: want 16 to"},
		{"prefinetune -max-length -3", "-max-length -3: want 16 to"},
		{"prefinetune -checkpoint-every -1", "-checkpoint-every -1: want 1 to"},
		{"prefinetune -few-shot-seeds -1", "-few-shot-seeds -1: want 0 to"},
		{"prefinetune -pretrain-steps -1", "-pretrain-steps -1: want 0 to"},
		{"prefinetune -type gpt", "want roberta or bart"},
		{"prefinetune -few-shot-steps 0", "-few-shot-steps 0: want 1 to"},
		{"prefinetune -warm-up -1", "-warm-up -1: want 0 to"},
		{"prefinetune -lr nan", "-lr NaN: want a positive number"},
		{"prefinetune -keep-last 0", "-keep-last 0: want 1"},
		{"prefinetune -bad-rows stay", "want stop or skip"},
		{"prefinetune -lr inf", "-lr +Inf: want a positive number"},
		{"prefinetune -lr -1", "-lr -1: want a positive number"},
		{"prefinetune -weight-decay nan", "-weight-decay NaN: want"},
		{"prefinetune -dropout 1", "-dropout 1: want at least 0 and less than 1"},
		{"prefinetune -dropout nan", "-dropout NaN: want at least 0"},
		{"prefinetune -seed -1", `"-1"`},
		{"prefinetune -accumulate 0", "-accumulate 0: want 1 to"},
		{"prefinetune -cap 0", "-cap 0: want 1 to"},
		{"prefinetune -temperature nan", "-temperature NaN: want a positive number"},
		{"prefinetune -r3f nan", "-r3f NaN: want a number that is not negative"},
		{"prefinetune -r3f-eps 0", "-r3f-eps 0: want a positive number"},
		{"prefinetune -batches mixed", "want batch-heterogeneous or batch-homogeneous or dataset-homogeneous"},
		{"prefinetune -scaling log", "want log n or none or uncertainty or gradnorm"},
		{"prefinetune -scaling-rate 0", "-scaling-rate 0: want a positive number"},
		{"prefinetune -gradnorm-alpha -1", "-gradnorm-alpha -1: want a number that is not negative"},
		{"prefinetune -evaluate-every 0", "-evaluate-every 0: want 1 to"},
		{"prefinetune -evaluate-every 5 -patience 0", "-patience 0: want 1 to"},
		{"prefinetune -evaluate-every 5 -min-delta nan", "-min-delta NaN: want a number that is not negative"},
		{"prefinetune -evaluate-every 5 -aggregate last", "want mean or mean_gain"},
		{"prefinetune -patience 2", "-patience is about evaluations on the way: want -evaluate-every, too"},
		{"prefinetune -keep-best", "-keep-best is about evaluations on the way"},
		{"prefinetune -adam-beta2 1", "-adam-beta2 1: want more than 0 and less than 1"},
		{"prefinetune -adam-eps 0", "-adam-eps 0: want a positive number"},
		{"prefinetune -clip-norm -1", "-clip-norm -1: want a number that is not negative"},
		{"prefinetune -cosines-every 0", "-cosines-every 0: want 1 to"},
		{"prefinetune -mean rows", "want examples or tasks"},
		{"prefinetune -weights topic", `"topic": want TASK=WEIGHT`},
		{"prefinetune -weights topic=1,topic=2", "topic has two weights"},
		{"prefinetune -loss-weights topic=-1", `"topic=-1": want a number that is not negative`},
		{"bench", "what is to be measured? There is: gemm"},
		{"bench gem", "what is to be measured? There is: gemm"},
		{"bench gemm 128", `unexpected argument "128"`},
		{"bench gemm -sizes 128x", `"128x": want a side or MxNxK`},
		{"bench gemm -sizes 8,100000", `"100000": want a side or MxNxK, each 1 to 16384`},
		{"bench gemm -sizes 1x2x3x4", `"1x2x3x4": want a side`},
		{"info", "info: which model?"},
		{"info a b", `info: unexpected argument "b"`},
		{"info -model a", "not defined: -model"},
		{"convert -model a", "convert: where to? -out"},
		{"convert -out no/where", "convert: which model? -model"},
		{"embed", "embed: which model? -model"},
		{"embed -model a -batch 0", "-batch 0: want 1 to"},
		{"embed a", `embed: unexpected argument "a"`},
		{"generate", "generate: which model? -model"},
		{"generate -beams many", `"many"`},
		{"generate -model a -batch 100000", "-batch 100000: want 1 to"},
		{"prefinetune -init x -layers 2", "-layers describes a fresh model"},
		{"prefinetune -init x -dropout 0", "-dropout describes a fresh model"},
	} {
		status, out, errs := muppet(context.Background(), strings.Fields(c.args)...)
		want(t, c.args, status, 2, errs, c.says, "muppet -h lists the commands")
		if out != "" {
			t.Errorf("%s: printed %q", c.args, out)
		}
	}
}

func TestBench(t *testing.T) {
	status, out, errs := muppet(context.Background(), "bench", "gemm", "-sizes", "64,50x60x70", "-time", "5ms")
	want(t, "bench gemm", status, 0, out+errs, "GFLOP/s", "float32   64×64×64", "bfloat16  64×64×64", "float64   50×60×70", " %")
	for _, line := range strings.Split(strings.TrimSpace(out), "\n")[2:] {
		if f := strings.Fields(line); len(f) != 9 || strings.HasPrefix(f[3], "0.0") || strings.HasPrefix(f[4], "0.0") {
			t.Errorf("line %q", line)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	status, _, errs = muppet(ctx, "bench", "gemm")
	want(t, "interrupted", status, 1, errs, "interrupted")
	status, out, errs = muppet(context.Background(), "bench", "gemm", "-h")
	want(t, "help", status, 0, out+errs, "usage: muppet bench gemm", "-sizes list", "(default 128x128x128,")
}

// TestImpossibleRuns has flags that are each in order and no run together.
func TestImpossibleRuns(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	empty := t.TempDir()
	broken := filepath.Join(t.TempDir(), "run", "model") // its weights' header is longer than the file
	if status, _, errs := muppet(context.Background(), quick(filepath.Dir(broken), "-few-shot-seeds", "0")...); status != 0 {
		t.Fatal(errs)
	}
	weights := bytes.Repeat([]byte{0xff, 0, 0, 0, 0, 0, 0, 0}, 2)
	if err := os.WriteFile(filepath.Join(broken, "model.safetensors"), weights, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		says []string
	}{
		{[]string{"-hidden", "16000", "-layers", "900"}, []string{"parameters"}},
		{[]string{"-temperature", "2", "-cap", "10"}, []string{"Temperature and Cap"}},
		{[]string{"-weights", "topic=1"}, []string{"Weights has none for task"}},
		{[]string{"-loss-weights", "nobody=1"}, []string{"LossWeights names nobody"}},
		{[]string{"-vocab", "100"}, []string{"-vocab", "100"}},
		{[]string{"-tokens", "512", "-max-length", "600"}, []string{"600", "256"}},
		{[]string{"-init", broken}, []string{"-init", filepath.Join(broken, "model.safetensors"), "header"}},
		{[]string{"-init", empty}, []string{"-init", filepath.Join(empty, "config.json")}},
		{[]string{"-init", filepath.Join(empty, "nowhere")}, []string{"-init", "nowhere"}},
		{[]string{"-tasks", filepath.Join(empty, "no.yaml")}, []string{"no.yaml"}},
		{[]string{"-tasks", empty}, []string{empty}},
		{[]string{"-data", empty}, []string{"no dataset is in " + empty, "task AESLC"}},
		{quick(filepath.Join(file, "out"))[1:], []string{file}},
	} {
		args := append([]string{"prefinetune"}, c.args...)
		if c.args[0] != "-steps" {
			args = append(args, "-out", filepath.Join(t.TempDir(), "out"))
		}
		status, _, errs := muppet(context.Background(), args...)
		want(t, strings.Join(c.args, " "), status, 1, errs, c.says...)
	}
}

// TestRecipeFlags trains with every option of the recipe, and again without one of them.
func TestRecipeFlags(t *testing.T) {
	out := filepath.Join(t.TempDir(), "run")
	args := quick(out, "-few-shot-seeds", "0", "-batches", "batch-homogeneous", "-temperature", "2", "-accumulate", "2", "-scaling", "none",
		"-loss-weights", "topic=2", "-mean", "tasks", "-r3f", "0.5", "-r3f-noise", "normal", "-r3f-eps", "0.001", "-r3f-different-masks", "-r4f", "-non-finite", "skip")
	status, printed, errs := muppet(context.Background(), args...)
	want(t, "every option", status, 0, printed+errs, "Scores after 4 steps", "asked", "realised", "epochs", "steps of at most 1024 tokens")
	page, err := os.ReadFile(filepath.Join(out, "report.html"))
	if err != nil {
		t.Fatal(err)
	}
	want(t, "report", 0, 0, string(page), "4 of 2 batches of at most 512 tokens", "batch-homogeneous", "by size to the power 1/2", "cross entropy · weights topic=2, mean over tasks",
		"λ 0.5, normal noise of ε 0.001, different masks; heads spectrally normalised", "R3F divergence", "Epochs")
	judged := filepath.Join(t.TempDir(), "run")
	status, printed, errs = muppet(context.Background(), quick(judged, "-few-shot-seeds", "0", "-scaling", "gradnorm", "-scaling-rate", "0.1", "-gradnorm-alpha", "0", "-clip-norm", "0", "-adam-beta2", "0.999", "-adam-eps", "1e-8",
		"-evaluate-every", "1", "-evaluate-examples", "2", "-patience", "1", "-min-delta", "0.9", "-aggregate", "mean_gain", "-aggregate-weights", "topic=2", "-keep-best", "-cosines-every", "1")...)
	want(t, "learned, judged, measured", status, 0, printed+errs, "step 1: mean gain over the majority baseline, weights topic=2 on dev", ", the best so far", "Scores after 2 steps",
		"stopped early, after 2 of 4 steps", "those of step 1", "pull at the shared weights")
	page, err = os.ReadFile(filepath.Join(judged, "report.html"))
	if err != nil {
		t.Fatal(err)
	}
	want(t, "report", 0, 0, string(page), "factors by GradNorm, α 0, rate 0.1", "β 0.9, 0.999, ε 1e-08, decoupled decay 0.01, gradients not clipped", "Learned weights", "Which tasks fight", "mean over 2 measurements",
		"every 1 steps, by the mean gain over the majority baseline, weights topic=2, on at most 2 examples of a task, gains of less than 0.9 do not count; stops after 1 without a gain; the best weights are kept")
	status, _, errs = muppet(context.Background(), quick(out)...)
	want(t, "the same folder by the paper's recipe", status, 1, errs, "accumulation is 2 there, 1 here", "batches is batch-homogeneous there",
		"sampling is by size", "mean over tasks there", "R3F is λ 0.5", "non-finite policy is skip there, stop here")
	status, printed, errs = muppet(context.Background(), quick(filepath.Join(t.TempDir(), "x"), "-dry-run", "-weights", "topic=3,sentiment=1,"+nothing("topic", "sentiment"))...)
	want(t, "weights", status, 0, printed+errs, "75.00%", "25.00%", "0.00%")
}

// nothing gives weights of 0 to all embedded tasks but some.
func nothing(but ...string) string {
	var w []string
	for _, k := range suite.Tasks(1) {
		if !slices.Contains(but, k.Name) {
			w = append(w, k.Name+"=0")
		}
	}
	return strings.Join(w, ",")
}

func TestEmbeddedRun(t *testing.T) {
	out := filepath.Join(t.TempDir(), "run")
	ctx := context.Background()
	status, printed, errs := muppet(ctx, quick(out)...)
	want(t, "first run", status, 0, printed+errs, "fresh model: bart: 1 and 1 layers of 32", "step 2/2", "perplexity", "26 tasks", "step 4/4", "tokens/s",
		"bag of words", "reading", "Few-shot", "language model", "care", "packing", "swap", "cipher", "control", "One seed says nothing of chance", "Written:")
	if strings.ContainsAny(printed, "\r\x1b") {
		t.Errorf("control characters on a pipe:\n%q", printed)
	}
	_, written, _ := strings.Cut(printed, "Written:\n")
	paths := strings.Fields(written)
	if len(paths) != 5 {
		t.Errorf("paths written: %q", paths)
	}
	for _, p := range paths {
		if info, err := os.Stat(p); err != nil || info.Mode().IsRegular() && info.Size() == 0 {
			t.Errorf("%s is said to be written: %v, %v", p, info, err)
		}
	}
	page, err := os.ReadFile(filepath.Join(out, "report.html"))
	if err != nil || !bytes.Contains(page, []byte("pre-finetuned")) || !bytes.Contains(page, []byte("Language-model pre-training")) {
		t.Errorf("the report lacks the few-shot comparison or the language model (%v)", err)
	}

	if config, err := os.ReadFile(filepath.Join(out, "model", "config.json")); err != nil || !bytes.Contains(config, []byte(`"dropout": 0,`)) {
		t.Errorf("the embedded run's encoder has dropout (%v):\n%s", err, config)
	}

	status, again, errs := muppet(ctx, quick(out)...)
	want(t, "second run", status, 0, again+errs, "complete at step 4: nothing left to train")
	if strings.Contains(again, "step 4/4") || strings.Contains(again, "step 2/2") {
		t.Errorf("the second run trained again:\n%s", again)
	}
	if _, few, _ := strings.Cut(again, "Few-shot"); !strings.HasSuffix(printed, few) {
		t.Errorf("the second run's comparison is\n%s", few)
	}
	if scoreLines(again) != scoreLines(printed) || scoreLines(again) == "" {
		t.Errorf("the second run's scores are\n%s\nthe first's\n%s", scoreLines(again), scoreLines(printed))
	}

	status, tuned, errs := muppet(ctx, "prefinetune", "-init", filepath.Join(out, "model"), "-steps", "2", "-few-shot-seeds", "0", "-out", filepath.Join(t.TempDir(), "next"))
	want(t, "from the model written", status, 0, tuned+errs, "Scores after 2 steps")
	if strings.Contains(tuned, "fresh model") || strings.Contains(tuned, "perplexity") {
		t.Errorf("-init made a fresh model or trained a language model:\n%s", tuned)
	}

	before := contents(t, out)
	status, _, errs = muppet(ctx, quick(out, "-seed", "2")...)
	want(t, "another seed into the same folder", status, 1, errs, out, "holds another run", "seed is 1 there, 2 here")
	status, _, errs = muppet(ctx, quick(out, "-lr", "0.5")...)
	want(t, "another run into the same folder", status, 1, errs, out, "holds another run", "learning rate is 0.001 there, 0.5 here")
	status, _, errs = muppet(ctx, quick(out, "-hidden", "64")...)
	want(t, "another encoder into the same folder", status, 1, errs, "d_model is 32 there, 64 here")
	if got := contents(t, out); got != before {
		t.Error("a refused run changed the folder")
	}
}

// scoreLines returns the lines of scores.
func scoreLines(printed string) string {
	_, rest, _ := strings.Cut(printed, "Scores after")
	_, rest, _ = strings.Cut(rest, "\n")
	rest, _, _ = strings.Cut(rest, "Few-shot")
	return rest
}

// modelOf returns the bytes of the model that a run wrote.
func modelOf(t *testing.T, out string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(out, "model", "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// contents returns names and contents of all files below a folder.
func contents(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		all.WriteString(path + "\x00" + string(data) + "\x00")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// cancelAt is a writer that cancels a context when a text is written.
type cancelAt struct {
	bytes.Buffer
	text   string
	cancel func()
}

func (c *cancelAt) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(c.text)) {
		c.cancel()
	}
	return c.Buffer.Write(p)
}

func TestInterrupt(t *testing.T) {
	out := filepath.Join(t.TempDir(), "run")
	ctx, cancel := context.WithCancel(context.Background())
	stdout := &cancelAt{text: "step 1/2", cancel: cancel}
	var stderr bytes.Buffer
	status := run(ctx, quick(out), nil, stdout, &stderr)
	want(t, "interrupted in the language model", status, 0, stderr.String(), "interrupted at step 1", filepath.Join(out, "pretrain"), "the same command resumes")

	ctx, cancel = context.WithCancel(context.Background())
	stdout, stderr = &cancelAt{text: "step 1/4", cancel: cancel}, bytes.Buffer{}
	status = run(ctx, quick(out), nil, stdout, &stderr)
	want(t, "interrupted", status, 0, stderr.String(), "interrupted at step 1", out, "the same command resumes")
	if _, err := os.Stat(filepath.Join(out, "checkpoints", "step-000001", "state.json")); err != nil {
		t.Error(err)
	}
	status, printed, errs := muppet(context.Background(), quick(out)...)
	want(t, "resumed", status, 0, printed+errs, "resuming at step 1 of 4", "step 4/4", "Scores after 4 steps")

	whole := filepath.Join(t.TempDir(), "whole")
	if status, uninterrupted, errs := muppet(context.Background(), quick(whole)...); status != 0 || scoreLines(uninterrupted) != scoreLines(printed) {
		t.Errorf("without interruptions the scores are\n%s\nand with them\n%s%s", scoreLines(uninterrupted), scoreLines(printed), errs)
	}
	if a, b := modelOf(t, out), modelOf(t, whole); a != b {
		t.Error("two interruptions changed the weights")
	}

	ctx, cancel = context.WithCancel(context.Background())
	cancel()
	nothing := filepath.Join(t.TempDir(), "run")
	status, _, errs = muppet(ctx, quick(nothing)...)
	want(t, "interrupted before the first step", status, 0, errs, "interrupted before the first step")
	if _, err := os.Stat(nothing); err == nil {
		t.Error("a run that did not begin left a folder")
	}

	ctx, cancel = context.WithCancel(context.Background())
	stdout, stderr = &cancelAt{text: "Few-shot", cancel: cancel}, bytes.Buffer{}
	status = run(ctx, quick(out), nil, stdout, &stderr)
	want(t, "interrupted while fine-tuning", status, 0, stderr.String(), "interrupted", out, "the same command repeats the fine-tuning")
}

func TestDryRun(t *testing.T) {
	out := filepath.Join(t.TempDir(), "run")
	status, printed, errs := muppet(context.Background(), quick(out, "-dry-run")...)
	want(t, "dry run", status, 0, printed+errs, "26 tasks", "share", "median", "truncated", "labels", "reading", "nothing was trained", " dev split")
	if _, err := os.Stat(out); err == nil {
		t.Error("a dry run left a folder")
	}
	if strings.Contains(printed, "step 1/") {
		t.Errorf("a dry run trained:\n%s", printed)
	}
}

func TestDryRunOnRealData(t *testing.T) {
	data := os.Getenv("MUPPET_DATA")
	if data == "" {
		data = filepath.Join("..", "..", "..", "shared", "data")
	}
	if _, err := os.Stat(data); err != nil {
		t.Skipf("no data: %v; set MUPPET_DATA", err)
	}
	if testing.Short() {
		t.Skip("reads 35 datasets")
	}
	status, printed, errs := muppet(context.Background(), "prefinetune", "-data", data, "-dry-run", "-vocab", "1000", "-layers", "1", "-hidden", "32")
	want(t, "dry run", status, 0, printed+errs, "left out: SST-5: ", "left out: XSum: summarisation needs an encoder-decoder", "BoolQ", "SQuAD_XQuAD-en", "with a text that is also in a train split", "Some of them:")
	m := regexp.MustCompile(`(?m)^(\d+) tasks, `).FindStringSubmatch(printed)
	if m == nil {
		t.Fatalf("no count of tasks in\n%s", printed)
	}
	if n, _ := strconv.Atoi(m[1]); n < 28 {
		t.Errorf("%d tasks in the default mix, want at least 28", n)
	}
}

// TestAnyWidth asks for a hidden size that no usual head divides.
func TestAnyWidth(t *testing.T) {
	status, printed, errs := muppet(context.Background(), "prefinetune", "-dry-run", "-hidden", "202")
	want(t, "a width of 202", status, 0, printed+errs, "fresh model: bart: 2 and 2 layers of 202")
}

// TestTasksFlag gives a folder and two files, one of a task that is no part of the
// default mix and is named.
func TestTasksFlag(t *testing.T) {
	data := t.TempDir()
	write := func(path, text string) string {
		t.Helper()
		path = filepath.Join(data, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("rows.tsv", strings.Repeat("a bright day\tgood\na dull day\tbad\n", 20))
	yaml := func(name, more string) string {
		return "name: " + name + "\nfamily: classification\nsource: made up\nlabels: [bad, good]\n" +
			"files: {train: rows.tsv, dev: rows.tsv}\nformat: tsv\nheader: false\nexample: '{text: .[0], label: .[1]}'\n" + more
	}
	aside := "default: false\nwhy: a double\n"
	write("folder/a.yaml", yaml("first", ""))
	write("folder/b.yaml", yaml("second", ""))
	write("folder/c.yaml", yaml("aside", aside))
	third := write("third.yaml", yaml("third", ""))
	fourth := write("fourth.yaml", yaml("fourth", aside))
	folder := filepath.Join(data, "folder")

	args := []string{"prefinetune", "-dry-run", "-data", data, "-vocab", "300", "-tasks", folder, "-tasks", third, "-tasks", fourth}
	status, printed, errs := muppet(context.Background(), args...)
	want(t, "files and folders", status, 0, printed+errs, "4 tasks", "first", "second", "third", "fourth", "left out: aside: a double", "-all")
	status, printed, errs = muppet(context.Background(), append(args, "-all")...)
	want(t, "-all", status, 0, printed+errs, "5 tasks")
	status, _, errs = muppet(context.Background(), append(args, "-tasks", filepath.Join(folder, "a.yaml"))...)
	want(t, "a task twice", status, 1, errs, "a.yaml", "first")
}
