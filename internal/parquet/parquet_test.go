package parquet

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func contents(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// readAll reads at most so many rows.
func readAll(data []byte, most int) (rows []map[string]any, err error) {
	r, err := NewReader(bytes.NewReader(data), int64(len(data)))
	for err == nil && len(rows) < most {
		var row map[string]any
		if row, err = r.Next(); err == nil {
			rows = append(rows, row)
		}
	}
	if errors.Is(err, io.EOF) && err != io.EOF {
		return rows, errors.New("an end of file in disguise: " + err.Error())
	}
	if err == io.EOF {
		err = nil
	}
	return rows, err
}

// TestRows reads what pyarrow and datasets wrote: see testdata/parquet.py.
func TestRows(t *testing.T) {
	var want []any
	for _, line := range strings.Split(strings.TrimSpace(string(contents(t, "rows.jsonl"))), "\n") {
		var row any
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatal(err)
		}
		want = append(want, row)
	}
	if len(want) != 40 {
		t.Fatalf("%d rows", len(want))
	}
	for _, name := range []string{"plain.parquet", "snappy.parquet", "gzip2.parquet", "datasets.parquet"} {
		rows, err := readAll(contents(t, name), 1000)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		data, err := json.Marshal(rows) // so that ints compare with JSON's numbers
		if err != nil {
			t.Fatal(err)
		}
		var got []any
		if err := json.Unmarshal(data, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	_, err := readAll(contents(t, "zstd.parquet"), 1)
	if err == nil || !strings.Contains(err.Error(), "Zstandard") {
		t.Errorf("zstd: %v", err)
	}
}

// TestCut has a file that ends early at every byte.
func TestCut(t *testing.T) {
	data := contents(t, "snappy.parquet")
	for n := range data {
		if _, err := readAll(data[:n], 1000); err == nil {
			t.Fatalf("%d of %d bytes are read without an error", n, len(data))
		}
	}
}

// TestClaims has footers and pages that promise more than there is.
func TestClaims(t *testing.T) {
	file := func(footer ...byte) []byte {
		data := append([]byte("PAR1"), footer...)
		return append(binary.LittleEndian.AppendUint32(data, uint32(len(footer))), "PAR1"...)
	}
	for name, data := range map[string][]byte{
		"empty":                  nil,
		"another file":           []byte("a file of some length, and none of Parquet's"),
		"a footer too long":      append(binary.LittleEndian.AppendUint32([]byte("PAR1"), 1<<31), "PAR1"...),
		"2³¹ schema elements":    file(0x29, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x07),
		"a list in a list":       file(append([]byte{0x29}, bytes.Repeat([]byte{0x19}, 1<<16)...)...),
		"a text of 2⁶³ bytes":    file(0x18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f),
		"a group without an end": file(0x29, 0x1c, 0x55, 0x7f, 0x00, 0x00),
		"no columns":             file(0x29, 0x0c, 0x00),
	} {
		if rows, err := readAll(data, 10); err == nil {
			t.Errorf("%s: %d rows and no error", name, len(rows))
		}
	}
	if _, err := unsnap([]byte{0xff, 0xff, 0xff, 0xff, 0x07, 0}, 1<<31-1); err == nil {
		t.Error("six bytes of snappy made 2 GiB")
	}
}

func FuzzReader(f *testing.F) {
	for _, name := range []string{"plain.parquet", "snappy.parquet", "gzip2.parquet", "datasets.parquet"} {
		f.Add(contents(f, name), 0, byte(0))
	}
	// A change at a place of a good file gets further than bytes at random.
	f.Fuzz(func(t *testing.T, data []byte, at int, change byte) {
		if len(data) > 0 {
			data = bytes.Clone(data)
			data[uint(at)%uint(len(data))] ^= change
		}
		rows, err := readAll(data, 200)
		for _, row := range rows {
			if row == nil && err == nil {
				t.Error("a row of nothing")
			}
		}
	})
}
