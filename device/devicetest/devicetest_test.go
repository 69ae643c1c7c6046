package devicetest

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/device/reference"
)

// TestFused runs the checks of the fused operations, which package reference
// does not have, on the naive ones.
func TestFused(t *testing.T) {
	d := naive{reference.New()}
	for name, check := range map[string]func(s *suite){
		"LayerNorm": testLayerNorm, "SegmentCrossEntropy": testSegmentCrossEntropy, "Attention": testAttention,
	} {
		t.Run(name, func(t *testing.T) { check(newSuite(t, d)) })
	}
}

// flaws are the outputs of each method, and the check that must notice when one is wrong.
var flaws = []struct {
	method  string
	outputs int
	check   string
}{
	{"Write", 1, "WriteRead"}, {"Fill", 1, "Fill"}, {"Iota", 1, "Iota"}, {"Cast", 1, "Cast"}, {"Strided", 1, "Strided"},
	{"Pointwise", 1, "Primitives"}, {"Pointwise", 2, "Extents"}, {"Pointwise", 2, "Alias"}, {"Pointwise", 3, "Programs"}, {"Pointwise", 2, "Uniform"},
	{"Reduce", 1, "Reduce"}, {"CumSum", 1, "CumSum"}, {"Sort", 2, "Sort"}, {"MatMul", 1, "MatMul"}, {"Gather", 1, "Gather"}, {"ScatterAdd", 1, "ScatterAdd"},
	{"LayerNorm", 3, "LayerNorm"}, {"LayerNormBackward", 3, "LayerNorm"},
	{"SegmentCrossEntropy", 2, "SegmentCrossEntropy"}, {"SegmentCrossEntropyBackward", 1, "SegmentCrossEntropy"},
	{"Attention", 2, "Attention"}, {"AttentionBackward", 2, "Attention"},
}

// TestFlaws runs every check on devices with a planted mistake, in processes of
// their own, because it must fail.
func TestFlaws(t *testing.T) {
	if os.Getenv("DEVICETEST_FLAW") != "" {
		t.Skip("this is the process with the flaw")
	}
	try := func(check string, f flaw) {
		t.Run(fmt.Sprint(check, f), func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(os.Args[0], "-test.run=^TestFlawed$/^"+check+"$", "-test.failfast")
			cmd.Env = append(os.Environ(), "DEVICETEST_FLAW="+f.String())
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), "--- FAIL: TestFlawed/"+check) || strings.Contains(string(out), "panic:") {
				t.Errorf("the check does not notice the flaw: %v\n%s", err, out)
			}
		})
	}
	for _, m := range flaws {
		for i := range m.outputs {
			try(m.check, flaw{m.method, "value", i})
		}
		for _, kind := range []string{"guard", "threads"} {
			if m.method != "Write" { // with which the checks prepare outputs
				try(m.check, flaw{m.method, kind, 0})
			}
		}
	}
	try("Gather", flaw{"Gather", "input", 0})
	try("MatMul", flaw{"MatMul", "input", 0})
}

// TestFlawed is what TestFlaws runs.
func TestFlawed(t *testing.T) {
	spec := strings.Split(os.Getenv("DEVICETEST_FLAW"), ".")
	if len(spec) != 3 {
		t.Skip("run by TestFlaws")
	}
	Run(t, flawed{naive{reference.New()}, flaw{spec[0], spec[1], int(spec[2][0] - '0')}})
}

// A flaw is a mistake in output i of a method.
type flaw struct {
	method, kind string
	i            int
}

func (f flaw) String() string { return fmt.Sprintf("%s.%s.%d", f.method, f.kind, f.i) }

// flawed is a device with a flaw.
type flawed struct {
	naive
	flaw
}

// spoil commits the flaw after a call of a method.
func (d flawed) spoil(method string, input device.Slice, outputs ...device.Slice) {
	if method != d.method || d.i >= len(outputs) {
		return
	}
	s := outputs[d.i]
	at := s.Offset + s.Len/2
	switch d.kind {
	case "guard":
		at = s.Offset + s.Len
	case "threads":
		if runtime.GOMAXPROCS(0) != 4 {
			return
		}
	case "input":
		s = input
		at = s.Offset
	}
	one := device.Slice{Buffer: s.Buffer, Offset: at, Len: 1}
	if at >= s.Buffer.Len() || s.Len == 0 {
		return
	}
	x := d.get(one)[0]
	if d.kind == "threads" && s.DType() == device.Float64 {
		x = math.Nextafter(x, 100)
	} else {
		x = 1.01*x + 1
	}
	d.Device.Write(one, toHost(s.DType(), []float64{round(s.DType(), x)}))
}

func (d flawed) Write(dst device.Slice, src any) {
	d.Device.Write(dst, src)
	if dst.Len < dst.Buffer.Len() {
		d.spoil("Write", dst, dst)
	}
}

func (d flawed) Fill(dst device.Slice, value float64) {
	d.Device.Fill(dst, value)
	d.spoil("Fill", dst, dst)
}

func (d flawed) Iota(dst device.Slice, start, step float64) {
	d.Device.Iota(dst, start, step)
	d.spoil("Iota", dst, dst)
}

func (d flawed) Cast(dst, src device.Slice) {
	d.Device.Cast(dst, src)
	d.spoil("Cast", src, dst)
}

func (d flawed) Strided(dst device.Slice, dstOff int, dstStride []int, src device.Slice, srcOff int, srcStride []int, shape []int) {
	d.Device.Strided(dst, dstOff, dstStride, src, srcOff, srcStride, shape)
	d.spoil("Strided", src, dst)
}

func (d flawed) Pointwise(p *device.Program, args *device.Args) {
	d.Device.Pointwise(p, args)
	d.spoil("Pointwise", device.Slice{}, args.Out...)
}

func (d flawed) Reduce(op device.ReduceOp, dst, src device.Slice, outer, n, inner int) {
	d.Device.Reduce(op, dst, src, outer, n, inner)
	d.spoil("Reduce", src, dst)
}

func (d flawed) MatMul(dst, a, b device.Slice, m device.MatMul) {
	d.Device.MatMul(dst, a, b, m)
	d.spoil("MatMul", a, dst)
}

func (d flawed) Gather(dst, src, index device.Slice, w int) {
	d.Device.Gather(dst, src, index, w)
	d.spoil("Gather", src, dst)
}

func (d flawed) ScatterAdd(dst, src, index device.Slice, w int) {
	d.Device.ScatterAdd(dst, src, index, w)
	d.spoil("ScatterAdd", src, dst)
}

func (d flawed) CumSum(dst, src device.Slice, outer, n, inner int) {
	d.Device.CumSum(dst, src, outer, n, inner)
	d.spoil("CumSum", src, dst)
}

func (d flawed) Sort(values, indices, src device.Slice, rows, n int, descending bool) {
	d.Device.Sort(values, indices, src, rows, n, descending)
	d.spoil("Sort", src, values, indices)
}

func (d flawed) LayerNorm(y, mean, rstd, x, gamma, beta device.Slice, rows, cols int, eps float64) {
	d.naive.LayerNorm(y, mean, rstd, x, gamma, beta, rows, cols, eps)
	d.spoil("LayerNorm", x, y, mean, rstd)
}

func (d flawed) LayerNormBackward(dx, dgamma, dbeta, dy, x, gamma, mean, rstd device.Slice, rows, cols int) {
	d.naive.LayerNormBackward(dx, dgamma, dbeta, dy, x, gamma, mean, rstd, rows, cols)
	d.spoil("LayerNormBackward", x, dx, dgamma, dbeta)
}

func (d flawed) SegmentCrossEntropy(loss, lse, logits, target device.Slice, segs *device.Segments) {
	d.naive.SegmentCrossEntropy(loss, lse, logits, target, segs)
	d.spoil("SegmentCrossEntropy", logits, loss, lse)
}

func (d flawed) SegmentCrossEntropyBackward(dlogits, dloss, lse, logits, target device.Slice, segs *device.Segments) {
	d.naive.SegmentCrossEntropyBackward(dlogits, dloss, lse, logits, target, segs)
	d.spoil("SegmentCrossEntropyBackward", logits, dlogits)
}

func (d flawed) Attention(out, lse, q, kv device.Slice, a *device.Attention) {
	d.naive.Attention(out, lse, q, kv, a)
	d.spoil("Attention", q, out, lse)
}

func (d flawed) AttentionBackward(dq, dkv, dout, out, lse, q, kv device.Slice, a *device.Attention) {
	d.naive.AttentionBackward(dq, dkv, dout, out, lse, q, kv, a)
	d.spoil("AttentionBackward", q, dq, dkv)
}

// naive is a device with the host's fused operations.
type naive struct{ device.Device }

func (d naive) get(s device.Slice) []float64 {
	host := toHost(s.DType(), make([]float64, s.Len))
	d.Device.Read(host, s)
	return fromHost(host)
}

func (d naive) put(s device.Slice, x []float64) {
	d.Device.Write(s, toHost(s.DType(), roundAll(s.DType(), x)))
}

func (d naive) LayerNorm(y, mean, rstd, x, gamma, beta device.Slice, rows, cols int, eps float64) {
	yv, m, r := layerNorm(d.get(x), d.get(gamma), d.get(beta), rows, cols, eps)
	d.put(y, yv)
	d.put(mean, m)
	d.put(rstd, r)
}

func (d naive) LayerNormBackward(dx, dgamma, dbeta, dy, x, gamma, mean, rstd device.Slice, rows, cols int) {
	dxv, dg, db := layerNormBackward(d.get(dy), d.get(x), d.get(gamma), rows, cols, 1e-5)
	d.put(dx, dxv)
	d.put(dgamma, dg)
	d.put(dbeta, db)
}

func (d naive) SegmentCrossEntropy(loss, lse, logits, target device.Slice, segs *device.Segments) {
	l, e, _ := crossEntropy(d.get(logits), d.get(target), segs)
	d.put(loss, l)
	d.put(lse, e)
}

func (d naive) SegmentCrossEntropyBackward(dlogits, dloss, lse, logits, target device.Slice, segs *device.Segments) {
	d.put(dlogits, crossEntropyBackward(d.get(dloss), d.get(logits), d.get(target), segs))
}

func (d naive) Attention(out, lse, q, kv device.Slice, a *device.Attention) {
	o, l := attention(d.get(q), d.get(kv), a)
	d.put(out, o)
	d.put(lse, l)
}

func (d naive) AttentionBackward(dq, dkv, dout, out, lse, q, kv device.Slice, a *device.Attention) {
	dqv, dkvv := d.get(dq), d.get(dkv)
	if dq == dkv {
		dkvv = dqv
	}
	attentionBackward(dqv, dkvv, d.get(dout), d.get(q), d.get(kv), a)
	d.put(dq, dqv)
	d.put(dkv, dkvv)
}

// slopes returns the derivatives of f in each element of x, by central differences.
func slopes(x []float64, f func() float64) []float64 {
	const h = 1e-5
	d := make([]float64, len(x))
	for i, v := range x {
		x[i] = v + h
		up := f()
		x[i] = v - h
		d[i] = (up - f()) / (2 * h)
		x[i] = v
	}
	return d
}

func compareSlopes(t *testing.T, what string, got, want []float64) {
	t.Helper()
	for i := range want {
		if math.Abs(got[i]-want[i]) > 1e-7*(1+math.Abs(want[i])) {
			t.Errorf("%s[%d] = %v, differences give %v", what, i, got[i], want[i])
		}
	}
}

// TestNaiveGradients compares the host's derivatives with differences.
func TestNaiveGradients(t *testing.T) {
	s := newSuite(t, nil)
	const rows, cols, eps = 3, 5, 1e-5
	x, gamma, beta, dy := s.normal(device.Float64, rows*cols), s.normal(device.Float64, cols), s.normal(device.Float64, cols), s.normal(device.Float64, rows*cols)
	loss := func() float64 {
		y, _, _ := layerNorm(x, gamma, beta, rows, cols, eps)
		return dot(y, dy, len(y))
	}
	dx, dgamma, dbeta := layerNormBackward(dy, x, gamma, rows, cols, eps)
	compareSlopes(t, "layer norm dx", dx, slopes(x, loss))
	compareSlopes(t, "layer norm dgamma", dgamma, slopes(gamma, loss))
	compareSlopes(t, "layer norm dbeta", dbeta, slopes(beta, loss))

	segs := device.NewSegments(3, 0, 1, 4)
	logits, target, dloss := s.normal(device.Float64, 8), []float64{2, -1, 0, 1}, s.normal(device.Float64, 4)
	compareSlopes(t, "cross entropy", crossEntropyBackward(dloss, logits, target, segs), slopes(logits, func() float64 {
		losses, _, _ := crossEntropy(logits, target, segs)
		return dot(losses, dloss, 4)
	}))

	for _, causal := range []bool{false, true} {
		a := &device.Attention{Heads: 2, HeadDim: 3, Queries: device.NewSegments(3, 0, 1, 2), Keys: device.NewSegments(2, 2, 0, 4), Scale: 0.7,
			Causal: causal, Dropout: 0.25, Key: device.NewKey(1), QStride: 7, QOffset: 1, KStride: 12, KOffset: 6}
		q, kv, dout := s.normal(device.Float64, 6*7), s.normal(device.Float64, 8*12), s.normal(device.Float64, 6*6)
		loss := func() float64 {
			out, _ := attention(q, kv, a)
			return dot(out, dout, len(out))
		}
		dq, dkv := make([]float64, len(q)), make([]float64, len(kv))
		attentionBackward(dq, dkv, dout, q, kv, a)
		compareSlopes(t, "attention dq", dq, slopes(q, loss))
		compareSlopes(t, "attention dkv", dkv, slopes(kv, loss))
	}
}
