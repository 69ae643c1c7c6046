package devicetest

import (
	"fmt"
	"math"
	"slices"

	"github.com/muppet-go/muppet/device"
)

// special are the numbers that kernels get wrong.
var special = []float64{
	0, math.Copysign(0, -1), math.NaN(), math.Inf(1), math.Inf(-1),
	1, -1, 0.5, -0.5, 1.5, -1.5, 2, -2, 2.5, 3, -3, 10, -10, 0.1, -0.1,
	1 - 0x1p-24, 1 + 0x1p-23, -1 + 0x1p-24, 1 - 0x1p-53, 1 + 0x1p-52,
	0x1p-149, -0x1p-149, 0x1p-127, -0x1p-127, 0x1p-126, 0x1p-1074, -0x1p-1022, 1e-30, -1e-10, 1e-5,
	0x1p24, 0x1p24 + 2, -0x1p31, 0x1p63, 1e10, -1e20, 1e38, math.MaxFloat32, -math.MaxFloat32, 1e300, math.MaxFloat64,
	math.Pi, math.Pi / 2, -math.Pi / 4, math.E, math.Ln2, 88.7, 88.8, -87.3, -104, 709.7, 710, -745, 20, -20, 7.5,
	100.5, 12345.678, -54321.5, 1e6,
}

// primitives says how to write each primitive, and how many units in the last
// place it may be off; none means that its sign of zero is right too.
var primitives = map[device.Op]struct {
	ulps  float64
	write any
}{
	device.OpAdd:       {0, (*device.Builder).Add},
	device.OpSub:       {0, (*device.Builder).Sub},
	device.OpMul:       {0, (*device.Builder).Mul},
	device.OpDiv:       {0, (*device.Builder).Div},
	device.OpMax:       {0, (*device.Builder).Max},
	device.OpMin:       {0, (*device.Builder).Min},
	device.OpPow:       {16, (*device.Builder).Pow},
	device.OpLess:      {0, (*device.Builder).Less},
	device.OpLessEqual: {0, (*device.Builder).LessEqual},
	device.OpEqual:     {0, (*device.Builder).Equal},
	device.OpSelect:    {0, (*device.Builder).Select},
	device.OpNeg:       {0, (*device.Builder).Neg},
	device.OpAbs:       {0, (*device.Builder).Abs},
	device.OpSign:      {0, (*device.Builder).Sign},
	device.OpFloor:     {0, (*device.Builder).Floor},
	device.OpSqrt:      {0, (*device.Builder).Sqrt},
	device.OpExp:       {4, (*device.Builder).Exp},
	device.OpExpm1:     {4, (*device.Builder).Expm1},
	device.OpLog:       {4, (*device.Builder).Log},
	device.OpLog1p:     {4, (*device.Builder).Log1p},
	device.OpTanh:      {4, (*device.Builder).Tanh},
	device.OpErf:       {4, (*device.Builder).Erf},
	device.OpSin:       {4, (*device.Builder).Sin},
	device.OpCos:       {4, (*device.Builder).Cos},
}

func testPrimitives(s *suite) {
	for op := device.Op(0); op < device.NumOps; op++ {
		if op.Arity() == 0 {
			continue // testPrograms and testUniform use those
		}
		primitive, ok := primitives[op]
		if !ok {
			s.Errorf("no test of primitive %v", op)
			continue
		}
		p := device.NewProgram(op.String(), op.Arity(), func(b *device.Builder, x ...device.Value) []device.Value {
			switch write := primitive.write.(type) {
			case func(*device.Builder, device.Value) device.Value:
				return []device.Value{write(b, x[0])}
			case func(*device.Builder, device.Value, device.Value) device.Value:
				return []device.Value{write(b, x[0], x[1])}
			default:
				return []device.Value{write.(func(b *device.Builder, x, y, z device.Value) device.Value)(b, x[0], x[1], x[2])}
			}
		})
		for _, t := range floats {
			s.check(fmt.Sprint(op, " ", t), func(s *suite) {
				in := s.operands(t, op.Arity())
				arrays := make([]*array, len(in))
				for i := range in {
					arrays[i] = s.array(t, in[i])
				}
				n := len(in[0])
				out := s.out(t, n)
				s.run(func() { s.d.Pointwise(p, pointwiseArgs(1, n, arrays, []*array{out})) }, out)
				want := make([]float64, n)
				for i := range want {
					var x [3]float64
					for j := range in {
						x[j] = in[j][i]
					}
					want[i] = apply(op, x)
				}
				s.closeTo(op, primitive.ulps, in, out, want)
			})
		}
	}
}

// operands returns the columns of special numbers in all combinations, and random ones.
func (s *suite) operands(t device.DType, arity int) [][]float64 {
	values := make([][]float64, arity)
	add := func(x ...float64) {
		for i, v := range x {
			values[i] = append(values[i], round(t, v))
		}
	}
	for _, x := range special {
		switch arity {
		case 1:
			add(x)
		case 2:
			for _, y := range special {
				add(x, y)
			}
		case 3:
			for _, y := range special[:8] {
				add(x, y, 3)
				add(x, 3, y)
			}
		}
	}
	for _, scale := range []float64{1e-3, 1, 10, 80, 1e4} {
		for range 2000 {
			x := make([]float64, arity)
			for i := range x {
				x[i] = scale * s.rng.NormFloat64()
			}
			add(x...)
		}
	}
	return values
}

func (s *suite) closeTo(op device.Op, ulps float64, in [][]float64, out *array, want []float64) {
	s.Helper()
	t := out.DType()
	if op == device.OpPow && t == device.Float64 {
		ulps = 64
	}
	signOfZero := ulps == 0 && op != device.OpSign && op != device.OpMax && op != device.OpMin
	for i, got := range out.values() {
		w := round(t, want[i])
		if math.IsNaN(got) && math.IsNaN(w) || got == w && (!signOfZero || math.Signbit(got) == math.Signbit(w)) ||
			ulps > 0 && math.Abs(got-w) <= max(ulps*ulp(t, w), smallestNormal(t)) {
			continue
		}
		x := make([]float64, len(in))
		for j := range x {
			x[j] = in[j][i]
		}
		s.Errorf("%v%v of %v = %v, want %v (%.1f units in the last place, %v allowed)", op, x, t, got, w, math.Abs(got-w)/ulp(t, w), ulps)
		return // one is enough
	}
}

// pointwiseArgs are those of a program whose inputs are all full.
func pointwiseArgs(rows, cols int, in, out []*array) *device.Args {
	args := &device.Args{Rows: rows, Cols: cols}
	for _, a := range in {
		args.In = append(args.In, device.Operand{Slice: a.Slice})
	}
	for _, a := range out {
		args.Out = append(args.Out, a.Slice)
	}
	return args
}

// program runs p on the device and in Eval, and compares. In may hold the
// arrays of out.
func (s *suite) program(p *device.Program, args *device.Args, out ...*array) {
	s.Helper()
	in := make([][]float64, len(args.In))
	for i, operand := range args.In {
		for _, a := range s.arrays {
			if a.Slice == operand.Slice {
				in[i] = a.values()
			}
		}
	}
	t := out[0].DType()
	s.run(func() {
		// All of args is the caller's again after the return.
		temporary := &device.Args{Rows: args.Rows, Cols: args.Cols, In: slices.Clone(args.In), Out: slices.Clone(args.Out),
			Params: slices.Clone(args.Params), Keys: slices.Clone(args.Keys)}
		s.d.Pointwise(p, temporary)
		clear(temporary.In)
		clear(temporary.Out)
		clear(temporary.Params)
		clear(temporary.Keys)
		*temporary = device.Args{}
	}, out...)
	n := args.Rows * args.Cols
	want, tolerance := make([][]float64, len(out)), make([]float64, n)
	x := make([]float64, len(in))
	for i := range n {
		for j, values := range in {
			if values == nil { // left out
				continue
			}
			switch args.In[j].Extent {
			case device.FullExtent:
				x[j] = values[i]
			case device.RowExtent:
				x[j] = values[i%args.Cols]
			case device.ColumnExtent:
				x[j] = values[i/args.Cols]
			case device.ScalarExtent:
				x[j] = values[0]
			}
		}
		e := Eval(p, t, x, args.Params, args.Keys, i)
		tolerance[i] = 16 * epsilon(t) * e.Largest
		for j, v := range e.Outputs {
			want[j] = append(want[j], v)
		}
	}
	for j := range out {
		s.within(fmt.Sprintf("%s, output %d", p.Name(), j), out[j], want[j], func(i int) float64 { return tolerance[i] })
	}
}

// shapes of pointwise programs: empty, small, tall, wide.
var shapes = [][2]int{
	{0, 0}, {0, 5}, {5, 0}, {1, 1}, {1, 7}, {7, 1}, {3, 5}, {2, 64}, {17, 33}, {257, 129},
	{5000, 3}, {3, 5000}, {12000, 1}, {1, 40000},
}

func extentLen(e device.Extent, rows, cols int) int {
	return [...]int{device.FullExtent: rows * cols, device.RowExtent: cols, device.ColumnExtent: rows, device.ScalarExtent: 1}[e]
}

var extents = []device.Extent{device.FullExtent, device.RowExtent, device.ColumnExtent, device.ScalarExtent}

func testExtents(s *suite) {
	blend := device.NewProgram("blend", 4, func(b *device.Builder, x ...device.Value) []device.Value {
		return []device.Value{b.Add(b.Sub(b.Mul(x[0], x[1]), x[2]), x[3]), b.Max(b.Div(x[0], x[3]), x[2])}
	})
	ratio := device.NewProgram("ratio", 2, func(b *device.Builder, x ...device.Value) []device.Value {
		return []device.Value{b.Div(x[0], x[1])}
	})
	for _, t := range floats {
		for _, shape := range shapes {
			rows, cols := shape[0], shape[1]
			for turn := range extents {
				s.check(fmt.Sprint(t, shape, turn), func(s *suite) {
					s.extents(blend, t, rows, cols, extents[turn], extents[(turn+1)%4], extents[(turn+2)%4], extents[(turn+3)%4])
				})
			}
			if rows*cols > 1000 {
				continue
			}
			for _, x := range extents {
				for _, y := range extents {
					s.check(fmt.Sprint(t, shape, x, y), func(s *suite) { s.extents(ratio, t, rows, cols, x, y) })
				}
			}
		}
	}
}

// extents runs a program on random inputs of the extents.
func (s *suite) extents(p *device.Program, t device.DType, rows, cols int, extents ...device.Extent) {
	s.Helper()
	args := &device.Args{Rows: rows, Cols: cols}
	for _, e := range extents {
		in := s.array(t, s.normal(t, extentLen(e, rows, cols)))
		args.In = append(args.In, device.Operand{Slice: in.Slice, Extent: e})
	}
	var out []*array
	for range p.Outputs() {
		a := s.out(t, rows*cols)
		out, args.Out = append(out, a), append(args.Out, a.Slice)
	}
	s.program(p, args, out...)
}

func testAlias(s *suite) {
	p := device.NewProgram("both", 2, func(b *device.Builder, x ...device.Value) []device.Value {
		return []device.Value{b.Add(x[0], x[1]), b.Mul(x[0], x[1])}
	})
	swap := device.NewProgram("swap", 2, func(b *device.Builder, x ...device.Value) []device.Value {
		return []device.Value{x[1], x[0]}
	})
	rotate := device.NewProgram("rotate", 3, func(b *device.Builder, x ...device.Value) []device.Value {
		return []device.Value{x[1], b.Exp(x[2]), x[0]}
	})
	for _, t := range floats {
		for _, shape := range [][2]int{{0, 5}, {1, 1}, {3, 5}, {17, 33}, {5000, 3}, {2, 9001}} {
			s.check(fmt.Sprint(t, shape), func(s *suite) {
				rows, cols := shape[0], shape[1]
				input := func() *array { return s.array(t, s.normal(t, rows*cols)) }
				x, y, z, other := input(), input(), input(), s.out(t, rows*cols)
				for _, out := range [][]*array{{x, other}, {other, x}, {y, other}, {x, y}, {y, x}} {
					s.program(p, pointwiseArgs(rows, cols, []*array{x, y}, out), out...)
					s.reset()
				}
				s.program(swap, pointwiseArgs(rows, cols, []*array{x, y}, []*array{x, y}), x, y)
				s.reset()
				s.program(rotate, pointwiseArgs(rows, cols, []*array{x, y, z}, []*array{x, y, z}), x, y, z)
			})
		}
	}
}

// reset gives all arrays their first contents again.
func (s *suite) reset() {
	for _, a := range s.arrays {
		s.restore(a)
		a.after = nil
	}
}

func testPrograms(s *suite) {
	for _, t := range floats {
		for _, shape := range [][2]int{{0, 3}, {1, 1}, {5, 7}, {400, 3}, {2, 1030}} {
			rows, cols := shape[0], shape[1]
			for _, p := range samples() {
				s.check(fmt.Sprint(p.Name(), " ", t, shape), func(s *suite) {
					args := &device.Args{Rows: rows, Cols: cols}
					for i := range p.Inputs() {
						e := extents[i%3] // full, row, column
						in := s.array(t, s.normal(t, extentLen(e, rows, cols)))
						args.In = append(args.In, device.Operand{Slice: in.Slice, Extent: e})
						if !p.Uses(i) {
							args.In[i] = device.Operand{} // may be left out
						}
					}
					for i := range p.Params() {
						args.Params = append(args.Params, 0.3+0.1*float64(i))
					}
					for i := range p.Keys() {
						args.Keys = append(args.Keys, device.NewKey(5).FoldInt(i))
					}
					var out []*array
					for range p.Outputs() {
						a := s.out(t, rows*cols)
						out, args.Out = append(out, a), append(args.Out, a.Slice)
					}
					s.program(p, args, out...)
				})
			}
		}
	}
}

// samples are programs of every kind: many inputs, many values alive at once,
// many outputs, outputs that are inputs or constants, and derivatives.
func samples() []*device.Program {
	type values = []device.Value
	gelu := device.NewProgram("bias+gelu", 2, func(b *device.Builder, in ...device.Value) values {
		x := b.Add(in[0], in[1])
		return values{b.Mul(b.Mul(b.Const(0.5), x), b.Add(b.Const(1), b.Erf(b.Mul(x, b.Const(math.Sqrt2/2)))))}
	})
	dropout := device.NewProgram("dropout+residual", 2, func(b *device.Builder, in ...device.Value) values {
		keep := b.LessEqual(b.Param(0), b.Uniform(0))
		scaled := b.Div(in[0], b.Sub(b.Const(1), b.Param(0)))
		return values{b.Add(in[1], b.Select(keep, scaled, b.Const(0)))}
	})
	return []*device.Program{
		gelu, gelu.VJP(1), gelu.VJP(3).VJP(7), dropout, dropout.VJP(1),
		device.NewProgram("adamw", 4, func(b *device.Builder, in ...device.Value) values {
			w, g, m, v := in[0], in[1], in[2], b.Abs(in[3])
			lr, beta1, beta2, decay := b.Param(0), b.Param(1), b.Param(2), b.Param(3)
			m = b.Add(m, b.Mul(b.Sub(b.Const(1), beta1), b.Sub(g, m)))
			v = b.Add(b.Mul(beta2, v), b.Mul(b.Sub(b.Const(1), beta2), b.Mul(g, g)))
			step := b.Div(m, b.Add(b.Sqrt(v), b.Const(1)))
			return values{b.Sub(w, b.Mul(lr, b.Add(step, b.Mul(decay, w)))), m, v}
		}),
		device.NewProgram("no inputs", 0, func(b *device.Builder, in ...device.Value) values {
			return values{b.Const(math.Pi), b.Param(1), b.Exp(b.Param(0)), b.Const(math.Inf(1))}
		}),
		device.NewProgram("outputs as they are", 2, func(b *device.Builder, in ...device.Value) values {
			return values{in[1], in[0], b.Const(-2), in[1], b.Sqrt(b.Param(2))}
		}),
		device.NewProgram("unused inputs", 5, func(b *device.Builder, in ...device.Value) values {
			return values{b.Mul(in[1], in[3])}
		}),
		device.NewProgram("many inputs", 60, func(b *device.Builder, in ...device.Value) values {
			sum := in[0]
			for i, x := range in {
				sum = b.Add(sum, b.Mul(x, b.Const(float64(i))))
			}
			return values{sum}
		}),
		device.NewProgram("many values", 2, func(b *device.Builder, in ...device.Value) values {
			var terms values
			for i := range 150 {
				terms = append(terms, b.Max(b.Mul(in[0], b.Const(float64(i)/75)), b.Sub(in[1], b.Const(float64(i)/50))))
			}
			sum := b.Const(0)
			for i := range terms {
				sum = b.Add(sum, terms[len(terms)-1-i]) // the first is needed last
			}
			return values{sum, terms[0], terms[149]}
		}),
		device.NewProgram("many outputs", 1, func(b *device.Builder, in ...device.Value) values {
			var out values
			for i := range 40 {
				out = append(out, b.Add(in[0], b.Const(float64(i))))
			}
			return out
		}),
	}
}

func testUniform(s *suite) {
	one := device.NewProgram("uniform", 0, func(b *device.Builder, in ...device.Value) []device.Value {
		return []device.Value{b.Uniform(0)}
	})
	two := device.NewProgram("uniforms", 1, func(b *device.Builder, in ...device.Value) []device.Value {
		return []device.Value{b.Uniform(1), b.Select(b.Less(b.Uniform(0), b.Const(0.25)), b.Const(0), in[0])}
	})
	for _, t := range floats {
		s.check(fmt.Sprint(t, " known answer"), func(s *suite) {
			out := s.out(t, 4)
			args := pointwiseArgs(2, 2, nil, []*array{out})
			args.Keys = []device.Key{{}}
			s.run(func() { s.d.Pointwise(one, args) }, out)
			var want []float64 // the authors' test vector for counter 0 and key 0
			for _, word := range []uint32{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8} {
				want = append(want, float64(word>>8)/(1<<24))
			}
			s.exact("Uniform", out, want)
		})
		for _, shape := range shapes {
			s.check(fmt.Sprint(t, shape), func(s *suite) {
				n := shape[0] * shape[1]
				in, mask, out := s.array(t, s.normal(t, n)), s.out(t, n), s.out(t, n)
				args := pointwiseArgs(shape[0], shape[1], []*array{in}, []*array{out, mask})
				args.Keys = []device.Key{device.NewKey(1).Fold("dropout"), {Lo: 1<<63 | 7, Hi: 1<<40 | 9}}
				s.run(func() { s.d.Pointwise(two, args) }, out, mask)
				want, masked := make([]float64, n), in.values()
				for i := range want {
					want[i] = uniform(args.Keys[1], i)
					if uniform(args.Keys[0], i) < 0.25 {
						masked[i] = 0
					}
				}
				s.exact("Uniform", out, want)
				s.exact("mask", mask, masked)
			})
		}
	}
}
