package gonumblas

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"
)

// calls returns right arguments for the replaced routines of one precision,
// whose names lack the S or D, at sizes around n and with increments inc.
func calls[T float](n, inc int) map[string][]any {
	alpha, beta := T(0.7), T(0.3)
	ones := func(length int) []T {
		x := make([]T, length)
		for i := range x {
			x[i] = 1
		}
		return x
	}
	vector := func(n int) []T { return ones((n-1)*inc + 1) }
	matrix := func(rows, cols int) []T { return ones((rows-1)*(n+9) + cols) }
	m, k, ld := n+1, n+2, n+9
	return map[string][]any{
		"dot":  {n, vector(n), inc, vector(n), inc},
		"axpy": {n, alpha, vector(n), inc, vector(n), inc},
		"scal": {n, alpha, vector(n), inc},
		"nrm2": {n, vector(n), inc},
		"asum": {n, vector(n), inc},
		"gemv": {blas.Trans, m, n, alpha, matrix(m, n), ld, vector(m), inc, beta, vector(n), inc},
		"ger":  {m, n, alpha, vector(m), inc, vector(n), inc, matrix(m, n), ld},
		"gemm": {blas.NoTrans, blas.Trans, m, n, k, alpha, matrix(m, k), ld, matrix(n, k), ld, beta, matrix(m, n), ld},
		"syrk": {blas.Lower, blas.Trans, n, k, alpha, matrix(k, n), ld, beta, matrix(n, n), ld},
		"trsm": {blas.Right, blas.Upper, blas.NoTrans, blas.NonUnit, m, n, alpha, matrix(n, n), ld, matrix(m, n), ld},
	}
}

// wrong returns values to put in place of an argument.
func wrong(argument any) []any {
	switch v := argument.(type) {
	case int:
		return []any{-1, 0, 1, v - 1, v + 1, -v, v + 1000}
	case blas.Transpose:
		return []any{blas.Transpose('X'), blas.NoTrans, blas.Trans}
	case blas.Uplo:
		return []any{blas.All, blas.Lower, blas.Upper}
	case blas.Side:
		return []any{blas.Side(0), blas.Left, blas.Right}
	case blas.Diag:
		return []any{blas.Diag('x')}
	case float32:
		return []any{float32(0), float32(1)}
	case float64:
		return []any{0.0, 1.0}
	case []float32:
		return []any{v[:len(v)-1], v[:0], []float32(nil)}
	case []float64:
		return []any{v[:len(v)-1], v[:0], []float64(nil)}
	}
	panic(fmt.Sprintf("no wrong values for a %T", argument))
}

// TestPanics compares what happens with one or two wrong arguments with what
// gonum's does: the same panic or none, and nothing written in case of one.
func TestPanics(t *testing.T) {
	for _, size := range []struct{ n, inc int }{{3, 1}, {40, 2}, {140, 1}, {200, 2}} {
		all := map[string]map[string][]any{"S": calls[float32](size.n, size.inc), "D": calls[float64](size.n, size.inc)}
		for precision, calls := range all {
			for name, right := range calls {
				if level3 := name == "gemm" || name == "syrk" || name == "trsm"; size.n > 40 && level3 {
					continue // begins to use kernels at smaller sizes
				}
				t.Run(fmt.Sprint(precision, name, size.n), func(t *testing.T) {
					for i := range right {
						for _, bad := range wrong(right[i]) {
							once := slices.Clone(right)
							once[i] = bad
							checkPanic(t, precision+name, once)
							if testing.Short() {
								continue
							}
							for j := range i {
								for _, worse := range wrong(right[j]) {
									twice := slices.Clone(once)
									twice[j] = worse
									checkPanic(t, precision+name, twice)
								}
							}
						}
					}
				})
			}
		}
	}
}

func checkPanic(t *testing.T, name string, arguments []any) {
	t.Helper()
	want, _ := call(gonum.Implementation{}, name, arguments)
	for _, impl := range []Implementation{{}, {always: true}} {
		got, wrote := call(impl, name, arguments)
		if got != want || got != nil && wrote {
			sizes := slices.Clone(arguments)
			for i, argument := range sizes {
				if v := reflect.ValueOf(argument); v.Kind() == reflect.Slice {
					sizes[i] = fmt.Sprintf("len=%d", v.Len())
				}
			}
			t.Errorf("%s%v: panic %v after writing: %v; gonum's: %v", name, sizes, got, wrote, want)
		}
	}
}

// call calls a routine on copies of the slices, and returns what it panics with
// and whether it wrote to one.
func call(impl any, name string, arguments []any) (panicked any, wrote bool) {
	values := make([]reflect.Value, len(arguments))
	for i, argument := range arguments {
		switch v := argument.(type) {
		case []float32:
			argument = slices.Clone(v)
		case []float64:
			argument = slices.Clone(v)
		}
		values[i] = reflect.ValueOf(argument)
	}
	method := reflect.ValueOf(impl).MethodByName(name)
	func() {
		defer func() { panicked = recover() }()
		method.Call(values)
	}()
	if err, ok := panicked.(error); ok {
		panicked = err.Error() // of the runtime
	}
	for i, argument := range arguments {
		switch v := argument.(type) {
		case []float32:
			wrote = wrote || !slices.Equal(v, values[i].Interface().([]float32))
		case []float64:
			wrote = wrote || !slices.Equal(v, values[i].Interface().([]float64))
		}
	}
	return panicked, wrote
}
