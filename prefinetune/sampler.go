package prefinetune

import (
	"math/bits"
	"math/rand/v2"

	"github.com/muppet-go/muppet/device"
)

// sampler deals the training examples of all tasks in one shuffled order after
// another. Every example comes once an epoch, so that a task's share of the stream is
// its share of the examples: natural sampling.
type sampler struct {
	examples []*example
	key      device.Key
	order    []int32
	Cursor   cursor
}

// cursor is where a sampler stands.
type cursor struct {
	Epoch int `json:"epoch"`
	Next  int `json:"next"` // position in the epoch's order
}

func newSampler(examples []*example, key device.Key) *sampler {
	s := &sampler{examples: examples, key: key}
	s.seek(cursor{})
	return s
}

// seek goes to a position that Cursor held before.
func (s *sampler) seek(c cursor) {
	s.Cursor = c
	s.order = permutation(len(s.examples), s.key.FoldInt(c.Epoch))
}

// batch returns the next examples: as many as fit the budget of tokens, at least one.
// It never skips one that does not fit, which would favour short examples.
func (s *sampler) batch(budget int) []*example {
	var picked []*example
	used := 0
	for {
		if s.Cursor.Next == len(s.order) {
			s.seek(cursor{Epoch: s.Cursor.Epoch + 1})
		}
		e := s.examples[s.order[s.Cursor.Next]]
		n := e.tokens()
		if len(picked) > 0 && used+n > budget {
			return picked
		}
		picked = append(picked, e)
		used += n
		s.Cursor.Next++
		if used >= budget || len(picked) >= len(s.examples) {
			return picked
		}
	}
}

// permutation returns 0..n-1 shuffled (Fisher and Yates). It does not use rand.Perm,
// whose result may change with a release of Go.
func permutation(n int, key device.Key) []int32 {
	source := rand.NewPCG(key.Lo, key.Hi)
	p := make([]int32, n)
	for i := range p {
		j, _ := bits.Mul64(source.Uint64(), uint64(i+1))
		p[i] = p[j]
		p[j] = int32(i)
	}
	return p
}
