package simd

import (
	"fmt"
	"math"
	"testing"
)

// rowsOf are the functions of rows for one precision.
type rowsOf[T float] struct {
	softmax, logSumExp func(dst, x []T, cols int)
	layerNorm          func(y, mean, rstd, x, gamma, beta []T, eps float64)
	layerNormGrad      func(dx, dgamma, dbeta, dy, x, gamma, mean, rstd []T)
}

func TestRows(t *testing.T) {
	forEachImplementation(t, func(t *testing.T) {
		t.Run("S", func(t *testing.T) {
			testRows(t, rowsOf[float32]{SSoftmaxRows, SLogSumExpRows, SLayerNormRows, SLayerNormGradRows}, 0x1p-23)
		})
		t.Run("D", func(t *testing.T) {
			testRows(t, rowsOf[float64]{DSoftmaxRows, DLogSumExpRows, DLayerNormRows, DLayerNormGradRows}, 0x1p-52)
		})
	})
}

// testRows compares with sums in float64, written as in a textbook.
func testRows[T float](t *testing.T, f rowsOf[T], eps float64) {
	var length int
	near := func(what string, got T, want, scale float64) {
		t.Helper()
		if !(math.Abs(float64(got)-want) <= (32+math.Sqrt(float64(length)))*eps*scale) {
			t.Fatalf("%s: %v, want %v", what, got, want)
		}
	}
	const rows = 3
	for _, cols := range append(vectorLengths()[1:], blockLen+5) {
		length = cols
		x, gamma, beta, dy := randomSlice[T](rows*cols), randomSlice[T](cols), randomSlice[T](cols + 1)[1:], randomSlice[T](rows*cols + 1)[1:]
		y, dx := newGuarded[T](t, rows*cols).take(rows*cols), make([]T, rows*cols)
		lse, mean, rstd := make([]T, rows), make([]T, rows), make([]T, rows)
		dgamma, dbeta := make([]T, cols), make([]T, cols)
		f.logSumExp(lse, x, cols)
		f.softmax(y, x, cols)
		in := append([]T(nil), x...)
		f.softmax(in, in, cols)
		for r := range rows {
			var sum float64
			for _, v := range x[r*cols:][:cols] {
				sum += math.Exp(float64(v))
			}
			near(fmt.Sprintf("log-sum-exp of %d", cols), lse[r], math.Log(sum), 1+math.Abs(math.Log(sum)))
			for i, v := range x[r*cols:][:cols] {
				want := math.Exp(float64(v)) / sum
				near(fmt.Sprintf("softmax of %d", cols), y[r*cols+i], want, want)
				if in[r*cols+i] != y[r*cols+i] {
					t.Fatalf("softmax of %d in place differs", cols)
				}
			}
		}

		const small = 1e-5
		f.layerNorm(y, mean, rstd, x, gamma, beta, small)
		dgamma[0], dbeta[0] = 10, 20 // added to
		f.layerNormGrad(dx, dgamma, dbeta, dy, x, gamma, mean, rstd)
		again := append([]T(nil), x...)
		f.layerNormGrad(again, make([]T, cols), make([]T, cols), dy, again, gamma, mean, rstd)
		wantGamma, wantBeta := make([]float64, cols), make([]float64, cols)
		wantGamma[0], wantBeta[0] = 10, 20
		for r := range rows {
			row, dyRow := x[r*cols:][:cols], dy[r*cols:][:cols]
			var m, variance, first, second float64
			for _, v := range row {
				m += float64(v) / float64(cols)
			}
			for _, v := range row {
				variance += (float64(v) - m) * (float64(v) - m) / float64(cols)
			}
			s := 1 / math.Sqrt(variance+small)
			scale := 1.0
			if cols < 3 {
				scale = s // hardly any variance: differences of x decide
			}
			near(fmt.Sprintf("mean of %d", cols), mean[r], m, 4)
			near(fmt.Sprintf("rstd of %d", cols), rstd[r], s, s*scale*scale)
			for i, v := range row {
				n, dn := (float64(v)-m)*s, float64(dyRow[i])*float64(gamma[i])
				first += dn / float64(cols)
				second += dn * n / float64(cols)
				wantGamma[i] += float64(dyRow[i]) * n
				wantBeta[i] += float64(dyRow[i])
			}
			for i, v := range row {
				n, dn := (float64(v)-m)*s, float64(dyRow[i])*float64(gamma[i])
				near(fmt.Sprintf("layer norm of %d", cols), y[r*cols+i], n*float64(gamma[i])+float64(beta[i]), 20*scale*scale)
				near(fmt.Sprintf("gradient of a layer norm of %d", cols), dx[r*cols+i], s*(dn-first-n*second), 50*s*scale*scale)
				if dx[r*cols+i] != again[r*cols+i] {
					t.Fatalf("gradient of a layer norm of %d in place differs", cols)
				}
			}
		}
		for i := range cols {
			scale := 40.0
			if cols < 3 {
				scale *= float64(rstd[0] + rstd[1] + rstd[2])
			}
			near(fmt.Sprintf("dgamma of %d", cols), dgamma[i], wantGamma[i], scale)
			near(fmt.Sprintf("dbeta of %d", cols), dbeta[i], wantBeta[i], scale)
		}
	}

	inf, nan := T(math.Inf(1)), T(math.NaN())
	for _, c := range []struct {
		x       []T
		lse     T
		softmax []T
	}{
		{[]T{0, -inf, 0}, T(math.Ln2), []T{0.5, 0, 0.5}},
		{[]T{-inf, -inf}, -inf, []T{nan, nan}},
		{[]T{1, inf}, inf, []T{nan, nan}},
		{[]T{1, nan}, nan, []T{nan, nan}},
		{[]T{1000, 1000}, T(1000 + math.Ln2), []T{0.5, 0.5}},
		{[]T{-3}, -3, []T{1}},
	} {
		lse, y := make([]T, 1), make([]T, len(c.x))
		f.logSumExp(lse, c.x, len(c.x))
		f.softmax(y, c.x, len(c.x))
		if !same(lse[0], c.lse) && !(math.Abs(float64(lse[0]-c.lse)) <= 4*eps*math.Abs(float64(c.lse))) {
			t.Errorf("log-sum-exp of %v is %v, want %v", c.x, lse[0], c.lse)
		}
		for i := range y {
			if !same(y[i], c.softmax[i]) {
				t.Errorf("softmax of %v is %v, want %v", c.x, y, c.softmax)
			}
		}
	}
	empty := []T{5, 5}
	f.logSumExp(empty, nil, 0)
	if !math.IsInf(float64(empty[0]), -1) || !math.IsInf(float64(empty[1]), -1) {
		t.Errorf("log-sum-exp of nothing is %v", empty)
	}
	f.softmax(nil, nil, 0)
	f.layerNorm(nil, nil, nil, nil, nil, nil, 0)
	f.layerNormGrad(nil, nil, nil, nil, nil, nil, nil, nil)
}

func TestRowsMustFit(t *testing.T) {
	six, three, two := make([]float32, 6), make([]float32, 3), make([]float32, 2)
	mustPanic(t, func() { SSoftmaxRows(six, six, 4) }, "simd: SSoftmaxRows", "6 6 4")
	mustPanic(t, func() { SSoftmaxRows(six, three, 3) }, "simd: SSoftmaxRows")
	mustPanic(t, func() { SSoftmaxRows(six, six, 0) }, "simd: SSoftmaxRows")
	mustPanic(t, func() { SLogSumExpRows(three, six, 3) }, "simd: SLogSumExpRows")
	mustPanic(t, func() { SLayerNormRows(six, two, three, six, three, three, 0) }, "simd: SLayerNormRows")
	mustPanic(t, func() { SLayerNormGradRows(six, three, two, six, six, three, two, two) }, "simd: SLayerNormGradRows")
}
