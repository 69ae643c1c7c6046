package prefinetune

import (
	"fmt"
	"testing"
	"time"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/transformer"
)

// BenchmarkStep measures training steps on the embedded suite: the command's default
// encoder, and one as wide as RoBERTa-base with two layers.
func BenchmarkStep(b *testing.B) {
	for _, size := range []struct{ layers, hidden, tokens int }{{2, 128, 2048}, {2, 768, 2048}} {
		b.Run(fmt.Sprintf("%dx%d", size.layers, size.hidden), func(b *testing.B) {
			tr := benchTrainer(b, size.layers, size.hidden, size.tokens)
			runTo(b, tr, 2)
			b.ResetTimer()
			b.ReportAllocs()
			tokens := 0
			for range b.N {
				line, err := tr.trainStep()
				if err != nil {
					b.Fatal(err)
				}
				tokens += line.Tokens
			}
			b.ReportMetric(float64(tokens)/b.Elapsed().Seconds(), "tokens/s")
		})
	}
}

func benchTrainer(b *testing.B, layers, hidden, tokens int) *Trainer {
	b.Helper()
	m, tasks, cfg := small(b, "")
	tok := m.Tokenizer
	cfg.Steps, cfg.TokensPerBatch = 1_000_000_000, tokens
	c := transformer.NewConfig(tok.VocabSize(), layers, hidden)
	c.PadTokenID, c.BOSTokenID, c.EOSTokenID = int(tok.Pad()), int(tok.BOS()), int(tok.EOS())
	tr, err := New(bare(c, tok), tasks, cfg)
	if err != nil {
		b.Fatal(err)
	}
	return tr
}

// BenchmarkOverhead compares training steps, with their lines in metrics.jsonl, with what the model
// costs by itself on the same batches: forward, backward and the optimiser's step. The two take
// turns.
func BenchmarkOverhead(b *testing.B) {
	for _, size := range []struct{ layers, hidden, tokens int }{{2, 96, 1024}, {2, 128, 4096}, {2, 768, 2048}} {
		b.Run(fmt.Sprintf("%dx%d", size.layers, size.hidden), func(b *testing.B) {
			tr := benchTrainer(b, size.layers, size.hidden, size.tokens)
			tr.cfg.Out = b.TempDir()
			if err := tr.open(); err != nil {
				b.Fatal(err)
			}
			defer tr.folder.close()
			runTo(b, tr, 2)
			defer tr.ahead.rest()
			same := newSampler(tr.train, len(tr.tasks), nil, tr.cfg, tr.key.Fold("order"))
			same.update()
			same.update()
			var whole, bare time.Duration
			step := func() {
				began := time.Now()
				line, err := tr.trainStep()
				if err == nil {
					err = tr.record(&logLine{stepLine: *line})
				}
				if whole += time.Since(began); err != nil {
					b.Fatal(err)
				}
			}
			model := func(p *packed) {
				key := tr.key.FoldInt(tr.step)
				began := time.Now()
				autograd.Backward(tr.model.loss(tr.scope, tr.tasks, p, &key, nil).total, tr.grads)
				tr.opt.Step(tr.grads)
				tr.scope.Reset()
				bare += time.Since(began)
			}
			b.ResetTimer()
			for i := range b.N {
				p := tr.model.pack(tr.tasks, same.update()[0])
				tr.cfg.weigh(tr.tasks, p)
				if i%2 == 0 {
					step()
					model(p)
				} else {
					model(p)
					step()
				}
			}
			b.ReportMetric(100*(whole.Seconds()/bare.Seconds()-1), "%overhead")
			b.ReportMetric(whole.Seconds()*1000/float64(b.N), "ms/step")
		})
	}
}
