package parquet

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

var errCut = errors.New("a page is cut short")

// Codecs by their number in the format.
var codecs = []string{"none", "snappy", "gzip", "LZO", "Brotli", "LZ4", "Zstandard", "LZ4_RAW"}

// decompress returns size bytes made of data.
func decompress(codec int64, data []byte, size int) ([]byte, error) {
	if size == 0 {
		return nil, nil
	}
	switch codec {
	case 0:
		if len(data) != size {
			return nil, errCut
		}
		return data, nil
	case 1:
		return unsnap(data, size)
	case 2:
		z, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			return nil, err
		}
		// One byte more than there should be, so that it shows.
		out, err := io.ReadAll(io.LimitReader(z, int64(size)+1))
		if err == nil && len(out) != size {
			err = errors.New("a page has another size than its header says")
		}
		return out, err
	}
	name := fmt.Sprint(codec)
	if codec >= 0 && codec < int64(len(codecs)) {
		name = codecs[codec]
	}
	return nil, fmt.Errorf("compressed with %s: snappy, gzip and none can be read", name)
}

var errSnappy = errors.New("not valid snappy data")

// unsnap decompresses a block of snappy, which must make size bytes.
func unsnap(data []byte, size int) ([]byte, error) {
	n, k := binary.Uvarint(data)
	// A copy of three bytes makes 64 at most: a length beyond that is a lie.
	if k <= 0 || n != uint64(size) || size > 32*len(data) {
		return nil, errSnappy
	}
	data = data[k:]
	out := make([]byte, 0, size)
	for len(data) > 0 {
		tag := data[0]
		length, extra, offset := 1+int(tag>>2), 0, 0
		switch tag & 3 {
		case 0: // a literal, whose length may follow in up to four bytes
			if extra = length - 60; extra < 0 {
				extra = 0
			}
			if len(data) < 1+extra {
				return nil, errSnappy
			}
			if extra > 0 {
				var b [8]byte
				copy(b[:], data[1:1+extra])
				length = 1 + int(binary.LittleEndian.Uint64(b[:]))
			}
			data = data[1+extra:]
			if length > len(data) || length > size-len(out) {
				return nil, errSnappy
			}
			out = append(out, data[:length]...)
			data = data[length:]
			continue
		case 1:
			if len(data) < 2 {
				return nil, errSnappy
			}
			length = 4 + int(tag>>2&7)
			offset, data = int(tag>>5)<<8|int(data[1]), data[2:]
		case 2:
			if len(data) < 3 {
				return nil, errSnappy
			}
			offset, data = int(binary.LittleEndian.Uint16(data[1:])), data[3:]
		case 3:
			if len(data) < 5 {
				return nil, errSnappy
			}
			offset, data = int(binary.LittleEndian.Uint32(data[1:])), data[5:]
		}
		if offset == 0 || offset > len(out) || length > size-len(out) {
			return nil, errSnappy
		}
		for range length { // it may run into what it writes
			out = append(out, out[len(out)-offset])
		}
	}
	if len(out) != size {
		return nil, errSnappy
	}
	return out, nil
}

// A hybrid reads numbers of up to 32 bits, in runs of one value or packed in eights.
type hybrid struct {
	data   []byte
	width  int    // bits of a number
	repeat uint64 // how often value comes again
	value  uint32
	packed uint64 // numbers left in a packed run
	bits   int    // bits of its first byte that were read
}

func (h *hybrid) next() (uint32, error) {
	for h.repeat == 0 && h.packed == 0 {
		head, n := binary.Uvarint(h.data)
		if n <= 0 || head>>1 == 0 {
			return 0, errCut
		}
		h.data = h.data[n:]
		if head&1 == 1 {
			h.packed, h.bits = head>>1, 0
			if h.packed > 1<<32 {
				return 0, errCut
			}
			h.packed *= 8
			continue
		}
		bytes := (h.width + 7) / 8
		if len(h.data) < bytes {
			return 0, errCut
		}
		h.repeat, h.value = head>>1, 0
		for i, b := range h.data[:bytes] {
			h.value |= uint32(b) << (8 * i)
		}
		h.data = h.data[bytes:]
	}
	if h.repeat > 0 {
		h.repeat--
		return h.value, nil
	}
	h.packed--
	var v uint64
	for have := 0; have < h.width; {
		if len(h.data) == 0 {
			return 0, errCut
		}
		take := min(8-h.bits, h.width-have)
		v |= uint64(h.data[0]>>h.bits) & (1<<take - 1) << have
		have += take
		if h.bits += take; h.bits == 8 {
			h.data, h.bits = h.data[1:], 0
		}
	}
	if h.packed == 0 && h.bits > 0 {
		h.data, h.bits = h.data[1:], 0
	}
	return uint32(v), nil
}
