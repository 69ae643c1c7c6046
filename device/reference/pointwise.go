package reference

import (
	"fmt"
	"math"
	"math/bits"
	"slices"

	"github.com/muppet-go/muppet/device"
)

func (d *machine) Pointwise(p *device.Program, args *device.Args) {
	op := "Pointwise " + p.Name()
	if args.Rows < 0 || args.Cols < 0 {
		panic(fmt.Sprintf("reference: %s on [%d, %d] elements", op, args.Rows, args.Cols))
	}
	if len(args.In) != p.Inputs() || len(args.Out) != len(p.Outputs()) || len(args.Params) != p.Params() || len(args.Keys) != p.Keys() {
		panic(fmt.Sprintf("reference: %s has %d inputs, %d outputs, %d parameters, %d keys, want %d, %d, %d, %d", op,
			len(args.In), len(args.Out), len(args.Params), len(args.Keys), p.Inputs(), len(p.Outputs()), p.Params(), p.Keys()))
	}
	if len(args.Out) == 0 {
		return
	}
	t := d.float(op, "output 0", args.Out[0], args.Rows*args.Cols).b.t
	run := &pointwise{p: p, t: t, cols: args.Cols, params: slices.Clone(args.Params), keys: slices.Clone(args.Keys)}
	for i, s := range args.Out {
		run.out = append(run.out, d.view(op, fmt.Sprint("output ", i), s, args.Rows*args.Cols, t))
	}
	for i, in := range args.In {
		v := input{extent: in.Extent}
		if in.Buffer != nil || p.Uses(i) { // an input that is not used may be left out
			v.view = d.view(op, fmt.Sprint("input ", i), in.Slice, extentLen(in.Extent, args.Rows, args.Cols), t)
		}
		run.in = append(run.in, v)
	}
	disjoint(op, args.Out)
	for i, out := range args.Out {
		same := 0
		for j, in := range args.In {
			if !overlap(out, in.Slice) {
				continue
			}
			if same++; out != in.Slice || in.Extent != device.FullExtent || same > 1 {
				panic(fmt.Sprintf("reference: %s: output %d overlaps input %d; it may only be one full input exactly", op, i, j))
			}
		}
	}
	n := args.Rows * args.Cols
	d.run(func() {
		for i := range n {
			run.element(i)
		}
	}, run.out...)
}

func extentLen(e device.Extent, rows, cols int) int {
	switch e {
	case device.FullExtent:
		return rows * cols
	case device.RowExtent:
		return cols
	case device.ColumnExtent:
		return rows
	case device.ScalarExtent:
		return 1
	}
	panic(fmt.Sprintf("reference: Pointwise: unknown Extent %d", e))
}

// pointwise is one run of a program: a copy of what it needs of its Args.
type pointwise struct {
	p      *device.Program
	t      device.DType
	cols   int
	in     []input
	out    []view
	params []float64
	keys   []device.Key
	values []float64 // of the instructions at one element
}

type input struct {
	view
	extent device.Extent
}

// element runs the program on the element at row-major position i.
func (r *pointwise) element(i int) {
	r.values = r.values[:0]
	for _, instr := range r.p.Code() {
		var value float64
		switch instr.Op {
		case device.OpConst:
			value = instr.Const
		case device.OpParam:
			value = r.params[instr.Index]
		case device.OpUniform:
			value = uniform(r.keys[instr.Index], uint64(i))
		case device.OpInput:
			in := r.in[instr.Index]
			switch in.extent {
			case device.FullExtent:
				value = in.get(i)
			case device.RowExtent:
				value = in.get(i % r.cols)
			case device.ColumnExtent:
				value = in.get(i / r.cols)
			case device.ScalarExtent:
				value = in.get(0)
			}
		default:
			var x [3]float64
			for j, v := range [3]device.Value{instr.A, instr.B, instr.C} {
				if j < instr.Op.Arity() {
					x[j] = r.values[v]
				}
			}
			value = compute(instr.Op, x[0], x[1], x[2])
		}
		r.values = append(r.values, decode(r.t, encode(r.t, value)))
	}
	for j, v := range r.p.Outputs() {
		r.out[j].set(i, r.values[v])
	}
}

// compute is what the primitives mean.
func compute(op device.Op, x, y, z float64) float64 {
	switch op {
	case device.OpAdd:
		return x + y
	case device.OpSub:
		return x - y
	case device.OpMul:
		return x * y
	case device.OpDiv:
		return x / y
	case device.OpMax:
		return max(x, y)
	case device.OpMin:
		return min(x, y)
	case device.OpPow:
		return math.Pow(x, y)
	case device.OpLess:
		return truth(x < y)
	case device.OpLessEqual:
		return truth(x <= y)
	case device.OpEqual:
		return truth(x == y)
	case device.OpSelect:
		if x != 0 {
			return y
		}
		return z
	case device.OpNeg:
		return -x
	case device.OpAbs:
		return math.Abs(x)
	case device.OpSign:
		switch {
		case x > 0:
			return 1
		case x < 0:
			return -1
		}
		return x // zero or NaN
	case device.OpFloor:
		return math.Floor(x)
	case device.OpSqrt:
		return math.Sqrt(x)
	case device.OpExp:
		return math.Exp(x)
	case device.OpExpm1:
		return math.Expm1(x)
	case device.OpLog:
		return math.Log(x)
	case device.OpLog1p:
		return math.Log1p(x)
	case device.OpTanh:
		return math.Tanh(x)
	case device.OpErf:
		return math.Erf(x)
	case device.OpSin:
		return math.Sin(x)
	case device.OpCos:
		return math.Cos(x)
	}
	panic(fmt.Sprintf("reference: Pointwise: unknown primitive %v", op))
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// uniform returns number i of the stream that Builder.Uniform describes.
func uniform(key device.Key, i uint64) float64 {
	c := [4]uint32{uint32(i / 4), uint32(i / 4 >> 32), uint32(key.Hi), uint32(key.Hi >> 32)}
	k := [2]uint32{uint32(key.Lo), uint32(key.Lo >> 32)}
	for range 10 {
		hi0, lo0 := bits.Mul32(0xd2511f53, c[0])
		hi1, lo1 := bits.Mul32(0xcd9e8d57, c[2])
		c = [4]uint32{hi1 ^ c[1] ^ k[0], lo1, hi0 ^ c[3] ^ k[1], lo0}
		k[0] += 0x9e3779b9
		k[1] += 0xbb67ae85
	}
	return float64(c[i%4]>>8) / (1 << 24)
}
