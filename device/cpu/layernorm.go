package cpu

import (
	"math"

	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/internal/parallel"
)

// LayerNorm normalises rows.
func (d *Device) LayerNorm(y, mean, rstd, x, gamma, beta device.Slice, rows, cols int, eps float64) {
	sizes("LayerNorm", rows, cols)
	for _, out := range []device.Slice{y, mean, rstd} {
		apart("LayerNorm", out, x, gamma, beta)
	}
	if isDouble("LayerNorm", "y", y) {
		layerNorm(&double, y, mean, rstd, x, gamma, beta, rows, cols, eps)
	} else {
		layerNorm(&single, y, mean, rstd, x, gamma, beta, rows, cols, eps)
	}
}

func layerNorm[T float](k *kernels[T], y, mean, rstd, x, gamma, beta device.Slice, rows, cols int, eps float64) {
	in, out := view[T]("LayerNorm", "x", x, rows*cols), view[T]("LayerNorm", "y", y, rows*cols)
	means, rstds := view[T]("LayerNorm", "mean", mean, rows), view[T]("LayerNorm", "rstd", rstd, rows)
	g, b := view[T]("LayerNorm", "gamma", gamma, cols), view[T]("LayerNorm", "beta", beta, cols)
	parallel.Range(rows, rowsPerTask(cols), func(lo, hi int) {
		for r := lo; r < hi; r++ {
			row := out[r*cols : (r+1)*cols]
			from := in[r*cols : (r+1)*cols]
			m := k.sum(from) / T(cols)
			k.addScalar(row, from, -m)
			s := T(1 / math.Sqrt(float64(k.sumSquares(row))/float64(cols)+eps))
			k.mulScalar(row, row, s)
			k.mulAdd(row, row, g, b)
			means[r], rstds[r] = m, s
		}
	})
}

// LayerNormBackward computes the gradients of x, gamma and beta. With
// n = (x - mean)·rstd and dn = dy·gamma,
// dx = rstd·(dn - mean(dn) - n·mean(dn·n)), dgamma = Σ dy·n and dbeta = Σ dy.
func (d *Device) LayerNormBackward(dx, dgamma, dbeta, dy, x, gamma, mean, rstd device.Slice, rows, cols int) {
	sizes("LayerNormBackward", rows, cols)
	for _, out := range []device.Slice{dx, dgamma, dbeta} {
		apart("LayerNormBackward", out, dy, x, gamma, mean, rstd)
	}
	if isDouble("LayerNormBackward", "dx", dx) {
		layerNormBackward(&double, dx, dgamma, dbeta, dy, x, gamma, mean, rstd, rows, cols)
	} else {
		layerNormBackward(&single, dx, dgamma, dbeta, dy, x, gamma, mean, rstd, rows, cols)
	}
}

func layerNormBackward[T float](k *kernels[T], dx, dgamma, dbeta, dy, x, gamma, mean, rstd device.Slice, rows, cols int) {
	const op = "LayerNormBackward"
	in, out, gradient := view[T](op, "x", x, rows*cols), view[T](op, "dx", dx, rows*cols), view[T](op, "dy", dy, rows*cols)
	means, rstds, g := view[T](op, "mean", mean, rows), view[T](op, "rstd", rstd, rows), view[T](op, "gamma", gamma, cols)
	toGamma, toBeta := view[T](op, "dgamma", dgamma, cols), view[T](op, "dbeta", dbeta, cols)
	add := k.binary[device.OpAdd]

	// Parts of the rows have sums for gamma and beta of their own, and a row to work in.
	partRows := max(rowsPerTask(cols), (rows+63)/64)
	parts := (rows + partRows - 1) / partRows
	memory := k.borrow(3 * parts * cols)
	parallel.For(parts, func(part int) {
		own := memory.data[3*part*cols:]
		sumGamma, sumBeta, dn := own[:cols], own[cols:2*cols], own[2*cols:3*cols]
		k.fill(sumGamma, 0)
		k.fill(sumBeta, 0)
		for r := part * partRows; r < min((part+1)*partRows, rows); r++ {
			n, dyRow, s := out[r*cols:(r+1)*cols], gradient[r*cols:(r+1)*cols], rstds[r]
			k.addScalar(n, in[r*cols:(r+1)*cols], -means[r])
			k.mulScalar(n, n, s)
			k.mulAdd(sumGamma, dyRow, n, sumGamma)
			add(sumBeta, sumBeta, dyRow)
			k.binary[device.OpMul](dn, dyRow, g)
			first, second := k.sum(dn)/T(cols), k.dot(dn, n)/T(cols)
			k.mulScalar(n, n, -s*second)
			k.axpy(s, dn, n)
			k.addScalar(n, n, -s*first)
		}
	})
	k.fill(toGamma, 0)
	k.fill(toBeta, 0)
	for part := range parts {
		own := memory.data[3*part*cols:]
		add(toGamma, toGamma, own[:cols])
		add(toBeta, toBeta, own[cols:2*cols])
	}
	k.giveBack(memory)
}
