package device

import "fmt"

// Segments divides rows into consecutive runs, such as the sequences of a packed
// batch. It is immutable, and known to the host, so that planning never waits for a
// device.
type Segments struct {
	offsets []int
	max     int
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
	lengths := make([]int, n)
	for i := range lengths {
		lengths[i] = length
	}
	return NewSegments(lengths...)
}

// Count returns the number of segments.
func (s *Segments) Count() int { return len(s.offsets) - 1 }

// Total returns the number of rows in all segments.
func (s *Segments) Total() int { return s.offsets[len(s.offsets)-1] }

// Max returns the length of the longest segment.
func (s *Segments) Max() int { return s.max }

// Start returns the first row of segment i.
func (s *Segments) Start(i int) int { return s.offsets[i] }

// Len returns the number of rows of segment i.
func (s *Segments) Len(i int) int { return s.offsets[i+1] - s.offsets[i] }

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
