package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/nn"
	"github.com/muppet-go/muppet/transformer"
	"github.com/muppet-go/muppet/transformer/tokenizer"
)

// tiny writes a model with a tokenizer, and returns its folder.
func tiny(t *testing.T, bart bool) (string, *transformer.Model) {
	t.Helper()
	tok, err := tokenizer.Train(slices.Values([]string{"a short text and a longer text"}), tokenizer.TrainConfig{VocabSize: 270})
	if err != nil {
		t.Fatal(err)
	}
	key := autograd.NewKey(3)
	var m *transformer.Model
	if bart {
		c := transformer.NewBartConfig(tok.VocabSize(), 1, 16)
		c.MaxPositionEmbeddings, c.InitializerRange = 24, 1
		c.PadTokenID, c.BOSTokenID, c.EOSTokenID = int(tok.Pad()), int(tok.BOS()), int(tok.EOS())
		m = transformer.NewBartModel(transformer.NewBart(c, key), transformer.ConditionalGeneration, key)
	} else {
		c := transformer.NewConfig(tok.VocabSize(), 2, 16)
		c.MaxPositionEmbeddings = 20
		c.PadTokenID, c.BOSTokenID, c.EOSTokenID = int(tok.Pad()), int(tok.BOS()), int(tok.EOS())
		m = transformer.NewModel(transformer.NewEncoder(c, key), transformer.SequenceClassification, key, "bad", "good")
	}
	m.Tokenizer = tok
	dir := filepath.Join(t.TempDir(), "tiny")
	if err := m.Save(dir); err != nil {
		t.Fatal(err)
	}
	return dir, m
}

// answer is a line that a command writes.
type answer struct {
	Text, Generated string
	Embedding       []float32
}

// ask runs a command on an input, and returns what it answers.
func ask(t *testing.T, input string, args ...string) (answers []answer, status int, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	status = run(context.Background(), args, strings.NewReader(input), &out, &errs)
	for line := range strings.Lines(out.String()) {
		var a answer
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		answers = append(answers, a)
	}
	return answers, status, errs.String()
}

func TestInfo(t *testing.T) {
	ctx := context.Background()
	dir, m := tiny(t, false)
	parameters := 0
	for _, p := range nn.Parameters(m) {
		parameters += p.Tensor.Len()
	}
	status, out, errs := muppet(ctx, "info", dir)
	want(t, "an encoder", status, 0, out+errs, dir, "roberta: 2 layers of 16, vocabulary of 266, up to 18 tokens", "41 of F32, 0.0 MB",
		"RobertaForSequenceClassification with ", " parameters", "fresh        none", "unused       none", "labels       bad, good", m.Tokenizer.String())
	if text := strings.Fields(out[strings.Index(out, "with "):])[1]; text != "11490" || parameters != 11490 {
		t.Errorf("%s parameters, counted %d", text, parameters)
	}
	bart, _ := tiny(t, true)
	status, out, errs = muppet(ctx, "info", bart)
	want(t, "BART", status, 0, out+errs, "bart: 1 and 1 layers of 16", "BartForConditionalGeneration")
	status, out, errs = muppet(ctx, "info", filepath.Join("..", "..", "transformer", "testdata", "bin", "several"))
	want(t, "PyTorch's files", status, 0, out+errs, "BertForSequenceClassification", " of F32", "tokenizer    none that can be read")

	// What is known is said, and then what is wrong.
	path := filepath.Join(dir, "config.json")
	config, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, bytes.Replace(config, []byte(`"num_hidden_layers": 2`), []byte(`"num_hidden_layers": 3`), 1), 0o644); err != nil {
		t.Fatal(err)
	}
	status, out, errs = muppet(ctx, "info", dir)
	want(t, "a layer too many", status, 1, out+errs, "3 layers of 16", "41 of F32", "model.safetensors: missing", "encoder.layer.2.")
	status, _, errs = muppet(ctx, "info", path)
	want(t, "a file", status, 1, errs, path+" is no folder")
	status, _, errs = muppet(ctx, "info", "-revision", "main", dir)
	want(t, "a revision of a folder", status, 1, errs, "-revision main", dir)
	status, _, errs = muppet(ctx, "info", filepath.Join(dir, "nowhere"))
	want(t, "no folder", status, 1, errs, "nowhere: no such file")
}

// TestModelByName takes a model from the cache.
func TestModelByName(t *testing.T) {
	dir, _ := tiny(t, false)
	const commit = "0123456789012345678901234567890123456789"
	cache := t.TempDir()
	model := filepath.Join(cache, "models--org--tiny")
	if err := os.CopyFS(filepath.Join(model, "snapshots", commit), os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(model, "refs"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(model, "refs", "main"), []byte(commit), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HF_HUB_CACHE", cache)
	t.Setenv("HF_HUB_OFFLINE", "1")
	status, out, errs := muppet(context.Background(), "info", "org/tiny")
	want(t, "a name", status, 0, out+errs, filepath.Join(model, "snapshots", commit), "RobertaForSequenceClassification")
	status, out, errs = muppet(context.Background(), "info", "-revision", commit, "org/tiny")
	want(t, "a commit", status, 0, out+errs, "RobertaForSequenceClassification")
	status, _, errs = muppet(context.Background(), "embed", "-model", "org/other")
	want(t, "another name", status, 1, errs, "embed: there is no folder org/other, and hub: org/other: offline", cache)
}

func TestConvert(t *testing.T) {
	ctx := context.Background()
	source := filepath.Join("..", "..", "transformer", "testdata", "bin", "several")
	out := filepath.Join(t.TempDir(), "new", "out")
	status, printed, errs := muppet(ctx, "convert", "-model", source, "-out", out)
	want(t, "convert", status, 0, printed+errs, "BertForSequenceClassification", "fresh        none", "unused       none", "written      "+out)
	if _, err := os.Stat(filepath.Join(out, "model.safetensors")); err != nil {
		t.Error(err)
	}
	before, err1 := transformer.Load(source)
	after, err2 := transformer.Load(out)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	was, is := nn.StateDict(before), nn.StateDict(after)
	if len(was) != len(is) {
		t.Fatalf("%d tensors became %d", len(was), len(is))
	}
	for i, e := range was {
		if e.Name != is[i].Name || !slices.Equal(e.Tensor.Float32s(), is[i].Tensor.Float32s()) {
			t.Errorf("%s became %s", e.Name, is[i].Name)
		}
	}

	folder := contents(t, out)
	status, _, errs = muppet(ctx, "convert", "-model", source, "-out", out)
	want(t, "over another", status, 1, errs, "-out "+out, "not empty")
	status, _, errs = muppet(ctx, "convert", "-model", out, "-out", filepath.Join(out, "config.json"))
	want(t, "into a file", status, 1, errs, "config.json")
	status, _, errs = muppet(ctx, "convert", "-model", out, "-head", "Hydra", "-out", t.TempDir())
	want(t, "no such head", status, 1, errs, `no head "Hydra"`, "MaskedLM")
	if folder != contents(t, out) {
		t.Error("what was refused changed the folder")
	}

	bare, head := filepath.Join(t.TempDir(), "bare"), filepath.Join(t.TempDir(), "head")
	status, printed, errs = muppet(ctx, "convert", "-model", out, "-head", "none", "-out", bare)
	want(t, "bare", status, 0, printed+errs, "BertModel", "unused       classifier.bias, classifier.weight")
	status, printed, errs = muppet(ctx, "convert", "-model", bare, "-head", "QuestionAnswering", "-out", head)
	want(t, "another head", status, 0, printed+errs, "BertForQuestionAnswering", "fresh        qa_outputs.weight, qa_outputs.bias")
	status, printed, errs = muppet(ctx, "info", head)
	want(t, "what came of it", status, 0, printed+errs, "BertForQuestionAnswering", "fresh        none", "unused       none")

	stopped, cancel := context.WithCancel(ctx)
	cancel()
	never := filepath.Join(t.TempDir(), "never")
	status, _, errs = muppet(stopped, "convert", "-model", out, "-out", never)
	want(t, "interrupted", status, 1, errs, "convert: interrupted")
	if _, err := os.Stat(never); err == nil {
		t.Error("an interrupted command left a folder")
	}
}

func TestEmbed(t *testing.T) {
	dir, m := tiny(t, false)
	texts := []string{"a short text", "", "<b> & wörter", strings.Repeat("far too long ", 50), "a short text"}
	input := strings.Join(texts, "\n") // without an end of the last line
	for _, batch := range []string{"1", "2", "64"} {
		answers, status, errs := ask(t, input, "embed", "-model", dir, "-batch", batch)
		want(t, "embed", status, 0, errs)
		if len(answers) != len(texts) {
			t.Fatalf("%d answers to %d texts", len(answers), len(texts))
		}
		for i, a := range answers {
			expected, err := m.Embed(context.Background(), texts[i])
			if err != nil {
				t.Fatal(err)
			}
			if a.Text != texts[i] || len(a.Embedding) != 16 {
				t.Fatalf("text %q: %+v", texts[i], a)
			}
			length := 0.0
			for k, v := range a.Embedding {
				length += float64(v) * float64(v)
				if off := math.Abs(float64(v - expected[0][k])); off > 1e-6 {
					t.Errorf("text %q: %g off", texts[i], off)
				}
			}
			if math.Abs(length-1) > 1e-5 {
				t.Errorf("text %q: squares add up to %g", texts[i], length)
			}
		}
	}
	if answers, status, errs := ask(t, "", "embed", "-model", dir); status != 0 || answers != nil {
		t.Errorf("nothing in: %v, status %d, %s", answers, status, errs)
	}
	bart, _ := tiny(t, true)
	if answers, status, errs := ask(t, "text\n", "embed", "-model", bart); status != 0 || len(answers) != 1 {
		t.Errorf("BART: %v, status %d, %s", answers, status, errs)
	}
	for input, says := range map[string]string{
		"one\ntwo\nth\xffree\nfour\n":                      "embed: line 3 is not UTF-8",
		"one\ntwo\n" + strings.Repeat("x", maxLine) + "\n": "embed: line 3 is longer than 1048576 bytes",
	} {
		answers, status, errs := ask(t, input, "embed", "-model", dir)
		want(t, "bad input", status, 1, errs, says)
		if len(answers) != 2 {
			t.Errorf("%s: %d answers to what was in order before", says, len(answers))
		}
	}
	_, status, errs := ask(t, "text\n", "embed", "-model", filepath.Join("..", "..", "transformer", "testdata", "bin", "one"))
	want(t, "no tokenizer", status, 1, errs, "embed: ", "no tokenizer that can be read")
}

func TestGenerate(t *testing.T) {
	dir, m := tiny(t, true)
	texts := []string{"a short text", "", strings.Repeat("far too long ", 50), "another"}
	generate := func(more ...string) []string {
		t.Helper()
		answers, status, errs := ask(t, strings.Join(texts, "\n")+"\n", append([]string{"generate", "-model", dir}, more...)...)
		want(t, strings.Join(more, " "), status, 0, errs)
		var written []string
		for i, a := range answers {
			if a.Text != texts[i] {
				t.Errorf("text %q became %q", texts[i], a.Text)
			}
			written = append(written, a.Generated)
		}
		return written
	}
	expect := func(change func(g *transformer.GenerationConfig)) []string {
		t.Helper()
		g := m.Generation
		change(&g)
		written, err := m.GenerateTexts(context.Background(), g, texts...)
		if err != nil {
			t.Fatal(err)
		}
		for i, w := range written { // as JSON has it
			data, err1 := json.Marshal(w)
			if err2 := json.Unmarshal(data, &written[i]); err1 != nil || err2 != nil {
				t.Fatal(err1, err2)
			}
		}
		return written
	}
	greedy := expect(func(*transformer.GenerationConfig) {})
	if got := generate(); !slices.Equal(got, greedy) {
		t.Errorf("without flags %q, want %q", got, greedy)
	}
	beams := expect(func(g *transformer.GenerationConfig) {
		g.NumBeams, g.LengthPenalty, g.NoRepeatNGramSize, g.MaxLength, g.MinLength = 3, 2, 1, 12, 9
	})
	if got := generate("-beams", "3", "-length-penalty", "2", "-no-repeat-ngram", "1", "-max-length", "12", "-min-length", "9"); !slices.Equal(got, beams) || slices.Equal(got, greedy) {
		t.Errorf("with beams %q, want %q", got, beams)
	}
	drawn := expect(func(g *transformer.GenerationConfig) {
		g.DoSample, g.Temperature, g.TopK, g.TopP, g.Key = true, 5, 7, 0.9, autograd.NewKey(4).FoldInt(0)
	})
	sample := []string{"-sample", "-temperature", "5", "-top-k", "7", "-top-p", "0.9", "-seed"}
	if got := generate(append(sample, "4")...); !slices.Equal(got, drawn) {
		t.Errorf("drawn %q, want %q", got, drawn)
	}
	if got := generate(append(sample, "5")...); slices.Equal(got, drawn) {
		t.Error("seeds draw alike")
	}
	if got := generate("-sample", "-temperature", "5", "-batch", "1"); slices.Equal(got, greedy) {
		t.Error("nothing is drawn")
	}
	for args, says := range map[string]string{
		"-temperature 2":            "-temperature says how to draw",
		"-seed 2":                   "-seed says how to draw",
		"-sample -beams 2":          "do_sample is true with num_beams 2",
		"-sample -top-p 0":          "top_p is 0",
		"-beams -3":                 "num_beams is -3",
		"-max-length 100000":        "max_length is 100000, want 2 to 24",
		"-sample -temperature -0.5": "temperature is -0.5",
		"-length-penalty nan":       "length_penalty is NaN",
	} {
		_, status, errs := ask(t, "", append([]string{"generate", "-model", dir}, strings.Fields(args)...)...)
		want(t, args, status, 2, errs, says)
	}
	encoder, _ := tiny(t, false)
	_, status, errs := ask(t, "text\n", "generate", "-model", encoder)
	want(t, "an encoder", status, 1, errs, encoder, `no head "ConditionalGeneration" for model_type "roberta"`)
	_, status, errs = ask(t, "text\n", "generate", "-model", filepath.Join("..", "..", "transformer", "testdata", "bart", "deep"))
	want(t, "no tokenizer", status, 1, errs, "generate: ", "no tokenizer that can be read")
}

// TestInterruptLines interrupts commands that wait for a line.
func TestInterruptLines(t *testing.T) {
	dir, _ := tiny(t, true)
	for _, command := range []string{"embed", "generate"} {
		ctx, cancel := context.WithCancel(context.Background())
		in, lines := io.Pipe()
		go io.WriteString(lines, "one\n")
		stdout := &cancelAt{text: `{"text":"one"`, cancel: cancel}
		var stderr bytes.Buffer
		status := run(ctx, []string{command, "-model", dir, "-batch", "1"}, in, stdout, &stderr)
		want(t, command, status, 1, stderr.String(), command+": interrupted")
		if stdout.Len() == 0 {
			t.Errorf("%s: no answer to the first line", command)
		}
		lines.Close()
	}
}
