package hub

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/muppet-go/muppet/device/reference" // for MUPPET_DEVICE=reference
	"github.com/muppet-go/muppet/transformer"
)

// What is fetched is what transformer.Load needs.
func TestLoad(t *testing.T) {
	for _, folder := range []string{"bin/several", "bin/one", "wide", "bart/odd"} {
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
		if settings, ok := files["generation_config.json"]; ok {
			files["generation_config.json"] = strings.Replace(settings, "{", `{"num_beams": 3,`, 1)
		}
		_, c := start(t, files)
		dir, err := Download(context.Background(), c, "org/tiny", "")
		if err != nil {
			t.Fatal(err)
		}
		m, err := transformer.Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		if m.Fresh != nil {
			t.Errorf("%s: fresh %q", folder, m.Fresh)
		}
		if m.LM != nil && m.Generation.NumBeams != 3 {
			t.Errorf("%s: settings %+v", folder, m.Generation)
		}
	}
}
