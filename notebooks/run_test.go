package notebooks

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const (
	kernelFile = "testdata/kernel/kernel.go"
	separator  = "\x1e" // kernel.go's
)

// run compiles the program, without cgo and without files in the repository, and
// returns the output of each cell.
func (c *checked) run(dir string) ([]output, error) {
	source := filepath.Join(dir, "main.go")
	if err := os.WriteFile(source, []byte(c.source), 0o644); err != nil {
		return nil, err
	}
	kernel, err := filepath.Abs(kernelFile)
	if err != nil {
		return nil, err
	}
	// The overlay puts the program into a folder of this module that does not exist.
	virtual, err := filepath.Abs("testdata/program")
	if err != nil {
		return nil, err
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{
		filepath.Join(virtual, "main.go"):   source,
		filepath.Join(virtual, "kernel.go"): kernel,
	}})
	if err != nil {
		return nil, err
	}
	overlayFile := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlayFile, overlay, 0o644); err != nil {
		return nil, err
	}
	binary := filepath.Join(dir, "program.exe")
	build := exec.Command("go", "build", "-overlay", overlayFile, "-gcflags=-lang="+language, "-o", binary, "./testdata/program")
	build.Env = environment()
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", c.file, err, out)
	}
	cmd := exec.Command(binary)
	cmd.Dir = dir
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", c.file, err, stderr.String())
	}
	return outputs(string(out), c.cells)
}

// outputs takes apart what the program printed.
func outputs(printed string, cells int) ([]output, error) {
	var result []output
	for len(result) < cells {
		stdout, rest, ok := strings.Cut(printed, separator)
		line, rest, ended := strings.Cut(rest, "\n")
		if !ok || !ended {
			return nil, fmt.Errorf("the program ended in cell %d", len(result)+1)
		}
		o := output{stdout: stdout, data: map[string]string{}}
		if err := json.Unmarshal([]byte(line), &o.data); err != nil {
			return nil, err
		}
		result = append(result, o)
		printed = rest
	}
	return result, nil
}
