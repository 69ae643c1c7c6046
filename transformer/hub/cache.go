package hub

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/muppet-go/muppet/internal/file"
)

func (m *model) snapshot(commit string) string { return filepath.Join(m.folder, "snapshots", commit) }

func (m *model) ref(revision string) string {
	return filepath.Join(m.folder, "refs", filepath.FromSlash(revision))
}

// commit returns the commit that a revision was when last asked for.
func (m *model) commit(revision string) (string, error) {
	if validCommit.MatchString(revision) {
		return revision, nil
	}
	data, err := file.Read(m.ref(revision), 128)
	if err != nil {
		return "", err
	}
	commit := strings.TrimSpace(string(data))
	if !validCommit.MatchString(commit) {
		return "", fmt.Errorf("%s: %q is no commit", m.ref(revision), commit)
	}
	return commit, nil
}

func (m *model) setCommit(revision, commit string) error {
	if revision == commit {
		return nil
	}
	path := m.ref(revision)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return file.Replace(path, func(w io.Writer) error {
		_, err := io.WriteString(w, commit)
		return err
	})
}

// exists says whether there is a file, or a link to one.
func exists(path string) bool {
	stat, err := os.Stat(path)
	return err == nil && stat.Mode().IsRegular()
}

// fetch puts a file of a commit into the snapshot.
func (m *model) fetch(ctx context.Context, s *server, commit, name string) error {
	d, err := s.describe(ctx, m.name, commit, name)
	if err != nil {
		return err
	}
	if d.size > m.MaxSize {
		return fmt.Errorf("%d bytes, the limit is %d", d.size, m.MaxSize)
	}
	unlock, err := m.lock(ctx, d.hash)
	if err != nil {
		return err
	}
	defer unlock()
	blob := filepath.Join(m.folder, "blobs", d.hash)
	if stat, err := os.Stat(blob); err != nil || stat.Size() != d.size {
		progress := func(done int64) {
			if m.Progress != nil {
				m.Progress(name, done, d.size)
			}
		}
		if err := fetchBlob(ctx, s, d, blob, progress); err != nil {
			return err
		}
	}
	return link(blob, filepath.Join(m.snapshot(commit), filepath.FromSlash(name)))
}

// lock waits until no other process fetches the same content.
func (m *model) lock(ctx context.Context, hash string) (unlock func() error, err error) {
	dir := filepath.Join(m.Cache, ".locks", filepath.Base(m.folder))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, hash+".lock"), os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, err
	}
	for {
		err := file.Lock(f)
		if err == nil {
			return f.Close, nil
		}
		if !errors.Is(err, file.ErrLocked) {
			f.Close()
			return nil, err
		}
		if err := sleep(ctx, 50*time.Millisecond); err != nil {
			f.Close()
			return nil, err
		}
	}
}

// openIncomplete is a variable so that a test can have a full disk.
var openIncomplete = func(path string) (*os.File, error) { return os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666) }

// fetchBlob completes a content under another name and then gives it its own.
func fetchBlob(ctx context.Context, s *server, d description, blob string, progress func(done int64)) error {
	if err := os.MkdirAll(filepath.Dir(blob), 0o755); err != nil {
		return err
	}
	incomplete := blob + ".incomplete"
	f, err := openIncomplete(incomplete)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := s.complete(ctx, f, d, progress); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(incomplete, blob); err != nil {
		return err
	}
	return file.SyncFolder(filepath.Dir(blob))
}

// verify compares a content with its hash, which is SHA-256 of large files and Git's of others.
func (d description) verify(r io.Reader) error {
	var h hash.Hash
	if len(d.hash) == 2*sha256.Size {
		h = sha256.New()
	} else {
		h = sha1.New()
		fmt.Fprintf(h, "blob %d\x00", d.size) // as git hash-object does
	}
	if _, err := io.Copy(h, r); err != nil {
		return err
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != d.hash {
		return fmt.Errorf("%w: it is %s, the server said %s", errHash, got, d.hash)
	}
	return nil
}

var errHash = errors.New("the content has another hash than it should")

// symlink and hardlink are variables so that a test can be on a system without.
var symlink, hardlink = os.Symlink, os.Link

// link gives a content the name of a file.
func link(blob, path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	target, err := filepath.Rel(filepath.Dir(path), blob)
	if err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) { // a link to nothing
		return err
	}
	if symlink(target, path) == nil || hardlink(blob, path) == nil || exists(path) {
		return nil
	}
	return file.Replace(path, func(w io.Writer) error {
		f, err := file.Open(blob)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.Copy(w, f)
		return err
	})
}
