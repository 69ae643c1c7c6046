package tensorboard

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// The checksum of RFC 3720, appendix B.4, masked as TensorFlow does.
func TestMaskedCRC(t *testing.T) {
	if got, want := maskedCRC(make([]byte, 32)), uint32(0x8a9136aa); (got-0xa282ead8)<<15|(got-0xa282ead8)>>17 != want {
		t.Errorf("checksum %#x of 32 zeros, unmasked, want %#x", (got-0xa282ead8)<<15|(got-0xa282ead8)>>17, want)
	}
}

// fields takes a protocol buffer apart.
func fields(t *testing.T, b []byte, each func(field int, number uint64, data []byte)) {
	t.Helper()
	for len(b) > 0 {
		k, n := binary.Uvarint(b)
		b = b[n:]
		var number uint64
		var data []byte
		switch k & 7 {
		case variable:
			number, n = binary.Uvarint(b)
		case fixed64:
			number, n = binary.LittleEndian.Uint64(b), 8
		case fixed32:
			number, n = uint64(binary.LittleEndian.Uint32(b)), 4
		case delimited:
			length, m := binary.Uvarint(b)
			n = m + int(length)
			data = b[m:n]
		default:
			t.Fatalf("wire type %d", k&7)
		}
		b = b[n:]
		each(int(k>>3), number, data)
	}
}

// read returns the events of a folder's only file, as text.
func read(t *testing.T, dir string) (events []string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 {
		t.Fatalf("files %v, %v", files, err)
	}
	b, err := os.ReadFile(filepath.Join(dir, files[0].Name()))
	if err != nil {
		t.Fatal(err)
	}
	for len(b) > 0 {
		n := binary.LittleEndian.Uint64(b)
		if maskedCRC(b[:8]) != binary.LittleEndian.Uint32(b[8:]) {
			t.Fatal("a length with a wrong checksum")
		}
		data := b[12 : 12+n]
		if maskedCRC(data) != binary.LittleEndian.Uint32(b[12+n:]) {
			t.Fatal("an event with a wrong checksum")
		}
		b = b[16+n:]
		text := ""
		fields(t, data, func(field int, number uint64, data []byte) {
			switch field {
			case 1:
				if age := time.Since(time.UnixMilli(int64(1000 * math.Float64frombits(number)))); age < -time.Second || age > time.Minute {
					t.Errorf("an event %v old", age)
				}
			case 2:
				text += fmt.Sprintf("step %d", number)
			case 3:
				text += " version " + string(data)
			case 5:
				fields(t, data, func(field int, _ uint64, data []byte) {
					if field != 1 {
						t.Errorf("field %d of a summary", field)
					}
					fields(t, data, func(field int, number uint64, data []byte) {
						switch field {
						case 1:
							text += " " + string(data)
						case 2:
							text += fmt.Sprintf("=%g", math.Float32frombits(uint32(number)))
						}
					})
				})
			case 7:
				fields(t, data, func(field int, number uint64, _ []byte) { text += fmt.Sprintf(" session %d:%d", field, number) })
			default:
				t.Errorf("field %d of an event", field)
			}
		})
		events = append(events, text)
	}
	return events
}

func TestWriter(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	for run := range 3 { // the files follow one another within a second
		w, err := Create(dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Add(300, []Scalar{{"loss/é", 0.5}, {"nothing", math.NaN()}, {"too large", 1e300}, {"lr", float64(run)}}); err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf("[step 0 version brain.Event:2 step 0 session 1:1 step 300 loss/é=0.5 lr=%d]", run)
		if got := fmt.Sprint(read(t, dir)); got != want { // before it is closed
			t.Errorf("events %s, want %s", got, want)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if err := w.Add(301, nil); err == nil {
			t.Error("no error from a file that is closed")
		}
	}
	if _, err := Create(os.DevNull); err == nil {
		t.Error("no error where there is no folder")
	}
}
