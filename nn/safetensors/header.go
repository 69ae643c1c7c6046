package safetensors

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"
)

// Info describes one tensor of a file.
type Info struct {
	Name  string
	DType DType
	Shape []int // a scalar has none

	begin, end int64 // bytes, counted from the end of the header
}

// String returns the tensor in one line, such as "fc1.weight F32[128 784]".
func (i Info) String() string { return fmt.Sprintf("%s %s%v", i.Name, i.DType, i.Shape) }

// Len returns the number of elements.
func (i Info) Len() int {
	n := 1
	for _, d := range i.Shape {
		n *= d
	}
	return n
}

// size returns the bytes that a tensor of this type and shape takes, in checked arithmetic.
func size(dtype DType, shape []int) (int64, error) {
	n := int64(dtype.Size())
	if n == 0 {
		return 0, fmt.Errorf("unknown dtype %.40q", string(dtype))
	}
	for _, d := range shape {
		if d < 0 {
			return 0, fmt.Errorf("shape %v: negative dimension", shape)
		}
		if d > 0 && n > math.MaxInt/int64(d) {
			return 0, fmt.Errorf("shape %v: size overflows", shape)
		}
		n *= int64(d)
	}
	return n, nil
}

// parseHeader decodes the JSON of a header whose tensors share dataSize bytes and checks every promise it makes.
// The tensors come back in the order of their data.
//
// The decoding is token by token because json.Unmarshal keeps the last of two equal keys and says nothing.
func parseHeader(header []byte, dataSize int64) ([]Info, map[string]string, error) {
	if !utf8.Valid(header) {
		return nil, nil, errors.New("header is not UTF-8")
	}
	d := decoder{json.NewDecoder(bytes.NewReader(header))}
	d.UseNumber()
	var infos []Info
	var metadata map[string]string
	seen := map[string]bool{}
	err := d.object(func(name string) error {
		if seen[name] {
			return errors.New("name occurs twice")
		}
		seen[name] = true
		if name == metadataKey {
			metadata = map[string]string{}
			return d.object(func(key string) (err error) {
				if _, ok := metadata[key]; ok {
					return errors.New("key occurs twice")
				}
				metadata[key], err = d.string()
				return err
			})
		}
		info, err := d.info()
		info.Name = name
		infos = append(infos, info)
		return err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("header: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, nil, errors.New("header: something follows the JSON object")
	}
	// Empty tensors share their offset with the next one: the end decides.
	slices.SortFunc(infos, func(a, b Info) int {
		if a.begin != b.begin {
			return compare(a.begin, b.begin)
		}
		if a.end != b.end {
			return compare(a.end, b.end)
		}
		return bytes.Compare([]byte(a.Name), []byte(b.Name))
	})
	var end int64
	for _, i := range infos {
		switch {
		case i.begin < end:
			return nil, nil, fmt.Errorf("tensor %.200q: data_offsets [%d, %d] overlap another tensor's, which end at %d", i.Name, i.begin, i.end, end)
		case i.begin > end:
			return nil, nil, fmt.Errorf("tensor %.200q: data_offsets [%d, %d] leave a hole after %d", i.Name, i.begin, i.end, end)
		case i.end > dataSize:
			return nil, nil, fmt.Errorf("tensor %.200q: data_offsets [%d, %d] reach beyond the file's %d bytes of data", i.Name, i.begin, i.end, dataSize)
		}
		end = i.end
	}
	if end != dataSize {
		return nil, nil, fmt.Errorf("the tensors take %d bytes, the file has %d", end, dataSize)
	}
	return infos, metadata, nil
}

func compare(a, b int64) int {
	if a < b {
		return -1
	}
	return 1
}

// decoder reads the header's JSON.
type decoder struct{ *json.Decoder }

// object reads a JSON object and calls member after each key. Errors carry the path of keys.
func (d decoder) object(member func(key string) error) error {
	if err := d.delim('{'); err != nil {
		return err
	}
	for d.More() {
		key, err := d.string()
		if err != nil {
			return err
		}
		if err := member(key); err != nil {
			return fmt.Errorf("%.200q: %w", key, err)
		}
	}
	return d.delim('}')
}

// info reads a tensor's entry; its name is the caller's to fill in.
func (d decoder) info() (Info, error) {
	var info Info
	var offsets []int
	fields := map[string]bool{}
	err := d.object(func(field string) (err error) {
		if fields[field] {
			return errors.New("field occurs twice")
		}
		fields[field] = true
		switch field {
		case "dtype":
			var s string
			s, err = d.string()
			info.DType = DType(s)
		case "shape":
			info.Shape, err = d.ints(maxRank)
		case "data_offsets":
			offsets, err = d.ints(2)
		default:
			err = errors.New("unknown field")
		}
		return err
	})
	if err != nil {
		return info, err
	}
	for _, field := range []string{"dtype", "shape", "data_offsets"} {
		if !fields[field] {
			return info, fmt.Errorf("%q is missing", field)
		}
	}
	if len(offsets) != 2 || offsets[1] < offsets[0] {
		return info, fmt.Errorf("data_offsets %v are no [begin, end]", offsets)
	}
	info.begin, info.end = int64(offsets[0]), int64(offsets[1])
	n, err := size(info.DType, info.Shape)
	if err != nil {
		return info, err
	}
	if n != info.end-info.begin {
		return info, fmt.Errorf("%s%v takes %d bytes, data_offsets %v hold %d", info.DType, info.Shape, n, offsets, info.end-info.begin)
	}
	return info, nil
}

// ints reads an array of at most limit integers, none negative.
func (d decoder) ints(limit int) ([]int, error) {
	if err := d.delim('['); err != nil {
		return nil, err
	}
	values := []int{}
	for d.More() {
		t, err := d.token()
		if err != nil {
			return nil, err
		}
		number, ok := t.(json.Number)
		if !ok {
			return nil, fmt.Errorf("%.40q where a number belongs", fmt.Sprint(t))
		}
		v, err := strconv.ParseUint(string(number), 10, strconv.IntSize-1)
		if err != nil {
			return nil, fmt.Errorf("%.40s is no integer from 0 to %d", string(number), math.MaxInt)
		}
		if len(values) == limit {
			return nil, fmt.Errorf("more than %d integers", limit)
		}
		values = append(values, int(v))
	}
	return values, d.delim(']')
}

func (d decoder) string() (string, error) {
	t, err := d.token()
	if err != nil {
		return "", err
	}
	s, ok := t.(string)
	if !ok {
		return "", fmt.Errorf("%.40q where a string belongs", fmt.Sprint(t))
	}
	return s, nil
}

func (d decoder) delim(want json.Delim) error {
	t, err := d.token()
	if err == nil && t != want {
		err = fmt.Errorf("%.40q where %q belongs", fmt.Sprint(t), want.String())
	}
	return err
}

// token is Token, except that an end of the text is an error like any other.
func (d decoder) token() (json.Token, error) {
	t, err := d.Token()
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = errors.New("JSON ends early")
	}
	return t, err
}
