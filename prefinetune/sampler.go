package prefinetune

import (
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"

	"github.com/muppet-go/muppet/device"
)

// sampler deals the training examples in passes of about as many as there are. In a
// pass each task has the share asked for, which by natural sampling is every example
// once. A task that is to have more than its examples gets them again in another order,
// one that is to have fewer goes on in the next pass where it stopped. A pass
// depends on its number alone, so that number and position are all there is to resume.
type sampler struct {
	examples []*example
	tasks    [][]int32 // the examples of each
	quota    []float64 // examples of each task in a pass; nil where the order is one shuffle of all
	batches  string    // the strategy
	budget   int       // tokens of a batch
	limit    int       // examples of a batch
	most     int       // batches of an update
	key      device.Key

	order  []int32
	begins map[int]int // positions where a batch (1) or an update (2) has to begin
	Cursor cursor
}

// cursor is where a sampler stands.
type cursor struct {
	Epoch int `json:"epoch"` // passes completed
	Next  int `json:"next"`  // position in the pass's order
}

// newSampler returns a sampler of n tasks' examples. Weights are the tasks' shares up to a
// factor; nil for natural sampling.
func newSampler(examples []*example, n int, weights []float64, c Config, key device.Key) *sampler {
	s := &sampler{
		examples: examples, tasks: make([][]int32, n), batches: c.Batches,
		budget: c.TokensPerBatch, limit: c.ExamplesPerBatch, most: c.Accumulate, key: key,
	}
	if s.limit == 0 {
		s.limit = len(examples)
	}
	for i, e := range examples {
		s.tasks[e.task] = append(s.tasks[e.task], int32(i))
	}
	if weights != nil || c.Batches != heterogeneous {
		s.quota = make([]float64, n)
		for i, share := range s.shares(weights) {
			s.quota[i] = share * float64(len(examples))
		}
	}
	s.seek(cursor{})
	return s
}

// shares returns each task's part of the examples to be dealt.
func (s *sampler) shares(weights []float64) []float64 {
	shares, total := make([]float64, len(s.tasks)), 0.0
	for i, own := range s.tasks {
		shares[i] = float64(len(own))
		if weights != nil {
			shares[i] = weights[i]
		}
		total += shares[i]
	}
	for i := range shares {
		shares[i] /= total
	}
	return shares
}

// weights returns the tasks' shares of the examples up to a factor; nil for natural
// sampling.
func (t *Trainer) weights() ([]float64, error) {
	if len(t.cfg.samplings()) == 0 {
		return nil, nil
	}
	w, total := make([]float64, len(t.tasks)), 0.0
	for i, c := range t.counts {
		n := c.Train
		switch {
		case n == 0:
		case t.cfg.Temperature != 0:
			w[i] = math.Pow(float64(n), 1/t.cfg.Temperature)
		case t.cfg.Cap != 0:
			w[i] = float64(min(n, t.cfg.Cap))
		default:
			w[i] = t.cfg.Weights[t.tasks[i].Name]
		}
		total += w[i]
	}
	if !(total > 0 && total <= math.MaxFloat64) {
		return nil, fmt.Errorf("prefinetune: the tasks' weights in sampling add up to %g; want a positive number", total)
	}
	return w, nil
}

// seekable reports whether c may come from a sampler such as this.
func (s *sampler) seekable(c cursor) bool {
	if c.Epoch < 0 || c.Next < 0 || c.Epoch > math.MaxInt32 {
		return false
	}
	if s.quota == nil {
		return c.Next <= len(s.examples)
	}
	n := 0
	for i := range s.tasks {
		from, to := s.stretch(i, c.Epoch)
		n += to - from
	}
	return c.Next <= n
}

// seek goes to a position that Cursor held before.
func (s *sampler) seek(c cursor) {
	s.Cursor, s.begins = c, map[int]int{}
	key := s.key.FoldInt(c.Epoch)
	if s.quota == nil {
		s.order = permutation(len(s.examples), key)
		return
	}
	s.order = nil
	var updates [][]int32 // runs of examples that are to stay together
	for i := range s.tasks {
		drawn := s.drawn(i, c.Epoch)
		if s.batches == heterogeneous {
			s.order = append(s.order, drawn...)
		} else {
			updates = append(updates, s.cut(drawn, s.most)...)
		}
	}
	if s.batches == heterogeneous {
		dealt := s.order
		s.order = make([]int32, len(dealt))
		for i, j := range permutation(len(dealt), key) {
			s.order[i] = dealt[j]
		}
		return
	}
	at := permutation(len(updates), key)
	for i := range updates {
		u := updates[i]
		if s.batches == batchHomogeneous {
			u = updates[at[i]]
		}
		for _, b := range s.cut(u, 1) {
			s.begins[len(s.order)] = 1
			s.order = append(s.order, b...)
		}
		s.begins[len(s.order)-len(u)] = 2
	}
}

// drawn returns what a pass deals of a task: a stretch of its endless stream of shuffles.
func (s *sampler) drawn(task, pass int) []int32 {
	own := s.tasks[task]
	from, to := s.stretch(task, pass)
	var out, shuffle []int32
	for k := from; k < to; k++ {
		if shuffle == nil || k%len(own) == 0 {
			shuffle = permutation(len(own), s.key.Fold("task").FoldInt(task).FoldInt(k/len(own)))
		}
		out = append(out, own[shuffle[k%len(own)]])
	}
	return out
}

// stretch returns where in a task's stream a pass begins and ends.
func (s *sampler) stretch(task, pass int) (from, to int) {
	q := s.quota[task]
	return int(math.Round(float64(pass) * q)), int(math.Round(float64(pass+1) * q))
}

// cut divides examples into runs of n batches each, the last maybe of fewer.
func (s *sampler) cut(examples []int32, n int) (runs [][]int32) {
	start, used, in, batches := 0, 0, 0, 1
	for i, e := range examples {
		tokens := s.examples[e].tokens()
		if used > 0 && (used+tokens > s.budget || in == s.limit) {
			if batches++; batches > n {
				runs = append(runs, examples[start:i])
				start, batches = i, 1
			}
			used, in = 0, 0
		}
		used += tokens
		in++
	}
	if start < len(examples) {
		runs = append(runs, examples[start:])
	}
	return runs
}

// update returns the batches of the next update.
func (s *sampler) update() (batches [][]*example) {
	for len(batches) < s.most {
		if s.roll(); len(batches) > 0 && s.begins[s.Cursor.Next] == 2 {
			break
		}
		batches = append(batches, s.batch())
	}
	return batches
}

// roll goes on to the next pass, if it is time.
func (s *sampler) roll() {
	for s.Cursor.Next == len(s.order) { // a pass of few examples and many tasks may be empty
		s.seek(cursor{Epoch: s.Cursor.Epoch + 1})
	}
}

// updates returns how many updates it takes to deal so many passes, the last of which may
// begin another. The sampler is one that has dealt nothing; it has dealt them then.
func (s *sampler) updates(epochs float64) (n int) {
	for float64(s.Cursor.Epoch)+float64(s.Cursor.Next)/float64(max(1, len(s.order))) < epochs {
		s.update()
		n++
	}
	return n
}

// batch returns the next examples: as many as fit the budget of tokens, at least one.
// It never skips one that does not fit, which would favour short examples.
func (s *sampler) batch() []*example {
	var picked []*example
	used := 0
	for {
		s.roll()
		e := s.examples[s.order[s.Cursor.Next]]
		n := e.tokens()
		if len(picked) > 0 && (used+n > s.budget || s.begins[s.Cursor.Next] > 0) {
			return picked
		}
		picked = append(picked, e)
		used += n
		s.Cursor.Next++
		if used >= s.budget || len(picked) >= min(s.limit, len(s.examples)) {
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
