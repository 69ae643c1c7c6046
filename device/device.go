// Package device defines what a machine must be able to do to compute for Muppet.
//
// A Device owns buffers and a few dozen operations on them: copies, elementwise
// programs, reductions, matrix products, gathers. It knows nothing of tensors,
// shapes with names, or gradients; packages autograd and ops build those on top.
// Elementwise operations are not methods but values: a Program is written once
// as a formula, its derivative is derived, and every device runs both (see
// Program).
//
// Package device/cpu is the device of every program. Package device/reference
// computes the same slowly and as unhelpfully as the contract allows; tests run
// on it to find code that assumes more than the contract says. Package
// device/devicetest checks any device against that contract.
//
// # Contract
//
// Operations may run later than the call, in the order of the calls; Read and
// Sync wait. Outputs are contiguous and never overlap an input, with one
// exception: an output of Pointwise may be exactly the same Slice as one full
// input. Memory from Alloc holds arbitrary values. Sizes may be zero. A device's
// methods may be called from several goroutines as long as no two calls touch the
// same buffer at once. Whatever else a call is given (Args, shapes, strides) the
// caller may change after the return.
//
// Arithmetic is on Float32 and Float64; moving elements (Strided, Gather, Fill,
// Cast) is for every type.
//
// Every operation gives the same bits whenever it is called with the same
// values, whatever the number of threads.
//
// A device panics with an *Error when it cannot do what was asked (out of
// memory, lost device) and with a string when the call itself is wrong.
package device

import "fmt"

// A DType is the type of the elements of a buffer.
type DType uint8

// Element types. Arithmetic is done in Float32 (the working type) and Float64
// (for checks); Int32 holds indices; BFloat16 is for storage and casts.
const (
	Float32 DType = iota
	Float64
	Int32
	BFloat16
)

// Size returns the bytes an element takes.
func (t DType) Size() int {
	switch t {
	case Float32, Int32:
		return 4
	case Float64:
		return 8
	case BFloat16:
		return 2
	}
	panic(fmt.Sprintf("device: unknown DType %d", t))
}

// IsFloat reports whether arithmetic is defined on t.
func (t DType) IsFloat() bool { return t == Float32 || t == Float64 }

// String returns the name that PyTorch uses: float32, float64, int32, bfloat16.
func (t DType) String() string {
	switch t {
	case Float32:
		return "float32"
	case Float64:
		return "float64"
	case Int32:
		return "int32"
	case BFloat16:
		return "bfloat16"
	}
	return fmt.Sprintf("DType(%d)", uint8(t))
}

// A Buffer is memory on a device. Only the device that made it can look inside.
type Buffer interface {
	DType() DType
	Len() int // elements
}

// A Slice is a contiguous run of elements of a buffer: what operations read and write.
type Slice struct {
	Buffer Buffer
	Offset int // first element
	Len    int // elements
}

// DType returns the element type.
func (s Slice) DType() DType { return s.Buffer.DType() }

// Sub returns the n elements of s from offset on.
func (s Slice) Sub(offset, n int) Slice {
	if offset < 0 || n < 0 || offset > s.Len || n > s.Len-offset {
		panic(fmt.Sprintf("device: Sub(%d, %d) of a slice of %d elements", offset, n, s.Len))
	}
	return Slice{s.Buffer, s.Offset + offset, n}
}

// An Error says that a device could not do what it was asked.
type Error struct {
	Device string // name of the device
	Op     string // operation, such as "Alloc"
	Err    error
}

func (e *Error) Error() string { return fmt.Sprintf("device %s: %s: %v", e.Device, e.Op, e.Err) }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// A Key names a stream of random numbers. Numbers are a function of the key and
// their position in the stream, so that recomputing gives the same ones.
type Key struct{ Lo, Hi uint64 }

// A Device computes. The package comment states the contract.
type Device interface {
	// Name identifies the device in messages and checkpoints, such as "cpu".
	Name() string

	// Alloc returns a buffer of n elements with arbitrary contents. Free gives it
	// back: its contents may change at once. A buffer that is never freed is
	// reclaimed with its last reference.
	Alloc(t DType, n int) Buffer
	Free(b Buffer)

	// Write copies a host slice ([]float32, []float64, []int32, or []uint16 holding
	// bfloat16 bits) to the device. The caller may change src after the return.
	Write(dst Slice, src any)
	// Read copies to a host slice of the matching type. It waits for what was asked before.
	Read(dst any, src Slice)
	// Sync waits until everything asked for is done.
	Sync()

	// Fill sets every element to value, converted to the element type.
	Fill(dst Slice, value float64)
	// Iota sets element i to start + i·step.
	Iota(dst Slice, start, step float64)
	// Cast converts between element types: floats round to nearest even, floats to
	// Int32 truncate towards zero.
	Cast(dst, src Slice)
	// Strided copies an n-dimensional block of elements of any type: with index
	// vector i below shape, dst[dstOff + Σ i·dstStride] = src[srcOff + Σ i·srcStride].
	// Strides count elements; source strides may be zero or negative (broadcast,
	// flip); destination strides address each element once. Permute, expand,
	// slice, pad, concat are all this copy.
	Strided(dst Slice, dstOff int, dstStride []int, src Slice, srcOff int, srcStride []int, shape []int)

	// Pointwise runs a program over rows×cols elements. See Program and Args.
	Pointwise(p *Program, args *Args)
	// Reduce combines the middle index of src, seen as [outer, n, inner], into dst
	// [outer, inner]. ArgMax writes Int32 (the first of equal maxima; a NaN counts
	// as the maximum). The sum of nothing is 0, the maximum of nothing -Inf, the minimum
	// +Inf. A maximum or minimum with a NaN among the elements is NaN.
	Reduce(op ReduceOp, dst, src Slice, outer, n, inner int)
	// MatMul computes a batch of matrix products. See MatMul.
	MatMul(dst, a, b Slice, m MatMul)
	// Gather copies rows of width w: dst[i,:] = src[index[i],:]. Index is Int32; an index
	// outside src is an *Error.
	Gather(dst, src, index Slice, w int)
	// ScatterAdd adds rows of width w in order of i: dst[index[i],:] += src[i,:].
	// Rows of dst that no index names keep their value; an index outside dst is an
	// *Error.
	ScatterAdd(dst, src, index Slice, w int)
	// CumSum writes the running sum along the middle index of [outer, n, inner].
	CumSum(dst, src Slice, outer, n, inner int)
	// Sort orders each row of src [rows, n]: values and, as Int32, the positions they
	// came from; ties (0 and -0 among them) keep their order, NaN counts as the largest.
	Sort(values, indices, src Slice, rows, n int, descending bool)
}

// A ReduceOp says how Reduce combines elements.
type ReduceOp uint8

// Reductions.
const (
	ReduceSum ReduceOp = iota
	ReduceMax
	ReduceMin
	ReduceArgMax
)

// Precision says to what the operands of a matrix product are rounded. Sums are
// always kept in the element type of the output. With operands in bfloat16, those
// and sums that are below the normal range may count as zeros.
type Precision uint8

// Precisions.
const (
	Full         Precision = iota // not at all
	BF16Operands                  // to bfloat16, nearest even; Float32 only
)

// MatMul describes dst[i] = op(a[i]) · op(b[i]) for each i below Batch, row-major:
// op(a[i]) is [M, K], op(b[i]) is [K, N], dst[i] is [M, N]. With TransA, a[i] is
// stored as [K, M]; with TransB, b[i] is stored as [N, K].
type MatMul struct {
	Batch            int
	M, N, K          int
	TransA, TransB   bool
	StrideA, StrideB int  // elements between matrices of a batch; 0 uses one matrix for all
	Accumulate       bool // add to dst instead of overwriting it
	Precision        Precision
}

// Extent says how an operand of a pointwise program covers the rows×cols elements.
type Extent uint8

// Extents.
const (
	FullExtent   Extent = iota // [rows, cols]
	RowExtent                  // [cols]: one row, used for every row
	ColumnExtent               // [rows]: one value a row
	ScalarExtent               // [1]
)

// An Operand is an input of a pointwise program.
type Operand struct {
	Slice
	Extent Extent
}

// Args are what a pointwise program runs on. All slices have the same float type.
// Outputs are full. The operand of an input that the program does not use may be
// zero.
type Args struct {
	Rows, Cols int
	In         []Operand
	Out        []Slice
	Params     []float64 // values of the program's parameters
	Keys       []Key     // keys of the program's random streams
}

// Fused operations. A device may implement any of these; package ops finds them by
// type assertion and otherwise composes the operation from others.

// A LayerNormer normalises rows in one pass.
type LayerNormer interface {
	// LayerNorm computes, for every row of x [rows, cols],
	// y = (x - mean) · rstd · gamma + beta with the biased variance, and keeps mean
	// and rstd [rows].
	LayerNorm(y, mean, rstd, x, gamma, beta Slice, rows, cols int, eps float64)
	// LayerNormBackward computes the gradients of x, gamma and beta from that of y.
	LayerNormBackward(dx, dgamma, dbeta, dy, x, gamma, mean, rstd Slice, rows, cols int)
}

// Attention describes ragged multi-head attention. Query rows of segment s attend
// to the key rows of segment s. Heads lie side by side in a row: head h of a row
// is its elements [h·HeadDim, (h+1)·HeadDim) from the operand's column on.
type Attention struct {
	Heads, HeadDim int
	Queries, Keys  *Segments // as many segments in both; only keys may have rows between them
	Scale          float64   // scores are multiplied by it before the softmax
	Causal         bool      // query i sees keys up to i + (keys - queries) of its segment
	Dropout        float64   // probability p that a weight is zeroed, the others scaled by 1/(1-p)
	// Key is of the dropout mask. Segment s, of nq queries and nk keys, has the
	// stream Key.FoldInt(s): in head h, the weight of query i for key j, counted from
	// the segment's start, is kept where number (h·nq + i)·nk + j of the stream (see
	// Builder.Uniform) is at least p.
	Key              Key
	QStride, KStride int // elements between rows of q, and of k and v
	QOffset, KOffset int // column where q, and k, begin
	VOffset          int // column where v begins (row stride KStride)
}

// An Attender computes ragged attention without keeping the score matrix.
type Attender interface {
	// Attention writes out [Tq, Heads·HeadDim] and the log-sum-exp of every query's
	// scores, lse [Heads, Tq]. k and v are both read from kv. A query that sees no
	// key has an output of 0 and a log-sum-exp of -Inf.
	Attention(out, lse, q, kv Slice, a *Attention)
	// AttentionBackward writes the parts of dq and dkv that a names (laid out as q and
	// kv); where q and kv are the same slice so are dq and dkv. Other columns, and rows
	// of no segment, keep their values.
	AttentionBackward(dq, dkv, dout, out, lse, q, kv Slice, a *Attention)
}

// A SegmentCrossEntropier computes softmax cross entropy over segments of a flat
// vector of logits.
type SegmentCrossEntropier interface {
	// SegmentCrossEntropy writes for each segment its log-sum-exp and
	// loss = lse - logits[target], target counted from the segment's start. An empty
	// segment, or one whose target is negative, costs 0 and has lse 0.
	SegmentCrossEntropy(loss, lse, logits, target Slice, segs *Segments)
	// SegmentCrossEntropyBackward writes dlogits = (softmax - onehot(target)) · dloss.
	SegmentCrossEntropyBackward(dlogits, dloss, lse, logits, target Slice, segs *Segments)
}
