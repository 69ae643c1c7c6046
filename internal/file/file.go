// Package file reads files that may come from strangers, and writes files so that
// they appear whole or not at all.
package file

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
)

// Open opens a regular file. It refuses a pipe or a device, which could keep its
// reader waiting for ever.
func Open(path string) (*os.File, error) {
	// Asked before opening, because opening a pipe waits for its other end.
	if stat, err := os.Stat(path); err != nil {
		return nil, err
	} else if !stat.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a regular file", path)
	}
	return os.Open(path)
}

// OpenSized opens a regular file as Open does and returns its size in bytes, too.
func OpenSized(path string) (*os.File, int64, error) {
	f, err := Open(path)
	if err != nil {
		return nil, 0, err
	}
	stat, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, stat.Size(), nil
}

// Read returns the content of a regular file of at most limit bytes.
func Read(path string, limit int) ([]byte, error) {
	f, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, int64(limit)+1))
	if err != nil {
		return nil, err
	}
	if len(content) > limit {
		return nil, fmt.Errorf("%s: larger than %d bytes", path, limit)
	}
	return content, nil
}

// Replace writes a file beside path and, once it is on disk, gives it path's name.
// On an error nothing is left behind and an earlier file is as it was.
func Replace(path string, write func(w io.Writer) error) (err error) {
	temporary := fmt.Sprintf("%s.%016x.tmp", path, rand.Uint64())
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(temporary)
		}
	}()
	w := bufio.NewWriterSize(f, 1<<16)
	if err := write(w); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(temporary, path); err != nil {
		return err
	}
	return SyncFolder(filepath.Dir(path))
}

// SyncFolder makes what was renamed in a folder last.
func SyncFolder(dir string) error {
	if runtime.GOOS == "windows" || runtime.GOOS == "js" {
		return nil // which cannot sync a folder
	}
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer folder.Close()
	return folder.Sync()
}

// ErrLocked says that another process, or another part of this one, holds a lock.
var ErrLocked = errors.New("in use by another process")

// Lock keeps others from locking an open file, until it is closed. It does not
// wait: it returns [ErrLocked] if another holds the lock. On systems without
// such locks it does nothing.
func Lock(f *os.File) error { return lock(f) }
