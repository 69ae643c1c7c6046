package cpu

import (
	"math"

	"github.com/muppet-go/muppet/device"
	"github.com/muppet-go/muppet/internal/parallel"
)

// Fill sets every element to value.
func (d *Device) Fill(dst device.Slice, value float64) {
	switch typeOf("Fill", "dst", dst) {
	case device.Float32:
		fillAll(view[float32]("Fill", "dst", dst, dst.Len), float32(value))
	case device.Float64:
		fillAll(view[float64]("Fill", "dst", dst, dst.Len), value)
	case device.Int32:
		fillAll(view[int32]("Fill", "dst", dst, dst.Len), int32(value))
	case device.BFloat16:
		fillAll(view[uint16]("Fill", "dst", dst, dst.Len), bfloat16(value))
	}
}

func fillAll[T element](dst []T, value T) {
	parallel.Range(len(dst), grain, func(lo, hi int) {
		part := dst[lo:hi]
		switch part := any(part).(type) {
		case []float32:
			single.fill(part, float32(value))
			return
		case []float64:
			double.fill(part, float64(value))
			return
		}
		for i := range part {
			part[i] = value
		}
	})
}

// Iota sets element i to start + i·step, computed in float64.
func (d *Device) Iota(dst device.Slice, start, step float64) {
	at := func(i int) float64 { return start + float64(float64(i)*step) }
	switch typeOf("Iota", "dst", dst) {
	case device.Float32:
		compute(view[float32]("Iota", "dst", dst, dst.Len), func(i int) float32 { return float32(at(i)) })
	case device.Float64:
		compute(view[float64]("Iota", "dst", dst, dst.Len), at)
	case device.Int32:
		compute(view[int32]("Iota", "dst", dst, dst.Len), func(i int) int32 { return int32(at(i)) })
	case device.BFloat16:
		compute(view[uint16]("Iota", "dst", dst, dst.Len), func(i int) uint16 { return bfloat16(at(i)) })
	}
}

func compute[T element](dst []T, f func(i int) T) {
	parallel.Range(len(dst), grain, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			dst[i] = f(i)
		}
	})
}

// Cast converts between element types. What a float that no Int32 holds becomes
// depends on the processor.
func (d *Device) Cast(dst, src device.Slice) {
	apart("Cast", dst, src)
	switch typeOf("Cast", "src", src) {
	case device.Float32:
		castFrom(dst, view[float32]("Cast", "src", src, dst.Len))
	case device.Float64:
		castFrom(dst, view[float64]("Cast", "src", src, dst.Len))
	case device.Int32:
		castFrom(dst, view[int32]("Cast", "src", src, dst.Len))
	case device.BFloat16:
		castFromBFloat16(dst, view[uint16]("Cast", "src", src, dst.Len))
	}
}

type number interface{ float32 | float64 | int32 }

func castFrom[From number](dst device.Slice, src []From) {
	switch typeOf("Cast", "dst", dst) {
	case device.Float32:
		convert(view[float32]("Cast", "dst", dst, dst.Len), src)
	case device.Float64:
		convert(view[float64]("Cast", "dst", dst, dst.Len), src)
	case device.Int32:
		convert(view[int32]("Cast", "dst", dst, dst.Len), src)
	case device.BFloat16:
		to := view[uint16]("Cast", "dst", dst, dst.Len)
		if src, ok := any(src).([]float32); ok {
			parallel.Range(len(to), grain, func(lo, hi int) {
				from, to := src[lo:hi], to[lo:hi]
				for i, x := range from {
					to[i] = roundBits(math.Float32bits(x))
				}
			})
			return
		}
		compute(to, func(i int) uint16 { return bfloat16(float64(src[i])) })
	}
}

func convert[To, From number](dst []To, src []From) {
	parallel.Range(len(dst), grain, func(lo, hi int) {
		to, from := dst[lo:hi], src[lo:hi]
		for i, x := range from {
			to[i] = To(x)
		}
	})
}

func castFromBFloat16(dst device.Slice, src []uint16) {
	widen := func(i int) float32 { return math.Float32frombits(uint32(src[i]) << 16) }
	switch typeOf("Cast", "dst", dst) {
	case device.Float32:
		compute(view[float32]("Cast", "dst", dst, dst.Len), widen)
	case device.Float64:
		compute(view[float64]("Cast", "dst", dst, dst.Len), func(i int) float64 { return float64(widen(i)) })
	case device.Int32:
		compute(view[int32]("Cast", "dst", dst, dst.Len), func(i int) int32 { return int32(widen(i)) })
	case device.BFloat16:
		copyAll(view[uint16]("Cast", "dst", dst, dst.Len), src)
	}
}

// roundBits rounds the bits of a float32 to the nearest bfloat16, ties to even.
func roundBits(bits uint32) uint16 {
	if bits&0x7fffffff > 0x7f800000 {
		return uint16(bits>>16) | 1<<6 // rounding could make a NaN infinite
	}
	return uint16((bits + 0x7fff + bits>>16&1) >> 16)
}

// bfloat16 rounds to the nearest bfloat16, ties to even. On the way through
// float32 a bit says that something was cut off, so that nothing becomes a tie by
// being rounded twice.
func bfloat16(x float64) uint16 {
	f := float32(x)
	bits := math.Float32bits(f)
	if back := float64(f); back != x && x == x {
		if math.Abs(back) > math.Abs(x) {
			bits--
		}
		bits |= 1
	}
	return roundBits(bits)
}
