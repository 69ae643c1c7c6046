package ops

import (
	"fmt"
	"math"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
)

// CrossEntropyConfig is what CrossEntropyWith does beyond CrossEntropy: nothing, if zero.
type CrossEntropyConfig struct {
	Weight         *Tensor // [classes]: what a row counts by its label, 1 if nil
	LabelSmoothing float64 // the share of the target, 0 to 1, that is spread evenly over all classes
}

// CrossEntropy returns the mean cost, -log softmax(logits)[label], of choosing labels, an
// int32 vector [n], among the classes of logits [n, classes]. Rows with a negative label
// are ignored: the mean is over the others, and NaN if there are none. A label beyond the
// classes panics with a *device.Error. For other reductions SegmentCrossEntropy gives the
// cost of each row.
func CrossEntropy(logits, labels *Tensor) *Tensor {
	return CrossEntropyWith(logits, labels, CrossEntropyConfig{})
}

// CrossEntropyWith is CrossEntropy with weights of classes and smoothed labels. As in
// PyTorch, the mean is weighted: with w the weight of row i's label yᵢ, it is
// Σᵢ ((1-s)·w[yᵢ]·costᵢ[yᵢ] + s/classes·Σ_c w[c]·costᵢ[c]) / Σᵢ w[yᵢ].
func CrossEntropyWith(logits, labels *Tensor, cfg CrossEntropyConfig) *Tensor {
	rows, classes := checkLabels("CrossEntropy", logits, labels)
	if w := cfg.Weight; w != nil && (len(w.Shape()) != 1 || w.Len() != classes || w.DType() != logits.DType()) {
		panic(fmt.Sprintf("ops: CrossEntropy: logits and weights %s", shapes(list(logits, w))))
	}
	smoothing := cfg.LabelSmoothing
	if !(smoothing >= 0 && smoothing <= 1) {
		panic(fmt.Sprintf("ops: CrossEntropy: label smoothing %g, want 0 to 1", smoothing))
	}
	index, counts := readLabels(logits, labels, 0)
	weights := counts
	if cfg.Weight != nil {
		weights = Mul(counts, IndexSelect(cfg.Weight, index))
	}
	costs := SegmentCrossEntropy(logits, labels, device.UniformSegments(rows, classes))
	loss := Sum(Mul(costs, weights))
	if smoothing > 0 {
		logp := LogSoftmax(logits, 1)
		if cfg.Weight != nil {
			logp = Mul(logp, cfg.Weight)
		}
		even := Sum(counted(counts, Sum(logp, 1)))
		loss = Sub(Scale(loss, 1-smoothing), Scale(even, smoothing/float64(classes)))
	}
	return Div(loss, Sum(weights))
}

// NLLLoss returns the mean of -logp[i, labels[i]] over the rows i of log-probabilities
// logp [n, classes], as LogSoftmax gives them. Labels are as in CrossEntropy.
func NLLLoss(logp, labels *Tensor) *Tensor {
	_, classes := checkLabels("NLLLoss", logp, labels)
	index, counts := readLabels(logp, labels, classes)
	chosen := IndexSelect(Reshape(logp, logp.Len()), index)
	return Neg(Div(Sum(counted(counts, chosen)), Sum(counts)))
}

func checkLabels(op string, x, labels *Tensor) (rows, classes int) {
	if len(x.Shape()) != 2 || labels.Len() != x.Dim(0) || labels.DType() != device.Int32 || !x.DType().IsFloat() {
		panic(fmt.Sprintf("ops: %s: scores and labels %s", op, shapes(list(x, labels))))
	}
	return x.Dim(0), x.Dim(1)
}

// readLabels returns where the labels of x [n, classes] point, label y of row i to
// i·step + y, and 1 for those that count, 0 for negative ones, which point to class 0. A
// label beyond the classes points nowhere, so that whoever follows it fails.
func readLabels(x, labels *Tensor, step int) (index, counts *Tensor) {
	n := labels.Len()
	start := autograd.Make(device.Float64, []int{n}, x, labels)
	start.Device().Iota(start.Slice(), 0, float64(step))
	var at [2]*Tensor
	runTo(at[:], labelProgram, []float64{float64(x.Dim(1))}, nil, list(castData(Reshape(labels, n), device.Float64, x), start))
	return castData(at[0], device.Int32, x), castData(at[1], x.DType(), x)
}

// In float64, which has all the integers that may occur.
var labelProgram = device.NewProgram("labels", 2, func(b *builder, in ...value) []value {
	label, start := in[0], in[1]
	index := b.Add(start, b.Max(label, b.Const(0)))
	return []value{b.Select(b.Less(label, b.Param(0)), index, b.Const(math.MaxInt32)), b.LessEqual(b.Const(0), label)}
})

// counted returns x where counts is not 0, and 0 elsewhere even if x is NaN there.
func counted(counts, x *Tensor) *Tensor { return run(countedProgram, nil, nil, counts, x) }

var countedProgram = binary("counted", func(b *builder, counts, x value) value { return b.Select(counts, x, b.Const(0)) })
