package ops

import (
	"fmt"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
)

// SegmentCrossEntropy returns for each segment of logits the cost of choosing its
// target among the segment's members: log Σ exp(logits) - logits[target]. Logits
// have as many elements as the segments, in any shape; target is int32, one for each
// segment, counted from its start. A segment that is empty or whose target is
// negative costs 0; a target beyond its segment panics with a *device.Error. One
// function serves every head: a classification's segment are its classes, a ranking's
// its candidates, a span's the passage's positions.
func SegmentCrossEntropy(logits, target *Tensor, segs *device.Segments) *Tensor {
	if logits.Len() != segs.Total() || !segs.Consecutive() || target.Len() != segs.Count() || target.DType() != device.Int32 || !logits.DType().IsFloat() {
		panic(fmt.Sprintf("ops: SegmentCrossEntropy: logits and target %s, %v", shapes(list(logits, target)), segs))
	}
	dev, ok := logits.Device().(device.SegmentCrossEntropier)
	if !ok {
		return composeCrossEntropy(logits, target, segs)
	}
	shape := []int{segs.Count()}
	loss := autograd.Make(logits.DType(), shape, logits, target)
	lse := autograd.Make(logits.DType(), shape, logits, target)
	dev.SegmentCrossEntropy(loss.Slice(), lse.Slice(), logits.Slice(), target.Slice(), segs)
	autograd.Apply(&crossEntropyRule{segs}, list(loss), list(logits), list(logits, target, lse))
	return loss
}

type crossEntropyRule struct{ segs *device.Segments }

func (*crossEntropyRule) Name() string { return "segment_cross_entropy" }

func (r *crossEntropyRule) Backward(c *autograd.Call, grads []*Tensor) []*Tensor {
	logits, target, lse := c.Saved[0], c.Saved[1], c.Saved[2]
	d := autograd.Make(logits.DType(), logits.Shape(), logits, grads[0])
	d.Device().(device.SegmentCrossEntropier).SegmentCrossEntropyBackward(d.Slice(), grads[0].Slice(), lse.Slice(), logits.Slice(), target.Slice(), r.segs)
	return list(d)
}

func (r *crossEntropyRule) Compose(c *autograd.Call, in []*Tensor) []*Tensor {
	return list(composeCrossEntropy(in[0], c.Saved[1], r.segs))
}

// composeCrossEntropy writes the operation as gathers and sums. It reads the targets
// to find out which logits they name.
func composeCrossEntropy(logits, target *Tensor, segs *device.Segments) *Tensor {
	flat := Reshape(logits, logits.Len())
	owner := make([]int32, segs.Total()) // the segment of every logit
	highest := make([]int32, segs.Count())
	chosen := make([]int32, 0, segs.Count()) // logits that targets name, and whose they are
	rows := make([]int32, 0, segs.Count())
	host := flat.Detach().Float64s()
	for s, want := range target.Int32s() {
		start, n := segs.Start(s), segs.Len(s)
		best := start
		for i := start; i < start+n; i++ {
			owner[i] = int32(s)
			if host[i] > host[best] {
				best = i
			}
		}
		highest[s] = int32(best)
		if n > 0 && want >= 0 {
			if int(want) >= n {
				panic(&device.Error{Device: logits.Device().Name(), Op: "SegmentCrossEntropy",
					Err: fmt.Errorf("target %d in segment %d, want below %d", want, s, n)})
			}
			chosen, rows = append(chosen, int32(start)+want), append(rows, int32(s))
		}
	}
	indices := func(v []int32) *Tensor {
		t := autograd.Make(device.Int32, []int{len(v)}, logits)
		t.Device().Write(t.Slice(), v)
		return t
	}
	if len(chosen) == 0 {
		return IndexAdd(Slice(flat, 0, 0, 0), indices(nil), segs.Count())
	}
	mine, count := indices(rows), segs.Count()
	for s := range highest { // an empty segment has no highest logit; any does
		highest[s] = min(highest[s], int32(segs.Total()-1))
	}
	top := IndexSelect(flat.Detach(), indices(highest))
	sums := IndexAdd(Exp(Sub(flat, IndexSelect(top, indices(owner)))), indices(owner), count)
	lse := Add(Log(IndexSelect(sums, mine)), IndexSelect(top, mine))
	return IndexAdd(Sub(lse, IndexSelect(flat, indices(chosen))), mine, count)
}
