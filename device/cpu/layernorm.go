package cpu

import (
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
		k.layerNormRows(out[lo*cols:hi*cols], means[lo:hi], rstds[lo:hi], in[lo*cols:hi*cols], g, b, eps)
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

	// Parts of the rows have sums for gamma and beta of their own.
	partRows := max(rowsPerTask(cols), (rows+63)/64)
	parts := (rows + partRows - 1) / partRows
	memory := k.borrow(2 * parts * cols)
	parallel.For(parts, func(part int) {
		own := memory.data[2*part*cols:]
		sumGamma, sumBeta := own[:cols], own[cols:2*cols]
		k.fill(sumGamma, 0)
		k.fill(sumBeta, 0)
		lo, hi := part*partRows, min((part+1)*partRows, rows)
		k.layerNormGradRows(out[lo*cols:hi*cols], sumGamma, sumBeta, gradient[lo*cols:hi*cols], in[lo*cols:hi*cols], g, means[lo:hi], rstds[lo:hi])
	})
	k.fill(toGamma, 0)
	k.fill(toBeta, 0)
	for part := range parts {
		own := memory.data[2*part*cols:]
		k.binary[device.OpAdd](toGamma, toGamma, own[:cols])
		k.binary[device.OpAdd](toBeta, toBeta, own[cols:2*cols])
	}
	k.giveBack(memory)
}
