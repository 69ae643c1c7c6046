package optim

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/nn"
)

// TestEMA compares with a plain loop in float64, over tensors longer than any block
// that a device works by.
func TestEMA(t *testing.T) {
	m := &struct {
		Long  *autograd.Tensor `name:"long"`
		Short *autograd.Tensor `name:"short"`
		Mean  *autograd.Tensor `name:"mean"`  // not trained
		Count *autograd.Tensor `name:"count"` // an integer, left alone
	}{nn.Normal(autograd.NewKey(1), 0, 1, 100, 333), nn.Normal(autograd.NewKey(2), 0, 1, 3), autograd.Zeros(2), autograd.New([]int32{1})}
	params := nn.Parameters(m)
	values := func() []float32 { return slices.Concat(m.Long.Float32s(), m.Short.Float32s(), m.Mean.Float32s()) }
	ema := NewEMA(params, 0.9)
	var want []float64
	for _, v := range values() {
		want = append(want, float64(v))
	}
	opt := NewSGD(params, SGDConfig{LR: 0.3})
	grads := autograd.NewGradients()
	for step := range 5 {
		autograd.Mutate(func(dst ...device.Slice) { m.Mean.Device().Fill(dst[0], float64(step)) }, m.Mean)
		for _, p := range params[:2] {
			autograd.Backward(sumOfSquares(p.Tensor), grads)
		}
		opt.Step(grads)
		ema.Update()
		for i, v := range values() {
			want[i] = 0.9*want[i] + 0.1*float64(v)
		}
	}
	trained := values()
	ema.Swap()
	averaged := values()
	for i, v := range averaged {
		if math.Abs(float64(v)-want[i]) > 2e-6 { // five roundings of values below 5
			t.Fatalf("average %d is %g, want %g", i, v, want[i])
		}
	}
	func() {
		defer func() {
			if r := fmt.Sprint(recover()); !strings.Contains(r, "EMA: Update") {
				t.Errorf("panic is %q", r)
			}
		}()
		ema.Update()
	}()
	ema.Swap()
	if !slices.Equal(values(), trained) {
		t.Error("swapping twice changed the parameters")
	}

	path := filepath.Join(t.TempDir(), "ema")
	if err := nn.SaveEntries(path, ema.State()); err != nil {
		t.Fatal(err)
	}
	restored := NewEMA(params, 0.9)
	if err := nn.LoadEntries(path, restored.State()); err != nil {
		t.Fatal(err)
	}
	restored.Swap()
	if !slices.Equal(values(), averaged) {
		t.Error("restored averages differ")
	}
}

func TestEMAPanics(t *testing.T) {
	for _, decay := range []float64{-0.1, 1.1, math.NaN()} {
		func() {
			defer func() {
				if r := fmt.Sprint(recover()); !strings.HasPrefix(r, "optim: NewEMA:") {
					t.Errorf("decay %g: panic is %q", decay, r)
				}
			}()
			NewEMA(nil, decay)
		}()
	}
}
