package autograd_test

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/muppet-go/muppet/autograd"
	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/ops"
)

func TestTrace(t *testing.T) {
	scope := autograd.NewScope()
	trace := scope.Trace()
	x, w := filled(0, 6, 4), filled(1, 5, 4).RequireGrad()
	h := ops.Reshape(ops.Tanh(ops.Linear(scope.Of(x), w, nil)), 30) // the view is not in the trace
	h = scope.Checkpoint(func(in ...*tensor) *tensor { return ops.Exp(in[0]) }, h)
	autograd.Backward(ops.Reshape(ops.Sum(h), 1), autograd.NewGradients())
	events := trace.Events()
	var names []string
	for i, e := range events {
		names = append(names, e.Name)
		if e.Duration <= 0 || i > 0 && e.Start < events[i-1].Start+events[i-1].Duration {
			t.Errorf("event %d %+v is not after the one before", i, e)
		}
	}
	want := "matmul tanh exp sum | sum backward | exp | exp backward | tanh backward | matmul backward"
	got := strings.Join(names, " ")
	for _, part := range strings.Split(want, " | ") {
		before, after, ok := strings.Cut(got, part)
		if !ok {
			t.Fatalf("events %q, no %q where it should be", names, part)
		}
		_, got = before, after
	}
	first, last := events[0], events[len(events)-1]
	if first.FLOPs != 2*6*5*4 || first.Bytes != 8*(24+20+30) || first.Shapes != "Tensor[6 4] float64, Tensor[5 4] float64" {
		t.Errorf("matmul %+v", first)
	}
	if last.FLOPs != 2*6*5*4 || last.Bytes != 8*(30+24+20+20) { // one product: x has no gradient
		t.Errorf("matmul backward %+v", last)
	}
	if s := trace.String(); !strings.Contains(s, "matmul backward") || !strings.Contains(s, "all ") {
		t.Errorf("table\n%s", s)
	}
	bias := filled(2, 5).RequireGrad()
	biased := autograd.NewScope()
	trace = biased.Trace()
	autograd.Backward(ops.Sum(ops.Linear(biased.Of(x), w, bias)), autograd.NewGradients())
	products := 0.0
	for _, e := range trace.Events() {
		products += e.FLOPs
	}
	if products != 2*2*6*5*4 { // forward, and the gradient of w
		t.Errorf("%v FLOPs in a linear layer and back", products)
	}
	picking := autograd.NewScope()
	trace = picking.Trace()
	table, ids := picking.Of(autograd.New(make([]float64, 6000), 1000, 6).RequireGrad()), autograd.New([]int32{3, 7, 3}, 3)
	ops.Slice(ops.Embedding(table, ids), 1, 2, 4)
	if e := trace.Events(); len(e) != 2 || e[0].Bytes != 8*(3*6+3*6) || e[1].Bytes != 8*(3*2+3*2) {
		t.Errorf("reading three rows of a table, and of that two columns, is %+v", e)
	}
	panics(t, func() { (*autograd.Scope)(nil).Trace() }, "Trace of a nil Scope")
}

// TestTraceFLOPs: what is computed is counted, for the percentage of the roofline to be right.
func TestTraceFLOPs(t *testing.T) {
	segs := device.NewSegments(3, 0, 5)
	const heads, size = 2, 8 // size of all heads together
	attend := func(causal bool) func(*autograd.Scope) *tensor {
		return func(s *autograd.Scope) *tensor {
			return ops.SelfAttention(s.Of(filled(0, 8, 3*size).RequireGrad()), segs, ops.AttentionConfig{Heads: heads, Causal: causal})
		}
	}
	keys := device.NewSegments(1, 1, 6)
	for _, c := range []struct {
		name              string
		fused             bool
		f                 func(*autograd.Scope) *tensor
		forward, backward float64
	}{
		{"attention", true, attend(false), 4 * size * (9 + 25), 8 * size * (9 + 25)},
		{"causal attention", true, attend(true), 4 * size * (6 + 15), 8 * size * (6 + 15)},
		{"cross attention", true, func(s *autograd.Scope) *tensor { // of 3 queries to one key, the last sees it
			return ops.CrossAttention(s.Of(filled(0, 8, size).RequireGrad()), filled(1, 8, 2*size), segs, keys, ops.AttentionConfig{Heads: heads, Causal: true})
		}, 4 * size * (1 + 20), 8 * size * (1 + 20)},
		{"convolution in groups", false, func(s *autograd.Scope) *tensor { // [2, 6, 7, 8] by 5 × 3 in 3 groups: 3 × 6 places
			x, w := filled(0, 2, 6, 7, 8), filled(1, 9, 2, 5, 3).RequireGrad()
			return ops.Conv2d(s.Of(x), w, nil, ops.ConvConfig{Groups: 3})
		}, 2 * 2 * 9 * 18 * (2 * 15), 2 * 2 * 9 * 18 * (2 * 15)}, // back to w alone
		{"matrices that broadcast", false, func(s *autograd.Scope) *tensor {
			return ops.MatMul(s.Of(filled(0, 7, 1, 3, 4).RequireGrad()), filled(1, 2, 4, 5).RequireGrad())
		}, 2 * 14 * 3 * 4 * 5, 2 * 2 * 14 * 3 * 4 * 5},
	} {
		if _, ok := device.Default().(device.Attender); c.fused && !ok {
			continue
		}
		scope := autograd.NewScope()
		trace := scope.Trace()
		y := c.f(scope)
		sum := func() (flops float64) {
			for _, e := range trace.Events() {
				flops += e.FLOPs
			}
			return flops
		}
		if got := sum(); got != c.forward {
			t.Errorf("%s: %v FLOPs, want %v", c.name, got, c.forward)
		}
		autograd.Backward(ops.Sum(y), autograd.NewGradients())
		if got := sum() - c.forward; got != c.backward {
			t.Errorf("%s: %v FLOPs back, want %v", c.name, got, c.backward)
		}
	}
}

func TestTraceHTML(t *testing.T) {
	scope := autograd.NewScope()
	trace := scope.Trace()
	if page := trace.HTML(10, 100); !strings.Contains(page, "0 operations") {
		t.Error("the page of nothing")
	}
	w := filled(1, 8, 8).RequireGrad()
	for range 3 {
		autograd.Backward(ops.Sum(ops.GELU(ops.Linear(scope.Of(filled(2, 8, 8)), w, nil))), autograd.NewGradients())
	}
	page := trace.HTML(10, 100)
	for _, want := range []string{"<td>3</td>", "gelu backward of Tensor[8 8] float64", "Roofline: 10 GB/s, 100 GFLOP/s", "forward", "<title>matmul of"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in the page", want)
		}
	}
	for _, bad := range []string{"NaN", "Inf", "<script", "http"} {
		if strings.Contains(page, bad) {
			t.Errorf("%q in the page", bad)
		}
	}
	d := xml.NewDecoder(strings.NewReader(page))
	d.Strict, d.AutoClose = false, []string{"meta"}
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
}
