// Package tensorboard writes event files that TensorBoard shows: scalars over steps.
//
// A file is a sequence of TFRecords, each the length of its data (8 bytes, little-endian),
// a masked CRC-32C of that length, the data and a masked CRC-32C of the data. The data are
// the protocol buffers of TensorFlow's event.proto and summary.proto, of which this
// package knows
//
//	Event       1 wall_time double, 2 step int64, 3 file_version string, 5 summary Summary, 7 session_log SessionLog
//	Summary     1 value repeated Value
//	Value       1 tag string, 2 simple_value float
//	SessionLog  1 status enum, of which 1 is START
package tensorboard

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// A Scalar is a value at a step. Tags with the same text before a "/" are shown together.
type Scalar struct {
	Tag   string
	Value float64
}

// A Writer writes an event file. It keeps nothing in memory: what was added is in the file.
type Writer struct {
	f   *os.File
	buf []byte
}

// Create makes a folder's only event file. Its first event tells a TensorBoard that had read
// files there before to forget what they said.
func Create(dir string) (*Writer, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	old, err := filepath.Glob(filepath.Join(dir, "events.out.tfevents.*"))
	if err != nil {
		return nil, err
	}
	// TensorBoard reads files in the order of their names, and goes on to the last of them.
	stamp := time.Now().Unix()
	for _, path := range old {
		var n int64
		if _, err := fmt.Sscanf(filepath.Base(path), "events.out.tfevents.%d.", &n); err == nil {
			stamp = max(stamp, n+1)
		}
	}
	f, err := os.OpenFile(filepath.Join(dir, fmt.Sprintf("events.out.tfevents.%010d.muppet", stamp)), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, err
	}
	w := &Writer{f: f}
	version := event(0)
	version = text(version, 3, "brain.Event:2")
	start := event(0)
	start = message(start, 7, varint(nil, 1, 1))
	for _, e := range [][]byte{version, start} {
		if err := w.record(e); err != nil {
			f.Close()
			os.Remove(f.Name())
			return nil, err
		}
	}
	for _, path := range old {
		if err := os.Remove(path); err != nil {
			f.Close()
			return nil, err
		}
	}
	return w, nil
}

// Add writes the scalars of a step. Those that are not finite are left out.
func (w *Writer) Add(step int, scalars []Scalar) error {
	var summary []byte
	for _, s := range scalars {
		if v := float32(s.Value); v-v == 0 {
			value := text(nil, 1, s.Tag)
			value = append(key(value, 2, fixed32), binary.LittleEndian.AppendUint32(nil, math.Float32bits(v))...)
			summary = message(summary, 1, value)
		}
	}
	return w.record(message(event(step), 5, summary))
}

// Close closes the file.
func (w *Writer) Close() error { return w.f.Close() }

// record writes a record in one call, so that a reader finds whole ones but for the last.
func (w *Writer) record(data []byte) error {
	b := binary.LittleEndian.AppendUint64(w.buf[:0], uint64(len(data)))
	b = binary.LittleEndian.AppendUint32(b, maskedCRC(b))
	b = append(b, data...)
	b = binary.LittleEndian.AppendUint32(b, maskedCRC(data))
	w.buf = b
	_, err := w.f.Write(b)
	return err
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// maskedCRC is the checksum of a TFRecord: of data that hold checksums themselves, plain ones
// would be poor.
func maskedCRC(data []byte) uint32 {
	c := crc32.Checksum(data, castagnoli)
	return (c>>15 | c<<17) + 0xa282ead8
}

// Wire types of protocol buffers.
const (
	variable  = 0
	fixed64   = 1
	delimited = 2
	fixed32   = 5
)

func key(b []byte, field, wire int) []byte {
	return binary.AppendUvarint(b, uint64(field<<3|wire))
}

func varint(b []byte, field int, v uint64) []byte {
	return binary.AppendUvarint(key(b, field, variable), v)
}

func message(b []byte, field int, m []byte) []byte {
	return append(binary.AppendUvarint(key(b, field, delimited), uint64(len(m))), m...)
}

func text(b []byte, field int, s string) []byte { return message(b, field, []byte(s)) }

// event begins an event.
func event(step int) []byte {
	now := float64(time.Now().UnixNano()) / 1e9
	b := binary.LittleEndian.AppendUint64(key(nil, 1, fixed64), math.Float64bits(now))
	return varint(slices.Clip(b), 2, uint64(step))
}
