//go:build !unix || noguard

package simd

import "testing"

func newGuarded[T float](t *testing.T, n int) *guarded[T] {
	return &guarded[T]{memory: make([]T, n+watched)}
}

const mayBeEmulated = true
