package prefinetune_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/prefinetune"
	"github.com/muppet-go/muppet/prefinetune/suite"
	"github.com/muppet-go/muppet/prefinetune/task"
	"github.com/muppet-go/muppet/transformer"
	"github.com/muppet-go/muppet/transformer/tokenizer"
)

// A small encoder learns from the embedded tasks. With Config.Out set, the same call
// after an interruption would go on where it stopped.
func Example() {
	tok, err := tokenizer.Train(slices.Values(suite.Corpus(1)), tokenizer.TrainConfig{VocabSize: 400})
	if err != nil {
		panic(err)
	}
	config := transformer.NewConfig(tok.VocabSize(), 1, 32)
	config.PadTokenID, config.BOSTokenID, config.EOSTokenID = int(tok.Pad()), int(tok.BOS()), int(tok.EOS())
	model := transformer.NewModel(transformer.NewEncoder(config, autograd.NewKey(1)), transformer.Bare, autograd.NewKey(2))
	model.Tokenizer = tok

	trainer, err := prefinetune.New(model, suite.Tasks(1, task.Classification, task.Commonsense), prefinetune.Config{
		Steps: 5, TokensPerBatch: 512, MaxLength: 128, LR: 1e-3, Seed: 1,
		Progress: func(p prefinetune.Progress) { fmt.Printf("step %d of %d\n", p.Step, p.Steps) },
	})
	if err != nil {
		panic(err)
	}
	result, err := trainer.Run(context.Background())
	if err != nil {
		panic(err)
	}
	for _, s := range result.Scores[:3] {
		fmt.Println(s.Task, s.Metric, "of", s.N, "dev examples")
	}
	// Output:
	// step 1 of 5
	// step 2 of 5
	// step 3 of 5
	// step 4 of 5
	// step 5 of 5
	// topic accuracy of 160 dev examples
	// whose accuracy of 160 dev examples
	// region accuracy of 150 dev examples
}

// The way from plain text to answers: a language model is fine-tuned on a task, saved, loaded
// and asked.
func Example_use() {
	check := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	dir, err := os.MkdirTemp("", "use")
	check(err)
	defer os.RemoveAll(dir)
	tok, err := tokenizer.Train(slices.Values(suite.Corpus(1)), tokenizer.TrainConfig{VocabSize: 400})
	check(err)
	config := transformer.NewConfig(tok.VocabSize(), 1, 32)
	model := transformer.NewModel(transformer.NewEncoder(config, autograd.NewKey(1)), transformer.MaskedLM, autograd.NewKey(2))
	model.Tokenizer = tok

	_, err = prefinetune.Pretrain(context.Background(), model, suite.Corpus(1), prefinetune.PretrainConfig{
		Steps: 20, TokensPerBatch: 512, Documents: true, LR: 2e-3,
	})
	check(err)

	care := suite.HeldOut(1)[0]
	settings := prefinetune.FinetuneConfig()
	settings.Epochs, settings.LR, settings.Out = 2, 1e-3, filepath.Join(dir, "care")
	_, err = prefinetune.Finetune(context.Background(), model, nil, []*task.Task{care}, settings, []uint64{1}, nil)
	check(err)

	saved, err := prefinetune.Load(settings.Out)
	check(err)
	answers, err := saved.Predict(context.Background(), care, care.Examples["dev"][:2])
	check(err)
	fmt.Println(len(answers), "answers with", len(answers[0].Probabilities), "probabilities each")

	exported, err := saved.Export(care)
	check(err)
	fmt.Println(exported.Architecture(), exported.Config.Labels())
	check(exported.Save(filepath.Join(dir, "huggingface")))
	// Output:
	// 2 answers with 3 probabilities each
	// RobertaForSequenceClassification [food water brush]
}
