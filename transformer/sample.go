package transformer

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
)

// draw returns a token drawn from the softmax of scores, of which temperature, top-k and top-p
// leave the likeliest: Fan et al., arXiv 1805.04833, and Holtzman et al., arXiv 1904.09751.
// The key and the place decide which.
func (s *search) draw(scores []float32, place int) int {
	order := make([]int, 0, len(scores))
	for v, x := range scores {
		if !math.IsInf(float64(x), -1) {
			order = append(order, v)
		}
	}
	if len(order) == 0 {
		return 0 // of nothing, as the best of nothing
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(scores[b], scores[a]) })
	if k := s.TopK; k > 0 && k < len(order) {
		for least := scores[order[k-1]]; k < len(order) && scores[order[k]] == least; k++ { // equals stay
		}
		order = order[:k]
	}
	weights, sum := make([]float64, len(order)), 0.0
	for i, v := range order {
		weights[i] = math.Exp(float64(scores[v]-scores[order[0]]) / s.Temperature)
		sum += weights[i]
	}
	if s.TopP < 1 {
		reached, kept := 0.0, 0
		for kept < len(order) && reached < s.TopP*sum {
			reached += weights[kept]
			kept++
		}
		order, sum = order[:kept], reached
	}
	key := s.Key.FoldInt(place)
	at := rand.New(rand.NewPCG(key.Lo, key.Hi)).Float64() * sum
	for i, v := range order {
		if at -= weights[i]; at < 0 {
			return v
		}
	}
	return order[len(order)-1]
}
