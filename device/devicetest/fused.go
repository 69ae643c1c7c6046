package devicetest

import (
	"fmt"
	"math"
	"slices"

	"github.com/muppet-go/muppet/device"
)

// near checks a result of sums of n terms. Condition is how much larger than the
// largest result numbers on the way to it are.
func (s *suite) near(what string, out *array, want []float64, n int, condition float64) {
	s.Helper()
	tolerance := 2 * sumTolerance(out.DType(), n, condition*(1+largest(want)))
	s.within(what, out, want, func(int) float64 { return tolerance })
}

// largest returns the largest finite magnitude.
func largest(x []float64) float64 {
	m := 0.0
	for _, v := range x {
		if v = math.Abs(v); !math.IsInf(v, 0) {
			m = max(m, v)
		}
	}
	return m
}

func testLayerNorm(s *suite) {
	d, ok := s.d.(device.LayerNormer)
	if !ok {
		s.Skip("not implemented by the device")
	}
	for _, t := range floats {
		for _, shape := range [][2]int{{0, 4}, {1, 1}, {1, 3}, {3, 1}, {7, 64}, {13, 65}, {5, 768}, {3, 5000}, {5000, 3}} {
			s.check(fmt.Sprint(t, shape), func(s *suite) {
				const eps = 1e-5
				rows, cols := shape[0], shape[1]
				values := s.normal(t, rows*cols)
				for i := range values {
					values[i] = round(t, 3+values[i])
				}
				x, gamma, beta := s.array(t, values), s.array(t, s.normal(t, cols)), s.array(t, s.normal(t, cols))
				y, mean, rstd := s.out(t, rows*cols), s.out(t, rows), s.out(t, rows)
				s.run(func() {
					d.LayerNorm(y.Slice, mean.Slice, rstd.Slice, x.Slice, gamma.Slice, beta.Slice, rows, cols, eps)
				}, y, mean, rstd)
				wantY, wantMean, wantRstd := layerNorm(values, gamma.values(), beta.values(), rows, cols, eps)
				spread := max(1, largest(wantRstd))
				s.near("mean", mean, wantMean, cols, 1)
				s.near("rstd", rstd, wantRstd, cols, spread)
				s.near("y", y, wantY, cols, spread)

				dy := s.array(t, s.normal(t, rows*cols))
				dx, dgamma, dbeta := s.out(t, rows*cols), s.out(t, cols), s.out(t, cols)
				// What the forward pass gave are inputs now.
				means, rstds := s.array(t, wantMean), s.array(t, wantRstd)
				s.run(func() {
					d.LayerNormBackward(dx.Slice, dgamma.Slice, dbeta.Slice, dy.Slice, x.Slice, gamma.Slice, means.Slice, rstds.Slice, rows, cols)
				}, dx, dgamma, dbeta, y, mean, rstd)
				wantDx, wantDgamma, wantDbeta := layerNormBackward(dy.values(), values, gamma.values(), rows, cols, eps)
				s.near("dx", dx, wantDx, cols, spread)
				s.near("dgamma", dgamma, wantDgamma, rows, spread)
				s.near("dbeta", dbeta, wantDbeta, rows, 1)
			})
		}
	}
}

func layerNorm(x, gamma, beta []float64, rows, cols int, eps float64) (y, mean, rstd []float64) {
	y, mean, rstd = make([]float64, rows*cols), make([]float64, rows), make([]float64, rows)
	for r := range rows {
		row := x[r*cols:][:cols]
		var sum, squares float64
		for _, v := range row {
			sum += v
		}
		mean[r] = sum / float64(cols)
		for _, v := range row {
			squares += (v - mean[r]) * (v - mean[r])
		}
		rstd[r] = 1 / math.Sqrt(squares/float64(cols)+eps)
		for c, v := range row {
			y[r*cols+c] = (v-mean[r])*rstd[r]*gamma[c] + beta[c]
		}
	}
	return y, mean, rstd
}

func layerNormBackward(dy, x, gamma []float64, rows, cols int, eps float64) (dx, dgamma, dbeta []float64) {
	_, mean, rstd := layerNorm(x, gamma, make([]float64, cols), rows, cols, eps)
	dx, dgamma, dbeta = make([]float64, rows*cols), make([]float64, cols), make([]float64, cols)
	for r := range rows {
		// With n = (x - mean)·rstd, dx = rstd · (dn - mean(dn) - n·mean(dn·n)).
		var first, second float64
		for c := range cols {
			i := r*cols + c
			n, dn := (x[i]-mean[r])*rstd[r], dy[i]*gamma[c]
			first += dn / float64(cols)
			second += dn * n / float64(cols)
			dgamma[c] += dy[i] * n
			dbeta[c] += dy[i]
		}
		for c := range cols {
			i := r*cols + c
			dx[i] = rstd[r] * (dy[i]*gamma[c] - first - (x[i]-mean[r])*rstd[r]*second)
		}
	}
	return dx, dgamma, dbeta
}

func testSegmentCrossEntropy(s *suite) {
	d, ok := s.d.(device.SegmentCrossEntropier)
	if !ok {
		s.Skip("not implemented by the device")
	}
	cases := []*device.Segments{
		device.NewSegments(), device.NewSegments(0), device.NewSegments(1), device.NewSegments(5, 0, 1, 3, 1, 0),
		device.UniformSegments(300, 7), device.UniformSegments(3, 20011), device.UniformSegments(2000, 2), device.NewSegments(4000, 1, 17, 64, 129),
	}
	for _, t := range floats {
		for _, segs := range cases {
			for _, scale := range []float64{1, 1e4} {
				s.check(fmt.Sprint(t, segs, scale), func(s *suite) {
					n, count := segs.Total(), segs.Count()
					values, targets := s.normal(t, n), make([]float64, count)
					for i := range values {
						values[i] = round(t, scale*values[i])
						if s.rng.IntN(20) == 0 && scale > 1 {
							values[i] = -1e30 // as good as masked
						}
					}
					for i := range targets {
						targets[i] = -1
						if segs.Len(i) > 0 && i%5 != 4 {
							targets[i] = float64(s.rng.IntN(segs.Len(i)))
							values[segs.Start(i)+int(targets[i])] = 0.5
						}
					}
					logits, target := s.array(t, values), s.array(device.Int32, targets)
					loss, lse := s.out(t, count), s.out(t, count)
					s.run(func() {
						d.SegmentCrossEntropy(loss.Slice, lse.Slice, logits.Slice, target.Slice, segs)
					}, loss, lse)
					wantLoss, wantLse, probabilities := crossEntropy(values, targets, segs)
					s.within("loss", loss, wantLoss, func(i int) float64 {
						return sumTolerance(t, segs.Len(i), 1+math.Abs(wantLoss[i]))
					})
					s.within("lse", lse, wantLse, func(i int) float64 {
						return sumTolerance(t, segs.Len(i), 1+math.Abs(wantLse[i]))
					})

					dloss, dlogits := s.array(t, s.normal(t, count)), s.out(t, n)
					lses := s.array(t, roundAll(t, wantLse))
					s.run(func() {
						d.SegmentCrossEntropyBackward(dlogits.Slice, dloss.Slice, lses.Slice, logits.Slice, target.Slice, segs)
					}, dlogits, loss, lse)
					want, tolerance := crossEntropyBackward(dloss.values(), values, targets, segs), make([]float64, n)
					for i, g := range dloss.values() {
						for j := segs.Start(i); j < segs.Start(i)+segs.Len(i); j++ {
							// The softmax is e to a difference of numbers as large as lse.
							tolerance[j] = 8 * epsilon(t) * math.Abs(g) * (1 + probabilities[j]*math.Abs(wantLse[i]))
						}
					}
					s.within("dlogits", dlogits, want, func(i int) float64 { return tolerance[i] })
				})
			}
		}
	}
}

func roundAll(t device.DType, x []float64) []float64 {
	x = slices.Clone(x)
	for i := range x {
		x[i] = round(t, x[i])
	}
	return x
}

// crossEntropy returns the loss and log-sum-exp of each segment, and its softmax.
func crossEntropy(logits, target []float64, segs *device.Segments) (loss, lse, softmax []float64) {
	loss, lse, softmax = make([]float64, segs.Count()), make([]float64, segs.Count()), make([]float64, len(logits))
	for i := range segs.Count() {
		if target[i] < 0 || segs.Len(i) == 0 {
			continue
		}
		from, to := segs.Start(i), segs.Start(i)+segs.Len(i)
		lse[i] = logSumExp(logits[from:to])
		loss[i] = lse[i] - logits[from+int(target[i])]
		for j := from; j < to; j++ {
			softmax[j] = math.Exp(logits[j] - lse[i])
		}
	}
	return loss, lse, softmax
}

func crossEntropyBackward(dloss, logits, target []float64, segs *device.Segments) []float64 {
	_, _, d := crossEntropy(logits, target, segs)
	for i, g := range dloss {
		for j := segs.Start(i); j < segs.Start(i)+segs.Len(i); j++ {
			d[j] *= g
		}
		if target[i] >= 0 && segs.Len(i) > 0 {
			d[segs.Start(i)+int(target[i])] -= g
		}
	}
	return d
}

func logSumExp(x []float64) float64 {
	top := slices.Max(x)
	var sum float64
	for _, v := range x {
		sum += math.Exp(v - top)
	}
	return top + math.Log(sum)
}
