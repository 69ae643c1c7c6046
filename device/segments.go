package device

import (
	"fmt"
	"slices"
)

// Segments divides rows into consecutive runs, such as the sequences of a packed
// batch. It is immutable, and known to the host, so that planning never waits for a
// device.
type Segments struct {
	offsets []int
	max     int
	lengths []int // of segments that SegmentsAt leaves gaps between; else nil
}

// NewSegments returns consecutive segments of the given lengths, which may be zero.
func NewSegments(lengths ...int) *Segments {
	s := &Segments{offsets: make([]int, 1, len(lengths)+1)}
	end := 0
	for _, n := range lengths {
		if n < 0 {
			panic(fmt.Sprintf("device: NewSegments: negative length %d", n))
		}
		end += n
		s.offsets = append(s.offsets, end)
		s.max = max(s.max, n)
	}
	return s
}

// UniformSegments returns n segments of the same length.
func UniformSegments(n, length int) *Segments {
	if n < 0 || length < 0 {
		panic(fmt.Sprintf("device: UniformSegments: %d of length %d", n, length))
	}
	s := &Segments{offsets: make([]int, n+1), max: min(n, 1) * length}
	for i := range s.offsets {
		s.offsets[i] = i * length
	}
	return s
}

// SegmentsAt returns segments of the given starts and lengths among total rows. Rows
// between them belong to none: the room that a cache of keys has for more. It panics
// unless each segment ends before the next begins.
func SegmentsAt(total int, starts, lengths []int) *Segments {
	s := &Segments{offsets: append(slices.Clone(starts), total), lengths: slices.Clone(lengths)}
	good := len(starts) == len(lengths)
	for i := 0; i < len(lengths) && good; i++ {
		good = starts[i] >= 0 && lengths[i] >= 0 && lengths[i] <= s.offsets[i+1]-starts[i]
		s.max = max(s.max, lengths[i])
	}
	if !good {
		panic(fmt.Sprintf("device: SegmentsAt: starts %v, lengths %v among %d rows", starts, lengths, total))
	}
	return s
}

// Consecutive reports whether every row belongs to a segment.
func (s *Segments) Consecutive() bool { return s.lengths == nil }

// Count returns the number of segments.
func (s *Segments) Count() int { return len(s.offsets) - 1 }

// Total returns the number of rows, those between segments among them.
func (s *Segments) Total() int { return s.offsets[len(s.offsets)-1] }

// Max returns the length of the longest segment.
func (s *Segments) Max() int { return s.max }

// Start returns the first row of segment i.
func (s *Segments) Start(i int) int { return s.offsets[i] }

// Len returns the number of rows of segment i.
func (s *Segments) Len(i int) int {
	if s.lengths != nil {
		return s.lengths[i]
	}
	return s.offsets[i+1] - s.offsets[i]
}

// String lists the lengths of the first segments.
func (s *Segments) String() string {
	const shown = 8
	lengths := make([]int, 0, shown)
	for i := 0; i < s.Count() && i < shown; i++ {
		lengths = append(lengths, s.Len(i))
	}
	if s.Count() > shown {
		return fmt.Sprintf("Segments(%d rows in %d: %v and more)", s.Total(), s.Count(), lengths)
	}
	return fmt.Sprintf("Segments%v", lengths)
}
