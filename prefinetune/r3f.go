package prefinetune

import (
	"math"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/nn"
	"github.com/muppet-go/muppet/ops"
	"github.com/muppet-go/muppet/transformer"
)

// secondPass is what R3F does differently in its second pass.
type secondPass struct {
	lambda  float64 // weight of the divergence
	dropout *device.Key
	words   func(*autograd.Tensor) *autograd.Tensor
}

// second returns the second pass for a batch whose first has the given dropout key; nil
// without R3F.
func (r R3F) second(p *packed, first *device.Key, key device.Key) *secondPass {
	if r.Lambda == 0 {
		return nil
	}
	if r.DifferentMasks {
		k := first.Fold("noised")
		first = &k
	}
	return &secondPass{r.Lambda, first, func(words *autograd.Tensor) *autograd.Tensor { return r.noised(p, words, key) }}
}

func uniformNoise(b *device.Builder, stream int) device.Value {
	return b.Mul(b.Param(0), b.Sub(b.Mul(b.Const(2), b.Uniform(stream)), b.Const(1)))
}

// normalNoise is the Box-Muller transform; 1-u is never 0.
func normalNoise(b *device.Builder, radius, angle int) device.Value {
	r := b.Sqrt(b.Mul(b.Const(-2), b.Log(b.Sub(b.Const(1), b.Uniform(radius)))))
	return b.Mul(b.Param(0), b.Mul(r, b.Cos(b.Mul(b.Const(2*math.Pi), b.Uniform(angle)))))
}

var (
	uniformProgram = device.NewProgram("r3f_uniform", 0, func(b *device.Builder, _ ...device.Value) []device.Value {
		return []device.Value{uniformNoise(b, 0)}
	})
	normalProgram = device.NewProgram("r3f_normal", 0, func(b *device.Builder, _ ...device.Value) []device.Value {
		return []device.Value{normalNoise(b, 0, 1)}
	})
	// Normal in the rows that are not 0.
	mixedProgram = device.NewProgram("r3f_mixed", 1, func(b *device.Builder, in ...device.Value) []device.Value {
		return []device.Value{b.Select(in[0], normalNoise(b, 0, 1), uniformNoise(b, 2))}
	})
)

// noised returns the word embeddings [T, hidden] of a batch with noise.
func (r R3F) noised(p *packed, words *autograd.Tensor, key device.Key) *autograd.Tensor {
	drawn := autograd.Make(words.DType(), words.Shape(), words)
	args := &device.Args{Rows: words.Dim(0), Cols: words.Dim(1), Params: []float64{r.Eps}, Out: []device.Slice{drawn.Slice()}}
	normal := []device.Key{key.Fold("radius"), key.Fold("angle")}
	switch {
	case r.Noise == "uniform" || r.Noise == "" && p.written == nil:
		args.Keys = []device.Key{key}
		drawn.Device().Pointwise(uniformProgram, args)
	case r.Noise == "normal":
		args.Keys = normal
		drawn.Device().Pointwise(normalProgram, args)
	default:
		rows := constant(words, p.sources(), words.Dim(0))
		args.Keys, args.In = append(normal, key), []device.Operand{{Slice: rows.Slice(), Extent: device.ColumnExtent}}
		drawn.Device().Pointwise(mixedProgram, args)
	}
	return ops.Add(words, drawn)
}

// sources returns 1 for the rows of the batch that a summary is to be written of, 0 for the others.
func (p *packed) sources() []float64 {
	rows := make([]float64, p.batch.Tokens())
	for i, e := range p.examples {
		for row := p.rows[i].start; row < p.rows[i].end && e.labels != nil; row++ {
			rows[row] = 1
		}
	}
	return rows
}

// symmetricKL returns KL(p‖q) + KL(q‖p) for each segment of two vectors of scores, p and q
// being the softmax over the segment. It is Σ (p-q)·(log p - log q); because the
// differences p-q add up to 0, scores can stand for the logarithms, and small divergences
// keep their digits.
func symmetricKL(x, y *autograd.Tensor, segs *device.Segments) *autograd.Tensor {
	n := segs.Count()
	first, owner := make([]int32, n), make([]int32, segs.Total())
	for s := range n {
		first[s] = int32(min(segs.Start(s), segs.Total()-1)) // an empty segment's is not used
		for i := range segs.Len(s) {
			owner[segs.Start(s)+i] = int32(s)
		}
	}
	scope := x.Scope()
	heads, zeros, segment := scope.New(first), scope.New(make([]int32, n)), scope.New(owner)
	softmax := func(x *autograd.Tensor) *autograd.Tensor {
		logSum := ops.Add(ops.SegmentCrossEntropy(x, zeros, segs), ops.IndexSelect(x, heads))
		return ops.Exp(ops.Sub(x, ops.IndexSelect(logSum, segment)))
	}
	return ops.IndexAdd(ops.Mul(ops.Sub(softmax(x), softmax(y)), ops.Sub(x, y)), segment, n)
}

// symmetricRowKL is symmetricKL for segments that are the rows of [n, V].
func symmetricRowKL(x, y *autograd.Tensor) *autograd.Tensor {
	sum := func(x *autograd.Tensor) *autograd.Tensor { return ops.Reshape(ops.LogSumExp(x, 1), x.Dim(0), 1) }
	return ops.Sum(divergence(x, y, sum(x), sum(y)), 1)
}

// divergence is (p-q)·(x-y) of scores and the logarithms of their softmax's denominators.
var divergence = ops.Pointwise("r3f_divergence", func(b *device.Builder, in ...device.Value) device.Value {
	x, y, sumX, sumY := in[0], in[1], in[2], in[3]
	return b.Mul(b.Sub(b.Exp(b.Sub(x, sumX)), b.Exp(b.Sub(y, sumY))), b.Sub(x, y))
})

// normalised returns a head whose last layer is spectrally normalised, if the model's are.
func (m *Model) normalised(scope *autograd.Scope, h *transformer.ClassificationHead) *transformer.ClassificationHead {
	if !m.spectral {
		return h
	}
	n := *h
	n.OutProj = spectral(scope, h.OutProj)
	return &n
}

// spectral returns a layer with the weights divided by their largest singular value σ =
// uᵀWv (Miyato et al., arXiv 1802.05957), of which the gradient is uvᵀ. The vectors are
// computed anew each time, from the few rows of a head, so that nothing but the
// weights need be kept. PyTorch keeps u and improves it by one iteration a step.
func spectral(scope *autograd.Scope, l *nn.Linear) *nn.Linear {
	w := scope.Of(l.Weight)
	u, v := singular(w.Detach().Float64s(), w.Dim(0), w.Dim(1))
	if u == nil {
		return l
	}
	sigma := ops.MatMul(ops.MatMul(constant(w, u, 1, len(u)), w), constant(w, v, len(v), 1))
	return &nn.Linear{Weight: ops.Div(w, sigma), Bias: l.Bias}
}

// constant returns a tensor of values in like's type and scope.
func constant(like *autograd.Tensor, values []float64, shape ...int) *autograd.Tensor {
	if like.DType() == device.Float64 {
		return like.Scope().New(values, shape...)
	}
	narrow := make([]float32, len(values))
	for i, v := range values {
		narrow[i] = float32(v)
	}
	return like.Scope().New(narrow, shape...)
}

// singular returns the first singular vectors of w [rows, cols], by power iteration on
// w·wᵀ; nil for a w of zeros.
func singular(w []float64, rows, cols int) (u, v []float64) {
	gram := make([]float64, rows*rows)
	for i := range rows {
		for j := range rows {
			gram[i*rows+j] = dot(w[i*cols:(i+1)*cols], w[j*cols:(j+1)*cols])
		}
	}
	u = make([]float64, rows)
	for i := range u {
		u[i] = 1 + 0.5*math.Cos(float64(3*i+1)) // orthogonal to no likely vector
	}
	for range 200 {
		next := make([]float64, rows)
		for i := range next {
			next[i] = dot(gram[i*rows:(i+1)*rows], u)
		}
		if !unit(next) {
			return nil, nil
		}
		u = next
	}
	v = make([]float64, cols)
	for i := range rows {
		for j := range cols {
			v[j] += u[i] * w[i*cols+j]
		}
	}
	if !unit(v) {
		return nil, nil
	}
	return u, v
}

func dot(a, b []float64) (sum float64) {
	for i := range a {
		sum += float64(a[i] * b[i])
	}
	return sum
}

// unit divides a vector by its length, and reports whether that can be done.
func unit(v []float64) bool {
	length := math.Sqrt(dot(v, v))
	if !(length > 0 && length <= math.MaxFloat64) {
		return false
	}
	for i := range v {
		v[i] /= length
	}
	return true
}
