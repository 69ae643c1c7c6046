package ops

import (
	"fmt"
	"math"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
)

// AttentionConfig says how rows attend to each other.
type AttentionConfig struct {
	Heads   int
	Causal  bool       // a query sees no later key; but see SelfAttention
	Dropout float64    // probability that an attention weight is dropped
	Key     device.Key // of the dropout's mask
}

// SelfAttention is multi-head scaled dot-product attention within each segment of a
// packed batch (Vaswani et al., arXiv 1706.03762). qkv [T, 3·d] has queries, keys and
// values side by side, each with its heads side by side; the result is [T, d]. No
// row is padding, and no score matrix is kept.
//
// Of what a query does not see, only a NaN or an infinity in a later value of its segment
// may reach it, as in PyTorch: the weight is 0, and 0·NaN is NaN.
func SelfAttention(qkv *Tensor, segs *device.Segments, cfg AttentionConfig) *Tensor {
	if len(qkv.Shape()) != 2 || qkv.Dim(0) != segs.Total() || !segs.Consecutive() || cfg.Heads < 1 || qkv.Dim(1)%(3*cfg.Heads) != 0 {
		panic(fmt.Sprintf("ops: SelfAttention: qkv %s, %v, %d heads", shapes(list(qkv)), segs, cfg.Heads))
	}
	d := qkv.Dim(1) / 3
	a := cfg.attention(d, segs, segs)
	a.QStride, a.KStride, a.KOffset, a.VOffset = 3*d, 3*d, d, 2*d
	return attend(a, qkv)
}

// CrossAttention is SelfAttention with queries q [Tq, d] in segments of their own and
// keys and values kv [Tk, 2·d] side by side; segment s of the queries attends to
// segment s of the keys. The result is [Tq, d]. Keys may have rows between their segments
// (device.SegmentsAt), which nothing reads.
func CrossAttention(q, kv *Tensor, queries, keys *device.Segments, cfg AttentionConfig) *Tensor {
	if len(q.Shape()) != 2 || len(kv.Shape()) != 2 || q.Dim(0) != queries.Total() || kv.Dim(0) != keys.Total() ||
		!queries.Consecutive() || queries.Count() != keys.Count() || kv.Dim(1) != 2*q.Dim(1) || cfg.Heads < 1 || q.Dim(1)%cfg.Heads != 0 || q.DType() != kv.DType() {
		panic(fmt.Sprintf("ops: CrossAttention: q and kv %s, queries %v, keys %v, %d heads", shapes(list(q, kv)), queries, keys, cfg.Heads))
	}
	d := q.Dim(1)
	a := cfg.attention(d, queries, keys)
	a.QStride, a.KStride, a.VOffset = d, 2*d, d
	return attend(a, q, kv)
}

func (cfg AttentionConfig) attention(d int, queries, keys *device.Segments) *device.Attention {
	checkDropout("Attention", cfg.Dropout)
	return &device.Attention{
		Heads: cfg.Heads, HeadDim: d / cfg.Heads, Queries: queries, Keys: keys,
		Scale: 1 / math.Sqrt(float64(d/cfg.Heads)), Causal: cfg.Causal, Dropout: cfg.Dropout, Key: cfg.Key,
	}
}

// attend takes one tensor with queries, keys and values, or two: queries, and keys
// with values.
func attend(a *device.Attention, in ...*Tensor) *Tensor {
	q, kv := in[0], in[len(in)-1]
	dev, ok := q.Device().(device.Attender)
	if !ok {
		return composeAttention(a, in...)
	}
	out := autograd.Make(q.DType(), []int{a.Queries.Total(), a.Heads * a.HeadDim}, in...)
	lse := autograd.Make(q.DType(), []int{a.Heads, a.Queries.Total()}, in...)
	dev.Attention(out.Slice(), lse.Slice(), q.Slice(), kv.Slice(), a)
	autograd.Apply(&attentionRule{a}, list(out), in, append(list(out, lse), in...))
	return out
}

type attentionRule struct{ a *device.Attention }

func (*attentionRule) Name() string { return "attention" }

// FLOPs is 4·d for each pair of a query and a key that it sees, for the score and the
// weighted value, and twice that of the gradients: as Dao counts ("FlashAttention-2", arXiv
// 2307.08691), but for the scores that the backward pass computes again.
func (r *attentionRule) FLOPs(_, _ []*Tensor, needs []bool) float64 {
	pairs := 0
	for s := 0; s < r.a.Queries.Count(); s++ {
		nq, nk := r.a.Queries.Len(s), r.a.Keys.Len(s)
		if !r.a.Causal {
			pairs += nq * nk
			continue
		}
		for i := 0; i < nq; i++ {
			pairs += max(0, i+1+nk-nq)
		}
	}
	flops := 4 * float64(r.a.Heads*r.a.HeadDim) * float64(pairs)
	if needs != nil {
		flops *= 2
	}
	return flops
}

func (r *attentionRule) Backward(c *autograd.Call, grads []*Tensor) []*Tensor {
	out, lse, in, dout := c.Saved[0], c.Saved[1], c.Saved[2:], grads[0]
	result := make([]*Tensor, len(in))
	for i, t := range in {
		result[i] = autograd.Make(t.DType(), t.Shape(), t, dout)
	}
	q, kv, last := in[0], in[len(in)-1], len(in)-1
	if !r.a.Keys.Consecutive() {
		q.Device().Fill(result[last].Slice(), 0)
	}
	q.Device().(device.Attender).AttentionBackward(result[0].Slice(), result[last].Slice(), dout.Slice(),
		out.Slice(), lse.Slice(), q.Slice(), kv.Slice(), r.a)
	return result
}

func (r *attentionRule) Compose(_ *autograd.Call, in []*Tensor) []*Tensor {
	return list(composeAttention(r.a, in...))
}

// composeAttention computes attention segment by segment, with score matrices.
func composeAttention(a *device.Attention, in ...*Tensor) *Tensor {
	q, kv := in[0], in[len(in)-1]
	d := a.Heads * a.HeadDim
	var parts []*Tensor
	for s := 0; s < a.Queries.Count(); s++ {
		nq, nk := a.Queries.Len(s), a.Keys.Len(s)
		if nq == 0 {
			continue
		}
		heads := func(x *Tensor, start, rows, column int) *Tensor { // [heads, rows, HeadDim]
			part := Slice(Slice(x, 0, start, start+rows), 1, column, column+d)
			return Permute(Reshape(part, rows, a.Heads, a.HeadDim), 1, 0, 2)
		}
		queries := heads(q, a.Queries.Start(s), nq, a.QOffset)
		keys := heads(kv, a.Keys.Start(s), nk, a.KOffset)
		values := heads(kv, a.Keys.Start(s), nk, a.VOffset)
		scores := Scale(matmul("Attention", queries, keys, false, true, device.Full), a.Scale)
		if a.Causal {
			scores = Add(scores, causalMask(scores, nq, nk))
		}
		weights := Softmax(scores, -1)
		if a.Causal && nq > nk {
			weights = Mul(weights, seesKeys(weights, nq, nk))
		}
		weights = Dropout(weights, a.Dropout, a.Key.FoldInt(s))
		parts = append(parts, Reshape(Permute(MatMul(weights, values), 1, 0, 2), nq, d))
	}
	if len(parts) == 0 {
		return Slice(q, 1, 0, d)
	}
	return Concat(0, parts...)
}

// causalMask is 0 where query i of nq may see key j of nk and -Inf elsewhere. The
// last query sees all keys. A query that may see none sees all here, so that its
// softmax is a number; seesKeys removes it.
func causalMask(like *Tensor, nq, nk int) *Tensor {
	m := make([]float64, nq*nk)
	for i := max(nq-nk, 0); i < nq; i++ {
		for j := i + nk - nq + 1; j < nk; j++ {
			m[i*nk+j] = math.Inf(-1)
		}
	}
	return hostTensor(like, m, nq, nk)
}

// seesKeys is a column with 1 for the queries that may see a key.
func seesKeys(like *Tensor, nq, nk int) *Tensor {
	m := make([]float64, nq)
	for i := nq - nk; i < nq; i++ {
		m[i] = 1
	}
	return hostTensor(like, m, nq, 1)
}

// hostTensor returns data as a tensor of like's type, on its device and in its scope.
func hostTensor(like *Tensor, data []float64, shape ...int) *Tensor {
	t := autograd.Make(like.DType(), shape, like)
	if like.DType() == device.Float64 {
		t.Device().Write(t.Slice(), data)
		return t
	}
	single := make([]float32, len(data))
	for i, v := range data {
		single[i] = float32(v)
	}
	t.Device().Write(t.Slice(), single)
	return t
}
