package transformer

import (
	"cmp"
	"math"
	"slices"
)

// advanceBeams continues the beams by the tokens with the best sums of log-probabilities. Of twice as
// many as there are beams, those that end among the first are found, and the best
// that do not are the next beams: Hugging Face's variant, of which EarlyStopping is a part.
func (s *search) advanceBeams(scores [][]float32) {
	length := len(s.live[0].ids) // of what is written once there is one token more
	var beams []*hypothesis
	for rank, c := range s.continuations(scores, 2*s.NumBeams) {
		parent := s.live[c.beam]
		h := &hypothesis{ids: append(slices.Clone(parent.ids), c.token), score: c.score, from: parent.slot}
		switch {
		case !s.ends(h):
			if len(beams) < s.NumBeams {
				beams = append(beams, h)
			}
		case rank < s.NumBeams:
			h.score /= math.Pow(float64(length), s.LengthPenalty)
			s.found = append(s.found, h)
		}
	}
	slices.SortStableFunc(s.found, func(a, b *hypothesis) int { return cmp.Compare(b.score, a.score) })
	s.found = s.found[:min(len(s.found), s.NumBeams)]
	if s.done(beams, length) {
		if len(s.found) == 0 { // nothing could follow at all
			s.found = s.live
		}
		beams = nil
	}
	s.live = s.place(beams)
}

// done reports whether the beams, the best first, need not go on.
func (s *search) done(beams []*hypothesis, length int) bool {
	if len(beams) == 0 {
		return true
	}
	if len(s.found) < s.NumBeams {
		return false
	}
	if s.EarlyStopping == EarlyStoppingTrue {
		return true
	}
	if s.EarlyStopping == EarlyStoppingNever && s.LengthPenalty > 0 {
		length = s.MaxLength - 1
	}
	return !(beams[0].score/math.Pow(float64(length), s.LengthPenalty) > s.found[len(s.found)-1].score)
}

// continuation is a token behind one of the beams.
type continuation struct {
	beam  int
	token int32
	score float64
}

// continuations returns the n best, the best first; of equals the first ones.
func (s *search) continuations(scores [][]float32, n int) []continuation {
	best := make([]continuation, 0, n+1)
	worst := math.Inf(-1) // what does not do
	for beam, row := range scores {
		for token, x := range row {
			score := s.live[beam].score + float64(x)
			if !(score > worst) {
				continue
			}
			at := len(best)
			for at > 0 && score > best[at-1].score {
				at--
			}
			best = slices.Insert(best, at, continuation{beam, int32(token), score})
			if len(best) > n {
				best = best[:n]
			}
			if len(best) == n {
				worst = best[n-1].score
			}
		}
	}
	return best
}

// place gives each beam a slot: the first that continues another gets that one's, and the rest
// what is free. It returns them by slot.
func (s *search) place(beams []*hypothesis) []*hypothesis {
	if len(beams) == 0 {
		return nil
	}
	first := s.live[0].slot / s.NumBeams * s.NumBeams
	taken := make([]bool, s.NumBeams)
	var others []*hypothesis
	for _, h := range beams {
		if taken[h.from-first] {
			others = append(others, h)
		} else {
			h.slot, taken[h.from-first] = h.from, true
		}
	}
	for _, h := range others {
		free := slices.Index(taken, false)
		h.slot, taken[free] = first+free, true
	}
	slices.SortFunc(beams, func(a, b *hypothesis) int { return cmp.Compare(a.slot, b.slot) })
	return beams
}
