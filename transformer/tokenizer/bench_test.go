package tokenizer

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// speedFolder returns the folder that testdata/speed.py prepares.
func speedFolder(b *testing.B) (dir string, lines []string) {
	dir = os.Getenv("MUPPET_SPEED")
	if dir == "" {
		b.Skip("testdata/speed.py runs this")
	}
	content, err := os.ReadFile(filepath.Join(dir, "lines.txt"))
	if err != nil {
		b.Fatal(err)
	}
	return dir, strings.Split(string(content), "\n")
}

func BenchmarkEncodeBatch(b *testing.B) {
	dir, lines := speedFolder(b)
	for _, name := range []string{"bpe", "wordpiece"} {
		b.Run(name, func(b *testing.B) {
			tok, err := Load(filepath.Join(dir, name))
			if err != nil {
				b.Fatal(err)
			}
			size, tokens := 0, 0
			for i, e := range tok.EncodeBatch(Options{}, lines, nil) {
				size, tokens = size+len(lines[i]), tokens+len(e.IDs)
			}
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				tok.EncodeBatch(Options{}, lines, nil)
			}
			b.ReportMetric(float64(tokens), "tokens/op")
			b.ReportMetric(float64(len(lines)), "texts/op")
		})
	}
}

func BenchmarkTrain(b *testing.B) {
	_, lines := speedFolder(b)
	for name, train := range map[string]func() error{
		"bpe": func() error {
			_, err := Train(slices.Values(lines), TrainConfig{VocabSize: 30000})
			return err
		},
		"wordpiece": func() error {
			_, err := TrainWordPiece(slices.Values(lines), TrainConfig{VocabSize: 30000})
			return err
		},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := train(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
