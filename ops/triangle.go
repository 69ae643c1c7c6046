package ops

import (
	"fmt"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
)

// The formulas see an element with its row and column; parameter 0 is the diagonal.
var (
	trilProgram = triangle("tril", func(b *builder, row, column value) value {
		return b.Less(column, b.Add(row, b.Const(1)))
	})
	triuProgram = triangle("triu", func(b *builder, row, column value) value {
		return b.Less(b.Sub(row, b.Const(1)), column)
	})
)

func triangle(name string, keep func(b *builder, row, column value) value) *device.Program {
	return device.NewProgram(name, 3, func(b *builder, in ...value) []value {
		return []value{b.Select(keep(b, b.Add(in[1], b.Param(0)), in[2]), in[0], b.Const(0))}
	})
}

// Tril returns the lower triangle of x [..., m, n], with zeros elsewhere: of row i,
// columns up to i + diagonal.
func Tril(x *Tensor, diagonal int) *Tensor { return runTriangle(trilProgram, x, diagonal) }

// Triu returns the upper triangle of x [..., m, n], with zeros elsewhere: of row i,
// columns from i + diagonal on.
func Triu(x *Tensor, diagonal int) *Tensor { return runTriangle(triuProgram, x, diagonal) }

func runTriangle(p *device.Program, x *Tensor, diagonal int) *Tensor {
	if len(x.Shape()) < 2 || !x.DType().IsFloat() {
		panic(fmt.Sprintf("ops: %s: want matrices of floats, not %s", p.Name(), shapes(list(x))))
	}
	count := func(shape ...int) *Tensor {
		t := autograd.Make(x.DType(), shape, x)
		t.Device().Iota(t.Slice(), 0, 1)
		return t
	}
	return run(p, []float64{float64(diagonal)}, nil, x, count(x.Dim(-2), 1), count(x.Dim(-1)))
}
