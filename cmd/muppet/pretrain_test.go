package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/muppet-go/muppet/transformer"
)

func TestPretrainCommand(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "corpus", "a.txt")
	if err := os.Mkdir(filepath.Dir(text), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(text, []byte(strings.Repeat("The brask lives in the marsh.\n\nA tovel is a tool,\nand it is red.\n\n", 20)+"And one more."), 0o644); err != nil {
		t.Fatal(err)
	}
	small := []string{"pretrain", "-layers", "1", "-hidden", "32", "-steps", "4", "-tokens", "128", "-max-length", "32"}
	for _, c := range []struct {
		args []string
		want []string
	}{
		{[]string{"-out", filepath.Join(dir, "embedded")}, []string{"RobertaForMaskedLM after 4 steps", "in held-out texts"}},
		{[]string{"-out", filepath.Join(dir, "bart"), "-type", "bart", "-vocab", "300", filepath.Dir(text)}, []string{"41 texts", "BartForConditionalGeneration after 4 steps"}},
		{[]string{"-out", filepath.Join(dir, "lines"), "-split", "line", "-vocab", "300", "-held-out", "0", text}, []string{"61 texts", "RobertaForMaskedLM"}},
	} {
		status, out, stderr := muppet(context.Background(), append(small, c.args...)...)
		if status != 0 {
			t.Fatalf("%v: %s", c.args, stderr)
		}
		for _, want := range c.want {
			if !strings.Contains(out, want) {
				t.Errorf("%v: %q is not in\n%s", c.args, want, out)
			}
		}
	}
	status, out, stderr := muppet(context.Background(), "pretrain", "-init", filepath.Join(dir, "embedded", "model"), "-steps", "2", "-out", filepath.Join(dir, "more"))
	if status != 0 || strings.Contains(out, "fresh") {
		t.Errorf("-init: %s%s", out, stderr)
	}
	m, err := transformer.Load(filepath.Join(dir, "more", "model"))
	if err != nil || m.Head != transformer.MaskedLM || m.Fresh != nil || m.Tokenizer == nil {
		t.Errorf("the model of -init: %v", err)
	}
	for _, c := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{"-masked", "2"}, 2, "-masked 2: want 0.001 to 0.9"},
		{[]string{"-type", "gpt"}, 2, "want roberta or bart"},
		{[]string{"-init", "x", "-hidden", "32"}, 2, "-hidden describes a fresh model"},
		{[]string{"-tokenizer", "x", "-vocab", "300"}, 2, "-vocab describes a fresh tokenizer"},
		{[]string{"-out", filepath.Join(dir, "x"), filepath.Join(dir, "absent.txt")}, 1, "absent.txt"},
		{[]string{"-out", filepath.Join(dir, "x"), "-init", dir}, 1, "config.json"},
	} {
		if status, _, stderr := muppet(context.Background(), append([]string{"pretrain"}, c.args...)...); status != c.status || !strings.Contains(stderr, c.want) {
			t.Errorf("%v: status %d, %s", c.args, status, stderr)
		}
	}
}
