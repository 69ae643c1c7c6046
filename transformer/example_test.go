package transformer_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/nn"
	"github.com/muppet-go/muppet/ops"
	"github.com/muppet-go/muppet/optim"
	"github.com/muppet-go/muppet/transformer"
	"github.com/muppet-go/muppet/transformer/tokenizer"
)

// Two sentences of different lengths go through an encoder in one batch.
func Example() {
	tok, err := tokenizer.Train(slices.Values([]string{"a short one and a longer one"}), tokenizer.TrainConfig{VocabSize: 270})
	if err != nil {
		fmt.Println(err)
		return
	}
	encoder := transformer.NewEncoder(transformer.NewConfig(tok.VocabSize(), 2, 16), autograd.NewKey(1))
	input := func(text string) []int32 {
		return slices.Concat([]int32{tok.BOS()}, tok.Encode(text).IDs, []int32{tok.EOS()})
	}
	batch := transformer.Pack(input("a"), input("one"))
	scope := autograd.NewScope().NoGrad()
	hidden := encoder.Encode(scope, batch, nil)
	fmt.Println(batch.Tokens(), batch.Segments.Start(1), hidden.Shape())
	scope.Reset()
	// Output: 7 3 [7 16]
}

// A classifier is an encoder and a head; here it learns which of two tokens comes first.
func ExampleClassificationHead() {
	key := autograd.NewKey(7)
	c := transformer.NewConfig(10, 1, 16)
	var model struct {
		Encoder    *transformer.Encoder            `name:"roberta"`
		Classifier *transformer.ClassificationHead `name:"classifier"`
	}
	model.Encoder = transformer.NewEncoder(c, key.Fold("encoder"))
	model.Classifier = transformer.NewClassificationHead(c, 2, key.Fold("classifier"))
	batch := transformer.Pack([]int32{0, 5, 6, 2}, []int32{0, 6, 7, 5, 2})
	first := []int32{0, 4} // the rows where the sequences begin
	opt := optim.NewAdamW(nn.Parameters(&model), optim.AdamWConfig{LR: 0.01})
	grads, scope := autograd.NewGradients(), autograd.NewScope()
	for step := range 40 {
		dropout := key.Fold("dropout").FoldInt(step)
		hidden := model.Encoder.Encode(scope, batch, &dropout)
		scores := model.Classifier.Forward(hidden, first, &dropout)
		autograd.Backward(ops.CrossEntropy(scores, scope.New([]int32{0, 1})), grads)
		opt.Step(grads)
		scope.Reset()
	}
	scope.NoGrad()
	fmt.Println(ops.ArgMax(model.Classifier.Forward(model.Encoder.Encode(scope, batch, nil), first, nil), 1).Int32s())
	// Output: [0 1]
}

// A masked language model under the names of Hugging Face's RobertaForMaskedLM.
func ExampleMaskedLMHead() {
	c := transformer.NewConfig(12, 1, 8)
	var model struct {
		Encoder *transformer.Encoder      `name:"roberta"`
		Head    *transformer.MaskedLMHead `name:"lm_head"`
	}
	model.Encoder = transformer.NewEncoder(c, autograd.NewKey(1))
	model.Head = transformer.NewMaskedLMHead(c, autograd.NewKey(2))
	hidden := model.Encoder.Encode(nil, transformer.Pack([]int32{0, 7, 4, 9, 2}), nil)
	fmt.Println(model.Head.Forward(hidden, []int32{2}, model.Encoder.Embeddings.Word).Shape())

	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	fmt.Println(nn.Save(filepath.Join(dir, "model.safetensors"), &model))
	// Output:
	// [1 12]
	// <nil>
}

// A small BART learns to write its source backwards, and generates with three beams.
func ExampleModel_Generate() {
	key := autograd.NewKey(2)
	c := transformer.NewBartConfig(10, 1, 32)
	c.HiddenDropout = 0
	model := transformer.NewBartModel(transformer.NewBart(c, key), transformer.ConditionalGeneration, key)
	sources := transformer.Pack([]int32{0, 5, 6, 2}, []int32{0, 7, 8, 9, 2}, []int32{0, 4, 2})
	targets := transformer.Pack([]int32{6, 5, 2}, []int32{9, 8, 7, 2}, []int32{4, 2})
	opt := optim.NewAdamW(nn.Parameters(model), optim.AdamWConfig{LR: 0.003})
	grads, scope := autograd.NewGradients(), autograd.NewScope()
	for range 60 {
		states := model.Bart.Encode(scope, sources, nil)
		hidden := model.Bart.Decode(targets.ShiftRight(c), states, sources.Segments, nil)
		scores := model.LM.Forward(hidden, model.Bart.Shared)
		autograd.Backward(ops.CrossEntropy(scores, scope.New(targets.IDs)), grads)
		opt.Step(grads)
		scope.Reset()
	}
	settings := model.Generation
	settings.NumBeams = 3
	written, err := model.Generate(context.Background(), sources, settings)
	fmt.Println(written, err)
	// Output: [[2 6 5 2] [2 9 8 7 2] [2 4 2]] <nil>
}
