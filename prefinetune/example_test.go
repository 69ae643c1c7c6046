package prefinetune_test

import (
	"context"
	"fmt"
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
