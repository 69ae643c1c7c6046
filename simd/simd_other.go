//go:build !amd64 || purego

package simd

func archImplementations() []*implementation { return nil }
