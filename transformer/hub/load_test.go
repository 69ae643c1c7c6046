package hub

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/muppet-go/muppet/transformer"
)

// What is fetched is what transformer.Load needs.
func TestLoad(t *testing.T) {
	for _, folder := range []string{"bin/several", "bin/one", "wide"} {
		files := map[string]string{"README.md": "x"}
		paths, err := filepath.Glob(filepath.Join("../testdata", folder, "*"))
		if err != nil || len(paths) < 2 {
			t.Fatal(paths, err)
		}
		for _, path := range paths {
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			files[filepath.Base(path)] = string(content)
		}
		_, c := start(t, files)
		dir, err := Download(context.Background(), c, "org/tiny", "")
		if err != nil {
			t.Fatal(err)
		}
		if m, err := transformer.Load(dir); err != nil {
			t.Error(err)
		} else if m.Fresh != nil {
			t.Errorf("%s: fresh %q", folder, m.Fresh)
		}
	}
}
