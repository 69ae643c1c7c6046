package prefinetune

import (
	"fmt"
	"testing"

	"github.com/muppet-go/muppet/transformer"
)

// BenchmarkStep measures training steps on the embedded suite: the command's default
// encoder, and one as wide as RoBERTa-base with two layers.
func BenchmarkStep(b *testing.B) {
	for _, size := range []struct{ layers, hidden, tokens int }{{2, 128, 2048}, {2, 768, 2048}} {
		b.Run(fmt.Sprintf("%dx%d", size.layers, size.hidden), func(b *testing.B) {
			m, tasks, cfg := small(b, "")
			tok := m.Tokenizer
			cfg.Steps, cfg.TokensPerBatch = 1_000_000_000, size.tokens
			c := transformer.NewConfig(tok.VocabSize(), size.layers, size.hidden)
			c.PadTokenID, c.BOSTokenID, c.EOSTokenID = int(tok.Pad()), int(tok.BOS()), int(tok.EOS())
			tr, err := New(bare(c, tok), tasks, cfg)
			if err != nil {
				b.Fatal(err)
			}
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
