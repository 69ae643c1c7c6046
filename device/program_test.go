package device_test

import (
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/device/devicetest"
)

type (
	builder = device.Builder
	value   = device.Value
)

func ExampleNewProgram() {
	silu := device.NewProgram("silu", 1, func(b *device.Builder, in ...device.Value) []device.Value {
		x := in[0]
		return []device.Value{b.Div(x, b.Add(b.Const(1), b.Exp(b.Neg(x))))}
	})
	fmt.Print(silu)
	// Output:
	// silu:
	//   %0 = input 0
	//   %1 = const 1
	//   %2 = neg %0
	//   %3 = exp %2
	//   %4 = add %1 %3
	//   %5 = div %0 %4
	//   return %[5]
}

func ExampleProgram_VJP() {
	square := device.NewProgram("square", 1, func(b *device.Builder, in ...device.Value) []device.Value {
		return []device.Value{b.Mul(in[0], in[0])}
	})
	fmt.Print(square.VJP(1)) // of the input and the gradient of the output
	// Output:
	// square':
	//   %0 = input 0
	//   %1 = input 1
	//   %2 = mul %1 %0
	//   %3 = add %2 %2
	//   return %[3]
}

// program builds a program with one output.
func program(inputs int, formula func(b *builder, x ...value) value) *device.Program {
	return device.NewProgram("test", inputs, func(b *builder, x ...value) []value { return []value{formula(b, x...)} })
}

// eval runs a program in float64.
func eval(p *device.Program, params []float64, x ...float64) []float64 {
	keys := []device.Key{device.NewKey(1), device.NewKey(2)}
	return devicetest.Eval(p, device.Float64, x, params, keys[:p.Keys()], 3).Outputs
}

// points says where each primitive is differentiable: lists of operands.
var points = map[device.Op]struct {
	formula func(b *builder, x ...value) value
	at      [][]float64
}{
	device.OpAdd:       {func(b *builder, x ...value) value { return b.Add(x[0], x[1]) }, pairs},
	device.OpSub:       {func(b *builder, x ...value) value { return b.Sub(x[0], x[1]) }, pairs},
	device.OpMul:       {func(b *builder, x ...value) value { return b.Mul(x[0], x[1]) }, pairs},
	device.OpDiv:       {func(b *builder, x ...value) value { return b.Div(x[0], x[1]) }, pairs},
	device.OpMax:       {func(b *builder, x ...value) value { return b.Max(x[0], x[1]) }, pairs},
	device.OpMin:       {func(b *builder, x ...value) value { return b.Min(x[0], x[1]) }, pairs},
	device.OpPow:       {func(b *builder, x ...value) value { return b.Pow(x[0], x[1]) }, [][]float64{{0.3, 2}, {2.5, -1.5}, {1.7, 0.01}}},
	device.OpLess:      {func(b *builder, x ...value) value { return b.Less(x[0], x[1]) }, pairs},
	device.OpLessEqual: {func(b *builder, x ...value) value { return b.LessEqual(x[0], x[1]) }, pairs},
	device.OpEqual:     {func(b *builder, x ...value) value { return b.Equal(x[0], x[1]) }, pairs},
	device.OpSelect:    {func(b *builder, x ...value) value { return b.Select(x[0], x[1], x[2]) }, [][]float64{{1, 2, 3}, {-0.5, 2, 3}, {1, -1, 0.3}}},
	device.OpNeg:       {func(b *builder, x ...value) value { return b.Neg(x[0]) }, reals},
	device.OpAbs:       {func(b *builder, x ...value) value { return b.Abs(x[0]) }, reals},
	device.OpSign:      {func(b *builder, x ...value) value { return b.Sign(x[0]) }, reals},
	device.OpFloor:     {func(b *builder, x ...value) value { return b.Floor(x[0]) }, reals},
	device.OpSqrt:      {func(b *builder, x ...value) value { return b.Sqrt(x[0]) }, positives},
	device.OpExp:       {func(b *builder, x ...value) value { return b.Exp(x[0]) }, reals},
	device.OpExpm1:     {func(b *builder, x ...value) value { return b.Expm1(x[0]) }, reals},
	device.OpLog:       {func(b *builder, x ...value) value { return b.Log(x[0]) }, positives},
	device.OpLog1p:     {func(b *builder, x ...value) value { return b.Log1p(x[0]) }, positives},
	device.OpTanh:      {func(b *builder, x ...value) value { return b.Tanh(x[0]) }, reals},
	device.OpErf:       {func(b *builder, x ...value) value { return b.Erf(x[0]) }, reals},
	device.OpSin:       {func(b *builder, x ...value) value { return b.Sin(x[0]) }, reals},
	device.OpCos:       {func(b *builder, x ...value) value { return b.Cos(x[0]) }, reals},
}

var (
	reals     = [][]float64{{0.3}, {-1.2}, {2.4}}
	positives = [][]float64{{0.3}, {1.2}, {7.5}}
	pairs     = [][]float64{{0.3, -1.2}, {2.5, 0.7}, {-0.4, 1.9}}
)

// checkVJP compares the gradients of a program of n outputs with central
// differences, at x and for the weights g of the outputs.
func checkVJP(t *testing.T, p *device.Program, params, x, g []float64) {
	t.Helper()
	all := uint64(1)<<p.Inputs() - 1
	got := eval(p.VJP(all), params, append(append([]float64{}, x...), g...)...)
	weighted := func() (sum float64) {
		for i, y := range eval(p, params, x...) {
			sum += g[i] * y
		}
		return sum
	}
	const h = 1e-5
	for i, v := range x {
		x[i] = v + h
		up := weighted()
		x[i] = v - h
		want := (up - weighted()) / (2 * h)
		x[i] = v
		if !(math.Abs(got[i]-want) <= 1e-7*(1+math.Abs(want))) {
			t.Errorf("gradient of input %d at %v is %v, differences give %v, in\n%v", i, x, got[i], want, p)
		}
		if one := eval(p.VJP(1<<i), params, append(append([]float64{}, x...), g...)...); one[0] != got[i] && got[i] == got[i] {
			t.Errorf("gradient of input %d alone is %v, with the others %v", i, one[0], got[i])
		}
	}
}

func TestDerivatives(t *testing.T) {
	for op := device.Op(0); op < device.NumOps; op++ {
		if op.Arity() == 0 {
			continue // TestParams and TestUniformDerivative use those
		}
		c, ok := points[op]
		if !ok {
			t.Errorf("no test of the derivative of %v", op)
			continue
		}
		t.Run(op.String(), func(t *testing.T) {
			p := program(op.Arity(), c.formula)
			all := uint64(1)<<p.Inputs() - 1
			for _, x := range c.at {
				checkVJP(t, p, nil, x, []float64{0.8})
				// The second order: gradients of the first and of its weights.
				first := p.VJP(all)
				weights := []float64{0.6, -1.1, 0.7}[:p.Inputs()]
				checkVJP(t, first, nil, append(append([]float64{}, x...), 0.8), weights)
				// And the third, of the first input's.
				second := first.VJP(1)
				checkVJP(t, second, nil, append(append(append([]float64{}, x...), 0.8), weights...), []float64{1.3})
			}
		})
	}
}

// TestDependentInputs is about values used twice, on paths of different lengths.
func TestDependentInputs(t *testing.T) {
	p := device.NewProgram("test", 2, func(b *builder, x ...value) []value {
		u := b.Mul(x[0], x[0])
		v := b.Tanh(b.Mul(x[0], b.Add(u, x[1])))
		return []value{v, b.Sub(u, b.Exp(v)), v, x[1]}
	})
	for _, x := range pairs {
		g := []float64{0.3, -0.7, 1.1, 0.9}
		checkVJP(t, p, nil, x, g)
		checkVJP(t, p.VJP(3), nil, append(append([]float64{}, x...), g...), []float64{1.3, -0.2})
	}
}

// TestDerivativesAtTheEdge is about points where a formula for the derivative
// gives NaN or a convention decides.
func TestDerivativesAtTheEdge(t *testing.T) {
	op := func(op device.Op) *device.Program { return program(op.Arity(), points[op].formula) }
	square := program(1, func(b *builder, x ...value) value { return b.Pow(x[0], b.Const(2)) })
	safe := program(1, func(b *builder, x ...value) value {
		return b.Select(b.Less(b.Const(0), x[0]), b.Mul(x[0], x[0]), b.Const(1))
	})
	for _, c := range []struct {
		name string
		p    *device.Program
		in   []float64 // inputs and the gradient of the output
		want []float64
	}{
		{"x² at 0", square, []float64{0, 1}, []float64{0}},
		{"x² at -3", square, []float64{-3, 1}, []float64{-6}},
		{"x⁰ at 0", op(device.OpPow), []float64{0, 0, 1}, []float64{0, 0}},
		{"0²", op(device.OpPow), []float64{0, 2, 1}, []float64{0, 0}},
		{"0¹", op(device.OpPow), []float64{0, 1, 5}, []float64{5, 0}},
		{"equal maxima", op(device.OpMax), []float64{2, 2, 3}, []float64{1.5, 1.5}},
		{"equal minima", op(device.OpMin), []float64{2, 2, 3}, []float64{1.5, 1.5}},
		{"|0|", op(device.OpAbs), []float64{0, 3}, []float64{0}},
		{"√0", op(device.OpSqrt), []float64{0, 3}, []float64{math.Inf(1)}},
		{"tanh of much", op(device.OpTanh), []float64{1000, 3}, []float64{0}},
		{"not selected", safe, []float64{-1, 3}, []float64{0}},
		{"selected", safe, []float64{2, 3}, []float64{12}},
	} {
		got := eval(c.p.VJP(1<<c.p.Inputs()-1), nil, c.in...)
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", c.name, diff)
		}
	}
	secondOfSquare := square.VJP(1).VJP(1)
	if got := eval(secondOfSquare, nil, 0, 1, 1); got[0] != 2 {
		t.Errorf("the second derivative of x² at 0 is %v", got)
	}
}

func TestParams(t *testing.T) {
	p := program(1, func(b *builder, x ...value) value { return b.Exp(b.Mul(b.Param(1), x[0])) })
	if p.Params() != 2 {
		t.Errorf("%d parameters, want 2", p.Params())
	}
	if got, want := eval(p, []float64{9, 2}, 0.5)[0], math.E; got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	checkVJP(t, p, []float64{9, 2}, []float64{0.5}, []float64{1.5})
	// A parameter that the derivative does not need is still counted.
	q := program(1, func(b *builder, x ...value) value { return b.Add(x[0], b.Param(3)) })
	if got := q.VJP(1); got.Params() != 4 || got.Keys() != 0 || len(got.Code()) != 1 {
		t.Errorf("%d parameters in\n%v, want 4 and one instruction", got.Params(), got)
	}
}

// TestUniformDerivative checks that a derivative sees the same random numbers.
func TestUniformDerivative(t *testing.T) {
	p := program(1, func(b *builder, x ...value) value {
		return b.Select(b.Less(b.Uniform(1), b.Uniform(0)), b.Mul(x[0], x[0]), b.Mul(b.Uniform(1), x[0]))
	})
	if p.Keys() != 2 || p.VJP(1).Keys() != 2 {
		t.Errorf("%d and %d keys, want 2", p.Keys(), p.VJP(1).Keys())
	}
	checkVJP(t, p, nil, []float64{0.7}, []float64{1.5})
}

func TestFolding(t *testing.T) {
	// Each formula should come out as one of the operands, or as a constant.
	for name, formula := range map[string]func(b *builder, x value) value{
		"x + 0":         func(b *builder, x value) value { return b.Add(x, b.Const(0)) },
		"0 + x":         func(b *builder, x value) value { return b.Add(b.Const(0), x) },
		"x - 0":         func(b *builder, x value) value { return b.Sub(x, b.Const(0)) },
		"x · 1":         func(b *builder, x value) value { return b.Mul(x, b.Const(1)) },
		"1 · x":         func(b *builder, x value) value { return b.Mul(b.Const(1), x) },
		"-1 · -x":       func(b *builder, x value) value { return b.Mul(b.Const(-1), b.Neg(x)) },
		"-x · -1":       func(b *builder, x value) value { return b.Mul(b.Neg(x), b.Const(-1)) },
		"0 - -x":        func(b *builder, x value) value { return b.Sub(b.Const(0), b.Neg(x)) },
		"x / 1":         func(b *builder, x value) value { return b.Div(x, b.Const(1)) },
		"--x":           func(b *builder, x value) value { return b.Neg(b.Neg(x)) },
		"cond ? x : x":  func(b *builder, x value) value { return b.Select(b.Less(x, b.Const(3)), x, x) },
		"x + (2·3 - 6)": func(b *builder, x value) value { return b.Add(x, b.Sub(b.Mul(b.Const(2), b.Const(3)), b.Const(6))) },
		"x · (3/-3)·-1": func(b *builder, x value) value {
			return b.Mul(b.Mul(x, b.Div(b.Const(3), b.Const(-3))), b.Neg(b.Const(1)))
		},
	} {
		p := program(1, func(b *builder, x ...value) value { return formula(b, x[0]) })
		if len(p.Code()) != 1 || p.Code()[0].Op != device.OpInput {
			t.Errorf("%s is not x:\n%v", name, p)
		}
	}
	p := program(0, func(b *builder, x ...value) value { return b.Div(b.Const(0), b.Const(0)) })
	if len(p.Code()) != 1 || !math.IsNaN(p.Code()[0].Const) {
		t.Errorf("0/0 is not the constant NaN:\n%v", p)
	}
	// 0·x may be NaN and must stay.
	zero := program(1, func(b *builder, x ...value) value { return b.Mul(b.Const(0), x[0]) })
	if got := eval(zero, nil, math.Inf(1))[0]; !math.IsNaN(got) {
		t.Errorf("0·Inf = %v, want NaN", got)
	}
}

func TestSharedAndDeadCode(t *testing.T) {
	p := device.NewProgram("test", 3, func(b *builder, x ...value) []value {
		b.Exp(x[1]) // nobody needs it
		b.Param(0)
		u, v := b.Mul(x[0], x[2]), b.Mul(x[0], x[2])
		if u != v {
			t.Error("equal instructions are not shared")
		}
		if b.Const(0) == b.Const(math.Copysign(0, -1)) {
			t.Error("0 and -0 are shared")
		}
		return []value{b.Add(u, v), u}
	})
	want := "test:\n  %0 = input 0\n  %1 = input 2\n  %2 = mul %0 %1\n  %3 = add %2 %2\n  return %[3 2]\n"
	if diff := cmp.Diff(want, p.String()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if !p.Uses(0) || p.Uses(1) || !p.Uses(2) {
		t.Error("Uses is wrong")
	}
	if p.Inputs() != 3 || p.Params() != 1 || p.Name() != "test" {
		t.Errorf("%d inputs, %d parameters, name %s", p.Inputs(), p.Params(), p.Name())
	}
	// The gradient of an input that is not used is 0, and a derivative of a sum
	// reads no input.
	if got := eval(p.VJP(2), nil, 5, 6, 7, 8, 9); got[0] != 0 {
		t.Errorf("gradient of the unused input is %v", got)
	}
	sum := program(2, points[device.OpAdd].formula).VJP(3)
	if sum.Uses(0) || sum.Uses(1) || !sum.Uses(2) || len(sum.Code()) != 1 || len(sum.Outputs()) != 2 {
		t.Errorf("derivative of a sum:\n%v", sum)
	}
}

func TestVJPIsRemembered(t *testing.T) {
	p := program(2, points[device.OpMul].formula)
	var wait sync.WaitGroup
	programs := make([]*device.Program, 8)
	for i := range programs {
		wait.Add(1)
		go func() {
			defer wait.Done()
			programs[i] = p.VJP(uint64(1 + i%2)).VJP(1)
		}()
	}
	wait.Wait()
	for i, q := range programs {
		if q != programs[i%2] {
			t.Error("VJP built a program twice")
		}
	}
	if programs[0] == programs[1] {
		t.Error("VJP of different inputs is the same program")
	}
}

func TestStringNamesEveryKindOfOperand(t *testing.T) {
	p := program(1, func(b *builder, x ...value) value {
		return b.Select(b.Less(b.Uniform(0), b.Param(1)), x[0], b.Const(0.25))
	})
	for _, want := range []string{"%0 = input 0", "= uniform 0", "= param 1", "= const 0.25", "= less %1 %2", "= select %3 %0 %4"} {
		if !strings.Contains(p.String(), want) {
			t.Errorf("no %q in\n%v", want, p)
		}
	}
}

func TestProgramMistakes(t *testing.T) {
	for name, c := range map[string]struct {
		message string
		call    func()
	}{
		"inputs":        {"61 inputs", func() { program(61, func(b *builder, x ...value) value { return x[0] }) }},
		"output":        {"%7", func() { program(1, func(b *builder, x ...value) value { return 7 }) }},
		"operand":       {"%-1", func() { program(1, func(b *builder, x ...value) value { return b.Add(x[0], -1) }) }},
		"third operand": {"%9", func() { program(1, func(b *builder, x ...value) value { return b.Select(x[0], x[0], 9) }) }},
		"parameter":     {"Param(-1)", func() { program(1, func(b *builder, x ...value) value { return b.Param(-1) }) }},
		"key":           {"Uniform(-1)", func() { program(1, func(b *builder, x ...value) value { return b.Uniform(-1) }) }},
		"wrt":           {"input 3 of 2", func() { program(2, points[device.OpAdd].formula).VJP(8) }},
	} {
		func() {
			defer func() {
				if message, ok := recover().(string); !ok || !strings.HasPrefix(message, "device: ") || !strings.Contains(message, c.message) {
					t.Errorf("%s: panicked with %q, want %q in it", name, message, c.message)
				}
			}()
			c.call()
		}()
	}
}

func evalKey(p *device.Program, k device.Key) float64 {
	return devicetest.Eval(p, device.Float64, nil, nil, []device.Key{k}, 0).Outputs[0]
}

func TestDistinct(t *testing.T) {
	p := device.NewProgram("test", 2, func(b *builder, x ...value) []value {
		sum := b.Add(x[0], x[1])
		return []value{sum, x[1], sum, b.Mul(b.Param(0), b.Uniform(0)), x[1], x[0]}
	})
	q, at := p.Distinct()
	if diff := cmp.Diff([]int{0, 1, 0, 2, 1, 3}, at); diff != "" {
		t.Errorf("places: (-want +got)\n%s", diff)
	}
	if len(q.Outputs()) != 4 || q.Inputs() != 2 || q.Params() != 1 || q.Keys() != 1 {
		t.Errorf("%d parameters, %d keys in\n%v", q.Params(), q.Keys(), q)
	}
	want, got := eval(p, []float64{3}, 1, 2), eval(q, []float64{3}, 1, 2)
	for i := range want {
		if got[at[i]] != want[i] {
			t.Errorf("output %d is %v, want %v", i, got[at[i]], want[i])
		}
	}
	if again, _ := p.Distinct(); again != q {
		t.Error("Distinct built a program twice")
	}
	if same, _ := q.Distinct(); same != q {
		t.Error("a program without repeated outputs is not its own Distinct")
	}
}
