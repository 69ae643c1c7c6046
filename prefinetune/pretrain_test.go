package prefinetune

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/prefinetune/suite"
	"github.com/muppet-go/muppet/transformer"
)

// smallModel returns a fresh RoBERTa or BART with the tokenizer of the embedded suite.
func smallModel(t testing.TB, kind string) *transformer.Model {
	t.Helper()
	tok, err := smallTokenizer()
	if err != nil {
		t.Fatal(err)
	}
	var m *transformer.Model
	if kind == "bart" {
		c := transformer.NewBartConfig(tok.VocabSize(), 1, 32)
		m = transformer.NewBartModel(transformer.NewBart(c, autograd.NewKey(5)), transformer.ConditionalGeneration, autograd.NewKey(6))
	} else {
		c := transformer.NewConfig(tok.VocabSize(), 1, 32)
		m = transformer.NewModel(transformer.NewEncoder(c, autograd.NewKey(5)), transformer.MaskedLM, autograd.NewKey(6))
	}
	m.Tokenizer = tok
	return m
}

func smallPretrain(out string) PretrainConfig {
	return PretrainConfig{Steps: 12, TokensPerBatch: 256, MaxLength: 64, LR: 3e-3, Seed: 4, Out: out, CheckpointEvery: 4}
}

// What is learned is more than which tokens are frequent.
func TestPretrainLearns(t *testing.T) {
	for _, kind := range []string{"roberta", "bart"} {
		m := smallModel(t, kind)
		cfg := smallPretrain("")
		cfg.Steps, cfg.TokensPerBatch, cfg.LR, cfg.Documents = 600, 512, 1e-2, true
		p, err := newPretrainer(m, suite.Corpus(1), cfg)
		if err != nil {
			t.Fatal(err)
		}
		r, err := p.run(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		count, total := map[int32]float64{}, 0.0
		for _, e := range p.train {
			for _, id := range e.sequences[0].IDs {
				if kind == "bart" || !special(p.noise.tok, id) {
					count[id]++
					total++
				}
			}
		}
		sum, n := 0.0, 0.0
		for _, b := range p.heldOutBatches() {
			for _, id := range b.targets {
				sum -= math.Log(max(count[id], 1) / total)
				n++
			}
		}
		frequent := math.Exp(sum / n)
		t.Logf("%s: perplexity %.1f, then %.1f, on %d tokens; by frequency %.1f", kind, r.Before, r.Perplexity, r.HeldOut, frequent)
		if vocab := float64(m.Config.VocabSize); r.Before < vocab/2 || r.Before > vocab*2 {
			t.Errorf("%s: perplexity %g at the start, of a vocabulary of %g", kind, r.Before, vocab)
		}
		if !(r.Perplexity < 0.65*frequent) {
			t.Errorf("%s: perplexity %g, that of the tokens' frequencies is %g", kind, r.Perplexity, frequent)
		}
	}
}

// A model that prefers no token has a perplexity of the vocabulary's size.
func TestPretrainUniform(t *testing.T) {
	for _, kind := range []string{"roberta", "bart"} {
		m := smallModel(t, kind)
		p, err := newPretrainer(m, suite.Corpus(1), smallPretrain(""))
		if err != nil {
			t.Fatal(err)
		}
		var table *autograd.Tensor
		if m.Bart != nil {
			table = m.Bart.Shared.Weight
		} else {
			table = m.Encoder.Embeddings.Word.Weight
		}
		autograd.Mutate(func(dst ...device.Slice) { table.Device().Fill(dst[0], 0) }, table)
		if got, want := p.perplexity(), float64(m.Config.VocabSize); math.Abs(got/want-1) > 1e-5 {
			t.Errorf("%s: perplexity %.6f, want %g", kind, got, want)
		}
	}
}

// A run in one piece, one that was interrupted twice, and one on a single processor come to the
// same bits.
func TestPretrainResumes(t *testing.T) {
	for _, kind := range []string{"roberta", "bart"} {
		texts := suite.Corpus(1)[:300]
		whole := smallPretrain(filepath.Join(t.TempDir(), "run"))
		whole.Accumulate = 2
		r, err := Pretrain(context.Background(), smallModel(t, kind), texts, whole)
		if err != nil {
			t.Fatal(err)
		}
		want := hashParameters(r.Model)

		parts := whole
		parts.Out = filepath.Join(t.TempDir(), "run")
		for _, stop := range []int{3, 8} {
			ctx, cancel := context.WithCancel(context.Background())
			parts.Progress = func(p Progress) {
				if p.Step == stop {
					cancel()
				}
			}
			if _, err := Pretrain(ctx, smallModel(t, kind), texts, parts); !errors.Is(err, ErrInterrupted) {
				t.Fatalf("interrupted at %d: %v", stop, err)
			}
		}
		parts.Progress = nil
		procs := runtime.GOMAXPROCS(1)
		again, err := Pretrain(context.Background(), smallModel(t, kind), texts, parts)
		runtime.GOMAXPROCS(procs)
		if err != nil {
			t.Fatal(err)
		}
		if got := hashParameters(again.Model); got != want {
			t.Errorf("%s: other weights after interruptions", kind)
		}
		if again.Before != r.Before || again.Perplexity != r.Perplexity {
			t.Errorf("%s: perplexity %g, %g in one piece, %g, %g in three", kind, r.Before, r.Perplexity, again.Before, again.Perplexity)
		}
		lines, err := os.ReadFile(filepath.Join(parts.Out, "metrics.jsonl"))
		if err != nil || strings.Count(string(lines), "\n") != whole.Steps {
			t.Errorf("%s: %d lines of metrics for %d steps (%v)", kind, strings.Count(string(lines), "\n"), whole.Steps, err)
		}

		loaded, err := transformer.Load(filepath.Join(parts.Out, "model"))
		if err != nil {
			t.Fatal(err)
		}
		if hashParameters(loaded) != want || loaded.Fresh != nil || loaded.Unused != nil {
			t.Errorf("%s: the folder has another model: %s", kind, loaded.Architecture())
		}

		parts.LR *= 2
		if _, err := Pretrain(context.Background(), smallModel(t, kind), texts, parts); err == nil || !strings.Contains(err.Error(), "lr is 0.003 there, 0.006 here") {
			t.Errorf("%s: another learning rate in the same folder: %v", kind, err)
		}
	}
}

// Only the chosen rows go through the vocabulary, and they cost what they would cost among all.
func TestPretrainLossIsThatOfAllRows(t *testing.T) {
	m := smallModel(t, "roberta")
	p, err := newPretrainer(m, suite.Corpus(1), smallPretrain(""))
	if err != nil {
		t.Fatal(err)
	}
	b := p.noise.noised(p.train[:5], autograd.NewKey(3))
	scope := autograd.NewScope().NoGrad()
	got := b.losses(scope, m, nil).Float32s()
	rows := make([]int32, b.batch.Tokens())
	for i := range rows {
		rows[i] = int32(i)
	}
	scores := m.MaskedLM.Forward(m.Encoder.Encode(scope, b.batch, nil), rows, m.Encoder.Embeddings.Word).Float32s()
	vocab := m.Config.VocabSize
	for i, row := range b.positions {
		sum := 0.0
		of := scores[int(row)*vocab : (int(row)+1)*vocab]
		for _, v := range of {
			sum += math.Exp(float64(v))
		}
		if want := math.Log(sum) - float64(of[b.targets[i]]); math.Abs(want-float64(got[i])) > 1e-4 {
			t.Errorf("row %d costs %g, want %g", row, got[i], want)
		}
	}
}

func TestMasking(t *testing.T) {
	tok, err := smallTokenizer()
	if err != nil {
		t.Fatal(err)
	}
	n := noiser{tok: tok, masked: 0.15}
	ids := slices.Concat([]int32{tok.BOS()}, tok.Encode(strings.Join(suite.Corpus(1)[:12], " ")).IDs, []int32{tok.EOS()})
	var tokens, chosen, masked, same float64
	for i := range 2000 {
		got, positions := n.mask(ids, rand.NewPCG(1, uint64(i)))
		tokens += float64(len(ids) - 2)
		chosen += float64(len(positions))
		if !slices.IsSorted(positions) || len(slices.Compact(slices.Clone(positions))) != len(positions) {
			t.Fatalf("positions %v", positions)
		}
		for p := range ids {
			switch was := slices.Contains(positions, int32(p)); {
			case !was && got[p] != ids[p]:
				t.Fatalf("token %d changed and was not chosen", p)
			case was && special(tok, ids[p]):
				t.Fatalf("token %d, a special one, was chosen", p)
			case was && got[p] == tok.Mask():
				masked++
			case was && got[p] == ids[p]:
				same++
			case special(tok, got[p]) && got[p] != ids[p]:
				t.Fatalf("token %d became %d", p, got[p])
			}
		}
	}
	for _, c := range []struct {
		what      string
		got, want float64
	}{{"chosen", chosen / tokens, 0.15}, {"masked", masked / chosen, 0.8}, {"left alone", same / chosen, 0.1}} {
		if math.Abs(c.got-c.want) > 0.01 {
			t.Errorf("%s: %.4f, want %g", c.what, c.got, c.want)
		}
	}
}

func TestInfilling(t *testing.T) {
	tok, err := smallTokenizer()
	if err != nil {
		t.Fatal(err)
	}
	n := noiser{tok: tok, masked: 0.3, span: 3}
	text := tok.Encode(strings.Join(suite.Corpus(1)[:12], " ")).IDs
	var gone, spans, inserted float64
	const rounds = 2000
	for _, words := range [][]int32{text, text[:9], text[:2], text[:1]} {
		ids := slices.Concat([]int32{tok.BOS()}, words, []int32{tok.EOS()})
		for i := range rounds {
			out := n.infill(ids, rand.NewPCG(2, uint64(i)))
			pieces := []string{} // what stayed, between the masks
			piece := ""
			for _, id := range out {
				if id == tok.Mask() {
					pieces, piece = append(pieces, piece), ""
				} else {
					piece += fmt.Sprintf(" %d.", id)
				}
			}
			pieces = append(pieces, piece)
			if out[0] != tok.BOS() || out[len(out)-1] != tok.EOS() || len(pieces) < 2 || slices.Contains(pieces[1:len(pieces)-1], "") {
				t.Fatalf("%v became %v", ids, out)
			}
			whole := ""
			for _, id := range ids {
				whole += fmt.Sprintf(" %d.", id)
			}
			at := 0 // the pieces are in the text, in order
			for _, p := range pieces {
				j := strings.Index(whole[at:], p)
				if j < 0 {
					t.Fatalf("%v became %v", ids, out)
				}
				at += j + len(p)
			}
			if len(words) == len(text) {
				gone += float64(len(ids) - (len(out) - (len(pieces) - 1)))
				spans += float64(len(pieces) - 1)
				if len(out) > len(ids) {
					inserted++
				}
			}
		}
	}
	if share := gone / (rounds * float64(len(text))); math.Abs(share-0.3) > 0.01 {
		t.Errorf("%.4f of the tokens are gone, want 0.3", share)
	}
	if mean := gone / spans; math.Abs(mean-3) > 0.15 { // the last span is cut
		t.Errorf("%.3f tokens a span, want 3", mean)
	}
}

func TestPretrainSequences(t *testing.T) {
	tok, err := smallTokenizer()
	if err != nil {
		t.Fatal(err)
	}
	texts := append(suite.Corpus(1)[:200], "", suite.Corpus(1)[7])
	lay := func(cfg PretrainConfig) (train, held [][]int32) {
		a, b, err := sequences(tok, texts, cfg, autograd.NewKey(cfg.Seed))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range a {
			train = append(train, e.sequences[0].IDs)
		}
		for _, e := range b {
			held = append(held, e.sequences[0].IDs)
		}
		for _, ids := range slices.Concat(train, held) {
			if ids[0] != tok.BOS() || ids[len(ids)-1] != tok.EOS() || len(ids) > cfg.MaxLength {
				t.Fatalf("sequence %v", ids)
			}
		}
		return train, held
	}
	// Packed, all sequences but the last are full, and nothing is lost.
	packed, none := lay(PretrainConfig{MaxLength: 20, HeldOut: -1})
	var got, want []int32
	for i, ids := range packed {
		if len(ids) != 20 && i < len(packed)-1 {
			t.Errorf("sequence %d has %d tokens", i, len(ids))
		}
		got = append(got, ids[1:len(ids)-1]...)
	}
	for i, s := range texts {
		if s != "" && i > 0 {
			want = append(want, tok.EOS())
		}
		want = append(want, tok.Encode(s).IDs...)
	}
	if !slices.Equal(got, want) || none != nil {
		t.Errorf("the sequences are not the texts: %d tokens, want %d; %d held out", len(got), len(want), len(none))
	}
	// By document, no held-out sequence is trained on, not even of a text that comes twice.
	for seed := range 20 {
		train, held := lay(PretrainConfig{MaxLength: 64, Documents: true, HeldOut: 0.3, Seed: uint64(seed)})
		trained, tokens, out := map[string]bool{}, 0, 0
		for _, ids := range train {
			trained[fmt.Sprint(ids)] = true
			tokens += len(ids) - 2
		}
		for _, ids := range held {
			out += len(ids) - 2
			if trained[fmt.Sprint(ids)] {
				t.Errorf("trained on and held out: %v", ids)
			}
		}
		if share := float64(out) / float64(tokens+out); share < 0.28 || share > 0.33 {
			t.Errorf("%.3f held out, want about 0.3", share)
		}
	}
}

func TestPretrainRefuses(t *testing.T) {
	good := suite.Corpus(1)[:50]
	for _, c := range []struct {
		name   string
		change func(*transformer.Model, *PretrainConfig) []string
		want   string
	}{
		{"no tokenizer", func(m *transformer.Model, _ *PretrainConfig) []string { m.Tokenizer = nil; return good }, "no tokenizer"},
		{"no texts", func(*transformer.Model, *PretrainConfig) []string { return []string{"", ""} }, "no text to learn from"},
		{"vocabulary", func(m *transformer.Model, _ *PretrainConfig) []string { m.Config.VocabSize = 100; return good }, "vocab_size is 100"},
		{"share", func(_ *transformer.Model, c *PretrainConfig) []string { c.Masked = 1.5; return good }, "Masked is 1.5"},
		{"rate", func(_ *transformer.Model, c *PretrainConfig) []string { c.LR = math.NaN(); return good }, "LR is NaN"},
		{"length", func(_ *transformer.Model, c *PretrainConfig) []string { c.MaxLength = 4; return good }, "want 8 to 256"},
	} {
		m, cfg := smallModel(t, "roberta"), smallPretrain("")
		texts := c.change(m, &cfg)
		if _, err := Pretrain(context.Background(), m, texts, cfg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
