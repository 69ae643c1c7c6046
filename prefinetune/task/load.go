package task

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// maxTaskFile bounds a task file, and with it the depth of the YAML parser's
// recursion.
const maxTaskFile = 64 << 10 // bytes

// Load reads task files. A path is a YAML file or a folder, whose *.yaml files
// are taken in the order of their names. The files that the tasks name lie
// below dataDir; they are opened by Read, not here.
//
// An error names file, line and field. Two tasks of one name are an error.
func Load(dataDir string, paths ...string) ([]*Task, error) {
	var tasks []*Task
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		dir, pattern := path, "*.yaml"
		if !info.IsDir() {
			dir, pattern = filepath.Split(path)
		}
		found, err := loadMatching(os.DirFS(filepath.Clean(dir)), pattern, dir, dataDir)
		if err != nil {
			return nil, err
		}
		tasks = append(tasks, found...)
	}
	return tasks, unique(tasks)
}

// LoadFS is Load for the *.yaml files at the root of fsys, such as an embedded
// catalogue.
func LoadFS(fsys fs.FS, dataDir string) ([]*Task, error) {
	tasks, err := loadMatching(fsys, "*.yaml", "", dataDir)
	if err != nil {
		return nil, err
	}
	return tasks, unique(tasks)
}

// loadMatching reads the task files of a folder that match the pattern; dir is
// the folder's name for messages.
func loadMatching(fsys fs.FS, pattern, dir, dataDir string) ([]*Task, error) {
	names, err := fs.Glob(fsys, pattern)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("no task files match %s", filepath.Join(dir, pattern))
	}
	var tasks []*Task
	for _, name := range names {
		path := filepath.Join(dir, name)
		source, err := readTaskFile(fsys, name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		t, err := parse(path, source, dataDir)
		if err != nil {
			return nil, err
		}
		tasks = append(tasks, t)
	}
	return tasks, nil
}

func readTaskFile(fsys fs.FS, name string) ([]byte, error) {
	info, err := fs.Stat(fsys, name)
	if err != nil {
		return nil, errors.Unwrap(err) // the caller names the path
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	if info.Size() > maxTaskFile {
		return nil, fmt.Errorf("task file longer than %d bytes", maxTaskFile)
	}
	return fs.ReadFile(fsys, name)
}

func unique(tasks []*Task) error {
	paths := make(map[string]string, len(tasks))
	for _, t := range tasks {
		if first, twice := paths[t.Name]; twice {
			return fmt.Errorf("%s and %s both name their task %s", first, t.Path, t.Name)
		}
		paths[t.Name] = t.Path
	}
	return nil
}
