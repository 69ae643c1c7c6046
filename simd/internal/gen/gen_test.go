package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestCommittedFilesAreGenerated fails when an assembly file of package simd is
// not what the generator writes, or has no generator.
func TestCommittedFilesAreGenerated(t *testing.T) {
	const directory = "../.."
	generated := files()
	for name, want := range generated {
		got, err := os.ReadFile(filepath.Join(directory, name))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is out of date (run go generate ./simd): %v", name, err)
		}
	}
	committed, err := filepath.Glob(filepath.Join(directory, "*.s"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range committed {
		const byHand = "cpuid_base_amd64.s" // one instruction, which no family has
		if name := filepath.Base(path); name != byHand && generated[name] == nil {
			t.Errorf("%s is not generated", path)
		}
	}
}
