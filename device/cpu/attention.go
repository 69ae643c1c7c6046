package cpu

import (
	"cmp"
	"math"
	"slices"

	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/internal/parallel"
)

// Attention computes ragged multi-head attention. A query that sees no key has an
// output of zero and a log-sum-exp of -Inf.
func (d *Device) Attention(out, lse, q, kv device.Slice, a *device.Attention) {
	apart("Attention", out, q, kv, lse)
	apart("Attention", lse, q, kv)
	if isDouble("Attention", "out", out) {
		attention(&double, out, lse, q, kv, a)
	} else {
		attention(&single, out, lse, q, kv, a)
	}
}

// AttentionBackward computes the gradients of the queries, keys and values.
func (d *Device) AttentionBackward(dq, dkv, dout, out, lse, q, kv device.Slice, a *device.Attention) {
	apart("AttentionBackward", dq, dout, out, lse, q, kv)
	apart("AttentionBackward", dkv, dout, out, lse, q, kv)
	if dq != dkv {
		apart("AttentionBackward", dq, dkv)
	}
	if isDouble("AttentionBackward", "dq", dq) {
		attentionBackward(&double, dq, dkv, dout, out, lse, q, kv, a)
	} else {
		attentionBackward(&single, dq, dkv, dout, out, lse, q, kv, a)
	}
}

// checkAttention panics if the description contradicts itself.
func checkAttention(op string, a *device.Attention) {
	sizes(op, a.Heads, a.HeadDim, a.QOffset, a.KOffset, a.VOffset)
	width := a.Heads * a.HeadDim
	switch {
	case a.Queries.Count() != a.Keys.Count():
		misuse(op, "%d segments of queries and %d of keys", a.Queries.Count(), a.Keys.Count())
	case a.QOffset+width > a.QStride || a.KOffset+width > a.KStride || a.VOffset+width > a.KStride:
		misuse(op, "%d heads of %d elements in columns %d, %d, %d of rows of %d, %d, %d", a.Heads, a.HeadDim,
			a.QOffset, a.KOffset, a.VOffset, a.QStride, a.KStride, a.KStride)
	case !(a.Dropout >= 0 && a.Dropout < 1):
		misuse(op, "dropout of %v, want [0, 1)", a.Dropout)
	}
}

// A head is the part of attention that one head does in one segment. It works on
// blocks of queries and all keys of the segment.
type head[T float] struct {
	k              *kernels[T]
	a              *device.Attention
	segment        int
	head           int
	nq, nk         int
	firstQ         int // rows of the first query and key
	firstK         int
	scale, rescale T // of the scores, and of the weights that dropout keeps
	threshold      T // of the random numbers of weights to keep
	stream         device.Key
}

// queryRows returns how many queries are in a block: as many as keep a block of
// scores in the second-level cache.
func queryRows(nk int) int { return min(64, max(8, 1<<16/max(1, nk)&^7)) }

// eachHead calls f for every segment and head, the longest first.
func eachHead[T float](k *kernels[T], a *device.Attention, f func(h head[T])) {
	order := make([]int, a.Queries.Count())
	for s := range order {
		order[s] = s
	}
	work := func(s int) int { return (a.Queries.Len(s) + 1) * (a.Keys.Len(s) + 1) }
	slices.SortStableFunc(order, func(x, y int) int { return cmp.Compare(work(y), work(x)) })
	parallel.For(len(order)*a.Heads, func(i int) {
		s := order[i/a.Heads]
		f(head[T]{
			k: k, a: a, segment: s, head: i % a.Heads,
			nq: a.Queries.Len(s), nk: a.Keys.Len(s), firstQ: a.Queries.Start(s), firstK: a.Keys.Start(s),
			scale: T(a.Scale), rescale: T(1 / (1 - a.Dropout)),
			// Random numbers are multiples of 2⁻²⁴. So is this, which makes it exact in T.
			threshold: T(math.Ceil(a.Dropout*(1<<24)) / (1 << 24)),
			stream:    a.Key.FoldInt(s),
		})
	})
}

// query returns x, laid out as q, from the i-th query's elements on.
func (h *head[T]) query(x []T, i int) []T {
	return tail(x, (h.firstQ+i)*h.a.QStride+h.a.QOffset+h.head*h.a.HeadDim)
}

// key and value return x, laid out as kv, from the first key's or value's elements on.
func (h *head[T]) key(x []T) []T {
	return tail(x, h.firstK*h.a.KStride+h.a.KOffset+h.head*h.a.HeadDim)
}

func (h *head[T]) value(x []T) []T {
	return tail(x, h.firstK*h.a.KStride+h.a.VOffset+h.head*h.a.HeadDim)
}

// output returns x, laid out as out, from the i-th query's elements on.
func (h *head[T]) output(x []T, i int) []T {
	return tail(x, ((h.firstQ+i)*h.a.Heads+h.head)*h.a.HeadDim)
}

// tail is x[at:], or nothing where x ends before.
func tail[T float](x []T, at int) []T { return x[min(at, len(x)):] }

// seen returns how many keys query i sees.
func (h *head[T]) seen(i int) int {
	if h.a.Causal {
		return min(max(i+h.nk-h.nq+1, 0), h.nk)
	}
	return h.nk
}

// scores writes those of queries [first, first+rows) for the first keys.
func (h *head[T]) scores(s, q, kv []T, first, rows, keys int) {
	h.k.gemmSerial(false, true, rows, keys, h.a.HeadDim, h.scale, h.query(q, first), h.a.QStride, h.key(kv), h.a.KStride, 0, s, max(1, keys))
}

// mask writes 1 for the weights that dropout keeps and 0 for the others.
func (h *head[T]) mask(mask []T, first, rows, keys int) {
	start := uint64((h.head*h.nq + first) * h.nk)
	if keys == h.nk {
		h.k.uniform(mask[:rows*keys], h.stream.Lo, h.stream.Hi, start)
	} else {
		for r := range rows {
			h.k.uniform(mask[r*keys:(r+1)*keys], h.stream.Lo, h.stream.Hi, start+uint64(r*h.nk))
		}
	}
	// The sum is at least 1 where the number is at least the threshold: both are
	// multiples of 2⁻²⁴, so that below 1 nothing is rounded.
	mask = mask[:rows*keys]
	h.k.addScalar(mask, mask, 1-h.threshold)
	h.k.unary[device.OpFloor](mask, mask)
}

func attention[T float](k *kernels[T], out, lse, q, kv device.Slice, a *device.Attention) {
	const op = "Attention"
	checkAttention(op, a)
	rows := a.Queries.Total()
	to, lses := view[T](op, "out", out, rows*a.Heads*a.HeadDim), view[T](op, "lse", lse, a.Heads*rows)
	queries, pairs := view[T](op, "q", q, rows*a.QStride), view[T](op, "kv", kv, a.Keys.Total()*a.KStride)
	eachHead(k, a, func(h head[T]) {
		block := queryRows(h.nk)
		memory := k.borrow(2 * block * h.nk)
		weights, mask := memory.data[:block*h.nk], memory.data[block*h.nk:2*block*h.nk]
		for first := 0; first < h.nq; first += block {
			n := min(block, h.nq-first)
			h.forward(to, lses[h.head*rows+h.firstQ+first:][:n], queries, pairs, weights, mask, first)
		}
		k.giveBack(memory)
	})
}

// forward does the queries from first on, as many as lse has.
func (h *head[T]) forward(out, lse, q, kv, weights, mask []T, first int) {
	k, width, rows := h.k, h.a.Heads*h.a.HeadDim, len(lse)
	keys := h.seen(first + rows - 1)
	h.scores(weights, q, kv, first, rows, keys)
	var inverse [64]T // of the sums of exponentials
	for r := range rows {
		row := weights[r*keys : (r+1)*keys]
		seen := row[:h.seen(first+r)]
		clear(row[len(seen):])
		if len(seen) == 0 {
			lse[r] = T(math.Inf(-1))
			continue
		}
		top := k.maxOf(seen)
		k.addScalar(seen, seen, -top)
		k.unary[device.OpExp](seen, seen)
		sum := k.sum(seen)
		lse[r] = top + T(math.Log(float64(sum)))
		inverse[r] = h.rescale / sum
	}
	if h.a.Dropout > 0 {
		h.mask(mask, first, rows, keys)
		k.binary[device.OpMul](weights[:rows*keys], weights[:rows*keys], mask[:rows*keys])
	}
	to := h.output(out, first)
	k.gemmSerial(false, false, rows, h.a.HeadDim, keys, 1, weights, max(1, keys), h.value(kv), h.a.KStride, 0, to, width)
	for r := range rows {
		row := to[r*width:][:h.a.HeadDim]
		k.mulScalar(row, row, inverse[r])
	}
}

func attentionBackward[T float](k *kernels[T], dq, dkv, dout, out, lse, q, kv device.Slice, a *device.Attention) {
	const op = "AttentionBackward"
	checkAttention(op, a)
	rows, keyRows := a.Queries.Total(), a.Keys.Total()
	queries, pairs := view[T](op, "q", q, rows*a.QStride), view[T](op, "kv", kv, keyRows*a.KStride)
	toQueries, toPairs := view[T](op, "dq", dq, rows*a.QStride), view[T](op, "dkv", dkv, keyRows*a.KStride)
	result, gradient := view[T](op, "out", out, rows*a.Heads*a.HeadDim), view[T](op, "dout", dout, rows*a.Heads*a.HeadDim)
	lses := view[T](op, "lse", lse, a.Heads*rows)
	eachHead(k, a, func(h head[T]) {
		block := queryRows(h.nk)
		memory := k.borrow(3 * block * h.nk)
		b := backward[T]{
			head: h, q: queries, kv: pairs, dq: toQueries, dkv: toPairs, out: result, dout: gradient,
			lse:     lses[h.head*rows+h.firstQ:][:h.nq],
			weights: memory.data[:block*h.nk], dweights: memory.data[block*h.nk : 2*block*h.nk], mask: memory.data[2*block*h.nk : 3*block*h.nk],
		}
		b.clearUnseen()
		// From the last block, which sees all keys that any sees.
		for end := h.nq; end > 0; {
			first := (end - 1) / block * block
			b.run(first, end-first, end == h.nq)
			end = first
		}
		k.giveBack(memory)
	})
}

// backward is the gradient of a head. With P the weights, M the mask of dropout
// with its factor, and D the row sums of dout·out,
//
//	dV = (P·M)ᵀ·dout    dP = M·(dout·Vᵀ)    dS = P·(dP - D)
//	dQ = scale·dS·K     dK = scale·dSᵀ·Q
type backward[T float] struct {
	head[T]
	q, kv, dq, dkv, out, dout, lse []T
	weights, dweights, mask        []T // of a block of queries
}

// clearUnseen writes the gradient of keys that the last query does not see, or
// that have no query.
func (b *backward[T]) clearUnseen() {
	seen := 0
	if b.nq > 0 {
		seen = b.seen(b.nq - 1)
	}
	for i := seen; i < b.nk; i++ {
		clear(b.key(b.dkv)[i*b.a.KStride:][:b.a.HeadDim])
		clear(b.value(b.dkv)[i*b.a.KStride:][:b.a.HeadDim])
	}
}

// run does queries [first, first+rows). It adds to the gradients of keys and
// values unless these are fresh.
func (b *backward[T]) run(first, rows int, fresh bool) {
	k, dim, width := b.k, b.a.HeadDim, b.a.Heads*b.a.HeadDim
	keys := b.seen(first + rows - 1)
	ld := max(1, keys)
	weights, dweights, mask := b.weights[:rows*keys], b.dweights[:rows*keys], b.mask[:rows*keys]
	mul := k.binary[device.OpMul]

	b.scores(weights, b.q, b.kv, first, rows, keys)
	for r := range rows {
		row := weights[r*keys : (r+1)*keys]
		seen := row[:b.seen(first+r)]
		k.addScalar(seen, seen, -b.lse[first+r])
		k.unary[device.OpExp](seen, seen)
		clear(row[len(seen):])
	}
	dout := b.output(b.dout, first)
	k.gemmSerial(false, true, rows, keys, dim, b.rescale, dout, width, b.value(b.kv), b.a.KStride, 0, dweights, ld)
	kept := weights
	if b.a.Dropout > 0 {
		b.head.mask(mask, first, rows, keys)
		mul(dweights, dweights, mask)
		mul(mask, mask, weights)
		kept = mask
	}
	var beta T
	if !fresh {
		beta = 1
	}
	k.gemmSerial(true, false, keys, dim, rows, b.rescale, kept, ld, dout, width, beta, b.value(b.dkv), b.a.KStride)
	for r := range rows {
		row := dweights[r*keys : (r+1)*keys]
		k.addScalar(row, row, -k.dot(dout[r*width:][:dim], b.output(b.out, first+r)[:dim]))
	}
	mul(dweights, dweights, weights)
	k.gemmSerial(false, false, rows, dim, keys, b.scale, dweights, ld, b.key(b.kv), b.a.KStride, 0, b.query(b.dq, first), b.a.QStride)
	k.gemmSerial(true, false, keys, dim, rows, b.scale, dweights, ld, b.query(b.q, first), b.a.QStride, beta, b.key(b.dkv), b.a.KStride)
}
