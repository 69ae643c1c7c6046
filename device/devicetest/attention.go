package devicetest

import (
	"fmt"
	"math"
	"slices"

	"github.com/muppet-go/muppet/device"
)

func testAttention(s *suite) {
	d, ok := s.d.(device.Attender)
	if !ok {
		s.Skip("not implemented by the device")
	}
	ragged := device.NewSegments(5, 0, 1, 33, 2, 17)
	cases := []struct {
		name           string
		heads, dim     int
		queries, keys  *device.Segments
		causal, packed bool
	}{
		{"nothing", 2, 4, device.NewSegments(), device.NewSegments(), false, true},
		{"empty", 2, 4, device.NewSegments(0, 0), device.NewSegments(0, 0), false, true},
		{"one", 1, 1, device.NewSegments(1), device.NewSegments(1), false, true},
		{"self", 3, 8, ragged, ragged, false, true},
		{"self causal", 3, 8, ragged, ragged, true, true},
		{"odd width", 2, 5, ragged, ragged, true, true},
		{"long", 2, 16, device.NewSegments(150, 3, 70), device.NewSegments(150, 3, 70), false, true},
		{"long causal", 1, 64, device.NewSegments(130, 1), device.NewSegments(130, 1), true, true},
		{"many", 2, 8, device.UniformSegments(60, 6), device.UniformSegments(60, 6), false, true},
		{"cross", 2, 8, device.NewSegments(3, 1, 70, 5), device.NewSegments(7, 1, 20, 90), false, false},
		{"cross causal", 2, 8, device.NewSegments(3, 1, 20, 5), device.NewSegments(7, 1, 70, 5), true, false},
		{"one query", 2, 16, device.NewSegments(1, 1, 1), device.NewSegments(100, 1, 7), true, false},
		{"no keys", 2, 8, device.NewSegments(3, 2, 0, 4), device.NewSegments(4, 0, 5, 4), false, false},
		{"keys apart", 2, 8, device.NewSegments(1, 2, 0, 1), device.SegmentsAt(60, []int{3, 10, 20, 40}, []int{5, 10, 7, 0}), false, false},
		{"more queries than keys", 2, 8, device.NewSegments(7, 2), device.NewSegments(3, 2), true, false},
	}
	for _, t := range floats {
		for _, c := range cases {
			for _, dropout := range []float64{0, 0.25} {
				s.check(fmt.Sprint(t, " ", c.name, dropout), func(s *suite) {
					width := c.heads * c.dim
					a := &device.Attention{Heads: c.heads, HeadDim: c.dim, Queries: c.queries, Keys: c.keys,
						Scale: 1.5 / math.Sqrt(float64(c.dim)), Causal: c.causal, Dropout: dropout, Key: device.NewKey(7)}
					var q, kv, dq, dkv *array
					if c.packed {
						a.QStride, a.QOffset, a.KOffset, a.VOffset = 3*width+2, 1, width+1, 2*width+1
						a.KStride = a.QStride
						q = s.array(t, s.normal(t, c.queries.Total()*a.QStride))
						dq = s.array(t, s.normal(t, q.Len))
						kv, dkv = q, dq
					} else {
						a.QStride, a.QOffset = width+3, 2
						a.KStride, a.KOffset, a.VOffset = 2*width+5, width+3, 1
						q = s.array(t, s.normal(t, c.queries.Total()*a.QStride))
						kv = s.array(t, s.normal(t, c.keys.Total()*a.KStride))
						dq, dkv = s.array(t, s.normal(t, q.Len)), s.array(t, s.normal(t, kv.Len))
					}
					s.attention(d, t, a, q, kv, dq, dkv)
				})
			}
		}
	}
}

func (s *suite) attention(d device.Attender, t device.DType, a *device.Attention, q, kv, dq, dkv *array) {
	width, rows := a.Heads*a.HeadDim, a.Queries.Total()
	wantOut, wantLse := attention(q.values(), kv.values(), a)
	out, lse := s.out(t, rows*width), s.out(t, a.Heads*rows)
	s.run(func() { d.Attention(out.Slice, lse.Slice, q.Slice, kv.Slice, a) }, out, lse)
	s.near("out", out, wantOut, a.HeadDim+a.Keys.Max(), 1)
	s.near("lse", lse, wantLse, a.HeadDim+a.Keys.Max(), 1)

	// The backward pass reads the device's own results of the forward pass.
	saved, savedLse := s.array(t, out.values()), s.array(t, lse.values())
	dout := s.array(t, s.normal(t, rows*width))
	wantQ, wantKV := dq.values(), dkv.values()
	if q == kv {
		wantKV = wantQ
	}
	attentionBackward(wantQ, wantKV, dout.values(), q.values(), kv.values(), a)
	outs := []*array{dq, out, lse}
	if dkv != dq {
		outs = append(outs, dkv)
	}
	s.run(func() {
		d.AttentionBackward(dq.Slice, dkv.Slice, dout.Slice, saved.Slice, savedLse.Slice, q.Slice, kv.Slice, a)
	}, outs...)
	s.near("dq", dq, wantQ, a.HeadDim+a.Keys.Max(), 1)
	s.near("dkv", dkv, wantKV, a.HeadDim+a.Queries.Max(), 1)
}

// eachQuery visits every head of every query with what it is made of: the places
// of its row in q, and of the rows in k and v of the keys it sees; their weights
// (the softmax of the scores), the factors that dropout gives these, and the
// log-sum-exp of the scores.
func eachQuery(q, kv []float64, a *device.Attention, visit func(head, query, atQ int, atK, atV []int, weights, factors []float64, lse float64)) {
	for s := range a.Queries.Count() {
		key := a.Key.FoldInt(s)
		nq, nk := a.Queries.Len(s), a.Keys.Len(s)
		for h := range a.Heads {
			for i := range nq {
				query := a.Queries.Start(s) + i
				atQ := query*a.QStride + a.QOffset + h*a.HeadDim
				seen := nk
				if a.Causal {
					seen = min(max(i+(nk-nq)+1, 0), nk)
				}
				var atK, atV []int
				var scores, factors []float64
				for j := range seen {
					row := (a.Keys.Start(s)+j)*a.KStride + h*a.HeadDim
					atK, atV = append(atK, row+a.KOffset), append(atV, row+a.VOffset)
					scores = append(scores, a.Scale*dot(q[atQ:], kv[row+a.KOffset:], a.HeadDim))
					factor := 1 / (1 - a.Dropout)
					if uniform(key, (h*nq+i)*nk+j) < a.Dropout {
						factor = 0
					}
					factors = append(factors, factor)
				}
				lse := math.Inf(-1)
				if seen > 0 {
					lse = logSumExp(scores)
				}
				weights := slices.Clone(scores)
				for j := range weights {
					weights[j] = math.Exp(scores[j] - lse)
				}
				visit(h, query, atQ, atK, atV, weights, factors, lse)
			}
		}
	}
}

func dot(x, y []float64, n int) float64 {
	var sum float64
	for i := range n {
		sum += x[i] * y[i]
	}
	return sum
}

func attention(q, kv []float64, a *device.Attention) (out, lse []float64) {
	rows, width := a.Queries.Total(), a.Heads*a.HeadDim
	out, lse = make([]float64, rows*width), make([]float64, a.Heads*rows)
	eachQuery(q, kv, a, func(head, query, _ int, _, atV []int, weights, factors []float64, l float64) {
		lse[head*rows+query] = l
		for c := range a.HeadDim {
			for j, w := range weights {
				out[query*width+head*a.HeadDim+c] += w * factors[j] * kv[atV[j]+c]
			}
		}
	})
	return out, lse
}

// attentionBackward writes the parts of dq and dkv, which may be the same slice.
func attentionBackward(dq, dkv, dout, q, kv []float64, a *device.Attention) {
	width := a.Heads * a.HeadDim
	for row := range a.Queries.Total() {
		clear(dq[row*a.QStride+a.QOffset:][:width])
	}
	for s := range a.Keys.Count() {
		for i := range a.Keys.Len(s) {
			row := a.Keys.Start(s) + i
			clear(dkv[row*a.KStride+a.KOffset:][:width])
			clear(dkv[row*a.KStride+a.VOffset:][:width])
		}
	}
	eachQuery(q, kv, a, func(head, query, atQ int, atK, atV []int, weights, factors []float64, _ float64) {
		g := dout[query*width+head*a.HeadDim:]
		// With s the scores and w their softmax, ds = w · (dw - Σ w·dw).
		var mean float64
		dw := make([]float64, len(weights))
		for j, w := range weights {
			dw[j] = factors[j] * dot(g, kv[atV[j]:], a.HeadDim)
			mean += w * dw[j]
		}
		for j, w := range weights {
			ds := w * (dw[j] - mean) * a.Scale
			for c := range a.HeadDim {
				dq[atQ+c] += ds * kv[atK[j]+c]
				dkv[atK[j]+c] += ds * q[atQ+c]
				dkv[atV[j]+c] += w * factors[j] * g[c]
			}
		}
	})
}
