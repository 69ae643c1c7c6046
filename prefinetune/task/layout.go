package task

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/itchyny/gojq"
)

// A layout says how to read a task's files in one of the forms that a dataset comes in.
type layout struct {
	splits  map[string][]*source // one source, or several side by side
	example *gojq.Code
}

// layout returns the first layout whose files are all there, the first of all if that is so of
// none, and nil for a generated task.
func (t *Task) layout() *layout {
	for _, l := range t.layouts {
		if l.there() {
			return l
		}
	}
	if len(t.layouts) == 0 {
		return nil
	}
	return t.layouts[0]
}

// there reports whether all files of a layout exist.
func (l *layout) there() bool {
	for _, sources := range l.splits {
		for _, s := range sources {
			if _, err := os.Stat(s.paths()[0]); err != nil { // those that match a pattern are there
				return false
			}
		}
	}
	return true
}

// paths returns the files that a source is made of, in order: those that match, if its name has a
// "*", and the name itself if none does.
func (s *source) paths() []string {
	if !strings.Contains(s.file, "*") {
		return []string{s.path}
	}
	dir := s.dir
	if dir == "" {
		dir = "."
	}
	found, _ := fs.Glob(os.DirFS(dir), filepath.ToSlash(s.file)) // its one error is a bad pattern
	if len(found) == 0 {
		return []string{s.path}
	}
	for i, name := range found {
		found[i] = filepath.Join(s.dir, filepath.FromSlash(name))
	}
	return found
}
