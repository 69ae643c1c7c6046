package torchfile

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/muppet-go/muppet/nn/safetensors"
)

// An archive is the zip file around the pickle and the storages.
type archive struct {
	r       io.ReaderAt
	size    int64
	root    string // what the names of all entries begin with
	entries map[string]*zip.File
	found   map[string]section
}

// A section is where in the file the bytes of an entry are.
type section struct{ at, len int64 }

func openArchive(r io.ReaderAt, size int64) (*archive, error) {
	head := make([]byte, min(size, 4))
	if _, err := r.ReadAt(head, 0); err != nil && err != io.EOF {
		return nil, err
	}
	if bytes.HasPrefix(head, []byte{0x80, 2, 0x8a, 10}) { // a pickle, of a magic number of ten bytes
		return nil, errors.New("is in the format from before PyTorch 1.6, which is not read: load it in PyTorch and save it " +
			"again, better as model.safetensors")
	}
	if !bytes.Equal(head, []byte("PK\x03\x04")) {
		return nil, errors.New("is no zip archive, as torch.save writes")
	}
	limited := &budget{r: r, left: maxDirectory}
	z, err := zip.NewReader(limited, size)
	if err != nil {
		return nil, err
	}
	a := &archive{r: r, size: size, entries: map[string]*zip.File{}, found: map[string]section{}}
	for _, e := range z.File {
		if a.entries[e.Name] != nil {
			return nil, fmt.Errorf("entry %.200q occurs twice", e.Name)
		}
		a.entries[e.Name] = e
		if root, ok := strings.CutSuffix(e.Name, "/data.pkl"); ok && !strings.Contains(root, "/") {
			if a.root != "" {
				return nil, fmt.Errorf("entries %.200q and %.200q: want one data.pkl", a.root+"data.pkl", e.Name)
			}
			a.root = root + "/"
		}
	}
	limited.left = math.MaxInt64 // what is read from now on is asked for
	if a.root == "" {
		return nil, errors.New("has no entry archive/data.pkl, as torch.save writes")
	}
	if a.entries[a.root+"byteorder"] != nil {
		order, err := a.read("byteorder", 16)
		if err != nil {
			return nil, err
		}
		if string(order) != "little" {
			return nil, fmt.Errorf("byteorder is %q: only little is read", order)
		}
	}
	return a, nil
}

// section finds an entry's bytes.
func (a *archive) section(name string) (section, error) {
	if s, ok := a.found[name]; ok {
		return s, nil
	}
	e := a.entries[a.root+name]
	if e == nil {
		return section{}, fmt.Errorf("no entry %.200q", a.root+name)
	}
	at, err := e.DataOffset()
	if err != nil {
		return section{}, fmt.Errorf("entry %.200q: %w", e.Name, err)
	}
	const encrypted = 1
	if e.Method != zip.Store || e.Flags&encrypted != 0 || e.CompressedSize64 != e.UncompressedSize64 {
		return section{}, fmt.Errorf("entry %.200q is compressed or encrypted, torch.save's are not", e.Name)
	}
	if at < 0 || at > a.size || e.UncompressedSize64 > uint64(a.size-at) {
		return section{}, fmt.Errorf("entry %.200q: %d bytes at %d in a file of %d", e.Name, e.UncompressedSize64, at, a.size)
	}
	s := section{at, int64(e.UncompressedSize64)}
	a.found[name] = s
	return s, nil
}

// read returns the bytes of a small entry.
func (a *archive) read(name string, limit int64) ([]byte, error) {
	s, err := a.section(name)
	if err != nil {
		return nil, err
	}
	if s.len > limit {
		return nil, fmt.Errorf("entry %.200q: %d bytes, the limit is %d", a.root+name, s.len, limit)
	}
	b := make([]byte, s.len)
	if _, err := io.ReadFull(io.NewSectionReader(a.r, s.at, s.len), b); err != nil {
		return nil, fmt.Errorf("entry %.200q: %w", a.root+name, err)
	}
	return b, nil
}

// storage finds what the pickle refers to as ("storage", type, key, location, number of elements).
func (a *archive) storage(id tuple) (any, error) {
	if len(id) != 5 || id[0] != "storage" {
		return nil, fmt.Errorf("a reference of %d parts: want a storage", len(id))
	}
	dtype, ok1 := id[1].(safetensors.DType)
	key, ok2 := id[2].(string)
	n, err := integer(id[4])
	if !ok1 || !ok2 || err != nil {
		return nil, fmt.Errorf("a storage of %T, %T, %s: want a type, a string and a number", id[1], id[2], describe(id[4]))
	}
	s, err := a.section("data/" + key)
	if err != nil {
		return nil, err
	}
	size := int64(max(1, dtype.Size())) // untyped ones count bytes
	if int64(n) != s.len/size || s.len%size != 0 {
		return nil, fmt.Errorf("storage %.200q: %d elements of %d bytes, the entry has %d bytes", key, n, size, s.len)
	}
	return storage{dtype, n, s.at}, nil
}

// A budget is a reader that ends after so many bytes.
type budget struct {
	r    io.ReaderAt
	left int64
}

func (b *budget) ReadAt(p []byte, at int64) (int, error) {
	if b.left -= int64(len(p)); b.left < 0 {
		return 0, fmt.Errorf("the list of entries takes more than %d bytes", maxDirectory)
	}
	return b.r.ReadAt(p, at)
}
