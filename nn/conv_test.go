package nn

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/ops"
)

func TestConvLayers(t *testing.T) {
	key := autograd.NewKey(3)
	line := NewConv1d(4, 6, 3, ops.ConvConfig{Padding: []int{1}, Groups: 2}, key)
	plane := NewConv2d(3, 40, [2]int{2, 5}, ops.ConvConfig{Stride: []int{2}}, key)
	for _, c := range []struct {
		layer any
		y     *autograd.Tensor
		want  string
		fan   int
	}{
		{line, line.Forward(Constant(1, 2, 4, 7)), "weight[6 2 3] bias[6] to [2 6 7]", 6},
		{plane, plane.Forward(Constant(1, 1, 3, 6, 9)), "weight[40 3 2 5] bias[40] to [1 40 3 3]", 30},
	} {
		got := ""
		for _, p := range Parameters(c.layer) {
			got += fmt.Sprint(p.Name, p.Tensor.Shape(), " ")
			if p.NoDecay != (p.Name == "bias") {
				t.Errorf("%s: NoDecay is %v", p.Name, p.NoDecay)
			}
			v, bound := p.Tensor.Float64s(), 1/math.Sqrt(float64(c.fan))
			if low, high := slices.Min(v), slices.Max(v); low < -bound || high > bound || high-low < bound {
				t.Errorf("%s of shape %v in [%g, %g], want all of ±%g", p.Name, p.Tensor.Shape(), low, high, bound)
			}
		}
		if got += fmt.Sprint("to ", c.y.Shape()); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
	defer func() {
		if message := fmt.Sprint(recover()); !strings.Contains(message, "NewConv2d: 3 to 4 channels in 2 groups") {
			t.Errorf("panic %q", message)
		}
	}()
	NewConv2d(3, 4, [2]int{1, 1}, ops.ConvConfig{Groups: 2}, key)
}

// TestEmbeddingShapes: ids may have any shape.
func TestEmbeddingShapes(t *testing.T) {
	e := &Embedding{autograd.New([]float32{0, 1, 10, 11, 20, 21}, 3, 2)}
	y := e.Forward(autograd.New([]int32{2, 0, 1, 1}, 2, 2))
	if got := fmt.Sprint(y.Shape(), y.Float32s()); got != "[2 2 2] [20 21 0 1 10 11 10 11]" {
		t.Errorf("got %s", got)
	}
}
