package cpu

import (
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/internal/parallel"
)

// SegmentCrossEntropy computes softmax cross entropy over segments. A target
// outside of its segment is an *Error.
func (d *Device) SegmentCrossEntropy(loss, lse, logits, target device.Slice, segs *device.Segments) {
	apart("SegmentCrossEntropy", loss, logits, target, lse)
	apart("SegmentCrossEntropy", lse, logits, target)
	if isDouble("SegmentCrossEntropy", "logits", logits) {
		crossEntropy(&double, loss, lse, logits, target, segs)
	} else {
		crossEntropy(&single, loss, lse, logits, target, segs)
	}
}

// targets returns the targets of segments, which may be negative but not too large.
func targets(op string, target device.Slice, segs *device.Segments) []int32 {
	at := view[int32](op, "target", target, segs.Count())
	for i, t := range at {
		if n := segs.Len(i); n > 0 && int(t) >= n {
			fail(op, "target %d in segment %d, want below %d", t, i, n)
		}
	}
	return at
}

// segmentsPerTask returns how many segments make a task.
func segmentsPerTask(segs *device.Segments) int {
	return rowsPerTask(segs.Total() / max(1, segs.Count()))
}

func crossEntropy[T float](k *kernels[T], loss, lse, logits, target device.Slice, segs *device.Segments) {
	const op = "SegmentCrossEntropy"
	x := view[T](op, "logits", logits, segs.Total())
	losses, lses := view[T](op, "loss", loss, segs.Count()), view[T](op, "lse", lse, segs.Count())
	at := targets(op, target, segs)
	parallel.Range(segs.Count(), segmentsPerTask(segs), func(lo, hi int) {
		for i := lo; i < hi; {
			n, run := segs.Len(i), i+1 // segments of one length, as a classification's, are rows
			for run < hi && segs.Len(run) == n && segs.Start(run) == segs.Start(run-1)+n {
				run++
			}
			if n > 0 {
				k.logSumExpRows(lses[i:run], x[segs.Start(i):][:(run-i)*n], n)
			}
			for ; i < run; i++ {
				if n > 0 && at[i] >= 0 {
					losses[i] = lses[i] - x[segs.Start(i)+int(at[i])]
				} else {
					losses[i], lses[i] = 0, 0
				}
			}
		}
	})
}

// SegmentCrossEntropyBackward computes the gradient of the logits.
func (d *Device) SegmentCrossEntropyBackward(dlogits, dloss, lse, logits, target device.Slice, segs *device.Segments) {
	apart("SegmentCrossEntropyBackward", dlogits, dloss, lse, logits, target)
	if isDouble("SegmentCrossEntropyBackward", "logits", logits) {
		crossEntropyBackward(&double, dlogits, dloss, lse, logits, target, segs)
	} else {
		crossEntropyBackward(&single, dlogits, dloss, lse, logits, target, segs)
	}
}

func crossEntropyBackward[T float](k *kernels[T], dlogits, dloss, lse, logits, target device.Slice, segs *device.Segments) {
	const op = "SegmentCrossEntropyBackward"
	x, dx := view[T](op, "logits", logits, segs.Total()), view[T](op, "dlogits", dlogits, segs.Total())
	losses, lses := view[T](op, "dloss", dloss, segs.Count()), view[T](op, "lse", lse, segs.Count())
	at := targets(op, target, segs)
	parallel.Range(segs.Count(), segmentsPerTask(segs), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			row, out := x[segs.Start(i):][:segs.Len(i)], dx[segs.Start(i):][:segs.Len(i)]
			if at[i] < 0 {
				clear(out)
				continue
			}
			for c := 0; c < len(row); c += blockLen {
				part := out[c:min(c+blockLen, len(row))]
				k.addScalar(part, row[c:c+len(part)], -lses[i])
				k.unary[device.OpExp](part, part)
				k.mulScalar(part, part, losses[i])
			}
			if len(out) > 0 {
				out[at[i]] -= losses[i]
			}
		}
	})
}
