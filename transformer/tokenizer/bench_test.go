package tokenizer

import (
	"bufio"
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

// BenchmarkTrainFile trains on one large file, and writes what it learned.
func BenchmarkTrainFile(b *testing.B) {
	path, out := os.Getenv("MUPPET_SPEED_CORPUS"), os.Getenv("MUPPET_SPEED_OUT")
	if path == "" || out == "" {
		b.Skip("testdata/speed.py runs this")
	}
	var tok *Tokenizer
	for b.Loop() {
		f, err := os.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		s := bufio.NewScanner(f)
		s.Buffer(nil, 1<<20)
		tok, err = Train(func(yield func(string) bool) {
			for s.Scan() && yield(s.Text()) {
			}
		}, TrainConfig{VocabSize: 32000})
		f.Close()
		if err == nil {
			err = s.Err()
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	if err := tok.Save(out); err != nil {
		b.Fatal(err)
	}
}
